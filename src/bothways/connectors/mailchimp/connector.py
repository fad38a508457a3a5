"""The connector: which capabilities Mailchimp has, and where each is carried out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import pandas as pd

from bothways.connectors.base import (
    ConnectionSettings,
    EventAccess,
    EventsWanted,
    FieldInfo,
    Fields,
    ListInfo,
    Page,
    TagKind,
    Usage,
)
from bothways.connectors.http.clock import Clock
from bothways.connectors.http.retry import RetryPolicy
from bothways.connectors.mailchimp import (
    attributes,
    campaign_events,
    campaigns,
    lists,
    queries,
    tags,
    writes,
)
from bothways.connectors.mailchimp import fields as merge_fields
from bothways.connectors.mailchimp.client import MailchimpClient
from bothways.connectors.mailchimp.declaration import DECLARATION
from bothways.connectors.mailchimp.webhooks import Webhooks
from bothways.vocabulary import EventSet


class MailchimpConnector:
    """Reads and writes one Mailchimp account; lists are its audiences, tags and interests.

    Args:
        settings: An API key as password; the host, unless the key names it; `ca_file` in extra
            names a file with certificate authorities.
        parallel: Calls in flight from this process.
        policy: Bounds of repeating.
        clock: Tells the time and waits.
    """

    declaration = DECLARATION
    entities: tuple[str, ...] = ("contact",)
    joins_on_create = True
    asks_on_create = True
    event_sets = campaign_events.EVENT_SETS

    def __init__(
        self,
        settings: ConnectionSettings,
        *,
        parallel: int = DECLARATION.limits.parallel,
        policy: RetryPolicy | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._client = MailchimpClient(settings, parallel=parallel, policy=policy, clock=clock)
        self._catalogue = lists.Catalogue(self._client)

    def check(self) -> str:
        """Read the account; return a sentence that names it."""
        account = self._client.account()
        name = account.get("account_name") or account["account_id"]
        host = urlsplit(self._client.address.origin).netloc
        return f"Mailchimp account {name} answers at {host}."

    def account_id(self) -> str:
        """Return the account's id."""
        return str(self._client.account()["account_id"])

    def close(self) -> None:
        """Close the session."""
        self._client.close()

    def give_way(self) -> None:
        """Leave the last calls of each of the vendor's windows to others."""
        self._client.give_way()

    def usage(self) -> Usage:
        """Return the calls so far."""
        return self._client.usage()

    def read_contacts(
        self,
        entity: str,  # noqa: ARG002 - there is one
        fields: Fields,
        *,
        since: str | None,
        lists: Sequence[str] = (),
        everybody: bool = False,
        cursor: str | None = None,
    ) -> Iterator[Page]:
        """Yield pages of CONTACTS, with the memberships of ``lists``."""
        return queries.read_contacts(
            self._client, fields, since, lists, everybody=everybody, cursor=cursor
        )

    def find_contacts(
        self,
        entity: str,  # noqa: ARG002 - there is one
        fields: Fields,
        *,
        ids: Sequence[str] = (),
        emails: Sequence[str] = (),
    ) -> Iterator[Page]:
        """Yield those who exist, with all their memberships."""
        return queries.find_contacts(self._client, fields, ids, emails)

    def read_suppressions(self, *, since: str | None) -> Iterator[Page]:
        """Yield pages of SUPPRESSIONS, of each audience."""
        return queries.read_suppressions(self._client, since)

    def read_opt_ins(self, *, since: str | None, cursor: str | None = None) -> Iterator[Page]:
        """Yield pages of OPT_INS, with the CONSENTS of the same members."""
        return attributes.read_opt_ins(self._client, since, cursor)

    def read_scores(
        self,
        *,
        since: str | None,  # noqa: ARG002 - see there
        cursor: str | None = None,
    ) -> Iterator[Page]:
        """Yield pages of SCORES, of all members."""
        return attributes.read_scores(self._client, cursor)

    def read_campaigns(self, *, since: str | None) -> Iterator[Page]:
        """Yield pages of CAMPAIGNS that were sent or active since a watermark."""
        return campaigns.read_campaigns(self._client, since)

    def find_campaigns(self, wanted: Sequence[str]) -> Iterator[Page]:
        """Yield pages of CAMPAIGNS with one of these ids or titles."""
        return campaigns.find_campaigns(self._client, wanted)

    def read_events(
        self,
        event_set: EventSet,
        campaign_id: str,
        *,
        since: str | None,
        cursor: str | None = None,
    ) -> Iterator[Page]:
        """Yield pages of EVENTS of one set and one campaign."""
        return campaign_events.read_events(self._client, event_set, campaign_id, since, cursor)

    def lists(self) -> list[ListInfo]:
        """Return every audience, and the tags, interests and segments in it."""
        return lists.lists(self._client)

    def create_list(self, name: str, entity: str | None) -> ListInfo:  # noqa: ARG002 - untyped
        """Create a tag (`<audience> / <tag>`), or an audience."""
        return lists.create_list(self._client, name)

    def fields(self, entity: str) -> dict[str, FieldInfo]:  # noqa: ARG002 - there is one
        """Return merge fields and members' own fields by name."""
        return merge_fields.fields(self._client)

    def create_fields(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Create merge fields in every audience."""
        self._catalogue = lists.Catalogue(self._client)  # the fields it knows are about to change
        return merge_fields.create_fields(self._client, operations)

    def read_tags(self, kind: TagKind) -> Iterator[Page]:
        """Yield audiences, tags, categories of interests, or interests."""
        return tags.read_tags(self._client, kind)

    def write_tags(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Make, rename and delete tags, categories and interests."""
        return tags.write_tags(self._client, operations)

    def read_member_tags(self, *, since: str | None, cursor: str | None = None) -> Iterator[Page]:
        """Yield members with all their tags and interests."""
        return tags.read_member_tags(self._client, since, cursor)

    def write_member_tags(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Give members tags and interests, and take them away."""
        return self.write_list_members(tags.memberships_of(operations))

    def write_contacts(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Create, update and suppress contacts."""
        return writes.write_contacts(self._client, self._catalogue, operations)

    def write_list_members(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Put contacts on lists and take them off."""
        return writes.write_list_members(self._client, self._catalogue, operations)

    def erase_contacts(self, entity: str, ids: Sequence[str]) -> pd.DataFrame:  # noqa: ARG002
        """Delete contacts forever."""
        return writes.erase_contacts(self._client, ids)

    def unregistered(self, wanted: EventsWanted) -> list[str]:
        """Return the audiences whose webhook is missing, or differs."""
        return Webhooks(self._client).unregistered(wanted)

    def register(self, wanted: EventsWanted) -> Iterator[EventAccess]:
        """Make or change the webhooks of audiences."""
        return Webhooks(self._client).register(wanted)

    def registered(self, url: str) -> list[str]:
        """Return the audiences with a webhook that leads to a URL."""
        return Webhooks(self._client).registered(url)

    def unregister(self, url: str) -> None:
        """Delete the webhooks that lead to a URL."""
        Webhooks(self._client).unregister(url)
