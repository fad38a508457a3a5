from __future__ import annotations

import pytest

from bothways.errors import redact


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ann@mail.example is taken", "<address> is taken"),
        ("'Ann.O+x@Mail.Example'", "'<address>'"),
        ("<ann@mail.example>, bob@b.example;", "<<address>>, <address>;"),
        ("anna\u00e9@m\u00fcller.example", "<address>"),
        ("two\nlines,\t and   blanks", "two lines, and blanks"),
        ("a price @ 5", "a price @ 5"),
    ],
)
def test_a_message_is_told_on_one_line_and_without_addresses(text: str, told: str) -> None:
    assert redact(text) == told


def test_a_long_message_is_cut_and_never_within_an_address() -> None:
    assert redact("x" * 501) == "x" * 500
    assert "ann" not in redact("x" * 495 + " ann@mail.example")
