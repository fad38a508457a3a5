"""How members are rated, how they opted in, and what they consented to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

import pyarrow as pa

from bothways.connectors.base import Page
from bothways.connectors.http.columns import texts, times
from bothways.connectors.mailchimp.client import MailchimpClient, Row
from bothways.connectors.mailchimp.queries import Listing, audiences, in_listings
from bothways.connectors.mailchimp.tables import ids
from bothways.tables.attributes import SCORES
from bothways.tables.consent import CONSENTS, OPT_INS
from bothways.vocabulary import OptInType

_PERSON: Final = ("contact_id", "id", "email_address", "last_changed")
_RATED: Final = (*_PERSON, "member_rating", "stats")
_OPTED_IN: Final = (
    *_PERSON, "status", "unsubscribe_reason", "ip_signup", "timestamp_opt", "ip_opt", "source",
)  # fmt: skip
_STARS: Final = 5


def read_scores(client: MailchimpClient, cursor: str | None) -> Iterator[Page]:
    """Yield how all members are rated.

    That a new rating, which comes with each campaign, counts as a change of the member is not
    documented, so that everybody is read each time.
    """
    listings = [
        Listing(audience) for audience in sorted(str(row["id"]) for row in audiences(client))
    ]

    def page(audience: str, rows: Sequence[Row]) -> Page:
        return Page(_scores(audience, rows))

    return in_listings(
        client,
        listings,
        _RATED,
        lambda listing: (None, partial(page, listing.audience)),
        cursor=cursor,
        empty=page("", []),
    )


def _scores(audience: str, rows: Sequence[Row]) -> pa.Table:
    """Return one to five stars as 20 to 100, and the share of mails that are opened as engagement.

    assumed: the share is from 0 to 1. The vendor tells neither a label nor a time.
    """
    size = len(rows)
    stars = [row.get("member_rating") for row in rows]
    opened = [(row.get("stats") or {}).get("avg_open_rate") for row in rows]
    columns: dict[str, pa.Array[Any]] = {
        "member_id": ids(rows, audience),
        "email": texts([row.get("email_address") or None for row in rows]),
        "score": pa.array([_of_hundred(one, _STARS) for one in stars], pa.int64()),
        "engagement": pa.array([_of_hundred(one, 1) for one in opened], pa.int64()),
        "suitability": pa.nulls(size, pa.int64()),
        "label": pa.nulls(size, pa.string()),
        "scored_at": pa.nulls(size, SCORES.field("scored_at").type),
    }
    return pa.table(columns, schema=SCORES)


def _of_hundred(value: Any, most: int) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return min(100, max(0, round(100 * value / most)))


def read_opt_ins(client: MailchimpClient, since: str | None, cursor: str | None) -> Iterator[Page]:
    """Yield how members opted in: those changed since a watermark, or all."""
    double = {str(row["id"]): row.get("double_optin") is True for row in audiences(client)}
    listings = [Listing(audience) for audience in sorted(double)]

    def page(audience: str, rows: Sequence[Row]) -> Page:
        told = _opt_ins(audience, rows, asks_to_confirm=double.get(audience, False))
        return Page(told, consents=_consents(audience, rows))

    return in_listings(
        client,
        listings,
        _OPTED_IN,
        lambda listing: (since, partial(page, listing.audience)),
        cursor=cursor,
        empty=page("", []),
    )


def _opt_ins(audience: str, rows: Sequence[Row], *, asks_to_confirm: bool) -> pa.Table:
    columns: dict[str, pa.Array[Any]] = {
        "member_id": ids(rows, audience),
        "email": texts([row.get("email_address") or None for row in rows]),
        "opt_in_type": pa.array([_type(row, asks_to_confirm) for row in rows], pa.string()),
        "changed_at": times([row.get("last_changed") for row in rows]),
        "status": texts([row.get("status") for row in rows]),
        # The vendor shows it only of those who have unsubscribed.
        "unsubscribe_reason": texts([row.get("unsubscribe_reason") or "" for row in rows]),
    }
    return pa.table(columns, schema=OPT_INS)


def _type(row: Row, asks_to_confirm: bool) -> OptInType:  # noqa: FBT001 - one of two facts
    """Return how a member opted in, which the vendor does not tell.

    assumed: whoever signed up has the address from which they did so, and whoever confirmed, in an
    audience that asks for it, that of the confirmation beside it. An address of the opt-in alone is
    that of whoever added the member, as a program over the API. Who has yet to confirm has not
    opted in.
    """
    if not row.get("ip_signup") or row.get("status") == "pending":
        return OptInType.UNKNOWN
    confirmed = asks_to_confirm and row.get("ip_opt") and row.get("timestamp_opt")
    return OptInType.DOUBLE if confirmed else OptInType.SINGLE


def _consents(audience: str, rows: Sequence[Row]) -> pa.Table:
    """Return the opt-ins of those who signed up themselves.

    The words that they saw are not told; the source of the member stands in their place.
    """
    people = [row for row in rows if row.get("ip_signup") and row.get("timestamp_opt")]
    size = len(people)
    columns: dict[str, pa.Array[Any]] = {
        "member_id": ids(people, audience),
        "text": texts([row.get("source") or None for row in people]),
        "consented_at": times([row.get("timestamp_opt") for row in people]),
        "url": pa.nulls(size, pa.string()),
        "ip_address": texts([row.get("ip_opt") or row.get("ip_signup") for row in people]),
        "user_agent": pa.nulls(size, pa.string()),
    }
    return pa.table(columns, schema=CONSENTS)
