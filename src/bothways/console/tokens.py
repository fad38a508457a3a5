"""What the console hands to a browser and believes when it comes back.

An address in a URL would stand in every access log on the way, so pages carry it sealed. A form
carries a token of the person that it was shown to, which another site cannot know.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken

FORM_SECONDS = 12 * 60 * 60


class Tokens:
    """Makes and reads tokens.

    Args:
        secret: What all API servers of the deployment share, and nobody else knows.
    """

    def __init__(self, secret: str) -> None:
        self._fernet = Fernet(base64.urlsafe_b64encode(hashlib.sha256(secret.encode()).digest()))

    def seal(self, text: str) -> str:
        """Return ``text`` so that it can stand in a URL."""
        return self._fernet.encrypt(b"text:" + text.encode()).decode()

    def unseal(self, token: str) -> str | None:
        """Return what was sealed; None where the token is not one of ours."""
        return _after(b"text:", self._read(token, None))

    def form_token(self, user: str) -> str:
        """Return the token of forms that are shown to this user."""
        return self._fernet.encrypt(b"form:" + user.encode()).decode()

    def is_form_token(self, token: str, user: str) -> bool:
        """Return whether a form with this token was shown to this user within the last 12 hours."""
        found = _after(b"form:", self._read(token, FORM_SECONDS))
        return found is not None and hmac.compare_digest(found.encode(), user.encode())

    def _read(self, token: str, seconds: int | None) -> bytes:
        try:
            return self._fernet.decrypt(token.encode(), ttl=seconds)
        except (InvalidToken, UnicodeEncodeError):
            return b""


def _after(prefix: bytes, content: bytes) -> str | None:
    return content.removeprefix(prefix).decode() if content.startswith(prefix) else None
