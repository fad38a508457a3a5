"""The store in memory answers each question of a plan just as PostgreSQL does.

Both are filled with the same rows, at random, and every answer is compared: values, types, order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pandas as pd
import pytest
import sqlalchemy as sa

from bothways.store import erase, partitions
from bothways.store.db import Store
from bothways.store.schema import metadata
from bothways.store.view import PostgresView
from bothways.syncs.store_view import StoreView
from bothways.tables.ledgers import ACCOUNT_WIDE, ListPair
from bothways.testing.memory import DAY, MemoryView
from bothways.vocabulary import SIDES, FieldType, RoleName
from tests.unit.store.rows import ACCOUNT

FIELDS = {
    "text": FieldType.STRING,
    "whole": FieldType.INTEGER,
    "number": FieldType.NUMBER,
    "flag": FieldType.BOOLEAN,
    "day": FieldType.DATE,
    "moment": FieldType.DATETIME,
    "option": FieldType.OPTION,
}
VALUES = [
    None, True, False, 0, -7, 10**17, 10**18, 0.5, -2.25, "", "5", "true", "Zoë", 'quote "',
    "comma, line\nend", "2026-02-28", "2026-02-28 ", "2026-02-28T10:00:00Z",
    "2026-02-28T10:00:00.5+00:00", "2026-02-28T10:00:00+02:00",
]  # fmt: skip
IDS = ["a1", "a2", "b1", "b2", "c1", "c2", "d1"]
EMAILS = ["ann@x.org", "Ann@X.org", "bob@x.org", "cid@x.org"]
ENTITIES = ["contact", "lead"]
LISTS = ["L1", "L2", "A1", "A2"]
SCOPES = ["", "A", "B"]
PAIRS = [ListPair("L1", "A1"), ListPair("L1", "A2"), ListPair("L2", "A2")]
# What a table must have beside what plans look at.
BESIDE: Mapping[str, dict[str, Any]] = {
    "links": {"linked_at": DAY},
    "retries": {"attempts": 1, "next_at": DAY},
    "jobs": {
        "submitted_at": DAY,
        "started_on": DAY.date(),
        "planned_result": "new",
        "transient": False,
    },
    "run_lists": {"name": "", "status": ""},
}
ROUNDS = 10
_TEXT = "string[pyarrow]"


class Chance:
    """Draws what is added and what is asked."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def one(self, choices: Any) -> Any:
        return self._random.choice(choices)

    def perhaps(self, choices: Any) -> Any:
        return self.one([None, *choices])

    def some(self, choices: Any) -> list[Any]:
        return self._random.choices([None, *choices], k=self._random.randint(0, 4))

    def flag(self) -> bool:
        return self.one([True, False])

    def time(self) -> datetime | None:
        return self.perhaps([DAY + timedelta(days=days) for days in range(3)])

    def values(self) -> dict[str, Any]:
        names = [name for name in (*FIELDS, "unmapped") if self.flag()]
        return {name: self.one(VALUES) for name in names}

    def series(self, choices: Any) -> pd.Series:
        return pd.Series(self.some(choices), dtype=_TEXT)


