"""What both vendors hold at one moment."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import idna

from tests.support.platforms import Platform
from tests.support.sandbox import SandboxServer

PERSON = ("firstname", "lastname", "address1_city", "gendercode")
Row = dict[str, Any]


@dataclass(frozen=True)
class View:
    """People, memberships and suppressions of both sides, ids included.

    Attributes:
        records: CRM people: entity, id, emailaddress1, key (the address without case and blanks),
            flagged, statecode, merged, master (who took it over), modified, and their fields.
        members: CRM memberships: list id and record id; one that is doubled stands twice.
        suppressions: Suppression records of the CRM: address and list id.
        contacts: Platform contacts: id, email, key, status, modified, fields.
        memberships: Platform memberships: list id and contact id → mailable or unsubscribed.
        crm_lists: Names of the CRM's lists by id.
        books: Names of the platform's lists by id.
    """

    records: list[Row]
    members: list[tuple[str, str]]
    suppressions: list[tuple[str, str]]
    contacts: list[Row]
    memberships: dict[tuple[str, str], str]
    crm_lists: dict[str, str]
    books: dict[str, str]

    @property
    def flagged(self) -> frozenset[str]:
        """Addresses at which a record of the CRM may not be mailed."""
        return frozenset(
            row["key"] for row in self.records if row["flagged"] and not row["merged"]
        ) - {""}

    def everybody(self) -> list[tuple[str, Row]]:
        """Return the rows of both sides, each with what its side is called in the model."""
        return [("crm", row) for row in self.records] + [("pf", row) for row in self.contacts]

    @classmethod
    def of(cls, sandbox: SandboxServer, platform: Platform) -> Self:
        """Look at the vendors as they are."""
        records = [
            {
                "entity": entity,
                "id": row[f"{entity}id"],
                "emailaddress1": row["emailaddress1"],
                "key": key_of(row["emailaddress1"]),
                "flagged": bool(row["donotbulkemail"]),
                "statecode": row["statecode"],
                "merged": bool(row["merged"]),
                "master": row.get("masterid"),
                "modified": datetime.fromisoformat(row["modifiedon"]),
                **{name: row.get(name) for name in PERSON},
            }
            for entity in ("contact", "lead")
            for row in sandbox.table("dynamics", entity)
        ]
        return cls(
            records=records,
            members=sorted(
                (row["listid"], row["entityid"]) for row in sandbox.table("dynamics", "listmember")
            ),
            suppressions=sorted(
                (key_of(row["bw_email"]), row.get("bw_listid") or "")
                for row in sandbox.table("dynamics", "bw_suppression")
            ),
            contacts=[{**row, "key": key_of(row["email"])} for row in platform.contacts()],
            memberships=platform.memberships(),
            crm_lists={row["listid"]: row["listname"] for row in sandbox.table("dynamics", "list")},
            books=platform.lists(),
        )


def key_of(email: str | None) -> str:
    """An address as the same person's, whatever its case and spelling."""
    local, at, domain = unicodedata.normalize("NFC", (email or "").strip().lower()).rpartition("@")
    return local + at + (domain if domain.isascii() else idna.encode(domain).decode())
