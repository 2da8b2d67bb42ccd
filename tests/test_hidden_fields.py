"""HIDDEN_FIELDS: what it names is seen on no surface, in no schema and in no summary."""

import io
import json
import re
from collections.abc import Iterator
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import structlog
from mcp import Client
from mcp.types import TextContent
from typer.testing import CliRunner

from kai_erp.app import App, Asked, open_app
from kai_erp.cli.main import cli
from kai_erp.config import Settings, load_settings
from kai_erp.connectors import BaseConnector
from kai_erp.connectors.hiding import field_names, hiding
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.errors import InvalidSetting
from kai_erp.mcp.server import KaiErpMcpServer
from kai_erp.plugins import all_connectors
from kai_erp.simulator import RunningSimulator
from tests.conftest import SettingsFor
from tests.test_api.serving import ARROW, CSV, JSON, JSONL, PARQUET, serving

HIDDEN = ("unit_cost", "total_value", "credit_limit", "unit_price", "work_center", "qty_on_hand", "currency")
CONNECTORS = all_connectors()
Connector = BaseConnector[ConnectorQuery]


def hidden_in(document: object) -> set[str]:
    """Return which of the hidden names are keys anywhere in a JSON document, or in a list of required names."""
    return {name for name in _words(document) if name in {*HIDDEN, "work_centers"}}


def _words(document: object) -> Iterator[str]:
    match document:
        case dict():
            for name, value in document.items():
                yield str(name)
                yield from _words(value)
        case list():
            for value in document:
                yield from ([value] if isinstance(value, str) else _words(value))


@pytest.fixture
def hiding_settings(settings_for: SettingsFor, simulator: RunningSimulator) -> Settings:
    return settings_for(simulator, hidden_fields=",".join(HIDDEN))


@pytest.mark.parametrize("connector", CONNECTORS, ids=lambda connector: connector.name)
async def test_no_format_shows_a_hidden_field(connector: Connector, hiding_settings: Settings) -> None:
    parameters = connector.example.model_dump(exclude_none=True, exclude_defaults=True)
    async with serving(hiding_settings) as client:
        for media_type in (JSON, JSONL, CSV, ARROW, PARQUET):
            response = await client.get(connector.path, params=parameters, headers={"Accept": media_type})
            assert response.status_code == 200, response.text
            if media_type == JSON:
                body = response.json()
                assert body["data"], "an answer without records shows nothing"
                assert not hidden_in([body["data"], body["summary"]])
                continue
            assert not _columns(response.content, media_type) & {*HIDDEN}, media_type


def _columns(content: bytes, media_type: str) -> set[str]:
    """Return every name of a field or heading in a body, at whatever level."""
    match media_type:
        case "application/jsonl":
            return {name for line in content.splitlines() for name in _words(json.loads(line))}
        case "text/csv":
            return {*content.splitlines()[0].decode().replace(".", ",").split(",")}
        case _:
            table = (
                pq.read_table(io.BytesIO(content))
                if media_type == PARQUET
                else pa.ipc.open_stream(content).read_all()
            )
            return {*re.findall(r"\w+(?=: )", str(table.schema))}


async def test_no_schema_names_a_hidden_field(hiding_settings: Settings) -> None:
    async with serving(hiding_settings) as client:
        catalogue = (await client.get("/connectors")).json()
        document = (await client.get("/openapi.json")).json()
    assert not hidden_in([entry["record"] for entry in catalogue])
    parameters = {name for connector in CONNECTORS for name in connector.query.model_fields}
    assert hidden_in(document["components"]) <= parameters
    assert "unit_cost" not in json.dumps(document)


async def test_no_tool_or_resource_shows_a_hidden_field(hiding_settings: Settings) -> None:
    async with open_app(hiding_settings) as app, Client(KaiErpMcpServer(app=app)) as client:
        tools = (await client.list_tools()).tools
        assert not [tool.name for tool in tools if hidden_in((tool.output_schema or {})["properties"])]
        for connector in CONNECTORS:
            arguments = connector.example.model_dump(exclude_none=True, exclude_defaults=True)
            answer = await client.call_tool(connector.tool, arguments)
            assert answer.structured_content is not None
            assert answer.structured_content["data"]
            shown = {name: answer.structured_content[name] for name in ("data", "summary")}
            assert not hidden_in(shown)
            (block,) = answer.content
            assert isinstance(block, TextContent)
            headings = block.text.replace("|", " ").replace("=", " ").split()
            assert not {*headings} & (
                {*HIDDEN, "work_centers"} - {*answer.structured_content["meta"]["filters_applied"]}
            )
            page = (await client.read_resource(f"kai-erp://connectors/{connector.name}")).contents[0]
            described = json.loads(page.text)  # type: ignore[union-attr]  # it is JSON text
            assert not hidden_in([described["record"], described["summary"]])


def test_the_terminal_shows_no_hidden_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIDDEN_FIELDS", ",".join(HIDDEN))
    runner = CliRunner()
    table = runner.invoke(cli, ["inventory", "--demo", "--limit", "3"])
    assert table.exit_code == 0, table.output
    assert "value" not in table.stdout
    assert "value" in runner.invoke(cli, ["inventory", "--demo", "--limit", "3"], env={"HIDDEN_FIELDS": ""}).stdout
    assert "unit_cost" not in runner.invoke(cli, ["connectors", "inventory"]).stdout
    structlog.reset_defaults()  # the command sent the log to a stream that is closed now


async def test_an_empty_answer_suggests_no_value_of_a_hidden_field(hiding_settings: Settings) -> None:
    schedule = next(connector for connector in CONNECTORS if connector.name == "production_schedule")
    async with open_app(hiding_settings) as app:
        await app.ask(Asked(schedule.name, schedule.query()))
        nothing = await app.ask(Asked(schedule.name, schedule.query.model_validate({"work_center": "WELDX"})))
        (warning,) = (caution for caution in nothing.meta.warnings if caution.code == "no_match")
        assert "Nearest" not in warning.message
        assert app.seen(schedule.name, "work_center") == ()


async def test_what_is_not_hidden_stays_as_it_is(app: App, hiding_settings: Settings, now: datetime) -> None:
    async with open_app(hiding_settings, now=lambda: now) as reduced:
        for connector in CONNECTORS:
            asked = Asked(connector.name, connector.example)
            whole, less = await app.ask(asked), await reduced.ask(asked)
            kept = [name for name in whole.records.column_names if name not in HIDDEN]
            assert less.records.column_names == kept
            plain = [name for name in kept if name not in {"lines", "warehouse_stock", "addresses"}]
            assert less.records.select(plain) == whole.records.select(plain)
            assert less.meta.total_count == whole.meta.total_count


@pytest.mark.parametrize("name", ["unit_cots", "SLItems", "total"])
async def test_an_unknown_field_stops_the_start_and_names_near_ones(name: str) -> None:
    with pytest.raises(InvalidSetting, match=f"HIDDEN_FIELDS names '{name}', allowed is ") as refusal:
        async with open_app(load_settings({"hidden_fields": name})):
            pass
    assert name != "unit_cots" or "unit_cost" in str(refusal.value)


def test_any_field_of_any_record_can_be_hidden() -> None:
    for connector in CONNECTORS:
        for name in {*field_names(connector.record)}:
            reduced = hiding(connector, frozenset({name}))
            assert name not in {*field_names(reduced.record), *field_names(reduced.summary)}
            assert {*field_names(connector.record)} - {*field_names(reduced.record)} >= {name}
            reduced.record.model_json_schema(mode="serialization")
