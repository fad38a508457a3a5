"""A person in two audiences of a platform: two members, one CRM record, each with its own consent.

Plans are carried out in the store in memory, as the ledgers do, and made again until they rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bothways.syncs.address_books.sync import plan as one_way
from bothways.syncs.base import Plan
from bothways.syncs.marketing_lists.planning import plan
from bothways.syncs.suppressions.sync import plan as suppressions
from bothways.testing.memory import DAY
from bothways.testing.planning import Planning
from tests.unit.syncs.jobs import said

ANN = "ann@example.org"
LISTS = {"shop": {"scope": "A"}, "club": {"scope": "B"}}


class Desk(Planning):
    """An account whose two lists are in two audiences, and a store that follows its plans."""

    def __init__(self, conflict: str = "crm", direction: str = "both", **account: Any) -> None:
        field = {"crm": "city", "marketing": "CITY", "conflict": conflict, "direction": direction}
        super().__init__(lists=LISTS, mappings={"contact": {"city": field}}, **account)
        self._numbers = count(1)
        self._times: Iterator[datetime] = (DAY + timedelta(hours=hour) for hour in count(1))

    def person(self, side: Any, record_id: str, **known: Any) -> None:
        """Put a record into the store, as a read would."""
        fields = {"city" if side == "crm" else "CITY": known.pop("city", "Oslo")}
        known = {"email": ANN, "modified_at": next(self._times), "fields": fields} | known
        self.store.add_person(side, record_id, **known)

    def edit(self, side: Any, record_id: str, city: str) -> None:
        """Change a record's field, as its system would."""
        (row,) = (row for row in self.people(side) if row["id"] == record_id)
        row["fields"] = {"city" if side == "crm" else "CITY": city}
        row["modified_at"] = next(self._times)

    def people(self, side: str) -> list[dict[str, Any]]:
        """Return the records of a side."""
        return [row for row in self.store.rows["records"] if row["side"] == side]

    def cities(self) -> list[str]:
        """Return what each record has."""
        return [value for row in self.store.rows["records"] for value in row["fields"].values()]

    def on(self, list_id: str) -> list[str]:
        """Return who is on a list."""
        rows = self.store.rows.get("members", [])
        return [r["member_id"] for r in rows if r["list_id"] == list_id and not r["deleted_at"]]

    def run(self, planner: Any = plan) -> Plan:
        """Read everything, plan and write."""
        for side, dataset in (("crm", "contacts"), ("marketing", "contacts")):
            self.read_people(side, dataset, *(row["id"] for row in self.people(side)))
        members = [
            {"list_id": row["list_id"], "member_id": row["member_id"]}
            for row in self.store.rows.get("members", [])
            if row["side"] == "marketing"
        ]
        self.read_members("marketing", "contacts_members", *members)
        made = self.plan(planner)
        self._write(made)
        return made

    def _write(self, made: Plan) -> None:
        created: dict[str, str] = {}
        jobs = made.jobs.astype(object).where(made.jobs.notna(), None)
        held = jobs[jobs["transient"].eq(True)]
        barred = {word for name in ("record_id", "source_id") for word in held[name].dropna()}
        for kind in ("leave", "update", "create", "join"):
            for job in jobs[jobs["kind"] == kind].to_dict("records"):
                getattr(self, f"_{kind}")(job, created)
        for row in self._kept(made, "links", created, barred):
            email = row["email_key"]
            self.store.add_link(
                row["crm_id"], row["marketing_id"], email, entity="contact",
                is_primary=row["is_primary"], scope=row["scope"],
            )  # fmt: skip
        for row in self._kept(made, "baselines", created, barred):
            self._agree(row["crm_id"], row["marketing_id"], row["values"], row["scope"])

    def _kept(
        self, made: Plan, name: str, created: dict[str, str], barred: set[str]
    ) -> Iterator[dict[str, Any]]:
        rows = made.keep.get(name, pd.DataFrame())
        for row in rows.astype(object).where(rows.notna(), None).to_dict("records"):
            row["marketing_id"] = row["marketing_id"] or created.get(row.get("key") or "")
            if row["marketing_id"] and not barred & {row["crm_id"], row["marketing_id"]}:
                yield row

    def _agree(self, crm_id: str, marketing_id: str, values: str | None, scope: str) -> None:
        self.store.add_baseline(crm_id, marketing_id, json.loads(values or "{}"), scope=scope)

    def _update(self, job: dict[str, Any], _created: dict[str, str]) -> None:
        (city,) = json.loads(job["values"]).values()
        self.edit(job["target"], job["record_id"], city)

    def _create(self, job: dict[str, Any], created: dict[str, str]) -> None:
        side, number = job["target"], f"{job['target'][0]}-new-{next(self._numbers)}"
        created[job["key"]] = number
        values = json.loads(job["values"])
        scope = job["scope"] if side == "marketing" else ""
        self.person(side, number, email=job["email"], city=next(iter(values.values())), scope=scope)
        pair = [number, job["source_id"]]
        crm, contact = pair if side == "crm" else pair[::-1]
        self.store.add_link(crm, contact, job["email"], scope=job["scope"])
        self._agree(crm, contact, job["after"], job["scope"])

    def _join(self, job: dict[str, Any], created: dict[str, str]) -> None:
        self._membership(job, created, "joined", None)

    def _leave(self, job: dict[str, Any], created: dict[str, str]) -> None:
        self._membership(job, created, job["reason"], DAY)

    def _membership(
        self, job: dict[str, Any], created: dict[str, str], state: str, gone: datetime | None
    ) -> None:
        side, key = job["target"], job["list_key"]
        own = job["record_id"] or created[job["key"]]
        self.store.add_member(side, self.list_id(side, key), own, deleted_at=gone)
        pair = [own, job["source_id"]]
        crm, contact = pair if side == "crm" else pair[::-1]
        state = "left_crm" if state == "do_not_mail" else state
        self.store.add_list_state(self.pair(key), state, crm_id=crm, marketing_id=contact)


