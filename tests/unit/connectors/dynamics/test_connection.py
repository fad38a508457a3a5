from __future__ import annotations

import json
from dataclasses import replace

import pytest
from airflow.models.connection import Connection

from bothways.connectors.base import ConnectionSettings
from bothways.connectors.dynamics import errors
from bothways.connectors.dynamics.client import Concurrency
from bothways.connectors.dynamics.connector import DynamicsConnector
from bothways.connectors.dynamics.hook import DynamicsHook
from bothways.connectors.opening import open_connector
from bothways.errors import ConfigurationError, Denied
from tests.support.sandbox import SandboxServer
from tests.unit.connectors.dynamics.conftest import QuickClock


def _connection(settings: ConnectionSettings, monkeypatch: pytest.MonkeyPatch) -> Connection:
    connection = Connection(
        conn_id="bothways_test",
        conn_type="dynamics",
        host=settings.base_url,
        login=settings.login,
        password=settings.password,
        extra=json.dumps(dict(settings.extra)),
    )
    monkeypatch.setenv("AIRFLOW_CONN_BOTHWAYS_TEST", connection.as_json())
    return connection


# Airflow's own Test button goes through what Airflow deprecates.
@pytest.mark.filterwarnings("ignore:ProvidersManager.hooks is deprecated")
def test_the_test_button_works(
    settings: ConnectionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ok, said = _connection(settings, monkeypatch).test_connection()
    assert ok, said
    assert said.startswith(f"Connected to Dynamics 365 at {settings.base_url} ")
    wrong = replace(settings, password="not-the-secret")
    ok, said = _connection(wrong, monkeypatch).test_connection()
    assert not ok
    assert "check tenant, client id and secret" in said
    assert "not-the-secret" not in said


def test_a_connector_opens_through_its_hook(
    settings: ConnectionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _connection(settings, monkeypatch)
    connector = open_connector("dynamics", "bothways_test")
    assert "Dynamics 365" in connector.check()
    connector.close()


def test_a_persons_own_task_is_signed_in_with_a_token(
    settings: ConnectionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _connection(settings, monkeypatch)
    hook = DynamicsHook(method="GET", http_conn_id="bothways_test")
    assert hook.run("api/data/v9.2/WhoAmI").json()["UserId"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extra": {}}, "tenant"),
        ({"login": ""}, "client id"),
        ({"base_url": "org.example"}, "https://"),
        ({"extra": {"tenant": "t", "publisher_prefix": "Not-Ours"}}, "publisher prefix"),
    ],
)
def test_a_wrong_setting_is_named(
    settings: ConnectionSettings, change: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        DynamicsConnector(replace(settings, **change))


def test_the_address_of_a_page_in_the_environment_will_do(settings: ConnectionSettings) -> None:
    pasted = replace(settings, base_url=f"{settings.base_url}/main.aspx?appid=1")
    connector = DynamicsConnector(pasted)
    assert settings.base_url in connector.check()
    connector.close()


def test_wrong_credentials_are_denied_at_once(
    settings: ConnectionSettings, sandbox: SandboxServer
) -> None:
    connector = DynamicsConnector(replace(settings, password="wrong"))
    sandbox.calls(forget=True)
    with pytest.raises(Denied):
        connector.check()
    assert sandbox.calls()["dynamics"] == {"POST token": 1}
    connector.close()


def test_a_token_that_ran_out_is_renewed(
    connector: DynamicsConnector, sandbox: SandboxServer
) -> None:
    connector.check()
    sandbox.advance(2 * 3600)
    assert connector.check()


def test_the_vendors_request_limit_is_waited_for(
    connector: DynamicsConnector, sandbox: SandboxServer, clock: QuickClock
) -> None:
    sandbox.faults({"dynamics": {"share": {"429": 0.5}, "seed": 1}})
    for _ in range(10):
        connector.check()
    assert sum(clock.waited) > 1


def test_concurrency_follows_the_hint_and_halves_when_refused() -> None:
    concurrency = Concurrency(8)
    concurrency.hint({"x-ms-dop-hint": "6"})
    assert concurrency.allowed == 6
    concurrency.hint({"x-ms-dop-hint": "50"})
    concurrency.refused(errors.REQUESTS_EXCEEDED)
    concurrency.refused(errors.TIME_EXCEEDED)
    assert concurrency.allowed == 6
    for expected in (3, 1, 1):
        concurrency.refused(errors.CONCURRENCY_EXCEEDED)
        assert concurrency.allowed == expected
