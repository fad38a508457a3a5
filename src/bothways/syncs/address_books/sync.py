"""Address books: members of the platform's lists become members of CRM marketing lists.

Rows that enter a run are memberships of the mapped lists: everybody in a full read; in an
incremental one those whom the platform changed since, and those whose CRM record has changed and is
not on the marketing list (it may have been opened again, or may be mailed again).
"""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

from bothways.config.mapping import Mapping
from bothways.streams.members import Members
from bothways.streams.people import People
from bothways.syncs import undo
from bothways.syncs.base import Dataset, Inputs, KnownList, Plan, Request, SyncType
from bothways.syncs.jobs import (
    chosen,
    due,
    hints,
    ignored,
    job_frame,
    joined,
    sentences,
    unchanged,
)
from bothways.syncs.scopes import by_scope, said_elsewhere
from bothways.syncs.values import creation_key, free_creation_keys, new_values
from bothways.tables.frames import frame_of
from bothways.tables.ledgers import LINKS
from bothways.transform.columns import looked_up
from bothways.transform.ignore import ignore_reasons
from bothways.transform.merged_records import follow_merges
from bothways.vocabulary import (
    FieldType,
    MembershipState,
    OperationKind,
    Reason,
    Result,
    Status,
)

# The state of somebody who left the platform's list: on it again is to be added again.


def datasets(request: Request) -> list[Dataset]:
    """Read people and memberships of the mapped lists on both sides.

    The CRM knows people who are on none of its lists; they are read where a list is yet to be
    created, too.
    """
    lists, rules = request.list_ids(), request.joining_rules()
    if request.side == "crm":
        people = [
            Dataset(f"{entity}s", People(entity=entity), rules=rules)
            for entity in request.entities
            if request.lists
        ]
        return people + ([Dataset("members", Members(lists=lists), rules=rules)] if lists else [])
    if not lists:
        return []
    fields = marketing_fields(request.account.mappings)
    contacts = People(entity="contact", fields=fields, lists=lists)
    return [Dataset("contacts", contacts, rules=rules)]


def marketing_fields(mappings: dict[str, Mapping]) -> dict[str, FieldType]:
    """Return the platform fields that any entity's mapping reads."""
    found: dict[str, FieldType] = {}
    for mapping in mappings.values():
        found |= mapping.vendor_fields("marketing")
    return dict(sorted(found.items()))


def plan(inputs: Inputs) -> Plan:
    """Decide on each membership; a person who is to join two lists is created once."""
    return by_scope(inputs, _plan)


def _plan(inputs: Inputs) -> Plan:
    lists = [
        _ListPlan(inputs, crm_list, inputs.lists["marketing"][key])
        for key, crm_list in sorted(inputs.lists["crm"].items())
    ]
    frames: list[pd.DataFrame] = []
    created = pd.Series(dtype="string")
    for decided in lists:
        frames.append(decided.jobs(created))
        created = pd.concat([created, decided.created()])
    return Plan(
        joined(frames),
        notes=tuple(note for decided in lists for note in decided.notes),
        keep={
            "unlinked": _together([decided.merged[["entity", "crm_id"]] for decided in lists]),
            "links": _together([decided.links() for decided in lists]),
        },
    )


