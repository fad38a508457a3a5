"""A test scenario: a few people at both vendors, and what they and the marketing team do there."""

from __future__ import annotations

from typing import Any

from tests.support.engine import Finished, World
from tests.support.people import Crm
from tests.support.sandbox import SandboxServer

LISTS = {
    "newsletter": {"crm": "Newsletter", "marketing": "Newsletter"},
    "product": {"crm": "Product updates", "marketing": "Product updates", "entity": "lead"},
}


class Scenario:
    """Both vendors, and the sync between them."""

    def __init__(self, world: World, sandbox: SandboxServer) -> None:
        self.world = world
        self.crm = Crm(sandbox)
        self.platform = world.platform
        # Somebody is at hand to approve that a list of a few people is emptied.
        world.configure(lists=LISTS, settings={"retry_minutes": 0, "on_guard": "ask"})

    def sync(self, *sync_types: str, **options: Any) -> Finished:
        """Run syncs, the two-way lists where none is named; return the last run."""
        for sync_type in sync_types or ("marketing_lists",):
            run = self.world.run(sync_type, **{"approve": True, **options})
            assert run.status in ("Completed", "Completed With Errors", "Dry Run"), run
        return run

    def on_both(self, *emails: str, **fields: Any) -> list[str]:
        """Make people who are on the newsletter on both sides, in step; return their CRM ids."""
        made = [self.crm.contact(email, **fields) for email in emails]
        for record in made:
            self.crm.join("Newsletter", record)
        self.sync()
        return made

    def act(self, act: str, email: str, **what: object) -> None:
        """Do what only the person can."""
        self.platform.act(act, email, **what)

    def says_no(self, email: str) -> None:
        """Let a person end all mail from the platform."""
        self.platform.says_no(email)

    def edit(self, email: str, **fields: Any) -> None:
        """Change fields of a contact on the platform."""
        self.platform.edit(email, **fields)

    def readdress(self, email: str, to: str) -> None:
        """Change the address of a contact on the platform."""
        self.platform.readdress(email, to)

    def leave(self, email: str, name: str = "Newsletter") -> None:
        """Take a contact off a platform list by hand."""
        self.platform.leave(email, name)

    def join(self, email: str, name: str = "Newsletter") -> None:
        """Put a contact on a platform list by hand."""
        self.platform.join(email, name)

    def merge(self, kept: str, lost: str) -> None:
        """Merge one contact of the CRM into another."""
        kind = {"@odata.type": "Microsoft.Dynamics.CRM.contact"}
        ends = [{**kind, "contactid": record} for record in (kept, lost)]
        body = {"Target": ends[0], "Subordinate": ends[1], "PerformParentingChecks": False}
        assert self.crm._api.send("POST", "Merge", body).status_code == 204

    def change(self, record: str, **columns: Any) -> None:
        """Change a contact of the CRM."""
        self.crm.change("contacts", record, **columns)

    def record(self, record: str) -> dict[str, Any]:
        """A contact of the CRM."""
        return next(row for row in self.crm.table("contact") if row["contactid"] == record)

    def number(self, email: str) -> str:
        """The id of a contact of the platform."""
        return self.platform.contact_id(email)

    def fields(self, email: str) -> dict[str, Any]:
        """What the platform has in a contact's fields."""
        return self.platform.fields(email)

    def addresses(self) -> list[str]:
        """Everybody on the platform."""
        return self.platform.addresses()

    def members(self, name: str = "Newsletter") -> list[str]:
        """Who is on a platform list and has not unsubscribed from it."""
        return self.platform.members(name)

    def on_lists(self) -> tuple[list[str], list[str]]:
        """Who is on the newsletter in the CRM and on the platform."""
        return self.crm.members("Newsletter"), self.members()

    def at_rest(self) -> bool:
        """Tell whether a full read finds nothing more to write."""
        return not self.sync(full_resync=True).jobs["kind"].notna().any()
