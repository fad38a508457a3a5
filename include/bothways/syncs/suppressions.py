"""Suppressions: who may no longer be mailed, carried over in both directions.

Rows that enter a run are the suppressions that either side tells, and the people of the CRM who
have come to have an address that is already suppressed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pandas as pd

from bothways.syncs import known
from bothways.syncs.base import Dataset, Inputs, Plan, Request
from bothways.syncs.jobs import chosen, due, ignored, job_frame, joined, named_keys, unchanged
from bothways.tables import SIDES, Side, Status
from bothways.transform.json_rows import json_objects

# A platform is asked by date for what changed. What it dates back, or shows late, is found by
# reading all of it now and then. A CRM tracks changes, and only as such tells what was deleted.
_WHOLE_EVERY = timedelta(days=7)

_UNFLAGGED = '{"do_not_mail": false}'
_FLAGGED = '{"do_not_mail": true}'
_ACCOUNT_RECORD = ["email", "reason", "suppressed_at"]
_LIST_RECORD = [*_ACCOUNT_RECORD, "list_id", "entity", "member_id"]
_FROM_PLATFORM = {"source": "marketing", "source_entity": "suppression"}
_FROM_CRM = {"source": "crm", "source_entity": "suppression"}


def datasets(request: Request) -> list[Dataset]:
    """Read suppressions of both sides, and of the CRM the people and the members of the lists."""
    lists = request.lists.values()
    if request.side == "marketing":
        told = [Dataset("suppressions", "suppressions")] + [
            Dataset(_of_list(item.key), "list_suppressions", list_key=item.key, lists=(item.id,))
            for item in lists
        ]
        return [replace(item, whole_every=_WHOLE_EVERY) for item in told]
    found = [Dataset("suppressions", "suppressions")]
    found += [Dataset(_people_of(entity), "contacts", entity=entity) for entity in request.entities]
    if lists:
        found.append(Dataset("members", "members", lists=request.list_ids()))
    return found


def plan(inputs: Inputs) -> Plan:
    """Decide on each suppression, and on each person whose address is suppressed.

    A run for chosen lists looks at these lists' unsubscribes only. A list that one side has not
    got yet waits until it is there.
    """
    frames = [] if inputs.options.lists else _account_jobs(inputs)
    skipped = []
    for key in sorted(inputs.lists["crm"]):
        if all(inputs.lists[side][key].id for side in SIDES):
            frames += _list_jobs(inputs, key)
        else:
            skipped.append(key)
    return Plan(joined(frames), skipped=tuple(skipped))


@dataclass(frozen=True, slots=True)
class _Told:
    """What a side told in this run, of its account or of one list.

    Attributes:
        rows: What the ledger knows of the addresses, one row each.
        left_out: Jobs of the rows that lead to nothing.
    """

    rows: pd.DataFrame
    left_out: pd.DataFrame


def _told(inputs: Inputs, side: Side, list_key: str = "") -> _Told:
    staged = inputs.staged.read(side, _of_list(list_key) if list_key else "suppressions")
    if staged.empty:
        staged = pd.DataFrame(columns=["id", "email", "email_key", "deleted"], dtype="string")
    staged = chosen(inputs, staged[~staged["deleted"].astype(bool)], "id")
    again = due(inputs, side, "suppression", list_key)
    keys = pd.concat([staged["email_key"], again["email_key"], _named(inputs)]).dropna()
    rows = known.ledger(inputs, side, keys, list_key)
    reason = pd.Series("empty", index=staged.index).where(staged["email_key"].isna())
    reason = reason.mask(reason.isna() & staged["email_key"].duplicated(), "duplicate")
    reason = reason.mask(reason.isna() & ~staged["email_key"].isin(rows["email_key"]), "lifted")
    left_out = staged[reason.notna()]
    return _Told(
        rows,
        ignored(
            left_out,
            reason.dropna(),
            entity="suppression",
            source=side,
            source_entity="suppression",
            source_id=left_out["id"],
            email=left_out["email"],
            list_key=list_key or None,
        ),
    )


def _named(inputs: Inputs) -> pd.Series:
    """Return the addresses that the person at the trigger form named, directly or by id."""
    ids = pd.Series([item for item in inputs.options.records if "@" not in item], dtype="string")
    if ids.empty:
        return named_keys(inputs)
    found = pd.concat([known.people(inputs, side, ids=ids) for side in SIDES])
    keys: pd.Series = pd.concat([named_keys(inputs), found["email_key"]])
    return keys


# ── suppressions of the whole account ─────────────────────────────────────────────────────────


def _account_jobs(inputs: Inputs) -> list[pd.DataFrame]:
    told = _told(inputs, "marketing")
    added = _told(inputs, "crm")
    people = _people(inputs, told.rows)
    return [
        told.left_out,
        added.left_out,
        _flags(inputs, people),
        _records(inputs, told.rows, people),
        _to_platform(inputs, added.rows),
    ]


def _people(inputs: Inputs, told: pd.DataFrame) -> pd.DataFrame:
    """Return the CRM's people with an address that the platform suppresses, with the reason.

    Of an address that was suppressed in an earlier run, only those people count who are new to it.
    """
    changed = pd.concat([_changed(inputs, entity) for entity in ("contact", "lead")])
    keys = pd.concat([told["email_key"], changed["email_key"]]).dropna()
    found = known.people(inputs, "crm", email_keys=keys)
    reasons = known.ledger(inputs, "marketing", keys, "")[["email_key", "reason", "record_id"]]
    people = found.merge(reasons.rename(columns={"record_id": "source_id"}), on="email_key")
    return people[people["email_key"].isin(told["email_key"]) | people["id"].isin(changed["id"])]


def _changed(inputs: Inputs, entity: str) -> pd.DataFrame:
    staged = inputs.staged.read("crm", _people_of(entity))
    if staged.empty:
        return pd.DataFrame(columns=["email_key", "id"], dtype="string")
    return chosen(inputs, staged[~staged["deleted"].astype(bool)], "id")[["email_key", "id"]]


def _flags(inputs: Inputs, people: pd.DataFrame) -> pd.DataFrame:
    """Flag people in the CRM; a closed lead is read-only until it is opened again."""
    about: dict[str, Any] = {
        "target": "crm",
        "entity": people["entity"],
        "record_id": people["id"],
        "source_id": people["source_id"],
        "email": people["email"],
        **_FROM_PLATFORM,
    }
    if not inputs.account.settings.update_do_not_bulk_email:
        return ignored(people, "switched_off", **about)
    flagged = people["status"].ne(Status.MAILABLE.value).fillna(value=False)
    closed = ~flagged & (people["entity"] == "lead") & ~people["active"].fillna(value=True)
    return joined(
        [
            unchanged(people[flagged], **about),
            ignored(people[closed], "inactive", **about),
            job_frame(
                people[~flagged & ~closed],
                kind="suppress",
                result="updated",
                reason=people["reason"],
                before=_UNFLAGGED,
                after=_FLAGGED,
                **about,
            ),
        ]
    )


def _records(inputs: Inputs, told: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """Keep a suppression record in the CRM for each address that the platform suppresses."""
    about: dict[str, Any] = {
        "target": "crm",
        "entity": "suppression",
        "source_id": told["record_id"],
        "email": told["email"],
        **_FROM_PLATFORM,
    }
    if not inputs.account.settings.add_global_unsubscribers_to_crm_suppression_list:
        return ignored(told[~told["email_key"].isin(people["email_key"])], "switched_off", **about)
    kept = known.ledger(inputs, "crm", told["email_key"], "")
    there = told["email_key"].isin(kept["email_key"])
    erased = ~there & known.erased(inputs, told["email_key"])
    new = told[~there & ~erased]
    values = _record_values(new, _ACCOUNT_RECORD)
    return joined(
        [
            unchanged(told[there], **about),
            ignored(told[erased], "erased", **about),
            job_frame(
                new,
                kind="create",
                result="new",
                key=inputs.account.name + "-" + new["record_id"],
                values=values,
                after=values,
                reason=new["reason"],
                **about,
            ),
        ]
    )


def _to_platform(inputs: Inputs, added: pd.DataFrame) -> pd.DataFrame:
    """Suppress on the platform what a person added to the CRM's suppression records."""
    kept = known.ledger(inputs, "marketing", added["email_key"], "")
    there = added["email_key"].isin(kept["email_key"])
    contacts = known.people(inputs, "marketing", email_keys=added["email_key"])
    spelt = contacts.drop_duplicates("email_key").set_index("email_key")["email"]
    absent = ~added["email_key"].isin(contacts["email_key"])
    erased = ~there & absent & known.erased(inputs, added["email_key"])
    about: dict[str, Any] = {
        "target": "marketing",
        "entity": "contact",
        "source_id": added["record_id"],
        # People copy "mailto:" and the like along, which a platform would take for the address.
        "email": known.looked_up(added["email_key"], spelt).fillna(added["email_key"]),
        **_FROM_CRM,
    }
    return joined(
        [
            unchanged(added[there], **about),
            ignored(added[erased], "erased", **about),
            job_frame(
                added[~there & ~erased],
                kind="suppress",
                result="new",
                reason=added["reason"],
                before=_UNFLAGGED,
                after=_FLAGGED,
                **about,
            ),
        ]
    )


