"""What every connector owes to the engine, as tests that anybody may run against a connector.

A test module takes them in and says, in one fixture, which connector it is about::

    from bothways.testing.conformance.suite import *  # noqa: F403

    @pytest.fixture
    def bench(my_emulated_vendor) -> Bench:
        return Bench("mine", my_emulated_vendor, settings=…, entity="contact", …)

What the connector does not declare among its capabilities is skipped, by name. It needs pytest:
`pip install bothways[testing]`.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("bothways.testing.conformance.suite")
