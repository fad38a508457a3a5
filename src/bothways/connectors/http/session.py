"""A kept `requests` session that cannot wait for ever, follow redirects or keep cookies."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests

from bothways.connectors.http.reading import BoundedAdapter

# At DEBUG urllib3 logs each request's path, and a path may hold an address.
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait for a connection, and for the next bytes of an answer."""

    connect_s: float = 10.0
    read_s: float = 125.0

    def as_pair(self) -> tuple[float, float]:
        """Return them as `requests` wants them."""
        return self.connect_s, self.read_s


class Session(requests.Session):
    """A session whose every request has a timeout.

    Cookies are dropped, since an affinity cookie would pin all calls to one server. Redirects are
    not followed: an API does not redirect, and credentials must not travel to another address.

    Args:
        parallel: Connections to keep.
        timeouts: For each request that brings none.
        verify: False never; True, or the path of a file with certificate authorities.
    """

    def __init__(self, *, parallel: int, timeouts: Timeouts, verify: bool | str = True) -> None:
        super().__init__()
        self.timeouts = timeouts
        self.verify = verify
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = BoundedAdapter(pool_connections=4, pool_maxsize=parallel, max_retries=0)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send, with a timeout and without following redirects."""
        kwargs["timeout"] = kwargs.get("timeout") or self.timeouts.as_pair()
        kwargs["allow_redirects"] = False
        if isinstance(self.verify, str):
            # requests would let the environment's bundle outrank the connection's own.
            kwargs["verify"] = self.verify
        return super().send(request, **kwargs)
