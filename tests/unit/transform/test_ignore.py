from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from bothways.config.account import IgnoreRules
from bothways.transform.ignore import Rules, ignore_reasons
from tests.unit.transform.rows import contacts

MAPPINGS = Path(__file__).parents[3] / "include" / "mappings"


def shipped(name: str) -> tuple[str, ...]:
    """Return the entries of a shipped file."""
    lines = (MAPPINGS / name).read_text(encoding="utf-8").splitlines()
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))


RULES = Rules(
    role_names=shipped("role_addresses.txt"),
    known_domains=shipped("known_domains.txt"),
    only_active=True,
)


def reason_of(email: str | None, rules: Rules = RULES, **others: object) -> tuple[object, object]:
    """Return reason and detail for one person."""
    found = ignore_reasons(contacts({"id": "1", "email": email} | others), rules)
    return tuple(None if value is pd.NA else value for value in found.iloc[0])  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("email", "reason", "detail"),
    [
        (None, "empty", None),
        (" \u200b\r\n", "empty", None),
        ("mailto:<>", "empty", None),
        ("patriciazylker.com", "invalid", None),
        ("a@b@c.example", "invalid", None),
        ("two words@company.example", "invalid", None),
        (".dot@company.example", "invalid", None),
        ("dots..twice@company.example", "invalid", None),
        ("a@localhost", "invalid", None),
        ("a@company.local", "invalid", None),
        ("a@-company.example", "invalid", None),
        ("a@company.example.", "invalid", None),
        ("x" * 65 + "@company.example", "invalid", None),
        ("x" * 400 + "@company.example", "invalid", None),
        ("a@" + ".".join(["d" * 60] * 5) + ".example", "invalid", None),
        ("john@gnail.com", "invalid", "gmail.com"),
        ("john@gmial.com", "invalid", "gmail.com"),
        ("john@gmail.con", "invalid", "gmail.com"),
        ("john@hotmial.com", "invalid", "hotmail.com"),
        ("john@outlok.com", "invalid", "outlook.com"),
        ("john@yaho.com", "invalid", "yahoo.com"),
        ("Info@company.example", "role", None),
        ("administrator@company.example", "role", None),
        ("careers@company.example", "role", None),
        ("service@company.example", "role", None),
        ("support@company.example", "role", None),
        ("information.desk@company.example", None, None),
        ("anna+news@company.example", None, None),
        ("anna@bücher.example", None, None),
        ("änna@company.example", None, None),
        ("<Anna@Company.Example>", None, None),
    ],
)
def test_an_address_is_judged_by_its_spelling(
    email: str | None, reason: str | None, detail: str | None
) -> None:
    assert reason_of(email) == (reason, detail)


@pytest.mark.parametrize(
    "domain",
    [
        *(
            "gmail.com",
            "mail.gmail.com",
            "gmx.de",
            "gmx.net",
            "gmx.at",
            "web.de",
            "me.com",
            "we.com",
        ),
        *("aol.com", "bol.com", "mail.com", "ymail.com", "email.com", "libero.it", "libera.it"),
        *("orange.fr", "range.fr", "yahoo.co.jp", "yahoo.co.kr", "hotmail.be", "proton.me"),
        *("live.com", "love.com", "sky.com", "sly.com", "company.example"),
    ],
)
def test_a_real_domain_is_no_typo(domain: str) -> None:
    assert reason_of(f"john@{domain}") == (None, None)


@pytest.mark.parametrize(
    ("status", "reason", "detail"),
    [
        ("unsubscribed", "do_not_mail", "unsubscribed"),
        ("complained", "do_not_mail", "complained"),
        ("suppressed", "do_not_mail", "suppressed"),
        ("bounced", "bounced", None),
        ("pending", None, None),
        (None, None, None),
    ],
)
def test_consent_is_judged_by_status(status: str, reason: str, detail: str) -> None:
    assert reason_of("anna@company.example", status=status) == (reason, detail)


def test_the_first_rule_that_matches_gives_the_reason() -> None:
    worst = {"status": "unsubscribed", "active": False}
    found = [
        reason_of(email, **worst)[0]
        for email in (None, "no address", "info@company.example", "anna@company.example")
    ]
    assert found == ["empty", "invalid", "role", "do_not_mail"]
    assert reason_of("anna@company.example", status="bounced", active=False)[0] == "bounced"
    assert reason_of("anna@company.example", active=False)[0] == "inactive"


def test_an_erased_address_is_ignored_before_all_else() -> None:
    rows = contacts({"id": "1", "email": None}, {"id": "2", "email": "anna@company.example"})
    found = ignore_reasons(rows, RULES, erased=pd.Series([False, True]))
    assert found["reason"].tolist() == ["empty", "erased"]


def test_a_no_on_one_record_counts_for_the_address() -> None:
    rows = contacts(
        {"id": "1", "email": "Anna@company.example"},
        {"id": "2", "email": "anna@company.example", "status": "unsubscribed", "active": False},
        {"id": "3", "email": "bob@company.example"},
    )
    found = ignore_reasons(rows, RULES)
    assert found["reason"].tolist()[:2] == ["do_not_mail", "do_not_mail"]
    assert found["reason"].isna().tolist() == [False, False, True]


def test_of_duplicates_the_active_then_latest_then_lowest_id_stays() -> None:
    later = pd.Timestamp("2025-06-01", tz="UTC")
    rules = Rules()
    rows = contacts(
        {"id": "a", "email": "x@company.example", "active": False, "modified_at": later},
        {"id": "b", "email": "X@company.example"},
        {"id": "c", "email": "y@company.example"},
        {"id": "d", "email": "y@company.example", "modified_at": later},
        {"id": "f", "email": "z@company.example"},
        {"id": "e", "email": "z@company.example"},
        {"id": "g", "email": None, "deleted": True},
    )
    found = ignore_reasons(rows, rules)
    assert found["detail"].astype(object).where(found["detail"].notna(), None).tolist() == [
        *("b", None, "d", None, "e", None, None)
    ]


def test_rules_that_may_be_switched_off_can_be() -> None:
    off = Rules(
        IgnoreRules(invalid=False, typo_domains=False, role=False, duplicate=False),
        RULES.role_names,
        RULES.known_domains,
    )
    emails = ["nonsense", "john@gnail.com", "info@company.example", "a@b.example", "a@b.example"]
    rows = contacts(*({"id": str(place), "email": email} for place, email in enumerate(emails)))
    assert ignore_reasons(rows, off)["reason"].isna().all()
    assert reason_of(None, off)[0] == "empty"
    assert reason_of("a@b.example", off, status="unsubscribed")[0] == "do_not_mail"
    assert reason_of("a@b.example", off, status="bounced")[0] == "bounced"


def test_a_detail_never_holds_an_address() -> None:
    rows = contacts(
        {"id": "1", "email": "john@gnail.com"},
        {"id": "2", "email": "anna@company.example"},
        {"id": "3", "email": "anna@company.example"},
    )
    assert not ignore_reasons(rows, RULES)["detail"].str.contains("@").any()


def test_no_rows_give_no_reasons() -> None:
    found = ignore_reasons(contacts(), RULES)
    assert list(found.columns) == ["reason", "detail"]
    assert found.empty
