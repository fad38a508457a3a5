"""Staged files are for their owner only, and a file that cannot be written whole is not there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from upath import UPath

from bothways.engine.staging import Staging
from bothways.errors import StagingError

ROWS = pa.table({"email": ["ann@mail.example"] * 100, "bucket": [1] * 100})


def kinds(root: Path) -> list[Any]:
    """A plain path, and one of the class that the tasks use."""
    from airflow.sdk import ObjectStoragePath

    return [UPath(root / "plain"), ObjectStoragePath(f"file://{root}/storage")]


def test_folders_and_files_are_for_their_owner_only(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    umask = os.umask(0o022)
    try:
        for root in kinds(tmp_path):
            staging = Staging(root / "acme" / "1")
            staging.write_page("crm", "contacts", 1, ROWS)
            staging.write_json({"at": 1}, "crm", "read.json")
    finally:
        os.umask(umask)
    made = list(tmp_path.rglob("*"))
    assert len(made) == 14
    modes = {(path.is_dir(), oct(path.stat().st_mode & 0o777)) for path in made}
    assert modes == {(True, "0o700"), (False, "0o600")}
    assert tmp_path.stat().st_mode & 0o777 == 0o755, "a folder that was there is left alone"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_said_and_leaves_no_torn_file(tmp_path: Path) -> None:
    for root in kinds(tmp_path):
        staging = Staging(root)
        staging.write_json({}, "crm", "contacts", "first.json")
        for name in ("000001.parquet", "next.json"):
            (Path(root.path) / "crm" / "contacts" / name).symlink_to("/dev/full")
        with pytest.raises(StagingError, match="The disk of BOTHWAYS_STAGING is full; make room"):
            staging.write_page("crm", "contacts", 1, ROWS)
        with pytest.raises(StagingError, match="is full"):
            staging.write_json({"long": "x" * 100_000}, "crm", "contacts", "next.json")
        left = [path.name for path in (Path(root.path) / "crm" / "contacts").iterdir()]
        assert left == ["first.json"]


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "crm").write_text("a file in the way")
    with pytest.raises(StagingError, match=r"cannot be written \(.+\); check the folder"):
        Staging(UPath(tmp_path)).write_page("crm", "contacts", 1, ROWS)
