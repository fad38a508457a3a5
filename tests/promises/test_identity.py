"""A connection that reaches another account of the vendor writes nothing there."""

from __future__ import annotations

import pytest

from bothways.store.known_systems import forget
from tests.support.engine import World
from tests.support.sandbox import SandboxServer
from tests.support.scenario import Scenario


@pytest.mark.parametrize(
    ("platform", "side", "connection", "title"),
    [
        ("dotdigital", "crm", "demo_dynamics", "Dynamics 365"),
        ("dotdigital", "marketing", "demo_dotdigital", "Dotdigital"),
        ("mailchimp", "marketing", "demo_mailchimp", "Mailchimp"),
    ],
    indirect=["platform"],
)
def test_a_run_stops_where_a_connection_reaches_another_account(
    world: World, sandbox: SandboxServer, side: str, connection: str, title: str
) -> None:
    scenario = Scenario(world, sandbox)
    scenario.on_both("ann@mail.example")
    told = "UPDATE known_systems SET vendor_account = vendor_account || '0'"
    world.execute(f"{told} WHERE side = :side", side=side)
    scenario.platform.contact("bob@mail.example", "Newsletter")
    sandbox.calls(forget=True)
    run = world.run("marketing_lists")
    assert run.status == "Failed"
    assert run.message.startswith(
        "Marketing List EmailAccount Id does not match CrmEmailAccountId: "
        f"connection `{connection}` reaches another account of {title} ("
    )
    assert run.message.endswith("run `bothways adopt test`.")
    assert set(sandbox.calls()["rows_written"].values()) <= {0}
    with world.store.begin() as conn:
        assert forget(conn, account="test") == 2
    assert world.run("marketing_lists").counts["new"] == 2
