"""Something that happens while a run reads a vendor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import requests

_PAGE = "bothways.connectors.dotdigital.client.V2_PAGE"


@contextmanager
def between_pages(part: str, act: Callable[[], object], *, page: int) -> Iterator[None]:
    """Do something once, after the first request whose address has this part is answered.

    Args:
        part: Of the address.
        act: What happens then.
        page: Rows of a page meanwhile, so that there is more to read after the first.
    """
    send, done = requests.Session.send, []

    def sent(self: requests.Session, request: Any, **options: Any) -> requests.Response:
        answer = send(self, request, **options)
        if part in request.url and not done:
            done.append(True)
            act()
        return answer

    with patch.object(requests.Session, "send", sent), patch(_PAGE, page):
        yield
