"""What a mapped field stands for."""

from __future__ import annotations

from typing import Any

import pytest

from bothways.config.mapping import FieldMapping, Mapping
from bothways.vocabulary import FieldType

CITY = FieldMapping(crm="address1_city", marketing="CITY")


@pytest.mark.parametrize(
    "change",
    [
        {"crm": "address2_city"},
        {"marketing": "TOWN"},
        {"type": FieldType.DATE},
        {"type": FieldType.DATE, "date_format": "%d/%m/%Y"},
        {"type": FieldType.OPTION, "options": {1: "Oslo"}},
        {"type": FieldType.BOOLEAN, "true_label": "ja"},
        {"type": FieldType.BOOLEAN, "false_label": "nei"},
        {"direction": "to_crm"},
    ],
)
def test_another_field_type_direction_or_format_is_another_meaning(change: dict[str, Any]) -> None:
    assert _city(**change).meaning != CITY.meaning


@pytest.mark.parametrize(
    "change",
    [{"conflict": "newest"}, {"default": "Oslo"}, {"max_length": 80}],
)
def test_a_policy_a_default_or_a_length_is_none(change: dict[str, Any]) -> None:
    assert _city(**change).meaning == CITY.meaning


def test_a_fixed_value_is_agreed_on_with_nobody() -> None:
    mapping = Mapping(
        entity="lead", fields={"city": CITY, "subject": FieldMapping(crm="subject", fixed="Fair")}
    )
    assert mapping.meanings() == {"city": CITY.meaning}


def _city(**change: Any) -> FieldMapping:
    return FieldMapping.model_validate(CITY.model_dump() | change)
