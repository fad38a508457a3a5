"""Suppressions: who may no longer be mailed, carried over in both directions.

Rows that enter a run are the suppressions that either side tells, and the people of the CRM who
have come to have an address that is already suppressed.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from bothways.syncs import known
from bothways.syncs.base import Dataset, Inputs, Plan, Request
from bothways.syncs.jobs import chosen, due, ignored, job_frame, joined, unchanged
from bothways.tables import Side, Status
from bothways.transform.json_rows import json_objects

_UNFLAGGED = '{"do_not_mail": false}'
_FLAGGED = '{"do_not_mail": true}'
_ACCOUNT_RECORD = ["email", "reason", "suppressed_at"]
_LIST_RECORD = [*_ACCOUNT_RECORD, "list_id", "entity", "member_id"]


def datasets(request: Request) -> list[Dataset]:
    """Read suppressions of both sides, and of the CRM the people and the members of the lists."""
    found = [Dataset("suppressions", "suppressions")]
    lists = request.lists.values()
    if request.side == "marketing":
        return found + [
            Dataset(_of_list(item.key), "list_suppressions", list_key=item.key, lists=(item.id,))
            for item in lists
        ]
    found += [Dataset(_people_of(entity), "contacts", entity=entity) for entity in request.entities]
    if lists:
        found.append(Dataset("members", "members", lists=request.list_ids()))
    return found


def plan(inputs: Inputs) -> Plan:
    """Decide on each suppression, and on each person whose address is suppressed."""
    told, nameless = _told(inputs, "marketing")
    people = _people(inputs, told)
    crm_records = known.ledger(inputs, "crm", told["email_key"], "")
    frames = [
        ignored(
            nameless, "empty", source="marketing", source_entity="suppression", entity="suppression"
        ),
        _flags(inputs, people),
        _records(inputs, told, crm_records, people),
        _to_platform(inputs),
    ]
    for key in inputs.lists["crm"]:
        frames += _list_jobs(inputs, key)
    return Plan(joined(frames))


def _told(inputs: Inputs, side: Side, list_key: str = "") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what a side told in this run, one row per address, and its rows without address."""
    dataset = _of_list(list_key) if list_key else "suppressions"
    staged = inputs.staged.read(side, dataset)
    if staged.empty:
        staged = pd.DataFrame(
            {"email_key": pd.Series(dtype="string"), "deleted": pd.Series(dtype=bool)}
        )
    staged = chosen(inputs, staged[~staged["deleted"].astype(bool)])
    if side == "crm":
        staged = staged[staged["list_id"].isna()] if "list_id" in staged else staged
    again = due(inputs, side, "suppression", list_key)
    keys = pd.concat([staged["email_key"], again["email_key"]]).dropna()
    return known.ledger(inputs, side, keys, list_key), staged[staged["email_key"].isna()]


def _people(inputs: Inputs, told: pd.DataFrame) -> pd.DataFrame:
    """Return the CRM's people with an address that the platform suppresses, with the reason.

    Of an address that was suppressed in an earlier run, only those people count who are new to it.
    """
    changed = pd.concat([_changed(inputs, entity) for entity in ("contact", "lead")])
    keys = pd.concat([told["email_key"], changed["email_key"]]).dropna().drop_duplicates()
    found = known.people(inputs, "crm", email_keys=keys)
    reasons = known.ledger(inputs, "marketing", keys, "")[
        ["email_key", "reason", "vendor_reason", "record_id"]
    ]
    people = found.merge(reasons.rename(columns={"record_id": "source_id"}), on="email_key")
    return people[people["email_key"].isin(told["email_key"]) | people["id"].isin(changed["id"])]


def _changed(inputs: Inputs, entity: str) -> pd.DataFrame:
    staged = inputs.staged.read("crm", _people_of(entity))
    if staged.empty:
        return pd.DataFrame(
            {"email_key": pd.Series(dtype="string"), "id": pd.Series(dtype="string")}
        )
    return chosen(inputs, staged[~staged["deleted"].astype(bool)], "id")[["email_key", "id"]]


def _flags(inputs: Inputs, people: pd.DataFrame) -> pd.DataFrame:
    """Flag people in the CRM; a closed lead is read-only until it is opened again."""
    about = {
        "target": "crm",
        "entity": people["entity"],
        "record_id": people["id"],
        "source_id": people["source_id"],
        "email": people["email"],
        "source": "marketing",
        "source_entity": "suppression",
    }
    if not inputs.account.settings.update_do_not_bulk_email:
        return ignored(people, "switched_off", **about)
    flagged = people["status"].ne(Status.MAILABLE.value).fillna(value=False)
    closed = ~flagged & (people["entity"] == "lead") & ~people["active"].fillna(value=True)
    to_write = ~flagged & ~closed
    return joined(
        [
            unchanged(people[flagged], **_of(about, flagged)),
            ignored(people[closed], "inactive", **_of(about, closed)),
            job_frame(
                people[to_write],
                kind="suppress",
                result="updated",
                reason=people.loc[to_write, "reason"],
                before=_UNFLAGGED,
                after=_FLAGGED,
                **_of(about, to_write),
            ),
        ]
    )


