"""Dotdigital's REST API, v2 and v3, as the fact sheet's section 1 describes it."""

from __future__ import annotations

import re

from sandbox.dotdigital.acts import ACTS, act
from sandbox.dotdigital.app import create, endpoint, refuse
from sandbox.dotdigital.jobs import settle
from sandbox.dotdigital.limits import PASSWORD, USER
from sandbox.dotdigital.schema import SCHEMA
from sandbox.dotdigital.seed import seed
from sandbox.vendor import Vendor

VENDOR = Vendor(
    name="dotdigital",
    title="Dotdigital: REST API v2 and v3",
    paths=re.compile(r"/v2(/|$)|/(contacts|insightData|events)/v3(/|$)"),
    schema=SCHEMA,
    create=create,
    seed=seed,
    refuse=refuse,
    endpoint=endpoint,
    settings={
        "limit_scheme": "tiered",  # or "hourly", the deprecated one
        # "Basic" has 35 calls a minute in the low tier, whatever is said below.
        "package": "Standard",
        # Calls a minute. 150 is what the vendor's page on limits shows. The other cells of its
        # table are not known (assumed).
        "lowCallRate": 150,
        "mediumCallRate": 3_000,
        "highCallRate": 6_000,
        "calls_per_hour": 2_000,
        "active_imports": 25,
        "active_deletes": 25,  # assumed: the facts name the refusal, not the number
        "import_bytes": 50 * 1024 * 1024,
        "import_seconds": 0.2,
        "import_status": "Finished",  # what the next imports end as
        # Who must confirm before being mailed: "some" new contacts, those written as verified
        # double opt-ins, or "all" ("Enforce double opt-in for all signups").
        "double_opt_in": "some",
        # Whether the account has the feature.
        "contact_scoring": True,
        "pages_and_forms": True,
        "programs": True,
        "web_behaviour": True,
        "data_fields": 1_000,  # how many an account can have (assumed: the number is not known)
        "enrolments_per_hour": 20,
        # Whether an enrolment tells whom it is of, as in the vendor's schema, not its example.
        "enrolments_tell_whom": True,
    },
    notes=(
        f"Basic authentication: {USER} with the password {PASSWORD}.",
        "Contacts, imports and bulk deletions of v3: /contacts/v3.",
        "Contacts, suppressions, address books, data fields, preferences, segments, scores,"
        " campaigns, surveys and programs of v2: /v2/contacts, /v2/address-books and so on.",
        "Web behaviour, in v3: /insightData/v3/contacts/WebInsight.",
        "Everything else of the API answers 501.",
        f"Acts, with an email, for some a list or a campaign: {', '.join(ACTS)}.",
    ),
    act=act,
    settle=settle,
)
