"""Members and the rules of their consent: what single calls, bulk calls and acts share.

Every function works on the connection of a transaction that its caller holds. A member that is
archived keeps the status that it had, hidden; what that status forbids stays forbidden (assumed).

What is marked as recorded, here and in other modules, a live account answered in 2021 and 2022: the
recordings are among the tests of grouparoo/grouparoo (`plugins/@grouparoo/mailchimp`).
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.mailchimp import errors, showing, storage, values, webhooks
from sandbox.mailchimp.audience import Audience, MergeField
from sandbox.mailchimp.errors import Problem
from sandbox.mailchimp.schema import BY_ADMIN
from sandbox.mailchimp.shapes import faults
from sandbox.mailchimp.values import Unfit

UNFIT = "Your merge fields were invalid."
_ANY_OF = "Data did not match any of the schemas described in anyOf."
_NO_FIELD = MergeField("text", required=False, default="", options={})
_TIMES = ("timestamp_signup", "timestamp_opt")
_COLUMNS = ("email_type", "language", "vip", "ip_signup", "ip_opt", *_TIMES)
_LOCATION = ("latitude", "longitude")


@dataclass(frozen=True)
class Edit:
    """What a request wants of one member.

    Attributes:
        body: The member's fields, in a shape that is checked.
        email: The address that it is to have.
        status: The status to give; None leaves it, also that of one who is archived.
        now: The account's time.
        ip: Where the change comes from.
        source: Where a new member comes from, in the vendor's words.
        check_required: Whether merge fields that are required must have a value.
        by: Who makes the change, for webhooks: "user", "admin" or "api".
        tags_show: Whose time a change of tags is (see `tag`).
    """

    body: dict[str, Any]
    email: str
    status: str | None
    now: str
    ip: str = ""
    source: str = "API - Generic"
    check_required: bool = True
    by: str = "api"
    tags_show: str = ""


def write(audience: Audience, row: sqlite3.Row | None, edit: Edit) -> int:
    """Change a member, or make one where there is none; return its number.

    Raises:
        Problem: The status is not allowed, the address is taken, or a value does not fit.
    """
    number = _create(audience, edit) if row is None else _update(audience, row, edit)
    for name in edit.body.get("tags", ()):
        segment = tag_id(audience, name, edit.now)
        tag(audience.db, segment, [number], edit.now, edit.tags_show)
    return number


def _check_status(row: sqlite3.Row, edit: Edit) -> None:
    """Refuse to subscribe somebody who unsubscribed by hand, bounced or complained.

    Who was unsubscribed through the API or by a user can be subscribed again in silence
    (spatie/laravel-newsletter#172, uk.co.vedaconsulting.mailchimp#374).
    """
    if edit.status != "subscribed":
        return
    state = row["former"] or row["status"]
    if state == "cleaned" or (state == "unsubscribed" and row["unsubscribe_reason"] != BY_ADMIN):
        raise errors.of_address("Member In Compliance State", edit.email)


def _check_forgotten(audience: Audience, address: str, email: str) -> None:
    """Refuse an address that was deleted permanently."""
    if address in audience.forgotten:
        raise errors.of_address("Forgotten Email Not Subscribed", email)


def _merged(
    audience: Audience, old: Mapping[str, Any], new: dict[str, Any] | None, *, required: bool
) -> dict[str, Any]:
    """Return a member's merge fields after a change: those that have a value.

    Tags that the audience does not have are ignored (recorded). An address that is incomplete is
    refused even if it is not the change's (facts: Mailchimp 3).

    Args:
        audience: Whose fields.
        old: What the member has.
        new: What the change has.
        required: Whether a field that is required must have a value.
    """
    result, unfit, wrong = dict(old), {}, []
    for name, value in (new or {}).items():
        tag = name.upper()
        field = audience.fields.get(tag, _NO_FIELD)
        try:
            result[tag] = values.merge_value(field.kind, field.options, value)
        except TypeError:
            wrong.append((f"merge_fields.{name}", _ANY_OF))
        except Unfit as problem:
            unfit[tag] = str(problem)
    if wrong:
        raise errors.invalid(*wrong)
    for tag, field in audience.fields.items():
        value = result.get(tag, "")
        if isinstance(value, dict) and not values.is_complete(value):
            unfit.setdefault(tag, "Please enter a complete address")
        elif required and field.required and value == "":
            unfit.setdefault(tag, "Please enter a value")
    if unfit:
        raise Problem(400, "Invalid Resource", UNFIT, list(unfit.items()))
    return {tag: result[tag] for tag in audience.fields if result.get(tag, "") != ""}


def _columns(body: dict[str, Any]) -> dict[str, Any]:
    """Return the columns that a body sets."""
    columns = {name: body[name] for name in _COLUMNS if name in body}
    columns |= {n: v for n, v in body.get("location", {}).items() if n in _LOCATION}
    times = {n: values.moment(columns[n]) or "" for n in _TIMES if n in columns}
    return columns | times


def _create(audience: Audience, edit: Edit) -> int:
    """Insert a member; the caller has checked that the address is free."""
    body, now, address = edit.body, edit.now, values.hashed(edit.email)
    _check_forgotten(audience, address, edit.email)
    _check_interests(audience, body.get("interests"))
    defaults = {tag: f.default for tag, f in audience.fields.items() if f.default}
    new = body.get("merge_fields")
    merged = _merged(audience, defaults, new, required=edit.check_required)
    if edit.status == "subscribed":
        opt_in = {"ip_opt": edit.ip, "timestamp_opt": now}
    else:
        opt_in = {"timestamp_signup": now}
    columns = {
        "list_id": audience.id,
        "merge_fields": storage.dump(merged),
        "contact_id": _contact_id(audience, address),
        "hash": address,
        "email": edit.email,
        "status": edit.status,
        "unsubscribe_reason": BY_ADMIN if edit.status == "unsubscribed" else None,
        "status_since": now,
        "source": edit.source,
        "last_changed": now,
        **opt_in,
        **_columns(body),
    }
    member = storage.insert(audience.db, "members", columns)
    _set_interests(audience.db, member, body.get("interests"))
    if edit.status == "subscribed":
        webhooks.announce(audience.db, {"id": member, **columns}, "subscribe", edit.by)
    return member


def _contact_id(audience: Audience, address: str) -> str:
    """Return the id of the person, who has the same one in every audience (assumed)."""
    row = audience.db.execute(
        "SELECT contact_id FROM members m WHERE hash = ?1 AND NOT EXISTS (SELECT 1 FROM members o"
        " WHERE o.list_id = ?2 AND o.contact_id = m.contact_id) LIMIT 1",
        (address, audience.id),
    ).fetchone()
    return str(row["contact_id"]) if row else uuid.uuid4().hex


def _update(audience: Audience, row: sqlite3.Row, edit: Edit) -> int:
    """Change a member; what changes nothing leaves no trace (recorded)."""
    body, now, status = edit.body, edit.now, edit.status
    _check_status(row, edit)
    _check_interests(audience, body.get("interests"))
    changes: dict[str, Any] = {"email": edit.email}
    if (address := values.hashed(edit.email)) != row["hash"]:
        if audience.by_address(edit.email) is not None:
            raise errors.of_address("Member Exists", edit.email)
        _check_forgotten(audience, address, edit.email)
        changes["hash"] = address
    if "merge_fields" in body:
        old, new = json.loads(row["merge_fields"]), body["merge_fields"]
        merged = _merged(audience, old, new, required=edit.check_required)
        if merged != old:
            changes["merge_fields"] = storage.dump(merged)
    if status is not None and status != row["status"]:
        changes |= {"status": status, "former": None, "status_since": now}
        if (row["former"] or row["status"]) != status:
            changes["unsubscribe_reason"] = BY_ADMIN if status == "unsubscribed" else None
        # Who was unsubscribed and subscribes again has opted in when they did at first (recorded).
        if status == "subscribed" and (row["status"] == "archived" or not row["timestamp_opt"]):
            changes |= {"timestamp_opt": now, "ip_opt": edit.ip}
    changes |= _columns(body)
    chosen = _set_interests(audience.db, row["id"], body.get("interests"))
    if chosen or any(row[name] != value for name, value in changes.items()):
        storage.update(audience.db, "members", {**changes, "last_changed": now}, id=row["id"])
        _announce_change(audience.db, row, edit)
    return int(row["id"])


def _announce_change(db: sqlite3.Connection, old: sqlite3.Row, edit: Edit) -> None:
    """Tell webhooks what became of a member."""
    if edit.status not in {None, old["status"]}:
        _announce_status(db, old, str(edit.status), edit.by)
    elif old["status"] == "subscribed":  # assumed: of others nothing is told
        webhooks.announce(db, old, "profile", edit.by)
    if edit.email != old["email"]:
        unique = showing.unique_email_id(values.hashed(edit.email))
        emails = {"new_id": unique, "new_email": edit.email, "old_email": old["email"]}
        webhooks.announce(db, old, "upemail", edit.by, emails)


def _announce_status(
    db: sqlite3.Connection, row: sqlite3.Row, status: str, by: str, reason: str = "manual"
) -> None:
    """Tell webhooks of a status; what is told of a "deleted" member is inferred (facts: 5)."""
    told: dict[str, tuple[str, dict[str, Any]]] = {
        "subscribed": ("subscribe", {}),
        "unsubscribed": ("unsubscribe", {"action": "unsub", "reason": reason, "campaign_id": ""}),
        "deleted": ("unsubscribe", {"action": "delete", "reason": reason, "campaign_id": ""}),
        "cleaned": ("cleaned", {"campaign_id": "", "reason": "hard", "email": row["email"]}),
    }
    if status in told:
        event, more = told[status]
        webhooks.announce(db, row, event, by, more)


def set_status(
    db: sqlite3.Connection, row: sqlite3.Row, status: str, reason: str | None, now: str
) -> None:
    """Give a member a status for a reason, as a person or the vendor does.

    Who is archived stays so, unless it is to subscribe (assumed).
    """
    hidden = row["status"] == "archived" and status != "subscribed"
    db.execute(
        "UPDATE members SET status = ?1, former = ?2, unsubscribe_reason = ?3, status_since = ?4,"
        " timestamp_opt = iif(?1 = 'subscribed', ?4, timestamp_opt), last_changed = ?4"
        " WHERE id = ?5",
        ("archived" if hidden else status, status if hidden else None, reason, now, row["id"]),
    )
    if not hidden:
        _announce_status(db, row, status, "user", "abuse" if reason == "ABUSE" else "manual")


def archive(db: sqlite3.Connection, row: sqlite3.Row, by: str, now: str) -> None:
    """Archive a member; the status that it had is kept, hidden."""
    changes = {"status": "archived", "former": row["status"], "last_changed": now}
    storage.update(db, "members", changes, id=row["id"])
    _announce_status(db, row, "deleted", by)


def forget(db: sqlite3.Connection, row: sqlite3.Row, by: str) -> None:
    """Delete a member permanently: its address cannot come back through the API."""
    _announce_status(db, row, "deleted", by)
    sql = "INSERT OR IGNORE INTO forgotten VALUES (?, ?)"
    db.execute(sql, (row["list_id"], row["hash"]))
    delete(db, row)


def delete(db: sqlite3.Connection, row: sqlite3.Row) -> None:
    """Delete a member with all that belongs to it.

    Reports leave out who was deleted, as Fivetran's page on its own connector says.
    """
    storage.delete(db, "members", id=row["id"])
    for table in ("member_tags", "member_interests", "abuse_reports"):
        storage.delete(db, table, member_id=row["id"])
    for table in ("sends", "activity"):
        db.execute(
            f"DELETE FROM {table} WHERE campaign_id IN (SELECT id FROM campaigns)"
            " AND member_id = ?",
            (row["id"],),
        )


def insert_many(db: sqlite3.Connection, list_id: str, many: int, now: str) -> None:
    """Insert subscribed members of whom nothing is known but their addresses, in one go."""
    last = db.execute("SELECT coalesce(max(id), 0) FROM members").fetchone()[0]
    emails = (f"reader{number}@bulk.example" for number in range(last + 1, last + many + 1))
    same = {"list_id": list_id, "status": "subscribed", "source": "Import"}
    same |= dict.fromkeys(("status_since", "timestamp_opt", "last_changed"), now)
    hashed = ((email, values.hashed(email)) for email in emails)
    rows = ({**same, "email": email, "hash": it, "contact_id": it} for email, it in hashed)
    storage.insert_all(db, "members", rows)


def _check_interests(audience: Audience, interests: dict[str, Any] | None) -> None:
    """Refuse interests that the audience does not have, or that are neither true nor false.

    The words of the refusals are assumed.
    """
    for interest, wanted in (interests or {}).items():
        if interest not in audience.interests:
            raise errors.invalid_resource(f"Invalid interest ID: '{interest}'.")
        if not isinstance(wanted, bool):
            raise errors.invalid(*faults(wanted, bool, f"interests.{interest}"))


def _set_interests(db: sqlite3.Connection, member: int, interests: dict[str, bool] | None) -> bool:
    """Set a member's interests; return whether any of them changed."""
    changed = 0
    for interest, wanted in (interests or {}).items():
        sql = (
            "INSERT OR IGNORE INTO member_interests VALUES (?, ?)"
            if wanted
            else "DELETE FROM member_interests WHERE interest_id = ? AND member_id = ?"
        )
        changed += db.execute(sql, (interest, member)).rowcount
    return changed > 0


def find_tag(audience: Audience, name: str) -> sqlite3.Row | None:
    """Return the tag of a name, whatever its case (as a third party has it of the vendor)."""
    row: sqlite3.Row | None = audience.db.execute(
        "SELECT * FROM segments WHERE list_id = ? AND name = ? COLLATE NOCASE AND type = 'static'",
        (audience.id, name),
    ).fetchone()
    return row


def tag_id(audience: Audience, name: str, now: str) -> int:
    """Return the id of the tag of this name, which is made if there is none."""
    row = find_tag(audience, name)
    if row is not None:
        return int(row["id"])
    new = {"list_id": audience.id, "name": name, "type": "static", "options": "{}"}
    return storage.insert(audience.db, "segments", {**new, "created_at": now, "updated_at": now})


def tag(
    db: sqlite3.Connection,
    segment: int,
    members: Sequence[int],
    now: str,
    shows: str,
    *,
    has: bool = True,
) -> None:
    """Put members on a tag, or take them off; who has it keeps the time at which it was added.

    Args:
        db: The transaction.
        segment: The tag.
        members: The numbers of their rows.
        now: The account's time.
        shows: Whose time the change is: "segment", "member" or "both"; else nobody's.
        has: Whether they are to have it.
    """
    ids = storage.numbers(members)
    if has:
        sql = "INSERT OR IGNORE INTO member_tags SELECT ?, value, ? FROM json_each(?)"
        db.execute(sql, (segment, now, ids))
    else:
        sql = f"DELETE FROM member_tags WHERE segment_id = ? AND member_id {storage.AMONG}"
        db.execute(sql, (segment, ids))
    if shows in {"segment", "both"}:
        storage.update(db, "segments", {"updated_at": now}, id=segment)
    if shows in {"member", "both"}:
        db.execute(f"UPDATE members SET last_changed = ? WHERE id {storage.AMONG}", (now, ids))
