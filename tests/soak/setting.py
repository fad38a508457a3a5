"""The account between the vendors: which lists and fields are mapped to each other, as of now.

People who are in charge of it change it in between: at the vendors, in its file, and in its
mappings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import yaml

from tests.support.engine import World
from tests.support.people import Crm
from tests.support.platforms import Dotdigital, Mailchimp
from tests.support.sandbox import SandboxServer

ADDRESSES = [f"{name}@mail.example" for name in ("ann", "bob", "cleo")]
ADDRESSES += ["ANN@mail.example", " Bob@Mail.example"]
# One address each in two spellings, for histories that are about these.
ADDRESSES += ["zo\u00eb@mail.example", "zoe\u0308@mail.example"]
ADDRESSES += ["ann@b\u00fccher.example", "ann@xn--bcher-kva.example"]

# A field's names in the mappings and in the CRM, and the values that people give it on each side.
FIELDS: list[tuple[str, str, list[tuple[Any, Any]]]] = [
    ("first_name", "firstname", [("Ann", "Ann"), ("Bea", " Bea "), (None, None)]),
    ("city", "address1_city", [("Oslo", "Oslo"), ("Rome", "rome"), (None, None)]),
    ("gender", "gendercode", [(1, "Male"), (2, "Female"), (None, None)]),
]
GENDERS = {1: "Male", 2: "Female"}
POLICIES = ("crm", "marketing", "newest")
ENTITIES = ("contact", "lead")
_CODES: Final = {"contact": 2, "lead": 4}
# Keys of the account, and lists of the CRM.
_LISTS: Final = (("newsletter", "Newsletter"), ("product", "Product updates"))
_SETTINGS: Final = {"retry_minutes": 0, "retry_attempts": 100, "on_guard": "ask"}
# Whatever a run would do, it asks first.
_ASKS: Final = dict.fromkeys(("free", "removals", "suppressions", "overwrites", "creations"), 0)


@dataclass(frozen=True, slots=True)
class Terms:
    """What the account is like on a platform: what differs between platforms in a history.

    Attributes:
        platform: Which one.
        lists: Its lists for the contacts of the CRM, and for its leads; "" for none.
        columns: Of a field, the column that is mapped at first, and one to map it to later.
        entities: What the lists of the CRM hold.
        prefix: What the names of lists begin with.
        leaves_all: Who unsubscribes from one list unsubscribes from all of its audience.
        stays: A list that others belong to or are made after, and which stays as it is.
        not_wanted: Lists of a new account on which somebody would be another contact.
    """

    platform: str
    lists: tuple[str, str]
    columns: dict[str, tuple[str, str]]
    entities: tuple[str, str] = ("contact", "lead")
    prefix: str = ""
    leaves_all: bool = False
    stays: str = ""
    not_wanted: tuple[str, ...] = ()


def _audience(first: str, second: str, **more: Any) -> Terms:
    """Return what an account is like whose lists are an audience and its tags, or audiences."""
    one: dict[str, Any] = {"prefix": "Newsletter / ", "not_wanted": ("Product updates",)}
    return Terms(
        Mailchimp.name,
        (first, second),
        {
            "first_name": ("FNAME", "NICKNAME"),
            "city": ("CITY", "TOWN"),
            "gender": ("GENDER", "SEX"),
        },
        leaves_all=True,
        stays="Newsletter",
        **{**one, **more},
    )


TERMS: Final = {
    "dotdigital": Terms(
        Dotdigital.name,
        ("Newsletter", "Product updates"),
        {
            "first_name": ("FIRSTNAME", "NICKNAME"),
            "city": ("CITY", "TOWN"),
            "gender": ("GENDER", "SEX"),
        },
    ),
    "mailchimp, two tags": _audience("Newsletter / Customers", "Newsletter / Leads"),
    "mailchimp, an audience": _audience("Newsletter", ""),
    "mailchimp, two audiences": _audience(
        "Newsletter",
        "Product updates",
        entities=("contact", "contact"),
        prefix="",
        not_wanted=(),
    ),
    "mailchimp, an audience and its tag": _audience(
        "Newsletter", "Newsletter / VIP", entities=("contact", "contact")
    ),
}


def account(terms: Terms) -> dict[str, Any]:
    """Return what an account's file has beside the systems."""
    return {
        "lists": {
            key: {"crm": name, "marketing": own, "entity": entity}
            for (key, name), own, entity in zip(_LISTS, terms.lists, terms.entities, strict=True)
            if own
        },
        "settings": _SETTINGS,
        "guard": {},
    }


