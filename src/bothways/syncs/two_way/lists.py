"""One list: who is on it on either side, who was when both sides last agreed, and what follows.

The order in which the cases are looked at is the order of what counts more: the person's own word,
then what people did by hand, then what is new.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bothways.config.mapping import Mapping
from bothways.syncs.base import Inputs, KnownList
from bothways.syncs.jobs import ignored, job_frame, joined, sentences, unchanged
from bothways.syncs.two_way.affected import Gathered
from bothways.syncs.two_way.fields import Agreed
from bothways.syncs.values import creation_key, free_creation_keys, new_values
from bothways.transform.columns import looked_up
from bothways.vocabulary import (
    MAILABLE_OR_PENDING,
    SIDES,
    MembershipState,
    OperationKind,
    Reason,
    Result,
    RoleName,
)

_ON_A_LIST = (
    MembershipState.JOINED,
    MembershipState.ONLY_CRM,
    MembershipState.ONLY_MARKETING,
)


# The verdicts that are reasons to do nothing.
_LEFT_ALONE = (
    Reason.NOT_IN_CRM,
    Reason.DUPLICATE,
    Reason.UNDONE,
    Reason.LEFT_MARKETING,
    Reason.NOT_IN_QUERY,
)


@dataclass(frozen=True, slots=True)
class ListPlan:
    """What one list needs.

    Attributes:
        jobs: One job per person, and one more for each record that is created.
        states: As `states` of Plan.keep.
        links: As `links` of Plan.keep; `key` where the contact is yet to be created.
        created: The persons whom the platform gets.
        pushed: The persons who are on both lists, or are put on the platform's.
        notes: Values that did not fit.
    """

    jobs: pd.DataFrame
    states: pd.DataFrame
    links: pd.DataFrame
    created: pd.Series
    pushed: pd.Series
    notes: tuple[str, ...]


def plan_list(
    inputs: Inputs,
    gathered: Gathered,
    people: pd.DataFrame,
    crm_list: KnownList,
    *,
    agreed: Agreed,
    created: set[str],
    pushed: pd.Series | None = None,
) -> ListPlan:
    """Decide on everybody who is or was on the list.

    Args:
        inputs: The plan's inputs.
        gathered: What the store knows.
        people: Persons.rows with `consent` (why the person may not be mailed, null if nothing),
            `flagged` (in the CRM), `opted_out` (by more than a flag) and `left_out` (why the
            person does not join anything, null if nothing, with `hint`).
        crm_list: The list, as the CRM knows it.
        agreed: FieldPlan.agreed: what new records of people with others get.
        created: Keys of creations that an earlier list of this plan has; it is added to.
        pushed: Of the tag of a list: the persons whom the list pushes. They join, and nothing else
            is done; what there is to say of anybody, the list has said.
    """
    rows = _beside_memberships(inputs, gathered, people, crm_list, pushed)
    mapped = inputs.account.pairs[crm_list.key]
    if crm_list.static and pushed is None:
        verdict = _verdicts(rows, accepts_new=mapped.accept_new, compares=inputs.compares)
    else:
        verdict = _one_way_verdicts(rows, mapped.when_left, compares=inputs.compares)
    rows = _without_deleted_ids(rows.assign(verdict=verdict))
    work = _Work(inputs, gathered, rows, crm_list, agreed=agreed, created=created)
    if pushed is None:
        jobs = joined(
            [
                work.leave("crm"),
                work.leave("marketing"),
                work.join("crm"),
                work.join("marketing"),
                work.left_out(),
                work.in_step(),
            ]
        )
    else:
        joins = work.join("marketing")
        jobs = joins[joins["kind"].notna()]
    states = work.states(one_way=not crm_list.static or pushed is not None)
    on = rows["verdict"].isin(["unchanged", "join marketing"])
    return ListPlan(
        jobs, states, work.links(), work.made(), rows.loc[on, "person"], tuple(work.notes)
    )


def _beside_memberships(
    inputs: Inputs,
    gathered: Gathered,
    people: pd.DataFrame,
    crm_list: KnownList,
    pushed: pd.Series | None,
) -> pd.DataFrame:
    """Return one row per person and CRM record that the list could be about.

    Columns beside those of ``people``: `crm_on`, `crm_membership`, `other_on` (another record of
    the person is on the list in the CRM, and this one is not), `marketing_on`, `list_word` (the
    platform says that the person has opted out of this list, or that mail to it bounced), `opt_out`
    (the status that says so), `taken` (their address is somebody else's in the CRM), `state` and
    `own_state` of the past.
    """
    crm = _members(gathered, "crm", crm_list.key)
    platform = _members(gathered, "marketing", crm_list.key)
    rows = people[people["entity"].isna() | (people["entity"] == crm_list.entity)]
    rows = pd.concat([rows, _without_record(people, rows)], ignore_index=True)
    rows = rows.assign(
        crm_on=rows["crm_id"].isin(crm.index) & (pushed is None or rows["person"].isin(pushed)),
        crm_membership=looked_up(rows["crm_id"], crm["membership_id"]),
        list_status=looked_up(rows["marketing_id"], platform["status"]),
        **_states(gathered, rows, crm_list.key),
    )
    others = rows["person"].isin(rows.loc[rows["crm_on"], "person"]) & ~rows["crm_on"]
    there = rows["list_status"].isin(MAILABLE_OR_PENDING)
    suppressed = _suppressed_on_list(inputs, rows, crm_list.key)
    word = ~there & (rows["list_status"].notna() | suppressed.notna())
    own, of_list = (
        status.mask(status.isin(MAILABLE_OR_PENDING))
        for status in (rows["marketing_status"], rows["list_status"])
    )
    opt_out = own.fillna(of_list).fillna(suppressed).fillna(Reason.UNSUBSCRIBED)
    rows = rows.assign(
        other_on=others,
        marketing_on=there,
        list_word=word,
        opt_out=opt_out,
        taken=_taken(people, rows, crm_list),
    )
    return _concerned(rows)


def _taken(people: pd.DataFrame, rows: pd.DataFrame, crm_list: KnownList) -> pd.Series:
    """Return a mask of contacts without a CRM record whose address somebody else's record has.

    That record follows a contact with another address, which could not be given its own. One whose
    address is about to change does not count.
    """
    held = people["crm_id"].notna() & people["entity"].eq(str(crm_list.entity))
    held &= ~people["crm_deleted"].fillna(value=False).astype(bool)
    held &= ~people["case"].isin(["moved_in_marketing", "merged_away"])
    return rows["crm_id"].isna() & rows["marketing_email_key"].isin(
        people.loc[held, "crm_email_key"].dropna()
    )


def _suppressed_on_list(inputs: Inputs, rows: pd.DataFrame, key: str) -> pd.Series:
    """Return why each person is suppressed on a list, whatever the list itself still tells."""
    ours, theirs = rows["crm_email_key"], rows["marketing_email_key"]
    told = inputs.view.suppressions(
        email_keys=pd.concat([ours, theirs]), list_ids=inputs.list_ids(key)
    )
    reasons = told.drop_duplicates("email_key").set_index("email_key")["reason"]
    return looked_up(theirs, reasons).fillna(looked_up(ours, reasons))


def _without_record(people: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return contacts whose CRM records are all of another entity: as if they had none."""
    others = people[people["entity"].notna() & ~people["person"].isin(rows["person"])]
    others = others[others["marketing_id"].notna()].drop_duplicates("person")
    gone = [name for name in others.columns if name.startswith("crm_")]
    return others.assign(entity=None, new_link=False, **dict.fromkeys(gone))


def _members(gathered: Gathered, side: RoleName, key: str) -> pd.DataFrame:
    rows = gathered.members[side]
    return rows[rows["list_key"] == key].drop_duplicates("member_id").set_index("member_id")


def _states(gathered: Gathered, rows: pd.DataFrame, key: str) -> dict[str, pd.Series]:
    """Return how the memberships stood.

    `own_state` is of the CRM record itself; `state`, where it has none, of the contact, which
    another record brought to the list or left it with.
    """
    states = gathered.states[gathered.states["list_key"] == key]
    by_record = states[states["crm_id"] != ""].drop_duplicates("crm_id", keep="last")
    by_contact = states[states["marketing_id"] != ""].drop_duplicates("marketing_id", keep="last")
    own = looked_up(rows["crm_id"], by_record.set_index("crm_id")["state"])
    contacts = looked_up(rows["marketing_id"], by_contact.set_index("marketing_id")["state"])
    return {"own_state": own, "state": own.fillna(contacts)}


def _concerned(rows: pd.DataFrame) -> pd.DataFrame:
    """Keep who is on the list or was; of a person's records, those on it, else the one to join.

    A deleted record that had already left the list is dropped if the person has another one. The
    contact's past membership is not taken for that of a record beside one that is on the list.
    """
    person = rows["person"]
    touched = rows["crm_on"] | rows["marketing_on"] | rows["list_word"] | rows["state"].notna()
    rows = rows[person.isin(person[touched])]
    joined_before = (rows["own_state"] == MembershipState.JOINED).fillna(value=False).astype(bool)
    gone = rows["crm_deleted"].fillna(value=False).astype(bool) & ~joined_before
    living = rows.loc[rows["crm_id"].notna() & ~gone, "person"]
    rows = rows[~(gone & rows["person"].isin(living))]
    state = rows["own_state"].where(rows["other_on"], rows["state"])
    on_list = rows["crm_on"] | state.notna()
    alone = ~rows["person"].isin(rows.loc[on_list, "person"])
    best = rows[alone].sort_values(["person", "is_primary"], ascending=[True, False], kind="stable")
    keep = on_list | rows.index.isin(best.drop_duplicates("person").index)
    return rows[keep].reset_index(drop=True)


def _verdicts(rows: pd.DataFrame, *, accepts_new: bool, compares: bool) -> pd.Series:
    """Return what is to be done: a kind and side, `unchanged`, `gone`, or a reason to ignore.

    Who is on both lists and is left out is in step nevertheless, where both sides are compared.
    """
    crm_on, platform_on, was_joined = _standing(rows)
    said_no = _said_no(rows)
    crm_gone = rows["crm_deleted"].fillna(value=False) | rows["crm_id"].isna()
    leaves = was_joined & platform_on & ~crm_on & ~rows["other_on"]
    stays_away = rows["left_out"].notna()
    return _first_of(
        rows,
        [
            (
                said_no & crm_on & ~was_joined & (rows["state"] == MembershipState.UNSUBSCRIBED),
                "opt_out",
            ),
            (said_no & crm_on, "leave crm opt_out"),
            *_settled(rows, said_no, compares=compares),
            (rows["other_on"], "gone"),
            (leaves, f"leave marketing {Reason.LEFT_CRM}"),
            # A record that was taken off the list earlier does not bring the person back.
            (rows["person"].isin(rows.loc[leaves, "person"]), "gone"),
            (was_joined & crm_on, f"leave crm {Reason.LEFT_MARKETING}"),
            (~crm_on & ~platform_on, "gone"),
            (stays_away, "left_out"),
            (platform_on & crm_gone & (not accepts_new), Reason.NOT_IN_CRM),
            (platform_on & rows["taken"], Reason.DUPLICATE),
            (platform_on, "join crm"),
            (crm_on, "join marketing"),
        ],
    )


def _one_way_verdicts(rows: pd.DataFrame, when_left: str, *, compares: bool) -> pd.Series:
    """Return what is to be done about a list of which the CRM alone says who is on it.

    Somebody who was taken off the platform's list by hand stays off it for as long as they are on
    the CRM's without a break: that may have been their own choice.
    """
    crm_on, platform_on, was_joined = _standing(rows)
    said_no = _said_no(rows)
    taken_off = was_joined | (rows["state"] == MembershipState.LEFT_MARKETING)
    only_platform = platform_on & ~crm_on
    leaves = only_platform & (was_joined | (when_left == "exact")) & (when_left != "keep")
    return _first_of(
        rows,
        [
            (said_no & crm_on, "opt_out"),
            *_settled(rows, said_no, compares=compares),
            (rows["other_on"], "gone"),
            (crm_on & taken_off, Reason.LEFT_MARKETING),
            (leaves, f"leave marketing {Reason.LEFT_CRM}"),
            (only_platform, Reason.NOT_IN_QUERY),
            (~crm_on, "gone"),
            (rows["left_out"].notna(), "left_out"),
            (crm_on, "join marketing"),
        ],
    )


_Case = tuple[pd.Series, str]


def _standing(rows: pd.DataFrame) -> tuple[pd.Series, pd.Series, pd.Series]:
    """Return who is on the list in the CRM, who on the platform, and who was on both."""
    was_joined = (rows["state"] == MembershipState.JOINED).fillna(value=False)
    return rows["crm_on"].astype(bool), rows["marketing_on"].astype(bool), was_joined


def _said_no(rows: pd.DataFrame) -> pd.Series:
    unsubscribed = (rows["state"] == MembershipState.UNSUBSCRIBED).fillna(value=False)
    said_no: pd.Series = rows["list_word"] | (unsubscribed & ~rows["marketing_on"].astype(bool))
    return said_no


def _settled(rows: pd.DataFrame, said_no: pd.Series, *, compares: bool) -> list[_Case]:
    """Return the cases that are alike for every list: consent, what was undone, and who is on both.

    They come after what is done in the CRM about somebody who has opted out of the list.
    """
    crm_on, platform_on, _ = _standing(rows)
    # Whoever has yet to confirm would be mailed as soon as they do.
    mailable = rows["marketing_status"].isin(MAILABLE_OR_PENDING)
    no_consent, stays_away = rows["consent"].notna(), rows["left_out"].notna()
    return [
        (said_no, "gone"),
        (rows["flagged"] & mailable & platform_on, f"leave marketing {Reason.DO_NOT_MAIL}"),
        (no_consent & (crm_on ^ platform_on), "consent"),
        ((rows["state"] == MembershipState.ONLY_CRM) & crm_on & ~platform_on, Reason.UNDONE),
        ((rows["state"] == MembershipState.ONLY_MARKETING) & platform_on & ~crm_on, Reason.UNDONE),
        (crm_on & platform_on & stays_away & (not compares), "left_out"),
        (crm_on & platform_on, "unchanged"),
    ]


def _first_of(rows: pd.DataFrame, cases: list[_Case]) -> pd.Series:
    masks = [mask.fillna(value=False).to_numpy(dtype=bool) for mask, _ in cases]
    return pd.Series(np.select(masks, [word for _, word in cases], "gone"), index=rows.index)


def _without_deleted_ids(rows: pd.DataFrame) -> pd.DataFrame:
    """Blank the ids of deleted records whose people join a list there: they are created again."""
    for side in SIDES:
        gone = rows[f"{side}_deleted_at"].notna() & rows["verdict"].eq(f"join {side}")
        rows = rows.assign(**{f"{side}_id": rows[f"{side}_id"].mask(gone)})
    return rows


class _Work:
    """Turns the verdicts on one list into jobs."""

    def __init__(
        self,
        inputs: Inputs,
        gathered: Gathered,
        rows: pd.DataFrame,
        crm_list: KnownList,
        *,
        agreed: Agreed,
        created: set[str],
    ) -> None:
        self._inputs = inputs
        self._gathered = gathered
        self._rows = rows
        self._list = crm_list
        self._entity = str(crm_list.entity)
        self._mapping = inputs.account.mappings.get(self._entity, Mapping(entity=self._entity))
        self._agreed = agreed
        self._created = created
        self.notes: list[str] = []

    def leave(self, side: RoleName) -> pd.DataFrame:
        """Return who leaves the list on one side, and why."""
        rows = self._rows[self._rows["verdict"].str.startswith(f"leave {side} ")]
        if side == "marketing":
            rows = rows.drop_duplicates("marketing_id")
        reason = rows["verdict"].str.removeprefix(f"leave {side} ")
        return job_frame(
            rows,
            kind=OperationKind.LEAVE,
            result=Result.DELETED,
            reason=reason.mask(reason == "opt_out", rows["opt_out"]),
            membership_id=rows["crm_membership"] if side == "crm" else None,
            **self._about(rows, side),
        )

    def join(self, side: RoleName) -> pd.DataFrame:
        """Return who joins the list on one side, and who is created for that."""
        rows = self._rows[self._rows["verdict"] == f"join {side}"]
        if rows.empty:
            return joined([])
        if side == "marketing":
            rows = rows.sort_values("is_primary", ascending=False, kind="stable")
            follower = rows["person"].duplicated()
            followers, rows = rows[follower], rows[~follower]
        else:
            followers = rows.iloc[:0]
        key = self._key(rows, side)
        missing = rows["crm_id" if side == "crm" else "marketing_id"].isna()
        new = missing & ~key.isin(self._created)
        self._created.update(key[new])
        return joined(
            [
                self._create(rows[new], key[new], side),
                job_frame(
                    rows,
                    kind=OperationKind.JOIN,
                    result=self._result(rows),
                    key=key.where(missing),
                    **self._about(rows, side),
                ),
                ignored(followers, Reason.DUPLICATE, **self._about(followers, side)),
            ]
        )

    def left_out(self) -> pd.DataFrame:
        """Return who does not join, and why."""
        rows = self._rows
        reason = rows["verdict"].where(rows["verdict"].isin(_LEFT_ALONE))
        reason = reason.mask(rows["verdict"] == "opt_out", rows["opt_out"])
        reason = reason.mask(rows["verdict"] == "left_out", rows["left_out"])
        reason = reason.mask(rows["verdict"] == "consent", rows["consent"])
        hint = rows["hint"].where(rows["verdict"] == "left_out")
        rows = rows[reason.notna()]
        about = self._about(rows, "marketing")
        return ignored(rows, reason.dropna(), error_message=hint, **about)

    def in_step(self) -> pd.DataFrame:
        """Return who is on the list on both sides."""
        rows = self._rows[self._rows["verdict"] == "unchanged"]
        return unchanged(rows, **self._about(rows, "marketing"))

    def states(self, *, one_way: bool) -> pd.DataFrame:
        """Return memberships that both sides agree on as they are, where that is news.

        Args:
            one_way: The CRM alone says who is on the list.
        """
        rows = self._rows
        both = rows["crm_on"] & rows["marketing_on"]
        both &= rows["verdict"].isin(["unchanged", "left_out"])
        both &= rows["state"].ne(MembershipState.JOINED).fillna(value=True)
        # Of a one-way list a removal by hand ends as well, once the CRM's list has lost the person.
        over = (*_ON_A_LIST, MembershipState.LEFT_MARKETING) if one_way else _ON_A_LIST
        ended = (rows["verdict"] == "gone") & rows["state"].isin(over)
        word = rows["list_word"] | rows["opted_out"]
        state = pd.Series(MembershipState.JOINED, index=rows.index).mask(
            ended, MembershipState.left("crm" if one_way else "marketing")
        )
        state = state.mask(ended & rows["other_on"], MembershipState.LEFT_CRM)
        state = state.mask(ended & word, MembershipState.UNSUBSCRIBED)
        keep = both | ended
        if one_way:
            # What is said on the platform is remembered: nothing is done about it in the CRM.
            said: dict[str, str] = {
                "opt_out": MembershipState.UNSUBSCRIBED,
                Reason.LEFT_MARKETING: MembershipState.LEFT_MARKETING,
            }
            told = rows["verdict"].map(said)
            news = told.notna() & told.ne(rows["state"]).fillna(value=True)
            state, keep = state.mask(news, told), keep | news
        pair = self._inputs.pair(self._list.key)
        return pd.DataFrame(
            {
                "crm_list_id": pair.crm,
                "marketing_list_id": pair.marketing,
                "entity": self._entity,
                "crm_id": rows.loc[keep, "crm_id"],
                "marketing_id": rows.loc[keep, "marketing_id"],
                "state": state[keep],
            }
        )

    def links(self) -> pd.DataFrame:
        """Return the CRM records that belong to contacts which this plan creates."""
        rows = self._rows
        rows = rows[(rows["verdict"] == "join marketing") & rows["marketing_id"].isna()]
        return pd.DataFrame(
            {
                "entity": rows["entity"],
                "crm_id": rows["crm_id"],
                "marketing_id": rows["marketing_id"],
                "email_key": rows["crm_email_key"],
                "is_primary": rows["is_primary"],
                "key": self._key(rows, "marketing"),
            }
        )

    def made(self) -> pd.Series:
        """Return the persons whom this plan creates on the platform."""
        rows = self._rows
        wanted = (rows["verdict"] == "join marketing") & rows["marketing_id"].isna()
        return rows.loc[wanted, "person"]

    def _key(self, rows: pd.DataFrame, side: RoleName) -> pd.Series:
        """Return what a creation is keyed by: our own key in the CRM, the address elsewhere."""
        if side == "crm":
            key = creation_key(self._inputs.account.name, self._entity, rows["marketing_id"])
            return free_creation_keys(
                self._inputs.view, self._entity, key, rows["marketing_email_key"]
            )
        return rows["crm_email_key"]

    def _create(self, rows: pd.DataFrame, key: pd.Series, side: RoleName) -> pd.DataFrame:
        if rows.empty:
            return joined([])
        source = self._gathered.marketing if side == "crm" else self._gathered.crm
        ids = rows["marketing_id" if side == "crm" else "crm_id"]
        records = source.set_index("id").reindex(pd.Index(ids)).set_axis(ids.index, axis=0)
        new = new_values(
            records,
            self._mapping,
            side,
            lambda shared: self._agreed.beside(shared, rows["person"]),
        )
        self.notes += sentences(f"list {self._list.key}", new.problems)
        about = self._about(rows, side)
        about["entity"] = self._entity if side == "crm" else "contact"
        return job_frame(
            rows,
            kind=OperationKind.CREATE,
            result=self._result(rows),
            key=key,
            values=new.values,
            after=new.after,
            **{**about, "record_id": None},
        )

    @staticmethod
    def _result(rows: pd.DataFrame) -> pd.Series:
        """Call it added again where the person had been there before."""
        again = rows["state"].notna() | rows["case"].eq("re_added").fillna(value=False)
        return pd.Series(Result.NEW, index=rows.index).mask(again, Result.RE_ADDED)

    def _about(self, rows: pd.DataFrame, target: RoleName) -> dict[str, object]:
        crm, contact = rows["crm_id"], rows["marketing_id"]
        from_crm = crm.notna() if target == "marketing" else contact.isna()
        return {
            "target": target,
            "entity": "contact" if target == "marketing" else self._entity,
            "record_id": contact if target == "marketing" else crm,
            "source_id": crm.where(from_crm, contact),
            "email": rows["crm_email" if target == "marketing" else "marketing_email"].fillna(
                rows["marketing_email" if target == "marketing" else "crm_email"]
            ),
            "list_key": self._list.key,
            "source": from_crm.map({True: "crm", False: "marketing"}),
            "source_entity": from_crm.map({True: self._entity, False: "contact"}),
        }
