"""Registering the webhooks of an account's events, at both vendors, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from click.testing import Result
from typer.testing import CliRunner

from bothways.cli import events as events_command
from bothways.cli import vendors
from bothways.cli.app import app
from bothways.connectors.base import ConnectionSettings, Connector
from bothways.connectors.opening import make_connector
from bothways.discovery import events_of
from bothways.vocabulary import Topic
from bothways.webhooks import Change, Delivery
from tests.sandbox.dynamics_api import DynamicsApi, signed_in
from tests.support.configuration import IncludeFolder
from tests.support.receiver import Receiver, Sent
from tests.support.sandbox import (
    DYNAMICS_CLIENT_ID,
    DYNAMICS_CLIENT_SECRET,
    DYNAMICS_TENANT,
    MAILCHIMP_KEY,
    SandboxServer,
)

ADA = "ada@mail.example"
ACCOUNT = """\
crm: {connector: dynamics, connection: my_crm}
marketing: {connector: mailchimp, connection: my_platform}
lists:
  news: {crm: Newsletter, marketing: Newsletter}
"""
WOKEN = "events: {sync_types: [marketing_lists]}\n"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer() as server:
        server.reset(0)
        server.settings({"dynamics": {"webhooks_to_any_port": True}})
        yield server


@pytest.fixture
def include(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxServer
) -> IncludeFolder:
    def open_connector(name: str, _connection: str) -> Connector:
        if name == "mailchimp":
            return make_connector(name, ConnectionSettings(sandbox.url, "", MAILCHIMP_KEY))
        extra = {"tenant": DYNAMICS_TENANT, "authority": sandbox.url}
        login = (DYNAMICS_CLIENT_ID, DYNAMICS_CLIENT_SECRET)
        return make_connector(name, ConnectionSettings(sandbox.url, *login, extra))

    monkeypatch.setattr(vendors, "open_connector", open_connector)
    monkeypatch.setattr(vendors, "missing_connections", lambda _names: [])
    monkeypatch.setattr(events_command, "join_airflow", lambda: None)
    monkeypatch.chdir(tmp_path)
    keep(monkeypatch, {"my_crm": {}, "my_platform": {}})
    folder = IncludeFolder(tmp_path / "include", monkeypatch)
    folder.account("shop", ACCOUNT + WOKEN)
    return folder


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


def keep(patch: pytest.MonkeyPatch, extras: dict[str, Any]) -> None:
    """Put extras into Airflow's connections, as the file asks for."""
    for name, extra in extras.items():
        text = json.dumps({"conn_type": "generic", "extra": extra})
        patch.setenv(f"AIRFLOW_CONN_{name.upper()}", text)


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["events", "shop", *words])


def genuine(name: str, secrets: list[str], one: Sent) -> list[Change]:
    """What an event says to who knows these secrets."""
    found = events_of(name)
    assert found is not None
    query = dict(parse_qsl(urlsplit(one.path).query))
    delivery = Delivery(one.body, one.headers, query)
    assert found.is_genuine(delivery, secrets, datetime.now(UTC))
    assert not found.is_genuine(delivery, ["another"], datetime.now(UTC))
    return found.changes(delivery)