def test_a_crm_record_becomes_a_member_of_both_audiences() -> None:
    desk = Desk()
    desk.person("crm", "c1")
    for key in LISTS:
        desk.store.add_member("crm", desk.list_id("crm", key), "c1")
    made = desk.run()
    names = ("kind", "scope", "key", "list_key")
    assert said(made.jobs, *names) == [
        ("create", "A", f"A:{ANN}", "shop"),
        ("create", "B", f"B:{ANN}", "club"),
        ("join", "A", f"A:{ANN}", "shop"),
        ("join", "B", f"B:{ANN}", "club"),
    ]
    links = {row["scope"]: row["marketing_id"] for row in desk.store.rows["links"]}
    assert len(set(links.values())) == 2
    assert links.keys() == {"A", "B"} == {row["scope"] for row in desk.store.rows["baselines"]}
    assert said(desk.run().jobs, "kind", "result") == [("", "unchanged")] * 2


@pytest.mark.parametrize("planner", [plan, one_way])
def test_two_members_of_one_address_become_one_crm_record(planner: Any) -> None:
    desk = Desk()
    for record, scope, key in (("m1", "A", "shop"), ("m2", "B", "club")):
        desk.person("marketing", record, scope=scope)
        desk.store.add_member("marketing", desk.list_id("marketing", key), record)
    made = desk.run(planner)
    waiting = made.jobs[made.jobs["reason"] == "waits"]
    assert set(waiting["source_id"]) == {"m2"}
    assert waiting["transient"].all()
    assert said(made.jobs[made.jobs["kind"].notna()], "kind", "list_key") == [
        ("create", "shop"),
        ("join", "shop"),
    ]
    made = desk.run(planner)
    assert said(made.jobs[made.jobs["kind"].notna()], "kind", "list_key") == [("join", "club")]
    (record,) = desk.people("crm")
    assert {row["marketing_id"]: row["scope"] for row in desk.store.rows["links"]} == {
        "m1": "A", "m2": "B",
    }  # fmt: skip
    assert [desk.on(desk.list_id("crm", key)) for key in LISTS] == [[record["id"]]] * 2
    assert desk.run(planner).jobs["kind"].isna().all()


