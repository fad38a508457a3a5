"""Reads the contacts of v3 requests.

What the schema forbids fails the request, a bad value the row. The schema is the
vendor's own contacts service file (facts: DD3C).
"""

from __future__ import annotations

import sqlite3
from typing import Any

from sandbox.dotdigital import contacts, values
from sandbox.dotdigital.contacts import Change
from sandbox.dotdigital.errors import Invalid, bad_json
from sandbox.dotdigital.schema import RESERVED

_EMAIL_TYPES = {"plainText": "PlainText", "html": "Html"}
_OPT_INS = {
    "unknown": "Unknown",
    "single": "Single",
    "double": "Double",
    "verifiedDouble": "VerifiedDouble",
}
_EMAIL_STATUSES = {"subscribed", "unsubscribed", "suppressed"}
_CHANNEL_STATUSES = {"noSubscription", *_EMAIL_STATUSES}
_CONSENT = ("text", "dateTimeConsented", "url", "ipAddress", "userAgent")


def check(contact: Any, *, in_import: bool = False) -> None:
    """Check a contact against the schema.

    Raises:
        ApiError: `badJson`, saying what is wrong.
    """
    _need(isinstance(contact, dict), "A contact must be an object")
    for name, kind in (
        ("identifiers", dict),
        ("dataFields", dict),
        ("channelProperties", dict),
        ("lists", list),
        ("preferences", list),
        ("consentRecords", list),
    ):
        given = contact.get(name)
        _need(given is None or isinstance(given, kind), f"'{name}' has the wrong type")
    if in_import:
        _need(isinstance(contact.get("matchIdentifier"), str), "'matchIdentifier' is required")
        _need(isinstance(contact.get("identifiers"), dict), "'identifiers' is required")
    _check_lists(contact.get("lists"))
    _check_preferences(contact.get("preferences"))
    _check_channels(contact.get("channelProperties") or {})
    records = contact.get("consentRecords")
    _need(records is None or 1 <= len(records) <= 5, "'consentRecords' takes 1 to 5 records")


def _need(holds: object, description: str) -> None:
    if not holds:
        raise bad_json(description)


def _check_lists(lists: Any) -> None:
    if lists is not None:
        _need(1 <= len(lists) <= 100, "'lists' takes 1 to 100 ids")
        _need(all(type(item) is int for item in lists), "'lists' takes numbers")


def _check_preferences(preferences: Any) -> None:
    for item in preferences or []:
        _need(
            isinstance(item, dict)
            and type(item.get("id")) is int
            and isinstance(item.get("isOptedIn"), bool),
            "A preference takes 'id' and 'isOptedIn'",
        )


def _check_channels(channels: dict[str, Any]) -> None:
    _need(set(channels) <= {"email", "sms", "whatsApp"}, "Unknown channel in 'channelProperties'")
    for name, channel in channels.items():
        _need(isinstance(channel, dict), f"'channelProperties.{name}' must be an object")
        allowed = {"status": _CHANNEL_STATUSES}
        if name == "email":
            # assumed: enumerations are read without regard to case; DD3C's own example has "Html"
            allowed = {
                "status": _EMAIL_STATUSES,
                "emailType": {*_EMAIL_TYPES, *_EMAIL_TYPES.values()},
                "optInType": {*_OPT_INS, *_OPT_INS.values()},
            }
        options = channel.get("resubscribeOptions")
        _need(options is None or isinstance(options, dict), "'resubscribeOptions' is an object")
        extra = set(channel) - set(allowed) - ({"resubscribeOptions"} if name == "email" else set())
        _need(not extra, f"Unknown property in 'channelProperties.{name}'")
        for key, known in allowed.items():
            value = channel.get(key)
            _need(value is None or str(value) in known, f"Invalid value for '{name}.{key}'")


def read(db: sqlite3.Connection, contact: dict[str, Any]) -> Change:
    """Return the change that a checked contact asks for.

    Raises:
        Invalid: An identifier or a data field has a value that the vendor does not take.
    """
    identifiers = contact.get("identifiers") or {}
    if unknown := set(identifiers) - {"email", "mobileNumber", "contactId"}:
        name = sorted(unknown)[0]
        # assumed: the account has no custom identifiers, and says so in these words
        description = f"The identifier '{name}' does not exist"
        raise Invalid("invalidIdentifier", description, "ERROR_PARAMETER_INVALID")
    email, mobile = identifiers.get("email"), identifiers.get("mobileNumber")
    change = Change(
        email=None if email is None else values.email(email),
        mobile=None if mobile is None else values.mobile(mobile),
        fields=contacts.read_fields(db, contact.get("dataFields") or {}),
        lists=list(contact.get("lists") or []),
        preferences={item["id"]: item["isOptedIn"] for item in contact.get("preferences") or []},
        consent=list(contact.get("consentRecords") or []),
    )
    _read_channels(change, contact.get("channelProperties") or {})
    return change


def _read_channels(change: Change, channels: dict[str, Any]) -> None:
    email = channels.get("email", {})
    email_type, opt_in = email.get("emailType"), email.get("optInType")
    change.email_type = _EMAIL_TYPES.get(email_type, email_type)
    change.opt_in = _OPT_INS.get(opt_in, opt_in)
    change.status = email.get("status")
    options = email.get("resubscribeOptions") or {}
    change.challenge = options.get("resubscribeWithNoChallenge", True) is False
    change.sms_status = channels.get("sms", {}).get("status")
    change.whatsapp_status = channels.get("whatsApp", {}).get("status")


def drop_unknown(db: sqlite3.Connection, change: Change) -> list[dict[str, str]]:
    """Take out of a change the parts that cannot be applied; return v3's failure of each part.

    The rest of the contact is still written (facts: Dotdigital 1.4, "both updated and in
    failures"); of the codes only `consentRecordsNotApplied` is documented, the others are assumed.
    """
    failures = []
    # assumed: one of the vendor's own lists is not applied either
    marks = ", ".join("?" * len(RESERVED))
    known = {
        r[0] for r in db.execute(f"SELECT id FROM lists WHERE name NOT IN ({marks})", RESERVED)
    }
    if any(item not in known for item in change.lists):
        change.lists = [item for item in change.lists if item in known]
        failures.append(_part("listsNotApplied", "lists"))
    known = {row[0] for row in db.execute("SELECT id FROM preferences WHERE is_preference")}
    if any(item not in known for item in change.preferences):
        change.preferences = {k: v for k, v in change.preferences.items() if k in known}
        failures.append(_part("preferencesNotApplied", "preferences"))
    if not all(_is_consent(record) for record in change.consent):
        change.consent = []
        failures.append(_part("consentRecordsNotApplied", "consent records"))
    return failures


def _is_consent(record: Any) -> bool:
    return (
        isinstance(record, dict)
        and set(record) == set(_CONSENT)
        and all(isinstance(value, str) and value for value in record.values())
    )


def _part(code: str, what: str) -> dict[str, str]:
    description = f"The provided {what} could not be applied as they were incorrectly formatted"
    return {"failureCode": code, "description": description}
