"""Suppressions: who may no longer be mailed, carried over in both directions.

Rows that enter a run are the suppressions that either side tells, and the people of the CRM who
have come to have an address that is already suppressed.

Links come before addresses: an unsubscribe belongs to the CRM record that is linked with the
contact, whatever address either of them has by now.

Who unsubscribes from one audience of a platform leaves the lists in that audience, and stays
mailable in the others. All else that an audience tells (a bounce, a complaint) counts everywhere.
What a person adds in the CRM goes to each audience.

Accounts that work on one CRM find each other's records in it. With `share_suppressions` an account
takes them over to its platform, and records there for all mail what is said to one audience.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

import pandas as pd

from bothways.config.known import capabilities
from bothways.streams.consent import ListSuppressions, Suppressions
from bothways.streams.members import Members
from bothways.streams.people import People
from bothways.syncs import undo
from bothways.syncs.base import Dataset, Inputs, Plan, Request, SyncType
from bothways.syncs.jobs import chosen, due, ignored, job_frame, joined, named_keys, unchanged
from bothways.syncs.values import keys_of, suppression_key
from bothways.tables.ledgers import ACCOUNT_WIDE
from bothways.transform.columns import looked_up
from bothways.transform.json_rows import json_objects
from bothways.transform.merged_records import follow_merges
from bothways.vocabulary import SIDES, OperationKind, Reason, Result, RoleName, Status

# A platform is asked for changes by date. What it backdates, or shows late, is found by reading all
# suppressions now and then. A CRM tracks its changes, and reports deletions only among these.
_WHOLE_EVERY = timedelta(days=7)

_UNFLAGGED = '{"do_not_mail": false}'
_FLAGGED = '{"do_not_mail": true}'
_ACCOUNT_RECORD = ["email", "reason", "suppressed_at", "origin"]
_LIST_RECORD = [*_ACCOUNT_RECORD, "list_id", "entity", "member_id"]
_FROM_PLATFORM = {"source": "marketing", "source_entity": "suppression"}
_FROM_CRM = {"source": "crm", "source_entity": "suppression"}
_SUPPRESSION = [
    "email_key", "email", "reason", "vendor_reason", "suppressed_at", "record_id", "personal",
]  # fmt: skip
_TOLD = {"do_not_mail": "do_not_mail", "origin": "origin"}
# These concern the address, whoever has it: mail to it bounced, or somebody suppressed it by hand.
_ABOUT_THE_ADDRESS = [Status.BOUNCED.value, Status.SUPPRESSED.value]
_GRAVITY = {status.value: rank for rank, status in enumerate(Status)}


def datasets(request: Request) -> list[Dataset]:
    """Read suppressions of both sides, and of the CRM the people and the members of the lists."""
    lists = [item for item in request.lists.values() if item.id]
    # Once an account shares, what was read before counts as well.
    rules = {"share": True} if request.account.settings.share_suppressions else {}
    # A list has what its audience tells, and is waited for: what is said there is not read past.
    in_scopes = tuple(sorted(item.id for item in lists if item.scope))
    shared = Dataset("suppressions", Suppressions(lists=in_scopes), rules=rules)
    if request.side == "marketing":
        by_list = [
            Dataset(_of_list(item.key), ListSuppressions(lists=(item.id,)), list_key=item.key)
            for item in lists
            if item.static  # nobody unsubscribes from a query
        ]
        found = [shared, *(by_list if _tells_lists(request) else ())]
        return [replace(dataset, whole_every=_WHOLE_EVERY) for dataset in found]
    found = [shared]
    found += [Dataset(_people_of(entity), People(entity=entity)) for entity in request.entities]
    if static := request.static_ids():
        found.append(Dataset("members", Members(lists=static)))
    return found


def _tells_lists(request: Request) -> bool:
    """Return whether the platform tells unsubscribes by list; another one tells them by scope."""
    return "ReadsListSuppressions" in capabilities(request.account)[request.side]


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
        rows: What the ledger knows of the addresses, one row each and scope.
        left_out: Jobs of the rows that lead to nothing.
    """

    rows: pd.DataFrame
    left_out: pd.DataFrame


