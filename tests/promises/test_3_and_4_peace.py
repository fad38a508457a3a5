"""What we wrote is nobody's edit, and two sides that are left alone stay as they are."""

from __future__ import annotations

from tests.promises.conftest import MakeWorld, every_platform
from tests.support.platforms import Platform
from tests.support.sandbox import SandboxServer
from tests.support.vendors import state_of


@every_platform
def test_two_sides_that_are_left_alone_are_written_to_once(
    make_world: MakeWorld, platform: Platform, sandbox: SandboxServer
) -> None:
    world = make_world(people=120)
    syncs = ("suppressions", "address_books", "marketing_lists")
    first = {name: world.run(name) for name in syncs}
    # Whoever left one audience is flagged nowhere, and taken off its lists.
    told = first["suppressions"].counts
    assert told["updated"] + told["new"] + told["deleted"] > 5
    assert first["address_books"].counts["new"] > 5
    for _ in range(1, platform.rounds):
        for name in syncs:
            world.run(name)
    settled = state_of(sandbox)
    sandbox.advance(600)  # beyond what is read twice to miss nothing
    sandbox.calls(forget=True)
    for name in syncs:
        echo, silence = world.run(name), world.run(name)
        assert silence.message == "No new objects to sync"
        # What we wrote comes back once, as rows that are as they should be; and where there are
        # several audiences, as a word of another one, which has nobody to take off a list.
        assert echo.message == silence.message or platform.rounds > 1
        left_out = sum(echo.counts["ignored"].values())
        assert echo.counts["total"] == echo.counts["unchanged"] + left_out
        assert silence.counts["total"] == 0
        whole = world.run(name, full_resync=True)
        changed = ("new", "updated", "re_added", "deleted", "errors")
        assert {whole.counts[kind] for kind in changed} == {0}
        assert whole.counts["unchanged"] > 10
    assert set(sandbox.calls()["rows_written"].values()) == {0}
    assert state_of(sandbox) == settled
