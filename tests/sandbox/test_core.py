"""The sandbox itself: its population, its faults, its control API, its server."""

from __future__ import annotations

import os
import socket
import sqlite3
import ssl
import subprocess
import sys
from collections import Counter
from contextlib import closing
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.database import Database
from sandbox.population import SHARES, people
from tests.support.sandbox import ROOT, SandboxServer

FINE = [200] * 12


def put(client: httpx.Client, email: str) -> httpx.Response:
    return client.patch(f"/contacts/v3/email/{email}", json={})


def test_equal_size_and_seed_give_equal_people() -> None:
    first, again = list(people(300, 7)), list(people(300, 7, batch=50))
    assert [p for batch in first for p in batch] == [p for batch in again for p in batch]
    assert list(people(300, 8)) != first


def test_people_are_equal_in_every_process() -> None:
    shown = "import sandbox.population as p; print(list(p.people(300, 7)))"
    runs = {
        subprocess.run(
            [sys.executable, "-c", shown],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(runs) == 1


def test_every_kind_of_dirt_has_its_share() -> None:
    everybody = [person for batch in people(20_000, 1) for person in batch]
    counts = Counter(person.kind for person in everybody)
    for kind, share in SHARES.items():
        assert counts[kind] == pytest.approx(share * 20_000, rel=0.35), kind
    for person in everybody:
        if person.kind == "duplicate":
            assert person.crm is not None
            assert f"{person.number - 1}@" in person.crm.email.lower()
    addresses = [p.platform.email.casefold() for p in everybody if p.platform]
    assert len(addresses) == len(set(addresses))


def test_reset_fills_both_sides_of_the_platform(sandbox: SandboxServer) -> None:
    sandbox.reset(people=400, seed=3)
    expected = [p.platform for batch in people(400, 3) for p in batch if p.platform]
    stored = sandbox.table("dotdigital", "contacts")
    assert [row["email"] for row in stored] == [side.email for side in expected]
    assert [row["status"] for row in stored] == [side.status for side in expected]
    sandbox.reset()
    assert sandbox.table("dotdigital", "contacts") == []


def test_a_connection_can_be_held_and_closed(sandbox: SandboxServer) -> None:
    sandbox.faults({"*": {"share": {"timeout": 1.0}, "timeout_s": 0.05}})
    with sandbox.dotdigital() as client, pytest.raises(httpx.RemoteProtocolError):
        client.get("/contacts/v3")
    sandbox.faults()
    with sandbox.dotdigital() as client:
        assert client.get("/contacts/v3").status_code == 200


def test_a_connection_can_be_cut_in_the_middle_of_a_body(sandbox: SandboxServer) -> None:
    sandbox.reset(people=50)
    sandbox.faults({"*": {"share": {"cut": 1.0}}})
    with sandbox.dotdigital() as client, client.stream("GET", "/contacts/v3") as answer:
        assert answer.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError, match="peer closed connection"):
            answer.read()
    assert answer.num_bytes_downloaded == int(answer.headers["content-length"]) // 2


def test_a_write_can_be_done_and_its_answer_lost(sandbox: SandboxServer) -> None:
    sandbox.faults({"dotdigital": {"after_write": 1.0}})
    with sandbox.dotdigital() as client:
        with pytest.raises(httpx.RemoteProtocolError):
            put(client, "ada@mail.example")
        assert client.get("/contacts/v3").status_code == 200, "a read has nothing to lose"
    assert [row["email"] for row in sandbox.table("dotdigital", "contacts")] == ["ada@mail.example"]


def test_a_refused_request_is_not_executed(sandbox: SandboxServer) -> None:
    sandbox.faults({"dotdigital": {"share": {"500": 1.0}}})
    with sandbox.dotdigital() as client:
        assert put(client, "ada@mail.example").status_code == 500
    assert sandbox.table("dotdigital", "contacts") == []


def test_faults_strike_the_same_requests_for_the_same_seed(sandbox: SandboxServer) -> None:
    switches = {"share": {"429": 0.2, "500": 0.2, "502": 0.1}, "html_200": 0.1, "seed": 5}

    def statuses() -> list[int]:
        sandbox.faults({"dotdigital": switches})
        with sandbox.dotdigital() as client:
            return [client.get("/v2/server-time").status_code for _ in range(40)]

    first = statuses()
    assert first == statuses()
    assert {200, 429, 500, 502} <= set(first)
    sandbox.faults({"dotdigital": {**switches, "paths": "^/contacts/"}})
    with sandbox.dotdigital() as client:
        assert [client.get("/v2/server-time").status_code for _ in FINE] == FINE


def test_a_page_of_html_can_stand_in_for_an_answer(sandbox: SandboxServer) -> None:
    sandbox.faults({"dotdigital": {"html_200": 1.0}})
    with sandbox.dotdigital() as client:
        answer = client.get("/contacts/v3")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")


def test_calls_are_counted_by_endpoint_without_ids_and_addresses(sandbox: SandboxServer) -> None:
    with sandbox.dotdigital() as client:
        put(client, "ada@mail.example")
        client.get("/v2/contacts/ada@mail.example")
        client.get("/v2/contacts/suppressed-since/2024-01-01T00:00:00Z")
        client.get("/v2/address-books/12/contacts")
        client.get("/contacts/v3/contactId/77")
    calls = sandbox.calls(forget=True)
    assert calls["dotdigital"] == {
        "GET /contacts/v3/contactId/{value}": 1,
        "GET /v2/address-books/{id}/contacts": 1,
        "GET /v2/contacts/suppressed-since/{date}": 1,
        "GET /v2/contacts/{email}": 1,
        "PATCH /contacts/v3/email/{value}": 1,
    }
    assert calls["totals"]["dotdigital"] == 5
    assert calls["rows_written"]["dotdigital"] == 1
    assert sandbox.calls()["dotdigital"] == {}


def test_a_switch_that_does_not_exist_is_refused_by_name(sandbox: SandboxServer) -> None:
    with pytest.raises(ValueError, match="latncy_ms"):
        sandbox.faults({"dotdigital": {"latncy_ms": 3}})
    with pytest.raises(ValueError, match="nobody"):
        sandbox.faults({"nobody": {}})
    with pytest.raises(ValueError, match="colour"):
        sandbox.settings({"dotdigital": {"colour": 1}})
    with pytest.raises(ValueError, match="no table"):
        sandbox.table("dotdigital", "sqlite_master")


@pytest.mark.parametrize(
    ("switches", "named"),
    [
        ({"latency_ms": "5"}, "latency_ms"),
        ({"repeat_page": 1}, "repeat_page"),
        ({"share": {"500": "half"}}, "share"),
        ({"share": []}, "share"),
        ({"share": {"500": 30}}, "500"),
        ({"rows_refused": -0.1}, "rows_refused"),
        ({"paths": "("}, "paths"),
        ({"paths": 5}, "paths"),
        ([], "object"),
    ],
)
def test_a_switch_of_the_wrong_kind_changes_nothing(
    sandbox: SandboxServer, switches: Any, named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        sandbox.faults({"dotdigital": {"html_200": 1.0}, "dynamics": switches})
    with sandbox.dotdigital() as client:
        assert client.get("/v2/server-time").text.startswith('"')


@pytest.mark.parametrize(
    "changes", [{"lowCallRate": "many"}, {"import_status": 3}, {"lowCallRate": True}, []]
)
def test_a_setting_of_the_wrong_kind_changes_nothing(sandbox: SandboxServer, changes: Any) -> None:
    with pytest.raises(ValueError, match=r"settings"):
        sandbox.settings({"dynamics": {"request_limit": 0}, "dotdigital": changes})
    left = httpx.get(f"{sandbox.url}/_sandbox/settings", trust_env=False).json()
    assert left["dynamics"]["request_limit"] > 0


def test_latency_is_waited_before_every_answer(sandbox: SandboxServer) -> None:
    sandbox.faults({"dotdigital": {"latency_ms": 150}})
    with sandbox.dotdigital() as client:
        assert client.get("/v2/server-time").elapsed.total_seconds() >= 0.15


def test_all_goes_back_to_what_was_kept(sandbox: SandboxServer) -> None:
    with sandbox.dotdigital() as client:
        put(client, "ada@mail.example")
        sandbox.keep("with Ada")
        put(client, "bob@mail.example")
        sandbox.faults({"*": {"share": {"500": 1.0}}})
        assert sandbox.restore("with Ada")
        assert set(sandbox.calls()["totals"].values()) == {0}
        contacts = sandbox.table("dotdigital", "contacts")
        assert [row["email"] for row in contacts] == ["ada@mail.example"]
        assert put(client, "bob@mail.example").is_success
    assert len(sandbox.table("dynamics", "list")) > 1
    assert not sandbox.restore("with nobody")


def test_the_page_says_what_is_emulated(sandbox: SandboxServer) -> None:
    page = httpx.get(f"{sandbox.url}/", trust_env=False).text
    assert "Dotdigital" in page
    assert "/_sandbox/faults" in page
    assert httpx.get(f"{sandbox.url}/elsewhere", trust_env=False).status_code == 404


def test_data_survive_a_kill(tmp_path: Path) -> None:
    server = SandboxServer(tmp_path).start(people=20)
    try:
        with server.dotdigital() as client:
            put(client, "ada@mail.example")
            server.settings({"dotdigital": {"import_seconds": 0.0}})
        before = server.table("dotdigital", "contacts")
        server.kill()
        server.start(people=99)
        assert server.table("dotdigital", "contacts") == before
    finally:
        server.stop()


def test_a_sandbox_killed_while_it_was_filled_is_filled_anew(tmp_path: Path) -> None:
    server = SandboxServer(tmp_path).start(people=30)
    try:
        whole = server.table("dotdigital", "contacts")
        server.kill()
        with closing(sqlite3.connect(tmp_path / "dotdigital.sqlite")) as file, file:
            file.execute("DELETE FROM contacts WHERE rowid > 5")
            file.execute("PRAGMA user_version = 0")
        server.start(people=30)
        assert server.table("dotdigital", "contacts") == whole
    finally:
        server.stop()


def test_tables_of_an_older_sandbox_are_made_anew(tmp_path: Path) -> None:
    path, older = tmp_path / "vendor.sqlite", "CREATE TABLE IF NOT EXISTS one (id)"
    Database(path, older).seeded = True
    assert Database(path, older).seeded
    newer = Database(path, "CREATE TABLE IF NOT EXISTS other (id)")
    assert (newer.seeded, newer.tables()) == (False, ["other"])


def test_it_serves_tls_with_a_certificate_for_localhost(tmp_path: Path) -> None:
    with SandboxServer(tmp_path, tls=True) as server:
        assert server.tls_url is not None
        trust = ssl.create_default_context(cafile=str(server.ca_file))
        with httpx.Client(verify=trust, trust_env=False) as client:
            assert client.get(f"{server.tls_url}/").status_code == 200


def started(port: str, data: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sandbox", "--port", port, "--data", str(data)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_taken_port_is_one_clear_sentence(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        ended = started(port, tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"Port {port} cannot be used")
    assert "Traceback" not in ended.stderr


def test_a_folder_in_use_is_one_clear_sentence(tmp_path: Path) -> None:
    with SandboxServer(tmp_path):
        ended = started("0", tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.startswith("Another sandbox is using")
    assert "Traceback" not in ended.stderr


def test_a_vendors_clock_may_be_wrong_on_its_own(sandbox: SandboxServer) -> None:
    def told(path: str) -> datetime:
        return parsedate_to_datetime(httpx.get(sandbox.url + path, trust_env=False).headers["Date"])

    sandbox.advance(-600, "dotdigital")
    behind = told("/api/data/v9.2/WhoAmI") - told("/v2/account-info")
    assert behind.total_seconds() == pytest.approx(600, abs=5)
    sandbox.reset()
    assert abs((told("/api/data/v9.2/WhoAmI") - told("/v2/account-info")).total_seconds()) < 5