def _told(inputs: Inputs, side: RoleName, list_key: str = "", retried: str = "") -> _Told:
    """Return what a side tells: of its account, or of the list with a key.

    Records in error are looked at again: the list's, and those of the list ``retried``.
    """
    staged = inputs.staged.read(side, _of_list(list_key) if list_key else "suppressions")
    if staged.empty:
        staged = pd.DataFrame(columns=["id", "email", "email_key", "deleted"], dtype="string")
    staged = chosen(inputs, staged[~staged["deleted"].astype(bool)], "id")
    again = due(inputs, side, "suppression", list_key or retried)
    named = _named(inputs)
    keys = pd.concat([staged["email_key"], again["email_key"], named["email_key"]]).dropna()
    ids = pd.concat([again["source_id"], named["id"]])
    rows = inputs.view.suppressions(
        side, email_keys=keys, record_ids=ids, list_ids=inputs.list_ids(list_key)
    )
    reason = pd.Series(Reason.EMPTY, index=staged.index).where(staged["email_key"].isna())
    twice = staged.duplicated([name for name in ("email_key", "scope") if name in staged])
    reason = reason.mask(reason.isna() & twice, Reason.DUPLICATE)
    reason = reason.mask(
        reason.isna() & ~staged["email_key"].isin(rows["email_key"]), Reason.LIFTED
    )
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


def _named(inputs: Inputs) -> pd.DataFrame:
    """Return the people named in the trigger form: `email_key`, or the `id` of a contact."""
    named = pd.DataFrame({"email_key": named_keys(inputs)})
    ids = pd.Series([item for item in inputs.options.records if "@" not in item], dtype="string")
    if ids.empty:
        return named.assign(id=pd.Series(dtype="string"))
    found = [inputs.view.people(side, ids=ids)[["email_key"]] for side in SIDES]
    pairs = inputs.view.links(crm_ids=ids)
    contacts = pd.DataFrame({"id": pd.concat([ids, pairs["marketing_id"]])})
    return pd.concat([named, *found, contacts], ignore_index=True)


# ── suppressions of the whole account ─────────────────────────────────────────────────────────


def _account_jobs(inputs: Inputs) -> list[pd.DataFrame]:
    told = _told(inputs, "marketing")
    added = _told(inputs, "crm")
    everywhere = _everywhere(inputs, told.rows)
    others = _of_other_accounts(inputs, added.rows)
    people = _people(inputs, everywhere, _flagging(inputs, added.rows))
    return [
        told.left_out,
        added.left_out,
        _of_no_list(inputs, told.rows),
        _told_twice(inputs, told.rows, everywhere),
        _not_shared(added.rows[others]),
        _flags(inputs, people),
        _records(inputs, everywhere, people),
        *(_to_platform(inputs, added.rows[~others], scope) for scope in inputs.scopes()),
    ]


def _everywhere(inputs: Inputs, told: pd.DataFrame) -> pd.DataFrame:
    """Return the suppressions that count in all scopes, the gravest of each address.

    An unsubscribe from one scope does if the account shares, and one of its lists is in that scope.
    """
    rows = told[_counts_everywhere(inputs, told)]
    rank = rows["reason"].map(_GRAVITY).sort_values(ascending=False, kind="stable")
    return rows.loc[rank.index].drop_duplicates("email_key").sort_index()


def _counts_everywhere(inputs: Inputs, told: pd.DataFrame) -> pd.Series:
    counts = told["scope"].eq("") | told["reason"].ne(Status.UNSUBSCRIBED.value)
    if inputs.account.settings.share_suppressions:
        counts |= told["scope"].isin(inputs.scopes())
    return counts


def _told_twice(inputs: Inputs, told: pd.DataFrame, everywhere: pd.DataFrame) -> pd.DataFrame:
    """Return what this run read of an address of which another scope tells more, or the same."""
    staged = inputs.staged.read("marketing", "suppressions")
    ids = pd.Series(dtype="string") if staged.empty else staged["id"]
    rows = told[_counts_everywhere(inputs, told) & told["scope"].ne("")]
    rows = rows[~rows.index.isin(everywhere.index) & rows["record_id"].isin(ids)]
    return ignored(
        rows,
        Reason.DUPLICATE,
        entity="suppression",
        source_id=rows["record_id"],
        email=rows["email"],
        **_FROM_PLATFORM,
    )


def _of_scope(told: pd.DataFrame, scope: str) -> pd.DataFrame:
    """Return the unsubscribes from one scope; none where that is the whole account."""
    own = told["scope"].eq(scope) & told["reason"].eq(Status.UNSUBSCRIBED.value)
    return told[own & (scope != "")]


def _of_other_accounts(inputs: Inputs, added: pd.DataFrame) -> pd.Series:
    """Return a mask of the CRM's records that are not to be taken over.

    These are what other accounts' syncs made, unless this account shares: a key begins with the
    name of the account whose sync made the record. Where that is not known, a person may have.
    """
    if inputs.account.settings.share_suppressions:
        return pd.Series(data=False, index=added.index)
    return added["key"].fillna("").ne("") & ~_ours(inputs, added)