# ── unsubscribes from one list ────────────────────────────────────────────────────────────────


def _list_jobs(inputs: Inputs, key: str) -> list[pd.DataFrame]:
    """Take people off the marketing list that they unsubscribed from, and keep a record of it."""
    told = _told(inputs, "marketing", key)
    people = _list_people(inputs, key, told.rows)
    absent = told.rows[~told.rows["email_key"].isin(people["email_key"])]
    about: dict[str, Any] = {
        "target": "crm",
        "list_key": key,
        "source_id": people["source_id"],
        "email": people["email"],
        **_FROM_PLATFORM,
    }
    return [
        told.left_out,
        ignored(
            absent,
            "not_in_crm",
            entity="suppression",
            list_key=key,
            source_id=absent["record_id"],
            email=absent["email"],
            **_FROM_PLATFORM,
        ),
        job_frame(
            people[people["member"]],
            kind="leave",
            entity=people["entity"],
            result="deleted",
            record_id=people["id"],
            membership_id=people["membership_id"],
            reason=people["reason"],
            **about,
        ),
        _list_records(inputs, key, people, about),
    ]


def _list_people(inputs: Inputs, key: str, told: pd.DataFrame) -> pd.DataFrame:
    """Return the people of the list's kind who unsubscribed, and whether they are on it."""
    crm_list = inputs.lists["crm"][key]
    found = known.people(inputs, "crm", entity=crm_list.entity, email_keys=told["email_key"])
    members = known.members(inputs, "crm", crm_list.id, found["id"])
    told = told[["email_key", "reason", "vendor_reason", "suppressed_at", "record_id"]]
    people = found.merge(told.rename(columns={"record_id": "source_id"}), on="email_key")
    people = people.merge(
        members[["member_id", "membership_id"]], left_on="id", right_on="member_id", how="left"
    )
    return people.assign(
        member=people["member_id"].notna(), member_id=people["id"], list_id=crm_list.id
    )


def _list_records(
    inputs: Inputs, key: str, people: pd.DataFrame, about: dict[str, Any]
) -> pd.DataFrame:
    kept = known.ledger(inputs, "crm", people["email_key"], key)
    there = people["id"].isin(kept["member_id"])
    erased = ~there & known.erased(inputs, people["email_key"])
    new = people[~there & ~erased]
    values = _record_values(new, _LIST_RECORD)
    return joined(
        [
            unchanged(people[there], entity="suppression", **about),
            ignored(people[erased], "erased", entity="suppression", **about),
            job_frame(
                new,
                kind="create",
                entity="suppression",
                result="new",
                key=inputs.account.name + "-" + key + "-" + new["id"],
                values=values,
                after=values,
                reason=new["reason"],
                **about,
            ),
        ]
    )


def _record_values(rows: pd.DataFrame, columns: list[str]) -> pd.Series:
    """Return suppression records; the vendor's own word for the reason is the more exact one."""
    written = rows.assign(reason=rows["vendor_reason"].fillna(rows["reason"]))
    return json_objects(written, {name: name for name in columns})


def _of_list(key: str) -> str:
    return f"list_suppressions_{key}"


def _people_of(entity: str) -> str:
    return f"{entity}s"
