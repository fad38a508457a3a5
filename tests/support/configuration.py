"""An `include/` folder of a test's own: the shipped mappings, and the accounts that it writes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bothways.config.paths import INCLUDE_VARIABLE

SHIPPED = Path(__file__).resolve().parents[2] / "include"
DEMO = (SHIPPED / "accounts" / "demo.yaml").read_text(encoding="utf-8")
SMALLEST = """\
crm: {connector: dynamics, connection: crm_connection}
marketing: {connector: dotdigital, connection: platform_connection}
"""


class IncludeFolder:
    """What a deployment edits, in a temporary folder that `BOTHWAYS_INCLUDE` names."""

    def __init__(self, path: Path, patch: pytest.MonkeyPatch) -> None:
        self.path = path
        (path / "accounts").mkdir(parents=True)
        shutil.copytree(SHIPPED / "mappings", path / "mappings")
        patch.setenv(INCLUDE_VARIABLE, str(path))

    def account(self, name: str, text: str | bytes) -> Path:
        """Write `accounts/<name>.yaml`."""
        return self.write(f"accounts/{name}.yaml", text)

    def write(self, name: str, text: str | bytes) -> Path:
        """Write any file below the folder."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path
