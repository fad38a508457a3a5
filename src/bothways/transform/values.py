"""One column of values between a vendor's format and the shared one, by the field's type.

The shared format is what the merge compares and the audit shows: text cleaned and cut, numbers
rounded, dates as dates, times in UTC, an option as its label. A conversion returns null where a
value does not fit; whether something was lost there is for the caller to see.
"""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from bothways.config.mapping import FieldMapping, names_year
from bothways.tables.fields import ARROW_TYPES
from bothways.transform.arrow import Array, nulls, pc
from bothways.transform.columns import arrow, one_chunk
from bothways.transform.normalise import clean_text_array
from bothways.vocabulary import FieldType, RoleName

_UTC = ARROW_TYPES[FieldType.DATETIME]
_TRUE = ("true", "yes", "1")
_FALSE = ("false", "no", "0")
_LEAP_YEAR = "2000"
# Characters that take two UTF-16 units. While units are counted, a NUL after each stands for the
# second one.
_WIDE = r"[\x{10000}-\x{10FFFF}]"
_SECOND = "\x00"
# What modifies the character before it: combining marks, skin tones, the zero-width joiner.
_PARTS = r"\p{M}\x{1F3FB}-\x{1F3FF}\x{200D}"
_MORE = rf"(?:[{_PARTS}]\x00?)*"
_LAST = rf"[^{_PARTS}]\x00?(?:{_MORE}\x{{200D}}[^{_PARTS}]\x00?)*{_MORE}$"


def shared_type(item: FieldMapping) -> pa.DataType:
    """Return the Arrow type of a field in the shared format; an option is its label."""
    return pa.string() if item.type is FieldType.OPTION else ARROW_TYPES[item.type]


def read_values(values: Array, item: FieldMapping, side: RoleName) -> Array:
    """Return a vendor's values in the shared format; null where one does not fit."""
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        values = clean_text_array(values.cast(pa.string()))
    match item.type:
        case FieldType.STRING:
            found = values if values.type == pa.string() else _as_text(values)
        case FieldType.INTEGER:
            found = _integers(values)
        case FieldType.NUMBER:
            found = _numbers(values)
        case FieldType.BOOLEAN:
            found = _booleans(values, item, side)
        case FieldType.DATE | FieldType.DATETIME:
            found = _moments(values, item, side)
        case FieldType.OPTION:
            found = _labels(values, item)
    return settle(one_chunk(found), item)


def has_value(values: Array) -> Array:
    """Return a mask of the values that are neither null nor empty text."""
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        return clean_text_array(values.cast(pa.string())).is_valid()
    return values.is_valid()


def settle(values: Array, item: FieldMapping) -> Array:
    """Return shared values reduced to what both sides can hold.

    Text is cut to ``max_length`` UTF-16 units, a number is rounded to ``decimals``, and a time
    loses what the platform's ``date_format`` does not write, as does a date without a year, which
    is then one of the same leap year. Doing it twice changes nothing more.
    """
    if item.type is FieldType.STRING and item.max_length is not None:
        return _cut(values, item.max_length)
    if item.type is FieldType.NUMBER and item.decimals is not None:
        return pc.round(values, item.decimals)
    if item.date_format is not None and (
        item.type is FieldType.DATETIME or not names_year(item.date_format)
    ):
        return _parse(_format(values, item.date_format), item.date_format).cast(values.type)
    return values


def _cut(texts: Array, length: int) -> Array:
    """Return texts truncated to a number of UTF-16 units.

    What is displayed as one character is never cut in half; a text of which nothing fits is null.
    """
    units = pc.add(pc.utf8_length(texts), pc.count_substring_regex(texts, _WIDE))
    long = pc.fill_null(pc.greater(units, length), fill_value=False)
    if not pc.any(long).as_py():
        return texts
    return pc.replace_with_mask(texts, long, _cut_long(texts.filter(long), length))


def _cut_long(texts: Array, length: int) -> Array:
    marked = pc.replace_substring_regex(texts, f"({_WIDE})", rf"\1{_SECOND}")
    head = pc.utf8_slice_codeunits(marked, 0, length)
    rest = pc.utf8_slice_codeunits(marked, length, None)
    cut_in_half = pc.or_(
        pc.match_substring_regex(rest, rf"^[\x00{_PARTS}]"), pc.ends_with(head, "\u200d")
    )
    without_last = pc.replace_substring_regex(head, _LAST, "")
    kept = pc.if_else(pc.and_(cut_in_half, pc.not_equal(without_last, "")), without_last, head)
    # A wide character without its mark has lost its second unit.
    whole = pc.replace_substring_regex(kept, f"{_WIDE}$", "")
    found = pc.utf8_rtrim_whitespace(pc.replace_substring(whole, _SECOND, ""))
    return pc.if_else(pc.equal(found, ""), pa.scalar(None, pa.string()), found)


def write_values(values: Array, item: FieldMapping, side: RoleName) -> Array:
    """Return shared values in a vendor's format; null where one does not fit."""
    values = settle(values, item)
    if item.type is FieldType.OPTION:
        labels = _labels(values, item)
        return _options(labels, item) if side == "crm" else labels
    if side == "crm":
        return values
    if item.type in {FieldType.DATE, FieldType.DATETIME} and item.date_format is not None:
        return _format(values, item.date_format)
    if item.type is FieldType.BOOLEAN and (item.true_label or item.false_label):
        return pc.if_else(values, item.true_label or _TRUE[0], item.false_label or _FALSE[0])
    return values


