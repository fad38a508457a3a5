"""The pages on accounts and mappings name every key with its default, and nothing else."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from bothways.config.account import (
    Account,
    EventSettings,
    Guard,
    IgnoreRules,
    ListMapping,
    Settings,
    SystemConfig,
    SystemUser,
)
from bothways.config.load import all_problems, load_account
from bothways.config.mapping import FieldMapping, Mapping
from bothways.config.schedule import Schedule, Window
from tests.support.configuration import IncludeFolder

DOCS = Path(__file__).resolve().parents[3] / "docs"
CONFIGURING = (DOCS / "configuring.md").read_text(encoding="utf-8")
MAPPING = (DOCS / "mapping.md").read_text(encoding="utf-8")
TABLES: list[tuple[str, str, type[BaseModel]]] = [
    (CONFIGURING, "The account", Account),
    (CONFIGURING, "Systems", SystemConfig),
    (CONFIGURING, "Users", SystemUser),
    (CONFIGURING, "`lists`", ListMapping),
    (CONFIGURING, "`settings`", Settings),
    (CONFIGURING, "`ignore`", IgnoreRules),
    (CONFIGURING, "`guard`", Guard),
    (CONFIGURING, "`schedules`", Schedule),
    (CONFIGURING, "`events`", EventSettings),
    (CONFIGURING, "A window has:", Window),
    (MAPPING, "The file", Mapping),
    (MAPPING, "A field", FieldMapping),
]


def documented(page: str, heading: str) -> dict[str, str]:
    """Return the keys and defaults of the first table after a heading."""
    after = page[page.index(f"\n{heading}" if heading.endswith(":") else f"\n## {heading}\n") :]
    table = after[after.index("| key | default |") :].partition("\n\n")[0]
    rows = [re.split(r"(?<!\\)\|", line)[1:3] for line in table.splitlines()[2:]]
    return {key.strip().strip("`"): default.strip() for key, default in rows}


def default_of(field: FieldInfo) -> str | None:
    """Return a default as the pages write it; None where words say it better."""
    if field.is_required():
        return "required"
    value = field.default
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, Enum):
        return f"`{value.value}`"
    if isinstance(value, int | float):
        return f"`{value:g}`"
    if isinstance(value, tuple) and all(type(item) is str for item in value):
        return f"`[{', '.join(value)}]`"
    return f"`{value}`" if isinstance(value, str) and value else None


@pytest.mark.parametrize(("page", "heading", "model"), TABLES, ids=lambda value: str(value)[:20])
def test_every_key_is_documented_with_its_default(
    page: str, heading: str, model: type[BaseModel]
) -> None:
    written = documented(page, heading)
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    if model is Account:  # the loader takes it from the file
        assert written.pop("name") == "the file's name"
        del fields["name"]
    assert set(written) == set(fields)
    for key, field in fields.items():
        default = default_of(field)
        if default is not None:
            assert written[key] == default, key
        else:
            assert not written[key].startswith("`") or model is FieldMapping, key


def test_the_labels_of_a_boolean_are_those_that_the_transforms_use() -> None:
    written = documented(MAPPING, "A field")
    assert (written["true_label"], written["false_label"]) == ("`true`", "`false`")


def test_the_examples_are_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    include = IncludeFolder(tmp_path / "include", monkeypatch)
    account = re.findall(r"```yaml\n(.*?)```", CONFIGURING, re.DOTALL)[0]
    include.account("acme", account)
    mapping = re.findall(r"```yaml\n(.*?)```", MAPPING, re.DOTALL)[1]
    include.write("mappings/dynamics_dotdigital/lead.yaml", mapping)
    assert all_problems() == ()
    assert set(load_account("acme").lists) == {"newsletter"}
    assert "subject" in yaml.safe_load(mapping)["fields"]


def test_the_problem_that_is_shown_is_the_one_that_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    include = IncludeFolder(tmp_path / "include", monkeypatch)
    account = re.findall(r"```yaml\n(.*?)```", CONFIGURING, re.DOTALL)[0]
    marketing = "    marketing: Newsletter            # name or id of the platform's list\n"
    assert marketing in account
    include.account("acme", account.replace(marketing, marketing + "    entty: lead\n"))
    shown = next(line for line in CONFIGURING.splitlines() if line.startswith("accounts/acme"))
    found = str(all_problems()[0])
    assert found.partition(" ")[2] == shown.partition(" ")[2]
