"""Webhooks: the endpoint that is called, and the step that says for what (second fact sheet, 1)."""

from __future__ import annotations

from typing import Final

from sandbox.dynamics.columns import (
    READ_ONLY,
    audit,
    choice,
    flag,
    lookup,
    number,
    states,
    table,
    text,
)

_ORGANIZATIONS: Final = {"ownership": "OrganizationOwned", "bulk": False}
_CONTRACTS: Final = (
    "1 OneWay, 2 Queue, 3 Rest, 4 TwoWay, 5 Topic, 6 Queue (Persistent), 7 Event Hub, 8 Webhook,"
    " 9 Event Grid"
)
_AUTHENTICATION: Final = (
    "0 NotSpecified, 1 ACS, 2 SASKey, 3 SASToken, 4 WebhookKey, 5 HttpHeader, 6 HttpQueryString"
)

SERVICEENDPOINT = table(
    "serviceendpoint",
    "serviceendpoints",
    "name",
    4618,
    (
        text("name", 256, required="SystemRequired"),
        text("description", 2000),
        text("url", 2000),
        text("authvalue", 2048),
        flag("isauthvalueset", **READ_ONLY),
        choice("contract", _CONTRACTS, required="SystemRequired"),
        choice("authtype", _AUTHENTICATION),
        # What a client leaves out is set (fact sheet: a public one sends neither).
        choice("messageformat", "1 BinaryXML, 2 Json, 3 TextXML", default=2),
        choice("connectionmode", "1 Normal, 2 Federated", default=1),
        *audit(),
    ),
    label="Service Endpoint",
    **_ORGANIZATIONS,
)
SDKMESSAGEPROCESSINGSTEP = table(
    "sdkmessageprocessingstep",
    "sdkmessageprocessingsteps",
    "name",
    4608,
    (
        text("name", 256),
        text("description", 256),
        text("configuration", 4000),
        text("filteringattributes", 100_000),
        choice("stage", "10 Pre-validation, 20 Pre-operation, 40 Post-operation"),
        choice("mode", "0 Synchronous, 1 Asynchronous"),
        number("rank"),
        choice("supporteddeployment", "0 Server Only, 1 Outlook Only, 2 Both", default=0),
        flag("asyncautodelete"),
        lookup("eventhandler", "serviceendpoint", navigations=("eventhandler_serviceendpoint",)),
        lookup("sdkmessageid", "sdkmessage"),
        lookup("sdkmessagefilterid", "sdkmessagefilter"),
        *states("0 Enabled, 1 Disabled", "1 Enabled@0, 2 Disabled@1"),
        *audit(),
    ),
    label="Sdk Message Processing Step",
    **_ORGANIZATIONS,
)
