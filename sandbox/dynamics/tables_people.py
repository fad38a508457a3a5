"""People and companies: contact, lead, account (fact sheet, section 5)."""

from __future__ import annotations

from sandbox.dynamics.columns import (
    READ_ONLY,
    address,
    choice,
    day,
    email,
    flag,
    flags,
    local_day,
    lookup,
    memo,
    money,
    number,
    owned,
    states,
    table,
    text,
    texts,
)
from sandbox.dynamics.model import Column

_CONTACT_METHOD = "1 Any, 2 Email, 3 Phone, 4 Fax, 5 Mail"
_ACTIVE = ("0 Active, 1 Inactive", "1 Active@0, 2 Inactive@1")
# The fact sheet counts 33 values; their labels are not in it (assumed).
_INDUSTRIES = ", ".join(f"{value} Industry {value}" for value in range(1, 34))
_LEAD_SOURCES = (
    "1 Advertisement, 2 Employee Referral, 3 External Referral, 4 Partner, 5 Public Relations,"
    " 6 Seminar, 7 Trade Show, 8 Web, 9 Word of Mouth, 10 Other"
)
_CUSTOMER_TYPES = (
    "1 Competitor, 2 Consultant, 3 Customer, 4 Investor, 5 Partner, 6 Influencer, 7 Press,"
    " 8 Prospect, 9 Reseller, 10 Supplier, 11 Vendor, 12 Other"
)
_DO_NOT = ("donotemail", "donotbulkemail", "donotphone", "donotfax", "donotpostalmail")
_CONSENT = (
    *(flag(name, labels=("Allow", "Do Not Allow")) for name in _DO_NOT),
    flag("donotsendmm", labels=("Send", "Do Not Send")),
)


# What organisations add to both tables themselves, here for what a marketing platform knows.
_CUSTOMERS_OWN = (
    number("new_contactscore", 0, 100, schema="new_ContactScore", label="Score", custom=True),
    text("new_optintype", 40, schema="new_OptInType", label="Opt-in Type", custom=True),
    flag("new_wantsoffers", schema="new_WantsOffers", label="Offers by Email", custom=True),
    flag("new_wantsevents", schema="new_WantsEvents", label="Invitations", custom=True),
)


def _merge_columns(name: str) -> tuple[Column, ...]:
    return (lookup("masterid", name, **READ_ONLY), flag("merged", **READ_ONLY))


CONTACT = table(
    "contact",
    "contacts",
    "fullname",
    2,
    (
        text("fullname", 160, label="Full Name", **READ_ONLY),
        text("firstname", 50, label="First Name", required="Recommended"),
        text("middlename", 50, label="Middle Name"),
        text("lastname", 50, label="Last Name", required="ApplicationRequired"),
        text("salutation", 100),
        text("suffix", 10),
        text("nickname", 100),
        *email("emailaddress1", "emailaddress2", "emailaddress3"),
        *texts(50, "telephone1", "telephone2", "telephone3", "mobilephone", "fax"),
        text("jobtitle", 100, label="Job Title"),
        text("department", 100),
        text("websiteurl", 200, format="Url"),
        memo("description"),
        day("birthdate", label="Birthday"),
        choice("gendercode", "1 Male, 2 Female", label="Gender"),
        text("externaluseridentifier", 50),
        *address(),
        lookup("parentcustomerid", "account", "contact", kind="Customer", label="Company Name"),
        # They repeat what parentcustomerid says, and lead nowhere themselves.
        lookup("accountid", "account", navigations=(), **READ_ONLY),
        lookup("parentcontactid", "contact", navigations=(), **READ_ONLY),
        lookup("originatingleadid", "lead"),
        *_merge_columns("contact"),
        lookup("transactioncurrencyid", "transactioncurrency"),
        local_day("lastusedincampaign", creatable=False),
        *_CONSENT,
        *flags("donotbulkpostalmail", "msdyn_gdproptout"),
        flag("followemail", default=True, labels=("Do Not Allow", "Allow")),
        flag("marketingonly"),
        choice("preferredcontactmethodcode", _CONTACT_METHOD, default=1),
        choice("leadsourcecode", "1 Default Value", default=1),
        *states(*_ACTIVE),
        *_CUSTOMERS_OWN,
        *owned(),
    ),
    change_tracking=True,
)

