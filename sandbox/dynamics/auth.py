"""The token endpoint and the bearer check (fact sheet, section 1).

A token is signed and carries its expiry, so that it outlives a restart of the sandbox.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import uuid
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote_plus, urlsplit

from sandbox.dynamics.errors import VendorError
from sandbox.dynamics.messages import Call, Reply
from sandbox.dynamics.model import stable_id
from sandbox.dynamics.seed import APPLICATION_ID
from sandbox.vendor import VendorContext

TENANT = "contoso.example"
TENANT_ID = stable_id("tenant", TENANT)
CLIENT_SECRET = "sandbox-secret"  # noqa: S105  (the page shows it)
_SIGNING_KEY = b"the sandbox signs; nobody relies on it"
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def _json(value: object, status: int = 200) -> Reply:
    headers = {"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store"}
    return Reply(status, json.dumps(value).encode(), headers)


def configuration(context: VendorContext, tenant: str, origin: str) -> Reply:
    """Answer `/{tenant}/v2.0/.well-known/openid-configuration`."""
    if tenant not in {TENANT, TENANT_ID}:
        return _unknown_tenant("invalid_tenant", tenant).reply(context)
    root = f"{origin}/{tenant}"
    return _json(
        {
            "token_endpoint": f"{root}/oauth2/v2.0/token",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            "jwks_uri": f"{root}/discovery/v2.0/keys",
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code", "id_token", "code id_token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": f"{origin}/{TENANT_ID}/v2.0",
            "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
            "tenant_region_scope": "EU",
        }
    )


def keys() -> Reply:
    """Answer `/{tenant}/discovery/v2.0/keys`: nobody but the sandbox can check its tokens."""
    return _json({"keys": []})


def token(context: VendorContext, tenant: str, call: Call, *, version: int) -> Reply:
    """Answer `POST /{tenant}/oauth2/v2.0/token` (or the older endpoint, version 1)."""
    form = dict(parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True))
    try:
        _check_form(tenant, form, call, version)
    except _Refused as refused:
        return refused.reply(context)
    now, seconds = int(context.clock.timestamp()), int(context.settings["token_seconds"])
    answer: dict[str, object] = {"token_type": "Bearer", "access_token": _sign(now + seconds)}
    lives = {"expires_in": seconds, "ext_expires_in": seconds}
    if version == 2:
        return _json({**answer, **lives})
    # The older endpoint tells numbers as text (inferred in the fact sheet).
    times = {**lives, "expires_on": now + seconds, "not_before": now}
    texts = {name: str(number) for name, number in times.items()}
    return _json({**answer, **texts, "resource": form.get("resource", "")})


class _Refused(Exception):
    def __init__(self, status: int, error: str, code: int, text: str) -> None:
        super().__init__(text)
        self._status, self._error, self._code, self._text = status, error, code, text

    def reply(self, context: VendorContext) -> Reply:
        trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
        when = context.clock.now().strftime("%Y-%m-%d %H:%M:%SZ")
        text = (
            f"AADSTS{self._code}: {self._text} Trace ID: {trace} Correlation ID: {correlation}"
            f" Timestamp: {when}"
        )
        body = {
            "error": self._error,
            "error_description": text,
            "error_codes": [self._code],
            "timestamp": when,
            "trace_id": trace,
            "correlation_id": correlation,
        }
        return _json(body, self._status)


def _unknown_tenant(error: str, tenant: str) -> _Refused:
    text = (
        f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are"
        " signing into the correct cloud."
    )
    return _Refused(400, error, 90002, text)


def _check_form(tenant: str, form: Mapping[str, str], call: Call, version: int) -> None:
    # Of the numbers only 70011 is in the fact sheet; the others are Entra's well-known ones.
    if tenant not in {TENANT, TENANT_ID}:
        raise _unknown_tenant("invalid_request", tenant)
    grant = form.get("grant_type")
    if grant is None:
        text = "The request body must contain the following parameter: 'grant_type'."
        raise _Refused(400, "invalid_request", 900144, text)
    if grant != "client_credentials":
        text = f"The app requested an unsupported grant type '{grant}'."
        raise _Refused(400, "unsupported_grant_type", 70003, text)
    client, secret = _credentials(form, call)
    if client != APPLICATION_ID:
        text = f"Application with identifier '{client}' was not found in the directory."
        raise _Refused(400, "unauthorized_client", 700016, text)
    if not secret and form.get("client_assertion"):
        text = f"The certificate of the client assertion is not registered for app '{client}'."
        raise _Refused(401, "invalid_client", 700027, text)
    if not secret:
        text = (
            "The request body must contain the following parameter: 'client_assertion' or"
            " 'client_secret'."
        )
        raise _Refused(401, "invalid_client", 7000218, text)
    if not hmac.compare_digest(secret.encode(), CLIENT_SECRET.encode()):
        text = f"Invalid client secret provided for app '{client}'."
        raise _Refused(401, "invalid_client", 7000215, text)
    _check_scope(form, call, version)


def _credentials(form: Mapping[str, str], call: Call) -> tuple[str, str]:
    header = call.headers.get("authorization", "")
    if not header.lower().startswith("basic "):
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        pair = base64.b64decode(header[6:], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    client, _, secret = pair.partition(":")
    return unquote_plus(client), unquote_plus(secret)


def _check_scope(form: Mapping[str, str], call: Call, version: int) -> None:
    scope = form.get("scope" if version == 2 else "resource", "")
    if version == 2:
        if len(scope.split()) != 1 or not scope.endswith("/.default"):
            text = (
                "The provided request must include a 'scope' input parameter of one resource with"
                f" '/.default'. The scope '{scope}' is not valid."
            )
            raise _Refused(400, "invalid_scope", 70011, text)
        scope = scope.removesuffix("/.default")
    wanted, own = urlsplit(scope), urlsplit(call.root)
    local = wanted.hostname in _LOOPBACK and own.hostname in _LOOPBACK
    if wanted.netloc != own.netloc and not local:
        text = f"The resource principal named {scope} was not found in the tenant."
        raise _Refused(400, "invalid_resource", 500011, text)


def _sign(expires: int) -> str:
    payload = base64.urlsafe_b64encode(f"{expires}:{uuid.uuid4()}".encode()).decode().rstrip("=")
    return f"{payload}.{_signature(payload)}"


def _signature(payload: str) -> str:
    return hmac.new(_SIGNING_KEY, payload.encode(), hashlib.sha256).hexdigest()


def check_bearer(context: VendorContext, call: Call, origin: str) -> None:
    """Let a request pass that carries a valid token.

    Raises:
        VendorError: 401 without one, 403 when the application has no user in Dataverse (setting
            `application_user`).
    """
    header = call.headers.get("authorization", "")
    if not _is_valid(header, context.clock.timestamp()):
        challenge = (
            f"Bearer authorization_uri={origin}/{TENANT}/oauth2/authorize, resource_id={origin}/"
        )
        raise VendorError(401, "", "", {"WWW-Authenticate": challenge})
    if not context.settings["application_user"]:
        raise VendorError(403, "0x80072560", "The user is not a member of the organization.")


def _is_valid(header: str, now: float) -> bool:
    match = re.fullmatch(r"[Bb]earer ([\w-]+)\.(\w+)", header)
    if match is None or not hmac.compare_digest(_signature(match[1]), match[2]):
        return False
    payload = base64.urlsafe_b64decode(match[1] + "=" * (-len(match[1]) % 4)).decode()
    return now < int(payload.partition(":")[0])
