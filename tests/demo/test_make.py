"""What a person meets when the machine is not as expected: one clear sentence, and a way on."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
DISTRIBUTIONS = ("pyproject.toml", "sandbox/pyproject.toml")
# Answers for an interpreter: it is new enough, and what it "makes" notes how it is called.
INTERPRETER = """#!/bin/sh
case "$1 $2" in
    "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    "-m pip") echo "$@" >> calls ;;
esac
"""
COPIED = (
    "demo/install.sh", "requirements.txt", "requirements-dev.txt", *DISTRIBUTIONS,
)  # fmt: skip


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A project with no environment, and an interpreter that installs nothing."""
    (tmp_path / "demo").mkdir()
    (tmp_path / "sandbox").mkdir()
    for name in COPIED:
        shutil.copy(PROJECT / name, tmp_path / name)
    (tmp_path / "python").write_text(INTERPRETER)
    (tmp_path / "python").chmod(0o755)
    return tmp_path


def install(
    checkout: Path, python: str | None, requirements: str = "requirements.txt"
) -> tuple[int, str]:
    tools = checkout / "tools"
    tools.mkdir(exist_ok=True)
    for tool in ("cat", "cksum", "dirname", "rm", "mkdir", "tail", "ls", "cp", "sh"):
        if not (tools / tool).exists():
            (tools / tool).symlink_to(str(shutil.which(tool)))
    env = {"PATH": str(tools)} | ({"PYTHON": python} if python else {})
    result = subprocess.run(
        ["/bin/sh", "demo/install.sh", requirements],
        cwd=checkout,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode, (result.stdout + result.stderr).strip()


def calls(checkout: Path) -> int:
    path = checkout / "calls"
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_no_python_is_one_clear_sentence(checkout: Path) -> None:
    code, said = install(checkout, None)
    assert code == 1
    assert said.startswith("Bothways needs Python 3.11, 3.12 or 3.13, and none was found")
    assert "\n" not in said


def test_a_second_time_nothing_is_installed(checkout: Path) -> None:
    assert install(checkout, str(checkout / "python"))[0] == 0
    first = calls(checkout)
    assert first > 0
    assert install(checkout, None) == (0, "")
    assert calls(checkout) == first


def test_what_serves_the_tests_serves_the_demo(checkout: Path) -> None:
    assert install(checkout, str(checkout / "python"), "requirements-dev.txt")[0] == 0
    first = calls(checkout)
    assert install(checkout, None) == (0, "")
    assert calls(checkout) == first


@pytest.mark.parametrize("changed", ["requirements.txt", *DISTRIBUTIONS])
def test_changed_requirements_are_installed(checkout: Path, changed: str) -> None:
    install(checkout, str(checkout / "python"))
    first = calls(checkout)
    with (checkout / changed).open("a") as file:
        file.write("# another\n")
    assert install(checkout, None)[0] == 0
    assert calls(checkout) == 2 * first


@pytest.mark.parametrize("remains", ["bin/python", "pyvenv.cfg"])
def test_a_half_made_environment_is_made_anew(checkout: Path, remains: str) -> None:
    left = checkout / ".bothways" / "venv" / remains
    left.parent.mkdir(parents=True)
    left.write_text("#!/bin/sh\nexit 1\n")
    left.chmod(0o755)
    code, said = install(checkout, str(checkout / "python"))
    assert code == 0, said
    assert "half-made" in said
    assert (checkout / ".bothways" / "venv" / "bin" / "python").read_text() == INTERPRETER


def test_a_failed_installation_is_not_taken_for_a_whole_one(checkout: Path) -> None:
    (checkout / "python").write_text(
        INTERPRETER.replace('echo "$@" >> calls', "echo no network; exit 1")
    )
    code, said = install(checkout, str(checkout / "python"))
    assert code == 1
    assert "The installation failed: read .bothways/logs/install.log" in said
    (checkout / "python").write_text(INTERPRETER)
    assert install(checkout, str(checkout / "python"))[0] == 0


@pytest.mark.parametrize("variable", ["BOTHWAYS_PORT", "BOTHWAYS_SANDBOX_PORT"])
def test_a_taken_port_is_one_clear_sentence(variable: str, tmp_path: Path) -> None:
    shutil.copytree(PROJECT / "demo", tmp_path / "demo")
    shutil.copytree(PROJECT / "include" / "environment", tmp_path / "include" / "environment")
    with socket.socket() as other, socket.socket() as free:
        other.bind(("127.0.0.1", 0))
        other.listen()
        free.bind(("127.0.0.1", 0))
        ports = {
            "BOTHWAYS_PORT": free.getsockname()[1],
            "BOTHWAYS_SANDBOX_PORT": free.getsockname()[1],
        }
        free.close()
        ports[variable] = other.getsockname()[1]
        result = subprocess.run(
            [sys.executable, "-m", "demo", "up"],
            cwd=tmp_path,
            env={**os.environ, **{name: str(port) for name, port in ports.items()}},
            capture_output=True,
            text=True,
            check=False,
        )
    assert result.returncode == 1
    assert result.stderr.strip() == (
        f"Port {ports[variable]} is taken by another program: stop that, or choose a free one, "
        f"for example `make demo {variable}={ports[variable] + 1}`."
    )


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_an_audit_that_could_not_look_up_every_package_fails() -> None:
    told = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", "audit"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "for name in requirements requirements-dev" in told.stdout
    assert "pip-audit --strict --disable-pip --require-hashes" in told.stdout
    assert "make audit" not in (PROJECT / ".ci" / "run").read_text()
