"""Reads an answer to its end, within a time that no trickle of bytes prolongs."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http.client import HTTPResponse
from math import inf
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    from socket import socket

    from urllib3 import ProxyManager

_until: ContextVar[float] = ContextVar("until", default=inf)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Bound all reads of the answers that are asked for in this block, headers included."""
    token = _until.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _until.reset(token)


def parsed(content: bytes) -> Any:
    """Return JSON.

    Raises:
        ValueError: It is none, or nested more deeply than any vendor's.
    """
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("nested too deeply") from None


class _Bounded(io.RawIOBase):
    """Reads from a socket until a deadline.

    A socket's own timeout starts anew with each byte that comes.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket, until: float) -> None:
        self._raw = raw
        self._sock = sock
        self._until = until
        self._pause = sock.gettimeout()

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def readinto(self, buffer: Any) -> int | None:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left if self._pause is None else min(left, self._pause))
        try:
            return self._raw.readinto(buffer)
        finally:
            self._sock.settimeout(self._pause)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        until = _until.get()
        if until < inf:
            self.fp = io.BufferedReader(_Bounded(self.fp.detach(), sock, until))


class _Connection(HTTPConnection):
    response_class = _Response


class _TlsConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS = {"http": _Pool, "https": _TlsPool}


class BoundedAdapter(HTTPAdapter):
    """Creates connections that respect the deadline of `within`."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the connections to vendors."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> ProxyManager:
        """Make the connections through a proxy."""
        manager: ProxyManager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager
