"""Pictures as inline SVG, made on the server; colours come from the style sheet's classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from markupsafe import Markup, escape

_BAR: Final = 9
_GAP: Final = 2
_HEIGHT: Final = 64
_SHARE_WIDTH: Final = 1000


def stacked_days(
    days: Sequence[date],
    values: Mapping[date, Mapping[str, int]],
    *,
    parts: Sequence[tuple[str, str, str]],
    label: str,
) -> Markup:
    """Return one bar per day, stacked from its parts.

    Args:
        days: The days in order; each has its place, whether anything happened or not.
        values: Numbers by day and part.
        parts: Key, word and colour class, from the bottom up.
        label: What the picture shows, for those who do not see it.
    """
    tallest = max((sum(day.values()) for day in values.values()), default=0)
    width = len(days) * (_BAR + _GAP)
    bars = [
        _day_bar(index * (_BAR + _GAP), day, values.get(day, {}), parts, tallest)
        for index, day in enumerate(days)
    ]
    return _standing(bars, width=width, label=label)


def shares(values: Sequence[tuple[str, str, int]], *, label: str) -> Markup:
    """Return one bar across, divided by shares.

    Args:
        values: Word, colour class and number, from left to right.
        label: What the picture shows, for those who do not see it.
    """
    total = sum(number for _, _, number in values)
    pieces, x = [], 0.0
    for word, colour, number in values:
        width = _SHARE_WIDTH * number / total if total else 0
        if width:
            pieces.append(
                _piece(
                    colour,
                    x=x,
                    y=0,
                    width=max(width - 1, 0.5),
                    height=20,
                    title=f"{word}: {number}",
                )
            )
        x += width
    return Markup(
        '<svg class="shares" viewBox="0 0 {} 20" role="img" aria-label="{}" '
        'preserveAspectRatio="none">{}</svg>'
    ).format(_SHARE_WIDTH, label, Markup("").join(pieces))


def bars(values: Sequence[tuple[str, str, int]], *, label: str) -> Markup:
    """Return one bar for each number, below each other, the longest across the whole picture.

    Args:
        values: Word, colour class and number, from the top down.
        label: What the picture shows, for those who do not see it.
    """
    longest = max((number for _, _, number in values), default=0)
    pieces = [
        _piece(
            colour,
            x=0,
            y=place * (_BAR + _GAP),
            width=max(_SHARE_WIDTH * number / longest, 1),
            height=_BAR,
            title=f"{word}: {number}",
        )
        for place, (word, colour, number) in enumerate(values)
        if number
    ]
    return Markup(
        '<svg class="bars" viewBox="0 0 {} {}" role="img" aria-label="{}" '
        'preserveAspectRatio="none">{}</svg>'
    ).format(_SHARE_WIDTH, len(values) * (_BAR + _GAP), label, Markup("").join(pieces))


def rates(values: Sequence[tuple[str, Sequence[tuple[str, str, float]]]], *, label: str) -> Markup:
    """Return a group of bars for each thing, side by side, as high as its rates in percent.

    Args:
        values: Names from left to right, each with its rates: word, colour class and percent.
        label: What the picture shows, for those who do not see it.
    """
    pieces, x = [], 0
    for name, told in values:
        words = ", ".join(f"{word} {rate:.2f} %" for word, _, rate in told)
        bars = []
        for _, colour, rate in told:
            height = max((_HEIGHT - 2) * rate / 100, 0.7)
            bars.append(_piece(colour, x=x, y=_HEIGHT - height, width=_BAR, height=height))
            x += _BAR
        title = f"{name}: {words or 'unknown'}"
        pieces.append(Markup("<g><title>{}</title>{}</g>").format(title, Markup("").join(bars)))
        x += 2 * _GAP
    return _standing(pieces, width=x, label=label)


def _standing(bars: Sequence[Markup], *, width: int, label: str) -> Markup:
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}" '
        'preserveAspectRatio="none">{}<line class="axis" x1="0" y1="{}" x2="{}" y2="{}"/></svg>'
    ).format(width, _HEIGHT + 1, label, Markup("").join(bars), _HEIGHT, width, _HEIGHT)


def _day_bar(
    x: int,
    day: date,
    numbers: Mapping[str, int],
    parts: Sequence[tuple[str, str, str]],
    tallest: int,
) -> Markup:
    told = [f"{word} {numbers[key]}" for key, word, _ in parts if numbers.get(key)]
    pieces, y = [], float(_HEIGHT)
    for key, _, colour in parts:
        number = numbers.get(key, 0)
        if number:
            height = max((_HEIGHT - 2) * number / tallest, 0.7)
            y -= height
            pieces.append(_piece(colour, x=x, y=y, width=_BAR, height=height))
    title = f"{day:%d %b}: {', '.join(told) or 'nothing'}"
    ground = Markup('<rect class="ground" x="{}" y="0" width="{}" height="{}"/>').format(
        x, _BAR, _HEIGHT
    )
    return Markup("<g><title>{}</title>{}{}</g>").format(title, ground, Markup("").join(pieces))


def _piece(
    colour: str, *, x: float, y: float, width: float, height: float, title: str = ""
) -> Markup:
    told = Markup("<title>{}</title>").format(title) if title else Markup("")
    return Markup(
        '<rect class="is-{}" x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}">{}</rect>'
    ).format(escape(colour), x, y, width, height, told)
