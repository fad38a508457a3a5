"""The connector: which capabilities Dotdigital has, and where each is carried out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from bothways.connectors.base import (
    ConnectionSettings,
    FieldInfo,
    Fields,
    ListInfo,
    Page,
    Usage,
)
from bothways.connectors.dotdigital import (
    attributes,
    campaign_events,
    campaigns,
    enrolments,
    forms,
    preferences,
    programs,
    queries,
    visits,
    writes,
)
from bothways.connectors.dotdigital import fields as data_fields
from bothways.connectors.dotdigital.client import DotdigitalClient
from bothways.connectors.dotdigital.declaration import DECLARATION
from bothways.connectors.http.clock import Clock
from bothways.connectors.http.retry import RetryPolicy
from bothways.vocabulary import EventSet


class DotdigitalConnector:
    """Reads and writes one Dotdigital account; lists are its address books.

    Args:
        settings: Host of any region, API user and password; `ca_file` in extra names a file with
            certificate authorities.
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
        self._client = DotdigitalClient(settings, parallel=parallel, policy=policy, clock=clock)

    def check(self) -> str:
        """Read account-info; return a sentence that names the account."""
        account = self._client.account()
        name = account.get("Name") or account.get("Id", "")
        return f"Dotdigital account {name} answers at {self._client.host()}."

    def account_id(self) -> str:
        """Return the account's id."""
        return self._client.account()["Id"]

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
        """Yield pages of the account's SUPPRESSIONS."""
        return queries.read_suppressions(self._client, since)

    def read_list_suppressions(self, list_id: str, *, since: str | None) -> Iterator[Page]:
        """Yield pages of one list's SUPPRESSIONS."""
        return queries.read_list_suppressions(self._client, list_id, since)

    def read_opt_ins(self, *, since: str | None, cursor: str | None = None) -> Iterator[Page]:
        """Yield pages of OPT_INS, with the CONSENTS of the same contacts."""
        return attributes.read_opt_ins(self._client, since, cursor)

    def read_scores(self, *, since: str | None, cursor: str | None = None) -> Iterator[Page]:
        """Yield pages of SCORES."""
        return attributes.read_scores(self._client, since, cursor)

    def read_campaigns(self, *, since: str | None) -> Iterator[Page]:
        """Yield pages of CAMPAIGNS that were sent or active since a watermark."""
        return campaigns.read_campaigns(self._client, since)

    def find_campaigns(self, wanted: Sequence[str]) -> Iterator[Page]:
        """Yield pages of CAMPAIGNS with one of these ids or names."""
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

    def read_forms(self, *, since: str | None) -> Iterator[Page]:
        """Yield pages of FORMS that changed or were answered since a watermark."""
        return forms.read_forms(self._client, since)

    def read_form_responses(
        self, form_id: str, *, since: str | None, cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield pages of EVENTS: responses to one form."""
        return forms.read_form_responses(self._client, form_id, since, cursor)

    def read_visits(self, *, since: str | None, cursor: str | None = None) -> Iterator[Page]:
        """Yield pages of EVENTS: sessions on the customer's sites."""
        return visits.read_visits(self._client, since, cursor)

    def read_preferences(self) -> Iterator[Page]:
        """Yield PREFERENCES."""
        return preferences.read_preferences(self._client)

    def read_preference_opt_ins(
        self, preference_id: str, *, since: str | None, cursor: str | None = None
    ) -> Iterator[Page]:
        """Yield pages of PREFERENCE_OPT_INS of one preference."""
        return preferences.read_preference_opt_ins(self._client, preference_id, since, cursor)

    def read_programs(self) -> Iterator[Page]:
        """Yield pages of PROGRAMS."""
        return programs.read_programs(self._client)

    def lists(self) -> list[ListInfo]:
        """Return every address book."""
        return queries.lists(self._client)

    def create_list(self, name: str, entity: str | None) -> ListInfo:  # noqa: ARG002 - untyped
        """Create a private address book."""
        return queries.create_list(self._client, name)

    def fields(self, entity: str) -> dict[str, FieldInfo]:  # noqa: ARG002 - there is one
        """Return the data fields by name."""
        return data_fields.fields(self._client)

    def create_fields(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Create data fields."""
        return data_fields.create_fields(self._client, operations)

    def write_preferences(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Opt contacts in to preferences, and out of them."""
        return preferences.write_preferences(self._client, operations)

    def enrol(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Enrol contacts, or those of address books, into programs."""
        return enrolments.enrol(self._client, operations)

    def write_contacts(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Create, update and suppress contacts."""
        return writes.write_contacts(self._client, operations)

    def write_list_members(self, operations: pd.DataFrame) -> pd.DataFrame:
        """Put contacts on address books and take them off."""
        return writes.write_list_members(self._client, operations)

    def erase_contacts(self, entity: str, ids: Sequence[str]) -> pd.DataFrame:  # noqa: ARG002
        """Delete contacts forever."""
        return writes.erase_contacts(self._client, ids)
