"""Accept chooses the format; the records are the same in each, and the meta goes in headers outside JSON."""

import csv
import io
from datetime import datetime
from decimal import Decimal

import httpx2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.test_api.serving import ARROW, CSV, JSON, JSONL, PARQUET, SCHEDULE, Body, lines, schedule

Client = httpx2.AsyncClient
FORMATS = (JSONL, CSV, ARROW, PARQUET)


async def given(client: Client, accept: str, **parameters: str) -> httpx2.Response:
    response = await client.get(SCHEDULE, params=parameters, headers={"Accept": accept})
    assert response.status_code == 200, response.text
    return response


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (JSONL, JSONL),
        (CSV, CSV),
        ("text/*", CSV),
        ("TEXT/CSV", CSV),
        (ARROW, ARROW),
        (PARQUET, PARQUET),
        ("text/html, text/csv;q=0.9, */*;q=0.1", CSV),
        ("application/json;q=0.5, text/csv", CSV),
        ("text/csv;q=0.5, application/jsonl;q=0.8", JSONL),
        ("text/csv; header=present", CSV),
        ("image/png, */*;q=0.1", JSON),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", JSON),
        ("text/csv;q=abc, application/jsonl", JSONL),
    ],
)
async def test_accept_chooses_the_format(client: Client, accept: str, expected: str) -> None:
    response = await given(client, accept, work_center="WELD", limit="2")
    assert response.headers["content-type"].partition(";")[0] == expected


@pytest.mark.parametrize("accept", ["application/json;q=0, */*", "*/*, application/json;q=0"])
async def test_a_format_that_is_ruled_out_is_not_given(client: Client, accept: str) -> None:
    response = await given(client, accept, work_center="WELD", limit="2")
    assert response.headers["content-type"].partition(";")[0] != JSON


async def test_json_is_given_without_accept(client: Client) -> None:
    del client.headers["Accept"]
    assert (await client.get(SCHEDULE)).headers["content-type"] == JSON


async def test_json_lines_are_the_records_of_the_envelope(client: Client) -> None:
    body = await schedule(client, include_completed="true")
    assert lines((await given(client, JSONL, include_completed="true")).content) == body["data"]


async def test_csv_has_the_same_values_in_the_same_order(client: Client) -> None:
    body = await schedule(client, include_completed="true")
    response = await given(client, CSV, include_completed="true")
    table = list(csv.reader(io.StringIO(response.content.decode(), newline="")))
    assert table[0] == list(body["data"][0])
    assert len(table) == 1 + len(body["data"])
    for cells, record in zip(table[1:], body["data"], strict=True):
        assert [_read(cell, value) for cell, value in zip(cells, record.values(), strict=True)] == list(
            record.values()
        )


def _read(cell: str, value: object) -> object:
    """Return a cell as the type of the JSON value beside it."""
    if cell == "":
        return None
    if isinstance(value, int | float):
        return float(cell)
    return cell.removeprefix("'")


@pytest.mark.parametrize("accept", [ARROW, PARQUET])
async def test_arrow_and_parquet_have_the_same_values_with_types(client: Client, accept: str) -> None:
    body = await schedule(client, include_completed="true")
    content = (await given(client, accept, include_completed="true")).content
    table = table_of(accept, content)
    assert table.column_names == list(body["data"][0])
    for record, expected in zip(table.to_pylist(), body["data"], strict=True):
        assert {name: _plain(value, expected[name]) for name, value in record.items()} == expected


def _plain(value: object, shown: object) -> object:
    """Return a typed value as JSON shows it."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        assert isinstance(shown, str)
        return shown if datetime.fromisoformat(shown) == value else value
    return value.isoformat() if hasattr(value, "isoformat") else value


@pytest.mark.parametrize("accept", FORMATS)
async def test_the_meta_goes_in_headers(client: Client, accept: str) -> None:
    response = await given(client, accept, work_center="WELD", limit="4")
    meta = (await schedule(client, work_center="WELD", limit=4))["meta"]
    assert response.headers["x-kai-source"] == "rest"
    assert response.headers["x-kai-total-count"] == str(meta["total_count"])
    assert response.headers["x-kai-truncated"] == "true"
    assert response.headers["x-kai-simulated"] == "false"
    assert datetime.fromisoformat(response.headers["x-kai-as-of"]).tzinfo is not None
    assert response.headers["x-kai-as-of"].endswith("Z")
    assert "x-kai-warnings" not in response.headers


@pytest.mark.parametrize("accept", FORMATS)
async def test_a_walk_goes_on_by_the_cursor_in_the_header(client: Client, accept: str) -> None:
    first = await given(client, accept, work_center="WELD", limit="20")
    pages: list[Body] = []
    cursor: str | None = first.headers["x-kai-next-cursor"]
    while cursor:
        page = await client.get(SCHEDULE, params={"cursor": cursor, "limit": "20"}, headers={"Accept": JSONL})
        pages += lines(page.content)
        cursor = page.headers.get("x-kai-next-cursor")
        assert page.headers["x-kai-truncated"] == "true"
    whole = await schedule(client, work_center="WELD")
    assert pages == whole["data"][20:]


@pytest.mark.parametrize("accept", FORMATS)
async def test_an_empty_answer_is_an_empty_table_with_its_warning(client: Client, accept: str) -> None:
    response = await given(client, accept, work_center="NOPE")
    assert response.headers["x-kai-warnings"] == "no_match"
    assert response.headers["x-kai-total-count"] == "0"
    assert response.headers["x-kai-truncated"] == "false"
    assert "x-kai-next-cursor" not in response.headers
    assert rows_of(accept, response.content) == 0


def rows_of(accept: str, content: bytes) -> int:
    if accept in {JSONL, CSV}:
        return len(content.splitlines()) - (accept == CSV)
    return len(table_of(accept, content).to_pylist())


def table_of(accept: str, content: bytes) -> pa.Table:
    return pa.ipc.open_stream(content).read_all() if accept == ARROW else pq.read_table(io.BytesIO(content))
