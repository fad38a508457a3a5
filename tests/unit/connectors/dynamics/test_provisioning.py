"""What Bothways owns in an environment, against the sandbox over HTTP."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from bothways.connectors.base import ConnectionSettings, NamedTable
from bothways.connectors.dynamics import own_records, own_tables, provisioning
from bothways.connectors.dynamics.client import Dataverse
from bothways.connectors.dynamics.connector import DynamicsConnector
from bothways.connectors.preparing import make, prepare
from bothways.discovery import record_kinds
from bothways.errors import FeatureUnavailable
from bothways.records import RecordColumn, RecordKind
from bothways.syncs.campaigns.records import CAMPAIGN
from bothways.syncs.data_labels import DATA_LABEL
from bothways.vocabulary import RECORD_PATTERN
from tests.support.sandbox import SandboxServer
from tests.unit.connectors.dynamics.rows import add, creates, operations, outcomes, rows
from tests.unit.connectors.other_server import Answered, Ask, Asked, OtherServer


def test_publisher_and_solution_come_first_and_tables_only_of_the_records_that_are_kept(
    bare: DynamicsConnector, sandbox: SandboxServer
) -> None:
    first, second, *others = bare.missing([CAMPAIGN])
    assert first.sentence == "Publisher with the prefix bw."
    assert second.sentence == "Solution Bothways."
    tables = [item.name for item in others if item.kind == "table"]
    assert tables == ["bw_suppression", "bw_campaign"]
    everything = bare.missing(record_kinds().values())
    assert len({item.key for item in everything}) == len(everything)
    assert all(re.fullmatch(RECORD_PATTERN, item.key) for item in everything)
    kinds = Counter(item.kind for item in everything)
    assert kinds["relationship"] >= 5
    assert kinds["tracking"] == 1, "of list members; people have it"

    prepare(bare, [CAMPAIGN])
    assert bare.missing([CAMPAIGN]) == []
    assert "bw_campaignevent" not in {
        row["primaryobjecttypecode"] for row in sandbox.table("dynamics", "sdkmessagefilter")
    }
    (publisher,) = (
        row for row in sandbox.table("dynamics", "publisher") if row["customizationprefix"] == "bw"
    )
    (solution,) = (
        row for row in sandbox.table("dynamics", "solution") if row["uniquename"] == "Bothways"
    )
    assert solution["publisherid"] == publisher["publisherid"]


def test_a_publisher_and_a_solution_that_are_there_are_used(
    settings: ConnectionSettings, person: Dataverse, sandbox: SandboxServer
) -> None:
    own = {"friendlyname": "Own", "uniquename": "own"}
    option = {"customizationoptionvalueprefix": 12_345}
    publisher = add(person, "publishers", **own, customizationprefix="acme", **option)
    bind = {"publisherid@odata.bind": f"/publishers({publisher})"}
    add(person, "solutions", **own, version="1.0.0.0", **bind)
    extra = {**settings.extra, "publisher_prefix": "acme", "solution": "own"}
    connector = DynamicsConnector(replace(settings, extra=extra))
    made = {item.kind for item in prepare(connector)}
    connector.close()
    assert made.isdisjoint({"publisher", "solution"})
    assert sandbox.table("dynamics", "acme_campaign") == []


@pytest.mark.parametrize(
    "faults",
    [{"after_write": 0.3, "seed": 9}, {"share": {"500": 0.1, "429": 0.2, "cut": 0.1}, "seed": 2}],
)
def test_answers_that_are_lost_double_nothing_and_a_repeat_makes_nothing(
    bare: DynamicsConnector, sandbox: SandboxServer, faults: dict[str, object]
) -> None:
    with pytest.raises(FeatureUnavailable, match="prepare"):
        bare.write_contacts(creates(1))
    with pytest.raises(FeatureUnavailable, match="bw_suppression is not there"):
        bare.read_suppressions(since=None)
    sandbox.faults({"dynamics": faults})
    wanted = bare.missing(record_kinds().values())
    assert prepare(bare) == wanted
    sandbox.faults()
    assert prepare(bare) == []
    assert rows(bare.read_suppressions(since=None)) == []
    publishers = [row["uniquename"] for row in sandbox.table("dynamics", "publisher")]
    assert publishers.count("bothways_bw") == 1


def test_a_table_that_was_made_before_it_told_origins_works_without(
    bare: DynamicsConnector,
) -> None:
    missing = bare.missing([])
    make(bare, [item for item in missing if item.name != "bw_origin"])
    frame = operations(
        "add_suppression", [{"key": "acme-1", "values": {"email": "a@x.org", "origin": "Post"}}]
    )
    assert set(bare.write_suppressions(frame)["outcome"]) == {"written"}
    (told,) = rows(bare.read_suppressions(since=None))
    assert (told["key"], told["origin"]) == ("acme-1", None)
    assert [item.key for item in bare.missing([])] == ["column:bw_suppression.bw_origin"]


def test_all_labels_are_in_the_base_language_of_the_environment(
    settings: ConnectionSettings, clock: Any
) -> None:
    """One without English refuses the columns otherwise."""
    told = set()

    def german(asked: Asked, ask: Ask) -> Answered:
        if asked.method == "POST":  # what is there already keeps its labels
            told.update(re.findall(rb'"LanguageCode": ?(\d+)', asked.body))
        # Not where an id happens to have these digits.
        asked.body = re.sub(rb'("LanguageCode": ?)1031', rb"\g<1>1033", asked.body)
        answered = ask(asked)
        answered.body = answered.body.replace(b'"languagecode":1033', b'"languagecode":1031')
        return answered

    with OtherServer(settings.base_url, german) as server:
        there = {"base_url": server.url, "extra": {**settings.extra, "authority": server.url}}
        connector = DynamicsConnector(replace(settings, **there), clock=clock)
        assert prepare(connector, [DATA_LABEL])
        wanted = {"table": "contact", "name": "Shoe", "type": "boolean"}
        row = pd.DataFrame({"seq": [0], "values": [json.dumps(wanted)]})
        assert list(connector.create_columns(row)["outcome"]) == ["written"]
        connector.close()
    assert told == {b"1031"}


def test_a_key_whose_answer_is_lost_is_waited_for_while_its_index_is_built(
    bare: DynamicsConnector, sandbox: SandboxServer
) -> None:
    missing = {item.key: item for item in bare.missing([])}
    names = ("publisher:bw", "solution:Bothways", "column:lead.bw_externalid")
    make(bare, [missing[name] for name in names])
    sandbox.settings({"dynamics": {"key_index_seconds": 1}})
    sandbox.faults({"dynamics": {"after_write": 1.0, "paths": "/Keys$"}})
    (made,) = make(bare, [missing["key:lead.bw_externalid_key"]]).to_dict("records")
    assert made["outcome"] == "written", made["message"]


def test_tables_that_an_account_names_have_columns_that_fit(bare: DynamicsConnector) -> None:
    """With a table that every environment has."""
    columns = {"name": "name", "subject": "revenue", "sent": "numberofemployees"}
    bare.use_tables({"campaign": NamedTable("account", columns)})
    assert bare.table_obstacles([CAMPAIGN]) == [
        "column `revenue` of table `account` cannot be given `subject`, which is of type string"
    ]
    keys = {item.key for item in bare.missing([CAMPAIGN])}
    assert {"column:account.bw_key", "key:account.bw_key_key"} <= keys
    assert not {key for key in keys if key.startswith("table:") and "suppression" not in key}


COLOUR = RecordColumn("colour", "Colour", "choice", choices=("Red", "Blue"))
CAR = RecordKind("car", "Car", "Cars", "Cars.", (COLOUR,), ("car", "cars"))


@pytest.fixture
def cars(monkeypatch: pytest.MonkeyPatch) -> Callable[[RecordKind], None]:
    """Declares a kind of record, as a package would."""

    def declare(kind: RecordKind) -> None:
        for module in (provisioning, own_records, own_tables):
            monkeypatch.setattr(module, "record_kinds", lambda: {"car": kind})

    declare(CAR)
    return declare


def test_a_choice_has_an_option_set_which_grows_and_its_words_are_written_and_read(
    bare: DynamicsConnector, sandbox: SandboxServer, cars: Callable[[RecordKind], None]
) -> None:
    kinds = {item.key for item in prepare(bare, [CAR])}
    assert {"option-set:bw_carcolour", "column:bw_car.bw_colour"} <= kinds
    given = [
        {"key": "a", "values": {"colour": "blue"}},
        {"key": "b", "values": {"colour": "Green"}},
    ]
    assert set(outcomes(bare.write_records(operations("upsert", given, "car"))).values()) == {
        "written"
    }
    read = {row["key"]: row["colour"] for row in rows(bare.read_records(CAR, since=None))}
    assert read == {"a": "Blue", "b": None}

    more = replace(CAR, columns=(replace(COLOUR, choices=("Red", "Blue", "Green")),))
    cars(more)
    sandbox.faults({"dynamics": {"after_write": 0.5, "seed": 3}})
    assert [item.key for item in prepare(bare, [more])] == ["option:bw_carcolour.Green"]
    sandbox.faults()
    assert bare.missing([more]) == []
    bare.write_records(operations("upsert", given, "car"))
    read = {row["key"]: row["colour"] for row in rows(bare.read_records(more, since=None))}
    assert read == {"a": "Blue", "b": "Green"}


@pytest.mark.usefixtures("cars")
def test_a_table_of_ours_that_has_another_column_is_told_beforehand(
    bare: DynamicsConnector,
) -> None:
    prepare(bare, [CAR])
    assert bare.table_obstacles([CAR]) == []
    other = replace(CAR, columns=(RecordColumn("colour", "Colour", "number"),))
    assert bare.table_obstacles([other]) == [
        "column `bw_colour` of table `bw_car` cannot be given `colour`, which is of type integer"
    ]


def test_one_thing_that_is_refused_keeps_no_other_from_being_made(
    bare: DynamicsConnector, person: Dataverse
) -> None:
    missing = bare.missing([])
    (column,) = (item for item in missing if item.key == "column:contact.bw_externalid")
    results = make(bare, [item for item in missing if item is not column]).set_index("seq")
    failed = results[results["outcome"] == "error"]
    assert len(failed) == 1, "the key has no column yet"
    assert failed["message"].item()
    assert [item.key for item in bare.missing([])] == [
        "column:contact.bw_externalid",
        "key:contact.bw_externalid_key",
    ]
    assert set(make(bare, bare.missing([]))["outcome"]) == {"written"}


def test_a_key_over_doubled_values_says_so_and_is_built_once_they_are_gone(
    bare: DynamicsConnector, person: Dataverse
) -> None:
    missing = bare.missing([])
    key = next(item for item in missing if item.key == "key:contact.bw_externalid_key")
    make(bare, [item for item in missing if item is not key])
    people = [add(person, "contacts", lastname="A", bw_externalid="same") for _ in range(2)]
    result = make(bare, [key]).iloc[0]
    assert (result["outcome"], "doubled values" in result["message"]) == ("error", True)
    (left,) = bare.missing([])
    assert left.sentence.endswith("is there, but its index is Failed.")
    person.send("DELETE", f"contacts({people[0]})", retry="never")
    assert make(bare, [left])["outcome"].to_list() == ["written"]
    assert bare.missing([]) == []
