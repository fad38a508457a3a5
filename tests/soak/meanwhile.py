"""Something that happens while a run reads a vendor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import requests

_PAGE = "bothways.connectors.dotdigital.client.V2_PAGE"


@contextmanager
def once_told(part: str, act: Callable[[], object]) -> Iterator[None]:
    """Do something once, when the first request whose address has this part is answered.

    Meanwhile listings come in pages of two, so that there is something to read after it.
    """
    send, done = requests.Session.send, []

    def sent(self: requests.Session, request: Any, **options: Any) -> requests.Response:
        answer = send(self, request, **options)
        if part in request.url and not done:
            done.append(True)
            act()
        return answer

    with patch.object(requests.Session, "send", sent), patch(_PAGE, 2):
        yield