def _filled(chance: Chance) -> MemoryView:
    memory = MemoryView()
    one, perhaps = chance.one, chance.perhaps
    for number in range(20):
        memory.add_person(
            one(SIDES), one(IDS), perhaps([*EMAILS, ""]),
            entity=one(ENTITIES), status=perhaps(["mailable", "unsubscribed"]),
            active=perhaps([True, False]), modified_at=chance.time(), external_key=perhaps(IDS),
            merged_into=perhaps(IDS), fields=chance.values(), deleted_at=chance.time(),
            seen_run=perhaps([1, 2]), scope=one(SCOPES),
        )  # fmt: skip
        memory.add_member(
            one(SIDES), one(LISTS), one(IDS),
            entity=one(ENTITIES), membership_id=perhaps(IDS), status=perhaps(["unsubscribed"]),
            changed_at=chance.time(), deleted_at=chance.time(),
        )  # fmt: skip
        memory.add_link(
            one(IDS), one(IDS), perhaps(EMAILS),
            entity=one(ENTITIES), is_primary=chance.flag(), scope=one(SCOPES),
        )  # fmt: skip
        memory.add_list_state(
            one(PAIRS), one(["joined", "left_crm"]),
            crm_id=one([*IDS, ""]), marketing_id=one([*IDS, ""]), entity=one(ENTITIES),
        )  # fmt: skip
        memory.add_baseline(
            one(IDS), one(IDS), chance.values(),
            entity=one(ENTITIES), apart=one([{}, chance.values()]), scope=one(SCOPES),
        )  # fmt: skip
        memory.add_suppression(
            one(SIDES), one(EMAILS),
            reason=one(["unsubscribed", "bounced"]), list_id=one([*LISTS, ""]),
            member_id=one([*IDS, ""]), record_id=perhaps(IDS), told_at=chance.time(),
            deleted_at=chance.time(), settled_at=chance.time(), vendor_reason=perhaps(["Hard"]),
            scope=one(SCOPES),
        )  # fmt: skip
        memory.add_retry(
            one(["marketing_lists", "suppressions"]), one(SIDES), one(IDS), perhaps(EMAILS),
            entity=one(ENTITIES), list_key=one(["", "news"]), given_up=chance.flag(),
        )  # fmt: skip
        memory.add_job(
            one([1, 2]), perhaps(["create", "update", "join"]), one(SIDES),
            result=one(["new", "updated", "error", "ignored"]), entity=one(ENTITIES),
            record_id=perhaps(IDS), source_id=perhaps(IDS), email=perhaps(EMAILS),
            list_key=perhaps(["news"]), source=one(SIDES), source_entity=one(ENTITIES),
            before=chance.values(), after=chance.values(),
        )  # fmt: skip
        memory.add_definition(
            one(SIDES), one(["campaign", "tag"]), one(IDS), perhaps(IDS),
            details=one([{}, {"opens": 3}]), written=perhaps(["{}"]), deleted_at=chance.time(),
        )  # fmt: skip
        memory.add_event(
            one(SIDES), one(["clicks", "sends"]), one(IDS), perhaps(EMAILS),
            record_id=perhaps(IDS), occurred_at=chance.time() or DAY,
            details=one([{}, {"url": "https://x.org"}]), attempts=one([0, 1]),
            crm_state=perhaps(["pending", "pending", "ignored", "written"]),
            written=one([True, False]),
        )  # fmt: skip
        memory.add_written_consent(one(IDS), one(IDS), perhaps(EMAILS))
        # What is created has a key of its own.
        memory.add_job(
            1, "create", one(SIDES), record_id=perhaps(IDS), key=f"k{number}", result="new"
        )
    memory.add_list_of_run(1, "news", crm="L1", marketing=None)
    memory.add_list_of_run(2, "news", crm="L2", marketing="A2")
    memory.add_list_of_run(2, "other", crm=None, marketing="A1")
    memory.add_list_of_run(1, "other", crm="L1", marketing="A1")
    memory.add_list_of_run(1, "third", crm="L2", marketing="A1")
    memory.add_list_of_run(2, "third", crm="L1", marketing="A2")
    memory.add_erased(*(email for email in chance.some(EMAILS) if email))
    return memory


@dataclass(frozen=True)
class Asked:
    """One value for each argument that a question may have; those that optional may be None."""

    entity: str
    side: RoleName
    run_id: int
    sync_type: str
    ids: pd.Series
    keys: pd.Series
    fields: dict[str, FieldType]
    pairs: list[ListPair]
    with_deleted: bool
    maybe_entity: str | None
    maybe_side: RoleName | None
    maybe_ids: pd.Series | None
    other_ids: pd.Series | None
    maybe_keys: pd.Series | None
    maybe_pairs: list[ListPair] | None
    maybe_lists: list[str] | None
    suppressed_on: Mapping[RoleName, str] | None
    after: tuple[datetime, str] | None

    @classmethod
    def by(cls, chance: Chance) -> Asked:
        ids = [chance.one([None, chance.series(IDS)]) for _ in range(2)]
        return cls(
            entity=chance.one(ENTITIES),
            side=chance.one(SIDES),
            run_id=chance.one([1, 2]),
            sync_type=chance.one(["marketing_lists", "suppressions"]),
            ids=chance.series(IDS),
            keys=chance.series([key.lower() for key in EMAILS]),
            fields=chance.one([FIELDS, {}]),
            pairs=[pair for pair in PAIRS if chance.flag()],
            with_deleted=chance.flag(),
            maybe_entity=chance.perhaps(ENTITIES),
            maybe_side=chance.perhaps(SIDES),
            maybe_ids=ids[0],
            other_ids=ids[1],
            maybe_keys=chance.one([None, chance.series([key.lower() for key in EMAILS])]),
            maybe_pairs=chance.one([None, [pair for pair in PAIRS if chance.flag()]]),
            maybe_lists=chance.one([None, [name for name in LISTS if chance.flag()]]),
            suppressed_on=chance.one(
                [None, ACCOUNT_WIDE, {"crm": "L1"}, {"crm": "L2", "marketing": "A2"}]
            ),
            after=chance.one([None, (DAY, str(UUID(int=5)))]),
        )


