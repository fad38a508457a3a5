"""Marketing lists, both ways: people, fields and memberships of both sides kept in step.

First what changed on the platform goes to the CRM, then members, fields and removals go from the
CRM to the platform; both are decided here at once, from what both sides have now and what they
had when they last agreed.
"""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from bothways.config.account import tagged_by
from bothways.streams.members import DynamicMembers, Members
from bothways.streams.people import People
from bothways.syncs.address_books.sync import marketing_fields
from bothways.syncs.base import Dataset, Inputs, Plan, Request
from bothways.syncs.jobs import joined, named_keys
from bothways.syncs.scopes import by_scope
from bothways.syncs.two_way.affected import Gathered, gather
from bothways.syncs.two_way.consent import Judged, judged
from bothways.syncs.two_way.fields import FieldPlan, plan_fields
from bothways.syncs.two_way.lists import ListPlan, plan_list
from bothways.syncs.two_way.opted_out import silent_differences
from bothways.syncs.two_way.persons import Persons, persons
from bothways.tables.frames import frame_of
from bothways.tables.ledgers import LINKS
from bothways.transform.partition import in_partition
from bothways.vocabulary import FieldType, MembershipState, OperationKind, Reason, RoleName


def datasets(request: Request) -> list[Dataset]:
    """Read people with their mapped fields, and the members of the mapped lists.

    Somebody who is on a list of one side may be known to the other but on none of its lists, so
    both sides are read beyond their lists, and also where a list is yet to be created.
    """
    if not request.lists:
        return []
    rules = request.joining_rules()
    if request.side == "marketing":
        fields = marketing_fields(request.account.mappings)
        lists = request.list_ids()
        contacts = People(entity="contact", fields=fields, lists=lists, everybody=True)
        return [Dataset("contacts", contacts, rules=rules)]
    held = {item.entity for item in request.lists.values()}
    people = [
        Dataset(
            f"{entity}s", People(entity=entity, fields=_crm_fields(request, entity)), rules=rules
        )
        for entity in request.entities
        if entity in held
    ]
    static = request.static_ids()
    members = [Dataset("members", Members(lists=static), rules=rules)] if static else []
    found_by_query = [
        Dataset(f"members_{item.key}", DynamicMembers(lists=(item.id,)), list_key=item.key)
        for item in request.lists.values()
        if item.found_by_query
    ]
    return [*people, *members, *found_by_query]


def plan(inputs: Inputs) -> Plan:
    """Decide on everybody who is, or was, on a mapped list, one scope of the platform at a time."""
    return by_scope(inputs, _plan)


def _plan(inputs: Inputs) -> Plan:
    crm_fields: dict[str, FieldType] = {}
    for mapping in inputs.account.mappings.values():
        crm_fields |= mapping.vendor_fields("crm")
    fields: dict[RoleName, dict[str, FieldType]] = {
        "crm": crm_fields,
        "marketing": marketing_fields(inputs.account.mappings),
    }
    gathered = gather(inputs, fields)
    entities = {key: str(item.entity) for key, item in inputs.lists["crm"].items()}
    found = persons(gathered, entities)
    gathered = replace(gathered, states=_without_split_off(gathered.states, found.split_off))
    named = _named(inputs, _of_partition(inputs, found.rows))
    consent = judged(inputs, named, gathered.silent, gathered.last_statuses)
    people = consent.rows
    if people.empty:
        return Plan(joined([]), keep={"unlinked": found.dropped, "split_off": found.split_off})
    in_step = _in_step(people)
    field_plan = plan_fields(inputs, gathered, in_step)
    lists = _lists(inputs, gathered, people, field_plan)
    on_both = people.loc[people["marketing_id"].notna(), "person"]
    concerned = pd.concat([on_both, *(item.created for item in lists)])
    decided = _together(inputs, field_plan.of(concerned), lists, found, consent)
    if not inputs.compares:
        return decided
    silent = silent_differences(inputs, gathered, people, in_step)
    return replace(decided, jobs=joined([decided.jobs, silent]))


def _lists(
    inputs: Inputs, gathered: Gathered, people: pd.DataFrame, fields: FieldPlan
) -> list[ListPlan]:
    """Plan each list, and after it its tag, which whoever the list pushes joins."""
    created: set[str] = set()
    plans: dict[str, ListPlan] = {}
    for key, crm_list in sorted(inputs.lists["crm"].items()):
        of = plans.get(tagged_by(key))
        if crm_list.entity and (of or not tagged_by(key)):
            plans[key] = plan_list(
                inputs,
                gathered,
                people,
                crm_list,
                agreed=fields.agreed,
                created=created,
                pushed=of.pushed if of else None,
            )
    return list(plans.values())


def _crm_fields(request: Request, entity: str) -> dict[str, FieldType]:
    mapping = request.account.mappings.get(entity)
    return mapping.vendor_fields("crm") if mapping else {}


