"""Everybody whom a run of the two-way sync is about, as both sides and the store know them.

What changed on either side names people; the store then gives what both sides last had of them,
of those they are linked with, and of those who share their addresses. People who are on no mapped
list, and never were, are out of scope.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from bothways.syncs.base import Inputs
from bothways.syncs.scopes import said_elsewhere
from bothways.transform.partition import in_partition
from bothways.vocabulary import (
    MAILABLE_OR_PENDING,
    FieldType,
    MembershipState,
    RoleName,
    Status,
)

ENTITIES = ("contact", "lead")


@dataclass(frozen=True, slots=True)
class Gathered:
    """Frames about the people of one partition.

    Attributes:
        crm: CONTACTS with `email_key`, `field:*` and tombstones, of all entities.
        marketing: The same of the platform.
        links: entity, crm_id, marketing_id, email_key, is_primary.
        members: By side: list_key, entity, member_id, membership_id, status of those who are on a
            mapped list.
        states: list_key, entity, crm_id, marketing_id, state: one row per list and person.
        silent: Addresses at which a CRM record, of whatever entity and on no list perhaps, may not
            be mailed.
        last_statuses: By address, the last status of a deleted contact that could not be mailed,
            unless another contact has the address now; else the bounce, complaint or
            suppression of a contact in another scope.
    """

    crm: pd.DataFrame
    marketing: pd.DataFrame
    links: pd.DataFrame
    members: Mapping[RoleName, pd.DataFrame]
    states: pd.DataFrame
    silent: pd.Series
    last_statuses: pd.Series


def gather(inputs: Inputs, fields: Mapping[RoleName, dict[str, FieldType]]) -> Gathered:
    """Collect everybody concerned.

    Args:
        inputs: The plan's inputs.
        fields: Vendor fields to load, by side.
    """
    # Only entities that a mapped list holds are read with their fields.
    held = [item.entity for item in inputs.lists["crm"].values()]
    crm_ids, marketing_ids = _named_by_crm(inputs), _named_by_platform(inputs)
    crm_ids, marketing_ids = _with_known(inputs, crm_ids, marketing_ids)
    for _ in range(2):  # to those who are linked, then to those who are linked with these
        links = inputs.view.links(crm_ids=crm_ids, marketing_ids=marketing_ids)
        crm_ids = _union(crm_ids, links["crm_id"])
        marketing_ids = _union(marketing_ids, links["marketing_id"])
    crm_ids, marketing_ids = _concerned(inputs, crm_ids, marketing_ids, links)
    crm, marketing = _sharing(
        inputs,
        _load(inputs, "crm", fields["crm"], ids=crm_ids),
        _load(inputs, "marketing", fields["marketing"], ids=marketing_ids),
        fields,
    )
    crm = _with_merged(inputs, fields["crm"], crm)
    links = inputs.view.links(
        crm_ids=crm["id"],
        marketing_ids=marketing["id"],
        email_keys=_union(crm["email_key"], marketing["email_key"]),
    )
    ends = links.rename(columns={"crm_id": "id"})[["entity", "id"]]
    crm = _with_ends(inputs, "crm", fields["crm"], crm, ends)
    ends = pd.DataFrame({"entity": "contact", "id": links["marketing_id"]})
    marketing = _with_ends(inputs, "marketing", fields["marketing"], marketing, ends)
    members: dict[RoleName, pd.DataFrame] = {
        "crm": _members(inputs, "crm", crm["id"]),
        "marketing": _members(inputs, "marketing", marketing["id"]),
    }
    return Gathered(
        crm[crm["entity"].isin(held)],
        marketing,
        links[links["entity"].isin(held)],
        members,
        _states(inputs, crm["id"], marketing["id"]),
        _silent(crm),
        _last_statuses(inputs, _union(crm["email_key"], marketing["email_key"])),
    )


def _silent(crm: pd.DataFrame) -> pd.Series:
    says_no = crm["status"].ne(Status.MAILABLE.value).fillna(value=False)
    living = ~crm["deleted"].astype(bool) & crm["merged_into"].isna()
    return crm.loc[says_no & living, "email_key"].dropna()


def _last_statuses(inputs: Inputs, keys: pd.Series) -> pd.Series:
    found = inputs.view.people("marketing", email_keys=keys, with_deleted=True)
    in_use = found.loc[~found["deleted"].astype(bool), "email_key"]
    unmailable = found["status"].notna() & ~found["status"].isin(MAILABLE_OR_PENDING)
    gone = found[unmailable & ~found["email_key"].isin(in_use)]
    gone = gone.sort_values("deleted_at", kind="stable")
    last = gone.drop_duplicates("email_key", keep="last").set_index("email_key")["status"]
    return last.combine_first(said_elsewhere(inputs, keys))


def _named_by_crm(inputs: Inputs) -> pd.Series:
    staged = [inputs.staged.read("crm", f"{entity}s") for entity in ENTITIES]
    ids = [rows["id"] for rows in staged if not rows.empty]
    told = inputs.staged.read("crm", "members")
    if not told.empty and inputs.partitions == 1:  # else everybody is read, by address
        ids.append(told["member_id"])
        unnamed = told.loc[told["member_id"].isna(), "membership_id"]
        ids.append(inputs.view.former_members("crm", unnamed))
    if not inputs.whole:
        dynamic = [key for key, item in inputs.lists["crm"].items() if item.found_by_query]
        ids += [named for key in dynamic for named in _named_by_query(inputs, key)]
    due = inputs.retries
    return _union(*ids, due.loc[due["source"] == "crm", "source_id"])


def _named_by_query(inputs: Inputs, key: str) -> tuple[pd.Series, pd.Series]:
    """Return whom the query of a dynamic list finds, and did not before; and the other way round.

    That is told by the states of their memberships, since no read reports it. Whoever has none, as
    they were left out, is looked at by each run. Whoever stays on the platform's list although the
    query has lost them is not: nothing is to be done about them.
    """
    members = inputs.view.members("crm", list_ids=[inputs.lists["crm"][key].id])["member_id"]
    known = inputs.view.list_states(pairs=[inputs.pair(key)])
    off = known[known["state"] == MembershipState.LEFT_CRM]
    settled = known.loc[~known["crm_id"].isin(off["crm_id"]), "crm_id"]
    ends = [MembershipState.LEFT_MARKETING, MembershipState.ONLY_CRM]
    ends += [] if inputs.account.lists[key].when_left == "keep" else [MembershipState.JOINED]
    lost = known.loc[known["state"].isin(ends) & ~known["crm_id"].isin(members), "crm_id"]
    return members[~members.isin(settled)], lost


def _named_by_platform(inputs: Inputs) -> pd.Series:
    people = inputs.staged.read("marketing", "contacts")
    told = inputs.staged.read("marketing", "contacts_members")
    ids = [] if people.empty else [people["id"]]
    ids += [] if told.empty or inputs.partitions > 1 else [told["member_id"]]
    due = inputs.retries
    return _union(*ids, due.loc[due["source"] == "marketing", "source_id"])


def _with_known(
    inputs: Inputs, crm_ids: pd.Series, marketing_ids: pd.Series
) -> tuple[pd.Series, pd.Series]:
    """After a full read, add those whom the store knows and nobody read: they are gone.

    Each falls to the partition in which its person is planned.
    """
    if not inputs.whole:
        return crm_ids, marketing_ids
    pairs = [inputs.pair(key) for key in inputs.lists["crm"]]
    gone = inputs.view.unseen(pairs, inputs.run_id)
    gone = gone[in_partition(gone["email_key"], inputs.partition, inputs.partitions)]
    return _union(crm_ids, gone["crm_id"]), _union(marketing_ids, gone["marketing_id"])


def _concerned(
    inputs: Inputs, crm_ids: pd.Series, marketing_ids: pd.Series, links: pd.DataFrame
) -> tuple[pd.Series, pd.Series]:
    """Leave out who is neither linked nor on a mapped list nor ever was."""
    states = _states(inputs, crm_ids, marketing_ids)
    on_crm = _members(inputs, "crm", crm_ids)["member_id"]
    on_platform = _members(inputs, "marketing", marketing_ids)["member_id"]
    known_crm = _union(links["crm_id"], states["crm_id"], on_crm)
    known_platform = _union(links["marketing_id"], states["marketing_id"], on_platform)
    return (
        known_crm[known_crm.isin(crm_ids) | known_crm.isin(links["crm_id"])],
        known_platform[
            known_platform.isin(marketing_ids) | known_platform.isin(links["marketing_id"])
        ],
    )


def _sharing(
    inputs: Inputs,
    crm: pd.DataFrame,
    marketing: pd.DataFrame,
    fields: Mapping[RoleName, dict[str, FieldType]],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Add the records of either side that have one of these people's addresses."""
    keys = _union(crm["email_key"], marketing["email_key"])
    alike = {
        side: inputs.view.people(side, email_keys=keys, fields=fields[side]) for side in fields
    }
    alike["marketing"] = _latest_of_each_address(alike["marketing"])
    return (
        pd.concat([crm, alike["crm"]], ignore_index=True).drop_duplicates("id", ignore_index=True),
        pd.concat([marketing, alike["marketing"]], ignore_index=True).drop_duplicates(
            "id", ignore_index=True
        ),
    )