def in_both(**account: Any) -> Desk:
    """Return a desk with a person who is in step in both audiences."""
    desk = Desk(**account)
    desk.person("crm", "c1")
    for key, contact in (("shop", "m1"), ("club", "m2")):
        desk.person("marketing", contact, scope=str(LISTS[key]["scope"]))
        desk.store.add_member("crm", desk.list_id("crm", key), "c1")
        desk.store.add_member("marketing", desk.list_id("marketing", key), contact)
        scope = str(LISTS[key]["scope"])
        desk.store.add_link("c1", contact, ANN, scope=scope)
        desk.store.add_baseline("c1", contact, {"@email": ANN, "city": "Oslo"}, scope=scope)
        desk.store.add_list_state(desk.pair(key), "joined", crm_id="c1", marketing_id=contact)
    return desk


def test_an_opt_out_from_one_audience_is_about_that_one() -> None:
    desk = in_both()
    desk.person("marketing", "m1", scope="A", status="unsubscribed")
    desk.store.add_member(
        "marketing", desk.list_id("marketing", "shop"), "m1", status="unsubscribed"
    )
    desk.store.add_suppression("marketing", ANN, record_id="m1", scope="A")
    made = desk.run()
    assert said(made.jobs[made.jobs["kind"].notna()], "target", "kind", "list_key", "reason") == [
        ("crm", "leave", "shop", "unsubscribed")
    ]
    desk.edit("crm", "c1", "Rome")
    made = desk.run()
    written = made.jobs[made.jobs["kind"].notna()]
    assert said(written, "target", "kind", "record_id") == [("marketing", "update", "m2")]


@pytest.mark.parametrize("reason", ["bounced", "complained", "suppressed"])
def test_what_is_about_the_address_or_the_sender_counts_in_every_audience(reason: str) -> None:
    desk = in_both()
    later = DAY + timedelta(days=1)
    desk.store.add_suppression(
        "marketing", ANN, record_id="m1", scope="A", reason=reason, told_at=later
    )
    desk.edit("crm", "c1", "Rome")
    assert desk.run().jobs["kind"].isna().all()


@pytest.mark.parametrize("planner", [plan, one_way])
@pytest.mark.parametrize("status", ["bounced", "unsubscribed"])
def test_a_bounce_in_one_audience_counts_in_the_others_before_it_is_a_suppression(
    planner: Any, status: str
) -> None:
    desk = Desk()
    desk.person("crm", "c1")
    desk.person("marketing", "m1", scope="A", status=status)
    desk.person("marketing", "m2", scope="B")
    desk.store.add_member("marketing", desk.list_id("marketing", "club"), "m2")
    made = desk.run(planner)
    joins = made.jobs.loc[made.jobs["kind"].eq("join").fillna(value=False), "list_key"]
    assert list(joins) == ([] if status == "bounced" else ["club"])


def test_a_flag_in_the_crm_counts_in_every_audience() -> None:
    desk = in_both()
    desk.person("crm", "c1", status="unsubscribed")
    made = desk.run()
    assert said(made.jobs[made.jobs["kind"].notna()], "kind", "list_key", "reason") == [
        ("leave", "club", "do_not_mail"),
        ("leave", "shop", "do_not_mail"),
    ]


def test_of_what_goes_to_the_crm_alone_the_first_audience_s_counts_while_it_may_be_mailed() -> None:
    desk = in_both(direction="to_crm")

    def comes_to_rest() -> str:
        """Return the CRM's value, which no further run changes."""
        desk.run()
        (held,) = desk.people("crm")[0]["fields"].values()
        for _ in range(2):
            assert desk.run().jobs["kind"].isna().all()
        return str(held)

    desk.edit("marketing", "m2", "Bonn")
    assert comes_to_rest() == "Oslo"
    desk.edit("marketing", "m1", "Rome")
    assert comes_to_rest() == "Rome"
    desk.edit("crm", "c1", "Nowhere")
    assert comes_to_rest() == "Rome"
    desk.person("marketing", "m1", scope="A", city="Rome", status="unsubscribed")
    desk.store.add_suppression("marketing", ANN, record_id="m1", scope="A")
    assert comes_to_rest() == "Bonn"


