"""What people do on a marketing platform, and what they find there, whichever platform it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import yaml

from bothways.connectors.base import Connector
from tests.support.sandbox import ROOT, SandboxServer

ENTITIES = ("contact", "lead")
Row = dict[str, Any]


class Refused(AssertionError):
    """The platform does not do what somebody wants of it."""


class Platform(ABC):
    """A platform's users, and what they see.

    People go by their addresses, or by the ids of `contacts` where somebody may be several
    contacts; lists by their names, fields by the names that the mappings give them, statuses by the
    words of `bothways.vocabulary.Status`.

    Attributes:
        name: Of the connector, and of the vendor in the sandbox.
        title: As people are told it.
        at_once: Settings of the sandbox with which nothing has to be waited for.
        words: The acts after which an account may not mail an address at all; the first is a
            person's own. Where an unsubscribe is from one audience, it is none of them.
        keeps_leavers: Whether somebody who was taken off their list is still a contact.
        ends_all: The statuses of a contact whose address no list of the account may mail.
        rounds: After how many runs all that was said has been carried over.
        people_at: The endpoint that lists people, as the sandbox counts its calls.
        suppressions_at: What the address of the listing has in it that tells who unsubscribed.
        campaigns_have: What the sandbox calls the name of a campaign.
        beside: A list, to be found in every account, on which whoever is on the newsletter may be
            without becoming another contact.
        small_writes: What the connector's constants have to be, by full name, so that a few people
            are written by all the means that it has for many.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    at_once: ClassVar[dict[str, Any]] = {}
    words: ClassVar[tuple[str, ...]]
    keeps_leavers: ClassVar[bool] = True
    ends_all: ClassVar[frozenset[str]]
    rounds: ClassVar[int] = 1
    people_at: ClassVar[str]
    suppressions_at: ClassVar[str]
    campaigns_have: ClassVar[str] = "name"
    beside: ClassVar[str]
    small_writes: ClassVar[dict[str, int]] = {}

    def __init__(self, sandbox: SandboxServer) -> None:
        self._sandbox = sandbox

    # ── what an account's file says of it ─────────────────────────────────────────────────────

    def account(self) -> dict[str, Any]:
        """The keys of an account that are about the platform."""
        return {
            "marketing": {"connector": self.name, "connection": f"demo_{self.name}"},
            "mappings": {name: self.mapping(name) for name in ENTITIES},
        }

    def mapping(self, entity: str) -> str:
        """The mapping of an entity, below include/mappings/."""
        return f"dynamics_{self.name}/{entity}.yaml"

    def write_mappings(self, folder: Path) -> None:  # noqa: B027 - few have to
        """Write mappings of its own into a copy of include/mappings/."""

    def furnish(self) -> None:  # noqa: B027 - few have to
        """Make in the account what the mappings name and a new account has not got."""

    @abstractmethod
    def connector(self, **quick: Any) -> Connector:
        """Return a new connector, with the clock and the retry policy of tests."""

    @staticmethod
    @abstractmethod
    def short_pages(rows: int) -> dict[str, int]:
        """What the connector's constants have to be for pages of so many people, by full name."""

    # ── what people do ────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def contact(self, email: str, *lists: str, **fields: Any) -> str:
        """Make a contact who is on these lists; return the id."""

    @abstractmethod
    def edit(self, email: str, **fields: Any) -> None:
        """Change fields of a contact; None or an empty text clears one."""

    @abstractmethod
    def readdress(self, email: str, to: str) -> None:
        """Change the address of a contact."""

    @abstractmethod
    def join(self, email: str, name: str = "Newsletter") -> None:
        """Put a contact on a list by hand."""

    @abstractmethod
    def leave(self, email: str, name: str = "Newsletter") -> None:
        """Take a contact off a list by hand."""

    @abstractmethod
    def delete(self, email: str) -> None:
        """Delete a contact for good."""

    @abstractmethod
    def list(self, name: str) -> None:
        """Make a list."""

    @abstractmethod
    def delete_list(self, name: str) -> None:
        """Delete a list."""

    @abstractmethod
    def rename_list(self, name: str, to: str) -> None:
        """Give a list another name."""

    @abstractmethod
    def add_field(self, column: str) -> None:
        """Make a text field, unless it is there."""

    @abstractmethod
    def delete_field(self, column: str) -> None:
        """Delete a field with everybody's values."""

    @abstractmethod
    def confirms(self) -> None:
        """Have everybody confirm who is added from now on."""

    @abstractmethod
    def field_names(self) -> set[str]:
        """The names of all fields that a user can make."""

    def act(self, act: str, email: str, **what: object) -> None:
        """Do what only the person can: unsubscribe (with `list`: from it), bounce, …"""
        self._sandbox.act(self.name, act, email=email, **what)

    def signs_up(self, email: str, name: str = "Newsletter") -> None:
        """Let a person join a list by themselves, as also those may who were deleted for good."""
        self.contact(email, name)

    def says_no(self, email: str) -> None:
        """Let a person end all mail from the account."""
        self.act(self.words[0], email)

    def suppressed(self, email: str, act: str = "") -> str:
        """A contact who may not be mailed at all; `act` says how that came."""
        number = self.contact(email)
        self.act(act or self.words[0], email)
        return number

    def send(self, campaign: str, hours_ago: float = 48) -> None:
        """Make a campaign, and send it to every contact."""
        self._sandbox.act(self.name, "campaign", **{self.campaigns_have: campaign}, subject="Hello")
        self._sandbox.act(self.name, "send", campaign=campaign, hours_ago=hours_ago)

    # ── what they find ────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def statuses(self) -> dict[str, str]:
        """Whether each address may be mailed: the status of its contact."""

    @abstractmethod
    def fields(self, email: str) -> dict[str, Any]:
        """What a contact's fields hold."""

    @abstractmethod
    def contact_id(self, email: str) -> str:
        """The id of the contact with an address."""

    @abstractmethod
    def members(self, name: str = "Newsletter") -> list[str]:
        """The addresses of those who are on a list and have not unsubscribed from it, in order."""

    @abstractmethod
    def state(self) -> dict[str, list[str]]:
        """Contacts and memberships in words that are the same however often they were written."""

    @abstractmethod
    def contacts(self) -> list[Row]:
        """Who is there: id, email, status, modified (in UTC) and fields, by the platform's names.

        The ids are those that Bothways knows, of lists too.
        """

    @abstractmethod
    def memberships(self) -> dict[tuple[str, str], str]:
        """By list id and contact id whether a list may mail a contact: mailable or unsubscribed.

        Of whoever may not be mailed at all it is told what the list alone would say.
        """

    @abstractmethod
    def lists(self) -> dict[str, str]:
        """The names of lists by id."""

    @staticmethod
    def scope(_number: str) -> str:
        """The audience that a contact or a list with this id is in; empty without audiences."""
        return ""

    def addresses(self) -> list[str]:
        """Everybody, in order."""
        return sorted(self.statuses())

    def mailable(self) -> list[str]:
        """Who may be mailed, in order."""
        return sorted(email for email, status in self.statuses().items() if status == "mailable")

    # ── fields by the names of the mappings ───────────────────────────────────────────────────

    def column(self, field: str) -> str:
        """What the platform calls a field; one that is not mapped has its own name."""
        return self._columns().get(field, field)

    def _columns(self) -> dict[str, str]:
        """The platform's names of fields by the mappings'."""
        return _mapped(self.mapping("contact"))

    def _own(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Fields by the platform's names."""
        return {self.column(name): value for name, value in fields.items()}

    def _neutral(self, held: dict[str, Any]) -> dict[str, Any]:
        """Fields by the mappings' names, where they have one."""
        names = {own: name for name, own in self._columns().items()}
        return {names.get(own, own): value for own, value in held.items()}


@cache
def _mapped(mapping: str) -> dict[str, str]:
    text = (ROOT / "include" / "mappings" / mapping).read_text()
    return {name: field["marketing"] for name, field in yaml.safe_load(text)["fields"].items()}
