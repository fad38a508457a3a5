"""Histories of a few people at two vendors, with syncs, network faults and kills in between.

A history is a list of steps; each step is the name of a method of `History` and its arguments, so
that a failing history can be copied from a report into a test as it stands. People are named by
position: the n-th living record of the CRM, the n-th contact of the platform, the n-th address,
each counted around. What a vendor would refuse does not happen.

    history = History(world, sandbox, TERMS["dotdigital"])
    history.play([("crm_new", "contact", 0, True), ("sync", "marketing_lists")])
    history.settle()

Between the steps of a run people act too:

    [("begin", "marketing_lists"), ("go", "marketing_lists", "plan"), ("crm_flag", 0),
     ("go", "marketing_lists", "close")]
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from tests.soak.runs import Runs
from tests.soak.setting import ADDRESSES, FIELDS, Setting, Terms
from tests.soak.views import View, key_of
from tests.soak.watch import Watch
from tests.support.engine import World
from tests.support.erasing import Erasing
from tests.support.meanwhile import between_pages
from tests.support.people import Crm
from tests.support.platforms import Refused
from tests.support.sandbox import SandboxServer

Step = tuple[Any, ...]

_ROUNDS = 8
# Whatever else happens, these say who is meant or let time pass; nobody's words are in them.
_NO_ACTS = ("wait", "clock", "sync", "begin", "go", "answer", "settle", "meanwhile", "refuses")


class History:
    """Plays a history, and watches what no sync may ever do."""

    def __init__(self, world: World, sandbox: SandboxServer, terms: Terms) -> None:
        self._world = world
        self._sandbox = sandbox
        self._platform = world.platform
        self._crm = Crm(sandbox)
        self._api = self._crm._api
        self._setting = Setting(world, sandbox, self._crm, terms)
        self._seen = View.of(sandbox, world.platform)
        self._watch = Watch(self._setting)
        self._runs = Runs(world, sandbox)
        self._meanwhile: Step | None = None
        world.people_per_partition = 1  # even of these few a full read is planned in parts

    def play(self, steps: Sequence[Step]) -> None:
        """Play these steps, one after another."""
        for name, *arguments in steps:
            if name in _NO_ACTS:
                getattr(self, name)(*arguments)
            else:
                getattr(self, name)(*arguments)
                before, self._seen = self._seen, self._look()
                self._watch.people(before, self._seen, hasty=self._runs.hasty)
                self._runs.look(self._seen.flagged)

    def view(self) -> View:
        """Everything that both vendors hold."""
        return self._seen

    # ── people in the CRM ─────────────────────────────────────────────────────────────────────

    def crm_new(self, entity: str, address: int, on_list: bool) -> None:
        email = _address(address)
        made = self._crm.lead(email) if entity == "lead" else self._crm.contact(email)
        if on_list and (own := self._list_of(entity)):
            self._add_to(own, made)

    def crm_edit(self, record: int, field: int, value: int) -> None:
        _, name, values = FIELDS[field]
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

    def crm_join(self, record: int, number: int = 0) -> None:
        row = self._record(record)
        own = row and self._list_of(row["entity"], number)
        if row and own:
            self._add_to(own, row["id"])

    def crm_leave(self, record: int, number: int = 0) -> None:
        row = self._record(record)
        own = row and self._list_of(row["entity"], number)
        if row and own:
            path = f"lists({own})/list{row['entity']}_association({row['id']})/$ref"
            self._api.send("DELETE", path)

    def crm_flag(self, record: int) -> None:
        self._change(record, {"donotbulkemail": True})

    def crm_unflag(self, record: int) -> None:
        """Somebody clears the flag, and what the CRM keeps on the address."""
        row = self._record(record)
        if row and row["flagged"]:
            for kept in self._crm.table("bw_suppression"):
                if key_of(kept["bw_email"]) == row["key"] and not kept.get("bw_listid"):
                    self._crm.delete("bw_suppressions", kept["bw_suppressionid"])
            self._change(record, {"donotbulkemail": False})

    def crm_suppress(self, address: int) -> None:
        self._crm.suppression(_address(address))

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
            pairs = [self._setting.lists[number] for number in lists]
            names = [pair.names["marketing"] for pair in pairs if pair.ids["marketing"]]
            with suppress(Refused):
                self._platform.contact(email, *names)

    def pf_edit(self, contact: int, field: int, value: int) -> None:
        row = self._contact(contact)
        if row:
            name, _, values = FIELDS[field]
            column = self._setting.columns[name]
            with suppress(Refused):
                self._platform.edit(row["id"], **{column: values[value][1]})

    def pf_address(self, contact: int, address: int) -> None:
        row = self._contact(contact)
        if row:
            self._readdress(row["id"], _address(address).strip())

    def pf_swap(self, one: int, other: int) -> None:
        """Two contacts exchange their addresses."""
        rows = [self._contact(number) for number in (one, other)]
        if None in rows or rows[0]["id"] == rows[1]["id"]:  # type: ignore[index]
            return
        (one_id, first), (other_id, second) = ((row["id"], row["email"]) for row in rows if row)
        for number, to in ((one_id, "between@mail.example"), (other_id, first), (one_id, second)):
            self._readdress(number, to)

    def pf_join(self, contact: int, number: int) -> None:
        row = self._contact(contact)
        if row:
            with suppress(Refused):
                self._join(row["email"], number)

    def pf_leave(self, contact: int, number: int) -> None:
        row = self._contact(contact)
        own = self._setting.lists[number].ids["marketing"]
        if row and own and self.view().memberships.get((own, row["id"])) == "mailable":
            with suppress(Refused):
                self._platform.leave(row["email"], self.view().books[own])

    def pf_no(self, contact: int, act: str) -> None:
        """Somebody unsubscribes, bounces, complains or is suppressed, or ends all mail otherwise.

        Where an unsubscribe is from one audience, they complain.
        """
        row = self._contact(contact)
        if row:
            words = self._platform.words
            self._platform.act(act if act in words else words[0], row["email"], **self._in(row))

    def pf_no_list(self, contact: int, number: int) -> None:
        row = self._contact(contact)
        own = self._setting.lists[number].ids["marketing"]
        if row and own and (own, row["id"]) in self.view().memberships:
            self._platform.act("unsubscribe", row["email"], list=self.view().books[own])

    def pf_yes(self, contact: int) -> None:
        """Somebody comes back by the platform's own means."""
        row = self._contact(contact)
        if row:
            self._platform.act("resubscribe", row["email"], **self._in(row))

    def pf_yes_list(self, contact: int, number: int) -> None:
        row = self._contact(contact)
        own = self._setting.lists[number].ids["marketing"]
        if row and own and self._setting.may_hold(self._setting.lists[number], row["id"]):
            self._platform.act("resubscribe", row["email"], list=self.view().books[own])

    def pf_delete(self, contact: int) -> None:
        row = self._contact(contact)
        if row:
            self._platform.delete(row["id"])

    def pf_return(self, address: int, number: int = 0) -> None:
        """Somebody signs up through a form, of the audience that a list is in."""
        email = _address(address).strip()
        scope = self._setting.scope(self._setting.lists[number].ids["marketing"])
        self._platform.act("return", email, **({"list": scope} if scope else {}))
        self._watch.signs_up(key_of(email), scope)

    # ── people in charge ──────────────────────────────────────────────────────────────────────

    def erase(self, address: int) -> None:
        """Somebody who asked for it is erased, once no sync is in progress."""
        if self._runs.at_work():
            return
        before, erasing = self._seen, Erasing(self._world)
        request = erasing.file(_address(address))
        run = erasing.run(request, confirm=request)
        assert run.status == "Completed", run.message
        self._watch.is_erased(key_of(_address(address)), before, self._look())

    def guard(self, asks: bool) -> None:
        self._setting.guard(asks=asks)

    def tries(self, number: int) -> None:
        self._setting.tries(number)

    def list_deleted(self, number: int, side: str) -> None:
        self._setting.delete_list(number, side)

    def list_replaced(self, number: int, side: str) -> None:
        """A list is deleted, unless it is gone already, and made again under its name."""
        if self._setting.replace_list(number, side):
            self._watch.is_another_list(number, self._seen)

    def list_mapped(self, number: int, side: str) -> None:
        if self._setting.map_list(number, side):
            self._watch.is_another_list(number, self._seen)

    def list_renamed(self, number: int, side: str) -> None:
        self._setting.rename_list(number, side)

    def list_key(self, number: int) -> None:
        self._setting.rename_key(number)
        self._watch.has_another_key(number)

    def field_mapped(self, field: int) -> None:
        self._watch.is_another_field(self._setting.map_field(field), self._seen)

    def field_decided(self, field: int, policy: int) -> None:
        name = self._setting.decide(field, policy)
        self._watch.is_decided_anew(name, self._setting.policies[name])

    # ── time ──────────────────────────────────────────────────────────────────────────────────

    def wait(self) -> None:
        """Let time pass: what was read before is not read again for safety's sake."""
        self._sandbox.advance(1800)
        self._api.sign_in()

    def refuses(self, side: str, everything: bool) -> None:
        """A vendor refuses everything that it is to write, or no longer does."""
        self._sandbox.faults({self._vendor(side): {"rows_refused": 1.0}} if everything else None)

    def meanwhile(self, *step: Any) -> None:
        """Take this step while the next run reads the platform's suppressions, between two pages.

        Args:
            *step: What happens then; not where the line is bad.
        """
        self._meanwhile = step

    def clock(self, side: str, seconds: int) -> None:
        """A vendor's clock is wrong."""
        self._sandbox.advance(seconds, self._vendor(side))
        self._api.sign_in()

    def _vendor(self, side: str) -> str:
        return self._platform.name if side == "marketing" else "dynamics"

    # ── syncs ─────────────────────────────────────────────────────────────────────────────────

    def sync(
        self,
        sync_type: str,
        full: bool = False,
        faults: int | None = None,
        kill_point: int | None = None,
        then: str = "again",
    ) -> None:
        """Run a sync from its beginning to its end, or until it waits for an answer.

        One that is under way already is finished first; one that waits keeps the next from
        starting.

        Args:
            sync_type: Which.
            full: Read everything.
            faults: As in `Runs.go`.
            kill_point: As in `Runs.go`.
            then: As in `Runs.go`.
        """
        self.go(sync_type)
        if sync_type not in self._runs.under_way:
            self.begin(sync_type, full)
            self.go(sync_type, "close", faults, kill_point, then)

    def begin(self, sync_type: str, full: bool = False) -> None:
        """Make a run of a sync, unless there is one already."""
        if sync_type not in self._runs.under_way:
            since, flagged = self._watch.intent.tick, self._seen.flagged
            run = self._runs.begin(sync_type, since, flagged, full_resync=full)
            self._watch.begins(run)

    def go(
        self,
        sync_type: str,
        until: str = "close",
        faults: int | None = None,
        kill_point: int | None = None,
        then: str = "again",
    ) -> None:
        """Let the run that is under way go on until a stage is done, if there is one."""
        run = self._runs.under_way.get(sync_type)
        if run is None or run.waits:
            return
        links = self._links()
        with self._interrupted(faults is None and kill_point is None):
            ended = self._runs.go(run, until, faults=faults, kill_point=kill_point, then=then)
        before, self._seen = self._seen, self._look()
        self._watch.sync(run, before, self._seen, links | self._links())
        if ended:
            self._watch.ended(ended, self._seen, self._links())
        if not self._runs.hasty:
            self._watch.no_run_is_under_way()

    @contextmanager
    def _interrupted(self, possible: bool) -> Iterator[None]:
        step, self._meanwhile = self._meanwhile, None
        if step is None or not possible:
            yield
            return
        platform = self._platform
        with between_pages(platform, platform.suppressions_at, lambda: self.play([step]), page=2):
            yield

    def answer(self, sync_type: str, approved: bool) -> None:
        """Somebody answers a run that waits, which then goes on to its end."""
        run = self._runs.under_way.get(sync_type)
        if run and run.waits:
            run.approved, run.waits = approved, False
            self.go(sync_type)

    def settle(self, full: bool = True) -> None:
        """Leave both sides alone until nothing is left to do; then both must agree.

        Args:
            full: Read everything first, and once more in the end.

        Raises:
            AssertionError: They never come to rest, or do not agree.
        """
        for sync_type in list(self._runs.under_way):
            self.go(sync_type)
            self.answer(sync_type, approved=True)
        for number in range(_ROUNDS):
            # The platform tells no deletion by itself: it is found by reading everything.
            for sync_type in ("suppressions", "marketing_lists"):
                self._sync_approved(sync_type, full=full and number == 0)
            if not self._written(2):
                break
        else:
            raise AssertionError(f"no rest after {_ROUNDS} rounds: {self._told()}")
        if number and full:
            self._sync_approved("marketing_lists", full=True)
            assert not self._written(1), f"a full read finds more to do: {self._told()}"
        self._watch.at_rest(self.view(), self._links())

    def _sync_approved(self, sync_type: str, *, full: bool) -> None:
        self.sync(sync_type, full)
        self.answer(sync_type, approved=True)

    def _links(self) -> set[tuple[str, str]]:
        """The CRM records and contacts that the store calls the same people."""
        rows = self._world.query("SELECT crm_id, marketing_id FROM links")
        return {(row["crm_id"], row["marketing_id"]) for row in rows}

    def _written(self, runs: int) -> int:
        """The writes of the last runs; what the vendors refuse, they refuse again and again."""
        return sum(
            int((run.jobs["kind"].notna() & run.jobs["result"].ne("error")).sum())
            for run in self._runs.finished[-runs:]
        )

    def _told(self) -> str:
        jobs = self._runs.finished[-1].jobs
        jobs = jobs[jobs["kind"].notna()]
        names = ["target", "kind", "entity", "list_key", "result", "reason", "error_message",
                 "before", "after", "email"]  # fmt: skip
        return f"{self._runs.finished[-1].status}\n{jobs[names].to_string()}"

    # ── who is meant ──────────────────────────────────────────────────────────────────────────

    def _record(self, number: int) -> dict[str, Any] | None:
        rows = [row for row in self.view().records if not row["merged"]]
        return rows[number % len(rows)] if rows else None

    def _list_of(self, entity: str, number: int = 0) -> str | None:
        """The CRM's list of these records, the n-th counted around; None where there is none."""
        pairs = self._setting.lists_of(entity)
        return pairs[number % len(pairs)].ids["crm"] if pairs else None

    def _change(self, number: int, columns: dict[str, Any], *, contacts_only: bool = False) -> None:
        row = self._record(number)
        if row and not (contacts_only and row["entity"] == "lead"):
            self._api.send("PATCH", f"{row['entity']}s({row['id']})", columns)

    def _add_to(self, list_id: str, record: str) -> None:
        path = f"lists({list_id})/Microsoft.Dynamics.CRM.AddMemberList"
        self._api.send("POST", path, {"EntityId": record})

    def _contact(self, number: int) -> dict[str, Any] | None:
        rows = self.view().contacts
        return rows[number % len(rows)] if rows else None

    def _in(self, row: dict[str, Any]) -> dict[str, str]:
        """Where a contact says what they say: in their audience, where there are audiences."""
        scope = self._setting.scope(row["id"])
        return {"list": scope} if scope else {}

    def _contact_of(self, email: str) -> dict[str, Any] | None:
        rows = self._look().contacts
        return next((row for row in rows if row["key"] == key_of(email)), None)

    def _join(self, email: str, number: int) -> None:
        pair = self._setting.lists[number]
        if pair.ids["marketing"]:
            self._platform.join(email, pair.names["marketing"])

    def _readdress(self, contact: str, to: str) -> None:
        with suppress(Refused):
            self._platform.readdress(contact, to)

    def _look(self) -> View:
        return View.of(self._sandbox, self._platform)


def _address(number: int) -> str:
    return ADDRESSES[number % len(ADDRESSES)]