class _ListPlan:
    """One list: who is on it on the platform, and what that means for its marketing list."""

    def __init__(self, inputs: Inputs, crm_list: KnownList, platform_list: KnownList) -> None:
        self._inputs = inputs
        self._list = crm_list
        self._entity = str(crm_list.entity)
        self.notes: tuple[str, ...] = ()
        # Links of CRM records that were merged into others, and these others.
        self.merged, self._survivors = frame_of(LINKS), pd.Series(dtype="string")
        self._mapping = inputs.account.mappings.get(self._entity, Mapping(entity=self._entity))
        self._rows = self._judged(self._matched(self._entered(platform_list)))

    def jobs(self, created_before: pd.Series) -> pd.DataFrame:
        """Return the jobs of this list.

        Args:
            created_before: Keys of the people whom an earlier list of this plan creates.
        """
        rows = self._rows
        left_out = rows["reason"].notna()
        member = ~left_out & rows["member"]
        joins = ~left_out & ~member
        creates = joins & rows["crm_id"].isna() & ~rows["key"].isin(created_before)
        about = self._about()
        return joined(
            [
                ignored(rows[left_out], rows["reason"], error_message=rows["hint"], **about),
                unchanged(rows[member], **about),
                self._create(rows[creates]),
                job_frame(
                    rows[joins],
                    kind=OperationKind.JOIN,
                    result=rows["state"].notna().map({True: Result.RE_ADDED, False: Result.NEW}),
                    key=rows["key"].where(rows["crm_id"].isna()),
                    **about,
                ),
            ]
        )

    def created(self) -> pd.Series:
        """Return the keys of the people whom this list's jobs create."""
        rows = self._rows
        return rows.loc[rows["reason"].isna() & rows["crm_id"].isna(), "key"]

    def links(self) -> pd.DataFrame:
        """Return the pairs that were found by address, or through a merge in the CRM."""
        rows = self._rows
        by_address = rows["crm_id"].notna() & ~rows["linked"] & rows["reason"].isna()
        found = rows[by_address | rows["crm_id"].isin(self._survivors)]
        return pd.DataFrame(
            {
                "entity": self._entity,
                "crm_id": found["crm_id"],
                "marketing_id": found["id"],
                "email_key": found["email_key"],
                "is_primary": True,
            }
        ).drop_duplicates("crm_id")

    def _entered(self, platform_list: KnownList) -> pd.DataFrame:
        """Return the people whose membership entered this run, as the platform knows them."""
        inputs = self._inputs
        staged = inputs.staged.read("marketing", "contacts_members")
        ids = due(inputs, "marketing", "list_member", self._list.key)["source_id"]
        if inputs.partitions > 1:
            ids = pd.concat([ids, self._in_partition(platform_list)])
        elif not staged.empty:
            here = (staged["list_id"] == platform_list.id) & ~staged["deleted"].astype(bool)
            ids = pd.concat([staged.loc[here, "member_id"], ids])
        ids = pd.concat([ids, self._changed_in_crm(platform_list)])
        fields = marketing_fields(inputs.account.mappings)
        people = inputs.view.people("marketing", ids=ids, fields=fields)
        members = inputs.view.members(
            "marketing", list_ids=[platform_list.id], member_ids=people["id"]
        )
        return people.merge(
            members[["member_id", "status"]].rename(columns={"status": "list_status"}),
            left_on="id",
            right_on="member_id",
            how="left",
        )

    def _in_partition(self, platform_list: KnownList) -> pd.Series:
        """Return the members whose address falls to this partition.

        So all of a person's contacts do, which would each be created if they were planned apart.
        """
        people = self._inputs.staged.read("marketing", "contacts")
        if people.empty:
            return pd.Series(dtype="string")
        members = self._inputs.view.members(
            "marketing", list_ids=[platform_list.id], member_ids=people["id"]
        )
        return members["member_id"]

    def _changed_in_crm(self, platform_list: KnownList) -> pd.Series:
        """Return the members whose CRM record was read and is not on the marketing list.

        Where a side was read whole, these are all members; a run in several partitions has them.
        """
        inputs = self._inputs
        staged = inputs.staged.read("crm", f"{self._entity}s")
        if staged.empty or inputs.partitions > 1:
            return pd.Series(dtype="string")
        if inputs.whole:
            return inputs.view.members("marketing", list_ids=[platform_list.id])["member_id"]
        changed = staged[~staged["deleted"].astype(bool)]
        if not inputs.options.records:
            changed = changed[~self._on_list(changed["id"])]
        pairs = inputs.view.links(entity=self._entity, crm_ids=changed["id"])
        found = inputs.view.people(
            "marketing", ids=pairs["marketing_id"], email_keys=changed["email_key"]
        )
        members = inputs.view.members(
            "marketing", list_ids=[platform_list.id], member_ids=found["id"]
        )
        return members["member_id"]

    def _matched(self, people: pd.DataFrame) -> pd.DataFrame:
        """Add the CRM record that each person is: by link, otherwise by address."""
        linked = self._linked(people["id"])
        everybody = self._inputs.view.people("crm", email_keys=people["email_key"], ids=linked)
        crm = self._likeliest(everybody[everybody["entity"] == self._entity])
        by_id = crm.set_index("id")
        by_address = (
            crm.dropna(subset="email_key").drop_duplicates("email_key").set_index("email_key")["id"]
        )
        link = looked_up(people["id"], linked)
        through_link = link.where(link.isin(crm["id"]))
        crm_id = through_link.fillna(looked_up(people["email_key"], by_address))
        silent = everybody[
            everybody["status"].ne(Status.MAILABLE.value) & everybody["merged_into"].isna()
        ]
        return people.assign(
            crm_id=crm_id,
            linked=through_link.notna(),
            # Every read since a link was made would have told of its record's end.
            crm_deleted=link.notna() & crm_id.isna(),
            crm_active=looked_up(crm_id, by_id["active"]).fillna(value=True),
            crm_silent=people["email_key"].isin(silent["email_key"].dropna())
            | crm_id.isin(silent["id"]),
            state=self._states(crm_id),
            key=free_creation_keys(
                self._inputs.view,
                self._entity,
                creation_key(self._inputs.account.name, self._entity, people["id"]),
                people["email_key"],
            ),
        )

    def _linked(self, ids: pd.Series) -> pd.Series:
        """Return the CRM records that contacts are linked with, or that these were merged into."""
        view = self._inputs.view
        pairs = view.links(entity=self._entity, marketing_ids=ids)
        crm = view.people("crm", entity=self._entity, ids=pairs["crm_id"])
        pairs, self.merged = follow_merges(pairs, crm)
        self._survivors = pairs.loc[pairs["case"] == "merged", "crm_id"]
        pairs = pairs.sort_values("is_primary", ascending=False, kind="stable")
        return pairs.drop_duplicates("marketing_id").set_index("marketing_id")["crm_id"]

    @staticmethod
    def _likeliest(people: pd.DataFrame) -> pd.DataFrame:
        """Return the CRM's people who may be meant, the likeliest first.

        Of several with one address the active one is meant, then the one seen to change last,
        then the lowest id.
        """
        return people.sort_values(
            ["active", "modified_at", "id"], ascending=[False, False, True], kind="stable"
        )

    def _judged(self, people: pd.DataFrame) -> pd.DataFrame:
        """Add why a person is left out, and whether the record is on the list already."""
        inputs = self._inputs
        people = chosen(inputs, people, "id", "crm_id").reset_index(drop=True)
        erased = inputs.view.erased(people["email_key"])
        verdicts = ignore_reasons(people, inputs.rules, erased=erased)
        reason = verdicts["reason"]
        reason = reason.mask(people["list_status"].isna(), Reason.NOT_ON_LIST)
        keys = people["email_key"]
        do_not_mail = people["crm_silent"]
        for key in ("", self._list.key):
            told = inputs.view.suppressions(email_keys=keys, list_ids=inputs.list_ids(key))
            do_not_mail |= keys.isin(told["email_key"])
        do_not_mail |= people["list_status"] != Status.MAILABLE.value
        do_not_mail |= keys.isin(said_elsewhere(inputs, keys).index)
        reason = reason.mask(reason.isna() & do_not_mail, Reason.DO_NOT_MAIL)
        if inputs.account.settings.only_open_leads_and_active_contacts:
            reason = reason.mask(reason.isna() & ~people["crm_active"], Reason.INACTIVE)
        member = self._on_list(people["crm_id"])
        left_again = people["state"].notna() & people["state"].ne(MembershipState.LEFT_MARKETING)
        removed = people["crm_deleted"] | (~member & left_again.fillna(value=False))
        reason = reason.mask(reason.isna() & removed, Reason.REMOVED_IN_CRM)
        if not inputs.account.lists[self._list.key].accept_new:
            reason = reason.mask(reason.isna() & people["crm_id"].isna(), Reason.NOT_IN_CRM)
        return people.assign(reason=reason, hint=hints(verdicts), member=member)

    def _on_list(self, crm_ids: pd.Series) -> pd.Series:
        members = self._inputs.view.members("crm", list_ids=[self._list.id], member_ids=crm_ids)
        return crm_ids.isin(members["member_id"])

    def _states(self, crm_ids: pd.Series) -> pd.Series:
        """Return how the memberships stood when both sides last agreed; null where never."""
        pair = self._inputs.pair(self._list.key)
        found = self._inputs.view.list_states(pairs=[pair], crm_ids=crm_ids)
        found = found.sort_values("changed_at", kind="stable")
        states = found.drop_duplicates("crm_id", keep="last").set_index("crm_id")["state"]
        return looked_up(crm_ids, states)

    def _create(self, rows: pd.DataFrame) -> pd.DataFrame:
        new = new_values(rows, self._mapping, "crm")
        self.notes = sentences(f"list {self._list.key}", new.problems)
        return job_frame(
            rows,
            kind=OperationKind.CREATE,
            result=Result.NEW,
            key=rows["key"],
            values=new.values,
            after=new.after,
            **self._about(),
        )

    def _about(self) -> dict[str, Any]:
        rows = self._rows
        return {
            "target": "crm",
            "entity": self._entity,
            "record_id": rows["crm_id"],
            "source_id": rows["id"],
            "email": rows["email"],
            "list_key": self._list.key,
            "source": "marketing",
            "source_entity": "list_member",
        }


def _together(found: list[pd.DataFrame]) -> pd.DataFrame:
    kept = [frame for frame in found if not frame.empty]
    if not kept:
        return frame_of(LINKS)
    return pd.concat(kept, ignore_index=True).drop_duplicates(["entity", "crm_id"])


SYNC: Final = SyncType(datasets, plan, revert=undo.revert)