def test_what_is_registered_tells_what_people_do_and_is_known_by_the_secrets_in_the_file(
    include: IncludeFolder,
    receiver: Receiver,
    sandbox: SandboxServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = ("--url", receiver.url)
    shown = run(*url, "--dry-run")
    assert shown.exit_code == 0, shown.output
    assert "Dynamics 365 lacks 15 registrations:" in shown.output
    assert "Mailchimp lacks 1 registration:\n  Webhook of audience Newsletter" in shown.output
    assert run(*url).exit_code == 1  # nobody says yes

    made = run(*url, "--yes")
    assert made.exit_code == 0, made.output
    file = Path("shop-event-secrets.json")
    assert file.stat().st_mode & 0o777 == 0o600
    extras = json.loads(file.read_text())
    assert set(extras) == {"my_crm", "my_platform"}
    secrets = {name: extra["event_secrets"] for name, extra in extras.items()}
    assert [len(one) for one in secrets.values()] == [1, 1]
    assert not any(text in made.output for one in secrets.values() for text in one)

    with signed_in(sandbox) as api:
        place, own = _changed_twice(api)
    _unsubscribed(sandbox)
    first, second, third = receiver.wait(3)
    ours, theirs = (genuine("dynamics", secrets["my_crm"], one) for one in (first, second))
    assert extras["my_crm"]["event_user"] == own
    assert [(one.records, one.by == own) for one in (*ours, *theirs)] == [
        ((place,), True), ((place,), False),
    ]  # fmt: skip
    assert genuine("mailchimp", secrets["my_platform"], third) == [
        Change(Topic.PEOPLE, (ADA,)), Change(Topic.CONSENT, (ADA,)),
    ]  # fmt: skip
    assert third.path == "/bothways/events/shop/marketing"
    assert b"type=unsubscribe" in third.body  # and not what the API did

    refused = run(*url, "--yes")  # what is told once must have a place
    assert (refused.exit_code, "exists already" in refused.output) == (1, True)
    file.unlink()
    keep(monkeypatch, extras)
    assert run(*url, "--yes").output.count("nothing to do") == 2
    with signed_in(sandbox) as api:  # somebody took one away
        (step,) = api.rows("sdkmessageprocessingsteps?$filter=name eq 'Bothways: Delete of lead'")
        api.send("DELETE", f"sdkmessageprocessingsteps({step['sdkmessageprocessingstepid']})")
    again = run(*url, "--yes")
    assert "Dynamics 365 lacks 1 registration:\n  Bothways: Delete of lead." in again.output
    assert not file.exists()  # no secret is new

    renewed = run(*url, "--yes", "--renew")
    assert renewed.exit_code == 0, renewed.output
    fresh = json.loads(file.read_text())
    for name, known in secrets.items():
        assert fresh[name]["event_secrets"][:-1] == known

    assert len(receiver.sent) == 3
    gone = run(*url, "--yes", "--remove")
    assert gone.output.count("they were removed") == 2, gone.output
    assert run(*url, "--remove", "--dry-run").output.count("nothing to do") == 2


def _changed_twice(api: DynamicsApi) -> tuple[str, str]:
    """Change a contact as the connection's user, and then as a person; return both ids."""
    own = api.get("WhoAmI").json()["UserId"]
    (robin,) = api.rows("systemusers?$filter=lastname eq 'Marlow'&$select=systemuserid")
    place = api.create("contacts", lastname="Berg")
    api.send(
        "PATCH", f"contacts({place})", {"emailaddress1": ADA}, MSCRMCallerID=robin["systemuserid"]
    )
    return place, own


def _unsubscribed(sandbox: SandboxServer) -> None:
    """Add a member by the API, which is what a sync does, and have the person unsubscribe."""
    with sandbox.mailchimp() as api:
        found = {one["name"]: one["id"] for one in api.get("/lists").json()["lists"]}
        body = {"email_address": ADA, "status": "subscribed"}
        assert api.post(f"/lists/{found['Newsletter']}/members", json=body).status_code == 200
    sandbox.act("mailchimp", "unsubscribe", email=ADA, list="Newsletter")


def test_who_would_take_no_event_registers_none(include: IncludeFolder) -> None:
    include.account("shop", ACCOUNT)
    answer = run("--url", "https://airflow.example", "--yes")
    assert (answer.exit_code, "names no sync types" in answer.output) == (1, True)


@pytest.mark.parametrize("url", ["airflow.example", "ftp://airflow.example", ""])
def test_a_place_that_no_vendor_reaches_is_refused(
    url: str, include: IncludeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://localhost:8080")
    answer = run("--url", url, "--yes")
    assert (answer.exit_code, "--url https://airflow.example.com" in answer.output) == (1, True)
