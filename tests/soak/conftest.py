from __future__ import annotations

import pytest

from tests.promises.conftest import make_world, platform, sandbox, sandbox_server, stores

__all__ = ["make_world", "platform", "sandbox", "sandbox_server", "stores"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the soak out, unless somebody asks for it by its mark."""
    if "soak" not in config.option.markexpr:
        skip = pytest.mark.skip(reason="takes hours; ask with `make soak`")
        for item in items:
            if item.get_closest_marker("soak"):
                item.add_marker(skip)
