"""Registering webhooks: one for each audience, of what people do, and not of what the API does.

Facts, section 5. A webhook is told from others by its URL. Its signing secret is told once, when it
is made; one whose secret is lost is deleted and made anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from bothways.connectors.base import EventAccess, EventsWanted
from bothways.connectors.http.paging import rows_of
from bothways.connectors.mailchimp.client import MailchimpClient, Row
from bothways.connectors.mailchimp.errors import TITLE
from bothways.connectors.mailchimp.lists import lists
from bothways.connectors.mailchimp.queries import audiences
from bothways.errors import ProtocolError
from bothways.vocabulary import Topic

_TOLD_OF: Final = {
    "subscribe": {Topic.PEOPLE, Topic.CONSENT, Topic.MEMBER_TAGS},
    "unsubscribe": {Topic.PEOPLE, Topic.CONSENT},
    "cleaned": {Topic.PEOPLE, Topic.CONSENT},
    "profile": {Topic.PEOPLE, Topic.MEMBER_TAGS},
    "upemail": {Topic.PEOPLE},
    "campaign": {Topic.CAMPAIGNS},
}
# What a sync writes is done through the API.
_SOURCES: Final = {"user": True, "admin": True, "api": False}


@dataclass(frozen=True, slots=True)
class _Hook:
    """The webhook that an audience is to have, and the one that leads to the same URL there."""

    audience: str
    name: str
    body: dict[str, Any]
    there: Row | None

    @property
    def differs(self) -> bool:
        told = self.there or {}
        return any(told.get(key) != value for key, value in self.body.items())


class Webhooks:
    """Tells what is registered, registers what is not, and takes it away.

    Args:
        client: The API.
    """

    def __init__(self, client: MailchimpClient) -> None:
        self._client = client

    def unregistered(self, wanted: EventsWanted) -> list[str]:
        """Return a sentence for each audience whose webhook is missing, or differs."""
        return [
            _sentence(hook.name, hook.body["events"])
            for hook in self._hooks(wanted)
            if hook.differs or not wanted.known
        ]

    def register(self, wanted: EventsWanted) -> Iterator[EventAccess]:
        """Make or change webhooks; one whose secret is not known is made anew."""
        for hook in self._hooks(wanted):
            place = f"/lists/{hook.audience}/webhooks"
            if hook.there is not None and wanted.known:
                if hook.differs:
                    path = f"{place}/{hook.there['id']}"
                    self._client.request("PATCH", path, retry="keyed", json=hook.body)
                continue
            if hook.there is not None:
                self._remove(hook.audience, hook.there)
            made = self._client.request("POST", place, retry="never", json=hook.body).json()
            secret = made.get("signing_secret") if isinstance(made, dict) else None
            if not isinstance(secret, str) or not secret:
                raise ProtocolError(
                    "a webhook was made without a signing secret; delete it, and try again",
                    vendor=TITLE,
                )
            yield EventAccess(secret)

    def registered(self, url: str) -> list[str]:
        """Return a sentence for each audience with a webhook that leads to a URL."""
        return [
            _sentence(str(audience.get("name")), hook.get("events") or {})
            for audience, hook in self._leading_to(url)
        ]

    def unregister(self, url: str) -> None:
        """Delete the webhooks that lead to a URL."""
        for audience, hook in self._leading_to(url):
            self._remove(str(audience["id"]), hook)

    def _hooks(self, wanted: EventsWanted) -> list[_Hook]:
        there = {str(audience["id"]): hook for audience, hook in self._leading_to(wanted.url)}
        events = {name: bool(topics & wanted.topics) for name, topics in _TOLD_OF.items()}
        body = {"url": wanted.url, "events": events, "sources": _SOURCES}
        mapped = self._mapped(wanted)
        return [
            _Hook(str(row["id"]), str(row.get("name")), body, there.get(str(row["id"])))
            for row in audiences(self._client)
            if not mapped or str(row["id"]) in mapped
        ]

    def _mapped(self, wanted: EventsWanted) -> set[str]:
        """Return the audiences that the named lists are in."""
        if not wanted.lists:
            return set()
        named = {name.casefold() for name in wanted.lists}
        known = lists(self._client)
        return {
            one.scope for one in known if one.id in wanted.lists or one.name.casefold() in named
        }

    def _leading_to(self, url: str) -> list[tuple[Row, Row]]:
        """Return the audiences with a webhook that leads to a URL, and that webhook."""
        return [
            (audience, hook)
            for audience in audiences(self._client)
            for hook in rows_of(
                self._client.get(f"/lists/{audience['id']}/webhooks").get("webhooks"), TITLE
            )
            if hook.get("url") == url
        ]

    def _remove(self, audience: str, hook: Row) -> None:
        path = f"/lists/{audience}/webhooks/{hook['id']}"
        self._client.request("DELETE", path, retry="keyed", expect=(404,))


def _sentence(audience: str, events: Any) -> str:
    told = ", ".join(name for name, wanted in events.items() if wanted)
    return f"Webhook of audience {audience}: {told}."
