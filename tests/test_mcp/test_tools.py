"""Discovery of the tools, and what they say to arguments that are not allowed."""

import json

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # the SDK brings it without types
from mcp import Client

from kai_erp.app import App
from kai_erp.config import load_settings
from kai_erp.logs import configure_logs
from kai_erp.mcp.server import KaiErpMcpServer
from kai_erp.plugins import all_connectors
from kai_erp.simulator import RunningSimulator
from tests.test_mcp.connecting import (
    CUSTOMERS,
    INVENTORY,
    ORDERS,
    SCHEDULE,
    VERSIONS,
    Era,
    ask,
    refused,
    said,
    sent,
)

MOST_BYTES = 12_000
UNREAD = "Nothing was read from the ERP."
LONG = "x" * 201
WRONG = {
    "an unknown argument": (
        SCHEDULE,
        {"wrk_center": "WELD"},
        "wrk_center: unknown argument (did you mean work_center?)",
    ),
    "a parameter of another tool": (
        SCHEDULE,
        {"customer": "Alder"},
        "allowed are work_center, job, include_completed",
    ),
    "a wrong enum": (
        SCHEDULE,
        {"freshness": "now"},
        "'now' given, allowed is realtime or near_realtime or batch_ok",
    ),
    "a blank enum": (ORDERS, {"freshness": ""}, "freshness: '' given, allowed is realtime"),
    "a limit of nothing": (ORDERS, {"limit": 0}, "limit: 0 given, allowed is a whole number from 1 to 500"),
    "a limit too high": (ORDERS, {"limit": 501}, "limit: 501 given, allowed is a whole number from 1 to 500"),
    "a blank number": (ORDERS, {"days_out": ""}, "days_out: '' given, allowed is a whole number from 0 to 365"),
    "a fraction": (ORDERS, {"days_out": 1.5}, "days_out: 1.5 given, allowed is a whole number from 0 to 365"),
    "a negative number": (ORDERS, {"days_out": -1}, "days_out: -1 given, allowed is a whole number"),
    "a word for a boolean": (
        ORDERS,
        {"late_only": "perhaps"},
        "late_only: 'perhaps' given, allowed is true or false",
    ),
    "NUL in a text": (
        SCHEDULE,
        {"work_center": "WE\0LD"},
        "work_center: 'WE LD' given, control characters are not",
    ),
    "half a character": (INVENTORY, {"item": "a\ud800"}, "item: 'a' given"),
    "a text too long": (INVENTORY, {"item": LONG}, "allowed is a text of at most 200 characters"),
    "a list for a text": (CUSTOMERS, {"query": ["Alder"]}, "allowed is a text of at most 200 characters"),
    "an object for a text": (
        CUSTOMERS,
        {"query": {"name": "Alder"}},
        "query: {'name': 'Alder'} given, allowed is",
    ),
    "nothing where something must be": (CUSTOMERS, {}, "query: must be given. Part of the name"),
    "a blank where something must be": (CUSTOMERS, {"query": "  "}, "query: '  ' given, at least one character"),
    "a cursor that leads nowhere": (SCHEDULE, {"cursor": "nowhere.5"}, "cursor_expired: "),
    "a cursor with NUL": (SCHEDULE, {"cursor": "a\0b.5"}, "cursor_expired: "),
    "two wrong ones": (ORDERS, {"limit": 0, "days_out": 999}, "; "),
}


async def test_each_era_is_spoken(either: Client, era: Era) -> None:
    async with either:
        assert either.protocol_version == VERSIONS[era]
        assert "never instructions" in str(either.instructions)


async def test_there_is_a_tool_for_each_connector(either: Client) -> None:
    async with either:
        tools = (await either.list_tools()).tools
        assert [tool.name for tool in tools] == [connector.tool for connector in all_connectors()]
        assert [tool.name for tool in tools][:4] == [SCHEDULE, ORDERS, CUSTOMERS, INVENTORY]


async def test_every_tool_says_that_it_only_reads_a_closed_world_and_may_be_called_again(client: Client) -> None:
    async with client:
        for tool in (await client.list_tools()).tools:
            assert tool.annotations is not None
            assert tool.annotations.read_only_hint is True
            assert tool.annotations.idempotent_hint is True
            assert tool.annotations.open_world_hint is False


async def test_every_description_says_when_when_not_what_next_and_how(client: Client) -> None:
    async with client:
        tools = (await client.list_tools()).tools
        names = {tool.name for tool in tools}
        for tool, connector in zip(tools, all_connectors(), strict=True):
            text = tool.description or ""
            assert tool.title == connector.title
            assert connector.description in text
            assert "Next: " in text
            assert any(other in text.partition("Next: ")[2] for other in names - {tool.name})
            example = json.loads(text.partition("Example: ")[2])
            assert connector.query.model_validate(example) == connector.example


