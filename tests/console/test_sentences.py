"""The two questions about a person, and the sentence that answers each."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from bothways.console.people import Person
from bothways.console.sentences import why_ignored, why_not_mailed
from bothways.vocabulary import Systems

DAY = datetime(2026, 5, 3, tzinfo=UTC)
TITLES: Systems = {"crm": "Dynamics 365", "marketing": "Dotdigital"}
NOBODY = Person("north", {}, [], None, None)


def row(**more: Any) -> Any:
    return SimpleNamespace(**more)


def record(side: str, status: str, scope: str = "", *, deleted: bool = False) -> Any:
    return row(side=side, status=status, scope=scope, deleted_at=DAY if deleted else None)


def word(
    side: str, reason: str, *, list_key: str = "", scope: str = "", lifted: bool = False
) -> Any:
    return row(
        side=side,
        reason=reason,
        list_key=list_key,
        list_id="7" if list_key else "",
        scope=scope,
        scope_name="News" if scope == "a1" else None,
        lifted_at=DAY if lifted else None,
        suppressed_at=DAY,
        vendor_reason=None,
    )


def left_out(reason: str, list_key: str | None = None) -> Any:
    return row(
        run_id=812, sync_type="marketing_lists", started_at=DAY, list_key=list_key, reason=reason
    )


@pytest.mark.parametrize(
    ("records", "words", "sentence"),
    [
        ([], [], "Yes: no unsubscribe or suppression found."),
        ([record("crm", "mailable")], [], "Yes: no unsubscribe or suppression found."),
        (
            [record("crm", "unsubscribed"), record("marketing", "mailable")],
            [],
            "No: unsubscribed (Dynamics 365).",
        ),
        (
            [record("crm", "unsubscribed"), record("marketing", "complained")],
            [],
            "No: reported spam (Dotdigital).",
        ),
        ([record("crm", "bounced", deleted=True)], [], "Yes: no unsubscribe or suppression found."),
        (
            [record("marketing", "mailable")],
            [word("marketing", "bounced")],
            "No: bounced (Dotdigital, 3 May 2026).",
        ),
        (
            [],
            [word("marketing", "unsubscribed", list_key="newsletter")],
            "Not on list newsletter: unsubscribed (Dotdigital, 3 May 2026).",
        ),
        (
            [record("crm", "unsubscribed")],
            [word("marketing", "unsubscribed", list_key="newsletter")],
            "No: unsubscribed (Dynamics 365).",
        ),
        (
            [record("marketing", "unsubscribed", "a1"), record("marketing", "mailable", "a2")],
            [word("marketing", "unsubscribed", scope="a1")],
            "Not in audience News: unsubscribed (Dotdigital, 3 May 2026).",
        ),
        (
            [record("marketing", "unsubscribed", "a1")],
            [
                word("marketing", name, scope=of)
                for name, of in (("unsubscribed", "a1"), ("bounced", "a2"))
            ],
            "Not in audience News: unsubscribed (Dotdigital, 3 May 2026); "
            "nor in a2: bounced (Dotdigital, 3 May 2026).",
        ),
        (
            [record("crm", "unsubscribed")],
            [word("marketing", "unsubscribed", scope="a1")],
            "No: unsubscribed (Dynamics 365).",
        ),
        ([], [word("crm", "suppressed", lifted=True)], "Yes: no unsubscribe or suppression found."),
    ],
)
def test_may_this_person_be_mailed(records: list[Any], words: list[Any], sentence: str) -> None:
    assert (
        why_not_mailed(replace(NOBODY, shown={"records": records, "suppressions": words}), TITLES)
        == sentence
    )


@pytest.mark.parametrize(
    ("job", "newest", "sentence"),
    [
        (None, None, "Never skipped in the last 30 days."),
        (
            left_out("role"),
            812,
            "Marketing lists run 812 of 3 May 2026 skipped this person: shared mailbox.",
        ),
        (
            left_out("left_crm", "newsletter"),
            900,
            "Marketing lists run 812 of 3 May 2026 skipped this person on list newsletter: "
            "removed from the list in Dynamics 365. Later runs did not.",
        ),
    ],
)
def test_why_was_this_person_ignored(job: Any, newest: int | None, sentence: str) -> None:
    jobs = [row(run_id=newest)] if newest else []
    assert why_ignored(replace(NOBODY, jobs=jobs, left_out=job), TITLES, 30) == sentence
