from __future__ import annotations

from urllib.parse import unquote

from hypothesis import given
from hypothesis import strategies as st

from bothways.connectors.dynamics.queries import chunks, one_of, query

_TEXT = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=400)


@given(st.lists(_TEXT, max_size=600))
def test_every_value_is_asked_for_once_and_no_url_is_too_long(values: list[str]) -> None:
    groups = list(chunks(values))
    assert [value for group in groups for value in group] == list(dict.fromkeys(values))
    for group in groups:
        url = query("contacts", select=("contactid",) * 40, where=one_of("emailaddress1", group))
        # The vendor's limit, less what a host and forty more columns take.
        assert len(url) < 32_768 - 500
        assert len(group) <= 500


def test_literals_are_encoded_and_quotes_are_doubled() -> None:
    path = query("leads", select=("leadid",), where=one_of("emailaddress1", ["o'neil+a&b#@x.com"]))
    assert "+" not in path
    assert "#" not in path
    assert path.count("&") == 1
    assert unquote(path).endswith('PropertyValues=["o\'neil+a&b#@x.com"])')
    odd = one_of("emailaddress1", ['"it\'s me"@x.com'])
    assert odd == "emailaddress1 eq '\"it''s me\"@x.com'"
