"""What an account of the sandbox always shows: constants.json, by what shows it."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

CONSTANTS: dict[str, dict[str, Any]] = json.loads(
    files("sandbox.mailchimp").joinpath("constants.json").read_text(encoding="utf-8")
)


def over(constant: dict[str, Any], varying: dict[str, Any]) -> dict[str, Any]:
    """Return what varies over what is constant, object by object."""
    return constant | {
        name: over(constant[name], value)
        if isinstance(value, dict) and isinstance(constant.get(name), dict)
        else value
        for name, value in varying.items()
    }
