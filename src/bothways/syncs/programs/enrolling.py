"""Enrolling named people and lists into a program: who may, into what, and who is left out."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, Final, cast

import pandas as pd
import pyarrow as pa

from bothways.config.account import Account
from bothways.errors import RunStopped
from bothways.spec import Options
from bothways.syncs.base import Inputs, Plan
from bothways.syncs.jobs import ignored, job_frame, joined, named_keys
from bothways.syncs.persons import crm_person
from bothways.syncs.programs import SPEC, Settings
from bothways.tables.fields import FIELD_PREFIX
from bothways.tables.ledgers import ACCOUNT_WIDE
from bothways.tables.programs import ACTIVE
from bothways.transform.columns import looked_up
from bothways.transform.json_rows import read_objects
from bothways.transform.named import is_named, meant
from bothways.vocabulary import ENROLMENT, LIST, PROGRAM, OperationKind, Reason, Result, Status

_TEXT: Final = pd.ArrowDtype(pa.string())
_REASONS: Final = {
    Status.UNSUBSCRIBED.value: Reason.UNSUBSCRIBED.value,
    Status.BOUNCED.value: Reason.BOUNCED.value,
    Status.COMPLAINED.value: Reason.COMPLAINED.value,
    Status.SUPPRESSED.value: Reason.SUPPRESSED.value,
}


def objection(account: Account, options: Options, submitted_by: str) -> str | None:
    """Return why somebody may not enrol whom they name, None where they may."""
    named = bool(options.lists or options.records)
    if not options.program:
        return "Name the program to enrol these people into, under Program." if named else None
    if not named:
        return "Name whom to enrol: lists, records, or both."
    settings = cast(Settings, account.settings_of(SPEC))
    if settings.mapped_users_only and submitted_by not in account.users:
        return (
            f"Only mapped users may enrol people, and {submitted_by} is none; name them under "
            f"`users` in the file of account {account.name}."
        )
    return None


def enrol(inputs: Inputs) -> Plan:
    """Enrol the people and the lists that were named into the program that was.

    Raises:
        RunStopped: There is no such program or list, the program is not active, or people may not
            be enrolled into it.
    """
    program = _program(inputs)
    values = {"program_id": program["id"], "asked_at": inputs.started_at.isoformat()}
    about = {
        "target": "marketing",
        "kind": OperationKind.ENROL,
        "entity": ENROLMENT,
        "result": Result.NEW,
        "after": json.dumps({"program": program["name"]}, ensure_ascii=False),
    }
    people, left_out, notes = _people(inputs)
    lists = _lists(inputs)
    texts = [json.dumps({**values, "list_id": item}) for item in lists["id"]]
    jobs = [
        *left_out,
        job_frame(
            people,
            record_id=people["id"],
            email=people["email"],
            source="marketing",
            source_entity="contact",
            source_id=people["id"],
            values=json.dumps(values),
            **about,
        ),
        job_frame(
            lists,
            list_key=lists["list_key"],
            values=pd.Series(texts, index=lists.index, dtype=_TEXT),
            **about,
        ),
    ]
    return Plan(joined(jobs), notes=notes)


def status_of(programs: pd.DataFrame) -> pd.Series:
    """Return the status of each of these DEFINITIONS, over the same index."""
    return read_objects(programs["details"], {"status": pa.string()})[FIELD_PREFIX + "status"]


def _program(inputs: Inputs) -> pd.Series[Any]:
    known = inputs.view.definitions("marketing", PROGRAM)
    wanted, title = inputs.options.program, inputs.systems["marketing"]
    found = meant(known, wanted)
    status = status_of(found)
    allowed = cast(Settings, inputs.account.settings_of(SPEC)).enrol_into
    if allowed and not is_named(found, allowed).all():
        raise RunStopped(
            f"People may not be enrolled into `{wanted}`; choose one of {', '.join(allowed)}, or "
            "name it under `syncs: programs: enrol_into:`."
        )
    if len(found) == 1 and status.iloc[0] == ACTIVE:
        return found.iloc[0]
    if found.empty:
        raise RunStopped(f"There is no program `{wanted}` in {title}; run Programs to see them.")
    if len(found) > 1:
        raise RunStopped(f"{len(found)} programs are called `{wanted}`; give the id of one.")
    raise RunStopped(
        f"Program `{wanted}` is not active in {title} ({status.iloc[0]}); activate it there."
    )


def _lists(inputs: Inputs) -> pd.DataFrame:
    """Return `id` and `list_key` of the named lists."""
    known = inputs.view.definitions("marketing", LIST)
    rows = []
    for key in inputs.options.lists:
        name = inputs.account.lists[key].marketing
        found = meant(known, name)
        if len(found) != 1:
            number = f"There are {len(found)} lists" if len(found) else "There is no list"
            title = inputs.systems["marketing"]
            raise RunStopped(f"{number} `{name}` in {title}; correct `lists: {key}:`.")
        rows.append({"id": found["id"].iloc[0], "list_key": key})
    return pd.DataFrame(rows, columns=["id", "list_key"], dtype=_TEXT)


def _people(inputs: Inputs) -> tuple[pd.DataFrame, list[pd.DataFrame], tuple[str, ...]]:
    """Return the members to enrol, jobs of people who are not, and what the notes say."""
    ids, keys = pd.Series(inputs.options.records, dtype=_TEXT), named_keys(inputs)
    records = inputs.view.people("crm", ids=ids, email_keys=keys)
    linked = inputs.view.links(crm_ids=records["id"])
    found = inputs.view.people(
        "marketing",
        ids=pd.concat([ids, linked["marketing_id"]]),
        email_keys=pd.concat([keys, records["email_key"]]),
    )
    found = found[~found["deleted"].astype(bool)]
    theirs = linked["marketing_id"].isin(found["id"])
    met = records["id"].isin(linked.loc[theirs, "crm_id"])
    absent = records[~met & ~records["email_key"].isin(found["email_key"])]
    reason = _reasons(inputs, found)
    left_out = [
        ignored(
            absent,
            Reason.NO_MEMBER,
            source="crm",
            source_entity=absent["entity"],
            source_id=absent["id"],
            email=absent["email"],
            entity=ENROLMENT,
        ),
        ignored(
            found[reason.notna()],
            reason,
            source="marketing",
            source_entity="contact",
            source_id=found["id"],
            email=found["email"],
            entity=ENROLMENT,
        ),
    ]
    known = {*records["id"], *found["id"], *records["email_key"], *found["email_key"]}
    unknown = {*ids[~ids.str.contains("@")], *keys} - known
    verb = "is" if len(unknown) == 1 else "are"
    notes = (f"{len(unknown)} of the named records {verb} in neither system.",) if unknown else ()
    return found[reason.isna()], left_out, notes


def _reasons(inputs: Inputs, found: pd.DataFrame) -> pd.Series:
    """Return why members are not enrolled: a program mails whom it has.

    A person who may not be mailed by one of their records in the CRM is not, whichever was named.
    """
    reason = found["status"].map(_REASONS).astype(_TEXT)
    links = inputs.view.links(marketing_ids=found["id"])
    records = inputs.view.people("crm", ids=links["crm_id"], email_keys=found["email_key"])
    flagged = records[records["status"].isin(_REASONS)]
    theirs = links.loc[links["crm_id"].isin(flagged["id"]), "marketing_id"]
    barred = found["id"].isin(theirs) | _among(found["email_key"], flagged["email_key"])
    reason = reason.mask(reason.isna() & barred, Reason.DO_NOT_MAIL)
    suppressed = inputs.view.suppressions(email_keys=found["email_key"], list_ids=ACCOUNT_WIDE)
    why = suppressed.drop_duplicates("email_key").set_index("email_key")["reason"]
    told = looked_up(found["email_key"], why)
    reason = reason.mask(reason.isna(), told.map(_REASONS).astype(_TEXT))
    idle = crm_person(inputs, found.assign(record_id=found["id"]))["reason"] == Reason.INACTIVE
    reason = reason.mask(reason.isna() & idle.fillna(value=False), Reason.INACTIVE)
    return reason.mask(inputs.view.erased(found["email_key"]), Reason.ERASED)


def _among(keys: pd.Series, others: Collection[str] | pd.Series) -> pd.Series:
    return keys.notna() & keys.isin(others)
