from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.deployment import Deployment

PEOPLE = 200


@pytest.fixture(scope="package")
def deployment() -> Iterator[Deployment]:
    """One running deployment for all of these tests: starting it takes longer than most of them."""
    with Deployment(PEOPLE) as running:
        yield running
