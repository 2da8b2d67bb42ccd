import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_erp.core.compass import (
    JobState,
    JobStatus,
    Message,
    cancel_path,
    decode_messages,
    decode_query_id,
    decode_status,
    is_too_large,
    result_path,
    status_path,
    told,
)
from kai_erp.errors import Nonsense

RUNNING, FINISHED, FAILED, CANCELED = JobState.RUNNING, JobState.FINISHED, JobState.FAILED, JobState.CANCELED


def body(**members: object) -> bytes:
    return json.dumps(members).encode()


# Paths


def test_paths_are_made_of_the_id_alone() -> None:
    assert status_path("q-1", 25) == "jobs/q-1/status/?timeout=25"
    assert result_path("q-1", 0, 25_000) == "jobs/q-1/result/?offset=0&limit=25000"
    assert cancel_path("q-1") == "jobs/q-1/cancel/"


def test_an_id_is_opaque_and_cannot_lead_elsewhere() -> None:
    assert cancel_path("a/../b?c#d e%ü") == "jobs/a%2F..%2Fb%3Fc%23d%20e%25%C3%BC/cancel/"


@pytest.mark.parametrize(("wait", "sent"), [(0, 0), (24.9, 24), (25, 25), (60, 25), (-1, 0)])
def test_a_status_is_waited_for_as_long_as_the_server_allows(wait: float, sent: int) -> None:
    assert status_path("q", wait).endswith(f"timeout={sent}")


# Submitting


def test_a_submission_gives_the_id_and_its_location_is_ignored() -> None:
    assert decode_query_id(body(queryId="q-1", status="RUNNING", location="/elsewhere")) == "q-1"
    assert decode_query_id(body(QUERYID=17)) == "17"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"queryId":',
        body(status="RUNNING"),
        body(queryId=""),
        body(queryId=None),
        body(queryId=True),
        body(queryId=[]),
        body(queryId=".."),
    ],
)
def test_a_submission_without_an_id_is_nonsense(answer: bytes) -> None:
    with pytest.raises(Nonsense, match="no query id"):
        decode_query_id(answer)


# Status


@pytest.mark.parametrize(
    ("code", "answer", "status"),
    [
        (202, body(status="RUNNING"), JobStatus(RUNNING)),
        (202, body(status="QUEUED"), JobStatus(RUNNING)),
        (202, b"", JobStatus(RUNNING)),
        (201, body(status="FINISHED", rowCount=61_234), JobStatus(FINISHED, 61_234)),
        (201, body(status="finished"), JobStatus(FINISHED)),
        (200, body(status="Finished", rowCount="5"), JobStatus(FINISHED, 5)),
        (201, body(STATUS="FINISHED", ROWCOUNT=5.0), JobStatus(FINISHED, 5)),
        (201, body(status="FINISHED", rowCount=0, columns=["Job", "Item"]), JobStatus(FINISHED, 0)),
        (201, body(status="FINISHED", columns=[{"name": "Job", "datatype": "string"}]), JobStatus(FINISHED)),
        (201, body(status="FAILED"), JobStatus(FAILED)),
        (201, body(status="CANCELED"), JobStatus(CANCELED)),
        (200, body(status="cancelled"), JobStatus(CANCELED)),
        (201, body(status="RUNNING"), JobStatus(RUNNING)),
    ],
)
def test_the_end_of_a_job_is_read_from_its_status_alone(code: int, answer: bytes, status: JobStatus) -> None:
    assert decode_status(code, answer) == status


@pytest.mark.parametrize("rows", [-1, "many", None, 1.5, True, "inf", "nan", []])
def test_a_count_of_rows_that_is_none_is_unknown(rows: object) -> None:
    assert decode_status(201, body(status="FINISHED", rowCount=rows)).row_count is None


@pytest.mark.parametrize("answer", [b"", b"<html>", b"[" * 5_000, b"\xff", body(), body(status="COMPLETED")])
def test_an_end_that_nobody_knows_is_nonsense(answer: bytes) -> None:
    with pytest.raises(Nonsense):
        decode_status(201, answer)


# Messages

RECORD = {
    "messageCode": "401",
    "messageCategory": "query",
    "messageType": "error",
    "message": "Invalid property name references 'foo'\nor you do not have appropriate permissions",
    "localizedMessage": "Ungültig",
    "line": 3,
    "position": 15,
    "queryId": "q",
}
MESSAGE = Message(
    "Invalid property name references 'foo' or you do not have appropriate permissions", "401", "3", "15"
)
CSV = (
    "MessageCode,MessageCategory,MessageType,Message,Line,Position\n"
    "401,query,error,\"Invalid property name references 'foo'\nor you do not have appropriate permissions\",3,15\n"
)


@pytest.mark.parametrize(
    "answer",
    [
        body(**RECORD),
        json.dumps([RECORD]).encode(),
        b"\xef\xbb\xbf" + json.dumps([RECORD]).encode(),
        body(messages=[RECORD]),
        body(error=RECORD, status="FAILED"),
        CSV.encode(),
        CSV.replace("\n", "\r\n").encode(),
    ],
)
def test_messages_are_found_in_every_form_that_they_come_in(answer: bytes) -> None:
    assert decode_messages(answer) == (MESSAGE,)


def test_messages_are_told_on_one_line_with_code_and_place() -> None:
    text = told([MESSAGE, Message("No such table", position="7"), Message("Sorry")])
    assert text == f"{MESSAGE.text} (code 401) at line 3, position 15; No such table at position 7; Sorry"
    assert told([]) == "it gave no reason"


def test_a_message_without_a_text_is_told_by_what_else_it_says() -> None:
    assert decode_messages(body(messageCode="9", message="", localizedMessage="Nein")) == (Message("Nein", "9"),)
    assert decode_messages(body(messageCode=9)) == (Message("no text", "9"),)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"null",
        b"[]",
        b"[1]",
        b"{}",
        b'{"a":[1,"b"]}',
        b"[" * 5_000,
        b"<html>no</html>",
        b"Job,Item\n1,2\n",
        b"messageCode,message\n",
        b'messageCode,message\n1,"' + b"x" * 200_000,
        b'[{"messageCode":',
    ],
)
def test_a_body_without_messages_has_none(answer: bytes) -> None:
    assert decode_messages(answer) == ()


def test_a_line_of_messages_may_be_longer_or_shorter_than_the_header() -> None:
    got = decode_messages(b"MessageCode,Message,Line\n1,One\n2,Two,5,6,7\n")
    assert got == (Message("One", "1"), Message("Two", "2", "5"))


@given(st.binary(max_size=60) | st.text('{}[]",:messageCode1\n', max_size=40).map(str.encode))
def test_whatever_comes_is_read_without_an_accident(answer: bytes) -> None:
    decode_messages(answer)
    decode_status(202, answer)


@pytest.mark.parametrize("code", ["760", 760])
def test_a_page_that_is_too_large_is_known_by_its_code(code: object) -> None:
    record = {"messageCode": code, "message": "… too large to process"}
    assert is_too_large(body(**record))
    assert is_too_large(json.dumps([record]).encode())
    assert not is_too_large(body(messageCode="761", message="760"))
    assert not is_too_large(b"760")
