"""What only the vendors know: whether a connection works, and whether lists and fields exist."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Final

from bothways.cli.vendors import opened
from bothways.config.account import Account, ListMapping
from bothways.config.document import Document, Key
from bothways.config.known import can_run, system_titles
from bothways.config.load import account_document, mapping_documents
from bothways.config.mapping import FieldMapping
from bothways.config.problems import Problem
from bothways.connectors.base import (
    AssignsOwners,
    Connector,
    FieldInfo,
    HasFields,
    HasLists,
    Prepares,
)
from bothways.discovery import sync_type
from bothways.engine import lists
from bothways.errors import BothwaysError, Denied, TemporaryFailure
from bothways.streams.people import People
from bothways.syncs.base import Request, SyncType, implementation
from bothways.vocabulary import SIDES, FieldType, RoleName, other

# Which of a vendor's types hold a field of a mapping's type, beside the same. What a platform keeps
# in text is read as the mapping says.
_HOLDS: Final = {
    FieldType.INTEGER: {FieldType.NUMBER},
    FieldType.NUMBER: {FieldType.INTEGER},
    FieldType.DATE: {FieldType.DATETIME},
    FieldType.DATETIME: {FieldType.DATE},
}


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
            mapped = (self._lists, self._fields) if self._role in SIDES else ()
            asked = (*mapped, self._columns, self._obstacles, self._users, self._preparations)
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

    def _lists(self, connector: Connector) -> Iterator[Problem]:
        if not isinstance(connector, HasLists) or not self._account.lists:
            return
        offered = connector.lists()
        for key, mapped in self._account.lists.items():
            name, place = mapped.name(self._role), ("lists", key, self._role)
            info = lists.find(name, offered)
            sentence = lists.obstacle(self._role, mapped, info, offered)
            if sentence:
                message, _, remedy = sentence.partition("; ")
                near = "" if info else _near(name, [other.name for other in offered])
                yield self._document.problem(place, message, near + remedy)
            elif self._role == "crm":
                yield from self._unmapped(place, mapped, (info and info.entity) or mapped.entity)

    def _unmapped(self, place: Key, mapped: ListMapping, entity: str) -> Iterator[Problem]:
        """Yield a list that takes new people of whom nothing but the address would be written."""
        if mapped.accept_new and mapped.syncs != () and entity not in self._account.mappings:
            message = f"`{mapped.crm}` holds {entity}s, and the account names no mapping of them"
            remedy = f"name one under `mappings`, or new {entity}s get an address only"
            yield self._document.problem(place, message, remedy)

    def _preparations(self, connector: Connector) -> Iterator[Problem]:
        missing = list(connector.missing()) if isinstance(connector, Prepares) else []
        if missing:
            message = "not ready: " + ", ".join(sentence.rstrip(".") for sentence in missing)
            remedy = f"run `bothways prepare {self._account.name}`"
            yield self._document.problem(self._place, message, remedy)

    def _fields(self, connector: Connector) -> Iterator[Problem]:
        if not isinstance(connector, HasFields):
            return
        documents = mapping_documents(self._account.name)
        for entity, mapping in self._account.mappings.items():
            known = connector.fields(entity if self._role == "crm" else connector.entities[0])
            for name, item in mapping.fields.items():
                complaint = self._complaint(connector.declaration.title, item, known)
                if complaint:
                    key = ("fields", name, self._role)
                    yield documents[entity].problem(key, *complaint)

    def _columns(self, connector: Connector) -> Iterator[Problem]:
        """Yield fields that are named in the settings of a sync type, and are not fit for it."""
        if not isinstance(connector, HasFields):
            return
        request = Request(self._account, self._role, connector.entities, {})
        for name, sync in self._set():
            for dataset in sync.datasets(request):
                if isinstance(dataset.stream, People):
                    known = connector.fields(dataset.stream.entity)
                    yield from self._unfit(("syncs", name), dataset.stream, known)

    def _obstacles(self, connector: Connector) -> Iterator[Problem]:
        """Yield what else the settings of a sync type name that is not there."""
        request = Request(self._account, self._role, connector.entities, {})
        for name, sync in self._set():
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

    def _set(self) -> Iterator[tuple[str, SyncType]]:
        """Yield the sync types that have settings and work with the system."""
        for name in self._account.syncs:
            sync = sync_type(name)
            if self._role in sync.read_roles and can_run(self._account, sync):
                yield name, implementation(sync)

    def _unfit(self, key: Key, people: People, known: dict[str, FieldInfo]) -> Iterator[Problem]:
        mapping = self._account.mappings.get(people.entity)
        mapped = mapping.vendor_fields(self._role) if mapping else {}
        system = system_titles(self._account)[self._role]
        for name, wanted in people.fields.items():
            if name in mapped:  # looked at already
                continue
            info = known.get(name)
            if info is None:
                message = f"{system} has no field `{name}` in the table {people.entity}"
                remedy = _near(name, known) + "create it there, or remove it here"
                yield self._document.problem(key, message, remedy)
            elif info.type is not wanted and info.type not in _HOLDS.get(wanted, set()):
                message = f"`{name}` of {people.entity} is of type {info.type} in {system}"
                yield self._document.problem(key, message, f"name a field of type {wanted}")

    def _complaint(
        self, title: str, item: FieldMapping, known: dict[str, FieldInfo]
    ) -> tuple[str, str] | None:
        """Return what is wrong with a mapped field and what to do, None where it is fit."""
        name = item.name(self._role)
        if name is None:
            return None
        if name not in known:
            remedy = _near(name, known) + "create it there, or remove it here"
            return f"{title} has no field `{name}`", remedy
        info, written = known[name], item.travels_to(self._role)
        if written and not info.writable:
            away = other(self._role)
            return f"`{name}` is read-only in {title}", f"write `direction: to_{away}`"
        if not _holds(info, item, self._role):
            message = f"`{name}` is of type {info.type} in {title}, and not {item.type}"
            return message, "write `type:` as the vendor has it, or map another field"
        if written and info.max_length and (item.max_length or 0) > info.max_length:
            message = f"`{name}` takes {info.max_length} characters in {title}"
            return message, f"write `max_length: {info.max_length}`"
        return _about_options(title, name, item, info)


def _about_options(
    title: str, name: str, item: FieldMapping, info: FieldInfo
) -> tuple[str, str] | None:
    unknown = sorted(set(item.options) - set(info.options)) if info.options else []
    if not unknown:
        return None
    offered = ", ".join(f"{value}: {label}" for value, label in sorted(info.options.items()))
    return f"`{name}` has no option {unknown[0]} in {title}", f"write options among {offered}"


def _holds(info: FieldInfo, item: FieldMapping, role: RoleName) -> bool:
    if role == "marketing" and info.type is FieldType.STRING:
        return True
    wanted = item.kept_type(role)
    return info.type is wanted or info.type in _HOLDS.get(wanted, set())


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
