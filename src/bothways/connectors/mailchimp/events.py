"""What Mailchimp's audience webhooks tell, and by what signature they are known.

Bodies are form-encoded: `type`, `fired_at`, `data[…]`. The keys, and the signature
`X-Mailchimp-Signature: t=<unix seconds>,v1=<hex>`, HMAC-SHA256 over `<t>.<body>`, are those of the
vendor's own pages (facts, section 5). There is no id of a delivery. What a webhook does not tell,
such as an import in the app or an archived member, is found by the next scheduled run.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl

from bothways.vocabulary import Topic
from bothways.webhooks import TOO_OLD, Change, Delivery

# `data[id]` is neither the contact_id nor the hash that paths take, so that people are named by
# address. A changed address is told with the one before, by which the CRM's record is found.
_PEOPLE: Final[Mapping[str, tuple[str, ...]]] = {
    "subscribe": ("data[email]",),
    "unsubscribe": ("data[email]",),
    "profile": ("data[email]",),
    "cleaned": ("data[email]",),
    "upemail": ("data[old_email]", "data[new_email]"),
}
_CONSENT: Final = ("subscribe", "unsubscribe", "cleaned")
# A profile has the interests that the person chose; that a tag is no profile is assumed.
_INTERESTS: Final = ("subscribe", "profile")


@dataclass(frozen=True, slots=True)
class MailchimpEvents:
    """Events of Mailchimp's audiences."""

    def is_genuine(self, delivery: Delivery, secrets: Collection[str], now: datetime) -> bool:
        """Return whether the body is signed with one of the secrets, at about this time."""
        signature = delivery.headers.get("x-mailchimp-signature", "")
        parts = [part.strip().partition("=") for part in signature.split(",")]
        signed_at = next((value for name, _, value in parts if name == "t"), "")
        given = [value.encode() for name, _, value in parts if name == "v1"]
        if not (signed_at.isascii() and signed_at.isdigit() and len(signed_at) <= 12):
            return False
        if abs(now.timestamp() - int(signed_at)) > TOO_OLD.total_seconds():
            return False
        text = signed_at.encode() + b"." + delivery.body
        right = [hmac.new(key.encode(), text, hashlib.sha256).hexdigest() for key in secrets]
        return any(hmac.compare_digest(one, key.encode()) for one in given for key in right)

    def changes(self, delivery: Delivery) -> list[Change]:
        """Return the changes that the event reports; of campaigns, only that one has been sent.

        It does not say who made them: the webhooks are registered for what users do in the app and
        what members do themselves, and not for what is done through the API.
        """
        form = dict(parse_qsl(delivery.body.decode("utf-8", "replace")))
        kind = form.get("type", "")
        if kind == "campaign" and form.get("data[status]") == "sent":
            return [Change(Topic.CAMPAIGNS)]
        people = tuple(form[key] for key in _PEOPLE.get(kind, ()) if form.get(key))
        if not people:
            return []
        topics = [Topic.PEOPLE]
        topics += [Topic.CONSENT] if kind in _CONSENT else []
        topics += [Topic.MEMBER_TAGS] if kind in _INTERESTS else []
        return [Change(topic, people) for topic in topics]


EVENTS: Final = MailchimpEvents()
