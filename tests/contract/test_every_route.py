"""What every data route owes, whichever there are: pages that add up, formats that agree, refusals that help."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kai_erp.config import Settings
from kai_erp.connectors import BaseConnector
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.plugins import all_connectors
from kai_erp.simulator import RunningSimulator
from tests.test_api.serving import ARROW, CSV, JSONL, PARQUET, lines, problem, serving

Connector = BaseConnector[ConnectorQuery]
Client = httpx2.AsyncClient

pytestmark = pytest.mark.parametrize("connector", all_connectors(), ids=lambda connector: connector.name)

BAD: list[tuple[dict[str, str], str]] = [
    ({"no_such_parameter": "1"}, "no_such_parameter"),
    ({"limit": "0"}, "limit"),
    ({"limit": "10001"}, "limit"),
    ({"limit": ""}, "limit"),
    ({"limit": "many"}, "limit"),
    ({"freshness": "yesterday"}, "freshness"),
    ({"freshness": ""}, "freshness"),
]


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[Client]:
    """A client of a server that asks the shared simulator."""
    async with serving(settings) as opened:
        yield opened


def example(connector: Connector) -> dict[str, str]:
    given = connector.example.model_dump(exclude_defaults=True)
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in given.items()}


async def get(client: Client, connector: Connector, **parameters: object) -> dict[str, Any]:
    query = example(connector) | {name: str(value) for name, value in parameters.items()}
    response = await client.get(connector.path, params=query)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def loads(simulator: RunningSimulator) -> int:
    return sum("/ido/load/" in request.path for request in simulator.state.requests)


async def test_the_limit_is_exact_at_its_borders(connector: Connector, client: Client) -> None:
    total = (await get(client, connector))["meta"]["total_count"]
    for limit in (total - 1, total, total + 1):
        meta = (await get(client, connector, limit=limit))["meta"]
        assert meta["total_count"] == total
        assert meta["record_count"] == min(limit, total)
        assert meta["truncated"] is (limit < total)
        assert (meta["next_cursor"] is not None) is (limit < total)


async def test_a_walk_by_cursor_gives_each_record_once_and_asks_the_erp_once(
    connector: Connector, client: Client, simulator: RunningSimulator
) -> None:
    whole = await get(client, connector)
    simulator.state.requests.clear()
    page = await get(client, connector, limit=3)
    asked, records = loads(simulator), list(page["data"])
    while cursor := page["meta"]["next_cursor"]:
        page = (await client.get(connector.path, params={"cursor": cursor, "limit": "3"})).json()
        records += page["data"]
        assert page["summary"] == whole["summary"]
        assert page["meta"]["truncated"] is True
    assert records == whole["data"]
    assert loads(simulator) == asked


async def test_a_cursor_of_another_connector_leads_nowhere(connector: Connector, client: Client) -> None:
    cursor = (await get(client, connector, limit=1))["meta"]["next_cursor"]
    for other in all_connectors():
        if other.name != connector.name:
            problem(
                await client.get(other.path, params=example(other) | {"cursor": cursor}), 410, "cursor_expired"
            )


async def test_a_cursor_with_other_filters_is_refused(connector: Connector, client: Client) -> None:
    cursor = (await get(client, connector, limit=1))["meta"]["next_cursor"]
    response = await client.get(
        connector.path, params={**example(connector), "cursor": cursor, "freshness": "batch_ok"}
    )
    assert problem(response, 422, "invalid_parameter")["errors"][0]["parameter"] == "freshness"


async def test_all_formats_hold_the_same_records(connector: Connector, client: Client) -> None:
    records = (await get(client, connector))["data"]
    query = example(connector)
    text = await client.get(connector.path, params=query, headers={"Accept": JSONL})
    assert lines(text.content) == records
    stream = await client.get(connector.path, params=query, headers={"Accept": ARROW})
    table = pa.ipc.open_stream(stream.content).read_all()
    file = await client.get(connector.path, params=query, headers={"Accept": PARQUET})
    assert pq.read_table(io.BytesIO(file.content)).to_pylist() == table.to_pylist()
    assert table.num_rows == len(records)
    assert text.headers["x-kai-total-count"] == str(len(records))


async def test_csv_is_flat_and_has_a_row_for_each_part(connector: Connector, client: Client) -> None:
    records = (await get(client, connector))["data"]
    response = await client.get(connector.path, params=example(connector), headers={"Accept": CSV})
    rows = list(csv.DictReader(io.StringIO(response.text)))
    part = connector.rows_of
    expected = sum(max(1, len(record[part])) for record in records) if part else len(records)
    assert len(rows) == expected
    flat = [name for name, value in records[0].items() if not isinstance(value, list)]
    assert [name for name in rows[0] if "." not in name] == flat
    if part:
        inner = [name for name, value in records[0][part][0].items() if not isinstance(value, list)]
        assert [name.removeprefix(f"{part}.") for name in rows[0] if "." in name] == inner


@pytest.mark.parametrize(("bad", "named"), BAD)
async def test_a_wrong_parameter_is_named_and_nothing_reaches_the_erp(
    connector: Connector, client: Client, simulator: RunningSimulator, bad: dict[str, str], named: str
) -> None:
    body = problem(await client.get(connector.path, params=example(connector) | bad), 422, "invalid_parameter")
    assert [fault["parameter"] for fault in body["errors"]] == [named]
    assert body["errors"][0]["message"]
    assert simulator.state.requests == []


async def test_a_text_that_nobody_types_is_refused(
    connector: Connector, client: Client, simulator: RunningSimulator
) -> None:
    for name in connector.vocabulary:
        for text in ("x" * 10_000, "a\0b", "a\x1b[2J", "x" * 201):
            response = await client.get(connector.path, params=example(connector) | {name: text})
            assert problem(response, 422, "invalid_parameter")["errors"][0]["parameter"] == name
        twice = await client.get(connector.path, params={**example(connector), name: ["a", "b"]})
        problem(twice, 422, "invalid_parameter")
    assert simulator.state.requests == []
