"""Vendors' events as they arrive: whether they are genuine, and which records they name."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from bothways.config.account import NAME_PATTERN, Account
from bothways.config.known import woken_by
from bothways.config.load import load_account
from bothways.console.people import address_key
from bothways.discovery import events_of
from bothways.errors import ConfigurationError
from bothways.orchestration.connections import EventSecrets, event_secrets
from bothways.store import notifications
from bothways.vocabulary import RoleName, Topic
from bothways.webhooks import Change, Delivery, Events

log = logging.getLogger(__name__)

LONGEST_BODY: Final = 1_000_000
"""Bytes; what the vendors send is a quarter of that at most."""
_LONGEST_RECORD: Final = 320


class Refused(Exception):
    """The delivery is not genuine, or nobody expects it. It is never said which."""


@dataclass(frozen=True, slots=True)
class Sender:
    """A system of an account whose events are accepted."""

    account: Account
    role: RoleName
    events: Events
    known: EventSecrets


def sender(account: str, role: RoleName) -> Sender:
    """Return the system that an event claims to be from.

    Raises:
        Refused: There is no such account or system, or its events are not accepted.
    """
    if not re.fullmatch(NAME_PATTERN, account):
        raise Refused
    try:
        found = load_account(account)
        system = found.systems[role]
        events = events_of(system.connector)
    except (ConfigurationError, KeyError):
        raise Refused from None
    if events is None or not found.events.sync_types:
        raise Refused
    return Sender(found, role, events, event_secrets(system.connection))


def concerned(given: Sender, delivery: Delivery, now: datetime) -> Mapping[str, list[str]]:
    """Return which records an event names, by the sync type concerned; "" stands for all.

    Changes by the connection's own user are left out: a sync wrote them.

    Raises:
        Refused: The event is not genuine.
    """
    if not given.events.is_genuine(delivery, given.known.secrets, now):
        log.warning(
            "Refused an event for account %s from its %s system: it is not signed with one of the "
            "`event_secrets` of connection %s, or was more than five minutes ago. If the vendor "
            "sent it, `bothways events %s --renew` gives it another secret",
            given.account.name, given.role, given.account.systems[given.role].connection,
            given.account.name,
        )  # fmt: skip
        raise Refused
    changes = given.events.changes(delivery)
    news = [change for change in changes if not change.by or change.by != given.known.user]
    woken = woken_by(given.account, given.role)
    found = {name: _records(news, topics) for name, topics in woken.items()}
    found = {name: records for name, records in found.items() if records}
    log.info(
        "Events for account %s from its %s system: %d changes, which concern %s",
        given.account.name, given.role, len(changes), ", ".join(sorted(found)) or "no sync type",
    )  # fmt: skip
    return found


def keep(conn: sa.Connection, given: Sender, found: Mapping[str, list[str]]) -> None:
    """Keep the records that an event names, for the runs of these sync types."""
    keys = {record: _key(record) for records in found.values() for record in records}
    for sync_type, records in sorted(found.items()):
        notifications.keep(
            conn,
            account=given.account.name,
            side=given.role,
            sync_type=sync_type,
            people={record: keys[record] for record in records},
        )


def _records(news: list[Change], topics: frozenset[Topic]) -> list[str]:
    found = [change.records or ("",) for change in news if change.topic in topics]
    texts = dict.fromkeys(text for records in found for text in records)
    return [text for text in texts if len(text) <= _LONGEST_RECORD and "\x00" not in text]


def _key(record: str) -> str | None:
    return address_key(record) if "@" in record else None