QUESTIONS: Mapping[str, Callable[[StoreView, Asked], Any]] = {
    "people": lambda view, asked: view.people(
        asked.side,
        entity=asked.maybe_entity,
        ids=asked.maybe_ids,
        email_keys=asked.maybe_keys,
        external_keys=asked.other_ids,
        fields=asked.fields,
        with_deleted=asked.with_deleted,
    ),
    "merged": lambda view, asked: _in_any_order(view.merged(asked.ids).to_frame()),
    "members": lambda view, asked: view.members(
        asked.side, list_ids=asked.maybe_lists, member_ids=asked.maybe_ids
    ),
    "former_members": lambda view, asked: view.former_members(asked.side, asked.ids),
    "links": lambda view, asked: view.links(
        entity=asked.maybe_entity,
        crm_ids=asked.maybe_ids,
        marketing_ids=asked.other_ids,
        email_keys=asked.maybe_keys,
    ),
    "list_states": lambda view, asked: view.list_states(
        pairs=asked.maybe_pairs, crm_ids=asked.maybe_ids, marketing_ids=asked.other_ids
    ),
    "unseen": lambda view, asked: _in_any_order(view.unseen(asked.pairs, asked.run_id)),
    "baselines": lambda view, asked: view.baselines(asked.entity, asked.ids, asked.fields),
    "divergence": lambda view, asked: view.divergence(asked.entity, asked.ids, asked.fields),
    "suppressions": lambda view, asked: view.suppressions(
        asked.maybe_side,
        email_keys=asked.maybe_keys,
        record_ids=asked.maybe_ids,
        list_ids=asked.suppressed_on,
    ),
    "erased": lambda view, asked: view.erased(asked.keys),
    "retries": lambda view, asked: view.retries(asked.sync_type),
    "written_jobs": lambda view, asked: view.written_jobs(asked.run_id),
    "written_values": lambda view, asked: view.written_values(
        asked.run_id, asked.side, asked.entity, asked.fields
    ),
    "created_ids": lambda view, asked: view.created_ids(
        asked.run_id, asked.side, pd.Series(["k0", "k1", "k2", None, "k19"], dtype=_TEXT)
    ),
    "list_ids": lambda view, asked: view.list_ids(asked.run_id, asked.side),
    "mapped_lists": lambda view, _asked: view.mapped_lists(),
    "definitions": lambda view, asked: view.definitions(asked.side, "campaign"),
    "written_consents": lambda view, asked: view.written_consents(asked.ids),
    "pending_events": lambda view, asked: view.pending_events(
        asked.side, "clicks", limit=2, after=asked.after, ignored=asked.maybe_side is None
    ),
    "ignored_events": lambda view, asked: view.ignored_events(
        asked.side, "clicks", email_keys=asked.keys, record_ids=asked.ids
    ),
}


def test_every_question_is_asked_here() -> None:
    asked = {name for name in vars(StoreView) if not name.startswith("_")}
    assert QUESTIONS.keys() | {"within"} == asked


@pytest.mark.parametrize("seed", range(4))
def test_both_stores_answer_alike(store: Store, seed: int) -> None:
    chance = Chance(seed)
    memory = _filled(chance)
    with store.begin() as conn:
        _fill(conn, memory)
        postgres = PostgresView(conn, ACCOUNT)
        for _ in range(ROUNDS):
            asked = Asked.by(chance)
            for question in QUESTIONS.values():
                _assert_same(question(memory, asked), question(postgres, asked))
            scope = chance.one(SCOPES)
            for question in QUESTIONS.values():
                narrowed = question(postgres.within(scope), asked)
                _assert_same(question(memory.within(scope), asked), narrowed)


def test_a_store_without_anything_answers_with_the_same_empty_frames(store: Store) -> None:
    asked = Asked.by(Chance(0))
    with store.begin() as conn:
        for question in QUESTIONS.values():
            _assert_same(
                question(MemoryView(), asked), question(PostgresView(conn, ACCOUNT), asked)
            )


def _assert_same(ours: Any, theirs: Any) -> None:
    if isinstance(ours, tuple):
        for one, other in zip(ours, theirs, strict=True):
            _assert_same(one, other)
    elif isinstance(ours, pd.DataFrame):
        pd.testing.assert_frame_equal(ours, theirs)
    elif isinstance(ours, pd.Series):
        pd.testing.assert_series_equal(ours, theirs)
    else:
        assert ours == theirs


def _in_any_order(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_values(list(rows.columns), ignore_index=True)


def _fill(conn: sa.Connection, memory: MemoryView) -> None:
    for table in ("jobs", "events"):
        partitions.ensure(conn, metadata.tables[table], [DAY.date()])
    conn.execute(_RUNS)
    for name, rows in memory.rows.items():
        table = metadata.tables[name]
        more = BESIDE.get(name, {}) | ({"account": ACCOUNT} if "account" in table.c else {})
        conn.execute(table.insert(), [row | more for row in rows])
    for email in memory.erased_addresses:
        keys = frozenset([email])
        erase.bar(conn, erase.Person(ACCOUNT, {}, keys, keys))


_RUNS = sa.text(
    "INSERT INTO runs (run_id, account, sync_type, dag_id, dag_run_id, status, submitted_by,"
    " started_at, started_on, dry_run) OVERRIDING SYSTEM VALUE"
    " SELECT number, 'acme', 'marketing_lists', 'dag', number, 'Completed', 'schedule',"
    " '2026-01-01', '2026-01-01', false FROM generate_series(1, 2) AS number"
)
