"""Functions and actions beside those of marketing lists: WhoAmI, Merge, QualifyLead, counts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sandbox.dynamics import records
from sandbox.dynamics.definitions import LANGUAGE
from sandbox.dynamics.errors import VendorError, query_error, type_name, unresolved_action
from sandbox.dynamics.list_actions import entity_of
from sandbox.dynamics.lists import add_members
from sandbox.dynamics.messages import Reply, empty_reply, json_reply
from sandbox.dynamics.model import Table
from sandbox.dynamics.options import query_pairs
from sandbox.dynamics.work import BUSINESS_UNIT_ID, ORGANIZATION_ID, Work
from sandbox.dynamics.writing import bury, create, point, set_values, update

_MERGEABLE = {"account", "contact", "lead"}
# What the subordinate of a merge becomes; for a lead it is assumed.
_MERGED_STATE = {"account": (1, 2), "contact": (1, 2), "lead": (2, 7)}


def who_am_i(work: Work) -> Reply:
    """Answer `GET WhoAmI`."""
    return json_reply(
        {
            "@odata.context": f"{work.call.root}/$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse",
            "BusinessUnitId": BUSINESS_UNIT_ID,
            "UserId": work.user_id,
            "OrganizationId": ORGANIZATION_ID,
        }
    )


def available_languages(work: Work) -> Reply:
    """Answer `GET RetrieveAvailableLanguages`."""
    context = f"{work.call.root}/$metadata#{type_name('RetrieveAvailableLanguagesResponse')}"
    return json_reply({"@odata.context": context, "LocaleIds": [LANGUAGE]})


def total_record_count(work: Work, argument: str) -> Reply:
    """Answer `RetrieveTotalRecordCount(EntityNames=[…])`; here it is never out of date."""
    text = argument.removeprefix("EntityNames=")
    text = query_pairs(work.call.query).get(text, text)
    try:
        names = json.loads(text.replace("'", '"'))
        counts = [(name, _count(work, work.table(name))) for name in names]
    except (ValueError, KeyError, TypeError):
        raise query_error("EntityNames must be a list of logical names.") from None
    prefix = f"{work.call.root}/$metadata#Microsoft.Dynamics.CRM"
    return json_reply(
        {
            "@odata.context": f"{prefix}.RetrieveTotalRecordCountResponse",
            "EntityRecordCountCollection": {
                "Count": len(counts),
                "IsReadOnly": False,
                "Keys": [name for name, _ in counts],
                "Values": [count for _, count in counts],
            },
        }
    )


def _count(work: Work, table: Table) -> int:
    (found,) = work.connection.execute(f'SELECT count(*) FROM "{table.name}"').fetchone()
    return int(found)


def merge(work: Work) -> Reply:
    """Answer the action Merge (PAD merge-entity-using-web-api).

    What points at the subordinate, its memberships too, goes over to the target; the subordinate
    is deactivated and names its master.
    """
    body = work.call.json()
    required = {"Target", "Subordinate", "PerformParentingChecks"}
    if not required <= set(body) <= required | {"UpdateContent"}:
        raise unresolved_action()
    name, target_id = entity_of(work, body["Target"])
    other, subordinate_id = entity_of(work, body["Subordinate"])
    if name != other or name not in _MERGEABLE or target_id == subordinate_id:
        raise VendorError(400, "0x80040203", "Two different rows of one table can be merged.")
    table = work.table(name)
    subordinate = records.stored(work, table, subordinate_id)
    if subordinate["merged"]:
        raise VendorError(400, "0x80040203", "The subordinate is already merged.")  # assumed
    content = body.get("UpdateContent") or {}
    if not isinstance(content, dict):
        raise unresolved_action()
    update(
        work,
        table,
        target_id,
        {
            key: value
            for key, value in content.items()
            if not key.startswith("@") and key != table.primary_id
        },
    )
    records.stored(work, table, target_id)
    _move_children(work, table, subordinate_id, target_id)
    _move_memberships(work, table, subordinate_id, target_id)
    state, status = _MERGED_STATE[name]
    values = {"masterid": target_id, "merged": 1, "statecode": state, "statuscode": status}
    set_values(work, table, subordinate_id, dict(values))
    return empty_reply()


def _move_children(work: Work, table: Table, source: str, target: str) -> None:
    for relationship in work.catalogue.one_to_many:
        if relationship.referenced != table.name or relationship.cascade["Merge"] == "NoCascade":
            continue
        child = work.table(relationship.referencing)
        rows = work.connection.execute(
            f'SELECT {child.primary_id} FROM "{child.name}" WHERE {relationship.column} = ?',
            (source,),
        ).fetchall()
        for (child_id,) in rows:
            point(work, child, child_id, relationship.column, (table.name, target))


def _move_memberships(work: Work, table: Table, source: str, target: str) -> None:
    rows = work.connection.execute(
        "SELECT listmemberid, listid FROM listmember WHERE entityid = ?", (source,)
    ).fetchall()
    for member_id, list_id in rows:
        bury(work, work.table("listmember"), [member_id])
        work.connection.execute(
            "UPDATE list SET membercount = membercount - 1 WHERE listid = ?", (list_id,)
        )
        row = records.stored(work, work.table("list"), list_id)
        if not row["lockstatus"] and row["statecode"] == 0:
            add_members(work, list_id, [(table.name, target)])


def qualify_lead(work: Work, lead_id: str) -> Reply:
    """Answer the bound action QualifyLead: makes what is asked for, and closes the lead."""
    body = work.call.json()
    flags = [body.get(f"Create{kind}") for kind in ("Account", "Contact", "Opportunity")]
    status = body.get("Status")
    if not all(isinstance(flag, bool) for flag in flags) or not isinstance(status, int):
        raise unresolved_action()
    table = work.table("lead")
    lead = records.stored(work, table, lead_id)
    if lead["statecode"] != 0:
        raise VendorError(400, "0x80040519", "The lead is already closed.")
    made: dict[str, str] = {}
    for asked, name, content_of in zip(flags, _QUALIFIED, _CONTENTS, strict=True):
        if asked:
            content = content_of(lead, made)
            content["originatingleadid@odata.bind"] = f"/leads({lead_id})"
            made[name] = create(work, work.table(name), content)
            point(work, table, lead_id, _QUALIFIED[name], (name, made[name]))
    update(work, table, lead_id, {"statecode": 1, "statuscode": status})
    return json_reply(
        {
            "@odata.context": f"{work.call.root}/$metadata#Collection(mscrm.crmbaseentity)",
            "value": [
                {"@odata.type": f"#{type_name(name)}", work.table(name).primary_id: row_id}
                for name, row_id in made.items()
            ],
        }
    )


# What a lead is qualified to, and its lookup that leads there.
_QUALIFIED = {
    "account": "parentaccountid",
    "contact": "parentcontactid",
    "opportunity": "qualifyingopportunityid",
}


def _account_of(lead: Mapping[str, Any], _made: Mapping[str, str]) -> dict[str, Any]:
    return {"name": lead["companyname"] or lead["fullname"]}


def _contact_of(lead: Mapping[str, Any], made: Mapping[str, str]) -> dict[str, Any]:
    same = ("firstname", "lastname", "emailaddress1", "telephone1", "jobtitle", "description")
    content = {name: lead[name] for name in same if lead[name] is not None}
    consent = ("donotemail", "donotbulkemail", "donotphone", "donotfax", "donotsendmm")
    content.update({name: bool(lead[name]) for name in consent})
    if "account" in made:
        content["parentcustomerid_account@odata.bind"] = f"/accounts({made['account']})"
    return content


def _opportunity_of(lead: Mapping[str, Any], made: Mapping[str, str]) -> dict[str, Any]:
    """Return an opportunity: its customer is the account, or the contact where there is none."""
    content: dict[str, Any] = {"name": lead["subject"] or lead["fullname"]}
    for name in ("contact", "account"):
        if name in made:
            address = f"/{name}s({made[name]})"
            content[f"parent{name}id@odata.bind"] = address
            content.pop("customerid_contact@odata.bind", None)
            content[f"customerid_{name}@odata.bind"] = address
    return content


_CONTENTS = (_account_of, _contact_of, _opportunity_of)