def _latest_of_each_address(contacts: pd.DataFrame) -> pd.DataFrame:
    """Keep the contact that has each address now: the most recently changed one.

    A platform has each address only once. Of several contacts the others have been deleted, which
    no read reports for those who are on no list. Linked contacts are added again later.
    """
    latest = contacts.sort_values("modified_at", na_position="first", kind="stable")
    return latest.drop_duplicates("email_key", keep="last")


def _with_merged(inputs: Inputs, fields: dict[str, FieldType], rows: pd.DataFrame) -> pd.DataFrame:
    """Add the records that these were merged into, and that were merged into these.

    They may have other addresses, and so belong to other partitions; each partition must see the
    same merges.
    """
    merged = inputs.view.merged(rows["id"])
    missing = merged[~merged.isin(rows["id"])]
    if missing.empty:
        return rows
    return pd.concat([rows, _load(inputs, "crm", fields, ids=missing)], ignore_index=True)


def _with_ends(
    inputs: Inputs,
    side: RoleName,
    fields: dict[str, FieldType],
    rows: pd.DataFrame,
    ends: pd.DataFrame,
) -> pd.DataFrame:
    """Add the records that links lead to; one that no read has ever shown is gone.

    Every read since a link was made would have told of its end.
    """
    ends = ends.drop_duplicates("id")
    missing = ends[~ends["id"].isin(rows["id"])]
    if missing.empty:
        return rows
    found = _load(inputs, side, fields, ids=missing["id"])
    never = missing[~missing["id"].isin(found["id"])].assign(deleted=True)
    added = [frame.astype(rows.dtypes[frame.columns]) for frame in (found, never) if len(frame)]
    return pd.concat([rows, *added], ignore_index=True)


