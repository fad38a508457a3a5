"""The tables that others point at, kept as small as they are needed, and all tables together."""

from __future__ import annotations

from sandbox.dynamics.columns import (
    READ_ONLY,
    audit,
    email,
    flag,
    lookup,
    money,
    number,
    owned,
    states,
    table,
    text,
)
from sandbox.dynamics.model import Column, Key, stable_id
from sandbox.dynamics.tables_marketing import (
    ACTIVITYPARTY,
    CAMPAIGN,
    CAMPAIGNACTIVITY,
    CAMPAIGNRESPONSE,
    CONSENT,
    LIST,
    LISTMEMBER,
    PURPOSE,
    TOPIC,
)
from sandbox.dynamics.tables_people import ACCOUNT, CONTACT, LEAD
from sandbox.dynamics.tables_webhooks import SDKMESSAGEPROCESSINGSTEP, SERVICEENDPOINT

_ACTIVE = ("0 Active, 1 Inactive", "1 Active@0, 2 Inactive@1")

# Its name in the metadata is assumed.
_OBJECT_ID = Key(
    name="azureactivedirectoryobjectid",
    schema="AzureActiveDirectoryObjectId",
    columns=("azureactivedirectoryobjectid",),
    status="Active",
    active_at=0,
    metadata_id=stable_id("systemuser", "key"),
    label="Microsoft Entra object id",
)

SYSTEMUSER = table(
    "systemuser",
    "systemusers",
    "fullname",
    8,
    (
        text("fullname", 200, **READ_ONLY),
        text("firstname", 256),
        text("lastname", 256),
        text("domainname", 1024),
        *email("internalemailaddress"),
        Column("applicationid", "Uniqueidentifier"),
        Column("azureactivedirectoryobjectid", "Uniqueidentifier", updatable=False),
        Column("ownerid", "Uniqueidentifier", **READ_ONLY),
        flag("isdisabled", labels=("Enabled", "Disabled"), **READ_ONLY),
        lookup("businessunitid", "businessunit"),
        *audit(),
    ),
    label="User",
    schema="SystemUser",
    # It inherits its key from principal, as team does: by `systemuserid=` nobody is found.
    address_key="ownerid",
    keys=(_OBJECT_ID,),
    ownership="BusinessOwned",
)
TEAM = table(
    "team",
    "teams",
    "name",
    9,
    (text("name", 160), Column("ownerid", "Uniqueidentifier", **READ_ONLY), *audit()),
    ownership="BusinessOwned",
    address_key="ownerid",
)
BUSINESSUNIT = table(
    "businessunit",
    "businessunits",
    "name",
    10,
    (text("name", 160), *audit()),
    label="Business Unit",
    ownership="BusinessOwned",
)
ORGANIZATION = table(
    "organization",
    "organizations",
    "name",
    1019,
    (
        text("name", 160, creatable=False),
        number("expirechangetrackingindays", 0, 365, creatable=False),
        number("expiresubscriptionsindays", 0, 365, creatable=False),
        number("languagecode", creatable=False),
        *audit(),
    ),
    ownership="None",
)
CURRENCY = table(
    "transactioncurrency",
    "transactioncurrencies",
    "currencyname",
    9105,
    (
        text("currencyname", 100),
        text("isocurrencycode", 5),
        text("currencysymbol", 10),
        number("currencyprecision", 0, 4),
        *states(*_ACTIVE),
        *audit(),
    ),
    label="Currency",
    plural="Currencies",
    schema="TransactionCurrency",
    ownership="OrganizationOwned",
)
OPPORTUNITY = table(
    "opportunity",
    "opportunities",
    "name",
    3,
    (
        text("name", 300),
        *money("estimatedvalue"),
        lookup("customerid", "account", "contact", kind="Customer"),
        lookup("parentaccountid", "account"),
        lookup("parentcontactid", "contact"),
        lookup("originatingleadid", "lead"),
        lookup("campaignid", "campaign"),
        lookup("transactioncurrencyid", "transactioncurrency"),
        *states("0 Open, 1 Won, 2 Lost", "1 In Progress@0, 2 On Hold@0, 3 Won@1, 4 Canceled@2"),
        *owned(),
    ),
    plural="Opportunities",
)
INCIDENT = table("incident", "incidents", "title", 112, (text("title", 200), *owned()))
PUBLISHER = table(
    "publisher",
    "publishers",
    "friendlyname",
    7101,
    (
        text("friendlyname", 256, required="SystemRequired"),
        text("uniquename", 256, required="SystemRequired", updatable=False),
        text("customizationprefix", 8),
        number("customizationoptionvalueprefix", 10_000, 99_999),
        text("description", 2000),
        *audit(),
    ),
    ownership="OrganizationOwned",
)
SOLUTION = table(
    "solution",
    "solutions",
    "friendlyname",
    7100,
    (
        text("friendlyname", 256, required="SystemRequired"),
        text("uniquename", 65, required="SystemRequired", updatable=False),
        text("version", 256, required="SystemRequired"),
        flag("ismanaged", **READ_ONLY),
        lookup("publisherid", "publisher", required="SystemRequired"),
        text("description", 2000),
        *audit(),
    ),
    ownership="OrganizationOwned",
)
SDKMESSAGE = table(
    "sdkmessage",
    "sdkmessages",
    "name",
    4606,
    (text("name", 256), *audit()),
    label="Sdk Message",
    ownership="OrganizationOwned",
    bulk=False,
)
SDKMESSAGEFILTER = table(
    "sdkmessagefilter",
    "sdkmessagefilters",
    "name",
    4607,
    (
        text("name", 256),
        Column("primaryobjecttypecode", "EntityName"),
        lookup("sdkmessageid", "sdkmessage"),
        *audit(),
    ),
    label="Sdk Message Filter",
    ownership="OrganizationOwned",
    bulk=False,
)

SOLUTIONCOMPONENT = table(
    "solutioncomponent",
    "solutioncomponents",
    "solutioncomponentid",
    7103,
    (
        lookup("solutionid", "solution", **READ_ONLY),
        Column("objectid", "Uniqueidentifier", **READ_ONLY),
        number("componenttype", 1, 10_000, **READ_ONLY),
    ),
    label="Solution Component",
    ownership="OrganizationOwned",
    bulk=False,
)

BUILT_IN = (
    CONTACT,
    LEAD,
    ACCOUNT,
    LIST,
    LISTMEMBER,
    CAMPAIGN,
    CAMPAIGNACTIVITY,
    CAMPAIGNRESPONSE,
    ACTIVITYPARTY,
    CONSENT,
    PURPOSE,
    TOPIC,
    OPPORTUNITY,
    INCIDENT,
    SYSTEMUSER,
    TEAM,
    BUSINESSUNIT,
    ORGANIZATION,
    CURRENCY,
    PUBLISHER,
    SOLUTION,
    SDKMESSAGE,
    SDKMESSAGEFILTER,
    SOLUTIONCOMPONENT,
    SERVICEENDPOINT,
    SDKMESSAGEPROCESSINGSTEP,
)
