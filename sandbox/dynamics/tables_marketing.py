"""Marketing lists, campaigns and consent (fact sheet, section 5)."""

from __future__ import annotations

from sandbox.dynamics.columns import (
    READ_ONLY,
    audit,
    choice,
    email,
    flag,
    local_day,
    lookup,
    memo,
    moment,
    money,
    number,
    owned,
    party_lists,
    states,
    table,
    text,
    texts,
)
from sandbox.dynamics.model import Column, ManyToMany

MEMBERS = ("account", "contact", "lead")
ACTIVITIES = ("campaignactivity", "campaignresponse")

LIST = table(
    "list",
    "lists",
    "listname",
    4300,
    (
        text("listname", 128, label="Name", required="SystemRequired"),
        choice(
            "createdfromcode",
            "1 Account, 2 Contact, 4 Lead",
            label="Targeted At",
            required="SystemRequired",
            updatable=False,
        ),
        number("membertype", label="Member Type", updatable=False),
        flag("type", label="Type", required="SystemRequired", labels=("Static", "Dynamic")),
        flag("lockstatus", label="Locked"),
        memo("query", 1_073_741_823),
        number("membercount", 0, **READ_ONLY),
        number("processedmembercount", 0, **READ_ONLY),
        memo("processfetchxml", 1_073_741_823),
        flag("donotsendonoptout", default=True),
        flag("ignoreinactivelistmembers", default=True),
        local_day("lastusedon"),
        text("purpose", 512),
        text("source", 128),
        *money("cost"),
        memo("description"),
        flag("msdyncrm_issubscription"),
        lookup("transactioncurrencyid", "transactioncurrency"),
        *states("0 Active, 1 Inactive", "0 Active@0, 1 Inactive@1"),
        *owned(),
    ),
    label="Marketing List",
    schema="List",
    # Change tracking of list, listmember and campaign by default is not confirmed (assumed).
    change_tracking=True,
)

LISTMEMBER = table(
    "listmember",
    "listmembers",
    "name",
    4301,
    (
        text("name", 100, required="ApplicationRequired", updatable=False),
        # No relationship goes with these two: nothing can be bound to them, or expanded by them.
        # People join by the list's actions, or by its association with them.
        lookup("entityid", *MEMBERS, navigations=(), required="SystemRequired"),
        lookup("listid", "list", navigations=(), required="SystemRequired"),
        Column("entitytype", "EntityName", required="SystemRequired", updatable=False),
        Column("entityidtypecode", "EntityName", updatable=False),
        number("importsequencenumber", updatable=False),
        *audit(),
        lookup("createdby", "systemuser", **READ_ONLY),
        lookup("modifiedby", "systemuser", **READ_ONLY),
    ),
    label="Marketing List Member",
    schema="ListMember",
    ownership="None",
    bulk=False,
    change_tracking=False,
)

CAMPAIGN = table(
    "campaign",
    "campaigns",
    "name",
    4400,
    (
        text("name", 128, required="ApplicationRequired"),
        text("codename", 32),
        text("promotioncodename", 128),
        choice(
            "typecode",
            "1 Advertisement, 2 Direct Marketing, 3 Event, 4 Co-branding, 5 Other",
        ),
        flag("istemplate"),
        text("message", 256),
        memo("objective"),
        memo("description"),
        *(moment(name) for name in ("proposedstart", "proposedend", "actualstart", "actualend")),
        *money("budgetedcost", "othercost", "expectedrevenue"),
        number("expectedresponse", 0, 100),
        *email("emailaddress"),
        Column("totalactualcost", "Money", creatable=False, updatable=False),
        lookup("transactioncurrencyid", "transactioncurrency"),
        *states(
            "0 Active, 1 Inactive",
            "0 Proposed@0, 1 Ready To Launch@0, 2 Launched@0, 3 Completed@0, 4 Canceled@0,"
            " 5 Suspended@0, 6 Inactive@1",
        ),
        *owned(),
    ),
    change_tracking=True,
)

