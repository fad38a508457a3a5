"""A caller of the emulated Web API: signed in, with the few words that the tests need."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests

from demo.waiting import at_most
from tests.support.sandbox import (
    DYNAMICS_CLIENT_ID,
    DYNAMICS_CLIENT_SECRET,
    DYNAMICS_TENANT,
    SandboxServer,
)

CONTACT = "Microsoft.Dynamics.CRM.contact"


@dataclass(frozen=True)
class Item:
    """One answer of a batch."""

    status: int
    headers: dict[str, str]
    body: str
    content_id: str

    @property
    def code(self) -> str:
        return str(json.loads(self.body)["error"]["code"])


class DynamicsApi:
    """Sends requests with a token. Paths are below `/api/data/v9.2/`; addresses are taken whole."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.root = f"{url}/api/data/v9.2"
        self.session = requests.Session()
        self.session.trust_env = False

    def sign_in(self) -> None:
        token = self.token().json()["access_token"]
        self.session.headers["Authorization"] = f"Bearer {token}"

    def token(self, tenant: str = DYNAMICS_TENANT, **form: Any) -> requests.Response:
        known = {
            "client_id": DYNAMICS_CLIENT_ID,
            "client_secret": DYNAMICS_CLIENT_SECRET,
            "grant_type": "client_credentials",
            "scope": f"{self.url}/.default",
            **form,
        }
        body = {name: value for name, value in known.items() if value is not None}
        return self.session.post(f"{self.url}/{tenant}/oauth2/v2.0/token", data=body, timeout=60)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        address = path if path.startswith("http") else f"{self.root}/{path}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.session.request(method, address, json=body, headers=named, timeout=120)

    def get(self, path: str, **headers: str) -> requests.Response:
        return self.send("GET", path, **headers)

    def rows(self, path: str, **headers: str) -> list[dict[str, Any]]:
        """Return the rows of all pages."""
        rows: list[dict[str, Any]] = []
        address = path
        for _ in at_most(1_000, f"the last page of {path}"):
            answer = self.get(address, **headers)
            assert answer.status_code == 200, answer.text
            rows += answer.json()["value"]
            address = answer.json().get("@odata.nextLink", "")
            if not address:
                break
        return rows

    def create(self, entity_set: str, **columns: Any) -> str:
        """Create a row and return its id."""
        answer = self.send("POST", entity_set, columns)
        assert answer.status_code == 204, answer.text
        return answer.headers["OData-EntityId"].rpartition("(")[2].rstrip(")")

    def snapshot(self, path: str, **headers: str) -> tuple[list[dict[str, Any]], str]:
        """Read everything with change tracking; return the rows and the delta link."""
        rows: list[dict[str, Any]] = []
        address, delta = path, ""
        for _ in at_most(1_000, f"the delta link of {path}"):
            answer = self.get(address, Prefer=headers.get("Prefer", "odata.track-changes"))
            assert answer.status_code == 200, answer.text
            page = answer.json()
            rows += page["value"]
            delta, address = page.get("@odata.deltaLink", ""), page.get("@odata.nextLink", "")
            assert bool(delta) != bool(address)
            if delta:
                break
        return rows, delta

    def batch(
        self, *parts: bytes, end: str = "\r\n", boundary: str = "batch_1", **headers: str
    ) -> requests.Response:
        """Send a batch whose parts are already written (see `part` and `change_set`)."""
        body = b"".join(b"--batch_1" + end.encode() + part + end.encode() for part in parts)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.session.post(
            f"{self.root}/$batch",
            data=body + b"--batch_1--" + end.encode(),
            headers={"Content-Type": f"multipart/mixed; boundary={boundary}", **named},
            timeout=120,
        )


def part(
    method: str, path: str, body: Any = None, *, end: str = "\r\n", content_id: str = ""
) -> bytes:
    """Write one request of a batch."""
    lines = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    lines += [f"Content-ID: {content_id}"] if content_id else []
    lines += ["", f"{method} {path} HTTP/1.1", "Content-Type: application/json", ""]
    lines.append("" if body is None else json.dumps(body))
    return end.join(lines).encode()


def change_set(*parts: bytes) -> bytes:
    """Write a change set."""
    head = b"Content-Type: multipart/mixed; boundary=changeset_1\r\n\r\n"
    inside = b"".join(b"--changeset_1\r\n" + one + b"\r\n" for one in parts)
    return head + inside + b"--changeset_1--\r\n"


def items(answer: requests.Response) -> list[Item]:
    """Return the answers of a batch in order, those of change sets too."""
    return list(_items(answer.text, answer.headers["Content-Type"]))


def _items(text: str, content_type: str) -> Iterator[Item]:
    found = re.search(r'boundary="?([^";]+)', content_type)
    assert found is not None
    for section in text.split(f"--{found[1]}")[1:-1]:
        head, _, rest = section.strip("\r\n").partition("\r\n\r\n")
        if "multipart/mixed" in head:
            yield from _items(rest, head)
            continue
        status, _, body = rest.partition("\r\n\r\n")
        first, *lines = status.split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        identity = re.search(r"Content-ID: (\S+)", head)
        yield Item(int(first.split()[1]), headers, body, identity[1] if identity else "")


def error_of(answer: requests.Response) -> tuple[int, str]:
    """Return status and code of an answer that is an error."""
    return answer.status_code, str(answer.json()["error"]["code"])


def label(text: str) -> dict[str, Any]:
    """Return a label for a definition."""
    return {"LocalizedLabels": [{"Label": text, "LanguageCode": 1033}]}


def add_column(api: DynamicsApi, table: str, schema: str, kind: str = "String", **more: Any) -> str:
    """Add a custom column and return its logical name."""
    body = {
        "@odata.type": f"Microsoft.Dynamics.CRM.{kind}AttributeMetadata",
        "SchemaName": schema,
        "DisplayName": label(schema),
        **more,
    }
    answer = api.send("POST", f"EntityDefinitions(LogicalName='{table}')/Attributes", body)
    assert answer.status_code == 204, answer.text
    return schema.lower()


def add_key(sandbox: SandboxServer, api: DynamicsApi, table: str, *columns: str) -> None:
    """Add an alternate key and wait until it is active."""
    body = {"SchemaName": f"new_{table}_key", "KeyAttributes": columns, "DisplayName": label("Key")}
    answer = api.send("POST", f"EntityDefinitions(LogicalName='{table}')/Keys", body)
    assert answer.status_code == 204, answer.text
    sandbox.advance(2)


@contextmanager
def signed_in(sandbox: SandboxServer) -> Iterator[DynamicsApi]:
    """Give a caller that has a token."""
    api = DynamicsApi(sandbox.url)
    with api.session:
        api.sign_in()
        yield api
