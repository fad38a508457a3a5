"""Starts and stops the whole of Bothways on one machine: `python -m demo up | down | clean`."""

from __future__ import annotations
