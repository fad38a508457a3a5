"""What people change at the platform by hand."""

from __future__ import annotations

from typing import Any

from tests.support.people import Platform, Row


class Marketer(Platform):
    """Edits contacts and memberships in Dotdigital, and looks them up."""

    def change(self, contact_id: str, email: str, **fields: Any) -> None:
        data = [{"key": key, "value": value} for key, value in fields.items()]
        body = {"id": int(contact_id), "email": email, "emailType": "Html", "dataFields": data}
        with self._sandbox.dotdigital() as api:
            changed = api.put(f"/v2/contacts/{contact_id}", json=body)
            assert changed.status_code == 200, changed.text

    def join(self, name: str, contact_id: str, email: str) -> None:
        path = f"/v2/address-books/{self.list_id(name)}/contacts"
        with self._sandbox.dotdigital() as api:
            joined = api.post(path, json={"id": int(contact_id), "email": email})
            assert joined.status_code == 200, joined.text

    def leave(self, name: str, contact_id: str) -> None:
        path = f"/v2/address-books/{self.list_id(name)}/contacts/{contact_id}"
        with self._sandbox.dotdigital() as api:
            left = api.delete(path)
            assert left.status_code == 204, left.text

    def person(self, email: str) -> Row:
        rows = self._sandbox.table("dotdigital", "contacts")
        (row,) = [row for row in rows if row["email"] == email]
        return row

    def members(self, name: str) -> list[str]:
        people = {row["id"]: row["email"] for row in self._sandbox.table("dotdigital", "contacts")}
        own = self.list_id(name)
        rows = self._sandbox.table("dotdigital", "members")
        return sorted(people[row["contact_id"]] for row in rows if int(row["list_id"]) == own)
