"""Airflow's environment for one machine: the shared file, plus addresses, paths and secrets."""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
SHARED = PROJECT / "include" / "environment" / "airflow.env"
# What the demo's person types at the login page; one per role.
PASSWORDS = {"admin": "admin", "operator": "operator", "user": "user", "viewer": "viewer"}


@dataclass(frozen=True)
class Secrets:
    """Generated once per home, and kept with the database that was encrypted with them."""

    fernet_key: str
    api_secret: str
    jwt_secret: str
    database_password: str
    erasure_key: str

    @classmethod
    def of(cls, home: Path) -> Secrets:
        """Reads those of a home, or makes them."""
        path = home / "secrets.json"
        kept = json.loads(path.read_text()) if path.exists() else {}
        made = cls(
            **{
                "fernet_key": base64.urlsafe_b64encode(os.urandom(32)).decode(),
                "api_secret": secrets.token_urlsafe(64),
                "jwt_secret": secrets.token_urlsafe(64),
                "database_password": secrets.token_hex(16),
                "erasure_key": secrets.token_hex(32),
                **kept,
            }
        )
        if made.__dict__ != kept:
            _write_private(path, made.__dict__)
        return made


def shared() -> dict[str, str]:
    """The variables of the file that docker-compose.yaml uses too."""
    lines = (line.strip() for line in SHARED.read_text().splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def airflow_environment(
    home: Path,
    port: int,
    database_url: str,
    *,
    dags: Path = PROJECT / "dags",
) -> dict[str, str]:
    """Everything that an Airflow process or a `bothways` command needs in its environment.

    Args:
        home: folder for all that Airflow writes.
        port: of the API server on 127.0.0.1.
        database_url: of Airflow's own database, `postgresql://…`.
        dags: folder of the DAG files.
    """
    made = Secrets.of(home)
    database = database_url.replace("postgresql://", "postgresql+psycopg://", 1)
    base_url = f"http://127.0.0.1:{port}"
    passwords = home / "passwords.json"
    if not passwords.exists():
        _write_private(passwords, PASSWORDS)
    return {
        **_inherited(),
        **shared(),
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{base_url}/execution/",
        "AIRFLOW__CORE__FERNET_KEY": made.fernet_key,
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": database,
        "AIRFLOW__API__BASE_URL": base_url,
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__SECRET_KEY": made.api_secret,
        "AIRFLOW__API_AUTH__JWT_SECRET": made.jwt_secret,
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "airflow" / "logs"),
    }


def _write_private(path: Path, content: dict[str, str]) -> None:
    """Writes a file whole or not at all, for its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(content))
    draft.replace(path)


def _inherited() -> dict[str, str]:
    """The caller's environment without what would change Airflow or Python behind our back."""
    dropped = (
        "AIRFLOW", "PYTEST_", "PYTHONPATH", "PYTHONHOME", "PYTHONWARNINGS",
        "PYTHONDONTWRITEBYTECODE",
    )  # fmt: skip
    kept = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
    kept["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    # Airflow starts many processes: each reads compiled modules, from where `make` puts them
    kept.setdefault("PYTHONPYCACHEPREFIX", str(PROJECT / ".bothways" / "cache" / "python"))
    # a folder of data (.bothways/sandbox) must not be taken for a package of that name
    kept["PYTHONSAFEPATH"] = "1"
    # macOS ends forked children that touch the network or Objective-C otherwise
    kept["OBJC_DISABLE_INITIALIZE_FORK_SAFETY"] = "YES"
    kept["no_proxy"] = ",".join(filter(None, [kept.get("no_proxy"), "127.0.0.1", "localhost"]))
    return kept


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether nobody answers there and this process could listen."""
    with socket.socket() as probe:
        probe.settimeout(1)
        # macOS lets two listen on one port when one of them listens on all addresses
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
