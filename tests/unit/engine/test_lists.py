"""Which lists are refused, and what is said of them."""

from __future__ import annotations

import pytest

from bothways.discovery import sync_type
from bothways.engine.lists import dynamic_obstacle
from bothways.vocabulary import RoleName

SYSTEMS = {"crm": "Contoso CRM", "marketing": "Mailer"}


@pytest.mark.parametrize(
    ("name", "side", "says"),
    [
        ("marketing_lists", "crm", None),
        ("verify", "crm", None),
        ("address_books", "marketing", None),
        ("suppressions", "crm", None),
        ("suppressions", "marketing", None),
        (
            "marketing_lists",
            "marketing",
            "`VIPs` is dynamic: nobody can be put on it in Mailer; map a static list, or set "
            "`syncs: [address_books]` to bring its members to Contoso CRM one way.",
        ),
        (
            "address_books",
            "crm",
            "`VIPs` is dynamic: nobody can be put on it in Contoso CRM; map a static list, or set "
            "`syncs: [marketing_lists]` to bring its members to Mailer one way.",
        ),
    ],
)
def test_a_dynamic_list_is_refused_where_people_would_be_put_on_it(
    name: str, side: RoleName, says: str | None
) -> None:
    assert dynamic_obstacle(sync_type(name), side, "VIPs", SYSTEMS) == says
