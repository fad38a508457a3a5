from __future__ import annotations

import unicodedata

import pandas as pd
import pytest

from bothways.addresses import spellings
from bothways.transform.normalise import email_keys

COMPOSED = "zo\u00eb"
APART = "zoe\u0308"


@pytest.mark.parametrize(
    "email", ["ann@mail.example", "Ann+news@MAIL.example", "", "@", "ann", "a@", COMPOSED]
)
def test_most_addresses_have_one_spelling(email: str) -> None:
    assert spellings(email) == []


@pytest.mark.parametrize(
    ("email", "other"),
    [
        (f"{COMPOSED}@mail.example", f"{APART}@mail.example"),
        ("ann@b\u00fccher.example", "ann@xn--bcher-kva.example"),
        ("ann@b\u00fccher.example", "ann@bu\u0308cher.example"),
        (f"{COMPOSED}@b\u00fccher.example", f"{APART}@xn--bcher-kva.example"),
    ],
)
def test_an_address_is_found_in_its_other_spellings(email: str, other: str) -> None:
    assert other in spellings(email)
    assert email in spellings(other)
    every = pd.Series([email, *spellings(email)], dtype="string")
    assert email_keys(every).nunique() == 1
    assert len(set(every)) == len(every)


def test_a_domain_that_cannot_be_decoded_is_left_as_it_is() -> None:
    assert spellings("ann@xn--.example") == []
    assert spellings(f"{COMPOSED}@xn--.example") == [
        unicodedata.normalize("NFD", f"{COMPOSED}@xn--.example")
    ]
