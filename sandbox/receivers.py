"""Calls to receivers of webhooks, of whichever vendor."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from types import MappingProxyType

# Receivers are on this machine or beside it, where no proxy leads.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def status(
    url: str,
    timeout_s: float,
    body: bytes | None = None,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> int:
    """Return the status of a receiver's answer to a GET, or to a POST of a body.

    0 where there is no answer, or one that is not HTTP, or the URL leads nowhere.

    Args:
        url: The receiver's; that it is one of http or https is checked when it is registered.
        timeout_s: Seconds that each step of the call may take.
        body: What is posted.
        headers: Of the request.
    """
    try:
        request = urllib.request.Request(url, body, dict(headers))  # noqa: S310 (checked before)
        with _OPENER.open(request, timeout=timeout_s) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as problem:
        with problem:
            return problem.code
    except (OSError, HTTPException, ValueError):
        return 0
