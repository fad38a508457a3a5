"""Fields of people whom both sides have: what is to be written where, and what both then agree on.

Of several CRM records of one person, one is primary. What only another one changed is taken up as
if the platform had changed it; then all of them, and the platform, get what the merge gives.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from bothways.syncs.base import Inputs
from bothways.syncs.jobs import job_frame, joined, sentences
from bothways.syncs.two_way.affected import ENTITIES, Gathered
from bothways.syncs.two_way.divergence import leave_apart, told_apart
from bothways.syncs.two_way.values import ADDRESS_COLUMN, Values, values_of
from bothways.tables.fields import FIELD_PREFIX
from bothways.transform.fields import to_vendor, written_columns
from bothways.transform.json_rows import field_columns, json_objects
from bothways.transform.merge import Merge, differences
from bothways.vocabulary import MAILABLE_OR_PENDING, SIDES, OperationKind, Result, RoleName


@dataclass(frozen=True, slots=True)
class Agreed:
    """What people get: ``field:<name>`` columns, by person.

    Attributes:
        values: The values.
        known: True where the person has a record whose mapping has the field.
    """

    values: pd.DataFrame
    known: pd.DataFrame

    def beside(self, rows: pd.DataFrame, person: pd.Series) -> pd.DataFrame:
        """Return source records in the shared format with what their persons have agreed on."""
        overlaid = rows.copy()
        for name in self.values.columns:
            agreed = pd.Series(self.values[name].reindex(pd.Index(person)).array, rows.index)
            known = self.known[name].reindex(pd.Index(person), fill_value=False).to_numpy()
            source = rows.get(name, agreed)
            overlaid[name] = source.mask(known, agreed)
        return overlaid


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """What the fields need.

    Attributes:
        jobs: Updates of either side, with the column `person`.
        baselines: As `baselines` of Plan.keep, with the column `person`.
        agreed: What each person gets.
        notes: Values that did not fit, and conflicts, in numbers.
    """

    jobs: pd.DataFrame
    baselines: pd.DataFrame
    agreed: Agreed
    notes: tuple[str, ...]

    def of(self, persons: pd.Series) -> FieldPlan:
        """Return what concerns these persons."""
        jobs, baselines = (
            rows[rows["person"].isin(persons)].drop(columns="person") if len(rows) else rows
            for rows in (self.jobs, self.baselines)
        )
        return FieldPlan(jobs, baselines, self.agreed, self.notes)


def plan_fields(inputs: Inputs, gathered: Gathered, rows: pd.DataFrame) -> FieldPlan:
    """Merge the fields of everybody whom both sides have.

    Several CRM records of one person are merged too where the platform has no contact yet, since
    the one that is to be created gets what they agree on.

    Args:
        inputs: The plan's inputs.
        gathered: The people's records.
        rows: Persons.rows of CRM records whose fields are to be in step.
    """
    parts = [
        values_of(inputs, gathered, same, entity)
        for entity in ENTITIES
        if not (same := rows[rows["entity"] == entity]).empty
    ]
    if not parts:
        return FieldPlan(joined([]), pd.DataFrame(), Agreed(pd.DataFrame(), pd.DataFrame()), ())
    parts = leave_apart(inputs, parts)
    proposals = _proposals(parts)
    decided = [_decide(part, proposals) for part in parts]
    owners = _owners(parts)
    agreed = _agreed(parts, decided, owners)
    jobs: list[pd.DataFrame] = []
    kept: list[pd.DataFrame] = []
    notes: list[str] = []
    for part, verdict, own in zip(parts, decided, owners, strict=True):
        writing = _writing(part, verdict, own, agreed, told=_told_elsewhere(inputs, part))
        conflicts = _conflicts_of(verdict, own)
        jobs += [_updates(part, writing, conflicts, side) for side in SIDES]
        jobs.append(told_apart(part))
        kept.append(_baselines(part, writing))
        notes += _notes(inputs, part, conflicts)
    return FieldPlan(
        joined(jobs),
        pd.concat(kept, ignore_index=True),
        _values_by_person(parts, decided, agreed),
        tuple(notes),
    )


def _values_by_person(parts: list[Values], decided: list[Merge], agreed: pd.DataFrame) -> Agreed:
    """Return what each person has in the end; those with one record have what it was merged to."""
    values, known = [agreed] if len(agreed) else [], []
    for part, verdict in zip(parts, decided, strict=True):
        alone = ~part.rows["person"].isin(agreed.index)
        values.append(
            verdict.values[alone].set_axis(pd.Index(part.rows.loc[alone, "person"]), axis=0)
        )
        everybody = pd.Index(part.rows["person"]).drop_duplicates()
        known.append(pd.DataFrame(data=True, index=everybody, columns=part.crm.columns))
    known_by = pd.concat(known).groupby(level=0).max() if len(known) > 1 else known[0]
    return Agreed(
        pd.concat(values).drop(columns=ADDRESS_COLUMN),
        known_by.fillna(value=False).astype(bool).drop(columns=ADDRESS_COLUMN),
    )


@dataclass(frozen=True, slots=True)
class _Writing:
    """What is to be written where; frames over the pairs' index, columns ``field:<name>``."""

    values: pd.DataFrame
    to: dict[RoleName, pd.DataFrame]


