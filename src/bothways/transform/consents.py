"""What members consented to, as one text per member, and back."""

from __future__ import annotations

from typing import Final

import pandas as pd
import pyarrow as pa

from bothways.tables.fields import FIELD_PREFIX
from bothways.transform.arrow import pc
from bothways.transform.columns import arrow, frame, series
from bothways.transform.json_rows import json_objects, read_objects

TOLD: Final = ("text", "consented_at", "url", "ip_address", "user_agent")
"""What a consent tells, each as text once it is packed; times are ISO 8601, UTC."""

_CONSENTS: Final = "consents"
_PACKED: Final = pa.list_(pa.struct([pa.field(name, pa.string()) for name in TOLD]))


def packed(consents: pd.DataFrame) -> pd.Series:
    """Return the consents of each member as a JSON array, the same whatever order they came in.

    Args:
        consents: CONSENTS.

    Returns:
        Texts over the ids of the members that have any.
    """
    objects = arrow(json_objects(consents, {name: name for name in TOLD}), pa.string())
    told = pa.table({"member_id": arrow(consents["member_id"], pa.string()), "object": objects})
    in_order = (
        told.group_by(["member_id", "object"])
        .aggregate([])
        .sort_by([("member_id", "ascending"), ("object", "ascending")])
    )
    grouped = in_order.group_by("member_id", use_threads=False).aggregate([("object", "list")])
    joined = pc.binary_join(grouped["object_list"].combine_chunks(), ",")
    texts = pc.binary_join_element_wise("[", joined, "]", "")
    return series(texts, pd.Index(grouped["member_id"].to_pandas()))


def unpacked(texts: pd.Series) -> pd.DataFrame:
    """Return one row per consent: TOLD, over the index of the text that it stands in.

    Args:
        texts: What `packed` made.

    Raises:
        pyarrow.ArrowInvalid: A text is no JSON array.
    """
    objects = f'{{"{_CONSENTS}":' + texts + "}"
    found = arrow(read_objects(objects, {_CONSENTS: _PACKED})[FIELD_PREFIX + _CONSENTS])
    index = texts.index.take(pc.list_parent_indices(found).to_numpy())
    values = pc.list_flatten(found)
    return frame({name: pc.struct_field(values, name) for name in TOLD}, index)
