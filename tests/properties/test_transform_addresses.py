from __future__ import annotations

import email_validator
import pandas as pd
import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from bothways.transform.ignore import Rules, ignore_reasons
from bothways.transform.normalise import clean_text_array, email_keys
from bothways.vocabulary import Status
from tests.unit.transform.rows import DAY, contacts, records, unhurried

RULES = Rules(role_names=("info",), known_domains=("gmail.com", "yahoo.com"), only_active=True)
TEXTS = st.none() | st.text(max_size=20)
LOCALS = st.text("aB1.+-_ <>'\"ä\u200b\x00", max_size=6)
DOMAINS = st.sampled_from(["gmail.com", "gnail.com", "Bücher.example", "x", "a-b.example", "a..b"])
ADDRESSES = st.none() | st.builds("{}@{}".format, LOCALS, DOMAINS) | TEXTS
PEOPLE = st.lists(
    st.fixed_dictionaries(
        {
            "email": ADDRESSES,
            "status": st.none() | st.sampled_from([status.value for status in Status]),
            "active": st.none() | st.booleans(),
            "modified_at": st.sampled_from([None, DAY, DAY + pd.Timedelta(days=1)]),
            "deleted": st.booleans(),
        }
    ),
    max_size=12,
)


def frame_of(people: list[dict[str, object]]) -> pd.DataFrame:
    """Return people with ids as CONTACTS."""
    return contacts(*({"id": f"{place:02}"} | row for place, row in enumerate(people)))


@unhurried
@given(st.lists(ADDRESSES, max_size=8))
@example(["İ@x.example", "ﬁ@ﬁ.example", "mailto:<MAILTO:A@x>", "\u0130\u0307@ǅ.example"])
def test_a_key_is_its_own_key(addresses: list[str | None]) -> None:
    keys = email_keys(pd.Series(addresses, dtype=object))
    pd.testing.assert_series_equal(email_keys(keys), keys)


@unhurried
@given(st.lists(TEXTS, max_size=8))
def test_clean_text_is_clean(texts: list[str | None]) -> None:
    cleaned = clean_text_array(pa.array(texts, pa.string()))
    assert clean_text_array(cleaned).equals(cleaned)
    assert not any("\x00" in text for text in cleaned.to_pylist() if text is not None)


@unhurried
@given(st.text("ab1.-+_@ '!(", max_size=14), st.sampled_from(["", "@a.example", "@b-.c", "@a.b1"]))
@example("a", "@xn--bcher-kva.example")
@example("a", "@ab--cd.example")
@example("a", "@xn--.example")
@example("a" * 64, "@a.example")
@example("a", "@" + "b" * 64 + ".example")
@example("a", "@x.test")
@example("a", "@a.1b")
@example("a", "@a.b1")
def test_valid_means_what_the_reference_says(local: str, domain: str) -> None:
    address = (local + domain).strip().lower()
    try:
        email_validator.validate_email(address, check_deliverability=False)
        valid = True
    except email_validator.EmailNotValidError:
        valid = False
    found = ignore_reasons(contacts({"id": "1", "email": address}), Rules())["reason"].iloc[0]
    assert (found is pd.NA) == valid


@unhurried
@given(PEOPLE, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(people: list[dict[str, object]], chance: object) -> None:
    rows = frame_of(people)
    order = list(range(len(rows)))
    chance.shuffle(order)  # type: ignore[attr-defined]
    there = rows.join(ignore_reasons(rows, RULES))
    shuffled = rows.iloc[order]
    here = shuffled.join(ignore_reasons(shuffled, RULES))
    assert records(there, "id", "reason", "detail") == records(here, "id", "reason", "detail")


@unhurried
@given(PEOPLE)
def test_rules_judge_without_touching_and_leave_one_of_each(
    people: list[dict[str, object]],
) -> None:
    rows = frame_of(people)
    before = rows.copy(deep=True)
    found = ignore_reasons(rows, RULES)
    pd.testing.assert_frame_equal(rows, before)
    fit = rows[found["reason"].isna() & ~rows["deleted"]]
    keys = email_keys(fit["email"])
    assert keys.is_unique
    assert (
        fit["status"].isin(["mailable", "pending"]).where(fit["status"].notna(), other=True).all()
    )
    again = fit.join(ignore_reasons(fit, RULES))
    assert again["reason"].isna().all()
