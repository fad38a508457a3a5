from __future__ import annotations

import re

import pytest

from bothways.errors import Rejected, redact


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ann@mail.example is taken", "<address> is taken"),
        ("'Ann.O+x@Mail.Example'", "'<address>'"),
        ("<ann@mail.example>, bob@b.example;", "<<address>>, <address>;"),
        ("anna\u00e9@m\u00fcller.example", "<address>"),
        ("two\nlines,\t and   blanks", "two lines, and blanks"),
        ("a price @ 5", "a price @ 5"),
        ("100% of 40, at 5 %", "100% of 40, at 5 %"),
    ],
)
def test_a_message_is_told_on_one_line_and_without_addresses(text: str, told: str) -> None:
    assert redact(text) == told


@pytest.mark.parametrize(
    "address",
    [
        "ann.smith@mail.example",
        "ann.o'smith@mail.example",
        "o'ann@mail.example",
        "ann%40mail.example",
        "ann%2540mail.example",
        "ann.smith%2Bx%40mail.example",
        '"ann smith"@mail.example',
        '"ann\\"smith"@mail.example',
        '"ann@home"@mail.example',
        "%22ann%20smith%22%40mail.example",
        '\\"ann smith\\"@mail.example',
        "ann(smith)@mail.example",
        "ann=smith@mail.example",
        "!#$%&*+-/=?^_`{|}~ann@mail.example",
        "ann@[192.0.2.1]",
        "ann@[IPv6:2001:db8::1]",
        "ann@localhost",
        "ann\uff20mail.example",
        "ann&#64;mail.example",
        "ann&#x40;mail.example",
        "ann&commat;mail.example",
        "ann\\u0040mail.example",
        "ann@mail.example|ann@mail.example",
        "ann@xn--mller-kva.example",
        "ann.\u5c71\u7530@mail.example",
        "a" * 64 + "nn@" + "mail." * 50 + "example",
    ],
)
@pytest.mark.parametrize(
    "around", ["{}", "The value '{}' is invalid.", 'x: "{}"', "<{}>,", "(mailto:{})", "a={}&b=1"]
)
def test_whatever_an_address_looks_like_nothing_of_it_is_told(address: str, around: str) -> None:
    for text in (around.format(address), "x" * 480 + " " + around.format(address)):
        told = redact(text)
        assert not re.search("ann|smith|mail.exa|192|2001|\u5c71", told), told


def test_a_long_message_is_cut_and_never_within_an_address() -> None:
    assert redact("x" * 501) == "x" * 500
    assert redact("x" * 5000) == "x" * 500
    assert "ann" not in redact("x" * 495 + " ann@mail.example")
    for before in range(1980, 2001):
        filler = " ".join(["bob@mail.example"] * 200)[:before]
        assert "ann" not in redact(filler + " ann@mail.example and more" * 9)


@pytest.mark.timeout(60)
def test_what_is_looked_at_does_not_grow_with_the_text() -> None:
    # Ten million characters that begin an address and never end it.
    assert redact("a" * 10_000_000) == "a" * 500
    assert redact('"' * 10_000_000) == '"' * 500


def test_a_vendors_code_is_told_like_its_message() -> None:
    error = Rejected(
        "no", vendor="Acme", code="ERROR ann@mail.example " + "x" * 900, request_id="a@b"
    )
    assert error.code == ("ERROR <address> " + "x" * 900)[:100]
    assert str(error) == f"Acme: no ({error.code}, request <address>)"
