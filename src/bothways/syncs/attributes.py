"""Carry what a platform knows of its members into columns of the CRM records of the same people.

What `contact_scoring` and `opt_in` have in common. Rows that enter a run are the members whom the
platform reports, and those whose CRM records have changed: a new record gets what is known already.
Links come before addresses. Every contact and lead of the person gets the values.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd

from bothways.streams.attributes import ATTRIBUTE
from bothways.streams.base import Stream
from bothways.streams.people import People
from bothways.syncs.base import Dataset, Inputs, Plan, Request
from bothways.syncs.jobs import chosen, due, ignored, job_frame, joined, unchanged
from bothways.tables.fields import FIELD_PREFIX
from bothways.transform.columns import looked_up
from bothways.transform.json_rows import json_objects
from bothways.vocabulary import FieldType, OperationKind, Reason, Result

MEMBERS: Final = "contacts"
_VALUES: Final = "values"

Columns = Mapping[str, Mapping[str, str]]
"""CRM entity → attribute → the column that gets its value."""

Decide = Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]
"""What is wanted and what the CRM has, by attribute → which of it is to be written."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What a sync type carries over.

    Attributes:
        stream: What the platform is asked for.
        types: Attribute → its type on the platform.
        columns: Where it goes.
        column_types: Attribute → the type of its columns.
        convert: Turns the platform's values into those of the columns; both by attribute.
        decide: Which values are written; nulls are not asked about, and never written.
        others: CRM entities whose people are looked at though no column of theirs gets a value.
    """

    stream: Stream
    types: Mapping[str, FieldType]
    columns: Columns
    column_types: Mapping[str, FieldType]
    convert: Callable[[pd.DataFrame], pd.DataFrame]
    decide: Decide
    others: Collection[str] = ()

    @property
    def entities(self) -> list[str]:
        """The CRM entities whose people are looked at."""
        return [name for name, columns in self.columns.items() if columns or name in self.others]


def datasets(request: Request, carried: Carried) -> list[Dataset]:
    """Read the values and whose they are; of the CRM, people with the columns."""
    if not carried.entities:
        return []
    if request.side == "marketing":
        return [
            Dataset(MEMBERS, People(entity="contact", everybody=True)),
            Dataset(_VALUES, carried.stream),
        ]
    only_active = request.account.settings.only_open_leads_and_active_contacts
    return [
        Dataset(
            f"{entity}s",
            People(entity=entity, fields=_column_types(carried, entity)),
            rules={"only_active": only_active},
        )
        for entity in request.entities
        if entity in carried.entities
    ]


def plan(inputs: Inputs, carried: Carried) -> Plan:
    """Decide on each CRM record of each person who entered."""
    if not carried.entities:
        return Plan(joined([]), notes=("No columns are mapped, so nothing was synced.",))
    members = entered(inputs, carried)
    known = _records(inputs, carried, members)
    records = known[known["marketing_id"].isin(members["id"])]
    left = members[members["told"] & ~members["id"].isin(records["marketing_id"])]
    linked = inputs.view.links(marketing_ids=left["id"], crm_ids=known["id"])
    linked = linked[linked["crm_id"].isin(known["id"])]
    # The CRM knows the person, by another member.
    beside = left["id"].isin(linked["marketing_id"]) | left["email_key"].isin(known["email_key"])
    reason = pd.Series(Reason.NO_CRM_RECORD, index=left.index).mask(beside, Reason.DUPLICATE)
    return Plan(
        joined(
            [
                ignored(left, reason, **_about(left, "id")),
                *(
                    _jobs(inputs, carried, str(entity), rows)
                    for entity, rows in records.groupby("entity", sort=True)
                ),
            ]
        )
    )


def entered(inputs: Inputs, carried: Carried) -> pd.DataFrame:
    """Return the members who entered: CONTACTS with `email_key`, their values, and `told`.

    `told` is whether the platform reported them, or they are tried again.
    """
    staged = inputs.staged.read("marketing", _VALUES)
    told = pd.DataFrame(columns=["member_id", "email_key"]) if staged.empty else staged
    told = told.rename(columns={"member_id": "source_id"})[["source_id", "email_key"]]
    told = pd.concat([chosen(inputs, told, "source_id"), due(inputs, "marketing", "contact")])
    changed = [inputs.staged.read("crm", f"{entity}s") for entity in carried.columns]
    people = pd.concat([rows[["id", "email_key"]] for rows in changed if not rows.empty] or [told])
    people = people.rename(columns={"source_id": "id"})
    people = chosen(inputs, people, "id")
    linked = inputs.view.links(crm_ids=people["id"])["marketing_id"]
    found = inputs.view.people(
        "marketing",
        ids=pd.concat([told["source_id"], linked]),
        email_keys=people["email_key"],
        fields={ATTRIBUTE + name: kind for name, kind in carried.types.items()},
    )
    told_of = found["id"].isin(told["source_id"])
    has_values = found[[FIELD_PREFIX + ATTRIBUTE + name for name in carried.types]].notna()
    return found[told_of | has_values.any(axis=1)].assign(told=told_of)


def _records(inputs: Inputs, carried: Carried, members: pd.DataFrame) -> pd.DataFrame:
    """Return the members' CRM records: entity, id, `marketing_id`, active, email and email_key.

    The member may be another one of the person, whose values count.
    """
    links = inputs.view.links(marketing_ids=members["id"])
    found = [
        inputs.view.people(
            "crm", entity=entity, ids=links["crm_id"], email_keys=members["email_key"]
        )
        for entity in carried.entities
    ]
    records = pd.concat(found, ignore_index=True)
    # Of a person's contacts in several audiences the first audience's counts.
    first = inputs.view.links(crm_ids=records["id"]).drop_duplicates("crm_id")
    link = first.set_index("crm_id")["marketing_id"]
    addresses = members.drop_duplicates("email_key").set_index("email_key")["id"]
    by_address = looked_up(records["email_key"], addresses)
    return records.assign(marketing_id=looked_up(records["id"], link).fillna(by_address))


def _jobs(inputs: Inputs, carried: Carried, entity: str, records: pd.DataFrame) -> pd.DataFrame:
    names = list(carried.columns[entity])
    wanted = _wanted(inputs, carried, records)[names]
    current = _current(inputs, carried, entity, records)
    reason = _left_out(inputs, records)
    write = (carried.decide(wanted, current) & wanted.notna()).fillna(value=False)
    writes = write.any(axis=1).astype(bool)
    about = _about(records, "marketing_id") | {"entity": entity, "record_id": records["id"]}
    return joined(
        [
            ignored(records[reason.notna()], reason, **about),
            unchanged(records[reason.isna() & ~writes], **about),
            job_frame(
                records[reason.isna() & writes],
                target="crm",
                kind=OperationKind.UPDATE,
                result=Result.UPDATED,
                values=json_objects(wanted, _by_column(carried.columns[entity]), write),
                before=json_objects(current, {name: name for name in names}, write),
                after=json_objects(wanted, {name: name for name in names}, write),
                **about,
            ),
        ]
    )


def _wanted(inputs: Inputs, carried: Carried, records: pd.DataFrame) -> pd.DataFrame:
    """Return the values that the records should have, by attribute, over the records' index."""
    fields = {ATTRIBUTE + name: kind for name, kind in carried.types.items()}
    people = inputs.view.people("marketing", ids=records["marketing_id"], fields=fields)
    by_id = people.set_index("id")
    values = {
        name: looked_up(records["marketing_id"], by_id[FIELD_PREFIX + ATTRIBUTE + name])
        for name in carried.types
    }
    return carried.convert(pd.DataFrame(values, index=records.index))


