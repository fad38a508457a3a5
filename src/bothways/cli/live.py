"""What only the vendors know: whether a connection works, and whether lists and fields exist."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from functools import cache

from bothways.cli.fields import FieldProblems, configured
from bothways.cli.prepare import told
from bothways.cli.vendors import opened
from bothways.config.account import Account, ListMapping, tagged_by
from bothways.config.document import Document, Key
from bothways.config.known import records_kept, system_titles, woken_by
from bothways.config.load import account_document
from bothways.config.problems import Problem
from bothways.connectors.base import (
    AssignsOwners,
    Connector,
    HasFields,
    HasLists,
    ListInfo,
    Provisions,
    RegistersEvents,
    UsesTables,
)
from bothways.discovery import sync_types
from bothways.engine import lists
from bothways.errors import BothwaysError, Denied, TemporaryFailure
from bothways.orchestration.connections import event_secrets
from bothways.spec import Scope
from bothways.syncs.base import Request
from bothways.vocabulary import SIDES, RoleName


def live_problems(account: Account, say: Callable[[str], None]) -> Iterator[Problem]:
    """Yield what the vendors say against an account; every part is asked, whatever another says.

    Args:
        account: A sound account.
        say: Told which accounts and environments answered.
    """
    for role in account.systems:
        asking = _Asking(account, role, account_document(account.name))
        yield from asking.problems(say)


class _Asking:
    """One system of an account."""

    def __init__(self, account: Account, role: RoleName, document: Document) -> None:
        self._account = account
        self._role = role
        self._document = document

    def problems(self, say: Callable[[str], None]) -> Iterator[Problem]:
        found: list[Problem] = []
        system = self._account.system(self._role)
        with self._noted(found, (*self._place, "connection")), opened(system) as connector:
            say(f"{self._account.name}: {connector.check()}")
            mapped = (self._lists,) if self._role in SIDES else ()
            asked = (
                *mapped,
                self._fields,
                self._obstacles,
                self._users,
                self._preparations,
                self._events,
            )
            for ask in asked:
                with self._noted(found, self._place):
                    found += ask(connector)
        yield from found

    @property
    def _place(self) -> Key:
        """Where the account's file gives the system."""
        return (self._role,) if self._role in self._document.content else ("systems", self._role)

    @contextmanager
    def _noted(self, found: list[Problem], key: Key) -> Iterator[None]:
        """Turn what a vendor refuses into a problem, and go on."""
        try:
            yield
        except BothwaysError as error:
            message, _, remedy = str(error).partition("; ")
            found.append(self._document.problem(key, message.rstrip("."), remedy or _advice(error)))

    def _events(self, connector: Connector) -> Iterator[Problem]:
        """Yield that the system's events would be refused."""
        registers = isinstance(connector, RegistersEvents)
        if not registers or not woken_by(self._account, self._role):
            return
        connection = self._account.system(self._role).connection
        if not event_secrets(connection).secrets:
            message = (
                f"no event of {connector.declaration.title} is accepted without `event_secrets`"
            )
            remedy = f"run `bothways events {self._account.name}`, and put what it writes into "
            yield self._document.problem(("events",), message, f"{remedy}`{connection}`")

    def _lists(self, connector: Connector) -> Iterator[Problem]:
        if not isinstance(connector, HasLists) or not self._account.lists:
            return
        offered = connector.lists()
        scopes: dict[str, tuple[Key, ListInfo]] = {}
        for key, mapped in self._account.pairs.items():
            name, place = mapped.name(self._role), ("lists", key, self._role)
            if of := tagged_by(key):
                place = ("lists", of, "tag")
                if self._role == "crm":
                    continue
            info = lists.find(name, offered)
            sentence = lists.obstacle(self._role, mapped, info, offered)
            if not sentence and info and not info.static:
                sentence = self._of_dynamic(mapped)
            if sentence:
                message, _, remedy = sentence.partition("; ")
                near = "" if info else _near(name, [other.name for other in offered])
                yield self._document.problem(place, message, near + remedy)
            elif self._role == "crm":
                yield from self._unmapped(place, mapped, (info and info.entity) or mapped.entity)
            elif info and info.scope:
                scopes.setdefault(info.scope, (place, info))
        yield from self._missing_fields(connector, scopes)

    def _missing_fields(
        self, connector: Connector, scopes: Mapping[str, tuple[Key, ListInfo]]
    ) -> Iterator[Problem]:
        """Yield mapped fields that people in some of the scopes have, and people in others lack."""
        if not scopes or not isinstance(connector, HasFields):
            return
        mappings = self._account.mappings.values()
        mapped = {item.name(self._role) for one in mappings for item in one.fields.values()}
        for name, field in connector.fields(connector.entities[0]).items():
            for scope in field.missing_in & scopes.keys() if name in mapped else ():
                place, info = scopes[scope]
                message = f"`{info.scope_name}` has no field `{name}`, which is mapped"
                remedy = "add it there, or take it out of the mapping"
                yield self._document.problem(place, message, remedy)

    def _of_dynamic(self, mapped: ListMapping) -> str | None:
        """Return why no sync type of a list can work with it as it is dynamic on this side."""
        systems, name = system_titles(self._account), mapped.name(self._role)
        found = [
            lists.dynamic_obstacle(sync, self._role, name, systems)
            for sync in sync_types().values()
            if sync.scope is Scope.LISTS and not (sync.reads_consent or sync.verifies)
            if mapped.syncs is None or sync.name in mapped.syncs
        ]
        return None if None in found else next(iter(found), None)

    def _unmapped(self, place: Key, mapped: ListMapping, entity: str) -> Iterator[Problem]:
        """Yield a list that takes new people of whom nothing but the address would be written."""
        if mapped.accept_new and mapped.syncs != () and entity not in self._account.mappings:
            message = f"`{mapped.crm}` holds {entity}s, and the account names no mapping for them"
            remedy = f"name one under `mappings`, or new {entity}s get an address only"
            yield self._document.problem(place, message, remedy)

    def _preparations(self, connector: Connector) -> Iterator[Problem]:
        if not isinstance(connector, Provisions):
            return
        kinds = records_kept(self._account)
        if isinstance(connector, UsesTables):
            for clause in connector.table_obstacles(kinds):
                remedy = "name another table or column under `tables` there"
                yield self._document.problem(self._place, clause, remedy)
        missing = told(connector.missing(kinds))
        if missing:
            message = "not ready: " + ", ".join(sentence.rstrip(".") for sentence in missing)
            remedy = f"run `bothways prepare {self._account.name}`"
            yield self._document.problem(self._place, message, remedy)

    def _fields(self, connector: Connector) -> Iterator[Problem]:
        """Yield mapped fields, and fields in the settings of sync types, that are not fit."""
        if not isinstance(connector, HasFields):
            return
        known = cache(connector.fields)
        checking = FieldProblems(self._account, self._role, connector.entities, known)
        if self._role in SIDES:
            yield from checking.of_mappings()
        yield from checking.of_settings()

    def _obstacles(self, connector: Connector) -> Iterator[Problem]:
        """Yield what else the settings of a sync type name that is not there."""
        request = Request(self._account, self._role, connector.entities, {})
        for name, sync in configured(self._account, self._role):
            for clause in sync.obstacles(request, connector) if sync.obstacles else ():
                remedy = "put it right there, or correct the settings here"
                yield self._document.problem(("syncs", name), clause, remedy)

    def _users(self, connector: Connector) -> Iterator[Problem]:
        """Yield mapped users who are not there, of a system whose records they may own."""
        if not isinstance(connector, AssignsOwners):
            return
        users = self._account.users
        named = {name: told[self._role].user for name, told in users.items() if self._role in told}
        found = connector.find_users(list(named.values()))
        title = connector.declaration.title
        for username, user in named.items():
            if user not in found:
                message = f"{title} has no active user `{user}`"
                remedy = "write their sign-in name, their address or their id there"
                yield self._document.problem(("users", username, self._role), message, remedy)


def _near(name: str, offered: Iterable[str]) -> str:
    spelt = {other.casefold(): other for other in offered}
    near = get_close_matches(name.casefold(), spelt, n=1)
    return f"did you mean `{spelt[near[0]]}`? Otherwise " if near else ""


def _advice(error: BothwaysError) -> str:
    if isinstance(error, Denied):
        return "fix the connection's credentials, or their permissions at the vendor"
    if isinstance(error, TemporaryFailure):
        return "try again later; if it stays, look at the connection's address"
    return "look at the connection under Admin, Connections"
