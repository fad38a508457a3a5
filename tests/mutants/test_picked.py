"""The mutants that matter most are noticed, each by the test that is about it."""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mutants.picked import PICKED, Mutant

ROOT = Path(__file__).parents[2]
FAILED = 1  # pytest's exit code for tests that failed, and for nothing else


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the library to break, compiled once for all its mutants."""
    folder = tmp_path_factory.mktemp("mutants")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src" / "bothways", folder / "bothways", ignore=ignored)
    assert compileall.compile_dir(folder / "bothways", quiet=1)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.parametrize("mutant", PICKED, ids=[mutant.name for mutant in PICKED])
def test_a_mutant_is_noticed(mutant: Mutant, library: Path) -> None:
    module = library / "bothways" / mutant.module
    sound = module.read_text(encoding="utf-8")
    assert sound.count(mutant.code) == 1, f"{mutant.code!r} does not stand once in {mutant.module}"
    module.write_text(sound.replace(mutant.code, mutant.instead), encoding="utf-8")
    try:
        done = _run(mutant.test, library)
    finally:
        module.write_text(sound, encoding="utf-8")
    assert done.returncode == FAILED, f"{mutant.name}, and nobody notices:\n{done.stdout[-2000:]}"


def _run(test: str, library: Path) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    env |= {"PYTHONPATH": str(library), "PYTHONDONTWRITEBYTECODE": "1"}
    env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # loading all of them takes as long as a test
    plugins = ["-p", "pytest_timeout", "-p", "pytest_socket"]
    command = [sys.executable, "-m", "pytest", "-q", "-x", *plugins, test]
    return subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300, check=False
    )
