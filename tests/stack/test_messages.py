"""The page on messages names every reason, and every message of other connectors with its test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bothways.vocabulary import Reason
from tests.support.sandbox import ROOT

PAGE = (ROOT / "docs" / "messages.md").read_text(encoding="utf-8")
SYSTEMS = {"crm": "Dynamics 365", "marketing": "Dotdigital"}

# What the commercial connector says → words of it that stand in the test that provokes it.
KNOWN = {
    "ERROR_DATAFIELD_INVALID - Failed to sync dataLabel {0} to Dotdigital": (
        "ERROR_DATAFIELD_INVALID - Failed to sync dataLabel"
    ),
    "Marketing list sync didn't start as Data Label sync failed": (
        "Marketing list sync didn't start as Data Label sync failed"
    ),
    "The CrmEmailCampaign was null. Sync aborted": "The CrmEmailCampaign was null. Sync aborted",
    "have failed to sync for this Email Campaign": "have failed to sync for this Email Campaign",
    "Marketing List EmailAccount Id does not match CrmEmailAccountId": (
        "Marketing List EmailAccount Id does not match CrmEmailAccountId"
    ),
    "CrmMarketingList is null. Sync aborted": "CrmMarketingList is null. Sync aborted",
    "Feature is not activated in Dotdigital": "Feature is not activated in Dotdigital",
    "No new objects to sync": "No new objects to sync",
    "Internal server error": "Internal server error",
}
SETS = (
    "EmailSendSummaries",
    "EmailOpens",
    "EmailClicks",
    "EmailBounces",
    "EmailUnsubscribes",
    "SocialNetworkBookmarks",
    "RoiDetails",
    "PageViews",
)


@pytest.mark.parametrize("message", KNOWN)
def test_a_message_of_other_connectors_is_explained_and_provoked(message: str) -> None:
    assert f"`{message}" in PAGE or f"{message} ({{0}})" in PAGE
    assert any(KNOWN[message] in _text(path) for path in _promises())


def test_each_set_of_a_campaign_is_named() -> None:
    assert [name for name in SETS if f"`{name}" not in PAGE] == []


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_is_explained(reason: Reason) -> None:
    text, meaning = reason.text(SYSTEMS), reason.meaning.format_map(SYSTEMS)
    assert f"| `{reason}` | {text} | {meaning} |" in PAGE


def test_the_page_has_no_reason_that_there_is_not() -> None:
    table = PAGE.partition("## Why a job wrote nothing")[2]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == {str(one) for one in Reason}


def _promises() -> list[Path]:
    return sorted((ROOT / "tests" / "promises").glob("test_*.py"))


def _text(path: Path) -> str:
    # Long sentences are written in several pieces of text.
    return re.sub(r'"\s*\n\s*f?"', "", path.read_text(encoding="utf-8"))