def _proposals(parts: list[Values]) -> pd.DataFrame:
    """Return what records that are not primary changed on their own, by person; null where nothing.

    Fields without a baseline are left out: there is no telling whether they changed.
    """
    found = []
    for part in parts:
        others = part.only(~part.rows["is_primary"] & part.base["known"].notna())
        if others.rows.empty:
            continue
        merged = others.merge()
        changed = merged.values.where(merged.to_marketing).drop(columns=list(part.without_base))
        found.append(changed.assign(person=others.rows["person"]))
    if not found:
        return pd.DataFrame()
    return pd.concat(found).groupby("person", sort=True).first()


def _decide(part: Values, proposals: pd.DataFrame) -> Merge:
    """Merge each pair; for a primary record, what the person's other records changed counts too."""
    person = pd.Index(part.rows["person"])
    marketing = part.marketing
    for name in proposals.columns.intersection(marketing.columns):
        proposed = pd.Series(proposals[name].reindex(person).array, index=marketing.index)
        proposed = proposed.where(part.rows["is_primary"]).fillna(marketing[name])
        marketing = marketing.assign(**{name: proposed})
    return replace(part, marketing=marketing).merge()


def _owners(parts: list[Values]) -> list[pd.DataFrame]:
    """Return which fields each pair decides for its person: one pair per person and field.

    The primary record decides all fields of its entity's mapping; another entity's own fields are
    decided by the first record of that entity.
    """
    primary = pd.concat([part.rows[part.rows["is_primary"]] for part in parts])
    entity_of = primary.drop_duplicates("person").set_index("person")["entity"]
    owners = []
    for part in parts:
        person = pd.Index(part.rows["person"])
        decided_by = pd.Series(entity_of.reindex(person).array, index=part.rows.index)
        order = part.rows.sort_values(
            ["person", "is_primary", "crm_id"], ascending=[True, False, True]
        )
        first = part.rows.index.isin(order.drop_duplicates("person").index)
        covered = {other.mapping.entity: set(other.crm.columns) for other in parts}
        own = {}
        for name in part.crm.columns:
            having = [entity for entity, names in covered.items() if name in names]
            own[name] = part.rows["is_primary"] | (~decided_by.isin(having) & first)
        owners.append(pd.DataFrame(own, index=part.rows.index).astype(bool))
    return owners


def _agreed(parts: list[Values], decided: list[Merge], owners: list[pd.DataFrame]) -> pd.DataFrame:
    """Return, by person, what all records of those with several get; null where nobody decides."""
    shared = _shared_persons(parts)
    if shared.empty:
        return pd.DataFrame()
    found = []
    for part, verdict, own in zip(parts, decided, owners, strict=True):
        keep = part.rows["person"].isin(shared)
        values = verdict.values[keep].where(own[keep])
        found.append(values.assign(person=part.rows.loc[keep, "person"]))
    return pd.concat(found).groupby("person", sort=True).first()


def _shared_persons(parts: list[Values]) -> pd.Series:
    person: pd.Series = pd.concat([part.rows["person"] for part in parts])
    return person[person.duplicated()].drop_duplicates()


def _writing(
    part: Values, verdict: Merge, own: pd.DataFrame, agreed: pd.DataFrame, *, told: pd.Series
) -> _Writing:
    """Compare the records of persons with several with what the person agrees on.

    What travels to the CRM alone is left to the scope that tells it first: the scopes never come
    to agree on it, and would overwrite each other for ever.
    """
    several = part.rows["person"].isin(agreed.index)
    values = verdict.values.reindex(columns=part.crm.columns)
    to: dict[RoleName, pd.DataFrame] = {"crm": verdict.to_crm, "marketing": verdict.to_marketing}
    if several.any():
        shared = agreed.reindex(columns=part.crm.columns).reindex(pd.Index(part.rows["person"]))
        values = values.where(~several, shared.set_axis(part.rows.index, axis=0))
        readable = _readable(part)
        for side, mine in (("crm", part.crm), ("marketing", part.marketing)):
            apart = differences(mine, values, part.mapping) & readable
            to[side] = to[side].where(~several, apart)
    to = {side: wanted.astype(bool) & _travelling(part, side) for side, wanted in to.items()}
    to["marketing"] &= own
    if told.any():
        for name in part.crm.columns[~_travelling(part, "marketing")]:
            to["crm"][name] &= ~told
    return _Writing(values, to)