def test_of_two_audiences_that_change_one_record_the_first_list_s_writes() -> None:
    desk = in_both(conflict="marketing")
    desk.edit("marketing", "m2", "Bonn")
    desk.edit("marketing", "m1", "Rome")
    made = desk.run()
    assert said(made.jobs[made.jobs["target"] == "crm"], "kind", "source_id", "reason") == [
        ("", "m2", "waits"),
        ("update", "m1", ""),
    ]
    made = desk.run()
    (conflict,) = made.jobs[made.jobs["kind"].notna()].to_dict("records")
    assert (conflict["source_id"], conflict["reason"]) == ("m2", "conflict: city")
    assert "1 conflict in city of contact: the platform won" in made.notes
    desk.run()
    assert set(desk.cities()) == {"Bonn"}
    assert desk.run().jobs["kind"].isna().all()


EDITS = st.lists(
    st.tuples(
        st.sampled_from([("crm", "c1"), ("marketing", "m1"), ("marketing", "m2")]),
        st.sampled_from(["Rome", "Bonn", "Cork"]),
        st.booleans(),
    ),
    max_size=4,
)


@settings(deadline=None, max_examples=5)
@given(EDITS, st.sampled_from(["crm", "marketing", "newest"]))
def test_two_audiences_come_to_rest_on_one_value(edits: list[Any], conflict: str) -> None:
    desk = in_both(conflict=conflict)
    for (side, record), city, runs in edits:
        desk.edit(side, record, city)
        if runs:
            desk.run()
    for _ in range(4):
        last = desk.run()
    assert last.jobs["kind"].isna().all()
    assert not last.jobs["reason"].eq("waits").any()
    assert len(set(desk.cities())) == 1


def _suppressions(desk: Desk, *told: dict[str, Any], side: Any = "marketing") -> Plan:
    desk.read_suppressions(side, "suppressions", *told)
    return desk.plan(suppressions)


@pytest.mark.parametrize("linked", [True, False])
def test_an_unsubscribe_from_an_audience_leaves_its_lists_and_flags_nobody(linked: bool) -> None:
    desk = in_both()
    desk.store.add_suppression("marketing", ANN, record_id="m1", scope="A")
    if not linked:
        desk.person("marketing", "m1", scope="A", email="old@example.org")
    made = _suppressions(desk, {"id": "m1", "email": ANN, "scope": "A"})
    assert said(made.jobs, "kind", "entity", "list_key", "record_id") == [
        ("create", "suppression", "shop", ""),
        ("leave", "contact", "shop", "c1"),
    ]


def test_a_complaint_in_an_audience_flags_the_person_once() -> None:
    desk = in_both()
    rows = []
    for contact, scope, reason in (("m1", "A", "complained"), ("m2", "B", "bounced")):
        desk.store.add_suppression("marketing", ANN, record_id=contact, scope=scope, reason=reason)
        rows.append({"id": contact, "email": ANN, "scope": scope, "reason": reason})
    made = _suppressions(desk, *rows)
    assert said(made.jobs, "kind", "entity", "reason") == [
        ("", "suppression", "duplicate"),
        ("create", "suppression", "complained"),
        ("suppress", "contact", "complained"),
    ]


def test_an_unsubscribe_from_an_audience_without_a_list_is_told() -> None:
    desk = in_both()
    desk.store.add_suppression("marketing", ANN, record_id="m3", scope="C")
    made = _suppressions(desk, {"id": "m3", "email": ANN, "scope": "C"})
    assert said(made.jobs, "kind", "result", "reason") == [("", "ignored", "list_not_synced")]


def test_what_is_suppressed_in_the_crm_is_suppressed_in_each_audience() -> None:
    desk = in_both()
    desk.store.add_suppression("crm", ANN, record_id="r1", reason="suppressed")
    desk.store.add_suppression("marketing", ANN, record_id="m2", scope="B", reason="suppressed")
    made = _suppressions(desk, {"id": "r1", "email": ANN}, side="crm")
    to_platform = made.jobs[made.jobs["target"] == "marketing"]
    assert said(to_platform, "kind", "scope", "result") == [
        ("", "B", "unchanged"), ("suppress", "A", "new"),
    ]  # fmt: skip
