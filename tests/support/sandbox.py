"""A sandbox in a process of its own, for every test that talks to a vendor.

with SandboxServer() as sandbox:
    sandbox.reset(people=200)
    sandbox.faults({"dotdigital": {"share": {"500": 0.2}}})
    … call sandbox.url as if it were the vendor …
    assert sandbox.calls()["dotdigital"]["GET /contacts/v3"] == 1
"""

from __future__ import annotations

import shutil
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import httpx

from demo.waiting import at_most
from tests.support.pipes import next_line
from tests.support.scratch import scratch_folder

ROOT = Path(__file__).parents[2]
DOTDIGITAL_USER = "apiuser-sandbox@apiconnector.example"
DOTDIGITAL_PASSWORD = "sandbox-password"
MAILCHIMP_KEY = "0123456789abcdef0123456789abcdef-us1"
DYNAMICS_TENANT = "contoso.example"
DYNAMICS_CLIENT_ID = "00000000-0000-0000-0000-00000000b0b0"
DYNAMICS_CLIENT_SECRET = "sandbox-secret"

# Trusts nobody, and need not: the vendors are asked in clear text. By default each client would
# load the machine's certificates, which takes longer than most of what it is made for.
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class SandboxServer:
    """Starts `python -m sandbox` on free ports, and its control API as methods.

    Args:
        data: Folder of the databases; by default one of its own, removed at the end.
        tls: Whether to serve TLS too, with a certificate for localhost (`ca_file`).

    Attributes:
        url: Where the vendors are, without a slash at the end.
        tls_url: The same over TLS, or None.
    """

    def __init__(self, data: Path | None = None, *, tls: bool = False) -> None:
        self._own = data is None
        self.data = data or scratch_folder("sandbox")
        self._tls = tls
        self._process: subprocess.Popen[str] | None = None
        self.url = ""
        self.tls_url: str | None = None
        self._control = httpx.Client(trust_env=False, timeout=120, verify=_NO_TLS)

    @property
    def ca_file(self) -> Path:
        """The certificate to trust for `tls_url`."""
        return self.data / "sandbox.crt"

    def start(self, people: int = 0, seed: int = 1) -> Self:
        """Start the process and wait until it is ready.

        Raises:
            RuntimeError: It ended instead; its own words are in the message.
        """
        command = [sys.executable, "-m", "sandbox", "--port", "0", "--data", str(self.data)]
        command += ["--people", str(people), "--seed", str(seed)]
        command += ["--tls-port", "0"] if self._tls else []
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        ready = next_line(self._process.stdout, "the sandbox to be ready", seconds=300)
        if not ready.startswith("Sandbox ready at "):
            self.stop()
            raise RuntimeError(f"The sandbox did not start: {ready!r}; run it by hand to see why.")
        urls = ready.removeprefix("Sandbox ready at ").strip().split(" and ")
        self.url, self.tls_url = urls[0], urls[1] if self._tls else None
        return self

    def stop(self) -> None:
        """Stop the process; remove the folder if it is its own."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None
        self._control.close()
        if self._own:
            shutil.rmtree(self.data, ignore_errors=True)

    def kill(self) -> None:
        """End the process without warning, as a power cut would; `start` goes on from its files."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_problem: object) -> None:
        self.stop()

    def reset(self, people: int = 0, seed: int = 1) -> None:
        """Empty and refill every vendor; faults, counters, clock and settings go back."""
        self._call("POST", "reset", {"people": people, "seed": seed})

    def keep(self, name: str) -> None:
        """Keep what every vendor holds, for `restore`."""
        self._call("PUT", "copies", {"name": name})

    def restore(self, name: str) -> bool:
        """Do as `reset`, but go back to what was kept; return whether something was."""
        return bool(self._call("POST", "copies", {"name": name})["found"])

    def faults(self, switches: dict[str, Any] | None = None) -> None:
        """Set the switches of vendors ("*" for all), or switch everything off."""
        if switches is None:
            self._call("DELETE", "faults")
        else:
            self._call("PUT", "faults", switches)

    def settings(self, changes: dict[str, Any]) -> None:
        """Change vendors' limits: `{"dotdigital": {"import_seconds": 0}}`."""
        self._call("PUT", "settings", changes)

    def calls(self, *, forget: bool = False) -> dict[str, Any]:
        """Return the requests so far by vendor and endpoint, "totals" and "rows_written"."""
        answer: dict[str, Any] = self._call("DELETE" if forget else "GET", "calls")
        return answer

    def table(self, vendor: str, table: str, **where: object) -> list[dict[str, Any]]:
        """Return all rows of a vendor's table, as the vendor stores them."""
        rows: list[dict[str, Any]] = []
        for _ in at_most(1_000, f"the last page of {vendor}/{table}"):
            query = {**where, "limit": 10_000, "offset": len(rows)}
            page = self._call("GET", f"{vendor}/{table}", query=query)
            rows += page
            if len(page) < query["limit"]:
                break
        return rows

    def act(self, vendor: str, act: str, **what: object) -> dict[str, Any]:
        """Do what only a person at the vendor can: `act("dotdigital", "bounce", email=…)`."""
        answer: dict[str, Any] = self._call("POST", f"{vendor}/act", {"act": act, **what})
        return answer

    def advance(self, seconds: float, vendor: str = "*") -> None:
        """Move the vendors' clocks forward, or one's ("*" for all)."""
        self._call("POST", "clock", {"advance_s": seconds, "vendor": vendor})

    def dotdigital(self, **options: Any) -> httpx.Client:
        """Return a client for Dotdigital with the right credentials; the caller closes it."""
        return self._client(self.url, (DOTDIGITAL_USER, DOTDIGITAL_PASSWORD), options)

    def mailchimp(self, **options: Any) -> httpx.Client:
        """Return a client for Mailchimp, at /3.0, with the right key; the caller closes it."""
        return self._client(f"{self.url}/3.0", ("key", MAILCHIMP_KEY), options)

    @staticmethod
    def _client(url: str, auth: tuple[str, str], options: dict[str, Any]) -> httpx.Client:
        usual = {"base_url": url, "auth": auth, "trust_env": False, "verify": _NO_TLS}
        return httpx.Client(**{**usual, **options})

    def _call(
        self, method: str, path: str, body: Any = None, query: dict[str, Any] | None = None
    ) -> Any:
        url = f"{self.url}/_sandbox/{path}"
        answer = self._control.request(method, url, json=body, params=query)
        if answer.status_code != 200:
            raise ValueError(f"{method} {path} was refused: {answer.text}")
        return answer.json()
