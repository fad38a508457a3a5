"""What a connector sends and gets, held to the vendor's own files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import requests

from tests.support.openapi import Contract


def checked(contract: Contract | None) -> Callable[..., None]:
    """Return a hook that holds what was accepted, and what came back, to the files."""

    def check(answer: requests.Response, **_options: Any) -> None:
        sent = answer.request
        struck = "text/html" in answer.headers.get("Content-Type", "")
        if contract is None or struck or answer.status_code >= 400:
            return
        try:
            content = answer.content
        except requests.RequestException:
            return  # cut on purpose
        request = httpx.Request(
            sent.method or "", sent.url or "", headers=dict(sent.headers), content=sent.body or b""
        )
        contract.check(
            httpx.Response(
                answer.status_code,
                headers={"Content-Type": answer.headers.get("Content-Type", "")},
                content=content,
                request=request,
            )
        )

    return check
