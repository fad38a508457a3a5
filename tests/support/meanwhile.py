"""Something that happens while a run reads a vendor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import requests

from tests.support.platforms import Platform


@contextmanager
def between_pages(
    platform: Platform, part: str, act: Callable[[], object], *, page: int
) -> Iterator[None]:
    """Do something once, after the first request whose address has this part is answered.

    Args:
        platform: Whose pages are short.
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

    with ExitStack() as changed:
        changed.enter_context(patch.object(requests.Session, "send", sent))
        for name, value in platform.short_pages(page).items():
            changed.enter_context(patch(name, value))
        yield
