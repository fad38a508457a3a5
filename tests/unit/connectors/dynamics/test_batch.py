from __future__ import annotations

import pytest

from bothways.connectors.dynamics import batch
from bothways.connectors.dynamics.batch import Part
from bothways.errors import ProtocolError

_ANSWER = """--batchresponse_1
Content-Type: application/http
Content-Transfer-Encoding: binary

HTTP/1.1 204 No Content
OData-Version: 4.0
OData-EntityId: https://org.example/api/data/v9.2/contacts(1)


--batchresponse_1
Content-Type: application/http
Content-Transfer-Encoding: binary

HTTP/1.1 400 Bad Request
REQ_ID: 7
Content-Type: application/json; odata.metadata=minimal

{"error":{"code":"0x80044331","message":"too long\\n\\n--batchresponse_1x"}}
--batchresponse_1--
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("boundary", ["batchresponse_1", '"batchresponse_1"'])
def test_answers_are_read_in_order_whatever_ends_a_line(newline: str, boundary: str) -> None:
    body = _ANSWER.replace("\n", newline).encode()
    first, second = batch.read(f"multipart/mixed; boundary={boundary}", body)
    assert (first.status, first.content) == (204, b"")
    assert second.status == 400
    assert second.headers["req_id"] == "7"
    assert second.json()["error"]["code"] == "0x80044331"


@pytest.mark.parametrize("cut", range(40, len(_ANSWER) - 4, 37))
def test_a_cut_answer_is_never_taken_for_a_whole_one(cut: int) -> None:
    with pytest.raises(ProtocolError):
        batch.read("multipart/mixed; boundary=batchresponse_1", _ANSWER[:cut].encode())


def test_requests_are_written_with_crlf_and_absolute_paths() -> None:
    content_type, body = batch.write(
        [Part("GET", "contacts?$select=contactid"), Part("PATCH", "leads(1)", '{"a":"ß"}')]
    )
    boundary = content_type.split('"')[1]
    text = body.decode()
    assert text.count(f"--{boundary}\r\n") == 2
    assert text.endswith(f"--{boundary}--\r\n")
    assert "\r\nGET /api/data/v9.2/contacts?$select=contactid HTTP/1.1\r\n" in text
    assert 'Content-Type: application/json\r\n\r\n{"a":"ß"}\r\n--' in text
    assert "\n" not in text.replace("\r\n", "")
