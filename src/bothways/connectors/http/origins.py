"""Where credentials may be sent: the vendor's hosts, this machine, what a deployment trusts.

More people can change a connection than may read the secret in it. The connection alone therefore
never decides where its secret goes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from bothways.errors import ConfigurationError

TRUSTED_VARIABLE = "BOTHWAYS_TRUSTED_ORIGINS"

_DEFAULT_PORTS = {"http": 80, "https": 443}
# Libraries read anything else, a backslash or a line break say, in different ways.
_PLAIN = re.compile(r"[!-\[\]-~]+")
_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Address:
    """An absolute address that every library reads in the same way.

    Args:
        scheme: `http` or `https`.
        host: In lower case; an IPv6 address without its brackets.
        port: None for the scheme's own.
        path: Without a slash at its end; query and fragment are dropped.
    """

    scheme: str
    host: str
    port: int | None
    path: str

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + (f":{self.port}" if self.port else "")

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse(url: str) -> Address | None:
    """Return an address; None where it is none, or where libraries could differ about its host."""
    if not _PLAIN.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or "@" in parts.netloc or not _is_host(host):
        return None
    own = None if port == _DEFAULT_PORTS[parts.scheme] else port
    return Address(parts.scheme, host, own, parts.path.rstrip("/"))


def credentials_go_to(url: str, *, vendor: str, hosts: Collection[str]) -> Address:
    """Return an address of a connection if the connection's credentials may be sent there.

    Args:
        url: What the connection says.
        vendor: Title of the vendor, for the error.
        hosts: The vendor's own: names, or endings of names that begin with a dot.

    Raises:
        ConfigurationError: It is no address, in clear text, or somebody else's.
    """
    address = parse(url.strip())
    if address is None:
        raise ConfigurationError(
            f"{vendor}: an address in the connection is not understood; write it as https://host"
        )
    if address.is_loopback or address.origin in trusted_origins():
        return address
    if not any(_belongs(address.host, known) for known in hosts):
        raise ConfigurationError(
            f"{vendor}: credentials are not sent to {address.host}, which is not the vendor's; "
            f"correct the connection, or name {address.origin} in {TRUSTED_VARIABLE}"
        )
    if address.scheme != "https":
        raise ConfigurationError(
            f"{vendor}: credentials are not sent in clear text; write https://{address.host}"
        )
    return address


def trusted_origins() -> frozenset[str]:
    """Return what the deployment trusts beside the vendors: `scheme://host:port`, as in a proxy.

    The variable is of the process, so that nobody who edits a connection can add to it.

    Raises:
        ConfigurationError: One of them is no address.
    """
    words = os.environ.get(TRUSTED_VARIABLE, "").replace(",", " ").split()
    addresses = {word: parse(word) for word in words}
    for word, address in addresses.items():
        if address is None:
            raise ConfigurationError(
                f"{TRUSTED_VARIABLE} has `{word}`, which is no address; "
                "write addresses like https://proxy.example:8443 separated by spaces"
            )
    return frozenset(address.origin for address in addresses.values() if address)


def _belongs(host: str, known: str) -> bool:
    return host.endswith(known) if known.startswith(".") else host == known


def _is_host(host: str) -> bool:
    if ":" not in host:
        return bool(_HOST.fullmatch(host))
    try:
        return ip_address(host).version == 6
    except ValueError:
        return False