def _ours(inputs: Inputs, added: pd.DataFrame) -> pd.Series:
    """Return a mask of the CRM's records that this account's sync made."""
    return added["key"].fillna("").str.startswith(keys_of(inputs.account.name))


def _flagging(inputs: Inputs, added: pd.DataFrame) -> pd.DataFrame:
    """Return the CRM's records whose people are flagged.

    Those that this account's sync made repeat what the platform told, and stay when somebody
    subscribes again.
    """
    return added[~_of_other_accounts(inputs, added) & ~_ours(inputs, added)]


def _not_shared(rows: pd.DataFrame) -> pd.DataFrame:
    return ignored(
        rows,
        Reason.NOT_SHARED,
        entity="suppression",
        source_id=rows["record_id"],
        email=rows["email"],
        error_message="Reported by " + rows["origin"] + ".",
        **_FROM_CRM,
    )


def _of_no_list(inputs: Inputs, told: pd.DataFrame) -> pd.DataFrame:
    """Return the unsubscribes from scopes of which no list is synced."""
    own = told["scope"].ne("") & told["reason"].eq(Status.UNSUBSCRIBED.value)
    rows = told[own & ~told["scope"].isin(inputs.scopes())]
    return ignored(
        rows,
        Reason.LIST_NOT_SYNCED,
        entity="suppression",
        source_id=rows["record_id"],
        email=rows["email"],
        **_FROM_PLATFORM,
    )


def _people(inputs: Inputs, told: pd.DataFrame, added: pd.DataFrame) -> pd.DataFrame:
    """Return the CRM's people who may not be mailed, with the suppression that says so.

    The platform may have no more to tell than an unsubscribe from one audience of an address that
    somebody suppressed in the CRM, so the CRM's records count as well.

    For a suppression from an earlier run, only people who have newly come under it count.

    Args:
        inputs: The plan's inputs.
        told: What the platform told in this run, and counts everywhere.
        added: What the CRM told in this run, as `_flagging` leaves it.

    Returns:
        As `_suppressed_people`, with the side that has the suppression as `source`; each person
        once.
    """
    changed = pd.concat([_changed(inputs, entity) for entity in ("contact", "lead")])
    keys = pd.concat([told["email_key"], added["email_key"], changed["email_key"]]).dropna()
    pairs = inputs.view.links(crm_ids=changed["id"])
    of_platform = inputs.view.suppressions(
        "marketing", email_keys=keys, record_ids=pairs["marketing_id"], list_ids=ACCOUNT_WIDE
    )
    of_crm = inputs.view.suppressions("crm", email_keys=keys, list_ids=ACCOUNT_WIDE)
    of_crm = _flagging(inputs, of_crm)
    # Such a record is about an address, not a contact. Until it is told again, it does not stand
    # against somebody who has subscribed on the platform since.
    of_crm = of_crm[~of_crm["came_back"].astype(bool)].assign(personal=False)
    people = pd.concat(
        [
            _suppressed_people(inputs, _everywhere(inputs, of_platform)).assign(source="marketing"),
            _suppressed_people(inputs, of_crm).assign(source="crm"),
        ],
        ignore_index=True,
    )
    now = pd.concat([told["email_key"], added["email_key"]])
    return _gravest(people[people["email_key"].isin(now) | people["id"].isin(changed["id"])])


def _suppressed_people(
    inputs: Inputs, ledger: pd.DataFrame, entity: str | None = None
) -> pd.DataFrame:
    """Return the CRM's people whom suppressions of the platform concern, once per suppression.

    These are the records that are linked with the contact, and those that have the address,
    except people who are known to be somebody else.

    Args:
        inputs: The plan's inputs.
        ledger: The suppressions, as `StoreView.suppressions` returns them.
        entity: Only people of this entity.

    Returns:
        CONTACTS with the suppression's `email`, `email_key`, `reason`, `vendor_reason` and
        `suppressed_at`, and its record as `source_id`.
    """
    told = ledger[_SUPPRESSION].rename(columns={"record_id": "source_id"})
    sharing = inputs.view.people("crm", entity=entity, email_keys=told["email_key"])
    sharing = sharing.drop(columns="email").merge(told, on="email_key")
    by_address = sharing[~_somebody_else(inputs, sharing)]
    by_link = _linked(inputs, told[told["personal"].astype(bool)], entity)
    people = pd.concat([by_address, by_link[by_address.columns]], ignore_index=True)
    return people.drop_duplicates(["entity", "id", "email_key"], ignore_index=True)