CAMPAIGNACTIVITY = table(
    "campaignactivity",
    "campaignactivities",
    "subject",
    4402,
    (
        text("subject", 200),
        memo("description"),
        choice(
            "channeltypecode",
            "1 Phone, 2 Appointment, 3 Letter, 4 Letter via Mail Merge, 5 Fax,"
            " 6 Fax via Mail Merge, 7 Email, 8 Email via Mail Merge, 9 Other",
        ),
        choice(
            "typecode",
            "1 Research, 2 Content Preparation, 3 Target Marketing List Creation,"
            " 4 Lead Qualification, 5 Content Distribution, 6 Direct Initial Contact,"
            " 7 Direct Follow-Up Contact, 8 Reminder Distribution",
        ),
        flag("donotsendonoptout", default=True),
        flag("ignoreinactivelistmembers", default=True),
        number("excludeifcontactedinxdays", 0, 9999),
        *(moment(name) for name in ("scheduledstart", "scheduledend", "actualstart", "actualend")),
        lookup(
            "regardingobjectid",
            "campaign",
            navigations=("regardingobjectid_campaign_campaignactivity",),
        ),
        *states(
            "0 Open, 1 Closed, 2 Canceled, 3 Scheduled",
            "1 Proposed@0, 0 In Progress@0, 4 Pending@0, 5 System Aborted@0, 6 Completed@0,"
            " 2 Closed@1, 3 Canceled@2",
        ),
        *owned(),
    ),
    primary_id="activityid",
    label="Campaign Activity",
    plural="Campaign Activities",
    activity=True,
    party_lists=party_lists("from", "partners"),
)

CAMPAIGNRESPONSE = table(
    "campaignresponse",
    "campaignresponses",
    "subject",
    4401,
    (
        text("subject", 200),
        memo("description"),
        choice(
            "responsecode",
            "1 Interested, 2 Not Interested, 3 Do Not Send Marketing Materials, 4 Error",
            default=1,
        ),
        choice(
            "channeltypecode",
            "1 Email, 2 Phone, 3 Fax, 4 Letter, 5 Appointment, 6 Others",
            default=1,
        ),
        moment("receivedon"),
        *texts(50, "firstname", "lastname", "telephone", "fax"),
        text("companyname", 100),
        *email("emailaddress"),
        text("promotioncodename", 250),
        lookup(
            "regardingobjectid",
            "campaign",
            navigations=("regardingobjectid_campaign_campaignresponse",),
        ),
        lookup(
            "originatingactivityid",
            "campaignactivity",
            navigations=("originatingactivityid_campaignactivity",),
        ),
        *states("0 Open, 1 Closed, 2 Canceled", "1 Open@0, 2 Closed@1, 3 Canceled@2"),
        *owned(),
    ),
    primary_id="activityid",
    label="Campaign Response",
    activity=True,
    party_lists=party_lists("customer", "from", "partner"),
)

# Of every activity table: who takes part in a row, and as what.
ACTIVITYPARTY = table(
    "activityparty",
    "activityparties",
    "partyidname",
    135,
    (
        text("partyidname", 400, **READ_ONLY),
        lookup(
            "activityid",
            *ACTIVITIES,
            navigations=tuple(f"activityid_{one}_activityparty" for one in ACTIVITIES),
        ),
        lookup("partyid", *MEMBERS, "systemuser"),
        choice(
            "participationtypemask",
            "1 Sender, 2 To Recipient, 3 CC Recipient, 4 BCC Recipient, 5 Required attendee,"
            " 6 Optional attendee, 7 Organizer, 8 Regarding, 9 Owner, 10 Resource, 11 Customer,"
            " 12 Chat Participant, 13 Related",
        ),
        text("addressused", 320),
        Column("versionnumber", "BigInt", **READ_ONLY),
    ),
    label="Activity Party",
    plural="Activity Parties",
    schema="ActivityParty",
    ownership="None",
    bulk=False,
)

_NAMED = (text("msdynmkt_name", 100), *states("0 Active, 1 Inactive", "1 Active@0, 2 Inactive@1"))

