"""Rows as CSV for a spreadsheet, in which no cell can be a formula, for a few people at a time."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from threading import Lock
from typing import Any, Final

import anyio
from fastapi import HTTPException, Request
from fastapi.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from bothways.errors import BothwaysError

# What spreadsheets take for the beginning of a formula; the wide forms too, which some convert.
_SIGNS: Final = "=+\\-@＝＋－＠"
_FORMULA: Final = re.compile(rf"^[ ]*[{_SIGNS}\t\r\n]")
# The same within a text, where a spreadsheet splits the file at something else than commas.
_SPLIT: Final = re.compile(rf"([;|\t\r\n][\s\"']*)(?=[{_SIGNS}])")
_ROWS_A_PIECE: Final = 500

AT_ONCE: Final = 8
AT_ONCE_BY_ONE_PERSON: Final = 2
PATIENCE_S: Final = 60.0
"""How long a piece may wait to be read before the download is given up."""


class Places:
    """How many downloads run in this process, and whose they are."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._taken: Counter[str] = Counter()

    def take(self, user: str) -> None:
        """Take a place for a download; `give_back` must follow.

        Raises:
            HTTPException: 429: the person has several running; 503: too many people have.
        """
        with self._lock:
            if self._taken[user] >= AT_ONCE_BY_ONE_PERSON:
                number = AT_ONCE_BY_ONE_PERSON
                raise HTTPException(
                    429, f"You have {number} downloads running; wait until one has ended."
                )
            if self._taken.total() >= AT_ONCE:
                raise HTTPException(503, "Too many downloads are running; try again in a minute.")
            self._taken[user] += 1

    def give_back(self, user: str) -> None:
        """Free a place."""
        with self._lock:
            self._taken[user] -= 1
            self._taken += Counter()  # forgets who has none


class Download(StreamingResponse):
    """A CSV file that is sent while it is read from the store.

    It takes one of a few places, and gives it back when it is sent, when the browser goes away, and
    when nobody has read a piece for PATIENCE_S; whoever reads on then finds that the file ends.

    Args:
        request: The request.
        user: The id of who asks.
        columns: The names in the first line.
        rows: The rows; they are read in a thread, and must hold no connection between two of them.
        filename: What the browser saves it as.

    Raises:
        HTTPException: 429 or 503: too many downloads are running.
    """

    def __init__(
        self,
        request: Request,
        user: str,
        columns: Iterable[str],
        rows: Iterable[Iterable[Any]],
        filename: str,
    ) -> None:
        super().__init__(
            csv_pieces(columns, rows),
            media_type="text/csv",
            headers={"Content-Disposition": f'attachment; filename="{filename}"'},
        )
        self._user = user
        self._places: Places = request.app.state.downloads
        self._places.take(user)
        self._has_place = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._give_back()

    async def stream_response(self, send: Send) -> None:
        """Send the pieces; of a file that nobody reads, the end says that it is not whole.

        To raise would not do: Starlette's middleware ends the answer as if it were complete.
        """
        head = {"type": "http.response.start", "status": self.status_code}
        await send({**head, "headers": self.raw_headers})
        async for piece in self.body_iterator:
            if not await self._read_in_time(send, piece):
                await send(_body(_incomplete("it was not read for too long")))
                break
        await send({**_body(b""), "more_body": False})

    async def _read_in_time(self, send: Send, piece: Any) -> bool:
        """Send a piece and say whether it was read in time; if not, the place is given back."""

        async def lose_patience() -> None:
            await anyio.sleep(PATIENCE_S)
            self._give_back()

        async with anyio.create_task_group() as waiting:
            waiting.start_soon(lose_patience)
            await send(_body(piece))
            waiting.cancel_scope.cancel()
        return self._has_place

    def _give_back(self) -> None:
        if self._has_place:
            self._has_place = False
            self._places.give_back(self._user)


def csv_pieces(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> Iterator[bytes]:
    """Yield a CSV file piece by piece: UTF-8 with a mark that spreadsheets know it by."""
    sink = io.StringIO()
    writer = csv.writer(sink, quoting=csv.QUOTE_ALL)
    writer.writerow(columns)
    yield b"\xef\xbb\xbf"
    try:
        for count, row in enumerate(rows, start=1):
            writer.writerow([cell(value) for value in row])
            if count % _ROWS_A_PIECE == 0:
                yield _emptied(sink)
    except BothwaysError as error:
        yield _emptied(sink) + _incomplete(str(error))
    else:
        yield _emptied(sink)


def cell(value: Any) -> str:
    """Return a value as a cell's text; what would be a formula gets an apostrophe in front.

    So does what would become one where a spreadsheet splits the file at semicolons, as it does in
    countries that write a comma in numbers.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    if isinstance(value, int | float):
        return str(value)
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
    text = _SPLIT.sub(r"\1'", text)
    return f"'{text}" if _FORMULA.match(text) else text


def _incomplete(why: str) -> bytes:
    """Return the last line of a file that ends too early, as a cell of its own."""
    return f'"This file is incomplete: {why}"\r\n'.encode()


def _body(piece: Any) -> Message:
    return {"type": "http.response.body", "body": piece, "more_body": True}


def _emptied(sink: io.StringIO) -> bytes:
    piece = sink.getvalue().encode("utf-8", "replace")
    sink.seek(0)
    sink.truncate()
    return piece