def _linked(inputs: Inputs, told: pd.DataFrame, entity: str | None) -> pd.DataFrame:
    """Return the CRM records linked with the contacts of these suppressions, with their columns."""
    pairs = inputs.view.links(entity=entity, marketing_ids=told["source_id"])
    ends = inputs.view.people("crm", entity=entity, ids=pairs["crm_id"])
    pairs, _ = follow_merges(pairs, ends)
    people = inputs.view.people("crm", entity=entity, ids=pairs["crm_id"])
    people = people.drop(columns=["email", "email_key"]).merge(
        pairs[["entity", "crm_id", "marketing_id"]],
        left_on=["entity", "id"],
        right_on=["entity", "crm_id"],
    )
    return people.merge(told, left_on="marketing_id", right_on="source_id")


def _somebody_else(inputs: Inputs, people: pd.DataFrame) -> pd.Series:
    """Return a mask of people who have a suppressed address, but follow a contact with another one.

    An address that bounced, or was suppressed by hand, counts for whoever has it.
    """
    pairs = inputs.view.links(crm_ids=people["id"])
    contacts = inputs.view.people("marketing", ids=pairs["marketing_id"], with_deleted=True)
    contacts = contacts.set_index("id")
    gone = pairs["marketing_id"].isin(contacts.index[contacts["deleted"].astype(bool)])
    # A contact that has not been read yet has the address that it was linked by.
    own_key = looked_up(pairs["marketing_id"], contacts["email_key"])
    pairs = pairs.assign(own_key=own_key.fillna(pairs["email_key"]))
    pairs = pairs.loc[~gone, ["entity", "crm_id", "marketing_id", "own_key"]]
    beside = people.assign(row=people.index).merge(
        pairs, left_on=["entity", "id"], right_on=["entity", "crm_id"], how="left"
    )
    other = beside["marketing_id"].ne(beside["source_id"]) & beside["own_key"].ne(
        beside["email_key"]
    )
    # In several audiences they are somebody else if they are so in each.
    other = other.fillna(value=False).astype(bool).groupby(beside["row"]).all()
    return other.reindex(people.index) & ~people["reason"].isin(_ABOUT_THE_ADDRESS)


