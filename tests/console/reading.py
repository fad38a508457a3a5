"""Pages as a person or a screen reader would read them."""

from __future__ import annotations

import csv
import io
from typing import Any

from bs4 import BeautifulSoup, Tag


def soup(answer: Any, status: int = 200) -> Tag:
    """The page, which must have that status."""
    assert answer.status_code == status, answer.text[:2000]
    assert answer.headers["content-type"].startswith("text/html")
    page = BeautifulSoup(answer.text, "html.parser")
    for place in page.find_all("wbr"):  # where a long name may be broken
        place.decompose()
    page.smooth()
    return page


def main_text(page: Tag) -> str:
    """What stands between header and footer, or in a part of the page, in one line."""
    found = page.main or page
    return " ".join(found.get_text(" ", strip=True).split())


def table(page: Tag, label: str) -> list[dict[str, str]]:
    """The rows of the table in the region of this name, by column title."""
    region = page.find(attrs={"role": "region", "aria-label": label})
    assert isinstance(region, Tag), label
    heads = [cell.get_text(" ", strip=True).strip(" ↓↑") for cell in region.select("thead th")]
    return [
        dict(zip(heads, (" ".join(c.get_text(" ", strip=True).split()) for c in row), strict=True))
        for row in (row.find_all(["th", "td"]) for row in region.select("tbody tr"))
    ]


def rows_of(text: str) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
