"""What Dotdigital's refusals mean for the rows that were sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

from bothways.connectors.dotdigital.errors import is_consent
from bothways.connectors.http import results
from bothways.errors import ConnectorError, redact


@dataclass(frozen=True, slots=True)
class Verdict(results.Verdict):
    """What became of one thing that was sent."""

    @classmethod
    def refused(cls, code: str, message: str, record_id: str | None = None) -> Self:
        """Return an error, or an ignored row where the refusal protects somebody's choice."""
        outcome: Literal["ignored", "error"] = "ignored" if is_consent(code, message) else "error"
        return cls(outcome, record_id, code, redact(message))

    @classmethod
    def failed(cls, error: ConnectorError) -> Self:
        """Return what a refused request means for one that was in it.

        Without a code the words may be ours, and name the route: they tell nothing of consent.
        """
        verdict = cls.refused(error.code, error.message if error.code else "")
        return cls(verdict.outcome, None, error.code, error.message, error.transient)