def _gravest(people: pd.DataFrame) -> pd.DataFrame:
    """Return each person once, with the gravest suppression."""
    rank = people["reason"].map(_GRAVITY)
    first = rank.sort_values(ascending=False, kind="stable").index
    return people.loc[first].drop_duplicates(["entity", "id"]).sort_index()


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
        "source": people["source"],
        "source_entity": "suppression",
    }
    if not inputs.account.settings.flag_suppressed_people:
        return ignored(people, Reason.SWITCHED_OFF, **about)
    flagged = people["status"].ne(Status.MAILABLE.value).fillna(value=False)
    closed = ~flagged & (people["entity"] == "lead") & ~people["active"].fillna(value=True)
    return joined(
        [
            unchanged(people[flagged], **about),
            ignored(people[closed], Reason.INACTIVE, **about),
            job_frame(
                people[~flagged & ~closed],
                kind=OperationKind.SUPPRESS,
                result=Result.UPDATED,
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
        return ignored(
            told[~told["record_id"].isin(people["source_id"])], Reason.SWITCHED_OFF, **about
        )
    kept = inputs.view.suppressions("crm", email_keys=told["email_key"], list_ids=ACCOUNT_WIDE)
    there = told["email_key"].isin(kept["email_key"])
    erased = ~there & inputs.view.erased(told["email_key"])
    new = told[~there & ~erased]
    lists = inputs.lists["marketing"].values()
    names = {item.scope: item.scope_name or item.scope for item in lists}
    place = new["scope"].map(names).fillna(new["scope"])
    values = _record_values(new.assign(origin=_origin(inputs, place)), _ACCOUNT_RECORD)
    return joined(
        [
            unchanged(told[there], **about),
            ignored(told[erased], Reason.ERASED, **about),
            job_frame(
                new,
                kind=OperationKind.CREATE,
                result=Result.NEW,
                key=suppression_key(inputs.account.name, new["record_id"]),
                values=values,
                after=values,
                reason=new["reason"],
                **about,
            ),
        ]
    )


def _origin(inputs: Inputs, place: pd.Series) -> pd.Series:
    """Return who told suppressions, for people: the platform, where on it, and the account."""
    account = inputs.account.title or inputs.account.name
    return inputs.systems["marketing"] + (", " + place).where(place.ne(""), "") + f" ({account})"


def _to_platform(inputs: Inputs, added: pd.DataFrame, scope: str) -> pd.DataFrame:
    """Suppress in one scope of the platform what is new among the CRM's records."""
    view = inputs.view.within(scope)
    kept = view.suppressions("marketing", email_keys=added["email_key"], list_ids=ACCOUNT_WIDE)
    kept = kept[kept["scope"].isin(["", scope])]
    there = added["email_key"].isin(kept["email_key"])
    contacts = view.people("marketing", email_keys=added["email_key"])
    spelt = contacts.drop_duplicates("email_key").set_index("email_key")["email"]
    absent = ~added["email_key"].isin(contacts["email_key"])
    # The record of a contact's own unsubscribe is no word against one who has come back since.
    own = ~there & added["key"].isin(suppression_key(inputs.account.name, contacts["id"]))
    erased = ~there & absent & inputs.view.erased(added["email_key"])
    about: dict[str, Any] = {
        "target": "marketing",
        "entity": "contact",
        "source_id": added["record_id"],
        "scope": scope,
        # People copy "mailto:" and the like along, which a platform would take for the address.
        "email": looked_up(added["email_key"], spelt).fillna(added["email_key"]),
        **_FROM_CRM,
    }
    new = added[~there & ~own & ~erased]
    untold = pd.DataFrame({"origin": new["origin"].isna()})
    return joined(
        [
            unchanged(added[there], **about),
            ignored(added[own], Reason.LIFTED, **about),
            ignored(added[erased], Reason.ERASED, **about),
            job_frame(
                new,
                kind=OperationKind.SUPPRESS,
                result=Result.NEW,
                reason=new["reason"],
                before=_UNFLAGGED,
                after=json_objects(new.assign(do_not_mail=True), _TOLD, without=untold),
                **about,
            ),
        ]
    )


# ── unsubscribes from one list ────────────────────────────────────────────────────────────────


def _list_jobs(inputs: Inputs, key: str) -> list[pd.DataFrame]:
    """Take people off the marketing list that they unsubscribed from, and keep a record of it.

    Nobody can be taken off a dynamic one: for that there is the record alone. Who unsubscribed from
    the scope that the list is in has unsubscribed from the list.
    """
    scope = inputs.lists["marketing"][key].scope
    inputs = inputs.within(scope)
    told = _told(inputs, "marketing", key)
    rows = told.rows
    if scope:
        of_scope = _of_scope(_told(inputs, "marketing", retried=key).rows, scope)
        rows = pd.concat([rows, of_scope], ignore_index=True).drop_duplicates("email_key")
    people = _list_people(inputs, key, rows)
    absent = rows[~rows["email_key"].isin(people["email_key"])]
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
            Reason.NOT_IN_CRM,
            entity="suppression",
            list_key=key,
            source_id=absent["record_id"],
            email=absent["email"],
            **_FROM_PLATFORM,
        ),
        job_frame(
            people[people["member"] & inputs.lists["crm"][key].static],
            kind=OperationKind.LEAVE,
            entity=people["entity"],
            result=Result.DELETED,
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
    people = _gravest(_suppressed_people(inputs, told, crm_list.entity))
    members = inputs.view.members("crm", list_ids=[crm_list.id], member_ids=people["id"])
    people = people.merge(
        members[["member_id", "membership_id"]], left_on="id", right_on="member_id", how="left"
    )
    return people.assign(
        member=people["member_id"].notna(), member_id=people["id"], list_id=crm_list.id
    )


def _list_records(
    inputs: Inputs, key: str, people: pd.DataFrame, about: dict[str, Any]
) -> pd.DataFrame:
    kept = inputs.view.suppressions(
        "crm", email_keys=people["email_key"], list_ids=inputs.list_ids(key)
    )
    there = people["id"].isin(kept["member_id"])
    erased = ~there & inputs.view.erased(people["email_key"])
    new = people[~there & ~erased]
    place = pd.Series(inputs.lists["marketing"][key].name, index=new.index, dtype="string")
    values = _record_values(new.assign(origin=_origin(inputs, place)), _LIST_RECORD)
    return joined(
        [
            unchanged(people[there], entity="suppression", **about),
            ignored(people[erased], Reason.ERASED, entity="suppression", **about),
            job_frame(
                new,
                kind=OperationKind.CREATE,
                entity="suppression",
                result=Result.NEW,
                key=keys_of(inputs.account.name) + key + "-" + new["id"],
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


SYNC: Final = SyncType(datasets, plan, revert=undo.revert)
