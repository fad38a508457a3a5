from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from airflow.models.connection import Connection
from airflow.providers_manager import ProvidersManager
from fastapi import HTTPException

import airflow
from bothways import discovery
from bothways.connectors.base import ConnectionSettings
from bothways.connectors.dotdigital.connector import DotdigitalConnector
from bothways.provider import get_provider_info

TYPES = {entry["connection-type"]: entry for entry in get_provider_info()["connection-types"]}


def test_every_connector_has_a_connection_type_of_its_name_and_title() -> None:
    assert set(TYPES) == set(discovery.connectors())
    for name, entry in TYPES.items():
        known = discovery.declaration(name)
        assert (entry["hook-name"], entry["hook-class-name"]) == (known.title, known.hook)
        module, _, hook = known.hook.rpartition(".")
        found = getattr(import_module(module), hook)
        assert (found.conn_type, found.hook_name) == (name, known.title)


def test_the_declaration_fits_the_schema_of_airflow() -> None:
    folder = Path(airflow.__file__).parent
    info = json.loads(json.dumps(get_provider_info()))
    jsonschema.validate(info, json.loads((folder / "provider_info.schema.json").read_text()))
    schema = json.loads((folder / "provider.yaml.schema.json").read_text())
    types = schema["properties"]["connection-types"]
    jsonschema.validate(info["connection-types"], types)


def test_the_form_shows_the_fields_that_matter() -> None:
    manager = ProvidersManager()
    widgets = {
        widget.field_name: widget.field["schema"]["title"]
        for name, widget in manager.connection_form_widgets.items()
        if name.startswith("extra__dynamics__")
    }
    assert widgets == {
        "tenant": "Tenant",
        "authority": "Authority URL",
        "publisher_prefix": "Publisher prefix",
        "solution": "Solution",
    }
    labels = {name: manager.field_behaviours[name]["relabeling"] for name in TYPES}
    assert labels["dynamics"]["password"] == "Client secret"
    assert labels["dotdigital"]["login"] == "API user"
    assert labels["mailchimp"]["password"] == "API key"
    for name in TYPES:
        hidden = set(manager.field_behaviours[name]["hidden_fields"])
        assert hidden == ({"schema", "login"} if name == "mailchimp" else {"schema"})
        assert "443" in manager.field_behaviours[name]["placeholders"]["port"]


# Airflow's own Test button goes through what Airflow deprecates.
@pytest.mark.filterwarnings("ignore:ProvidersManager.hooks is deprecated")
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"host": "https://org.crm4.dynamics.com"},
            "the connection needs tenant, client id and client sec",
        ),
        ({"login": "id", "password": "p", "extra": '{"tenant": "t"}'}, "has no host"),
    ],
)
def test_the_test_button_says_what_is_missing(
    fields: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = Connection(conn_id="bothways_test", conn_type="dynamics", **fields)
    monkeypatch.setenv("AIRFLOW_CONN_BOTHWAYS_TEST", connection.get_uri())
    ok, said = connection.test_connection()
    assert not ok
    assert message in said


def pressed(monkeypatch: pytest.MonkeyPatch, port: int | None) -> Any:
    """Airflow's own answer to its UI's request, which repeats what is stored, but 0 for no port."""
    from airflow.api_fastapi.core_api.datamodels.connections import ConnectionBody
    from airflow.api_fastapi.core_api.routes.public import connections

    class Anybody:
        def is_authorized_connection(self, **_question: Any) -> bool:
            return True

    stored = Connection(
        conn_id="stored",
        conn_type="dotdigital",
        host="https://localhost",
        login="user",
        password="k3pt",
        port=port,
    )
    monkeypatch.setenv("AIRFLOW_CONN_STORED", stored.as_json())
    monkeypatch.setenv("AIRFLOW__CORE__TEST_CONNECTION", "Enabled")
    monkeypatch.setattr(Connection, "get_team_name", lambda _id: None)
    body = ConnectionBody(
        connection_id="stored",
        conn_type="dotdigital",
        description="",
        extra="{}",
        host="https://localhost",
        login="user",
        password="***",
        port=port or 0,
        schema="",
    )
    return connections.test_connection(body, user=None, auth_manager=Anybody())


# What Airflow imports for its API warns about the rest of it.
@pytest.mark.filterwarnings("ignore:ProvidersManager.hooks is deprecated")
@pytest.mark.filterwarnings("ignore:Using `httpx` with `starlette.testclient`")
def test_airflows_test_button_works_where_a_port_is_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checked: list[ConnectionSettings] = []

    def check(connector: DotdigitalConnector) -> str:
        checked.append(connector._client._settings)
        return "It answers."

    monkeypatch.setattr(DotdigitalConnector, "check", check)

    answer = pressed(monkeypatch, port=443)

    assert (answer.status, answer.message) == (True, "It answers.")
    assert [(item.base_url, item.password) for item in checked] == [("https://localhost", "k3pt")]
    with pytest.raises(HTTPException, match="differs from the stored connection"):
        pressed(monkeypatch, port=None)