def accepted(item: FieldMapping, side: RoleName) -> str:
    """Return in words which values a field takes on ``side``, for a message."""
    match item.type:
        case FieldType.OPTION:
            return "one of the mapping's options: " + ", ".join(item.options.values())
        case FieldType.INTEGER:
            return "a whole number"
        case FieldType.NUMBER:
            return "a number"
        case FieldType.BOOLEAN:
            true, false = _boolean_words(item, side)
            return f"{true[0]} or {false[0]}"
        case FieldType.DATE | FieldType.DATETIME:
            form = item.date_format if side == "marketing" else None
            return f"a date written as {form or 'ISO 8601'}"
        case FieldType.STRING:
            return "text"


def _as_text(values: Array) -> Array:
    return values.cast(pa.string())


def _integers(values: Array) -> Array:
    if pa.types.is_integer(values.type) or pa.types.is_boolean(values.type):
        return values.cast(pa.int64())
    if pa.types.is_string(values.type):
        whole = pc.match_substring_regex(values, r"^[+-]?\d{1,18}$")
        digits = pc.utf8_ltrim(pc.if_else(whole, values, pa.scalar(None, pa.string())), "+")
        rest = _integers(pc.if_else(whole, pa.scalar(None, pa.float64()), _numbers(values)))
        return pc.coalesce(digits.cast(pa.int64()), rest)
    numbers = _numbers(values)
    whole = pc.and_(pc.equal(pc.floor(numbers), numbers), pc.less(pc.abs(numbers), 2.0**53))
    return pc.if_else(whole, numbers, pa.scalar(None, pa.float64())).cast(pa.int64())


def _numbers(values: Array) -> Array:
    if pa.types.is_string(values.type):
        parsed = pd.to_numeric(values.to_pandas(types_mapper=pd.ArrowDtype), errors="coerce")
        values = arrow(parsed, pa.float64())
    elif pa.types.is_temporal(values.type):
        return nulls(len(values), pa.float64())
    values = values.cast(pa.float64(), safe=False)
    return pc.if_else(pc.is_finite(values), values, pa.scalar(None, pa.float64()))


def _boolean_words(item: FieldMapping, side: RoleName) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if side == "crm" or not (item.true_label or item.false_label):
        return _TRUE, _FALSE
    return (item.true_label or _TRUE[0],), (item.false_label or _FALSE[0],)


def _booleans(values: Array, item: FieldMapping, side: RoleName) -> Array:
    if pa.types.is_boolean(values.type):
        return values
    true, false = _boolean_words(item, side)
    words = pc.utf8_lower(_as_text(values))
    is_true = pc.is_in(words, value_set=_lowered(true))
    is_false = pc.is_in(words, value_set=_lowered(false))
    return pc.if_else(pc.or_(is_true, is_false), is_true, pa.scalar(None, pa.bool_()))


def _lowered(words: tuple[str, ...]) -> Array:
    return pc.utf8_lower(clean_text_array(pa.array(words, pa.string())))


def _moments(values: Array, item: FieldMapping, side: RoleName) -> Array:
    target = ARROW_TYPES[item.type]
    if pa.types.is_temporal(values.type):
        if pa.types.is_timestamp(values.type) and values.type.tz is None:
            values = pc.assume_timezone(values.cast(pa.timestamp("us"), safe=False), "UTC")
        if pa.types.is_date(values.type) and item.type is FieldType.DATETIME:
            values = values.cast(pa.timestamp("us"))
        return _in_utc(values).cast(target, safe=False)
    if not pa.types.is_string(values.type):
        return nulls(len(values), target)
    if side == "marketing" and item.date_format is not None:
        return _parse(values, item.date_format).cast(target)
    texts = values.to_pandas(types_mapper=pd.ArrowDtype)
    parsed = pd.to_datetime(texts, format="ISO8601", errors="coerce", utc=True)
    return arrow(parsed).cast(_UTC, safe=False).cast(target, safe=False)


def _in_utc(values: Array) -> Array:
    return values if pa.types.is_date(values.type) else values.cast(_UTC, safe=False)


def _parse(texts: Array, form: str) -> Array:
    if not names_year(form):
        texts = pc.binary_join_element_wise(_LEAP_YEAR, texts, " ")
        form = f"%Y {form}"
    parsed = pc.strptime(texts, format=form, unit="s", error_is_null=True)
    return parsed.cast(pa.timestamp("s", tz="UTC"))


def _format(values: Array, form: str) -> Array:
    """Return moments as text; whole seconds, since ``%S`` would write fractions otherwise."""
    if pa.types.is_timestamp(values.type):
        values = values.cast(pa.timestamp("s", tz="UTC"), safe=False)
    return pc.strftime(values, format=form)


def _labels(values: Array, item: FieldMapping) -> Array:
    """Return labels in the mapping's spelling for option values, or for labels in any case."""
    labels = pa.array(item.options.values(), pa.string())
    if pa.types.is_string(values.type):
        known = pc.utf8_lower(clean_text_array(labels))
        return labels.take(pc.index_in(pc.utf8_lower(values), value_set=known))
    known = pa.array(item.options.keys(), pa.int64())
    return labels.take(pc.index_in(_integers(values), value_set=known))


def _options(labels: Array, item: FieldMapping) -> Array:
    places = pc.index_in(labels, value_set=pa.array(item.options.values(), pa.string()))
    return pa.array(item.options.keys(), pa.int64()).take(places)
