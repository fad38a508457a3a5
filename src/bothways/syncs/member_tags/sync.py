"""What the sync of people's tags reads, and who gets or loses which tag on which side.

A person has a tag on the platform, a row in the CRM, or both; what both sides last agreed on tells
which of them changed. Until they have agreed once, nothing is removed: whoever has the tag on one
side gets it on the other. A tag makes nobody mailable; people who may not be mailed keep theirs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from bothways.records import RecordKind
from bothways.streams.attributes import ATTRIBUTE, MEMBER_TAGS, MemberTags
from bothways.streams.people import People
from bothways.streams.person_records import PersonRecords
from bothways.syncs.base import Dataset, Inputs, Plan, Request, SyncType
from bothways.syncs.definitions import read_ids, settled, waiting, with_deleted, with_details
from bothways.syncs.jobs import chosen, due, ignored, job_frame, joined, unchanged
from bothways.syncs.member_tags import OF_PEOPLE, SPEC
from bothways.syncs.persons import crm_person
from bothways.syncs.tags import AUDIENCE, CATEGORY
from bothways.syncs.tags.pairing import agreed_members
from bothways.syncs.tags.sync import changes_of, follows
from bothways.tables.fields import FIELD_PREFIX
from bothways.transform.columns import looked_up
from bothways.transform.json_rows import json_objects
from bothways.vocabulary import (
    MEMBER_TAG,
    FieldType,
    MembershipState,
    OperationKind,
    Reason,
    Result,
)

MEMBERS: Final = "contacts"
TAGS: Final = "member_tags"

_TEXT: Final = pd.ArrowDtype(pa.string())
_HAS: Final = f"{FIELD_PREFIX}{ATTRIBUTE}{MEMBER_TAGS}"
_UNSAFE: Final = r"[^A-Za-z0-9_.-]"
_PAIR: Final = ["member", "tag"]


def datasets(request: Request) -> list[Dataset]:
    """Read members and their tags; of the CRM people, all rows, and those that have changed."""
    if request.side == "marketing":
        return [
            Dataset(MEMBERS, People(entity="contact", everybody=True)),
            Dataset(TAGS, MemberTags()),
        ]
    rules = {"only_active": request.account.settings.only_open_leads_and_active_contacts}
    people = [
        Dataset(f"{entity}s", People(entity=entity), rules=rules) for entity in request.entities
    ]
    rows = [
        Dataset(name, PersonRecords(kind=kind.name, everything=name == kind.name))
        for kind in OF_PEOPLE
        for name in (kind.name, changes_of(kind))
    ]
    return [*people, *rows]


def plan(inputs: Inputs) -> Plan:
    """Decide on each tag of each person who entered, in one partition: rows may lack an address."""
    if inputs.partition:
        return Plan(joined([]))
    return _Planning(inputs).plan()


class _Planning:
    """A plan in the making."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        self._tags = _tags(inputs)
        self._states = _states(inputs, self._tags)
        self._rows = _rows(inputs, self._tags, self._states)
        self._members = self._entered()
        self._had = self._members[["id", _HAS]].rename(columns={"id": "member", _HAS: "tag"})
        self._had = self._had.assign(tag=self._had["tag"].str.split(" ")).explode("tag")
        self._had = self._had.astype({"tag": _TEXT})
        self._had = self._had[self._had["tag"].fillna("").ne("")].reset_index(drop=True)
        self._pairs = self._paired()

    def plan(self) -> Plan:
        pairs = self._pairs
        has, row, agreed = pairs["has"], pairs["row"].notna(), pairs["agreed"]
        give, take = pairs[~has & row & ~agreed], pairs[has & ~row & agreed]
        write, remove = pairs[has & ~row & ~agreed], pairs[~has & row & agreed]
        same = pairs[has & row & pairs["told"]]
        write = write.assign(**self._people_of(write))
        left_out = write["reason"].notna()
        jobs = joined(
            [
                unchanged(same, **self._from_platform(same)),
                ignored(write[left_out], write["reason"], **self._from_platform(write)),
                *self._strangers(),
                self._to_platform(give, OperationKind.CREATE, Result.NEW, give["row"]),
                self._to_platform(take, OperationKind.DELETE, Result.DELETED, take["member"]),
                *(self._written(part, kind) for part, kind in _by_kind(write[~left_out])),
                *(self._removed(part, kind) for part, kind in _by_kind(remove)),
            ]
        )
        both = pd.concat([pairs[has & row & ~agreed], give, write[~left_out]])
        gone = pairs[agreed & ~(has & row)]
        states = [
            self._joined(both),
            self._left(take, MembershipState.LEFT_CRM),
            self._left(gone.drop(take.index), MembershipState.LEFT_MARKETING),
        ]
        return Plan(
            joined([jobs, settled(self._inputs, jobs)]),
            keep={
                "states": pd.concat(states, ignore_index=True),
                "attributes": self._now(give, take),
            },
        )

    # ── who enters ────────────────────────────────────────────────────────────────────────────

    def _entered(self) -> pd.DataFrame:
        """Return members whose tags may have changed on either side, with all their tags."""
        inputs = self._inputs
        told = read_ids(inputs, "marketing", TAGS, "member_id")
        again = due(inputs, "marketing", "contact")["source_id"]
        people = [inputs.staged.read_all("crm", f"{name}s") for name in ("contact", "lead")]
        known = pd.concat(
            [rows[["id", "email_key"]] for rows in people if not rows.empty]
            or [pd.DataFrame({"id": [], "email_key": []}, dtype=_TEXT)]
        )
        linked = inputs.view.links(crm_ids=known["id"])["marketing_id"]
        ids = [told, again, linked, self._rows["member"], self._states["member"]]
        members = inputs.view.people(
            "marketing",
            ids=pd.concat([one.astype(_TEXT) for one in ids]),
            email_keys=known["email_key"],
            fields={f"{ATTRIBUTE}{MEMBER_TAGS}": FieldType.STRING},
        )
        return members.assign(told=members["id"].isin(told))

    def _paired(self) -> pd.DataFrame:
        """Return each tag of each member: who has it, the first row of it, what was agreed."""
        inputs = self._inputs
        mine = self._rows.dropna(subset="member").drop_duplicates(_PAIR)
        mine = mine[[*_PAIR, "row", "person_entity", "person_id"]]
        states = self._states.drop_duplicates(_PAIR)[_PAIR]
        pairs = self._had.assign(has=True).merge(mine, how="outer", on=_PAIR)
        pairs = pairs.merge(states.assign(agreed=True), how="outer", on=_PAIR)
        flags = {name: pairs[name].fillna(value=False).astype(bool) for name in ("has", "agreed")}
        pairs = pairs.assign(**flags).merge(self._tags, on="tag")
        about = self._members[["id", "email", "email_key", "told"]]
        pairs = pairs.merge(about.rename(columns={"id": "member"}), on="member")
        # A table that had several rows and has none was recreated: nobody has lost a tag.
        several = pairs["agreed"].groupby(pairs["kind"]).transform("sum") > 1
        emptied = several & ~pairs["kind"].isin(self._rows["kind"])
        pairs = pairs.assign(agreed=pairs["agreed"] & ~emptied, has=pairs["has"] & pairs["there"])
        # Nobody has a tag that was deleted; its rows go only if deletions are carried over.
        pairs = pairs[pairs["there"] | (pairs["agreed"] & follows(inputs.account))]
        changed = _changed(inputs)
        asleep = waiting(inputs, SPEC.name, "marketing", pairs["member"], changed)
        for ids in ("row", "member"):
            asleep |= waiting(inputs, SPEC.name, "crm", pairs[ids], changed)
        pairs = pairs[~asleep | pairs["row"].isin(changed)]
        return chosen(inputs, pairs, "member", "row", "person_id").reset_index(drop=True)

    def _people_of(self, pairs: pd.DataFrame) -> pd.DataFrame:
        """Return the CRM record of each pair's member, or why there is none to write to."""
        members = pairs.drop_duplicates("member").set_index("member", drop=False)
        found = crm_person(self._inputs, members.assign(record_id=members["member"]))
        # A record that is linked to another member of the audience belongs to that member, who
        # would get the tag.
        links = self._inputs.view.links(crm_ids=found["person_id"].dropna())
        owners = links.drop_duplicates(["crm_id", "scope"]).set_index(["crm_id", "scope"])
        mine = pd.MultiIndex.from_arrays([found["person_id"], members["scope"]])
        owner = pd.Series(owners["marketing_id"].reindex(mine).array, index=found.index)
        others = (owner.notna() & owner.ne(members["member"])).fillna(value=False)
        erased = self._inputs.view.erased(members["email_key"])
        reason = found["reason"].mask(others, Reason.NO_CRM_RECORD.value)
        found = found.assign(reason=reason.mask(erased, Reason.ERASED.value))
        return pd.DataFrame({name: looked_up(pairs["member"], found[name]) for name in found})

    # ── jobs ──────────────────────────────────────────────────────────────────────────────────

    def _strangers(self) -> Iterator[pd.DataFrame]:
        """Yield jobs for new rows of people whom the platform does not have."""
        rows = self._rows
        rows = rows[rows["member"].isna() & rows["row"].isin(_changed(self._inputs))]
        for part, kind in _by_kind(rows):
            about = {"source": "crm", "source_entity": kind.name, "source_id": part["row"]}
            yield ignored(part, Reason.NO_MEMBER, **about, email=part["email"], entity=kind.name)

    def _to_platform(
        self, pairs: pd.DataFrame, kind: OperationKind, result: Result, ids: pd.Series
    ) -> pd.DataFrame:
        named = json_objects(pairs, {"name": "name"})
        given = kind == OperationKind.CREATE
        return job_frame(
            pairs,
            target="marketing",
            kind=kind,
            entity=MEMBER_TAG,
            record_id=pairs["member"],
            key=_key(pairs),
            email=pairs["email"],
            values=json_objects(pairs, {"list_id": "list"}),
            before=None if given else named,
            after=named if given else None,
            result=result,
            source="crm",
            source_entity=pairs["kind"],
            source_id=ids,
        )

    def _written(self, pairs: pd.DataFrame, kind: RecordKind) -> pd.DataFrame:
        names = ("name", "email", "person_entity", "person_id")
        told = {kind.parent_value: "tag", **{name: name for name in names}}
        return job_frame(
            pairs,
            target="crm",
            kind=OperationKind.UPSERT,
            key=_key(pairs),
            values=json_objects(pairs, told),
            after=json_objects(pairs, {kind.parent_value: "tag", "name": "name"}),
            result=Result.NEW,
            **self._from_platform(pairs) | {"entity": kind.name},
        )

    def _removed(self, pairs: pd.DataFrame, kind: RecordKind) -> pd.DataFrame:
        """Delete all rows of these pairs."""
        rows = pairs.drop(columns="row").merge(self._rows[[*_PAIR, "row"]], on=_PAIR)
        return job_frame(
            rows,
            target="crm",
            kind=OperationKind.DELETE,
            record_id=rows["row"],
            before=json_objects(rows, {"name": "name"}),
            result=Result.DELETED,
            **self._from_platform(rows) | {"entity": kind.name},
        )

    @staticmethod
    def _from_platform(pairs: pd.DataFrame) -> dict[str, Any]:
        return {
            "source": "marketing",
            "source_entity": "contact",
            "source_id": pairs["member"],
            "email": pairs["email"],
            "entity": MEMBER_TAG,
        }

    # ── what is kept ──────────────────────────────────────────────────────────────────────────

    @staticmethod
    def _joined(pairs: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "crm_list_id": pairs["tag"],
                "marketing_list_id": pairs["tag"],
                "entity": pairs["person_entity"],
                "crm_id": pairs["person_id"],
                "marketing_id": pairs["member"],
                "state": MembershipState.JOINED.value,
            }
        )

    def _left(self, pairs: pd.DataFrame, state: MembershipState) -> pd.DataFrame:
        """End what was agreed on for these pairs, with any record of the person."""
        known = self._states.merge(pairs[_PAIR], on=_PAIR)
        return self._joined(known).assign(state=state.value)

    def _now(self, give: pd.DataFrame, take: pd.DataFrame) -> pd.DataFrame:
        """Return the tags that members have after the write: the next read may not report them."""
        moved = pd.concat([give["member"], take["member"]])
        has = pd.concat([self._had[_PAIR], give[_PAIR]])
        lost = pd.MultiIndex.from_frame(has).isin(pd.MultiIndex.from_frame(take[_PAIR]))
        has = has[~lost & has["member"].isin(moved).to_numpy()].sort_values(_PAIR)
        texts = has.groupby("member")["tag"].agg(" ".join)
        members = moved.drop_duplicates().reset_index(drop=True)
        now = pd.DataFrame({"now": looked_up(members, texts).fillna("")}).astype(_TEXT)
        return pd.DataFrame(
            {
                "entity": "contact",
                "marketing_id": members,
                "values": json_objects(now, {f"{ATTRIBUTE}{MEMBER_TAGS}": "now"}),
            }
        )


