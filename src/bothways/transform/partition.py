"""Which part of a large run a person falls to, told by identity alone."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

BUCKETS: Final = 64


def buckets(identities: pd.Series) -> np.ndarray:
    """Return the bucket, from 0 to BUCKETS - 1, of each identity; nulls share one.

    The same identity gives the same bucket in every process.

    Args:
        identities: Normalised addresses, or ids where people have none.
    """
    texts = identities.astype("object").where(identities.notna(), "")
    hashes = pd.util.hash_array(texts.to_numpy(dtype=object), categorize=False)
    found: np.ndarray = (hashes % BUCKETS).astype(np.uint8)
    return found


def bounds(partition: int, partitions: int) -> tuple[int, int]:
    """Return the first bucket of a partition and the first one beyond it."""
    return BUCKETS * partition // partitions, BUCKETS * (partition + 1) // partitions


def in_partition(identities: pd.Series, partition: int, partitions: int) -> pd.Series:
    """Return a mask of the identities that belong to a partition, over the same index."""
    low, high = bounds(partition, partitions)
    found = buckets(identities)
    return pd.Series((found >= low) & (found < high), index=identities.index)
