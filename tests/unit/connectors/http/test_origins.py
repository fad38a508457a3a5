"""A secret goes to the vendor it belongs to, whatever a connection says."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from bothways.connectors.base import ConnectionSettings
from bothways.connectors.dotdigital.client import HOSTS as DOTDIGITAL_HOSTS
from bothways.connectors.dotdigital.client import DotdigitalClient
from bothways.connectors.dynamics.client import AUTHORITIES
from bothways.connectors.dynamics.client import HOSTS as DYNAMICS_HOSTS
from bothways.connectors.http.client import Dialect, HttpClient
from bothways.connectors.http.origins import TRUSTED_VARIABLE, credentials_go_to
from bothways.connectors.opening import open_connector
from bothways.errors import ConfigurationError

SECRET = "k3pt-at-home"
CONNECTIONS: dict[str, dict[str, Any]] = {
    "dynamics": {
        "host": "https://org.crm4.dynamics.com",
        "login": "client",
        "password": SECRET,
        "extra": {"tenant": "contoso.example"},
    },
    "dotdigital": {"host": "r1-api.dotdigital.com", "login": "user", "password": SECRET},
}


@pytest.fixture
def thief(vendor: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Listens at every name that is asked for, on one port."""
    asked = socket.getaddrinfo

    def everywhere(_host: Any, port: Any, *rest: Any, **options: Any) -> Any:
        return asked("127.0.0.1", port, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", everywhere)
    monkeypatch.setenv("no_proxy", "*")
    vendor.port = int(vendor.url.rsplit(":", 1)[1])
    return vendor


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        ("dynamics", {"extra": {"authority": "http://thief.example:PORT"}}),
        ("dynamics", {"extra": {"authority": "http://login.microsoftonline.com:PORT"}}),
        (
            "dynamics",
            {"extra": {"authority": "http://login.microsoftonline.com@thief.example:PORT"}},
        ),
        ("dynamics", {"extra": {"authority": "http://thief.example:PORT\\.microsoftonline.com"}}),
        (
            "dynamics",
            {"extra": {"authority": "http://login.microsoftonline.com.thief.example:PORT"}},
        ),
        (
            "dynamics",
            {"extra": {"authority": "http://thief.example:PORT/login.microsoftonline.com"}},
        ),
        ("dynamics", {"schema": "http://thief.example:PORT/?", "host": "org.crm4.dynamics.com"}),
        ("dynamics", {"host": "http://thief.example:PORT"}),
        ("dotdigital", {"schema": "http://thief.example:PORT/?"}),
        ("dotdigital", {"schema": "http", "port": "PORT"}),
        ("dotdigital", {"host": "http://thief.example:PORT"}),
        ("dotdigital", {"host": "http://thief.example:PORT\\.dotdigital.com"}),
        ("dotdigital", {"host": "http://thief.example:PORT/r1-api.dotdigital.com"}),
        ("dotdigital", {"host": "http://thiefdotdigital.com:PORT"}),
        ("dotdigital", {"host": "thief.example", "schema": "http", "port": "PORT"}),
    ],
    ids=str,
)
def test_a_changed_connection_sends_no_secret_away(
    thief: Any, monkeypatch: pytest.MonkeyPatch, kind: str, changed: dict[str, Any]
) -> None:
    changed = json.loads(json.dumps(changed).replace("PORT", str(thief.port)))
    stored = CONNECTIONS[kind]
    extra = {**stored.get("extra", {}), **changed.pop("extra", {})}
    values = {"conn_type": kind, **stored, **changed, "extra": extra}
    values["port"] = int(values["port"]) if "port" in values else None
    monkeypatch.setenv("AIRFLOW_CONN_STORED", json.dumps(values))

    with pytest.raises(ConfigurationError) as refused:
        open_connector(kind, "stored").check()

    assert thief.heard == []
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "hosts", "origin"),
    [
        ("https://org.crm4.dynamics.com/main.aspx?id=1", DYNAMICS_HOSTS, "https://org.crm4.dynamics.com"),
        ("https://Org.CRM4.dynamics.com:443/", DYNAMICS_HOSTS, "https://org.crm4.dynamics.com"),
        ("https://org.crm.microsoftdynamics.us", DYNAMICS_HOSTS, "https://org.crm.microsoftdynamics.us"),
        ("https://login.microsoftonline.us", AUTHORITIES, "https://login.microsoftonline.us"),
        ("https://r3-api.dotdigital.com", DOTDIGITAL_HOSTS, "https://r3-api.dotdigital.com"),
        (" http://127.0.0.1:8900/ ", (), "http://127.0.0.1:8900"),
        ("http://localhost", (), "http://localhost"),
        ("http://[::1]:8900", (), "http://[::1]:8900"),
    ],
)  # fmt: skip
def test_a_vendors_own_hosts_and_this_machine_are_home(
    url: str, hosts: tuple[str, ...], origin: str
) -> None:
    assert credentials_go_to(url, vendor="Acme", hosts=hosts).origin == origin


@pytest.mark.parametrize(
    "url",
    [
        "http://r1-api.dotdigital.com",
        "https://dotdigital.com.thief.example",
        "https://thief.example\\.dotdigital.com",
        "https://r1-api.dotdigital.com\t.thief.example",
        "https://user:pw@r1-api.dotdigital.com",
        "https://r1-api.dotdigital.com:port",
        "https://r1-api.dotdigital。com",
        "ftp://r1-api.dotdigital.com",
        "file:///r1-api.dotdigital.com",
        "https://",
        "http://127.0.0.1.thief.example",
        "http://2130706433",
        "http://0.0.0.0",
        "http://localhost.thief.example",
    ],
)
def test_anything_else_is_not(url: str) -> None:
    with pytest.raises(ConfigurationError):
        credentials_go_to(url, vendor="Acme", hosts=DOTDIGITAL_HOSTS)


def test_what_was_checked_is_what_is_used() -> None:
    # Python's own parser finds `::1` here, others the rest.
    client = HttpClient("https://[::1].thief.example/v2", Dialect("Acme"))
    assert client.base_url == "https://[::1]/v2"
    client.close()


def test_a_deployment_may_trust_an_address_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TRUSTED_VARIABLE, "http://sandbox:8900, https://proxy.example")

    assert credentials_go_to("http://sandbox:8900/", vendor="Acme", hosts=()).host == "sandbox"
    assert credentials_go_to("https://proxy.example:443", vendor="Acme", hosts=()).port is None
    for other in ("http://sandbox", "http://sandbox:8901", "http://proxy.example"):
        with pytest.raises(ConfigurationError, match=f"name {other} in {TRUSTED_VARIABLE}"):
            credentials_go_to(other, vendor="Acme", hosts=())
    monkeypatch.setenv(TRUSTED_VARIABLE, "sandbox:8900")
    with pytest.raises(ConfigurationError, match="`sandbox:8900`"):
        credentials_go_to("http://sandbox:8900", vendor="Acme", hosts=())


def test_a_trusted_address_is_not_followed_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TRUSTED_VARIABLE, "https://proxy.example")
    settings = ConnectionSettings("https://proxy.example", "me", SECRET)
    client = DotdigitalClient(settings, parallel=1)
    monkeypatch.setattr(client, "account", lambda: {"ApiEndpoint": "https://r2-api.dotdigital.com"})
    assert client.host() == "proxy.example"
    client.close()