def _records(
    inputs: Inputs, told: pd.DataFrame, kept: pd.DataFrame, people: pd.DataFrame
) -> pd.DataFrame:
    """Keep a suppression record in the CRM for each address that the platform suppresses."""
    about = {
        "target": "crm",
        "entity": "suppression",
        "source_id": told["record_id"],
        "email": told["email"],
        "source": "marketing",
        "source_entity": "suppression",
    }
    if not inputs.account.settings.add_global_unsubscribers_to_crm_suppression_list:
        alone = ~told["email_key"].isin(people["email_key"])
        return ignored(told[alone], "switched_off", **_of(about, alone))
    there = told["email_key"].isin(kept["email_key"])
    new = told[~there]
    values = _record_values(new, _ACCOUNT_RECORD)
    return joined(
        [
            unchanged(told[there], **_of(about, there)),
            job_frame(
                new,
                kind="create",
                result="new",
                key=inputs.account.name + "-" + new["record_id"],
                values=values,
                after=values,
                reason=new["reason"],
                **_of(about, ~there),
            ),
        ]
    )


def _to_platform(inputs: Inputs) -> pd.DataFrame:
    """Suppress on the platform what a person added to the CRM's suppression records."""
    added, nameless = _told(inputs, "crm")
    kept = known.ledger(inputs, "marketing", added["email_key"], "")
    there = added["email_key"].isin(kept["email_key"])
    about = {
        "target": "marketing",
        "entity": "contact",
        "source_id": added["record_id"],
        "email": added["email"],
        "source": "crm",
        "source_entity": "suppression",
    }
    new = added[~there]
    return joined(
        [
            ignored(
                nameless, "empty", source="crm", source_entity="suppression", entity="suppression"
            ),
            unchanged(added[there], **_of(about, there)),
            job_frame(
                new,
                kind="suppress",
                result="new",
                reason=new["reason"],
                before=_UNFLAGGED,
                after=_FLAGGED,
                **_of(about, ~there),
            ),
        ]
    )


@dataclass(frozen=True, slots=True)
class _ListPeople:
    """People of the CRM who unsubscribed from one list, and whether they are still on it."""

    rows: pd.DataFrame
    key: str

    def about(self, keep: pd.Series) -> dict[str, object]:
        rows = self.rows[keep]
        return {
            "target": "crm",
            "list_key": self.key,
            "source_id": rows["source_id"],
            "email": rows["email"],
            "source": "marketing",
            "source_entity": "suppression",
        }


def _list_jobs(inputs: Inputs, key: str) -> list[pd.DataFrame]:
    """Take people off the marketing list that they unsubscribed from, and keep a record of it."""
    told, nameless = _told(inputs, "marketing", key)
    about = {
        "source": "marketing",
        "source_entity": "suppression",
        "list_key": key,
        "target": "crm",
    }
    found = known.people(inputs, "crm", email_keys=told["email_key"])
    absent = told[~told["email_key"].isin(found["email_key"])]
    people = _ListPeople(_list_people(inputs, key, told, found), key)
    return [
        ignored(nameless, "empty", entity="suppression", **about),
        ignored(
            absent,
            "not_in_crm",
            entity="suppression",
            email=absent["email"],
            source_id=absent["record_id"],
            **about,
        ),
        *_leavers(people),
        _list_records(inputs, people),
    ]


def _list_people(inputs: Inputs, key: str, told: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    crm_list = inputs.lists["crm"][key]
    members = known.members(inputs, "crm", crm_list.id, found["id"])
    told = told[["email_key", "reason", "vendor_reason", "suppressed_at", "record_id"]]
    people = found.merge(told.rename(columns={"record_id": "source_id"}), on="email_key")
    if crm_list.entity:
        people = people[people["entity"] == crm_list.entity]
    people = people.merge(
        members[["entity", "member_id", "membership_id"]].assign(member=True),
        left_on=["entity", "id"],
        right_on=["entity", "member_id"],
        how="left",
    )
    return people.assign(member=people["member"].fillna(value=False), list_id=crm_list.id)


def _leavers(people: _ListPeople) -> list[pd.DataFrame]:
    member = people.rows["member"].astype(bool)
    on_list = people.rows[member]
    return [
        job_frame(
            on_list,
            kind="leave",
            entity=on_list["entity"],
            result="deleted",
            record_id=on_list["id"],
            membership_id=on_list["membership_id"],
            reason=on_list["reason"],
            **people.about(member),
        ),
    ]


def _list_records(inputs: Inputs, people: _ListPeople) -> pd.DataFrame:
    rows = people.rows
    kept = known.ledger(inputs, "crm", rows["email_key"], people.key)
    there = rows["id"].isin(kept["member_id"])
    new = rows[~there]
    values = _record_values(new.assign(member_id=new["id"]), _LIST_RECORD)
    return joined(
        [
            unchanged(rows[there], entity="suppression", **people.about(there)),
            job_frame(
                new,
                kind="create",
                entity="suppression",
                result="new",
                record_id=None,
                key=inputs.account.name + "-" + people.key + "-" + new["id"],
                values=values,
                after=values,
                reason=new["reason"],
                **people.about(~there),
            ),
        ]
    )


def _record_values(rows: pd.DataFrame, columns: list[str]) -> pd.Series:
    """Return suppression records; the vendor's own word for the reason is the more exact one."""
    written = rows.assign(reason=rows["vendor_reason"].fillna(rows["reason"]))
    return json_objects(written, {name: name for name in columns})


def _of(columns: dict[str, object], keep: pd.Series) -> dict[str, object]:
    return {
        name: value[keep] if isinstance(value, pd.Series) else value
        for name, value in columns.items()
    }


def _of_list(key: str) -> str:
    return f"list_suppressions_{key}"


def _people_of(entity: str) -> str:
    return f"{entity}s"