def _load(
    inputs: Inputs, side: RoleName, fields: dict[str, FieldType], *, ids: pd.Series
) -> pd.DataFrame:
    return inputs.view.people(side, ids=ids, fields=fields, with_deleted=True)


def _members(inputs: Inputs, side: RoleName, ids: pd.Series) -> pd.DataFrame:
    known = [(key, item.id) for key, item in inputs.lists[side].items() if item.id]
    found = inputs.view.members(side, list_ids=sorted({id_ for _, id_ in known}), member_ids=ids)
    keys = pd.DataFrame(known, columns=["list_key", "list_id"], dtype=found["list_id"].dtype)
    return found.merge(keys, on="list_id")


def _states(inputs: Inputs, crm_ids: pd.Series, marketing_ids: pd.Series) -> pd.DataFrame:
    """Return the states of the mapped lists, the latest last.

    States of lists that a key stood for earlier are left out.
    """
    found = inputs.view.list_states(crm_ids=crm_ids, marketing_ids=marketing_ids)
    pairs = [(key, *inputs.pair(key)) for key in inputs.lists["crm"]]
    names = ["list_key", "crm_list_id", "marketing_list_id"]
    mapped = pd.DataFrame(pairs, columns=names, dtype=found["crm_list_id"].dtype)
    found = found.merge(mapped, on=names[1:])
    return found.sort_values("changed_at", kind="stable")


def _union(*ids: pd.Series) -> pd.Series:
    kept = [values for values in ids if len(values)]
    if not kept:
        return pd.Series(dtype="string[pyarrow]")
    found = pd.concat(kept, ignore_index=True).dropna().drop_duplicates()
    return found[found != ""].reset_index(drop=True)
