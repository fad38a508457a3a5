"""What only a person can do: at the inbox, at a sign-up form, in Mailchimp's own pages."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from sandbox.mailchimp import audience as audiences
from sandbox.mailchimp import campaign_acts, deliveries, members, storage, values
from sandbox.mailchimp.errors import Problem
from sandbox.mailchimp.members import Edit
from sandbox.mailchimp.schema import AUDIENCES
from sandbox.vendor import ActRefused, VendorContext

_REASONS = {"unsubscribe": "NORMAL", "complain": "ABUSE"}  # the vendor's words are assumed
ACTS = (*_REASONS, "resubscribe", "bounce", "archive", "delete", "return", *campaign_acts.ACTS)


def act(context: VendorContext, wish: Mapping[str, Any]) -> dict[str, Any]:
    """Do what `wish["act"]` says to the members with the address `wish["email"]`.

    With "list", the name or id of an audience, in that one only. `unsubscribe` by the link in a
    mail, `bounce` (hard: cleaned), `complain` (unsubscribed, with an abuse report), `resubscribe`
    (through a form, or by confirming an opt-in), `archive` and `delete` (permanently) by a user,
    and `return`: signs up through the form of the list (the first audience, if none is named) and
    confirms, as a new member if there is none, even if the address was deleted permanently.
    With a "campaign", `unsubscribe` (for a "reason"), `bounce` and `complain` are answers to it,
    and concern its audience; all else that is about campaigns is in `campaign_acts`.

    Raises:
        ActRefused: No such act, member, audience or campaign.
    """
    kind = wish.get("act")
    if kind not in ACTS:
        raise ActRefused(f"There is no act {kind!r}; use {', '.join(ACTS)}.")
    done = campaign_acts.act(context, wish) if kind in campaign_acts.ACTS else _act(context, wish)
    deliveries.deliver(context)
    return done


def _act(context: VendorContext, wish: Mapping[str, Any]) -> dict[str, Any]:
    kind, email = str(wish["act"]), str(wish.get("email", ""))
    now = values.stamp(context.clock.now())
    with context.database.write() as db:
        wanted = campaign_acts.find_list(db, wish["list"]) if "list" in wish else None
        if wanted is None and "campaign" in wish:
            wanted = campaign_acts.audience_of(db, wish["campaign"])
        rows = db.execute(
            "SELECT * FROM members WHERE hash = ?1 AND list_id = coalesce(?2, list_id)",
            (values.hashed(email), wanted),
        ).fetchall()
        if not rows and kind == "return":
            list_id = wanted or next(iter(AUDIENCES.values()))
            return {"act": kind, "members": [_sign_up(db, list_id, email, now)]}
        if not rows:
            raise ActRefused("No member has this address; give one that is there.")
        for row in rows:
            campaign = ""
            if "campaign" in wish:
                campaign = campaign_acts.answer(db, kind, row, wish, now)
            _done(db, row, kind, campaign, now)
    return {"act": kind, "members": [row["id"] for row in rows]}


def _sign_up(db: sqlite3.Connection, list_id: str, email: str, now: str) -> int:
    try:
        address = values.email(email, refuse_fake=False)
        storage.delete(db, "forgotten", list_id=list_id, hash=values.hashed(address))
        how: Any = {"ip": "192.0.2.7", "source": "Hosted Signup Form", "by": "user"}
        edit = Edit({}, address, "subscribed", now, check_required=False, **how)
        return members.write(audiences.find(db, list_id), None, edit)
    except Problem as problem:
        raise ActRefused("Nobody can sign up with this address; give a valid one.") from problem


def _done(db: sqlite3.Connection, row: sqlite3.Row, kind: str, campaign: str, now: str) -> None:
    if kind == "delete":
        members.forget(db, row, "admin")
    elif kind == "archive":
        if row["status"] != "archived":
            members.archive(db, row, "admin", now)
    elif kind == "bounce":
        members.set_status(db, row, "cleaned", None, now)
    elif kind in _REASONS:
        members.set_status(db, row, "unsubscribed", _REASONS[kind], now)
        if kind == "complain":
            report = {"list_id": row["list_id"], "campaign_id": campaign, "at": now}
            report |= {"member_id": row["id"], "email": row["email"]}
            storage.insert(db, "abuse_reports", report)
    else:
        members.set_status(db, row, "subscribed", None, now)
