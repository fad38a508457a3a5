"""Mailchimp's Marketing API 3.0, as the fact sheet on Mailchimp describes it."""

from __future__ import annotations

import re
import sqlite3

from sandbox.mailchimp.acts import ACTS, act
from sandbox.mailchimp.app import KEY, create, endpoint, refuse
from sandbox.mailchimp.batches import RESULTS, settle
from sandbox.mailchimp.schema import AUDIENCES, SCHEMA
from sandbox.mailchimp.seed import seed
from sandbox.mailchimp.showing import unique_email_id
from sandbox.vendor import Vendor


def _register(connection: sqlite3.Connection) -> None:
    connection.create_function("unique_email_id", 1, unique_email_id, deterministic=True)


VENDOR = Vendor(
    name="mailchimp",
    title="Mailchimp: Marketing API 3.0",
    paths=re.compile(rf"/3\.0(/|$)|{RESULTS}"),
    schema=SCHEMA,
    create=create,
    seed=seed,
    refuse=refuse,
    endpoint=endpoint,
    settings={
        "connections": 10,  # how many requests are processed at the same time
        "seconds_per_call": 0.0,  # how long each of them is at least
        "batch_seconds": 0.2,
        "pending_batches": 500,  # and as many deliveries to webhooks of batches
        # Whether a listing without a status shows archived members: no source tells.
        "archived_in_listings": False,
        # Where a change of a tag's members is seen: in the "member" (`last_changed`, recorded), the
        # "segment" (`updated_at`: no source tells), "both" or "nowhere".
        "tag_changes_show": "member",
        # Whether `fields` may name only what there is: so the vendor says, and yet it gives
        # singer-io/tap-mailchimp, which asks for more, what there is.
        "refuse_unknown_fields": True,
        # Whether addresses at example.com and the like are refused, as the vendor does. The people
        # of the sandbox live there.
        "refuse_fake_addresses": False,
    },
    notes=(
        f"The API key, as a password with any user name or as a bearer token: {KEY}.",
        f"The audiences, with their members: {', '.join(AUDIENCES)}: /3.0/lists.",
        "Members, tags, segments, merge fields, interests, batches and webhooks; campaigns and"
        " reports, which are read only.",
        "Everything else of the API answers 501.",
        f"Acts, with an email, for some a list or a campaign: {', '.join(ACTS)}.",
    ),
    act=act,
    settle=settle,
    register=_register,
)