def _told_elsewhere(inputs: Inputs, part: Values) -> pd.Series:
    """Return a mask of pairs whose CRM record an earlier scope fills, from another contact.

    The fields of somebody who may not be mailed do not travel: then the next scope's count.
    """
    told = pd.Series(data=False, index=part.rows.index)
    for view in inputs.earlier:
        links = view.links(entity=part.mapping.entity, crm_ids=part.rows["crm_id"].dropna())
        people = view.people("marketing", ids=links["marketing_id"])
        mailable = people.loc[people["status"].isin(MAILABLE_OR_PENDING), "id"]
        filled = links.loc[links["marketing_id"].isin(mailable), "crm_id"]
        told |= part.rows["crm_id"].isin(filled).fillna(value=False).astype(bool)
    return told


def _readable(part: Values) -> pd.DataFrame:
    """Return which fields of a pair could be read on both sides."""
    readable = pd.DataFrame(data=True, index=part.rows.index, columns=part.crm.columns)
    for unfit in part.unfit:
        for name in unfit.columns.intersection(readable.columns):
            lost = unfit[name].reindex(readable.index).fillna(value=False)
            readable[name] &= ~lost.astype(bool)
    return readable


def _travelling(part: Values, side: RoleName) -> pd.Series:
    return pd.Series(
        {FIELD_PREFIX + name: item.travels_to(side) for name, item in part.mapping.fields.items()}
    ).reindex(part.crm.columns, fill_value=False)


def _updates(
    part: Values, writing: _Writing, conflicts: pd.DataFrame, side: RoleName
) -> pd.DataFrame:
    """Return the updates of one side; the loser of a conflict stands in `before`."""
    mask = writing.to[side]
    changed = (
        mask.any(axis=1) & part.rows["marketing_id" if side == "marketing" else "crm_id"].notna()
    )
    if not changed.any():
        return joined([])
    rows, mask = part.rows[changed], mask[changed]
    new = writing.values[changed]
    before = (part.crm if side == "crm" else part.marketing)[changed]
    written = to_vendor(new, part.mapping, side)
    columns = written_columns(part.mapping, side)
    vendor_mask = mask[mask.columns.intersection([*columns])].rename(columns=columns)
    crm, contact = rows["crm_id"], rows["marketing_id"]
    return job_frame(
        rows,
        target=side,
        kind=OperationKind.UPDATE,
        result=Result.UPDATED,
        entity=part.mapping.entity if side == "crm" else "contact",
        record_id=crm if side == "crm" else contact,
        source_id=contact if side == "crm" else crm,
        email=rows["marketing_email"].fillna(rows["crm_email"]),
        reason=_conflict_reasons(conflicts).reindex(rows.index),
        values=json_objects(
            written.frame, field_columns(written.frame), mask=vendor_mask, without=written.unfit
        ),
        before=json_objects(before, field_columns(before), mask=mask),
        after=json_objects(new, field_columns(new), mask=mask),
        source="marketing" if side == "crm" else "crm",
        source_entity="contact" if side == "crm" else part.mapping.entity,
    ).assign(person=rows["person"])


def _conflicts_of(verdict: Merge, own: pd.DataFrame) -> pd.DataFrame:
    """Return the conflicts of those who decide for their person."""
    found = verdict.conflicts
    deciding = own.reindex(found["row"].unique()).any(axis=1)
    return found[found["row"].isin(deciding[deciding].index)]


def _conflict_reasons(conflicts: pd.DataFrame) -> pd.Series:
    """Return, for the pairs with a conflict, which fields it was about."""
    if conflicts.empty:
        return pd.Series(dtype="string")
    return "conflict: " + conflicts.groupby("row")["field"].agg(", ".join).astype("string")


def _baselines(part: Values, writing: _Writing) -> pd.DataFrame:
    """Keep what is new to the base: first agreements, and what this plan changes."""
    known = part.base["known"].fillna(value=False).astype(bool)
    moved = differences(part.base, writing.values, part.mapping).any(axis=1)
    keep = ~known | moved
    mask = None
    if part.apart is not None:
        keep |= part.apart.over.any(axis=1)
        mask = ~part.apart.held[keep]
    values = writing.values[keep]
    return pd.DataFrame(
        {
            "entity": part.mapping.entity,
            "crm_id": part.rows.loc[keep, "crm_id"],
            "marketing_id": part.rows.loc[keep, "marketing_id"],
            "key": part.rows.loc[keep, "crm_email_key"],
            "values": json_objects(values, field_columns(values), mask=mask),
            "person": part.rows.loc[keep, "person"],
        }
    )


def _notes(inputs: Inputs, part: Values, conflicts: pd.DataFrame) -> list[str]:
    counted = conflicts.value_counts(["field", "winner"], sort=False).reset_index()
    told = [
        f"{number} {'conflict' if number == 1 else 'conflicts'} in {field} of "
        f"{part.mapping.entity}: {inputs.systems.get(winner, winner)} won"
        for field, winner, number in counted.itertuples(index=False)
    ]
    return [*told, *sentences(f"{part.mapping.entity}s", part.problems)]
