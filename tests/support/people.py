"""People made by hand in the CRM, through the vendor's own API."""

from __future__ import annotations

from typing import Any

from tests.sandbox.dynamics_api import DynamicsApi, add_column
from tests.support.sandbox import SandboxServer

Row = dict[str, Any]


class Crm:
    """What a person does in Dynamics 365."""

    def __init__(self, sandbox: SandboxServer) -> None:
        self._sandbox = sandbox
        self._api = DynamicsApi(sandbox.url)
        self._api.sign_in()

    def sign_in(self) -> None:
        """Sign in anew, as after the time for which a token is good."""
        self._api.sign_in()

    def column(self, table: str, schema: str, kind: str = "String", **more: Any) -> str:
        """Add a column of the customer's own; return its name."""
        return add_column(self._api, table, schema, kind, **more)

    def contact(self, email: str | None, **columns: Any) -> str:
        return self._api.create("contacts", emailaddress1=email, lastname="Doe", **columns)

    def lead(self, email: str | None, **columns: Any) -> str:
        about = {"subject": "Trade fair", "lastname": "Doe", **columns}
        return self._api.create("leads", emailaddress1=email, **about)

    def change(self, entity_set: str, record_id: str, **columns: Any) -> None:
        answer = self._api.send("PATCH", f"{entity_set}({record_id})", columns)
        assert answer.status_code == 204, answer.text

    def delete(self, entity_set: str, record_id: str) -> None:
        answer = self._api.send("DELETE", f"{entity_set}({record_id})")
        assert answer.status_code == 204, answer.text

    def disqualify(self, lead_id: str) -> None:
        self.change("leads", lead_id, statecode=2, statuscode=6)

    def suppression(self, email: Any, **columns: Any) -> str:
        """Add a suppression record, as a person does: an address is enough."""
        return self._api.create("bw_suppressions", bw_name=email, bw_email=email, **columns)

    def event(self, **columns: Any) -> str:
        """Add an event of a campaign, as Bothways does."""
        return self._api.create("bw_campaignevents", bw_name="Send", **columns)

    def record(self, entity_set: str, **columns: Any) -> str:
        """Add a record of ours, as Bothways does."""
        return self._api.create(entity_set, **columns)

    def list(self, name: str, code: int = 2, **columns: Any) -> str:
        about = {"listname": name, "createdfromcode": code, "type": False, **columns}
        return self._api.create("lists", **about)

    def list_id(self, name: str) -> str:
        return next(row["listid"] for row in self.table("list") if row["listname"] == name)

    def join(self, list_name: str, record_id: str) -> None:
        path = f"lists({self.list_id(list_name)})/Microsoft.Dynamics.CRM.AddMemberList"
        answer = self._api.send("POST", path, {"EntityId": record_id})
        assert answer.status_code == 200, answer.text

    def leave(self, list_name: str, record_id: str) -> None:
        path = f"lists({self.list_id(list_name)})/listcontact_association({record_id})/$ref"
        answer = self._api.send("DELETE", path)
        assert answer.status_code == 204, answer.text

    def table(self, name: str) -> list[Row]:
        return self._sandbox.table("dynamics", name)

    def person(self, email: str, entity: str = "contact") -> Row:
        """The only record with an address."""
        (row,) = [row for row in self.table(entity) if row["emailaddress1"] == email]
        return row

    def members(self, list_name: str) -> list[str]:
        """Addresses of a list's members, in order; one that is on it twice stands twice."""
        people = {row["contactid"]: row for row in self.table("contact")}
        people |= {row["leadid"]: row for row in self.table("lead")}
        own = self.list_id(list_name)
        rows = [row for row in self.table("listmember") if row["listid"] == own]
        return sorted(people[row["entityid"]]["emailaddress1"] for row in rows)

    def suppressions(self, list_id: str | None = None) -> dict[str, Row]:
        """Suppression records by address: of the account, or of a list."""
        rows = [row for row in self.table("bw_suppression") if row.get("bw_listid") == list_id]
        found = {row["bw_email"]: row for row in rows}
        assert len(found) == len(rows), "an address has two records"
        return found
