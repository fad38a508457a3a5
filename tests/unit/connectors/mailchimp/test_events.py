"""What a Mailchimp webhook tells, and which deliveries are Mailchimp's."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest

from bothways.connectors.mailchimp.events import EVENTS
from bothways.vocabulary import Topic
from bothways.webhooks import Change, Delivery

SECRET = "whsec-of-the-newsletter"
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
ANNA = "anna+news@mail.example"


def body(kind: str, **data: str) -> bytes:
    told = {"type": kind, "fired_at": "2026-11-29 11:59:58"}
    return urlencode(told | {f"data[{name}]": value for name, value in data.items()}).encode()


def signed(text: bytes, *, at: datetime = NOW, secret: str = SECRET) -> Delivery:
    moment = int(at.timestamp())
    digest = hmac.new(secret.encode(), b"%d." % moment + text, hashlib.sha256).hexdigest()
    return Delivery(text, {"x-mailchimp-signature": f"t={moment},v1={digest}"})


@pytest.mark.parametrize(
    ("kind", "data", "topics", "people"),
    [
        ("subscribe", {"email": ANNA, "merges[EMAIL]": ANNA}, "people consent member_tags",
         (ANNA,)),
        ("unsubscribe", {"action": "unsub", "reason": "abuse", "email": ANNA}, "people consent",
         (ANNA,)),
        ("unsubscribe", {"web_id": "17", "email": ANNA}, "people consent", (ANNA,)),
        ("cleaned", {"campaign_id": "4f", "reason": "hard", "email": ANNA}, "people consent",
         (ANNA,)),
        ("profile", {"email": ANNA, "ip_opt": "192.0.2.1"}, "people member_tags", (ANNA,)),
        ("upemail", {"new_id": "51", "new_email": "new@mail.example", "old_email": ANNA}, "people",
         (ANNA, "new@mail.example")),
        ("campaign", {"id": "5aa", "status": "sent", "list_id": "a6b"}, "campaigns", ()),
        ("campaign", {"id": "5aa", "status": "canceled", "list_id": "a6b"}, "", ()),
        ("batch_operation_completed", {"id": "e1", "status": "finished"}, "", ()),
        ("profile", {"id": "8a25ff1d98"}, "", ()),
    ],
)  # fmt: skip
def test_an_event_names_whom_it_is_about(
    kind: str, data: dict[str, str], topics: str, people: tuple[str, ...]
) -> None:
    told = EVENTS.changes(Delivery(body(kind, **data)))
    assert told == [Change(Topic(topic), people) for topic in topics.split()]


@pytest.mark.parametrize("text", [b"", b"\xff\xfe=&&&", b'{"type": "subscribe"}', b"type"])
def test_what_cannot_be_read_concerns_nobody(text: bytes) -> None:
    assert EVENTS.changes(Delivery(text)) == []


def test_what_is_signed_with_a_known_secret_is_genuine() -> None:
    delivery = signed(body("profile", email=ANNA))
    assert EVENTS.is_genuine(delivery, ["another audience's", SECRET], NOW)


@pytest.mark.parametrize("minutes", [-5, 5])
def test_a_clock_may_be_five_minutes_off(minutes: int) -> None:
    at = NOW + timedelta(minutes=minutes)
    assert EVENTS.is_genuine(signed(b"type=profile", at=at), [SECRET], NOW)
    later = at + timedelta(seconds=1 if minutes > 0 else -1)
    assert not EVENTS.is_genuine(signed(b"type=profile", at=later), [SECRET], NOW)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=,v1=",
        "t=1764417600",
        "v1={digest}",
        "t=٣,v1={digest}",
        "t=99999999999999,v1={digest}",
        "t={moment},v1=é",
        "t={moment},v1={digest}0",
        "t={moment},v0={digest}",
    ],
)
def test_another_signature_is_not_genuine(header: str) -> None:
    good = signed(b"type=profile").headers["x-mailchimp-signature"]
    moment, digest = (part.partition("=")[2] for part in good.split(","))
    given = {"x-mailchimp-signature": header.format(moment=moment, digest=digest)}
    assert not EVENTS.is_genuine(Delivery(b"type=profile", given), [SECRET], NOW)


def test_another_body_or_secret_is_not_genuine() -> None:
    delivery = signed(b"type=profile")
    assert not EVENTS.is_genuine(Delivery(b"type=profile ", delivery.headers), [SECRET], NOW)
    assert not EVENTS.is_genuine(delivery, ["other"], NOW)
    assert not EVENTS.is_genuine(delivery, [], NOW)
