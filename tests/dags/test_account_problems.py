"""A broken account takes its own DAGs away, no others, and Airflow's banner says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.able import sync_types_of
from tests.support.configuration import DEMO, SMALLEST, IncludeFolder
from tests.support.parsing import Parsed, parse


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Parsed:
    with pytest.MonkeyPatch.context() as patch:
        include = IncludeFolder(tmp_path_factory.mktemp("problems") / "include", patch)
        include.account("sound", DEMO)
        include.account("unreadable", "crm: [\n")
        include.account("mistaken", SMALLEST + "schedules:\n  suppressions: {interval: 5m}\n")
        include.account("mapped", SMALLEST + "mappings: {contact: own.yaml}\n")
        include.write("mappings/own.yaml", "entity: contact\nfields: {city: {crm: city}}\n")
        return parse(include.path)


def test_the_sound_accounts_keep_their_dags(parsed: Parsed) -> None:
    assert set(parsed.dags) == {f"sound__{name}" for name in sync_types_of()} | {
        "bothways_maintenance",
        "sound__erase",
        "sound__initial_sync",
    }


def test_the_banner_names_every_problem_and_the_accounts_without_dags(parsed: Parsed) -> None:
    assert [Path(file).stem for file in parsed.errors] == ["account_problems"]
    banner = next(iter(parsed.errors.values()))
    assert "Accounts without DAGs: mapped, mistaken, unreadable." in banner
    for place in (
        "accounts/unreadable.yaml:2: not YAML",
        "accounts/mistaken.yaml:4 schedules.suppressions.interval: interval '5m' is unknown",
        "mappings/own.yaml:2 fields.city: a field with `crm` or `marketing` alone needs `fixed`",
    ):
        assert place in banner
