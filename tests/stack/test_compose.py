"""docker-compose.yaml against the project: whatever it names exists, and is what the demo uses."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from demo.environment import PROJECT, shared
from demo.stack import Stack

COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: s for name, s in SERVICES.items() if "build" in s}
INSIDE = "/opt/bothways"
# What a distributed Airflow needs and the demo, on one machine with its LocalExecutor, has not.
ONLY_DISTRIBUTED = {
    "AIRFLOW__CELERY__BROKER_URL",
    "AIRFLOW__CELERY__RESULT_BACKEND",
    "AIRFLOW__CELERY__WORKER_CONCURRENCY",
    "BOTHWAYS_TRUSTED_ORIGINS",
}


@pytest.fixture(scope="module")
def demo_env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return Stack(tmp_path_factory.mktemp("home"), 8080).env


@cache
def known_options() -> set[str]:
    """Every option of the installed Airflow and its providers, as an environment variable."""
    from airflow.configuration import conf

    return {
        f"AIRFLOW__{section}__{option}".upper()
        for section, content in conf.configuration_description.items()
        for option in content["options"]
    }


def commands() -> Iterator[tuple[str, list[str]]]:
    """Each command of our own image: of services, their health checks and their scripts."""
    for name, service in OURS.items():
        yield name, service["command"]
        if service["command"][0] == "sh":
            script = PROJECT / service["command"][1]
            for line in script.read_text().splitlines():
                if line and not line.startswith(("#", "set ")):
                    yield f"{name}: {script.name}", shlex.split(line.split(" >")[0].split(">/")[0])
        kind, *rest = service.get("healthcheck", {}).get("test", ["none"])
        if kind == "CMD":
            yield f"{name}: health", rest
        elif kind == "CMD-SHELL":
            yield f"{name}: health", shlex.split(rest[0])


def named(value: Any) -> Iterator[str]:
    """Every string anywhere in the file."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from named(item)
    elif isinstance(value, list):
        for item in value:
            yield from named(item)
    else:
        yield str(value)


def test_the_promised_services_are_there() -> None:
    assert set(SERVICES) == {
        "postgres", "broker", "initialise", "api-server", "scheduler", "dag-processor",
        "triggerer", "worker-1", "worker-2", "sandbox", "prepare-demo",
    }  # fmt: skip
    optional = {name for name, service in SERVICES.items() if "profiles" in service}
    assert optional == {"sandbox", "prepare-demo"}


@pytest.mark.parametrize("name", OURS)
def test_airflow_runs_as_in_the_demo(name: str, demo_env: dict[str, str]) -> None:
    service = OURS[name]
    ours = {k for k in demo_env if k.startswith(("AIRFLOW", "BOTHWAYS"))}
    assert service["env_file"] == ["include/environment/airflow.env"]
    assert {*service["environment"], *shared()} == ours | ONLY_DISTRIBUTED
    assert set(service["environment"]).isdisjoint(shared()), "an address or a choice, never both"
    assert shared().items() <= demo_env.items()


def test_every_option_is_known_to_the_installed_airflow(demo_env: dict[str, str]) -> None:
    used = {k for k in [*demo_env, *ONLY_DISTRIBUTED] if k.startswith("AIRFLOW__")}
    assert len(used) > 20
    assert used - known_options() == set()


@pytest.mark.parametrize(("where", "command"), list(commands()), ids=lambda v: str(v)[:60])
def test_every_command_exists(where: str, command: list[str]) -> None:
    program, *arguments = command
    if program == "airflow":
        from airflow.cli.cli_parser import get_parser

        get_parser().parse_args(arguments)  # ends the process at an unknown command or option
    elif program == "sh":
        assert (PROJECT / arguments[0]).is_file()
    elif program == "python" and arguments[0] == "-m":
        source = PROJECT / arguments[1].replace(".", "/")
        assert source.with_suffix(".py").is_file() or (source / "__main__.py").is_file()
        options = [a for a in arguments if a.startswith("--")]
        if options:
            usage = help_of([sys.executable, "-m", arguments[1]])
            assert all(option in usage for option in options)
    elif program == "python":
        compile(arguments[1], where, "exec")
    elif program == "celery":
        module, _, attribute = arguments[arguments.index("--app") + 1].rpartition(".")
        assert hasattr(__import__(module, fromlist=[attribute]), attribute)
        assert arguments[2:4] == ["inspect", "ping"]
    elif program == "bothways":
        assert f" {arguments[0]} " in help_of([str(Path(sys.executable).parent / "bothways")])
    else:
        pytest.fail(f"{where} runs {program}, which nobody looks at here")


def help_of(command: list[str]) -> str:
    result = subprocess.run(
        [*command, "--help"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    return result.stdout


@pytest.mark.parametrize("name", SERVICES)
def test_every_path_and_volume_exists(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        source, inside, *_ = volume.split(":")
        if source.startswith("./"):
            assert (PROJECT / source).exists(), source
            if inside.startswith(INSIDE):
                assert inside == INSIDE + source[1:], "the same place inside as outside"
        else:
            assert source in COMPOSE["volumes"], source


def test_paths_of_the_environment_are_of_the_image() -> None:
    copied = re.findall(r"^COPY (.+) \S+$", (PROJECT / "Dockerfile").read_text(), re.MULTILINE)
    sources = {source.removeprefix("./") for line in copied for source in line.split()}
    ignored = (PROJECT / ".dockerignore").read_text().splitlines()
    for source in sources:
        assert (PROJECT / source).exists(), source
        assert f"!{source}" in ignored, f"{source} does not reach the image's build"
    for name, value in OURS["scheduler"]["environment"].items():
        if value.startswith(INSIDE):
            top = value.removeprefix(f"{INSIDE}/").split("/")[0]
            assert top == ".bothways" or top in sources, f"{name} names {value}"


def test_no_secret_stands_in_the_file_and_each_is_documented() -> None:
    text = (PROJECT / "docker-compose.yaml").read_text()
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", text))
    documented = re.findall(r"^(\w+)=", (PROJECT / ".env.example").read_text(), re.MULTILINE)
    assert used == set(documented)
    # A password within an address comes from a variable, too.
    for value in named(COMPOSE):
        for password in re.findall(r"://[^:/@]*:([^@]*)@", value):
            assert password.startswith("${"), value
    for name, value in SERVICES["scheduler"]["environment"].items():
        if name.endswith(("KEY", "SECRET")):
            assert value.startswith("${"), name


def test_a_service_waits_only_for_what_can_become_ready() -> None:
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            assert other in SERVICES, f"{name} waits for {other}"
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other]
            else:
                assert SERVICES[other]["restart"] == "no", f"{other} never completes"


def test_the_sandbox_and_nothing_else_is_trusted_beside_the_vendors() -> None:
    documented = dict(
        line.split("=", 1)
        for line in (PROJECT / ".env.example").read_text().splitlines()
        if "=" in line and not line.startswith("#")
    )
    assert documented["BOTHWAYS_TRUSTED_ORIGINS"] == SERVICES["prepare-demo"]["command"][-1]
    assert shared()["AIRFLOW__CORE__TEST_CONNECTION"] == "Disabled"
