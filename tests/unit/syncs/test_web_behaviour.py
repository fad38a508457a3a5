"""The sync of web behaviour: what is written of a visit, and whose it is."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from bothways.syncs.base import Request
from bothways.syncs.web_behaviour.sync import SYNC
from bothways.testing.planning import Planning

ANN, BOB = "ann@mail.example", "bob@mail.example"
PAGES = [
    {"title": "Home", "url": "https://x.org/", "at": "2026-01-01T00:00:00Z"},
    {"title": None, "url": "https://x.org/shop", "at": None},
]
VISIT = {
    "pages": PAGES, "page_count": 2, "minutes": 3.5, "site": "x.org", "user_agent": "Browser",
    "ip": "192.0.2.1",
}  # fmt: skip


class Desk(Planning):
    """An account that syncs web behaviour; Ann is m1 on the platform."""

    def __init__(self) -> None:
        super().__init__(lists=())
        self.store.add_person("marketing", "m1", ANN)

    def visit(self, member: str = "m1", **more: Any) -> None:
        more = {"details": VISIT} | more
        self.store.add_event("marketing", "visits", record_id=member, **more)

    def bulk(self, **inputs: Any) -> pd.DataFrame:
        return pd.concat(list(self.plan(SYNC.plan, **inputs).bulk))


def test_a_visit_is_written_with_its_pages_to_the_person_whom_the_platform_names_by_id() -> None:
    desk = Desk()
    desk.store.add_person("crm", "c1", ANN)
    desk.visit()
    (values,) = map(json.loads, desk.bulk()["values"])
    assert values == {
        "occurred_at": "2026-01-01T00:00:00Z",
        "person_entity": "contact",
        "person_id": "c1",
        "email": ANN,
        "pages": "Home (https://x.org/)\nhttps://x.org/shop",
        "page_count": 2,
        "minutes": 4,
        "site": "x.org",
        "user_agent": "Browser",
        "ip": "192.0.2.1",
    }


def test_a_visit_without_its_pages() -> None:
    desk = Desk()
    desk.store.add_person("crm", "c1", ANN)
    desk.visit(details={"page_count": 2, "minutes": None, "site": "x.org"})
    (values,) = map(json.loads, desk.bulk()["values"])
    assert (values["pages"], values["minutes"], values["site"]) == (None, None, "x.org")


def test_a_visit_waits_for_its_person_to_come_to_the_crm() -> None:
    desk = Desk()
    desk.visit(crm_state="ignored")
    desk.visit("m2", crm_state="ignored")
    assert not list(desk.plan(SYNC.plan).bulk)
    desk.store.add_person("crm", "c1", ANN)
    desk.read_people("crm", "contacts", "c1")
    assert desk.bulk()["kind"].tolist() == ["upsert"]


def test_a_visit_waits_for_its_member_to_have_the_address_of_somebody_in_the_crm() -> None:
    desk = Desk()
    desk.visit(crm_state="ignored")
    desk.read_people("marketing", "contacts", "m1")
    assert desk.bulk().empty
    desk.store.add_person("crm", "c1", ANN)
    assert desk.bulk()["kind"].tolist() == ["upsert"]
    desk.read_people("crm", "contacts", "c1")
    assert len(desk.bulk()) == 1


def test_visits_of_nobody_in_the_crm_and_of_erased_people_are_left_out() -> None:
    desk = Desk()
    desk.store.add_person("crm", "c1", ANN)
    desk.store.add_erased(ANN)
    desk.visit()
    desk.visit("m2")
    assert sorted(desk.bulk()["reason"]) == ["erased", "no_crm_record"]


def test_the_platforms_people_are_read_after_the_visits_that_name_them() -> None:
    read = SYNC.datasets(Request(Desk().account, "marketing", ("contact",), {}))
    assert [dataset.name for dataset in read] == ["visits", "contacts"]
