"""What the sync of preferences reads and decides: who wants what, by their newest choice.

A choice belongs to the person, not to an address: whoever is linked keeps theirs when the address
changes. What both systems agree on is kept with the platform's member, for one CRM record, so that
a choice that differs from it was made since. Nobody becomes mailable by a preference.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, cast

import pandas as pd
import pyarrow as pa

from bothways.config.account import Account
from bothways.streams.attributes import (
    ATTRIBUTE,
    PreferenceOptIns,
    chosen_name,
)
from bothways.streams.definitions import Preferences
from bothways.streams.people import People
from bothways.syncs.base import Dataset, Inputs, Plan, Request, SyncType
from bothways.syncs.jobs import chosen, due, ignored, job_frame, joined, unchanged
from bothways.syncs.persons import crm_person
from bothways.syncs.preferences import SPEC, Settings
from bothways.tables.fields import FIELD_PREFIX
from bothways.transform.columns import looked_up
from bothways.transform.json_rows import json_objects, read_objects
from bothways.transform.named import meant
from bothways.vocabulary import (
    MAILABLE_OR_PENDING,
    PREFERENCE,
    FieldType,
    OperationKind,
    Reason,
    Result,
    RoleName,
)

MEMBERS: Final = "contacts"
PREFERENCES: Final = "preferences"
OPT_INS: Final = "opt_ins"

_AGREED_WITH: Final = "preference_agreed_with"
_FLAG: Final = pd.ArrowDtype(pa.bool_())
_TEXT: Final = pd.ArrowDtype(pa.string())


@dataclass(frozen=True, slots=True)
class _Choice:
    """One preference of everybody, and what is to become of it: series over the same index.

    Attributes:
        value: What both systems have once it is written; null where nobody has chosen.
        to_crm: Where it is written to the CRM.
        to_platform: Where it is written to the platform.
    """

    value: pd.Series
    to_crm: pd.Series
    to_platform: pd.Series


@dataclass(frozen=True, slots=True)
class _Decisions:
    """What is to become of everybody's preferences: frames by the ids of the preferences.

    Attributes:
        values: What both systems have once it is written.
        to_crm: What is written to the CRM.
        to_platform: What is written to the platform.
        barred: Opt-ins that are not written, since the person may not be mailed.
        before: What each side has.
        base: What both systems last agreed on.
        titles: What people call each preference → its id.
    """

    values: pd.DataFrame
    to_crm: pd.DataFrame
    to_platform: pd.DataFrame
    barred: pd.DataFrame
    before: Mapping[RoleName, pd.DataFrame]
    base: pd.DataFrame
    titles: Mapping[str, str]

    def written(self, side: RoleName, names: Mapping[str, str]) -> dict[str, object]:
        """Return what the jobs of a side say of its writes.

        Args:
            side: Where they are written.
            names: What a preference is called there → its id.
        """
        mask = self.to_crm if side == "crm" else self.to_platform
        return {
            "target": side,
            "values": json_objects(self.values, names, mask),
            "before": json_objects(self.before[side], self.titles, mask),
            "after": json_objects(self.values, self.titles, mask),
        }


def datasets(request: Request) -> list[Dataset]:
    """Read members, preferences and who chose what; of the CRM, people with the columns."""
    columns = _settings(request.account).columns()
    if not columns:
        return []
    if request.side == "marketing":
        wanted = tuple(sorted({name for known in columns.values() for name in known}))
        return [
            Dataset(MEMBERS, People(entity="contact", everybody=True)),
            Dataset(PREFERENCES, Preferences()),
            Dataset(OPT_INS, PreferenceOptIns(sliced_by=PREFERENCES, wanted=wanted)),
        ]
    only_active = request.account.settings.only_open_leads_and_active_contacts
    return [
        Dataset(
            f"{entity}s",
            People(entity=entity, fields=dict.fromkeys(known.values(), FieldType.BOOLEAN)),
            rules={"only_active": only_active},
        )
        for entity, known in columns.items()
        if entity in request.entities
    ]


def plan(inputs: Inputs) -> Plan:
    """Decide on each preference of each person who entered."""
    columns = _settings(inputs.account).columns()
    if not columns:
        return Plan(joined([]), notes=("No columns are mapped, so nothing was synced.",))
    known = inputs.view.definitions("marketing", PREFERENCE)
    by_id = {entity: _by_id(known, named) for entity, named in columns.items()}
    by_id = {entity: found for entity, found in by_id.items() if found}
    notes = _unknown(inputs, known, columns)
    if not by_id:
        return Plan(joined([]), notes=notes)
    members = _entered(inputs, columns, sorted({key for found in by_id.values() for key in found}))
    people = crm_person(inputs, members.assign(record_id=members["id"]), by_id)
    members = members.assign(**people)
    reason = members["reason"].mask(_is_anothers(inputs, members), Reason.NO_CRM_RECORD.value)
    erased = inputs.view.erased(members["email_key"])
    members = members.assign(reason=reason.mask(erased, Reason.ERASED.value))
    no_news = ~members["asked"] & members["reason"].eq(Reason.NO_CRM_RECORD).fillna(value=False)
    members = members[~no_news]
    left_out = members["reason"].notna()
    jobs = [ignored(members[left_out], members["reason"], **_from_platform(members))]
    keep = []
    for entity, rows in members[~left_out].groupby("person_entity", sort=True):
        columns_of = by_id[str(entity)]
        titles = _titles(known, columns_of)
        made = _decisions(inputs, str(entity), columns_of, titles, rows)
        jobs += _jobs(str(entity), columns_of, rows, made)
        keep.append(_agreed(rows, made))
    return Plan(
        joined(jobs),
        notes=notes,
        keep={"attributes": pd.concat(keep)} if keep else {},
    )


def decide(platform: pd.Series, crm: pd.Series, base: pd.Series) -> _Choice:
    """Decide on one preference of many people; flags may be null, where nobody has chosen.

    A choice that differs from the base was made since both agreed, so that it is the newest one:
    of yes and no, what both systems have changed since is the same. Before both have ever agreed,
    what the person chose on the platform counts; a no in the CRM is then as good as none, since
    that is what a column holds that nobody has filled in.

    Args:
        platform: What the platform has.
        crm: What the CRM's column has; one that was emptied is filled in again.
        base: What both last agreed on; null where they never did.
    """
    first, said, noted = base.isna(), platform.notna(), crm.notna()
    moved = said & (first | platform.ne(base).fillna(value=False))
    edited = noted & crm.ne(base).fillna(value=False)
    edited = edited.mask(first, ~said & crm.eq(other=True).fillna(value=False))
    from_crm = edited & ~moved
    from_platform = said & ~from_crm
    differ = platform.ne(crm).fillna(value=True)
    value = base.mask(first & noted, crm).mask(from_platform, platform).mask(from_crm, crm)
    return _Choice(value.astype(_FLAG), from_platform & differ, from_crm & differ)


def _decisions(
    inputs: Inputs,
    entity: str,
    columns: Mapping[str, str],
    titles: Mapping[str, str],
    rows: pd.DataFrame,
) -> _Decisions:
    """Decide on all preferences of people with a CRM record of this entity."""
    fields = dict.fromkeys(columns.values(), FieldType.BOOLEAN)
    records = inputs.view.people("crm", entity=entity, ids=rows["person_id"], fields=fields)
    records = records.set_index("id")
    same = rows[_field(_AGREED_WITH)].eq(rows["person_id"]).fillna(value=False)
    crm = {
        key: looked_up(rows["person_id"], records[FIELD_PREFIX + column])
        for key, column in columns.items()
    }
    platform = {key: rows[_field(chosen_name(key))] for key in columns}
    base = {key: rows[_field(_agreed_name(key))].where(same) for key in columns}
    found = {key: decide(platform[key], crm[key], base[key]) for key in columns}
    values = pd.DataFrame({key: item.value for key, item in found.items()})
    wanted = pd.DataFrame({key: item.to_platform for key, item in found.items()})
    # An opt-in is of no use to somebody who may not be mailed; an opt-out always is.
    unmailable = ~rows["status"].isin(MAILABLE_OR_PENDING).to_numpy()
    barred = wanted & values.fillna(value=False).astype(bool) & unmailable[:, None]
    return _Decisions(
        values=values,
        to_crm=pd.DataFrame({key: item.to_crm for key, item in found.items()}),
        to_platform=wanted & ~barred,
        barred=barred,
        before={"crm": pd.DataFrame(crm), "marketing": pd.DataFrame(platform)},
        base=pd.DataFrame(base),
        titles=titles,
    )


def _jobs(
    entity: str, columns: Mapping[str, str], rows: pd.DataFrame, made: _Decisions
) -> list[pd.DataFrame]:
    """Return the jobs of people with a CRM record of this entity."""
    to_crm, to_platform = made.to_crm.any(axis=1), made.to_platform.any(axis=1)
    barred = made.barred.any(axis=1) & ~to_crm & ~to_platform
    from_crm = {
        "source": "crm",
        "source_entity": entity,
        "source_id": rows["person_id"],
        "email": rows["email"],
        "entity": PREFERENCE,
    }
    update = {"kind": OperationKind.UPDATE, "result": Result.UPDATED}
    return [
        ignored(rows[barred], Reason.DO_NOT_MAIL, **from_crm),
        unchanged(rows[~barred & ~to_crm & ~to_platform], **_from_platform(rows)),
        job_frame(
            rows[to_crm],
            **_from_platform(rows) | {"entity": entity, "record_id": rows["person_id"]},
            **update | made.written("crm", {column: key for key, column in columns.items()}),
        ),
        job_frame(
            rows[to_platform],
            **from_crm | {"record_id": rows["id"]},
            **update | made.written("marketing", {key: key for key in columns}),
        ),
    ]


def _agreed(rows: pd.DataFrame, made: _Decisions) -> pd.DataFrame:
    """Return what both systems agree on once the jobs are written, for the ledger to keep.

    What the platform has then is kept as well: the next run may be unable to read it.
    """
    values = made.values.mask(made.barred, made.base)
    there = values.where(values.notna() & ~made.barred, made.before["marketing"])
    there = there.rename(columns=chosen_name)
    agreed = values.rename(columns=_agreed_name).join(there).add_prefix(ATTRIBUTE)
    agreed[ATTRIBUTE + _AGREED_WITH] = rows["person_id"]
    return pd.DataFrame(
        {
            "entity": "contact",
            "marketing_id": rows["id"],
            "values": json_objects(agreed, {str(name): str(name) for name in agreed}),
        }
    )


def _entered(
    inputs: Inputs, columns: Mapping[str, Mapping[str, str]], keys: list[str]
) -> pd.DataFrame:
    """Return the members who entered, with what is known of their choices among these ids.

    Whoever is new on the platform, or may be mailed again, enters too: the CRM may have had a
    choice of theirs for long. `asked` is false of those about whom there is nothing else to tell.
    """
    told = inputs.staged.read("marketing", OPT_INS)
    told = told if not told.empty else pd.DataFrame(columns=["member_id", "email_key"])
    told = told.rename(columns={"member_id": "source_id"})[["source_id", "email_key"]]
    told = pd.concat([chosen(inputs, told, "source_id"), due(inputs, "marketing", "contact")])
    changed = [inputs.staged.read("crm", f"{entity}s") for entity in columns]
    people = [rows[["id", "email_key"]] for rows in changed if not rows.empty]
    again = [due(inputs, "crm", entity).rename(columns={"source_id": "id"}) for entity in columns]
    records = pd.concat([*people, *(rows[["id", "email_key"]] for rows in again)])
    records = chosen(inputs, records, "id")
    linked = inputs.view.links(crm_ids=records["id"])["marketing_id"]
    members = inputs.staged.read("marketing", MEMBERS)
    changes = chosen(inputs, members, "id")["id"] if len(members) else pd.Series(dtype=_TEXT)
    types = {
        **{chosen_name(key): FieldType.BOOLEAN for key in keys},
        **{_agreed_name(key): FieldType.BOOLEAN for key in keys},
        _AGREED_WITH: FieldType.STRING,
    }
    found = inputs.view.people(
        "marketing",
        ids=pd.concat([told["source_id"], linked, changes]),
        email_keys=records["email_key"],
        fields={ATTRIBUTE + name: kind for name, kind in types.items()},
    )
    asked = found["id"].isin(told["source_id"]) | found["id"].isin(linked)
    asked |= found["email_key"].isin(records["email_key"].dropna())
    return found.assign(asked=asked.astype(bool))[~found["deleted"].astype(bool)]


def _is_anothers(inputs: Inputs, members: pd.DataFrame) -> pd.Series:
    """Return who would share a record, by its address, with the member that it is linked to."""
    links = inputs.view.links(crm_ids=members["person_id"].dropna())
    is_linked = members["id"].isin(links["marketing_id"])
    return (members["person_id"].isin(links["crm_id"]) & ~is_linked).astype(bool)


def _by_id(known: pd.DataFrame, named: Mapping[str, str]) -> dict[str, str]:
    """Return columns by the ids of the preferences that they are for."""
    found = ((meant(known, name)["id"], column) for name, column in named.items())
    return {ids.iloc[0]: column for ids, column in found if len(ids) == 1}


def _titles(known: pd.DataFrame, ids: Collection[str]) -> dict[str, str]:
    """Return the ids of preferences by their names; one whose name another has too, by its id."""
    found = known[known["id"].isin(list(ids))]
    shared = found["name"].isna() | found["name"].duplicated(keep=False)
    return dict(zip(found["name"].mask(shared, found["id"]), found["id"], strict=True))


def _unknown(
    inputs: Inputs, known: pd.DataFrame, columns: Mapping[str, Mapping[str, str]]
) -> tuple[str, ...]:
    """Return a sentence for each name in the settings that is not that of one preference."""
    named = sorted({name for entity in columns.values() for name in entity})
    title = inputs.systems["marketing"]
    found = (_problem(title, known, name) for name in named)
    return tuple(f"{told} under `syncs: preferences:`." for told in found if told)


def _problem(title: str, known: pd.DataFrame, name: str) -> str:
    """Return what is wrong with the name of a preference, and what to do; "" where it is one's."""
    ids = meant(known, name)["id"]
    if len(ids) == 1:
        return ""
    if len(ids):
        told = " or ".join(ids)
        return f"{title} has {len(ids)} preferences called `{name}`; name yours by its id ({told})"
    groups = read_objects(known["details"], {"category": pa.string()})[f"{FIELD_PREFIX}category"]
    if name.casefold() in set(groups.dropna().str.casefold()):
        return f"`{name}` is a category in {title}; name the preferences in it"
    return f"There is no preference `{name}` in {title}; correct its name"


def _from_platform(rows: pd.DataFrame) -> dict[str, object]:
    return {
        "source": "marketing",
        "source_entity": "contact",
        "source_id": rows["id"],
        "email": rows["email"],
        "entity": "contact",
    }


def _agreed_name(preference: str) -> str:
    return f"preference_agreed:{preference}"


def _field(attribute: str) -> str:
    return FIELD_PREFIX + ATTRIBUTE + attribute


def _settings(account: Account) -> Settings:
    return cast(Settings, account.settings_of(SPEC))


SYNC: Final = SyncType(datasets, plan)
