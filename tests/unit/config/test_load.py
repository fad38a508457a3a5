"""What a sound account file means, whichever process reads it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bothways.config.account import Settings
from bothways.config.load import (
    all_problems,
    config_hash,
    default_account,
    load_account,
    load_accounts,
    load_rule_files,
)
from bothways.config.problems import FileProblems
from bothways.errors import ConfigurationError
from tests.support.configuration import DEMO, SMALLEST, IncludeFolder


@pytest.fixture
def include(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> IncludeFolder:
    return IncludeFolder(tmp_path / "include", monkeypatch)


LONG_FORM = """\
systems:
  crm: {connector: dynamics, connection: crm_connection}
  marketing: {connector: dotdigital, connection: platform_connection}
"""
MIXED_FORM = """\
crm: {connector: dynamics, connection: crm_connection}
systems:
  marketing: {connector: dotdigital, connection: platform_connection}
"""


def test_both_forms_of_an_accounts_systems_mean_the_same(include: IncludeFolder) -> None:
    hashes = set()
    for text in (SMALLEST, LONG_FORM, MIXED_FORM):
        include.account("acme", text)
        account = load_account("acme")
        assert [(role, one.connection) for role, one in account.systems.items()] == [
            ("crm", "crm_connection"),
            ("marketing", "platform_connection"),
        ]
        assert account.system("marketing").connector == "dotdigital"
        assert account.pool("crm") == "bothways_crm_connection"
        hashes.add(config_hash(account))
    assert len(hashes) == 1
    with pytest.raises(ConfigurationError) as caught:
        account.system("source")
    assert str(caught.value) == (
        "Account acme has no system in the role `source`; add `source:` below `systems:` with its "
        "connector and connection."
    )


def test_the_shipped_files_have_no_problems() -> None:
    assert all_problems() == ()
    demo = load_account("demo")
    assert set(demo.mappings) == {"contact", "lead"}
    assert sorted(demo.lists) == ["newsletter", "product_updates", "webinar_guests"]
    assert demo.schedules["address_books"].window.timezone == "Europe/London"


def test_an_account_needs_no_more_than_two_sides(include: IncludeFolder) -> None:
    include.account("acme", SMALLEST)
    account = load_account("acme")
    assert (account.name, account.enabled, account.timezone) == ("acme", True, "UTC")
    assert (account.lists, account.mappings, account.schedules) == ({}, {}, {})


def test_a_schedule_runs_in_the_zone_of_its_account(include: IncludeFolder) -> None:
    text = """timezone: Asia/Tokyo
schedules:
  suppressions: {interval: 1h}
  address_books: {interval: 4h, window: {timezone: Europe/Paris}}
"""
    include.account("acme", SMALLEST + text)
    schedules = load_account("acme").schedules
    assert schedules["suppressions"].window.timezone == "Asia/Tokyo"
    assert schedules["address_books"].window.timezone == "Europe/Paris"


def test_yaml_anchors_and_defaults_may_be_used(include: IncludeFolder) -> None:
    text = """lists:
  a: &shared {crm: A, marketing: A, entity: lead}
  b: {<<: *shared, crm: B, marketing: B}
schedules:
  suppressions: {interval: 1h, window: &night {from: "18:00", to: "08:00"}}
  address_books: {interval: 4h, window: *night}
