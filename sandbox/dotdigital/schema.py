"""The tables of a Dotdigital account, and what each value means.

Times are ISO 8601 text in UTC with milliseconds, so that they sort as they are. A contact's
`status` is its e-mail channel's status in the spelling of v3; `fields` is a JSON object of the data
fields that have a value; `consent` a JSON array. A member's status is "subscribed" or
"unsubscribed" (left that list only). `scores` has what was scored by hand; other scores are
computed. A campaign's `tags` and `lists` are JSON arrays; `activity` has what its recipients did:
its `details` are a JSON object in the vendor's own names. A form's `fields` are a JSON array of the
vendor's fields; its `list_id` is null where it adds nobody to a list. A response's `answers` are a
JSON array of `{fieldId, subFieldId, value}`, and its address is what was typed in, whoever it is.
An insight record's `json` is what the vendor shows. An enrolment's `faults` are a JSON array,
written once its job is done.
"""

from __future__ import annotations

SCHEMA = """
CREATE TABLE IF NOT EXISTS contacts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    email TEXT, email_key TEXT UNIQUE, mobile TEXT UNIQUE,
    email_type TEXT NOT NULL, opt_in TEXT NOT NULL,
    status TEXT NOT NULL, status_since TEXT NOT NULL,
    sms_status TEXT NOT NULL, whatsapp_status TEXT NOT NULL,
    fields TEXT NOT NULL, consent TEXT NOT NULL,
    created TEXT NOT NULL, updated TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS contacts_created ON contacts (created, id);
CREATE INDEX IF NOT EXISTS contacts_updated ON contacts (updated, id);
CREATE INDEX IF NOT EXISTS contacts_suppressed ON contacts (status_since, id)
    WHERE status NOT IN ('subscribed', 'softBounced', 'pendingOptIn', 'noSubscription');
CREATE TABLE IF NOT EXISTS lists (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL, visibility TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS members (
    list_id INTEGER NOT NULL, contact_id INTEGER NOT NULL,
    status TEXT NOT NULL, since TEXT NOT NULL,
    PRIMARY KEY (list_id, contact_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS members_contact ON members (contact_id);
CREATE TABLE IF NOT EXISTS data_fields (
    name TEXT PRIMARY KEY, type TEXT NOT NULL, visibility TEXT NOT NULL, default_value TEXT);
CREATE TABLE IF NOT EXISTS preferences (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    public_name TEXT NOT NULL, private_name TEXT NOT NULL, is_public INTEGER NOT NULL,
    is_preference INTEGER NOT NULL, category_id INTEGER NOT NULL,
    created TEXT NOT NULL, modified TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS opt_ins (
    preference_id INTEGER NOT NULL, contact_id INTEGER NOT NULL,
    opted_in INTEGER NOT NULL, modified TEXT NOT NULL,
    PRIMARY KEY (contact_id, preference_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS segments (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, rule TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS scores (
    contact_id INTEGER PRIMARY KEY, label TEXT, score INTEGER NOT NULL,
    engagement INTEGER, suitability INTEGER NOT NULL, modified TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS campaigns (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL, subject TEXT NOT NULL, type TEXT NOT NULL, status TEXT NOT NULL,
    tags TEXT NOT NULL, lists TEXT NOT NULL, sent TEXT, scheduled TEXT);
CREATE TABLE IF NOT EXISTS sends (
    campaign_id INTEGER NOT NULL, contact_id INTEGER NOT NULL, sent TEXT NOT NULL,
    PRIMARY KEY (campaign_id, contact_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS activity (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    campaign_id INTEGER NOT NULL, contact_id INTEGER NOT NULL,
    kind TEXT NOT NULL, at TEXT NOT NULL, details TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS activity_contact ON activity (campaign_id, contact_id);
CREATE INDEX IF NOT EXISTS activity_time ON activity (campaign_id, kind, at);
CREATE TABLE IF NOT EXISTS forms (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL, state TEXT NOT NULL, list_id INTEGER, fields TEXT NOT NULL,
    created TEXT NOT NULL, modified TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS responses (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    form_id INTEGER NOT NULL, email TEXT, answers TEXT NOT NULL,
    started TEXT NOT NULL, completed TEXT, active TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS responses_form ON responses (form_id, id);
CREATE TABLE IF NOT EXISTS insight (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE, contact_id INTEGER NOT NULL, json TEXT NOT NULL,
    created TEXT NOT NULL, updated TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS insight_contact ON insight (contact_id);
CREATE INDEX IF NOT EXISTS insight_updated ON insight (updated, id);
CREATE TABLE IF NOT EXISTS programs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL, status TEXT NOT NULL, created TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS enrolled (
    program_id INTEGER NOT NULL, contact_id INTEGER NOT NULL,
    PRIMARY KEY (program_id, contact_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS enrolments (
    id TEXT PRIMARY KEY, program_id INTEGER NOT NULL, created TEXT NOT NULL,
    contacts TEXT NOT NULL, lists TEXT NOT NULL, faults TEXT);
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, due REAL NOT NULL, waiting INTEGER NOT NULL,
    request TEXT NOT NULL, answer TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS jobs_waiting ON jobs (due) WHERE waiting;
"""

DATA_FIELDS = {
    "FIRSTNAME": "String",
    "LASTNAME": "String",
    "FULLNAME": "String",
    "GENDER": "String",
    "COMPANY": "String",
    "JOBTITLE": "String",
    "PHONE": "String",
    "CITY": "String",
    "COUNTRY": "String",
    "POSTCODE": "String",
    "BIRTHDATE": "Date",
    "LEADRATING": "String",
    "VISITS": "Numeric",
    "VIP": "Boolean",
    "LASTSUBSCRIBED": "Date",
}
LAST_SUBSCRIBED = "LASTSUBSCRIBED"
"""The data field in which the vendor keeps when somebody last subscribed."""

LISTS = ("Newsletter", "Product updates", "Webinar guests")
EVERYBODY = "All Contacts"
RESERVED = ("Test", EVERYBODY)
"""Lists that every account has, and that cannot be written to; that they are listed is assumed."""

PREFERENCES: dict[str, tuple[str, ...]] = {"Topics": ("Offers", "Events"), "Surveys": ()}
"""Categories with their preferences; without any it is a preference itself."""

SEGMENTS = {
    900_001: ("VIP customers", "json_extract(c.fields, '$.VIP') = 1"),
    900_002: ("Frequent visitors", "json_extract(c.fields, '$.VISITS') >= 100"),
}
"""Segments are made in the vendor's own pages only: two, each with its rule over contacts `c`."""

MAILABLE = ("subscribed", "softBounced", "pendingOptIn")
"""Statuses that an unsubscribe or a suppression ends; softBounced among them is assumed."""

LISTED = ("subscribed", "softBounced")
"""Statuses under which a contact is found by its lists. Whoever has to confirm first is added to
them by that (support article 8198818); that softBounced is among them is assumed."""

V2_STATUS = {
    "subscribed": "Subscribed",
    "unsubscribed": "Unsubscribed",
    "softBounced": "SoftBounced",
    "hardBounced": "HardBounced",
    "ispComplained": "IspComplained",
    "directComplaint": "DirectComplaint",
    "pendingOptIn": "PendingOptIn",
    "suppressed": "Suppressed",
    # assumed: v2 has no word for a contact without an e-mail channel
    "noSubscription": "NotAllowed",
}
"""A contact's status in the words of v2 (DD2 ApiContactStatuses), by those of v3."""

OPT_IN_TYPES = ("Unknown", "Single", "Double", "VerifiedDouble")
EMAIL_TYPES = ("PlainText", "Html")
