"""Token endpoint, bearer check, limits: what a client meets before any row."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
import requests

from tests.sandbox.dynamics_api import DynamicsApi, error_of, signed_in
from tests.support.sandbox import DYNAMICS_CLIENT_ID, DYNAMICS_CLIENT_SECRET, SandboxServer


@pytest.fixture
def api(sandbox: SandboxServer) -> Iterator[DynamicsApi]:
    with signed_in(sandbox) as caller:
        yield caller


def test_client_credentials_give_a_token_by_body_and_by_basic(api: DynamicsApi) -> None:
    answer = api.token().json()
    assert answer["token_type"] == "Bearer"
    assert answer["expires_in"] == 3599
    assert "refresh_token" not in answer
    pair = f"{DYNAMICS_CLIENT_ID}:{quote(DYNAMICS_CLIENT_SECRET)}".encode()
    api.session.headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    assert api.token(client_id=None, client_secret=None).status_code == 200


@pytest.mark.parametrize(
    ("form", "status", "error", "number"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_secret": None}, 401, "invalid_client", 7000218),
        ({"client_id": "someone"}, 400, "unauthorized_client", 700016),
        ({"grant_type": None}, 400, "invalid_request", 900144),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"scope": "https://org.example/user_impersonation"}, 400, "invalid_scope", 70011),
        ({"scope": "https://other.example/.default"}, 400, "invalid_resource", 500011),
        ({"tenant": "nobody.example"}, 400, "invalid_request", 90002),
    ],
)
def test_wrong_credentials_are_refused_as_entra_does(
    api: DynamicsApi, form: dict[str, str | None], status: int, error: str, number: int
) -> None:
    answer = api.token(**form)
    body = answer.json()
    assert (answer.status_code, body["error"]) == (status, error)
    assert body["error_codes"] == [number]
    assert body["error_description"].startswith(f"AADSTS{number}:")
    assert {"timestamp", "trace_id", "correlation_id"} <= set(body)


def test_openid_configuration_leads_to_the_token_endpoint(api: DynamicsApi) -> None:
    address = f"{api.url}/contoso.example/v2.0/.well-known/openid-configuration"
    found = api.get(address).json()["token_endpoint"]
    assert found == f"{api.url}/contoso.example/oauth2/v2.0/token"


def test_without_a_valid_token_there_is_401_with_the_tenant(
    sandbox: SandboxServer, api: DynamicsApi
) -> None:
    sandbox.advance(3_600)
    for header in ("Bearer nonsense", api.session.headers["Authorization"]):
        answer = requests.get(
            f"{api.root}/WhoAmI", headers={"Authorization": str(header)}, timeout=60
        )
        assert answer.status_code == 401
        assert "/contoso.example/oauth2/authorize" in answer.headers["WWW-Authenticate"]
        assert "resource_id=" in answer.headers["WWW-Authenticate"]


def test_without_an_application_user_every_call_is_403(
    sandbox: SandboxServer, api: DynamicsApi
) -> None:
    sandbox.settings({"dynamics": {"application_user": False}})
    assert api.token().status_code == 200
    assert error_of(api.get("WhoAmI")) == (403, "0x80072560")


def test_whoami_service_document_and_metadata(api: DynamicsApi) -> None:
    answer = api.get("WhoAmI")
    assert {"UserId", "BusinessUnitId", "OrganizationId"} <= set(answer.json())
    assert int(answer.headers["x-ms-dop-hint"]) > 0
    assert answer.headers["OData-Version"] == "4.0"
    sets = {entry["name"] for entry in api.get("").json()["value"]}
    assert {"contacts", "leads", "accounts", "lists", "listmembers", "campaigns"} <= sets
    text = api.get("$metadata?annotations=true").text
    assert '<EntitySet Name="contacts"' in text
    assert "Org.OData.Capabilities.V1.ChangeTracking" in text


def test_the_request_limit_is_a_sliding_window(sandbox: SandboxServer, api: DynamicsApi) -> None:
    sandbox.settings({"dynamics": {"request_limit": 3}})
    left = [api.get("WhoAmI").headers["x-ms-ratelimit-burst-remaining-xrm-requests"] for _ in "123"]
    assert left == ["2", "1", "0"]
    refused = api.get("WhoAmI")
    assert error_of(refused) == (429, "0x80072322")
    assert "limit of 3 over time window of 300 seconds" in refused.json()["error"]["message"]
    wait = int(refused.headers["Retry-After"])
    assert 290 <= wait <= 300
    assert int(api.get("WhoAmI").headers["Retry-After"]) > wait  # who does not wait, waits longer
    sandbox.advance(310)
    assert api.get("WhoAmI").status_code == 200


def test_the_time_of_all_requests_together_is_limited(
    sandbox: SandboxServer, api: DynamicsApi
) -> None:
    sandbox.settings({"dynamics": {"execution_limit_s": 0.000001}})
    api.get("WhoAmI")
    assert error_of(api.get("WhoAmI")) == (429, "0x80072321")


def test_too_many_requests_at_once_are_refused(sandbox: SandboxServer, api: DynamicsApi) -> None:
    sandbox.settings({"dynamics": {"concurrency_limit": 0}})
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: api.get("WhoAmI"), range(2)))
    assert {error_of(answer) for answer in answers} == {(429, "0x80072326")}
    assert all("Retry-After" in answer.headers for answer in answers)


def test_injected_faults_speak_the_vendors_language(
    sandbox: SandboxServer, api: DynamicsApi
) -> None:
    sandbox.faults({"dynamics": {"share": {"429": 1.0}}})
    answer = api.get("contacts")
    assert error_of(answer) == (429, "0x80072322")
    assert answer.headers["Retry-After"]
    sandbox.faults({"dynamics": {"share": {"500": 1.0}}})
    assert api.get("contacts").json()["error"]["code"].startswith("0x")


def test_requests_are_counted_by_names_that_people_understand(
    sandbox: SandboxServer, api: DynamicsApi
) -> None:
    sandbox.calls(forget=True)
    api.token()
    api.get("contacts?$top=1")
    api.send("PATCH", "contacts(00000000-0000-4000-8000-000000000001)", {"lastname": "A"})
    api.send("POST", "contacts/Microsoft.Dynamics.CRM.UpsertMultiple", {})
    api.send("POST", "AddListMembersList", {})
    api.send("DELETE", "lists(a)/listcontact_association(b)/$ref")
    assert sandbox.calls()["dynamics"] == {
        "DELETE lists listcontact_association $ref": 1,
        "GET contacts": 1,
        "PATCH contacts": 1,
        "POST AddListMembersList": 1,
        "POST contacts UpsertMultiple": 1,
        "POST token": 1,
    }


def test_the_older_token_endpoint_tells_numbers_as_text(api: DynamicsApi) -> None:
    form = {
        "client_id": DYNAMICS_CLIENT_ID,
        "client_secret": DYNAMICS_CLIENT_SECRET,
        "grant_type": "client_credentials",
        "resource": api.url,
    }
    address = f"{api.url}/contoso.example/oauth2/token"
    answer = api.session.post(address, data=form, timeout=60).json()
    assert int(answer["expires_on"]) - int(answer["not_before"]) == int(answer["expires_in"])
    assert all(isinstance(answer[name], str) for name in ("expires_in", "ext_expires_in"))
    api.session.headers["Authorization"] = f"Bearer {answer['access_token']}"
    assert api.get("WhoAmI").status_code == 200


def test_a_certificate_that_nobody_has_registered_is_refused(api: DynamicsApi) -> None:
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    answer = api.token(client_secret=None, client_assertion_type=kind, client_assertion="a.b.c")
    assert (answer.status_code, answer.json()["error_codes"]) == (401, [700027])


def test_an_unknown_tenant_has_no_configuration(api: DynamicsApi) -> None:
    answer = api.get(f"{api.url}/nobody.example/v2.0/.well-known/openid-configuration")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_tenant")
    known = api.get(f"{api.url}/contoso.example/v2.0/.well-known/openid-configuration").json()
    assert api.get(known["jwks_uri"]).json() == {"keys": []}


def test_a_cookie_would_keep_a_caller_on_one_server(api: DynamicsApi) -> None:
    assert "ARRAffinity=" in api.get("WhoAmI").headers["Set-Cookie"]


def test_an_address_has_at_most_32768_characters(api: DynamicsApi) -> None:
    def status(length: int) -> int:
        return api.get(f"contacts?$top=1&$filter=lastname eq '{'x' * length}'").status_code

    assert status(32_000) == 200
    assert status(33_000) == 414
