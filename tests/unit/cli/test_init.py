from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from bothways.cli.app import app
from bothways.config.account import Settings
from bothways.config.load import all_problems, load_accounts
from bothways.config.paths import include_folder

PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An Airflow's home that is still empty."""
    monkeypatch.delenv("BOTHWAYS_INCLUDE", raising=False)
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    return tmp_path


def init(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["init", *arguments])
    assert done.exit_code == 0, done.output
    return done.output


def test_it_writes_the_files_of_this_project_and_an_account_that_is_sound(home: Path) -> None:
    said = init("--account", "acme")

    for folder in ("dags", "include/mappings"):
        ours = {p.relative_to(PROJECT) for p in (PROJECT / folder).rglob("*.[pyt][yax]*")}
        assert ours
        for path in ours:
            assert (home / path).read_bytes() == (PROJECT / path).read_bytes()
    assert include_folder() == home / "include"
    assert [account.name for account in load_accounts().accounts] == ["acme"]
    assert not load_accounts().accounts[0].enabled
    assert all_problems() == ()
    assert f"written  {home / 'include' / 'accounts' / 'acme.yaml'}" in said
    assert "BOTHWAYS_INCLUDE" not in said


def test_the_account_shows_every_setting_with_the_value_that_it_has_anyway(home: Path) -> None:
    init()
    path = home / "include" / "accounts" / "example.yaml"
    text = path.read_text()
    settings = text[text.index("\nsettings:") :]
    shown = re.findall(r"^  (?:# )?(\w+): (\S+)$", settings, re.MULTILINE)
    assert {name: yaml.safe_load(value) for name, value in shown} == Settings().model_dump()
    path.write_text(re.sub(r"^  # (\w+: \S+)$", r"  \1", text, flags=re.MULTILINE))
    assert all_problems() == ()
    assert load_accounts().accounts[0].settings == Settings()


def test_a_repeat_overwrites_nothing_and_adds_no_account(home: Path) -> None:
    init()
    (home / "include" / "accounts" / "example.yaml").rename(home / "include/accounts/own.yaml")
    dag = home / "dags" / "suppressions.py"
    dag.write_text("# mine\n")
    (home / "dags" / "verify.py").unlink()

    said = init()

    assert dag.read_text() == "# mine\n"
    assert (home / "dags" / "verify.py").is_file()
    assert [path.name for path in (home / "include" / "accounts").iterdir()] == ["own.yaml"]
    assert f"kept     {dag}" in said


def test_another_folder_is_to_be_named_in_the_environment(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    assert f"Set BOTHWAYS_INCLUDE={other / 'include'}" in init(str(other))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere"], "There is no folder"),
        (["--account", "Acme Ltd"], "`Acme Ltd` is not a valid account name"),
    ],
)
def test_what_cannot_be_written_is_one_sentence(
    home: Path, arguments: list[str], sentence: str
) -> None:
    done = CliRunner().invoke(app, ["init", *arguments])
    assert done.exit_code == 1
    assert done.output.startswith(sentence)
    assert list(home.iterdir()) == []


def test_without_a_folder_of_its_own_an_airflow_uses_the_checkouts(home: Path) -> None:
    assert include_folder() == PROJECT / "include"
    (home / "include").mkdir()
    assert include_folder() == PROJECT / "include"