def _current(inputs: Inputs, carried: Carried, entity: str, records: pd.DataFrame) -> pd.DataFrame:
    """Return the values that the records have, by attribute, over the records' index."""
    fields = _column_types(carried, entity)
    by_id = inputs.view.people("crm", entity=entity, ids=records["id"], fields=fields)
    by_id = by_id.set_index("id")
    values = {
        name: looked_up(records["id"], by_id[FIELD_PREFIX + column])
        for name, column in carried.columns[entity].items()
    }
    return pd.DataFrame(values, index=records.index)


def _left_out(inputs: Inputs, records: pd.DataFrame) -> pd.Series:
    reason = pd.Series(None, index=records.index, dtype="string[pyarrow]")
    if inputs.account.settings.only_open_leads_and_active_contacts:
        reason = reason.mask(records["active"].eq(other=False).fillna(value=False), Reason.INACTIVE)
    erased = inputs.view.erased(records["email_key"])
    return reason.mask(erased, Reason.ERASED)


def _about(rows: pd.DataFrame, member: str) -> dict[str, object]:
    return {
        "source": "marketing",
        "source_entity": "contact",
        "source_id": rows[member],
        "email": rows["email"],
        "entity": "contact",
    }


def _column_types(carried: Carried, entity: str) -> dict[str, FieldType]:
    return {column: carried.column_types[name] for name, column in carried.columns[entity].items()}


def _by_column(columns: Mapping[str, str]) -> dict[str, str]:
    return {column: name for name, column in columns.items()}
