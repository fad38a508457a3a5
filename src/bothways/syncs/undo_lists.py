"""Memberships that an undo takes back: joins become leaves, and leaves by hand become joins."""

from __future__ import annotations

import pandas as pd

from bothways.syncs.base import Inputs, KnownList
from bothways.syncs.jobs import ignored, job_frame, unchanged
from bothways.syncs.undo_people import Standing, about
from bothways.transform.columns import looked_up
from bothways.vocabulary import OperationKind, Reason, Result, RoleName, Status


def membership_jobs(inputs: Inputs, side: RoleName, rows: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the jobs that undo joins and leaves of one side, list by list.

    A list that has taken the place of the one that the run worked on is left alone.

    Args:
        inputs: The plan's inputs.
        side: The side.
        rows: Written jobs of kind join and leave, with `record_id`.
    """
    frames = []
    run_id = int(inputs.options.undo_run or 0)
    lists_then = inputs.view.list_ids(run_id, side)
    for key, same in rows.groupby("list_key", sort=True):
        known_list = inputs.lists[side].get(str(key))
        if known_list is None or not known_list.id:
            frames.append(ignored(same, Reason.LIST_NOT_SYNCED, **about(same)))
            continue
        if lists_then.get(str(key)) != known_list.id:
            frames.append(ignored(same, Reason.LIST_REPLACED, **about(same)))
            continue
        members = inputs.view.members(side, list_ids=[known_list.id], member_ids=same["record_id"])
        members = members.drop_duplicates("member_id").set_index("member_id")
        joins = same["kind"] == OperationKind.JOIN
        frames += _leave(side, same[joins], members)
        frames += _return(inputs, side, same[~joins], members, known_list)
    return frames


def _leave(side: RoleName, rows: pd.DataFrame, members: pd.DataFrame) -> list[pd.DataFrame]:
    """Take off the list whom the run put on it; a word of theirs about the list stays there."""
    on_list = rows["record_id"].isin(members.index)
    status = looked_up(rows["record_id"], members["status"])
    word = on_list & status.isin(
        [Status.UNSUBSCRIBED.value, Status.BOUNCED.value, Status.COMPLAINED.value]
    )
    leaving = rows[on_list & ~word]
    return [
        unchanged(rows[~on_list], **about(rows)),
        ignored(rows[word], Reason.DO_NOT_MAIL, **about(rows)),
        job_frame(
            leaving,
            kind=OperationKind.LEAVE,
            result=Result.DELETED,
            reason=Reason.UNDONE,
            membership_id=looked_up(leaving["record_id"], members["membership_id"])
            if side == "crm"
            else None,
            **about(leaving),
        ),
    ]


def _return(
    inputs: Inputs, side: RoleName, rows: pd.DataFrame, members: pd.DataFrame, of: KnownList
) -> list[pd.DataFrame]:
    """Put back on the list whom the run took off it, where they may be mailed."""
    on_list = rows["record_id"].isin(members.index)
    standing = Standing(inputs, side, rows["record_id"], may_return=of.is_audience)
    obstacle = standing.obstacle(of.key)
    barred = rows[~on_list & obstacle.notna()]
    return [
        unchanged(rows[on_list], **about(rows)),
        ignored(barred, obstacle, **about(rows)),
        job_frame(
            rows[~on_list & obstacle.isna()],
            kind=OperationKind.JOIN,
            result=Result.RE_ADDED,
            reason=Reason.UNDONE,
            **about(rows),
        ),
    ]