LEAD = table(
    "lead",
    "leads",
    "fullname",
    4,
    (
        text("fullname", 160, label="Name", **READ_ONLY),
        text("subject", 300, label="Topic", required="ApplicationRequired"),
        text("firstname", 50, label="First Name", required="Recommended"),
        text("lastname", 50, label="Last Name", required="ApplicationRequired"),
        text("companyname", 100, label="Company Name", required="Recommended"),
        *email("emailaddress1", "emailaddress2", "emailaddress3"),
        text("telephone1", 50),
        text("mobilephone", 20),
        text("jobtitle", 100, label="Job Title"),
        text("websiteurl", 200, format="Url"),
        memo("description"),
        text("sic", 20),
        *money("revenue"),
        number("numberofemployees", 0, 1_000_000),
        *address(),
        lookup("campaignid", "campaign"),
        lookup("customerid", "account", "contact", kind="Customer", label="Customer"),
        lookup("parentaccountid", "account"),
        lookup("parentcontactid", "contact"),
        lookup("qualifyingopportunityid", "opportunity"),
        lookup("originatingcaseid", "incident"),
        lookup("relatedobjectid", "campaignresponse"),
        *_merge_columns("lead"),
        lookup("transactioncurrencyid", "transactioncurrency"),
        choice("leadqualitycode", "1 Hot, 2 Warm, 3 Cold", label="Rating", default=2),
        choice("leadsourcecode", _LEAD_SOURCES, label="Lead Source"),
        choice("industrycode", _INDUSTRIES),
        # There is no donotbulkpostalmail on lead.
        *_CONSENT,
        *flags("msdyn_gdproptout"),
        flag("followemail", default=True, labels=("Do Not Allow", "Allow")),
        choice("preferredcontactmethodcode", _CONTACT_METHOD, default=1),
        *states(
            "0 Open, 1 Qualified, 2 Disqualified",
            "1 New@0, 2 Contacted@0, 3 Qualified@1, 4 Lost@2, 5 Cannot Contact@2,"
            " 6 No Longer Interested@2, 7 Canceled@2",
            creatable=True,
        ),
        *_CUSTOMERS_OWN,
        *owned(),
    ),
    change_tracking=True,
    metadata_id="dc6574cb-92ce-446c-a5d6-885a75107d52",
)

ACCOUNT = table(
    "account",
    "accounts",
    "name",
    1,
    (
        text("name", 160, label="Account Name", required="ApplicationRequired"),
        text("accountnumber", 20, label="Account Number"),
        *email("emailaddress1"),
        text("telephone1", 50),
        text("websiteurl", 200, format="Url"),
        memo("description"),
        *money("revenue"),
        number("numberofemployees", 0, 1_000_000_000),
        *address(),
        choice("industrycode", _INDUSTRIES),
        choice("customertypecode", _CUSTOMER_TYPES),
        lookup("primarycontactid", "contact"),
        lookup("parentaccountid", "account"),
        lookup("originatingleadid", "lead"),
        *_merge_columns("account"),
        lookup("transactioncurrencyid", "transactioncurrency"),
        *_CONSENT,
        *flags("donotbulkpostalmail", "msdyn_gdproptout"),
        flag("followemail", default=True, labels=("Do Not Allow", "Allow")),
        choice("preferredcontactmethodcode", _CONTACT_METHOD, default=1),
        *states(*_ACTIVE),
        *owned(),
    ),
    change_tracking=True,
    metadata_id="70816501-edb9-4740-a16c-6a5efbc05d84",
)