def _without_split_off(states: pd.DataFrame, split_off: pd.DataFrame) -> pd.DataFrame:
    """Leave out the joined states of a record and a contact that have turned out to be two people.

    Nobody removed either of them: each starts with a first sync. Opt-outs from a list are kept,
    whichever of the two they came from.
    """
    if split_off.empty:
        return states
    ends = ["entity", "crm_id", "marketing_id"]
    theirs = pd.MultiIndex.from_frame(states[ends]).isin(pd.MultiIndex.from_frame(split_off[ends]))
    return states[~(theirs & states["state"].eq(MembershipState.JOINED))]


def _in_step(people: pd.DataFrame) -> pd.DataFrame:
    """Return the records whose fields travel: both sides live, nothing speaks against writing.

    Several records of a person who is yet to be created on the platform are among them.
    """
    shared = people["crm_id"].notna() & people["person"].duplicated(keep=False)
    both = people["crm_id"].notna() & (people["marketing_id"].notna() | shared)
    live = ~people["crm_deleted"].fillna(value=False) & ~people["marketing_deleted"].fillna(
        value=False
    )
    fit = people["consent"].isna() & people["left_out"].isna()
    return people[both & live & fit & people["case"].ne("merged_away").fillna(value=True)]


def _of_partition(inputs: Inputs, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the persons who fall to this partition; others were only looked at with them."""
    if inputs.partitions == 1:
        return rows
    identity = rows["marketing_email_key"].fillna(rows["crm_email_key"])
    first = identity.groupby(rows["person"]).transform("min")
    return rows[in_partition(first, inputs.partition, inputs.partitions)]


def _named(inputs: Inputs, people: pd.DataFrame) -> pd.DataFrame:
    """Return the persons whom somebody named at the trigger form; all where nobody was named."""
    named = inputs.options.records
    if not named:
        return people
    keys = named_keys(inputs)
    meant = people["crm_id"].isin(named) | people["marketing_id"].isin(named)
    meant |= people["crm_email_key"].isin(keys) | people["marketing_email_key"].isin(keys)
    return people[people["person"].isin(people.loc[meant, "person"])]


def _together(
    inputs: Inputs, fields: FieldPlan, lists: list[ListPlan], found: Persons, consent: Judged
) -> Plan:
    links = [_new_links(consent.rows), *(item.links for item in lists)]
    return Plan(
        jobs=_with_asked(inputs, joined([fields.jobs, *(item.jobs for item in lists)])),
        notes=(
            *consent.notes(inputs.systems),
            *fields.notes,
            *(note for item in lists for note in item.notes),
        ),
        keep={
            "unlinked": found.dropped,
            "links": pd.concat([frame for frame in links if not frame.empty] or [frame_of(LINKS)]),
            "split_off": found.split_off,
            "baselines": fields.baselines,
            "states": pd.concat([item.states for item in lists]) if lists else pd.DataFrame(),
            "lifted": consent.lifted,
        },
    )


def _with_asked(inputs: Inputs, jobs: pd.DataFrame) -> pd.DataFrame:
    """Say of whom the platform creates for a list with double opt-in that it asks them to confirm.

    One such list among those that somebody is created for is enough.
    """
    known = inputs.lists["marketing"]
    asking = [key for key in known if inputs.account.asks_to_confirm(key)]
    asking += [key for key, item in known.items() if item.asks_to_confirm]
    on_platform = jobs["target"].eq("marketing").fillna(value=False)
    joins = on_platform & jobs["kind"].eq(OperationKind.JOIN) & jobs["list_key"].isin(asking)
    creates = on_platform & jobs["kind"].eq(OperationKind.CREATE)
    keys = jobs.loc[joins.fillna(value=False), "key"].dropna()
    asked = creates.fillna(value=False) & jobs["key"].isin(keys)
    return (
        jobs.assign(reason=jobs["reason"].mask(asked, Reason.TO_CONFIRM)) if asked.any() else jobs
    )


def _new_links(people: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs of this plan as links: new ones, and those whose address has moved."""
    pairs = people[people["crm_id"].notna() & people["marketing_id"].notna()]
    address = pairs["marketing_email_key"].fillna(pairs["crm_email_key"])
    news = (
        pairs["new_link"] | address.ne(pairs["link_key"]).fillna(value=True) | pairs["case"].notna()
    )
    pairs = pairs[news & pairs["case"].ne("merged_away").fillna(value=True)]
    return pd.DataFrame(
        {
            "entity": pairs["entity"],
            "crm_id": pairs["crm_id"],
            "marketing_id": pairs["marketing_id"],
            "email_key": pairs["marketing_email_key"].fillna(pairs["crm_email_key"]),
            "is_primary": pairs["is_primary"],
        }
    ).drop_duplicates(["entity", "crm_id"])
