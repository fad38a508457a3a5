"""Folders that are gone after a test: in memory, where the machine has plenty of it.

A test makes and removes some hundred folders and files, its databases some thousand more, and
Airflow's database waits for the disk at each commit. None of that is worth keeping.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

import psutil

MEMORY = Path("/dev/shm")
# Far more than the databases, logs and files of a whole run come to.
_PLENTY_BYTES = 8 << 30


def scratch_folder(name: str) -> Path:
    """Make a folder of one's own, which the caller removes; nothing in it can be executed."""
    return Path(tempfile.mkdtemp(prefix=f"bothways-{name}-", dir=_place()))


@cache
def _place() -> Path | None:
    """Return where such folders lie; None leaves it to the machine's folder for temporary files."""
    if not os.access(MEMORY, os.W_OK | os.X_OK):
        return None
    free = min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available)
    return MEMORY if free > _PLENTY_BYTES else None
