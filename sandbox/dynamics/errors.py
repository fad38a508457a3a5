"""The vendor's errors: HTTP status, hexadecimal code and sentence, in the Web API's envelope.

Codes and texts come from the fact sheet's "Error envelope and main codes" unless a comment says
"assumed".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

_CDS = "Microsoft.PowerApps.CDS."


class VendorError(Exception):
    """An answer that is an error.

    Attributes:
        status: HTTP status.
        code: Hexadecimal code as text; empty where the vendor gives none.
        message: The vendor's sentence.
        headers: Further response headers, for example `Retry-After`.
    """

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})

    def details(self) -> dict[str, str]:
        """Return what `odata.include-annotations` adds, by annotation (PAD compose-http)."""
        link = f"Microsoft.Crm.CrmException%3a{self.code.removeprefix('0x')}&client=platform"
        return {
            f"{_CDS}ErrorDetails.OperationStatus": "0",
            f"{_CDS}ErrorDetails.SubErrorCode": "-2146233088",  # of every error without its own
            f"{_CDS}HelpLink": f"http://go.microsoft.com/fwlink/?LinkID=398563&error={link}",
            f"{_CDS}TraceText": "",  # no plug-in writes any
            f"{_CDS}InnerError.Message": self.message,
        }

    def body(self, wanted: Callable[[str], bool]) -> bytes:
        """Return the JSON envelope with the wanted annotations; a 401 has no body (assumed)."""
        if self.status == 401:
            return b""
        told = {f"@{name}": text for name, text in self.details().items() if wanted(name)}
        return json.dumps({"error": {"code": self.code, "message": self.message, **told}}).encode()


def type_name(table: str) -> str:
    """Return a table's name in the vendor's namespace."""
    return f"Microsoft.Dynamics.CRM.{table}"


def query_error(message: str) -> VendorError:
    """Return the error for anything wrong in an OData query."""
    return VendorError(400, "0x80060888", message)


def stamp_expired() -> VendorError:
    """Return the error for a token or stamp that is too old; its status is assumed."""
    return VendorError(
        400,
        "0x80044352",
        "Version stamp associated with the client has expired. Please perform a full sync.",
    )


def unknown_property(name: str, table: str) -> VendorError:
    """Return the error for a column that a query names and the table does not have."""
    return query_error(f"Could not find a property named '{name}' on type '{type_name(table)}'.")


def payload_error(entity_set: str, detail: str) -> VendorError:
    """Return the error for a body that does not fit the table."""
    return VendorError(
        400,
        "0x80048d19",
        f"Error identified in Payload provided by the user for Entity :'{entity_set}', For more"
        " information on this error please follow this help link"
        " https://go.microsoft.com/fwlink/?linkid=2195293  ---->  InnerException : "
        f"Microsoft.OData.ODataException: {detail}",
    )


def wrong_literal(entity_set: str, value: object, edm: str) -> VendorError:
    """Return the error for a JSON value of the wrong type."""
    shown = str(value).lower() if isinstance(value, bool) else value
    detail = f"Cannot convert the literal '{shown}' to the expected type '{edm}'."
    return payload_error(entity_set, detail)


def undeclared_property(entity_set: str, name: str) -> VendorError:
    """Return the error for `x@odata.bind` where x is no navigation property."""
    return payload_error(
        entity_set,
        f"An undeclared property '{name}' which only has property annotations in the payload but"
        " no property value was found in the payload. In OData, only declared navigation"
        " properties and declared named streams can be represented as properties without values.",
    )


def may_not_assign(user_id: str, table: str) -> VendorError:
    """Return the error for a row of another owner, made without the right to assign (assumed)."""
    words = f"Principal user (Id={user_id}, type=8) is missing prvAssign{table.capitalize()}"
    return VendorError(403, "0x80040220", f"{words} privilege")


def not_found(table: str, row_id: str) -> VendorError:
    """Return the error for a row id that does not exist."""
    return VendorError(404, "0x80040217", f"{table} With Id = {row_id} Does Not Exist")


def key_not_found(table: str) -> VendorError:
    """Return the error for alternate-key values that no row has."""
    return VendorError(
        404,
        "0x80060891",
        f"A record with the specified key values does not exist in {table} entity",
    )


def undeclared_key(table: str) -> VendorError:
    """Return the error for a key predicate that names no declared, active key."""
    return VendorError(
        400,
        "0x80060888",
        f"The key in the request URI is not valid for resource '{type_name(table)}'. Ensure that"
        " the names and number of key properties match the declared or alternate key properties"
        f" for the resource '{type_name(table)}'.",
    )


def duplicate_key(key: str, columns: str) -> VendorError:
    """Return the error for a second row with the same alternate key."""
    return VendorError(
        412,
        "0x80060892",
        f"Entity Key {key} violated. A record with the same value for {columns} already exists. A"
        " duplicate record cannot be created. Select one or more unique values and try again.",
    )


def no_segment(name: str) -> VendorError:
    """Return the error for a resource that does not exist."""
    return VendorError(404, "0x8006088a", f"Resource not found for the segment '{name}'.")


def wrong_verb(method: str) -> VendorError:
    """Return the error for a verb that the resource does not take."""
    return VendorError(
        405, "0x0", f"The requested resource does not support http method '{method}'."
    )


def invalid_argument(message: str) -> VendorError:
    """Return the error for a bad argument of an action."""
    return VendorError(400, "0x80040203", message)


def unexpected() -> VendorError:
    """Return the vendor's answer when it does not say what is wrong."""
    return VendorError(400, "0x80040216", "An unexpected error occurred.")


def plugin_refused() -> VendorError:
    """Return a refusal by the customer's own business logic (IsvAborted)."""
    return VendorError(400, "0x80040265", "The row was refused by a plug-in of this environment.")


def unresolved_action() -> VendorError:
    """Return the error for an action whose body or binding does not fit."""
    return VendorError(400, "0x80048d19", "Request message has unresolved parameters.")
