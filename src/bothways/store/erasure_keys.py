"""The keys under which erased people's addresses are hashed. They lie outside of the store.

A hash says under which key it was made, so that a new key can be put into use while the hashes of
earlier ones are still understood. Without its key a hash is worthless, and whoever was erased would
come back; so a key that is missing stops the runs.
"""

from __future__ import annotations

import hashlib
import re
import secrets as random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import sqlalchemy as sa

from bothways.errors import ConfigurationError
from bothways.store.schema import erased, secrets

CONNECTION: Final = "bothways_erasure"
"""The Airflow connection whose password holds the keys, the newest first."""
OPTION: Final = "bothways_erasure_keys"
"""The execution option by which a connection to the store gives the keys."""

_STORED: Final = "erasure"
_KEY: Final = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)
_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Key:
    """A key, and the id by which hashes name it; the id does not reveal the key."""

    secret: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits."""
        return hashlib.sha256(b"bothways erasure key\0" + self.secret).hexdigest()[:16]


Keys = tuple[Key, ...]
GiveKeys = Callable[[], Keys]


def no_keys() -> Keys:
    """Return no key."""
    return ()


def new_key() -> str:
    """Return a new key as it is written into the connection."""
    return random.token_hex(_KEY_BYTES)


def parse_keys(text: str) -> Keys:
    """Return the keys that a text holds: 64 hexadecimal digits each, between commas or spaces.

    Raises:
        ConfigurationError: Something else stands in it; the text is not quoted.
    """
    words = text.replace(",", " ").split()
    if not all(_KEY.fullmatch(word) for word in words):
        raise ConfigurationError(
            f"The password of Airflow's connection `{CONNECTION}` is not a key of 64 hexadecimal "
            "digits, nor several between commas; `bothways erasure-key` makes one."
        )
    return tuple(Key(bytes.fromhex(word)) for word in words)


def known_keys(conn: sa.Connection) -> Keys:
    """Return the keys of the connection, and the one that an earlier version kept in the store."""
    given = _given(conn)
    stored = stored_key(conn)
    return given if stored is None or stored in given else (*given, stored)


def newest_key(conn: sa.Connection) -> Key:
    """Return the key for new hashes.

    Raises:
        ConfigurationError: The connection holds none; what the store itself keeps is not used.
    """
    given = _given(conn)
    if not given:
        raise ConfigurationError(
            f"Airflow has no connection `{CONNECTION}` with the key of erased addresses, so nobody "
            "can be erased; `bothways erasure-key` says what to do."
        )
    return given[0]


def keys_in_use(conn: sa.Connection, *, account: str) -> Keys:
    """Return the keys under which the hashes of an account were made.

    Raises:
        ConfigurationError: One of them is missing.
    """
    query = sa.select(erased.c.key_id).where(erased.c.account == account).distinct()
    used = set(conn.execute(query).scalars())
    if not used:
        return ()
    keys = {key.id: key for key in known_keys(conn)}
    if missing := sorted(used - keys.keys()):
        raise ConfigurationError(
            f"Airflow's connection `{CONNECTION}` lacks the key {missing[0]} of people who were "
            "erased. Nothing is synced until its password has the key again, since they would "
            "come back; `bothways erasure-key` shows how many there are."
        )
    return tuple(keys[name] for name in sorted(used))


def count_hashes(conn: sa.Connection) -> dict[str, int]:
    """Return the number of hashes by the id of their key."""
    query = sa.select(erased.c.key_id, sa.func.count()).group_by(erased.c.key_id)
    return {name: int(number) for name, number in conn.execute(query.order_by(erased.c.key_id))}


def stored_key(conn: sa.Connection) -> Key | None:
    """Return the key that an earlier version made and kept in the store."""
    query = sa.select(secrets.c.value).where(secrets.c.name == _STORED)
    found = conn.execute(query).scalar_one_or_none()
    return None if found is None else Key(bytes(found))


def remove_stored_key(conn: sa.Connection) -> bool:
    """Remove the key from the store where it is no longer needed there; say whether it is gone."""
    stored = stored_key(conn)
    if stored is not None and stored.id in count_hashes(conn) and stored not in _given(conn):
        return False
    conn.execute(secrets.delete().where(secrets.c.name == _STORED))
    return True


def _given(conn: sa.Connection) -> Keys:
    give: GiveKeys = conn.get_execution_options().get(OPTION, no_keys)
    return give()
