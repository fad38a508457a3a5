"""The tables of a Mailchimp account, and what each value means.

Times are ISO 8601 text in UTC in whole seconds, as they are shown, so that they sort as they are.
A list is an audience; `settings` is a JSON object of what a user can set. A member's `former` is
the status that an archived one had, which the vendor never shows; `merge_fields` a JSON object of
those that have a value. A segment of the type "static" is a tag, one of the type "saved" has
`options`, a JSON object. `forgotten` has the hashes of addresses that were deleted permanently.
A campaign's `segment_id` is null where it went to all of the audience; `sends` has its recipients,
`activity` what they did: "open", "click" (of a `url`), "hard" or "soft" (bounces), "unsubscribe"
(with a `reason`) or "abuse". The `events` and `sources` of a webhook are JSON objects of booleans;
a delivery is "waiting", "delivered" or "failed".
"""

from __future__ import annotations

SCHEMA = """
CREATE TABLE IF NOT EXISTS lists (
    id TEXT PRIMARY KEY, web_id INTEGER NOT NULL, name TEXT NOT NULL, settings TEXT NOT NULL,
    double_optin INTEGER NOT NULL, created TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS members (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    list_id TEXT NOT NULL, contact_id TEXT NOT NULL, hash TEXT NOT NULL, email TEXT NOT NULL,
    status TEXT NOT NULL, former TEXT, unsubscribe_reason TEXT, status_since TEXT NOT NULL,
    email_type TEXT NOT NULL DEFAULT 'html', merge_fields TEXT NOT NULL DEFAULT '{}',
    language TEXT NOT NULL DEFAULT '', vip INTEGER NOT NULL DEFAULT 0,
    latitude REAL NOT NULL DEFAULT 0, longitude REAL NOT NULL DEFAULT 0,
    ip_signup TEXT NOT NULL DEFAULT '', timestamp_signup TEXT NOT NULL DEFAULT '',
    ip_opt TEXT NOT NULL DEFAULT '', timestamp_opt TEXT NOT NULL DEFAULT '',
    rating INTEGER NOT NULL DEFAULT 2, source TEXT NOT NULL, last_changed TEXT NOT NULL,
    UNIQUE (hash, list_id), UNIQUE (contact_id, list_id));
CREATE INDEX IF NOT EXISTS members_listed ON members (list_id, id, status);
CREATE INDEX IF NOT EXISTS members_status ON members (list_id, status, id);
CREATE INDEX IF NOT EXISTS members_changed ON members (list_id, last_changed, id, status);
CREATE TABLE IF NOT EXISTS forgotten (
    list_id TEXT NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (list_id, hash)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS merge_fields (
    list_id TEXT NOT NULL, merge_id INTEGER NOT NULL, tag TEXT NOT NULL, name TEXT NOT NULL,
    type TEXT NOT NULL, required INTEGER NOT NULL DEFAULT 0,
    default_value TEXT NOT NULL DEFAULT '', public INTEGER NOT NULL DEFAULT 0,
    display_order INTEGER NOT NULL, options TEXT NOT NULL, help_text TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (list_id, merge_id));
CREATE TABLE IF NOT EXISTS segments (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    list_id TEXT NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL, options TEXT NOT NULL,
    created_at TEXT NOT NULL, updated_at TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS segments_list ON segments (list_id, name);
CREATE TABLE IF NOT EXISTS member_tags (
    segment_id INTEGER NOT NULL, member_id INTEGER NOT NULL, added TEXT NOT NULL,
    PRIMARY KEY (segment_id, member_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS member_tags_member ON member_tags (member_id);
CREATE TABLE IF NOT EXISTS interest_categories (
    id TEXT PRIMARY KEY, list_id TEXT NOT NULL, title TEXT NOT NULL, type TEXT NOT NULL,
    display_order INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS interests (
    id TEXT PRIMARY KEY, category_id TEXT NOT NULL, list_id TEXT NOT NULL, name TEXT NOT NULL,
    display_order INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS member_interests (
    interest_id TEXT NOT NULL, member_id INTEGER NOT NULL,
    PRIMARY KEY (interest_id, member_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS member_interests_member ON member_interests (member_id);
CREATE TABLE IF NOT EXISTS abuse_reports (
    id INTEGER PRIMARY KEY AUTOINCREMENT, list_id TEXT NOT NULL, campaign_id TEXT NOT NULL,
    member_id INTEGER NOT NULL, email TEXT NOT NULL, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS batches (
    id TEXT PRIMARY KEY, operations TEXT NOT NULL, total INTEGER NOT NULL, origin TEXT NOT NULL,
    submitted TEXT NOT NULL, started REAL NOT NULL, due REAL NOT NULL, completed TEXT,
    errored INTEGER NOT NULL DEFAULT 0, results BLOB);
CREATE TABLE IF NOT EXISTS campaigns (
    id TEXT PRIMARY KEY, web_id INTEGER NOT NULL, list_id TEXT NOT NULL, segment_id INTEGER,
    title TEXT NOT NULL, subject TEXT NOT NULL, type TEXT NOT NULL DEFAULT 'regular',
    status TEXT NOT NULL DEFAULT 'save', created TEXT NOT NULL, sent TEXT);
CREATE TABLE IF NOT EXISTS sends (
    campaign_id TEXT NOT NULL, member_id INTEGER NOT NULL,
    PRIMARY KEY (campaign_id, member_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sends_member ON sends (member_id);
CREATE TABLE IF NOT EXISTS activity (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    campaign_id TEXT NOT NULL, member_id INTEGER NOT NULL,
    kind TEXT NOT NULL, at TEXT NOT NULL, url TEXT, reason TEXT);
CREATE INDEX IF NOT EXISTS activity_member ON activity (campaign_id, member_id);
CREATE INDEX IF NOT EXISTS activity_kind ON activity (campaign_id, kind, member_id);
CREATE INDEX IF NOT EXISTS activity_time ON activity (campaign_id, at, kind, member_id);
CREATE TABLE IF NOT EXISTS webhooks (
    id TEXT PRIMARY KEY, list_id TEXT NOT NULL, url TEXT NOT NULL, events TEXT NOT NULL,
    sources TEXT NOT NULL, secret TEXT NOT NULL, enabled INTEGER NOT NULL DEFAULT 1);
CREATE TABLE IF NOT EXISTS batch_webhooks (
    id TEXT PRIMARY KEY, url TEXT NOT NULL, secret TEXT NOT NULL,
    enabled INTEGER NOT NULL DEFAULT 1);
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook_id TEXT NOT NULL, url TEXT NOT NULL, secret TEXT NOT NULL, body TEXT NOT NULL,
    due REAL NOT NULL, tries INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL DEFAULT 'waiting',
    answer INTEGER);
CREATE INDEX IF NOT EXISTS deliveries_waiting ON deliveries (due, id) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS batches_waiting ON batches (due) WHERE completed IS NULL;
"""

AUDIENCES = {"Newsletter": "5a1c0e7b91", "Product updates": "c72d94f03e"}
"""The audiences of every account of the sandbox, with their ids, which stay the same."""

MERGE_FIELDS = (
    ("FNAME", "First Name", "text"),
    ("LNAME", "Last Name", "text"),
    ("ADDRESS", "Address", "address"),
    ("PHONE", "Phone Number", "phone"),
    ("BIRTHDAY", "Birthday", "birthday"),
    ("COMPANY", "Company", "text"),
    ("JOBTITLE", "Job Title", "text"),
)
TAGS = ("VIP", "Webinar guests")
INTERESTS = {"Topics": ("Offers", "Events")}
"""What the first audience has beside its members."""

BY_ADMIN = "N/A (Unsubscribed by admin)"
"""The reason that the vendor gives for an unsubscribe through the API or by a user."""
