"""Packages that seem to be installed: metadata and modules in a folder of `sys.path`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import invalidate_caches
from pathlib import Path
from textwrap import dedent

import pytest

from bothways import discovery


class SitePackages:
    """A folder in which a test "installs" packages; discovery forgets what it knew before.

    Args:
        path: An empty folder.
        patch: Puts it on `sys.path` until the test ends.
    """

    def __init__(self, path: Path, patch: pytest.MonkeyPatch) -> None:
        self.path = path
        self._patch = patch
        patch.syspath_prepend(path)

    def install(
        self, package: str, entry_points: Mapping[str, Mapping[str, str]], code: str = ""
    ) -> None:
        """Install a package with a module of its name.

        Args:
            package: Name of the distribution and of the module.
            entry_points: By group and name, the objects.
            code: Of the module.
        """
        info = self.path / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        groups = (
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
            for group, points in entry_points.items()
        )
        (info / "entry_points.txt").write_text("\n".join(groups))
        (self.path / f"{package}.py").write_text(dedent(code))
        self._patch.delitem(sys.modules, package, raising=False)
        invalidate_caches()
        discovery.forget()
