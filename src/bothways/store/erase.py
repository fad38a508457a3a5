"""Erasure: whom it is about, what is blanked in the audit, and the keyed hashes that remain.

The ledgers remove what they hold of the person (`bothways.ledgers.registry.erase_person`).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

from bothways.store import erasure_keys
from bothways.store.about import of_people
from bothways.store.frames import read_frame, staged
from bothways.store.jobs import of_run
from bothways.store.schema import erased, jobs, links, records, runs
from bothways.vocabulary import OperationKind, Reason, Result, RoleName, RunStatus

_BLOCK: Final = 64  # bytes of one block of SHA-256, to which HMAC fills up its key
_PERSONAL: Final = (
    "email", "email_key", "key", "record_id", "planned_record_id", "source_id", "before", "after",
    "error_message",
)  # fmt: skip
_BLANK: Final = "<erased>"

FOUND: Final = pa.schema(
    [pa.field(name, pa.string()) for name in ("side", "entity", "id", "email", "email_key")]
    + [pa.field("fields", pa.string())]
)
"""What a vendor has of a person; `fields` is a JSON object by the vendor's names."""
_PLANNED: Final = pa.schema([pa.field("seq", pa.int64()), *FOUND, pa.field("result", pa.string())])


@dataclass(frozen=True, slots=True)
class Person:
    """A person's ids by the system's role, normalised addresses, and all spellings of these."""

    account: str
    by_role: Mapping[RoleName, frozenset[str]]
    keys: frozenset[str]
    spellings: frozenset[str]

    def ids(self, role: RoleName) -> list[str]:
        """Return the ids in one system."""
        return sorted(self.by_role.get(role, ()))

    @property
    def crm(self) -> frozenset[str]:
        """The ids in the CRM."""
        return self.by_role.get("crm", frozenset())

    @property
    def marketing(self) -> frozenset[str]:
        """The ids in the marketing platform."""
        return self.by_role.get("marketing", frozenset())

    @property
    def all_ids(self) -> frozenset[str]:
        """The ids in all systems."""
        return frozenset().union(*self.by_role.values())

    @property
    def in_files(self) -> str:
        """An RE2 regular expression for the addresses, to be matched case-insensitively."""
        addresses = "|".join(re.escape(item) for item in sorted(self.spellings))
        word = r"\pL\pN_"
        return rf"(?:^|[^{word}.+-])(?:{addresses})(?:$|[^{word}.-]|\.(?:$|[^{word}]))"

    @property
    def pattern(self) -> str:
        """The addresses as a regular expression of PostgreSQL that matches no longer address."""
        some = "|".join(re.escape(item) for item in sorted(self.spellings, key=len, reverse=True))
        return rf"(?<![\w.+-])(?:{some})(?![\w-]|\.\w)"

    def named(self, text: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
        """Return the condition that a text names one of the addresses."""
        return sa.cast(text, sa.Text).regexp_match(self.pattern, flags="i")


def find_person(
    conn: sa.Connection, *, account: str, email_key: str, found: pd.DataFrame | None = None
) -> Person:
    """Return what the store knows of a person: ids and addresses.

    The person is everybody of any system with that address, whoever is linked with one of them, in
    any scope of the platform, and the records that a vendor has found under the address.

    Args:
        conn: An open transaction.
        account: The account's name.
        email_key: The person's normalised address.
        found: Records that the vendors found: FOUND.
    """
    names = ["side", "id", "email", "email_key"]
    known = pd.DataFrame(columns=names) if found is None else found[names]
    same = sa.and_(records.c.account == account, records.c.email_key == email_key)
    own = conn.execute(sa.select(records.c.side, records.c.id).where(same)).all()
    here = [*((row.side, row.id) for row in own), *zip(known["side"], known["id"], strict=True)]
    found_ids = ids_by_role(here)
    ends = (found_ids.get(role, frozenset()) for role in ("crm", "marketing"))
    linked = sa.or_(links.c.email_key == email_key, paired(links, *ends))
    pairs = conn.execute(sa.select(links).where(links.c.account == account, linked)).all()
    pairs = [*pairs, *in_other_scopes(conn, account, pairs)]
    ids = ids_by_role([*here, *ends_of(pairs)])
    theirs = sa.and_(records.c.account == account, in_role(records, "id", ids))
    rows = conn.execute(sa.select(records.c.email, records.c.email_key).where(theirs)).all()
    keys = {row.email_key for row in [*rows, *pairs] if row.email_key}
    keys |= {email_key} | set(known["email_key"].dropna())
    spellings = keys | {row.email for row in rows if row.email} | set(known["email"].dropna())
    return Person(account, ids, frozenset(keys), frozenset(spellings))


def in_other_scopes(
    conn: sa.Connection, account: str, pairs: Sequence[sa.Row[Any]]
) -> Sequence[sa.Row[Any]]:
    """Return links of the same CRM records in other scopes, and all of the contacts found there."""
    if not pairs:
        return ()
    mine = links.c.account == account
    others = sa.select(links.c.marketing_id).where(
        mine,
        links.c.entity.in_({row.entity for row in pairs}),
        links.c.crm_id.in_({row.crm_id for row in pairs}),
        links.c.marketing_id.not_in({row.marketing_id for row in pairs}),
    )
    return conn.execute(sa.select(links).where(mine, links.c.marketing_id.in_(others))).all()


def ids_by_role(found: Iterable[tuple[RoleName, str]]) -> dict[RoleName, frozenset[str]]:
    """Return ids by role, of pairs of role and id."""
    ids: dict[RoleName, set[str]] = {}
    for role, record_id in found:
        ids.setdefault(role, set()).add(record_id)
    return {role: frozenset(some) for role, some in ids.items()}


def ends_of(pairs: Iterable[sa.Row[Any]]) -> list[tuple[RoleName, str]]:
    """Return role and id of both ends of links."""
    return [end for row in pairs for end in (("crm", row.crm_id), ("marketing", row.marketing_id))]


def planned(conn: sa.Connection, *, run_id: int) -> pd.DataFrame:
    """Return what an erasure's run is to delete, or has deleted: seq, the columns of FOUND, result.

    A result is `planned`, `deleted` or `error`.
    """
    columns = {
        "seq": jobs.c.seq,
        "side": jobs.c.target,
        "entity": jobs.c.entity,
        "id": jobs.c.record_id,
        "email": jobs.c.email,
        "email_key": jobs.c.email_key,
        "fields": sa.cast(jobs.c.before, sa.Text),
        "result": jobs.c.result,
    }
    query = sa.select(*(column.label(name) for name, column in columns.items()))
    query = query.where(of_run(conn, run_id), jobs.c.kind == OperationKind.ERASE).order_by(
        jobs.c.seq
    )
    return read_frame(conn, query, _PLANNED)


def try_again(conn: sa.Connection, *, run_id: int, side: RoleName) -> None:
    """Let an erasure's run ask a vendor again for what it could not delete."""
    failed = (of_run(conn, run_id), jobs.c.target == side, jobs.c.result == Result.ERROR)
    again = dict.fromkeys(("error_code", "error_message", "transient"), sa.null())
    conn.execute(jobs.update().where(*failed).values({"result": Result.PLANNED, **again}))


def bar(conn: sa.Connection, person: Person, *, request: str | None = None) -> None:
    """Keep the hashes of a person's addresses, so that no sync brings them back from now on.

    Args:
        conn: An open transaction.
        person: The person.
        request: The request that is yet to be carried out; `unbar` takes its hashes back.
    """
    remember(conn, person, request)


def unbar(conn: sa.Connection, *, request: str) -> None:
    """Take the hashes of a request back that was not carried out."""
    conn.execute(erased.delete().where(erased.c.request == request))


def erased_keys(conn: sa.Connection, *, account: str, email_keys: pd.Series) -> pd.Series:
    """Return a mask of the normalised addresses that were erased, over the same index.

    Raises:
        ConfigurationError: The key of one of the account's hashes is missing.
    """
    in_use = erasure_keys.keys_in_use(conn, account=account)
    if not in_use:
        return pd.Series(data=False, index=email_keys.index)
    asked = pd.DataFrame({"email_key": email_keys.dropna().drop_duplicates()})
    with staged(conn, [sa.Column("email_key", sa.Text)], asked) as keys:
        # One query for each key: no join is quick on either of two conditions.
        known = sa.union(
            *(
                sa.select(keys.c.email_key).join(
                    erased,
                    sa.and_(
                        erased.c.account == account,
                        erased.c.key_id == key.id,
                        erased.c.address_hash == _hash(keys.c.email_key, key.secret),
                    ),
                )
                for key in in_use
            )
        ).subquery()
        schema = pa.schema([pa.field("email_key", pa.string())])
        return email_keys.isin(read_frame(conn, sa.select(known.c.email_key), schema)["email_key"])


def remember(conn: sa.Connection, person: Person, request: str | None = None) -> int:
    """Keep the hashes of a person's addresses; return how many."""
    key = erasure_keys.newest_key(conn)
    hashes = [
        hmac.new(key.secret, word.encode(), hashlib.sha256).hexdigest() for word in person.keys
    ]
    made = {
        "account": person.account,
        "key_id": key.id,
        "erased_at": sa.func.clock_timestamp(),
        "request": request,
    }
    statement = insert(erased).values([made | {"address_hash": one} for one in hashes])
    if request is None:
        same = list(erased.primary_key.columns)
        statement = statement.on_conflict_do_update(index_elements=same, set_={"request": None})
    else:
        statement = statement.on_conflict_do_nothing()
    conn.execute(statement)
    return len(hashes)


def withdraw_jobs(conn: sa.Connection, person: Person) -> None:
    """Remove the person from plans that are yet to be applied."""
    waiting = sa.select(runs.c.run_id).where(
        runs.c.account == person.account,
        runs.c.status.in_([RunStatus.IN_PROGRESS, RunStatus.AWAITING_APPROVAL]),
    )
    planned = (jobs.c.run_id.in_(waiting), jobs.c.result == Result.PLANNED)
    values = {"result": Result.IGNORED, "reason": Reason.ERASED, "transient": False}
    values["processed_at"] = sa.func.clock_timestamp()
    conn.execute(jobs.update().where(*planned, jobs_of(person)).values(values))


def jobs_of(person: Person) -> sa.ColumnElement[bool]:
    """Return which jobs of their account are about the person, or name them."""
    ids = [*person.all_ids, *person.spellings]
    texts = (jobs.c.email, jobs.c.key, jobs.c.reason, jobs.c.error_message)
    named = sa.or_(jobs.c.record_id.in_(ids), jobs.c.source_id.in_(ids))
    return sa.or_(
        jobs.c.email_key.in_(person.keys),
        sa.and_(of_people(jobs.c.source_entity, jobs.c.entity), named),
        *(person.named(text) for text in (*texts, jobs.c.before, jobs.c.after)),
    )


def blank_jobs(conn: sa.Connection, person: Person) -> int:
    """Remove from jobs what tells that they are about the person; return how many there were."""
    blank: dict[str, Any] = dict.fromkeys(_PERSONAL, sa.null())
    blank["reason"] = sa.case((person.named(jobs.c.reason), _BLANK), else_=jobs.c.reason)
    mine = jobs.update().where(jobs.c.account == person.account, jobs_of(person))
    return conn.execute(mine.values(blank)).rowcount


def blank_runs(conn: sa.Connection, person: Person) -> int:
    """Blank the addresses in what is said of whole runs; return of how many."""
    json = (runs.c.params, runs.c.notes, runs.c.guard)
    theirs = sa.or_(*(person.named(text) for text in (*json, runs.c.message)))
    values: dict[str, Any] = {
        column.name: sa.cast(_blank(column, person), JSONB) for column in json
    }
    values["message"] = _blank(runs.c.message, person)
    mine = runs.update().where(runs.c.account == person.account, theirs)
    return conn.execute(mine.values(values)).rowcount


def blank_texts(
    conn: sa.Connection, person: Person, column: sa.Column[Any], mine: sa.ColumnElement[bool]
) -> int:
    """Blank the addresses in what was said about somebody or something else; return how often."""
    named = sa.update(column.table).where(mine, person.named(column))
    return conn.execute(named.values({column.name: _blank(column, person)})).rowcount


def _blank(column: sa.Column[Any], person: Person) -> sa.ColumnElement[Any]:
    return sa.func.regexp_replace(sa.cast(column, sa.Text), person.pattern, _BLANK, "gi")


def in_role(
    table: sa.Table, column: str, ids: Mapping[RoleName, Collection[str]]
) -> sa.ColumnElement[bool]:
    """Return the condition that a column has one of the ids of the row's own role, its `side`."""
    return sa.or_(
        sa.false(),
        *(sa.and_(table.c.side == role, table.c[column].in_(some)) for role, some in ids.items()),
    )


def paired(table: sa.Table, crm: Iterable[str], marketing: Iterable[str]) -> sa.ColumnElement[bool]:
    """Return the condition that a row's `crm_id` or `marketing_id` is one of these."""
    return sa.or_(table.c.crm_id.in_(crm), table.c.marketing_id.in_(marketing))


def _hash(text: sa.ColumnElement[Any], secret: bytes) -> sa.ColumnElement[str]:
    """Return the HMAC-SHA256 of a text in hexadecimal, worked out by PostgreSQL for a whole column.

    RFC 2104; the key is shorter than a block, so that it needs no hash of its own.
    """
    inner, outer = (
        sa.literal(bytes(byte ^ pad for byte in secret.ljust(_BLOCK, b"\0")), sa.LargeBinary)
        for pad in (0x36, 0x5C)
    )
    message = sa.func.convert_to(text, "UTF8", type_=sa.LargeBinary)
    digest = sa.func.sha256(inner.op("||")(message), type_=sa.LargeBinary)
    return sa.func.encode(sa.func.sha256(outer.op("||")(digest)), "hex", type_=sa.Text)
