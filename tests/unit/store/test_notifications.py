"""What events told waits once for each sync type, and is taken once."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from bothways.store import notifications
from bothways.store.db import Store
from bothways.store.notifications import Taken
from bothways.store.schema import notifications as table

ANN = {"Ann@x.org": "ann@x.org"}
SUPPRESSIONS = {"account": "shop", "side": "marketing", "sync_type": "suppressions"}
MINE = {"account": "shop", "sync_type": "suppressions"}
NOBODY = Taken({}, ())


def test_what_is_told_again_waits_once_from_when_it_was_told_first(store: Store) -> None:
    for _ in range(2):
        with store.begin() as conn:
            notifications.keep(conn, **SUPPRESSIONS, people=ANN)
    with store.begin() as conn:
        (one,) = notifications.waiting(conn)
        assert (one.account, one.sync_type) == ("shop", "suppressions")
        assert one.since < one.last
        assert conn.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() == 1


def test_one_taker_gets_it_all_and_the_next_nothing(store: Store) -> None:
    crm = SUPPRESSIONS | {"side": "crm"}
    lists = SUPPRESSIONS | {"sync_type": "marketing_lists"}
    with store.begin() as conn:
        notifications.keep(conn, **SUPPRESSIONS, people=ANN | {"m-1": None})
        notifications.keep(conn, **crm, people={"c-1": None})
        notifications.keep(conn, **lists, people={"": None})
    taken: list[Taken] = []
    with store.begin() as first:
        taken.append(notifications.take(first, **MINE))
        second = threading.Thread(target=lambda: taken.append(_take(store)))
        second.start()
    second.join(20)
    whole = Taken({**ANN, "m-1": None, "c-1": None}, ("crm", "marketing"))
    assert taken == [whole, NOBODY]
    with store.begin() as conn:
        assert [one.sync_type for one in notifications.waiting(conn)] == ["marketing_lists"]


def test_what_nobody_has_taken_is_forgotten_once_it_is_old(store: Store) -> None:
    with store.begin() as conn:
        notifications.keep(conn, **SUPPRESSIONS, people=ANN)
    now = datetime.now(UTC)
    with store.begin() as conn:
        assert notifications.prune(conn, before=now - timedelta(hours=1)) == 0
        assert notifications.prune(conn, before=now + timedelta(hours=1)) == 1
        assert notifications.waiting(conn) == []


def _take(store: Store) -> Taken:
    with store.begin() as conn:
        return notifications.take(conn, **MINE)