@dataclass(slots=True)
class ListPair:
    """Two lists that are mapped to each other.

    Attributes:
        key: Its name in the account.
        matter: What being on it is called in the model of intent, whatever its key becomes.
        entity: What the marketing list holds.
        names: Of the list on each side, as the account's file has them; empty where it has none.
        ids: Of the list on each side, as texts; None where somebody deleted it.
    """

    key: str
    matter: str
    entity: str
    names: dict[str, str]
    ids: dict[str, str | None]


class Setting:
    """The account as it stands, and what may be changed about it."""

    def __init__(self, world: World, sandbox: SandboxServer, crm: Crm, terms: Terms) -> None:
        self._world = world
        self._platform = world.platform
        self._crm = crm
        self._made = 0
        self.terms = terms
        self._account = account(terms)
        self._furnish()
        books = {name: number for number, name in self._platform.lists().items()}
        names = self._crm_lists(sandbox)
        self.lists = [
            ListPair(
                key,
                f"list {key}",
                entity,
                {"crm": name, "marketing": own} if own else {},
                {"crm": names[name] if own else None, "marketing": books[own] if own else None},
            )
            for (key, name), own, entity in zip(_LISTS, terms.lists, terms.entities, strict=True)
        ]
        self.columns = {name: columns[0] for name, columns in self.terms.columns.items()}
        self.policies = {"first_name": "crm", "city": "newest", "gender": "crm"}

    @property
    def ends_all(self) -> frozenset[str]:
        """The statuses of a contact whose address no list of the account may mail."""
        return self._platform.ends_all

    def _furnish(self) -> None:
        there = set(self._platform.lists().values())
        for name in there.intersection(self.terms.not_wanted):
            self._platform.delete_list(name)
        for name in filter(None, self.terms.lists):
            if name not in there:
                self._platform.list(name)

    def _crm_lists(self, sandbox: SandboxServer) -> dict[str, str]:
        """Return the ids of the CRM's lists by name; each holds what the account says of it."""
        for (_, name), entity in zip(_LISTS, self.terms.entities, strict=True):
            for row in sandbox.table("dynamics", "list"):
                if row["listname"] == name and row["createdfromcode"] != _CODES[entity]:
                    self._crm.delete("lists", row["listid"])
                    self._crm.list(name, code=_CODES[entity])
        return {row["listname"]: row["listid"] for row in sandbox.table("dynamics", "list")}

    def lists_of(self, entity: str) -> list[ListPair]:
        """Return the lists that hold records of this entity."""
        return [pair for pair in self.lists if pair.entity == entity]

    def scope(self, number: str | None) -> str:
        """Return the audience that a contact or a list of the platform is in."""
        return self._platform.scope(number or "")

    def tags(self) -> list[tuple[str, str]]:
        """Return each audience that is mapped with a mapped tag of it, as they are called."""
        return [
            (whole.matter, tag.matter)
            for whole in self.lists
            for tag in self.lists
            if (own := tag.ids["marketing"])
            and own != whole.ids["marketing"]
            and self.scope(own) == whole.ids["marketing"]
        ]

    def may_hold(self, pair: ListPair, contact: str) -> bool:
        """Return whether a contact may be on a list; one that is gone is in no audience."""
        own = pair.ids["marketing"]
        return own is None or self.scope(own) == self.scope(contact)

    # ── lists ─────────────────────────────────────────────────────────────────────────────────

    def delete_list(self, number: int, side: str) -> None:
        """Somebody deletes a list at the vendor."""
        pair = self.lists[number]
        if pair.ids[side] is None or self._stays(pair, side):
            return
        if side == "crm":
            self._crm.delete("lists", str(pair.ids[side]))
        else:
            self._platform.delete_list(pair.names[side])
        pair.ids[side] = None

    def replace_list(self, number: int, side: str) -> bool:
        """Somebody deletes a list, unless it is gone, and makes it again; tell whether they do."""
        pair = self.lists[number]
        if self._stays(pair, side):
            return False
        self.delete_list(number, side)
        pair.ids[side] = self._new_list(side, pair.names[side], pair.entity)
        return True

    def map_list(self, number: int, side: str) -> bool:
        """Somebody maps a list to another one, which is new and empty; tell whether they do."""
        pair = self.lists[number]
        if not pair.names:
            return False
        pair.names[side] = self._name("Another", side)
        pair.ids[side] = self._new_list(side, pair.names[side], pair.entity)
        self._write()
        return True

    def rename_list(self, number: int, side: str) -> None:
        """Somebody gives a list another name, and writes that into the account's file."""
        pair = self.lists[number]
        if pair.ids[side] is None or self._stays(pair, side):
            return
        before, pair.names[side] = pair.names[side], self._name("Renamed", side)
        if side == "crm":
            self._crm.change("lists", str(pair.ids[side]), listname=pair.names[side])
        else:
            self._platform.rename_list(before, pair.names[side])
        self._write()

    def rename_key(self, number: int) -> None:
        """Somebody gives a mapped list another key in the account's file."""
        self._made += 1
        self.lists[number].key = f"list_{self._made}"
        self._write()

    # ── runs ──────────────────────────────────────────────────────────────────────────────────

    def guard(self, *, asks: bool) -> None:
        """Somebody wants to be asked about everything, or no more than usually."""
        self._account["guard"] = _ASKS if asks else {}
        self._write()

    def tries(self, number: int) -> None:
        """Somebody says how often something is tried before it is given up."""
        self._account["settings"] = {**self._account["settings"], "retry_attempts": number}
        self._write()

    # ── fields ────────────────────────────────────────────────────────────────────────────────

    def map_field(self, number: int) -> str:
        """Somebody maps a field to the platform's other column; return the field's name."""
        name = FIELDS[number][0]
        first, other = self.terms.columns[name]
        self.columns[name] = other if self.columns[name] == first else first
        self._platform.add_field(other)
        self._write()
        return name

    def decide(self, number: int, policy: int) -> str:
        """Somebody says who wins a field's conflicts from now on; return the field's name."""
        name = FIELDS[number][0]
        self.policies[name] = POLICIES[policy]
        self._write()
        return name

    def _write(self) -> None:
        """Write the account's file and its mappings anew."""
        lists = {
            pair.key: {**pair.names, "entity": pair.entity} for pair in self.lists if pair.names
        }
        self._world.configure(**{**self._account, "lists": lists})
        for entity in ENTITIES:
            path = self._world.include / "mappings" / self._platform.mapping(entity)
            mapping = yaml.safe_load(path.read_text())
            for name in mapping["fields"].keys() & self.columns.keys():
                field = mapping["fields"][name]
                field |= {"marketing": self.columns[name], "conflict": self.policies[name]}
            path.write_text(yaml.safe_dump(mapping, sort_keys=False))

    def _new_list(self, side: str, name: str, entity: str) -> str:
        if side == "crm":
            return self._crm.list(name, code=_CODES[entity])
        self._platform.list(name)
        for column in self.columns.values():
            self._platform.add_field(column)
        return next(number for number, told in self._platform.lists().items() if told == name)

    def _stays(self, pair: ListPair, side: str) -> bool:
        return not pair.names or (side == "marketing" and pair.names[side] == self.terms.stays)

    def _name(self, title: str, side: str) -> str:
        self._made += 1
        return f"{self.terms.prefix if side == 'marketing' else ''}{title} {self._made}"
