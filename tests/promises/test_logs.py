"""Each step of a run logs one plain line of its own: what it did, in numbers, and about nobody."""

from __future__ import annotations

import logging

import pytest

from tests.support.engine import World
from tests.support.people import Crm
from tests.support.platforms import Platform


def test_each_step_says_in_a_line_what_it_did(
    world: World, crm: Crm, platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    platform.contact("ann@mail.example", "Newsletter")
    crm.contact("bob@mail.example")
    with caplog.at_level(logging.INFO, logger="bothways.engine"):
        run = world.run("marketing_lists")
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [
        f"Opened run {run.run_id} of account test: Marketing lists, 1 part(s)",
        "Read from Dynamics 365: 1 contacts, 0 members",
        "Read from Dotdigital: 1 contacts",
        "Planned part 1: 2 records, 2 changes to write",
        "Reviewed 2 changes: within the limits",
        "Wrote to Dynamics 365, chunk 1: 2 written",
        f"Closed run {run.run_id}: Completed. 1 person created, 1 added to a list",
    ]
    assert "@" not in caplog.text
