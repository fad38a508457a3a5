"""The hook that vendors' Airflow hooks are made of: bounded, quiet, and with a Test button."""

from __future__ import annotations

import json
import logging
import traceback
from typing import Any

import pytest

from bothways.errors import ConfigurationError, Denied, Rejected, TemporaryFailure


@pytest.fixture
def hook_class() -> Any:
    from bothways.connectors.http.hook import ConnectorHook

    class AcmeHook(ConnectorHook):
        conn_type = "acme"
        hook_name = "Acme"
        default_conn_name = "acme_default"
        hosts = ("acme.example",)
        made: Any = None

        def connector(self) -> Any:
            return self.made

    return AcmeHook


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Any:
    def store(**values: Any) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_ACME_TEST", json.dumps({"conn_type": "acme", **values}))

    return store


class _Connector:
    closed = False

    def __init__(self, outcome: str | Exception) -> None:
        self.outcome = outcome

    def check(self) -> str:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def close(self) -> None:
        self.closed = True


def test_a_connection_of_another_vendor_is_refused(hook_class: Any, connection: Any) -> None:
    connection(conn_type="dynamics", host="https://acme.example")
    with pytest.raises(ConfigurationError) as refused:
        hook_class(http_conn_id="acme_test").settings()
    assert str(refused.value) == (
        "Connection `acme_test` is of type `dynamics`; name one of type Acme (`acme`)."
    )


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ({"host": "acme.example"}, "https://acme.example"),
        ({"host": "https://acme.example/"}, "https://acme.example"),
        ({"host": "localhost", "schema": "http", "port": 8900}, "http://localhost:8900"),
        ({"host": "https://acme.example/main.aspx", "port": 443}, "https://acme.example/main.aspx"),
        ({"host": "https://acme.example", "schema": "", "port": 0}, "https://acme.example"),
    ],
)
def test_settings_come_from_the_connection(
    hook_class: Any, connection: Any, values: dict[str, Any], url: str
) -> None:
    connection(login="me", password="s3cret", extra={"tenant": "t"}, **values)

    settings = hook_class(http_conn_id="acme_test").settings()

    assert (settings.base_url, settings.login, settings.password) == (url, "me", "s3cret")
    assert settings.extra == {"tenant": "t"}
    assert "s3cret" not in repr(settings)


def test_a_connection_without_host_says_what_to_do(hook_class: Any, connection: Any) -> None:
    connection(login="me")
    with pytest.raises(ConfigurationError, match="fill it in"):
        hook_class(http_conn_id="acme_test").settings()


@pytest.mark.parametrize(
    ("outcome", "answer"),
    [
        ("Acme account 7 answers.", (True, "Acme account 7 answers.")),
        (
            Denied("wrong password", vendor="Acme", status=401),
            (False, "Acme: wrong password (401)"),
        ),
        (RuntimeError("password=s3cret"), (False, "Acme: RuntimeError; look at the connection.")),
    ],
)
def test_the_test_button_answers_in_a_sentence(
    hook_class: Any, outcome: Any, answer: tuple[bool, str]
) -> None:
    hook_class.made = _Connector(outcome)
    assert hook_class(http_conn_id="acme_test").test_connection() == answer
    assert hook_class.made.closed


def test_run_is_bounded_in_time_and_never_tells_a_body(
    hook_class: Any, connection: Any, vendor: Any, say: Any, capture: logging.Handler
) -> None:
    connection(host=vendor.url, login="me", password="s3cret")
    hook = hook_class(method="GET", http_conn_id="acme_test")
    vendor.script = [say(), say(400, b"ann@mail.example is unknown")]

    assert hook.run("/things", data={"page": "1"}).status_code == 200
    assert vendor.heard[0].path == "/things?page=1"
    with hook.get_conn() as session:
        assert session.timeouts.as_pair() == (10.0, 125.0)
    with pytest.raises(Rejected) as caught:
        hook.run("/things")
    told = str(caught.value) + capture.stream.getvalue()  # type: ignore[attr-defined]
    assert "ann@mail.example" not in told
    assert "s3cret" not in told


@pytest.mark.parametrize("fault", ["cut", "silent"])
def test_run_never_tells_the_address_of_what_it_could_not_read(
    hook_class: Any, connection: Any, vendor: Any, say: Any, fault: str
) -> None:
    connection(host=vendor.url, login="me", password="s3cret")
    vendor.script, endpoint = [say(200, b"0123456789", **{fault: True})], "/people/ann@mail.example"
    with pytest.raises(TemporaryFailure) as caught:
        hook_class(method="GET", http_conn_id="acme_test").run(endpoint)
    told = "".join(traceback.format_exception(caught.value))
    assert "ann@mail.example" not in told
    assert "s3cret" not in told
