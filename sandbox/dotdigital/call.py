"""How a route becomes a plain function: from a `Call` to JSON, a `Response`, or an `ApiError`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox import bodies
from sandbox.dotdigital import contacts, errors, values
from sandbox.dotdigital.errors import ApiError, Invalid
from sandbox.dotdigital.jobs import settle
from sandbox.dotdigital.limits import CALLS
from sandbox.vendor import VendorContext


@dataclass(frozen=True)
class Call:
    """One request.

    Attributes:
        path: Parameters of the path, as text.
        origin: The sandbox's own scheme, host and port, as the client sees them.
        url: The path as it was sent.
        calls: The account's calls of this hour.
    """

    context: VendorContext
    path: Mapping[str, str]
    query: QueryParams
    body: bytes
    origin: str
    url: str
    calls: int = 0

    @property
    def now(self) -> str:
        """The account's time, as it is stored."""
        return values.stamp(self.context.clock.now())

    @property
    def must_confirm(self) -> bool:
        """Whether every new contact must confirm first."""
        return contacts.must_confirm(self.context)

    def number(self, name: str, refusal: ApiError) -> int:
        """Return a number of the path.

        Raises:
            ApiError: `refusal`, if it is none.
        """
        text = self.path[name]
        if not is_number(text):
            raise refusal
        return int(text)

    def json(self, refusal: ApiError) -> Any:
        """Return the body.

        Raises:
            ApiError: `refusal`, if it is no JSON.
        """
        try:
            return bodies.parsed(self.body)
        except ValueError as problem:
            raise refusal from problem

    def v2_object(self) -> dict[str, Any]:
        """Return the body of a v2 call, an object.

        Raises:
            ApiError: It is none.
        """
        body = self.json(errors.v2("ERROR_PARAMETER_INVALID"))
        if not isinstance(body, dict):
            raise errors.v2("ERROR_PARAMETER_INVALID")
        return body

    def v2_rows(self) -> list[Any]:
        """Return the body of a v2 call, an array.

        Raises:
            ApiError: It is none.
        """
        body = self.json(errors.v2("ERROR_PARAMETER_INVALID"))
        if not isinstance(body, list):
            raise errors.v2("ERROR_PARAMETER_INVALID")
        return body

    def v2_since(self) -> str:
        """Return the date of the path.

        Raises:
            ApiError: It is none.
        """
        return self._date(self.path["date"])

    def v2_date(self, name: str) -> str | None:
        """Return a date of the query, if it is given.

        Raises:
            ApiError: It is none.
        """
        return self._date(self.query[name]) if name in self.query else None

    def v2_flag(self, name: str) -> bool:
        """Return a boolean of the query, false if it is not given.

        Raises:
            ApiError: It is none.
        """
        word = self.query.get(name, "false").lower()
        if word not in {"true", "false"}:
            raise errors.v2("ERROR_PARAMETER_INVALID")
        return word == "true"

    @staticmethod
    def _date(text: str) -> str:
        try:
            return values.since(text)
        except ValueError as problem:
            raise errors.v2("ERROR_PARAMETER_INVALID") from problem

    def v2_page(self, longest: int = 1000) -> tuple[int, int]:
        """Return `select` and `skip`: 1…1000 and not negative (facts: Dotdigital 1.2).

        Args:
            longest: How many rows a page can have, if not 1000.

        Raises:
            ApiError: One of them is out of bounds.
        """
        try:
            select, skip = int(self.query.get("select", longest)), int(self.query.get("skip", 0))
        except ValueError as problem:
            raise errors.v2("ERROR_PARAMETER_INVALID") from problem
        # assumed: of the two documented maxima of modified-since, 1000 and 2000, the lower
        if not 1 <= select <= longest or not 0 <= skip < 2**31:
            raise errors.v2("ERROR_PARAMETER_INVALID")
        return select, 0 if self.context.faults.repeat_page else skip


Handler = Callable[[Call], Any]


def is_number(text: str) -> bool:
    """Return whether a parameter is a number that an id can be."""
    return text.isascii() and text.isdigit() and len(text) <= 15


def is_id(value: Any) -> bool:
    """Return whether a JSON value can be an id."""
    return type(value) is int and 0 <= value < 2**53


def route(context: VendorContext, method: str, path: str, handler: Handler) -> Route:
    """Return a route whose handler runs in a thread, after the imports that are due."""

    def answer(call: Call) -> Response:
        settle(context)
        try:
            result = handler(call)
        except Invalid as problem:
            raise _refusal(path, problem) from problem
        return result if isinstance(result, Response) else JSONResponse(result)

    async def endpoint(request: Request) -> Response:
        origin = f"{request.url.scheme}://{request.url.netloc}"
        body = await request.body()
        calls = request.scope[CALLS]
        path, query = request.path_params, request.query_params
        call = Call(context, path, query, body, origin, request.url.path, calls)
        return await run_in_threadpool(answer, call)

    return Route(path, endpoint, methods=[method])


def _refusal(path: str, problem: Invalid) -> ApiError:
    if path.startswith("/v2"):
        return errors.v2(problem.v2_code, problem.v2_text)
    is_id = problem.code in {"invalidEmail", "invalidMobileNumber"}
    return errors.v3(400, "invalidId" if is_id else problem.code, problem.description)
