"""Which list of each side is meant by an account's list keys, and making one that is missing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import cast

from sqlalchemy import Connection

from bothways.config.account import ListMapping
from bothways.connectors.base import Connector, HasLists, ListInfo
from bothways.engine.run import Run
from bothways.errors import ConnectorError
from bothways.store import lists as list_store
from bothways.store import runs
from bothways.store.db import advisory_lock
from bothways.syncs.base import KnownList
from bothways.terms import RunStatus, Side

_TRUSTED_FOR = timedelta(days=1)


def resolve(run: Run, side: Side, connector: Connector) -> dict[str, KnownList]:
    """Return the run's lists on one side, by key.

    What an earlier run found is trusted for a day, so that a run with nothing to do asks nothing;
    a full resync always asks. A list that is missing but may be created has an empty id. A list
    that cannot be synced is left out, and the audit says why.
    """
    keys = run.list_keys()
    if not keys:
        return {}
    remembered = _remembered(run, side, keys)
    if remembered is not None:
        return remembered
    offered = cast(HasLists, connector).lists()
    found = {}
    with run.store.begin() as conn:
        for key in keys:
            mapped = run.account.lists[key]
            info = find(mapped.name(side), offered)
            problem = obstacle(side, mapped, info)
            if problem:
                refuse(conn, run, key, problem)
            else:
                found[key] = _known(key, mapped, side, info)
        _remember(conn, run, side, found.values())
    return found


def refuse(conn: Connection, run: Run, key: str, message: str) -> None:
    """Say in the audit why a list is not synced; the run's other lists go on."""
    runs.set_list(
        conn,
        run_id=run.run_id,
        list_key=key,
        name=run.account.lists[key].crm,
        status=RunStatus.FAILED,
        message=message,
    )


def ensure(run: Run, side: Side, connector: Connector, key: str) -> str:
    """Return the id of a list on one side, creating the list where it is missing.

    Two chunks that need the same missing list create it once: the second finds the first's.
    """
    with run.store.begin() as conn:
        advisory_lock(conn, "list", run.account.name, side, key)
        known = list_store.resolved(conn, **run.place(side)).get(key)
        if known is not None and known.list_id:
            return known.list_id
        mapped, lists = run.account.lists[key], cast(HasLists, connector)
        name = mapped.name(side)
        info = find(name, lists.lists()) or _create(connector, mapped, side)
        _remember(conn, run, side, [_known(key, mapped, side, info)])
        return info.id


def _create(connector: Connector, mapped: ListMapping, side: Side) -> ListInfo:
    name = mapped.name(side)
    if not mapped.create_missing:
        raise ConnectorError(
            f"There is no list `{name}`; create it there or set `create_missing: true`.",
            vendor=connector.title,
        )
    return cast(HasLists, connector).create_list(name, mapped.entity if side == "crm" else None)


def _remembered(run: Run, side: Side, keys: tuple[str, ...]) -> dict[str, KnownList] | None:
    if run.options.full_resync:
        return None
    with run.store.begin() as conn:
        stored = list_store.resolved(conn, **run.place(side))
    oldest = datetime.now(UTC) - _TRUSTED_FOR
    fresh = {
        key: KnownList(key, row.list_id, row.name, row.entity)
        for key, row in stored.items()
        if row.list_id
        and row.resolved_at > oldest
        and row.name == run.account.lists[key].name(side)
    }
    return {key: fresh[key] for key in keys} if set(keys) <= fresh.keys() else None


def _remember(
    conn: Connection, run: Run, side: Side, lists: Mapping[str, KnownList] | object
) -> None:
    for item in cast("list[KnownList]", list(lists)):  # type: ignore[call-overload]
        list_store.resolve(
            conn,
            **run.place(side),
            list_key=item.key,
            list_id=item.id,
            name=item.name,
            entity=item.entity,
        )


def find(name: str, offered: list[ListInfo]) -> ListInfo | None:
    """Find a list by id, else by name whatever its case."""
    by_id = [info for info in offered if info.id.casefold() == name.casefold()]
    by_name = [info for info in offered if info.name.casefold() == name.casefold()]
    return next(iter(by_id or by_name), None)


def obstacle(side: Side, mapped: ListMapping, info: ListInfo | None) -> str | None:
    """Return why a mapped list cannot be synced, None where it can."""
    name = mapped.name(side)
    if info is None:
        if mapped.create_missing:
            return None
        return f"There is no list `{name}`; create it there or set `create_missing: true`."
    if not info.static:
        return f"`{name}` is dynamic; only a static list can be synced."
    if info.entity == "account":
        return f"`{name}` holds accounts; only a list of contacts or leads can be synced."
    if not info.active:
        return f"`{name}` is inactive; activate it to sync it."
    return None


def _known(key: str, mapped: ListMapping, side: Side, info: ListInfo | None) -> KnownList:
    if info is None:
        return KnownList(key, "", mapped.name(side), mapped.entity if side == "crm" else None)
    return KnownList(key, info.id, mapped.name(side), info.entity)
