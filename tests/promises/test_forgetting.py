"""Whoever is gone from both systems leaves the store too, once the retention period has passed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from bothways.engine.maintenance import prune_audit
from bothways.store.schema import metadata
from tests.support.engine import World
from tests.support.people import Crm
from tests.support.platforms import Platform

ANN, BOB, CY = "ann@mail.example", "bob@mail.example", "cy@mail.example"
NEWS = "Newsletter"
RETENTION = 30


def pass_time(world: World, days: int) -> None:
    """Let everything that the store knows have happened so many days earlier; then prune."""
    for table in metadata.sorted_tables:
        times = [c.name for c in table.columns if isinstance(c.type, sa.DateTime)]
        if times:
            earlier = ", ".join(f"{name} = {name} - interval '{days} days'" for name in times)
            world.execute(f"UPDATE {table.name} SET {earlier}")
    prune_audit(world.store, account="test", keep_days=RETENTION, now=datetime.now(UTC))


def naming(world: World, *words: str) -> dict[str, str]:
    """The rows of each table that hold one of these words."""
    found = {}
    for table in metadata.sorted_tables:
        query = (
            f"SELECT string_agg(t::text, ' ') AS text FROM {table.name} t WHERE t::text ~* :word"
        )
        text = world.query(query, word="|".join(words))[0]["text"]
        if text:
            found[table.name] = text
    return found


@pytest.mark.parametrize(
    ("platform", "lists_by"),
    [
        ("dotdigital", "marketing_lists"),
        ("dotdigital", "address_books"),
        ("mailchimp", "marketing_lists"),
    ],
    indirect=["platform"],
)
def test_who_is_gone_from_both_systems_is_forgotten(
    lists_by: str, world: World, crm: Crm, platform: Platform
) -> None:
    syncs = ("suppressions", lists_by)
    records = {}
    for email, name in ((ANN, "Annabel"), (BOB, "Bobby"), (CY, "Cyrus")):
        records[email] = crm.contact(email, firstname=name)
        platform.contact(email, NEWS, first_name=name)
        crm.join(NEWS, records[email])
    platform.act("unsubscribe", CY)
    for sync_type in syncs:
        world.run(sync_type)
    assert {"records", "jobs"} <= naming(world, "ann@mail", "annabel").keys()

    for email in (ANN, CY):
        crm.delete("contacts", records[email])
        platform.delete(email)
    pass_time(world, RETENTION + 1)
    runs = [world.run(sync_type) for sync_type in syncs]
    assert "Reads everything, as every 30 days" in str(runs[1].notes)
    pass_time(world, RETENTION + 1)

    assert naming(world, "ann@mail", "annabel", "cyrus", records[ANN]) == {}
    # An opt-out outlives the person's records: without the address nobody could honour it.
    assert naming(world, "cy@mail").keys() <= {"suppressions", "records"}
    assert "suppressions" in naming(world, "cy@mail")
    assert "records" in naming(world, "bob@mail")
    again = world.run(lists_by)
    assert again.counts["new"] == again.counts["updated"] == again.counts["deleted"] == 0


def test_an_opt_out_is_honoured_when_a_forgotten_person_comes_back(
    world: World, crm: Crm, platform: Platform
) -> None:
    record = crm.contact(ANN, firstname="Annabel")
    platform.contact(ANN, NEWS)
    platform.act("unsubscribe", ANN)
    for sync_type in ("suppressions", "marketing_lists"):
        world.run(sync_type)
    crm.delete("contacts", record)
    platform.delete(ANN)
    for row in crm.table("bw_suppression"):
        crm.delete("bw_suppressions", row["bw_suppressionid"])
    pass_time(world, RETENTION + 1)
    for sync_type in ("suppressions", "marketing_lists"):
        world.run(sync_type)
    pass_time(world, RETENTION + 1)
    crm.join(NEWS, crm.contact(ANN))
    for sync_type in ("suppressions", "marketing_lists"):
        world.run(sync_type)
    assert ANN not in platform.members(NEWS)
