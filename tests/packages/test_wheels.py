"""What the wheels hold."""

from __future__ import annotations

import zipfile
from pathlib import Path

from tests.support.installation import PROJECT


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def sources(folder: Path, pattern: str = "*") -> set[str]:
    return {
        path.relative_to(folder.parent).as_posix()
        for path in folder.rglob(pattern)
        if path.is_file()
        and not {"__pycache__", "build"} & set(path.parts)
        and not any(part.endswith(".egg-info") for part in path.parts)
    }


def test_the_library_holds_all_of_its_own_files_and_what_init_writes(
    wheels: dict[str, Path],
) -> None:
    held = names(wheels["bothways"])
    templates = {
        f"bothways/templates/{path.relative_to(PROJECT).as_posix()}": path
        for folder in (PROJECT / "dags", PROJECT / "include" / "mappings")
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert held == sources(PROJECT / "src" / "bothways") | set(templates)
    with zipfile.ZipFile(wheels["bothways"]) as archive:
        for name, path in templates.items():
            assert archive.read(name) == path.read_bytes(), name


def test_the_sandbox_holds_every_vendor(wheels: dict[str, Path]) -> None:
    sandbox = PROJECT / "sandbox"
    assert names(wheels["bothways_sandbox"]) == sources(sandbox, "*.py") | sources(
        sandbox, "*.json"
    )