"""
    include.account("acme", SMALLEST + text)
    account = load_account("acme")
    assert account.lists["b"].entity == "lead"
    assert account.schedules["address_books"].window.past_midnight


def test_a_broken_account_does_not_matter_to_another(include: IncludeFolder) -> None:
    include.account("broken", "crm: [\n")
    include.account("acme", SMALLEST)
    assert load_account("acme").name == "acme"
    with pytest.raises(ConfigurationError, match=r"accounts/broken\.yaml:2: not YAML"):
        load_account("broken")


def test_an_account_that_does_not_exist_names_the_near_one(include: IncludeFolder) -> None:
    include.account("acme", SMALLEST)
    with pytest.raises(FileProblems, match="did you mean `acme`"):
        load_account("akme")


def test_a_changed_file_is_seen_by_a_process_that_has_read_it(include: IncludeFolder) -> None:
    include.account("acme", SMALLEST + "mappings: {contact: x.yaml}\n")
    mapping = include.write("mappings/x.yaml", "entity: contact\nfields: {}\n")
    assert load_account("acme").mappings["contact"].fields == {}
    state = mapping.stat()
    mapping.write_text("entity: contact\nfields: {city: {crm: city, marketing: CITY}}\n")
    os.utime(mapping, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    assert set(load_account("acme").mappings["contact"].fields) == {"city"}
    include.account("acme", SMALLEST + "title: Acme\n")
    assert load_account("acme").title == "Acme"


def test_the_hash_changes_with_what_is_in_force_and_with_nothing_else(
    include: IncludeFolder,
) -> None:
    include.account("acme", SMALLEST)
    first = config_hash(load_account("acme"))
    include.account("acme", "# a comment\n" + SMALLEST + "enabled: true\napprovers: [ada]\n")
    assert config_hash(load_account("acme")) == first
    include.account("acme", SMALLEST + "settings: {task_hours: 6}\nevents: {quiet_seconds: 5}\n")
    assert config_hash(load_account("acme")) == first
    include.account("acme", SMALLEST + "settings: {retry_attempts: 6}\n")
    assert config_hash(load_account("acme")) != first
    include.account("acme", SMALLEST + "mappings: {contact: x.yaml}\n")
    hashes = set()
    for length in (10, 20):
        field = f"{{crm: c, marketing: C, max_length: {length}}}"
        include.write("mappings/x.yaml", f"entity: contact\nfields: {{c: {field}}}\n")
        hashes.add(config_hash(load_account("acme")))
    assert len(hashes) == 2


def test_files_are_found_from_the_package_and_not_from_the_working_directory(
    tmp_path: Path,
) -> None:
    code = "from bothways.config.load import load_accounts; print(load_accounts().accounts[0].name)"
    environment = {k: v for k, v in os.environ.items() if k != "BOTHWAYS_INCLUDE"}
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == "demo"


def test_reading_accounts_imports_nothing_heavy(include: IncludeFolder) -> None:
    include.account("acme", DEMO)
    code = """
import json, sys
from bothways.config.load import all_problems
assert not all_problems()
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"airflow", "pandas", "pyarrow", "sqlalchemy", "requests", "numpy"}
    assert heavy & set(json.loads(found.stdout)) == set()


def test_rule_files_are_read_in_their_order_and_in_lower_case(include: IncludeFolder) -> None:
    include.write("mappings/role_addresses.txt", "\ufeff# roles\nInfo  # the desk\n\nsales\ninfo\n")
    include.write("mappings/known_domains.txt", "Gmail.com\nbücher.example\n")
    files = load_rule_files()
    assert files.role_names == ("info", "sales")
    assert files.domains == ("gmail.com", "xn--bcher-kva.example")


def test_a_missing_rule_file_stops_with_its_name(include: IncludeFolder) -> None:
    (include.path / "mappings" / "known_domains.txt").unlink()
    with pytest.raises(ConfigurationError, match=r"mappings/known_domains\.txt:1: cannot be read"):
        load_rule_files()


@pytest.mark.parametrize("name", ["flag_suppressed_people", "update_do_not_bulk_email"])
def test_a_setting_is_known_by_its_old_name_too(name: str) -> None:
    assert Settings.model_validate({name: False}).flag_suppressed_people is False


def test_the_old_and_the_new_name_of_a_setting_are_not_given_both() -> None:
    both = {"flag_suppressed_people": True, "update_do_not_bulk_email": False}
    with pytest.raises(ValueError, match="its old name; keep `flag_suppressed_people` only"):
        Settings.model_validate(both)


def test_what_is_shared_is_taken_from_the_crms_records() -> None:
    kept_out = {"add_global_unsubscribers_to_crm_suppression_list": False}
    with pytest.raises(
        ValueError, match="leave `add_global_unsubscribers_to_crm_suppression_list`"
    ):
        Settings(share_suppressions=True, **kept_out)
    assert not Settings(**kept_out).share_suppressions


def test_commands_work_on_the_default_account(include: IncludeFolder) -> None:
    with pytest.raises(ConfigurationError, match="There is no account; `bothways init` writes"):
        default_account()
    include.account("acme", SMALLEST)
    assert default_account() == "acme"
    include.account("zeta", SMALLEST)
    with pytest.raises(ConfigurationError, match=r"Name an account \(acme, zeta\), or write"):
        default_account()
    include.account("zeta", SMALLEST + "default: true\n")
    assert default_account() == "zeta"
    include.account("acme", SMALLEST + "default: true\n")
    assert [str(problem) for problem in load_accounts().problems] == [
        "accounts/zeta.yaml:3 default: `acme` is the default as well; keep one of the two"
    ]
