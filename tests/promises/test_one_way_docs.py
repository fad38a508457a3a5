"""The page on suppressions and address books names a test for each case, and every reason."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from bothways.syncs import scopes
from bothways.syncs.address_books import sync as address_books
from bothways.syncs.suppressions import sync as suppressions
from bothways.vocabulary import IGNORE_RULES, Reason

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs" / "suppressions-and-address-books.md").read_text("utf-8")


def written_in(pattern: str) -> set[str]:
    return {
        name
        for path in HERE.glob(pattern)
        for name in re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
    }


def test_each_test_that_the_page_names_exists_and_each_case_has_a_row() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert named <= written_in("test_*.py")
    cases = written_in("test_1_consent.py") | written_in("test_address_books.py")
    assert cases - named == {"test_on_a_bad_line_nobody_becomes_mailable"}


def test_each_reason_is_explained_and_no_other() -> None:
    explained = set(re.findall(r"^\| `(\w+)` \| [^|]+ \|$", PAGE, re.MULTILINE))
    source = "".join(map(inspect.getsource, (address_books, suppressions, scopes)))
    own = {
        Reason.NOT_ON_LIST, Reason.NOT_IN_CRM, Reason.REMOVED_IN_CRM, Reason.SWITCHED_OFF,
        Reason.LIFTED, Reason.WAITS, Reason.NOT_SHARED,
    }  # fmt: skip
    assert all(f"Reason.{reason.name}" in source for reason in own)
    assert explained == {*IGNORE_RULES, *own}
