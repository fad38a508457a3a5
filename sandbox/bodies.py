"""Bodies of requests, of whichever vendor."""

from __future__ import annotations

import json
from typing import Any


def parsed(body: bytes) -> Any:
    """Return what a body says in JSON; half a surrogate pair, which is no text, is replaced.

    That vendors replace it is assumed.

    Raises:
        ValueError: It is no JSON, or too deep.
    """
    try:
        value = json.loads(body)
        if b"\\ud" in body.lower():
            value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    except RecursionError as problem:
        raise ValueError(str(problem)) from problem
    return value
