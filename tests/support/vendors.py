"""What both vendors hold, in words that are the same however often and by whom it was written.

Ids, keys and times differ from one run to the next; what people would see does not. Everything is
a sorted list, so that a record that was made twice shows.
"""

from __future__ import annotations

import json
from typing import Any

from tests.support.platforms import PLATFORMS
from tests.support.sandbox import SandboxServer

PERSON = (
    "emailaddress1", "firstname", "lastname", "companyname", "jobtitle", "telephone1", "birthdate",
    "gendercode", "address1_city", "address1_country", "address1_postalcode", "donotbulkemail",
    "donotemail", "statecode",
)  # fmt: skip
# Paths at which rows are written in numbers, and hardly anything is read.
CRM_WRITES = r"/\$batch$|Multiple$|/AddListMembersList$"
SUPPRESSION = ("bw_email", "bw_reason", "bw_listid", "statecode")

State = dict[str, list[str]]


def state_of(sandbox: SandboxServer) -> State:
    """People, memberships and suppressions of both sides."""
    people = {name: sandbox.table("dynamics", name) for name in ("contact", "lead")}
    address = {
        row[f"{name}id"]: row["emailaddress1"] for name, rows in people.items() for row in rows
    }
    lists = {row["listid"]: row["listname"] for row in sandbox.table("dynamics", "list")}
    return {
        **{f"crm {name}s": _lines(rows, PERSON) for name, rows in people.items()},
        "crm memberships": sorted(
            f"{lists[row['listid']]}: {row['entitytype']} {address.get(row['entityid'])}"
            for row in sandbox.table("dynamics", "listmember")
        ),
        "crm suppressions": _lines(sandbox.table("dynamics", "bw_suppression"), SUPPRESSION),
        **{
            f"{name} {what}": lines
            for name, platform in PLATFORMS.items()
            for what, lines in platform(sandbox).state().items()
        },
    }


def _lines(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> list[str]:
    return sorted(json.dumps([row.get(name) for name in columns]) for row in rows)


def addresses(sandbox: SandboxServer) -> set[str]:
    """Every address that either vendor knows, in lower case."""
    people = [
        row["emailaddress1"]
        for name in ("contact", "lead")
        for row in sandbox.table("dynamics", name)
    ]
    for platform in PLATFORMS.values():
        people += platform(sandbox).addresses()
    return {str(address).strip().lower() for address in people if address}
