"""The time zone in which pages tell and take times: that of Airflow's UI in the person's browser.

The browser sends its name in a cookie (static/console.js). Without one, times are in UTC. Each
page names the zone that its times are in.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from fastapi import Request

COOKIE: Final = "bothways_zone"
UTC: Final = ZoneInfo("UTC")

_current: ContextVar[ZoneInfo] = ContextVar("zone", default=UTC)


def current() -> ZoneInfo:
    """Return the zone of the request that is being answered."""
    return _current.get()


def follow(request: Request) -> None:
    """Let the rest of a request's answer be in the zone that its browser is in."""
    _current.set(named(unquote(request.cookies.get(COOKIE, ""))) or UTC)


def named(name: str | None) -> ZoneInfo | None:
    """Return the zone of a name, None where there is none of that name."""
    try:
        return ZoneInfo(name) if name else None
    except (ValueError, OSError, KeyError):  # of the wrong form, a folder, unknown
        return None
