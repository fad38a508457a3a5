"""Dotdigital: one contact an address, on any number of lists."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, ClassVar

from bothways.connectors.base import ConnectionSettings, Connector
from bothways.connectors.dotdigital.connector import DotdigitalConnector
from tests.support.platforms.base import Platform, Refused, Row
from tests.support.sandbox import DOTDIGITAL_PASSWORD, DOTDIGITAL_USER

_CLIENT = "bothways.connectors.dotdigital.client"
_STATUSES = {
    "subscribed": "mailable",
    "softbounced": "mailable",
    "pendingoptin": "pending",
    "unsubscribed": "unsubscribed",
    "hardbounced": "bounced",
    "ispcomplained": "complained",
}


class Dotdigital(Platform):
    """What a person does in Dotdigital."""

    name = "dotdigital"
    title = "Dotdigital"
    words = ("unsubscribe", "bounce", "complain", "suppress")
    ends_all = frozenset({"unsubscribed", "bounced", "complained", "suppressed"})
    people_at = "GET /contacts/v3"
    suppressions_at = "suppressed-since"
    beside = "Product updates"
    # Histories make more calls in a minute than an account may; a test of their own has the limits.
    at_once: ClassVar[dict[str, Any]] = {"import_seconds": 0, "lowCallRate": 1_000_000}

    def connector(self, **quick: Any) -> Connector:
        settings = ConnectionSettings(self._sandbox.url, DOTDIGITAL_USER, DOTDIGITAL_PASSWORD)
        return DotdigitalConnector(settings, **quick)

    @staticmethod
    def short_pages(rows: int) -> dict[str, int]:
        return {f"{_CLIENT}.V2_PAGE": rows, f"{_CLIENT}.V3_PAGE": rows}

    def contact(self, email: str, *lists: str, **fields: Any) -> str:
        data = [{"key": key, "value": value} for key, value in self._own(fields).items()]
        body = {"email": email, "emailType": "Html", "optInType": "Single", "dataFields": data}
        made = self._call("POST", "/v2/contacts", body)
        for name in lists:
            path = f"/v2/address-books/{self.list_id(name)}/contacts"
            self._call("POST", path, {"id": made["id"], "email": email})
        return str(made["id"])

    def edit(self, email: str, **fields: Any) -> None:
        self._patch(email, {"dataFields": self._own(fields)})

    def readdress(self, email: str, to: str) -> None:
        self._patch(email, {"identifiers": {"email": to}})

    def join(self, email: str, name: str = "Newsletter") -> None:
        body = {"id": int(self.contact_id(email)), "email": email}
        self._call("POST", f"/v2/address-books/{self.list_id(name)}/contacts", body)

    def leave(self, email: str, name: str = "Newsletter") -> None:
        path = f"/v2/address-books/{self.list_id(name)}/contacts/{self.contact_id(email)}"
        self._call("DELETE", path)

    def delete(self, email: str) -> None:
        self._call("DELETE", f"/v2/contacts/{self.contact_id(email)}")

    def list(self, name: str) -> None:
        self._call("POST", "/v2/address-books", {"name": name, "visibility": "Private"})

    def delete_list(self, name: str) -> None:
        self._call("DELETE", f"/v2/address-books/{self.list_id(name)}")

    def rename_list(self, name: str, to: str) -> None:
        body = {"name": to, "visibility": "Private"}
        self._call("PUT", f"/v2/address-books/{self.list_id(name)}", body)

    def add_field(self, column: str) -> None:
        if column not in self.field_names():
            self._call("POST", "/v2/data-fields", {"name": column, "type": "String"})

    def delete_field(self, column: str) -> None:
        self._call("DELETE", f"/v2/data-fields/{column}")

    def confirms(self) -> None:
        self._sandbox.settings({"dotdigital": {"double_opt_in": "all"}})

    def field_names(self) -> set[str]:
        return {row["name"] for row in self._call("GET", "/v2/data-fields")}

    def list_id(self, name: str) -> int:
        rows = self._sandbox.table("dotdigital", "lists")
        return next(int(row["id"]) for row in rows if row["name"] == name)

    def statuses(self) -> dict[str, str]:
        return {row["email"]: _status(row) for row in self._contacts()}

    def contacts(self) -> list[Row]:
        return [
            {
                "id": str(row["id"]),
                "email": row["email"],
                "status": _status(row),
                "modified": datetime.fromisoformat(row["updated"]),
                "fields": json.loads(row["fields"]),
            }
            for row in self._contacts()
        ]

    def memberships(self) -> dict[tuple[str, str], str]:
        return {
            (str(row["list_id"]), str(row["contact_id"])): _status(row)
            for row in self._sandbox.table("dotdigital", "members")
        }

    def lists(self) -> dict[str, str]:
        rows = self._sandbox.table("dotdigital", "lists")
        return {str(row["id"]): row["name"] for row in rows}

    def fields(self, email: str) -> dict[str, Any]:
        return self._neutral(json.loads(self._contact(email)["fields"]))

    def contact_id(self, email: str) -> str:
        return str(self._contact(email)["id"])

    def members(self, name: str = "Newsletter") -> list[str]:
        people = {row["id"]: row["email"] for row in self._contacts()}
        own = self.list_id(name)
        return sorted(
            people[row["contact_id"]]
            for row in self._sandbox.table("dotdigital", "members")
            if row["list_id"] == own and row["status"] == "subscribed"
        )

    def state(self) -> dict[str, list[str]]:
        contacts = {row["id"]: row for row in self._contacts()}
        lists = {row["id"]: row["name"] for row in self._sandbox.table("dotdigital", "lists")}
        return {
            "contacts": sorted(
                json.dumps([row["email"], row["status"], _without_times(row["fields"])])
                for row in contacts.values()
            ),
            "memberships": sorted(
                f"{lists[row['list_id']]}: {contacts[row['contact_id']]['email']} {row['status']}"
                for row in self._sandbox.table("dotdigital", "members")
            ),
        }

    def _contacts(self) -> list[dict[str, Any]]:
        return self._sandbox.table("dotdigital", "contacts")

    def _contact(self, who: str) -> dict[str, Any]:
        (row,) = [
            row for row in self._contacts() if who.lower() in (row["email"].lower(), str(row["id"]))
        ]
        return row

    def _patch(self, email: str, body: dict[str, Any]) -> None:
        self._call("PATCH", f"/contacts/v3/contactId/{self.contact_id(email)}", body)

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        with self._sandbox.dotdigital() as api:
            answer = api.request(method, path, json=body)
            if not answer.is_success:
                raise Refused(answer.text)
            return answer.json() if answer.content else None


def _status(row: Row) -> str:
    return _STATUSES.get(row["status"].lower(), "suppressed")


def _without_times(fields: str) -> dict[str, Any]:
    """A contact's data fields, without the vendor's own time of the subscription."""
    held: dict[str, Any] = json.loads(fields)
    return {name: value for name, value in held.items() if name != "LASTSUBSCRIBED"}
