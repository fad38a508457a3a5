"""Every connector of this repository, held to what all of them owe to the engine."""

from __future__ import annotations

from bothways import discovery
from bothways.testing.conformance.suite import *  # noqa: F403
from tests.conformance.benches import BENCHES


def test_every_connector_of_ours_is_held_to_this() -> None:
    assert set(BENCHES) == set(discovery.connectors())
