"""Which fields of an account's files do not fit what a system has, whoever tells what it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bothways.config.account import Account
from bothways.config.document import Key
from bothways.config.known import can_run, system_titles
from bothways.config.load import account_document, mapping_documents
from bothways.config.problems import Problem
from bothways.discovery import sync_type
from bothways.streams.people import People
from bothways.syncs.base import Request, SyncType, implementation
from bothways.syncs.mapped_fields import Known, complaints, unfit
from bothways.vocabulary import RoleName

FieldsOf = Callable[[str], Known]
"""Entity → what the system says of its fields."""


class FieldProblems:
    """What one system's fields have against an account's files.

    Args:
        account: A sound account.
        role: Of the system.
        entities: What its people are known as.
        known: Tells the fields of one of these entities.
    """

    def __init__(
        self, account: Account, role: RoleName, entities: Sequence[str], known: FieldsOf
    ) -> None:
        self._account = account
        self._role = role
        self._entities = tuple(entities)
        self._known = known
        self._title = system_titles(account)[role]

    def of_mappings(self) -> Iterator[Problem]:
        """Yield mapped fields that are not there or not fit."""
        documents = mapping_documents(self._account.name)
        for entity, mapping in self._account.mappings.items():
            place = entity if self._role == "crm" else self._entities[0]
            if place not in self._entities:
                continue
            for name, message, remedy in complaints(
                self._title, self._role, mapping.fields, self._known(place)
            ):
                key = ("fields", name, self._role)
                yield documents[entity].problem(key, message, remedy)

    def of_settings(self) -> Iterator[Problem]:
        """Yield fields that are named in the settings of a sync type, and are not fit for it."""
        request = Request(self._account, self._role, self._entities, {})
        for name, sync in configured(self._account, self._role):
            for dataset in sync.datasets(request):
                if isinstance(dataset.stream, People):
                    yield from self._unfit(("syncs", name), dataset.stream)

    def _unfit(self, key: Key, people: People) -> Iterator[Problem]:
        mapping = self._account.mappings.get(people.entity)
        mapped = mapping.vendor_fields(self._role) if mapping else {}
        known = self._known(people.entity)
        for name, wanted in people.fields.items():
            if name in mapped:  # looked at already
                continue
            found = unfit(self._title, people.entity, name, wanted, known)
            if found:
                yield account_document(self._account.name).problem(key, *found)


def configured(account: Account, role: RoleName) -> Iterator[tuple[str, SyncType]]:
    """Yield the sync types that have settings in the account and read the system in a role."""
    for name in account.syncs:
        sync = sync_type(name)
        if role in sync.read_roles and can_run(account, sync):
            yield name, implementation(sync)
