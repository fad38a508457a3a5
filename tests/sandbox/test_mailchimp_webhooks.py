"""Mailchimp's webhooks: what is told, how it is signed, and what becomes of failures."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs

import httpx
import pytest

from demo.waiting import wait_for
from tests.sandbox.test_mailchimp_members import ADA, NEWS, add, path
from tests.support.sandbox import SandboxServer


class Receiver:
    """A server that takes deliveries, and answers them as it is told."""

    def __init__(self) -> None:
        self.status = 200
        self.got: list[tuple[str, bytes]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((self.headers["X-Mailchimp-Signature"], body))
                self.answer()

            def answer(self) -> None:
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_words: object) -> None:
                return

        return Handler

    def wait(self, deliveries: int) -> list[dict[str, str]]:
        """Wait for so many deliveries; return their keys and values."""
        wait_for(
            f"{deliveries} deliveries",
            lambda: len(self.got) >= deliveries,
            seconds=20,
            every=0.02,
            instead=lambda: self.got,
        )
        return [{k: v[0] for k, v in parse_qs(body.decode()).items()} for _, body in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_what_a_client_did_not_do_is_told_and_signed(
    sandbox: SandboxServer, mailchimp: httpx.Client, receiver: Receiver
) -> None:
    sources = {"user": True, "admin": True, "api": False}
    made = mailchimp.post(f"{NEWS}/webhooks", json={"url": receiver.url, "sources": sources}).json()
    secret = made["signing_secret"]
    assert "signing_secret" not in mailchimp.get(f"{NEWS}/webhooks/{made['id']}").json()
    add(mailchimp, merge_fields={"FNAME": "Ada"})  # a client's own change is not told to it
    sandbox.act("mailchimp", "unsubscribe", email=ADA)
    (told,) = receiver.wait(1)
    assert (told["type"], told["data[email]"], told["data[reason]"]) == (
        "unsubscribe", ADA, "manual",
    )  # fmt: skip
    assert (told["data[list_id]"], told["data[merges][FNAME]"]) == (NEWS[7:], "Ada")
    signature, body = receiver.got[0]
    moment, _, given = signature.removeprefix("t=").partition(",v1=")
    signed = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256)
    assert hmac.compare_digest(given, signed.hexdigest())


def test_a_change_of_address_is_told_twice_where_clients_are_a_source(
    mailchimp: httpx.Client, receiver: Receiver
) -> None:
    add(mailchimp)
    mailchimp.post(f"{NEWS}/webhooks", json={"url": receiver.url})
    mailchimp.patch(path(), json={"email_address": "ada@new.example"})
    told = {one["type"]: one for one in receiver.wait(2)}
    assert set(told) == {"profile", "upemail"}
    assert told["upemail"]["data[old_email]"] == ADA


def test_a_receiver_that_fails_is_tried_again_and_one_that_is_gone_is_not(
    sandbox: SandboxServer, mailchimp: httpx.Client, receiver: Receiver
) -> None:
    hook = mailchimp.post(f"{NEWS}/webhooks", json={"url": receiver.url}).json()["id"]
    receiver.status = 503
    add(mailchimp)
    tried(sandbox, 1)
    receiver.status = 410
    sandbox.advance(301, "mailchimp")
    mailchimp.get("/ping")
    tried(sandbox, 2)
    assert not sandbox.table("mailchimp", "webhooks", id=hook)[0]["enabled"]
    receiver.status = 200
    mailchimp.patch(path(), json={"vip": True})
    assert len(sandbox.table("mailchimp", "deliveries")) == 1


def tried(sandbox: SandboxServer, times: int) -> None:
    """Wait until the only delivery has been tried so often, and that is recorded."""
    wait_for(
        f"try {times}",
        lambda: sandbox.table("mailchimp", "deliveries", tries=times),
        seconds=20,
        every=0.02,
        instead=lambda: sandbox.table("mailchimp", "deliveries"),
    )


def test_a_url_that_does_not_answer_is_refused(mailchimp: httpx.Client, receiver: Receiver) -> None:
    receiver.status = 404
    for url in (receiver.url, "nowhere"):
        assert mailchimp.post(f"{NEWS}/webhooks", json={"url": url}).status_code == 400
    assert mailchimp.get(f"{NEWS}/webhooks").json()["webhooks"] == []


def test_the_end_of_a_batch_is_told(mailchimp: httpx.Client, receiver: Receiver) -> None:
    mailchimp.post("/batch-webhooks", json={"url": receiver.url})
    operations = [{"method": "GET", "path": "/ping"}]
    batch = mailchimp.post("/batches", json={"operations": operations}).json()["id"]
    mailchimp.get("/ping")
    (told,) = receiver.wait(1)
    assert (told["type"], told["data[id]"]) == ("batch_operation_completed", batch)
    assert told["data[status]"] == "finished"
