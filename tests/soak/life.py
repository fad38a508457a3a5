"""Lives of a few people at two vendors, with syncs, bad lines and deaths in between.

A history is a list of steps; each step is the name of a method of `Life` and its arguments, so that
a failing history can be copied from a report into a test as it stands. People are named by
position: the n-th living record of the CRM, the n-th contact of the platform, the n-th address,
each counted around. What a vendor would refuse does not happen.

    life = Life(world, sandbox)
    life.play([("crm_new", "contact", 0, True), ("sync", "marketing_lists")])
    life.settle()
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bothways.errors import BothwaysError
from bothways.tables import SIDES
from tests.soak.death import Killed, death_at
from tests.soak.views import View
from tests.soak.watch import Watch
from tests.support.engine import Finished, World
from tests.support.people import Crm
from tests.support.sandbox import SandboxServer

Step = tuple[Any, ...]

ADDRESSES = [f"{name}@mail.example" for name in ("ann", "bob", "cleo")]
ADDRESSES += ["ANN@mail.example", " Bob@Mail.example"]
LISTS = {
    "newsletter": {"crm": "Newsletter", "marketing": "Newsletter"},
    "product": {"crm": "Product updates", "marketing": "Product updates", "entity": "lead"},
}
LIST_OF = {"contact": "Newsletter", "lead": "Product updates"}
NAMES = tuple(LIST_OF.values())
ACCOUNT = {"lists": LISTS, "settings": {"retry_minutes": 0, "retry_attempts": 100}}

# A field's names in the CRM and on the platform, and the values that people give it on each side.
FIELDS: list[tuple[str, str, list[tuple[Any, Any]]]] = [
    ("firstname", "FIRSTNAME", [("Ann", "Ann"), ("Bea", " Bea "), (None, None)]),
    ("address1_city", "CITY", [("Oslo", "Oslo"), ("Rome", "rome"), (None, None)]),
    ("gendercode", "GENDER", [(1, "Male"), (2, "Female"), (None, None)]),
]
BAD_LINE = {
    "share": {"429": 0.1, "500": 0.1, "502": 0.05, "cut": 0.1},
    "after_write": 0.15,
    "rows_refused": 0.1,
    "import_faults": 0.1,
}
_ROUNDS = 8


class Life:
    """Plays a history, and watches what no sync may ever do."""

    def __init__(self, world: World, sandbox: SandboxServer) -> None:
        self._world = world
        self._sandbox = sandbox
        self._crm = Crm(sandbox)
        self._api = self._crm._api
        self._watch = Watch()
        self._lists = {name: self._crm.list_id(name) for name in NAMES}
        self._books = {row["name"]: int(row["id"]) for row in sandbox.table("dotdigital", "lists")}
        self._runs = 0
        self.finished: list[Finished] = []
        world.people_per_partition = 1  # even of these few a full read is planned in parts

    def play(self, steps: Sequence[Step]) -> None:
        for name, *arguments in steps:
            getattr(self, name)(*arguments)

    def view(self) -> View:
        """Everything that both vendors hold."""
        return View.of(self._sandbox)

    # ── people in the CRM ─────────────────────────────────────────────────────────────────────

    def crm_new(self, entity: str, address: int, on_list: bool) -> None:
        email = _address(address)
        made = self._crm.lead(email) if entity == "lead" else self._crm.contact(email)
        if on_list:
            self._crm.join(LIST_OF[entity], made)

    def crm_edit(self, record: int, field: int, value: int) -> None:
        name, _, values = FIELDS[field]
        self._change(record, {name: values[value][0]}, contacts_only=name == "gendercode")

    def crm_address(self, record: int, address: int | None) -> None:
        self._change(record, {"emailaddress1": None if address is None else _address(address)})

    def crm_swap(self, one: int, other: int) -> None:
        """Two records exchange their addresses."""
        rows = [self._record(number) for number in (one, other)]
        if None not in rows:
            addresses = [row["emailaddress1"] for row in rows if row]
            for number, address in zip((one, other), reversed(addresses), strict=True):
                self._change(number, {"emailaddress1": address})

    def crm_join(self, record: int) -> None:
        row = self._record(record)
        if row:
            path = (
                f"lists({self._lists[LIST_OF[row['entity']]]})/Microsoft.Dynamics.CRM.AddMemberList"
            )
            self._api.send("POST", path, {"EntityId": row["id"]})

    def crm_leave(self, record: int) -> None:
        row = self._record(record)
        if row:
            own = self._lists[LIST_OF[row["entity"]]]
            self._api.send(
                "DELETE", f"lists({own})/list{row['entity']}_association({row['id']})/$ref"
            )

    def crm_flag(self, record: int) -> None:
        self._change(record, {"donotbulkemail": True})

    def crm_suppress(self, address: int) -> None:
        email = _address(address)
        self._crm.suppression(email)
        self._watch.written_down(email)

    def crm_merge(self, kept: int, lost: int) -> None:
        rows = [self._record(number) for number in (kept, lost)]
        if None in rows or rows[0]["entity"] != rows[1]["entity"]:  # type: ignore[index]
            return
        entity = rows[0]["entity"]  # type: ignore[index]
        kind = {"@odata.type": f"Microsoft.Dynamics.CRM.{entity}"}
        ends = [{**kind, f"{entity}id": row["id"]} for row in rows if row]
        body = {"Target": ends[0], "Subordinate": ends[1], "PerformParentingChecks": False}
        self._api.send("POST", "Merge", body)

    def crm_delete(self, record: int) -> None:
        row = self._record(record)
        if row:
            self._crm.delete(f"{row['entity']}s", row["id"])

    def crm_idle(self, record: int) -> None:
        """Deactivate a contact, close a lead, or bring either back."""
        row = self._record(record)
        if row:
            closed = {"contact": (1, 2), "lead": (2, 6)}[row["entity"]]
            state, status = (0, 1) if row["statecode"] else closed
            self._change(record, {"statecode": state, "statuscode": status})

    # ── people on the platform ────────────────────────────────────────────────────────────────

    def pf_new(self, address: int, lists: Sequence[int]) -> None:
        email = _address(address).strip()
        if not self._contact_of(email):
            self._platform("POST", "/v2/contacts", {"email": email})
            made = self._contact_of(email)
            for number in lists:
                self._join(made, number)

    def pf_edit(self, contact: int, field: int, value: int) -> None:
        row = self._contact(contact)
        if row:
            _, name, values = FIELDS[field]
            self._patch(row, {"dataFields": {name: values[value][1]}})

    def pf_address(self, contact: int, address: int) -> None:
        row = self._contact(contact)
        if row:
            self._rename(row, _address(address).strip())

    def pf_swap(self, one: int, other: int) -> None:
        """Two contacts exchange their addresses."""
        rows = [self._contact(number) for number in (one, other)]
        if None in rows or rows[0]["id"] == rows[1]["id"]:  # type: ignore[index]
            return
        first, second = (row for row in rows if row)
        for row, email in (
            (first, "between@mail.example"),
            (second, first["email"]),
            ({**first, "email": "between@mail.example"}, second["email"]),
        ):
            self._rename(row, email)

    def pf_join(self, contact: int, number: int) -> None:
        row = self._contact(contact)
        if row:
            self._join(row, number)

    def pf_leave(self, contact: int, number: int) -> None:
        row = self._contact(contact)
        if row:
            path = f"/v2/address-books/{self._books[NAMES[number]]}/contacts/{row['id']}"
            member = (self._books[NAMES[number]], row["id"])
            if self.view().memberships.get(member) == "subscribed":
                self._platform("DELETE", path)

    def pf_no(self, contact: int, act: str) -> None:
        """Somebody unsubscribes, bounces, complains or is suppressed."""
        row = self._contact(contact)
        if row:
            self._sandbox.act("dotdigital", act, email=row["email"])
            self._watch.silenced(row["email"])

    def pf_no_list(self, contact: int, number: int) -> None:
        row = self._contact(contact)
        if row and (self._books[NAMES[number]], row["id"]) in self.view().memberships:
            self._sandbox.act("dotdigital", "unsubscribe", email=row["email"], list=NAMES[number])
            self._watch.written_down(row["email"], NAMES[number])

    def pf_yes(self, contact: int) -> None:
        """Somebody comes back by the platform's own means."""
        row = self._contact(contact)
        if row:
            self._sandbox.act("dotdigital", "resubscribe", email=row["email"])
            self._watch.came_back(row["email"])

    def pf_yes_list(self, contact: int, number: int) -> None:
        row = self._contact(contact)
        if row:
            self._sandbox.act("dotdigital", "resubscribe", email=row["email"], list=NAMES[number])
            self._watch.came_back(row["email"], NAMES[number])

    def pf_delete(self, contact: int) -> None:
        row = self._contact(contact)
        if row:
            self._sandbox.act("dotdigital", "delete", email=row["email"])
            self._watch.forgotten(row["email"])

    def pf_return(self, address: int) -> None:
        """Somebody signs up through a form."""
        email = _address(address).strip()
        self._sandbox.act("dotdigital", "return", email=email)
        self._watch.came_back(email)

    def wait(self) -> None:
        """Let time pass: what was read before is not read again for safety's sake."""
        self._sandbox.advance(1800)
        self._api.sign_in()

    # ── syncs ─────────────────────────────────────────────────────────────────────────────────

    def sync(
        self,
        sync_type: str,
        full: bool = False,
        faults: int | None = None,
        death: int | None = None,
        then: str = "again",
    ) -> None:
        """Run a sync.

        Args:
            sync_type: Which.
            full: Read everything.
            faults: The line is bad; the number chooses where.
            death: The process ends at this moment (see `death_at`); a run that is shorter lives.
            then: What is done after that: the dead step is run "again", the run is "closed" as it
                is, or it is "left" and nobody looks at it any more.
        """
        before = self.view()
        if faults is not None:
            self._sandbox.faults({"*": {**BAD_LINE, "seed": faults}})
        name = f"run__{self._runs}"
        self._runs += 1
        try:
            self._steps(sync_type, name, death, then, full_resync=full)
        finally:
            self._sandbox.faults()
        run = self._world.finished(sync_type, name) if self._opened(sync_type, name) else None
        if run:
            self.finished.append(run)
            if sync_type == "suppressions" and run.status == "Completed":
                self._watch.heard()
        self._watch.after(before, self.view(), run)

    def _steps(
        self, sync_type: str, name: str, death: int | None, then: str, **options: Any
    ) -> None:
        world = self._world
        try:
            with death_at(death) as mortal:
                parts = world.open(sync_type, name, **options)
                run = world.found(sync_type, name)
                again = mortal.reviving(then == "again")
                for side in SIDES:
                    again(lambda _last, side=side: world.extract(run, side))
                for part in range(parts):
                    again(lambda _last, part=part: world.plan(run, part))
                chunks: list[int] = []
                again(lambda _last: chunks.extend(world.review(run)))
                for side in SIDES:
                    for chunk in chunks:
                        again(
                            lambda last, side=side, chunk=chunk: world.apply(
                                run, side, chunk, last=last
                            )
                        )
        except Killed:
            if then == "left" or not self._opened(sync_type, name):
                return
        except BothwaysError:
            pass
        world.close_run(sync_type, name)

    def _opened(self, sync_type: str, name: str) -> bool:
        return bool(
            self._world.query(
                "SELECT 1 FROM runs WHERE dag_id = :dag AND dag_run_id = :run",
                dag=f"test__{sync_type}",
                run=name,
            )
        )

    def settle(self) -> None:
        """Leave both sides alone until nothing is left to do; then both must agree.

        Raises:
            AssertionError: They never come to rest, or do not agree.
        """
        for number in range(_ROUNDS):
            # The platform tells no deletion by itself: it is found by reading everything.
            for sync_type in ("suppressions", "marketing_lists"):
                self.sync(sync_type, full=number == 0)
            if not self._written(2):
                break
        else:
            raise AssertionError(f"no rest after {_ROUNDS} rounds: {self._told()}")
        if number:
            self.sync("marketing_lists", full=True)
            assert not self._written(1), f"a full read finds more to do: {self._told()}"
        self._watch.at_rest(self.view(), self._links())

    def _links(self) -> dict[str, str]:
        """The CRM records that the store calls somebody on the platform."""
        rows = self._world.query("SELECT crm_id, marketing_id FROM links")
        return {row["crm_id"]: row["marketing_id"] for row in rows}

    def _written(self, runs: int) -> int:
        """The writes of the last runs; what the vendors refuse, they refuse again and again."""
        return sum(
            int((run.jobs["kind"].notna() & run.jobs["result"].ne("error")).sum())
            for run in self.finished[-runs:]
        )

    def _told(self) -> str:
        jobs = self.finished[-1].jobs
        jobs = jobs[jobs["kind"].notna()]
        names = ["target", "kind", "entity", "list_key", "result", "reason", "error_message",
                 "before", "after", "email"]  # fmt: skip
        return f"{self.finished[-1].status}\n{jobs[names].to_string()}"

    # ── who is meant ──────────────────────────────────────────────────────────────────────────

    def _record(self, number: int) -> dict[str, Any] | None:
        rows = [row for row in self.view().records if not row["merged"]]
        return rows[number % len(rows)] if rows else None

    def _change(self, number: int, columns: dict[str, Any], *, contacts_only: bool = False) -> None:
        row = self._record(number)
        if row and not (contacts_only and row["entity"] == "lead"):
            self._api.send("PATCH", f"{row['entity']}s({row['id']})", columns)

    def _contact(self, number: int) -> dict[str, Any] | None:
        rows = self.view().contacts
        return rows[number % len(rows)] if rows else None

    def _contact_of(self, email: str) -> dict[str, Any] | None:
        key = email.strip().lower()
        return next((row for row in self.view().contacts if row["key"] == key), None)

    def _join(self, row: dict[str, Any] | None, number: int) -> None:
        assert row is not None
        path = f"/v2/address-books/{self._books[NAMES[number]]}/contacts"
        self._platform("POST", path, {"id": row["id"], "email": row["email"]})

    def _rename(self, row: dict[str, Any], email: str) -> None:
        self._patch(row, {"identifiers": {"email": email}})
        now = next(other for other in self.view().contacts if other["id"] == row["id"])
        if now["email"] != row["email"]:
            self._watch.moved(row["email"], now["email"], now["status"])

    def _patch(self, row: dict[str, Any], body: dict[str, Any]) -> None:
        self._platform("PATCH", f"/contacts/v3/contactId/{row['id']}", body)

    def _platform(self, method: str, path: str, body: Any = None) -> None:
        with self._sandbox.dotdigital() as api:
            api.request(method, path, json=body)


def _address(number: int) -> str:
    return ADDRESSES[number % len(ADDRESSES)]
