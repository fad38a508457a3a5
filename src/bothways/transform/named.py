"""Things of a system that a person names by id or by name."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd


def is_named(things: pd.DataFrame, names: Collection[str]) -> pd.Series:
    """Return which things are named, by their id or by their name whatever its case.

    Args:
        things: id and name.
        names: What people wrote.
    """
    folded = [name.casefold() for name in names]
    by_name = things["name"].str.casefold().isin(folded).fillna(value=False)
    return things["id"].str.casefold().isin(folded) | by_name.astype(bool)


def meant(things: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the things that a person means by a word: the one with that id, else by name."""
    found = things[is_named(things, [name])]
    by_id = found[found["id"].str.casefold() == name.casefold()]
    return found if by_id.empty else by_id
