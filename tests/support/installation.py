"""The wheels of this checkout, and environments in which nothing but them is installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
LOWEST = PROJECT / "tests" / "packages" / "lowest.txt"
PINNED = PROJECT / "requirements.txt"
THIRD_PARTY = PROJECT / "tests" / "third_party"
# What the builds of the library and of the sandbox read.
_SOURCES = (
    "pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE",
    "src", "dags", "include", "sandbox",
)  # fmt: skip
_IGNORED = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
_UV = str(Path(sys.executable).with_name("uv"))
_NO_INDEX = ("Failed to fetch", "error sending request", "dns error")
_INSTALL_S = 600
_COMMAND_S = 180


def build_wheels(folder: Path) -> dict[str, Path]:
    """Build the wheels of library, sandbox and third party, as somebody who publishes them would.

    Args:
        folder: An empty one, for copies of the sources and for the wheels.

    Returns:
        The wheels by distribution, as `bothways_sandbox`.
    """
    source, wheels = folder / "source", folder / "wheels"
    source.mkdir()
    for name in _SOURCES:
        path = PROJECT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=_IGNORED)
        else:
            shutil.copy(path, source / name)
    shutil.copytree(THIRD_PARTY, source / "third_party", ignore=_IGNORED)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels)]
    _run([*command, ".", "./sandbox", "./third_party"], cwd=source, seconds=_INSTALL_S)
    return {path.name.split("-")[0]: path for path in wheels.glob("*.whl")}


class Installation:
    """A virtual environment of its own, with an Airflow's home beside it.

    Args:
        folder: An empty one.
        constraints: The versions that are installed.
        wheels: What is installed, with all that it needs.
        env: What every command finds in its environment beside the home.
    """

    def __init__(
        self,
        folder: Path,
        constraints: Path,
        wheels: list[Path],
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        self._bin = folder / "venv" / "bin"
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        self.env = {
            **kept,
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
            "COLUMNS": "200",
            **(env or {}),
        }
        python = str(self._bin / "python")
        _run([_UV, "venv", "--quiet", "--python", sys.executable, str(folder / "venv")])
        install = [_UV, "pip", "install", "--quiet", "--python", python, "-c", str(constraints)]
        # what comes with pip, as in an environment that somebody makes by hand
        _run([*install, "pip", *map(str, wheels)], seconds=_INSTALL_S)

    def run(self, program: str, *arguments: str, seconds: float = _COMMAND_S) -> str:
        """Return what a program of the environment prints.

        Raises:
            AssertionError: It failed; what it said is in the message.
        """
        command = [str(self._bin / program), *arguments]
        return _run(command, cwd=self.home, env=self.env, seconds=seconds)

    def json(self, program: str, *arguments: str) -> Any:
        """Return the last line that a program prints, as JSON; logs may stand before it."""
        return json.loads(self.run(program, *arguments).strip().splitlines()[-1])

    def start(self, program: str, *arguments: str, log: Path) -> subprocess.Popen[bytes]:
        """Start a program that goes on until it is ended."""
        with log.open("wb") as output:
            return subprocess.Popen(
                [str(self._bin / program), *arguments],
                cwd=self.home,
                env=self.env,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )


def _run(
    command: list[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    seconds: float = _COMMAND_S,
) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=seconds
    )
    if done.returncode and any(words in done.stderr for words in _NO_INDEX) and not _in_ci():
        pytest.skip("no package index can be reached")
    assert done.returncode == 0, (
        f"{' '.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    )
    return done.stdout


def _in_ci() -> bool:
    return bool(os.environ.get("CI"))