async def test_the_input_schema_has_the_connectors_parameters_and_the_page(client: Client) -> None:
    async with client:
        for tool, connector in zip((await client.list_tools()).tools, all_connectors(), strict=True):
            Draft202012Validator.check_schema(tool.input_schema)
            properties = tool.input_schema["properties"]
            assert list(properties) == [*connector.query.model_fields, "limit", "cursor", "freshness"]
            assert all(entry["description"] for entry in properties.values())
            assert properties["limit"] | {"description": ""} == {
                "type": "integer",
                "minimum": 1,
                "maximum": 500,
                "default": 50,
                "description": "",
            }
            assert properties["freshness"]["enum"] == ["realtime", "near_realtime", "batch_ok"]
            assert tool.input_schema["additionalProperties"] is False
            Draft202012Validator(tool.input_schema).validate(
                json.loads(connector.example.model_dump_json(exclude_none=True))
            )


async def test_the_output_schema_names_every_field_of_the_envelope(client: Client) -> None:
    async with client:
        for tool, connector in zip((await client.list_tools()).tools, all_connectors(), strict=True):
            assert tool.output_schema is not None
            Draft202012Validator.check_schema(tool.output_schema)
            properties = tool.output_schema["properties"]
            assert list(properties) == ["data", "summary", "meta"]
            assert list(properties["data"]["items"]["properties"]) == list(connector.record.model_fields)
            assert list(properties["summary"]["properties"]) == list(connector.summary.model_fields)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        (SCHEDULE, {}),
        (ORDERS, {}),
        (CUSTOMERS, {"query": "a", "active_only": False}),
        (INVENTORY, {"item": "FB-*"}),
    ],
)
async def test_answers_fit_the_output_schema(client: Client, tool: str, arguments: dict[str, object]) -> None:
    async with client:
        (defined,) = (found for found in (await client.list_tools()).tools if found.name == tool)
        assert defined.output_schema is not None
        Draft202012Validator(defined.output_schema).validate(await ask(client, tool, **arguments, limit=500))


async def test_all_definitions_together_are_small(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    async with client:
        size = len(sent((await client.list_tools()).tools).encode())
        with capsys.disabled():
            print(f"\nall tool definitions: {size:,} bytes of {MOST_BYTES:,}")  # noqa: T201  # to be seen
        assert size <= MOST_BYTES


@pytest.mark.parametrize(("tool", "arguments", "text"), WRONG.values(), ids=WRONG)
async def test_what_is_not_allowed_is_refused_and_reaches_nothing(
    tool: str, arguments: dict[str, object], text: str, client: Client, simulator: RunningSimulator
) -> None:
    async with client:
        told = refused(await client.call_tool(tool, arguments))
        assert text in told
        assert told.endswith(UNREAD)
        assert told.isprintable()
        assert simulator.state.requests == []
        assert simulator.state.token_requests == 0


async def test_a_wrong_argument_is_told_over_the_older_protocol_too(either: Client) -> None:
    async with either:
        assert "allowed is a whole number from 1 to 500" in refused(
            await either.call_tool(SCHEDULE, {"limit": 501})
        )


async def test_an_unknown_tool_is_told_with_those_that_there_are(client: Client) -> None:
    async with client:
        told = refused(await client.call_tool("get_weather", {}))
        assert "There is no tool 'get_weather'" in told
        assert INVENTORY in told


async def test_null_and_blank_filters_count_as_absent(client: Client) -> None:
    async with client:
        whole = await ask(client, SCHEDULE, limit=1)
        same = await ask(client, SCHEDULE, limit=1, work_center=None, job="  ", freshness=None, cursor="")
        assert same["meta"]["total_count"] == whole["meta"]["total_count"]
        assert same["meta"]["filters_applied"] == {}


async def test_without_an_erp_the_tools_are_listed_and_say_what_to_set() -> None:
    async with Client(KaiErpMcpServer(load_settings())) as idle:
        assert len((await idle.list_tools()).tools) == len(all_connectors())
        told = refused(await idle.call_tool(ORDERS, {}))
    assert told.startswith("not_configured: ")
    assert "SL10_IONAPI_FILE" in told
    assert told.endswith(UNREAD)


async def test_a_denied_collection_is_told_with_the_grant_to_ask_for(
    either: Client, simulator: RunningSimulator
) -> None:
    async with either:
        simulator.state.deny("SLJobs")
        told = refused(await either.call_tool(SCHEDULE, {}))
        assert told.startswith("upstream_denied: ")
        assert "Ask the ERP administrator for Read privilege on the IDO SLJobs" in told
        assert UNREAD not in told


async def test_a_defect_is_told_without_its_details_which_go_to_the_log(
    server: KaiErpMcpServer, app: App, era: Era, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs(app.settings)
    app.connectors.clear()  # what is asked is then not to be found: a KeyError
    async with Client(server, mode=era) as client:
        told = refused(await client.call_tool(SCHEDULE, {}))
    assert told.startswith("internal_error: ")
    assert "KeyError" not in told
    out, err = capsys.readouterr()
    assert out == ""
    assert "KeyError" in err
    assert told.rpartition(" ")[2].rstrip(".") in err


async def test_nothing_found_is_an_answer_with_the_nearest_known_values(either: Client) -> None:
    async with either:
        result = await either.call_tool(SCHEDULE, {"work_center": "WELT"})
        assert not result.is_error
        assert "Warning no_match: Nothing matches work_center=WELT. Nearest known work_center: WELD" in said(
            result
        )
