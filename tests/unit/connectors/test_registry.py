from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from bothways.connectors import base, registry
from bothways.connectors.base import ConnectionSettings
from bothways.errors import ConfigurationError

PROJECT = Path(__file__).resolve().parents[3]
SETTINGS = ConnectionSettings(
    "http://127.0.0.1:1", "login", "secret", {"tenant": "contoso.example"}
)


def _protocols() -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(base).items()
        if getattr(value, "_is_runtime_protocol", False) and name != "Connector"
    }


@pytest.mark.parametrize("name", registry.names())
def test_what_is_declared_is_what_the_connector_has(name: str) -> None:
    connector = registry.make_connector(name, SETTINGS)
    try:
        has = {word for word, protocol in _protocols().items() if isinstance(connector, protocol)}
        assert registry.capabilities(name) == has
        assert isinstance(connector, base.Connector)
        assert registry.limits(name) == connector.limits
        known = registry.registration(name)
        assert (known.name, known.title, known.side) == (
            connector.name,
            connector.title,
            connector.side,
        )
    finally:
        connector.close()


def test_each_side_has_its_connectors() -> None:
    assert registry.names("crm") == ("dynamics",)
    assert registry.names("marketing") == ("dotdigital",)


def test_the_page_on_adding_a_connector_shows_an_entry_as_it_is() -> None:
    page = (PROJECT / "docs" / "adding-a-connector.md").read_text("utf-8")
    entry = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert entry
    source = Path(registry.__file__).read_text("utf-8")
    assert textwrap.indent(entry[1], "    ") in source


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [("dynamic", "did you mean `dynamics`?"), ("fax", "use one of: dynamics, dotdigital.")],
)
def test_an_unknown_name_says_what_would_be_right(wrong: str, remedy: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        registry.capabilities(wrong)
    assert str(caught.value) == f"There is no connector `{wrong}`; {remedy}"


def test_the_registry_and_the_provider_import_nothing_heavy() -> None:
    script = (
        "import sys, bothways.connectors.registry as r, bothways.provider as p\n"
        "r.capabilities('dynamics'); p.get_provider_info()\n"
        "print([m for m in ('pandas', 'pyarrow', 'requests', 'airflow') if m in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