def _tags(inputs: Inputs) -> pd.DataFrame:
    """Return the tags and interests that have a row: tag, there, name, list, kind and scope."""
    parents = {
        kind.name: _told(inputs, kind.name).set_index("id")["parent_id"]
        for kind in (AUDIENCE, CATEGORY)
    }
    found = []
    for kind in OF_PEOPLE:
        tags = _told(inputs, kind.parent)
        tags = tags[tags["written"].notna()].rename(columns={"id": "tag", "list_id": "list"})
        above = looked_up(tags["parent_id"], parents[CATEGORY.name])
        found.append(tags.assign(kind=kind.name, scope=above.fillna(tags["parent_id"])))
    return pd.concat(found, ignore_index=True)[["tag", "there", "name", "list", "kind", "scope"]]


def _told(inputs: Inputs, kind: str) -> pd.DataFrame:
    return with_details(
        with_deleted(inputs, kind), {"parent_id": pa.string(), "list_id": pa.string()}
    )


def _rows(inputs: Inputs, tags: pd.DataFrame, states: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the CRM that name a tag, with their member, if there is one.

    That is the member linked to the person, else the one agreed on for the row, else by address.
    """
    names = ["row", "tag", "kind", "person_entity", "person_id", "email", "email_key"]
    found = [pd.DataFrame(columns=names, dtype=_TEXT)]
    for kind in OF_PEOPLE:
        rows = inputs.staged.read_all("crm", kind.name)
        if not rows.empty:
            rows = rows.rename(columns={"id": "row", kind.parent_value: "tag"})
            found.append(rows.assign(kind=kind.name)[names])
    rows = pd.concat(found, ignore_index=True).astype(_TEXT)
    rows = rows.merge(tags[["tag", "kind", "scope"]], on=["tag", "kind"])
    people = inputs.view.people("crm", ids=rows["person_id"])
    people = people[["entity", "id", "email", "email_key"]].add_prefix("own_")
    rows = rows.merge(
        people,
        how="left",
        left_on=["person_entity", "person_id"],
        right_on=["own_entity", "own_id"],
    )
    rows = rows.assign(
        email=rows["own_email"].fillna(rows["email"]),
        email_key=rows["own_email_key"].fillna(rows["email_key"]),
    )
    links = inputs.view.links(crm_ids=rows["person_id"])
    links = links[["entity", "crm_id", "scope", "marketing_id"]]
    rows = rows.merge(
        links.rename(columns={"entity": "person_entity", "crm_id": "person_id"}),
        how="left",
        on=["person_entity", "person_id", "scope"],
    )
    with_ = ["tag", "person_entity", "person_id"]
    known = states.drop_duplicates(with_).rename(columns={"member": "agreed_with"})
    rows = rows.merge(known, how="left", on=with_)
    members = inputs.view.people("marketing", email_keys=rows["email_key"])
    members = members.dropna(subset="email_key").drop_duplicates(["email_key", "scope"])
    members = members[["email_key", "scope", "id"]].rename(columns={"id": "addressed"})
    rows = rows.merge(members, how="left", on=["email_key", "scope"])
    member = rows["marketing_id"].fillna(rows["agreed_with"]).fillna(rows["addressed"])
    return rows.assign(member=member).sort_values("row")


def _states(inputs: Inputs, tags: pd.DataFrame) -> pd.DataFrame:
    """Return what both sides last agreed on: the member, the tag and the CRM record."""
    return agreed_members(inputs, tags["tag"]).rename(
        columns={
            "marketing_id": "member",
            "crm_list_id": "tag",
            "entity": "person_entity",
            "crm_id": "person_id",
        }
    )[[*_PAIR, "person_entity", "person_id"]]


def _changed(inputs: Inputs) -> pd.Series:
    """Return the ids of the rows that have changed since the last run."""
    changed: pd.Series = pd.concat(
        [read_ids(inputs, "crm", changes_of(kind)) for kind in OF_PEOPLE]
    )
    return changed


def _by_kind(rows: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, RecordKind]]:
    return ((rows[rows["kind"] == kind.name], kind) for kind in OF_PEOPLE)


def _key(pairs: pd.DataFrame) -> pd.Series:
    """Return the key of a pair's row: CRMs take few characters in keys."""
    return (pairs["tag"] + "." + pairs["member"]).str.replace(_UNSAFE, ".", regex=True)


SYNC: Final = SyncType(datasets, plan)
