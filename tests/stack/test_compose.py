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
from tests.support.celery import WITHHELD

COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: s for name, s in SERVICES.items() if "build" in s}
AIRFLOW = {name: s for name, s in OURS.items() if name != "sandbox"}
PAGE = (PROJECT / "docs" / "least-privilege.md").read_text().partition("## Containers")[2]
# What docs/least-privilege.md calls the variables of .env.
SECRETS = {
    "Airflow's": {"AIRFLOW_DB_PASSWORD"},
    "Celery's": {"CELERY_DB_PASSWORD"},
    "the store as its owner": {"STORE_MIGRATE_PASSWORD"},
    "the store's rows": {"STORE_RUN_PASSWORD"},
    "Fernet key": {"FERNET_KEY"},
    "API secret": {"API_SECRET"},
    "JWT secret": {"JWT_SECRET"},
    "broker": {"BROKER_PASSWORD"},
    "erasure key": {"ERASURE_KEY"},
}
INSIDE = "/opt/bothways"
# What a distributed Airflow needs and the demo, on one machine with its LocalExecutor, has not.
ONLY_DISTRIBUTED = {
    "AIRFLOW__CELERY__BROKER_URL",
    "AIRFLOW__CELERY__RESULT_BACKEND",
    "AIRFLOW__CELERY__WORKER_CONCURRENCY",
    "BOTHWAYS_TRUSTED_ORIGINS",
    "FORWARDED_ALLOW_IPS",
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
        "triggerer", "worker-1", "worker-2", "command", "proxy", "sandbox", "prepare-demo",
    }  # fmt: skip
    optional = {name: s["profiles"] for name, s in SERVICES.items() if "profiles" in s}
    assert optional == {
        "command": ["command"],
        "proxy": ["tls"],
        "sandbox": ["sandbox"],
        "prepare-demo": ["sandbox"],
    }


def test_airflow_runs_as_in_the_demo(demo_env: dict[str, str]) -> None:
    ours = {k for k in demo_env if k.startswith(("AIRFLOW", "BOTHWAYS"))}
    told = {name for s in AIRFLOW.values() for name in s["environment"]}
    assert told | shared().keys() == ours | ONLY_DISTRIBUTED
    assert told.isdisjoint(shared()), "an address or a choice, never both"
    assert shared().items() <= demo_env.items()
    for service in AIRFLOW.values():
        assert service["env_file"] == ["include/environment/airflow.env"]
        assert service["environment"].items() >= COMPOSE["x-common"].items()


def test_each_service_gets_the_secrets_that_the_page_says_and_no_other() -> None:
    cells = re.findall(r"^\| (`.+?`) \| ([^|]*)\| ([^|]*)\|$", PAGE, re.MULTILINE)
    told = {
        service: (databases, other)
        for names, databases, other in cells
        for service in re.findall(r"`([\w-]+)`", names)
        if service in SERVICES
    }
    assert told.keys() == OURS.keys()
    for name, (databases, other) in told.items():
        wanted = {word for word in SECRETS if word in databases + other}
        variables = {variable for word in wanted for variable in SECRETS[word]}
        assert secrets_of(SERVICES[name]) == variables, name


def secrets_of(service: dict[str, Any]) -> set[str]:
    """The variables of .env with a secret that reach a service."""
    used = re.findall(r"\$\{(\w+)", " ".join(named(service.get("environment", {}))))
    return {name for name in used if not name.startswith("BOTHWAYS_")}


def test_workers_do_without_what_they_do_without_in_the_tests(demo_env: dict[str, str]) -> None:
    told = set(SERVICES["worker-1"]["environment"])
    assert {name for name in demo_env if name.startswith("AIRFLOW")} - told - shared().keys() == (
        WITHHELD
    )


def test_no_two_secrets_are_one() -> None:
    signed = COMPOSE["x-api-secret"] | COMPOSE["x-jwt-secret"]
    assert len(set(signed.values())) == len(signed) == 2
    urls = re.findall(r"://(\w+):\$\{(\w+)", " ".join(named(COMPOSE)))
    assert {(user, variable) for user, variable in urls if user} == {
        ("airflow", "AIRFLOW_DB_PASSWORD"),
        ("celery", "CELERY_DB_PASSWORD"),
        ("bothways_migrate", "STORE_MIGRATE_PASSWORD"),
        ("bothways_run", "STORE_RUN_PASSWORD"),
    }


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_can_do_little(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    # PostgreSQL changes users as it starts, and its image writes in several places.
    assert service.get("read_only", False) is (name != "postgres")
    kept = {"postgres": {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}}
    assert set(service.get("cap_add", ())) == kept.get(
        name, {"NET_BIND_SERVICE"} if name == "proxy" else set()
    )
    assert "privileged" not in service


def test_only_the_proxy_is_reached_from_other_machines() -> None:
    published = {name: s["ports"] for name, s in SERVICES.items() if "ports" in s}
    assert published.pop("proxy") == ["80:80", "443:443"]
    for ports in published.values():
        assert all(port.startswith("127.0.0.1:") for port in ports)
    caddyfile = (PROJECT / "include" / "environment" / "Caddyfile").read_text()
    assert "reverse_proxy api-server:8080" in caddyfile
    assert "http://" not in caddyfile
    assert SERVICES["proxy"]["networks"] == ["front"]
    assert "front" in SERVICES["api-server"]["networks"]


def test_the_sandbox_reaches_no_database() -> None:
    assert SERVICES["sandbox"]["networks"] == ["vendors"]
    for name in ("postgres", "broker"):
        assert SERVICES[name]["networks"] == ["back"]


def test_images_are_named_by_exact_version() -> None:
    images = {s["image"] for s in SERVICES.values() if "build" not in s}
    images |= set(re.findall(r"^FROM (\S+)$", (PROJECT / "Dockerfile").read_text(), re.MULTILINE))
    for image in images:
        assert re.search(r":\d+\.\d+(\.\d+)?(-\w+)?$", image), image


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
    for service in AIRFLOW.values():
        for name, value in service["environment"].items():
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
