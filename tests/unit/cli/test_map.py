"""`bothways map`: a mapping that is proposed, and what it is proposed from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from bothways.cli import map as command
from bothways.cli.app import app
from bothways.config.load import all_problems
from bothways.config.mapping import Mapping
from bothways.connectors.base import FieldInfo
from bothways.syncs.mapping_proposal import propose
from bothways.vocabulary import FieldType
from tests.support.configuration import DEMO, IncludeFolder

CRM = (
    FieldInfo("firstname", FieldType.STRING, max_length=50, label="First Name"),
    FieldInfo("lastname", FieldType.STRING, max_length=50, label="Last Name"),
    FieldInfo("fullname", FieldType.STRING, writable=False, label="Full Name"),
    FieldInfo("address1_city", FieldType.STRING, max_length=80, label="Address 1: City"),
    FieldInfo("birthdate", FieldType.DATE, label="Birthday"),
    FieldInfo("gendercode", FieldType.OPTION, options={1: "Male", 2: "Female"}),
    FieldInfo("new_shoesize", FieldType.INTEGER, label="Shoe Size"),
    FieldInfo("cr12_loyalty", FieldType.STRING, max_length=20, label="Loyalty programme"),
    FieldInfo("emailaddress1", FieldType.STRING, label="Email"),
    FieldInfo("_ownerid_value", FieldType.STRING, writable=False, label="Owner"),
)
PLATFORM = (
    FieldInfo("FIRSTNAME", FieldType.STRING),
    FieldInfo("SURNAME", FieldType.STRING),
    FieldInfo("FULLNAME", FieldType.STRING),
    FieldInfo("TOWN", FieldType.STRING),
    FieldInfo("DOB", FieldType.DATE),
    FieldInfo("GENDER", FieldType.STRING),
    FieldInfo("SHOE_SIZE", FieldType.NUMBER),
    FieldInfo("LOYALTYPROGRAM", FieldType.STRING),
    FieldInfo("EMAIL", FieldType.STRING),
    FieldInfo("OWNER", FieldType.STRING),
    FieldInfo("LASTVISIT", FieldType.DATE),
)


def known(fields: tuple[FieldInfo, ...]) -> dict[str, FieldInfo]:
    return {info.name: info for info in fields}


def test_well_known_equal_and_similar_fields_are_paired_once() -> None:
    found = propose(known(CRM), known(PLATFORM))
    pairs = {pair.name: (pair.keys, pair.why) for pair in found.pairs}
    assert {name: (keys["crm"], keys["marketing"]) for name, (keys, _) in pairs.items()} == {
        "first_name": ("firstname", "FIRSTNAME"),
        "last_name": ("lastname", "SURNAME"),
        "full_name": ("fullname", "FULLNAME"),
        "city": ("address1_city", "TOWN"),
        "birth_date": ("birthdate", "DOB"),
        "gender": ("gendercode", "GENDER"),
        "shoe_size": ("new_shoesize", "SHOE_SIZE"),
        "loyaltyprogram": ("cr12_loyalty", "LOYALTYPROGRAM"),
    }
    assert pairs["full_name"][0]["direction"] == "to_marketing"
    assert pairs["gender"][0]["options"] == {1: "Male", 2: "Female"}
    assert pairs["first_name"][0]["max_length"] == 50
    assert pairs["shoe_size"] == (
        {"crm": "new_shoesize", "marketing": "SHOE_SIZE", "type": "integer"},
        "same name",
    )
    assert pairs["loyaltyprogram"][1].startswith("similar names, 9")
    assert found.left == ("LASTVISIT", "OWNER")


@pytest.mark.parametrize(
    ("crm", "platform"),
    [
        (FieldInfo("shoe", FieldType.STRING), FieldInfo("SHOE", FieldType.NUMBER)),
        (FieldInfo("shoe", FieldType.OPTION), FieldInfo("SHOE", FieldType.STRING)),
        (
            FieldInfo("shoe", FieldType.STRING, writable=False),
            FieldInfo("SHOE", FieldType.STRING, writable=False),
        ),
        (FieldInfo("shoe", FieldType.BOOLEAN), FieldInfo("SHOE", FieldType.DATE)),
    ],
    ids=["text in a number", "options without labels", "nobody can write", "other types"],
)
def test_fields_that_cannot_hold_each_other_are_no_pair(
    crm: FieldInfo, platform: FieldInfo
) -> None:
    assert propose(known((crm,)), known((platform,))).pairs == ()


@pytest.fixture
def include(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> IncludeFolder:
    class Connector:
        def __init__(self, role: str) -> None:
            self.entities = ("contact", "lead") if role == "demo_dynamics" else ("contact",)
            self._fields = known(CRM if role == "demo_dynamics" else PLATFORM)

        def fields(self, _entity: str) -> dict[str, FieldInfo]:
            return self._fields

    @contextmanager
    def opened(system: Any) -> Iterator[Connector]:
        yield Connector(system.connection)

    monkeypatch.setattr(command, "opened", opened)
    monkeypatch.setattr(command, "join_airflow", lambda: None)
    folder = IncludeFolder(tmp_path / "include", monkeypatch)
    folder.account("demo", DEMO)
    return folder


def test_what_is_written_is_what_check_accepts_and_is_never_overwritten(
    include: IncludeFolder, tmp_path: Path
) -> None:
    out = tmp_path / "include" / "mappings" / "acme" / "contact.yaml"
    asked = ["map", "demo", "--live", "--out", str(out)]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    assert "Proposed 8 fields" in done.output
    assert all_problems() == ()
    assert len(Mapping.model_validate(yaml.safe_load(out.read_text())).fields) == 8
    out.write_text("entity: contact\n")
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 1
    assert "is there already; name another file, or add --replace." in done.output
    assert out.read_text() == "entity: contact\n"
    assert CliRunner().invoke(app, [*asked, "--replace"]).exit_code == 0


def test_it_is_printed_unless_a_file_is_named(include: IncludeFolder) -> None:
    done = CliRunner().invoke(app, ["map", "demo", "--live", "--entity", "lead"])
    assert done.exit_code == 0, done.output
    assert yaml.safe_load(done.stdout)["entity"] == "lead"
    assert "  first_name:  # well known\n    crm: firstname\n" in done.stdout
    assert "#   LASTVISIT\n" in done.stdout
    wrong = CliRunner().invoke(app, ["map", "demo", "--entity", "leed"])
    assert "There is no entity `leed`; did you mean `lead`?" in wrong.output