CONSENT = table(
    "msdynmkt_contactpointconsent4",
    "msdynmkt_contactpointconsent4s",
    "msdynmkt_name",
    10401,
    (
        *_NAMED,
        text("msdynmkt_contactpointvalue", 400, required="ApplicationRequired"),
        choice(
            "msdynmkt_contactpointtype",
            "534120000 Email, 534120001 Text, 534120002 Custom, 534120003 Voice",
        ),
        choice("msdynmkt_value", "534120000 Not Set, 534120001 Opted In, 534120002 Opted Out"),
        choice("msdynmkt_contactpointconsenttype", "534120000 Purpose, 534120001 Topic"),
        lookup("msdynmkt_purposeid", "msdynmkt_purpose", required="ApplicationRequired"),
        lookup("msdynmkt_topicid", "msdynmkt_topic"),
        choice(
            "msdynmkt_source",
            "534120000 Internal, 534120003 Loaded, 534120004 Preference Center,"
            " 534120007 List-Unsubscribe",
        ),
        choice("msdynmkt_logicalreason", "534119999 None, 534120007 One-Click Unsubscribe"),
        *owned(),
    ),
    label="Contact Point Consent",
)
PURPOSE = table(
    "msdynmkt_purpose", "msdynmkt_purposes", "msdynmkt_name", 10402, (*_NAMED, *owned())
)
TOPIC = table("msdynmkt_topic", "msdynmkt_topics", "msdynmkt_name", 10403, (*_NAMED, *owned()))


def _membership(member: str) -> ManyToMany:
    return ManyToMany(
        name=f"list{member}_association",
        first="list",
        second=member,
        intersect="listmember",
        first_column="listid",
        second_column="entityid",
        first_navigation=f"list{member}_association",
        second_navigation=f"list{member}_association",
        only=f"x.entityid__type = '{member}'",
    )


def _campaign_list(name: str, other: str, other_id: str) -> ManyToMany:
    return ManyToMany(
        name=name,
        first="list",
        second=other,
        intersect=f"_{name}",
        first_column="listid",
        second_column=other_id,
        first_navigation=name,
        second_navigation=name,
    )


MANY_TO_MANY = (
    *(_membership(member) for member in MEMBERS),
    _campaign_list("campaignlist_association", "campaign", "campaignid"),
    _campaign_list("campaignactivitylist_association", "campaignactivity", "activityid"),
)

# The collections whose names the fact sheet or the vendor's reference of its tables gives; others
# are `<table>_<column>` (assumed).
COLLECTIONS = {
    ("solution", "publisherid", "publisher"): "publisher_solution",
    ("solutioncomponent", "solutionid", "solution"): "solution_solutioncomponent",
    ("account", "masterid", "account"): "account_master_account",
    ("account", "originatingleadid", "lead"): "account_originating_lead",
    ("account", "parentaccountid", "account"): "account_parent_account",
    ("account", "primarycontactid", "contact"): "account_primary_contact",
    **{("activityparty", "activityid", one): f"{one}_activity_parties" for one in ACTIVITIES},
    **{("activityparty", "partyid", one): f"{one}_activity_parties" for one in MEMBERS},
    ("activityparty", "partyid", "systemuser"): "system_user_activity_parties",
    ("campaignactivity", "regardingobjectid", "campaign"): "Campaign_CampaignActivities",
    ("campaignresponse", "regardingobjectid", "campaign"): "Campaign_CampaignResponses",
    ("contact", "masterid", "contact"): "contact_master_contact",
    ("contact", "originatingleadid", "lead"): "contact_originating_lead",
    ("contact", "parentcustomerid", "account"): "contact_customer_accounts",
    ("contact", "parentcustomerid", "contact"): "contact_customer_contacts",
    ("lead", "campaignid", "campaign"): "campaign_leads",
    (
        "sdkmessageprocessingstep",
        "eventhandler",
        "serviceendpoint",
    ): "serviceendpoint_sdkmessageprocessingstep",
    ("lead", "customerid", "account"): "lead_customer_accounts",
    ("lead", "customerid", "contact"): "lead_customer_contacts",
    ("lead", "masterid", "lead"): "lead_master_lead",
    ("lead", "parentaccountid", "account"): "lead_parent_account",
    ("lead", "parentcontactid", "contact"): "lead_parent_contact",
    ("lead", "qualifyingopportunityid", "opportunity"): "lead_qualifying_opportunity",
    ("opportunity", "campaignid", "campaign"): "campaign_opportunities",
    ("opportunity", "customerid", "account"): "opportunity_customer_accounts",
    ("opportunity", "customerid", "contact"): "opportunity_customer_contacts",
    ("opportunity", "originatingleadid", "lead"): "opportunity_originating_lead",
    ("opportunity", "parentaccountid", "account"): "opportunity_parent_account",
    ("opportunity", "parentcontactid", "contact"): "opportunity_parent_contact",
}
