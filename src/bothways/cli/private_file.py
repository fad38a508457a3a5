"""Files about people: new, and for their owner only."""

from __future__ import annotations

import os
from pathlib import Path

from bothways.errors import ConfigurationError


def write_private(path: Path, text: str) -> None:
    """Write a new file that only its owner can read.

    Raises:
        ConfigurationError: The file is there already, or cannot be written.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigurationError(
            f"{path} cannot be written ({reason}); name another file."
        ) from None
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text + "\n")
