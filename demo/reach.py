"""Where root's PostgreSQL can lie: it runs as `nobody`, who passes through no folder of root's own.

The folders above a checkout are not ours to open. What `nobody` cannot reach lies below `BASE`
instead, under a name made of its own path; `make clean` removes it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from pathlib import Path

from demo.environment import PROJECT

BASE = Path("/var/lib/bothways-demo")
# What `make clean` reads.
ELSEWHERE = PROJECT / ".bothways" / "elsewhere"


def within_reach(path: Path) -> Path:
    """The path itself, or, for root, a place below `BASE` if `nobody` cannot reach it."""
    if os.geteuid() != 0 or _reachable(path):
        return path
    return _place(str(path)) / path.name


def make(path: Path) -> None:
    """Makes a folder; one that is elsewhere can be reached, and `make clean` finds it."""
    path.mkdir(parents=True)
    if BASE in path.parents:
        _open(path.parent)


def copied_within_reach(folder: Path, *beside: Path) -> Path:
    """Likewise for a folder that is only read: copies it, and what lies beside it, where needed.

    Args:
        folder: holds programs.
        beside: folders that the programs need at the same distance from them.
    """
    if os.geteuid() != 0 or (_reachable(folder / "any") and _readable(folder)):
        return folder
    top = Path(os.path.commonpath([folder, *beside])) if beside else folder.parent
    place = _place(f"{folder} of {folder.stat().st_mtime_ns}")
    for source in (folder, *beside):
        target = place / source.relative_to(top)
        if source.exists() and not target.exists():
            draft = target.with_name(f"{target.name}.{os.getpid()}")
            shutil.copytree(source, draft, symlinks=True)
            for path in (draft, *draft.rglob("*")):
                if not path.is_symlink():
                    path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
            draft.parent.chmod(0o755)
            try:
                draft.rename(target)
            except OSError:  # another process was first
                shutil.rmtree(draft)
    _open(place)
    return place / folder.relative_to(top)


def _place(of: str) -> Path:
    return BASE / hashlib.sha256(of.encode()).hexdigest()[:16]


def _open(place: Path) -> None:
    """Lets everybody pass through a place of ours, and notes it."""
    for folder in (place, BASE):
        folder.chmod(folder.stat().st_mode | stat.S_IXOTH)
    ELSEWHERE.parent.mkdir(parents=True, exist_ok=True)
    known = ELSEWHERE.read_text().splitlines() if ELSEWHERE.exists() else []
    if str(place) not in known:
        ELSEWHERE.write_text("".join(f"{line}\n" for line in [*known, place]))


def _reachable(path: Path) -> bool:
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in path.parents if folder.exists())


def _readable(folder: Path) -> bool:
    return all(path.stat().st_mode & stat.S_IROTH for path in (folder, *folder.iterdir()))
