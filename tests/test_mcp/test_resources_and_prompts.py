"""The catalogue, the data dictionary, the prompts for the jobs of the day, and completions."""

import json
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.types import INVALID_PARAMS, PromptReference, ResourceTemplateReference, TextContent, TextResourceContents

from kai_erp.mcp.resources import CATALOGUE, DICTIONARY
from kai_erp.plugins import all_connectors
from tests.test_mcp.connecting import INVENTORY, SCHEDULE, ask

PROMPTS = {"shop_floor_review": "work_center", "late_order_review": "customer", "shortage_check": "warehouse"}
NAMES = [connector.name for connector in all_connectors()]


async def read(client: Client, uri: str) -> Any:  # noqa: ANN401  # JSON
    (content,) = (await client.read_resource(uri)).contents
    assert isinstance(content, TextResourceContents)
    assert content.mime_type == "application/json"
    return json.loads(content.text)


async def prompt(client: Client, name: str, **arguments: str) -> str:
    (message,) = (await client.get_prompt(name, arguments)).messages
    assert isinstance(message.content, TextContent)
    assert message.role == "user"
    return message.content.text


async def completed(client: Client, name: str, typed: str) -> list[str]:
    argument = {"name": PROMPTS[name], "value": typed}
    return (await client.complete(PromptReference(name=name), argument)).completion.values


async def test_the_catalogue_names_every_connector_its_tool_and_its_dictionary(either: Client) -> None:
    async with either:
        assert [str(found.uri) for found in (await either.list_resources()).resources] == [CATALOGUE]
        entries = await read(either, CATALOGUE)
        assert [entry["name"] for entry in entries] == NAMES
        tools = [tool.name for tool in (await either.list_tools()).tools]
        assert [entry["tool"] for entry in entries] == tools
        for entry in entries:
            assert (await read(either, entry["dictionary"]))["name"] == entry["name"]


async def test_the_dictionary_says_what_every_field_means(client: Client) -> None:
    async with client:
        (template,) = (await client.list_resource_templates()).resource_templates
        assert template.uri_template == DICTIONARY
        orders = await read(client, "kai-erp://connectors/open_orders")
    assert orders["record"]["customer_po"] == "The customer's own purchase order number."
    assert orders["record"]["lines"]["fields"]["is_late"] == "Due before today."
    assert orders["parameters"]["late_only"] == "Only lines due before today."
    assert orders["summary"]["late_lines"] == "late lines"
    needed = {entry["name"] for entry in orders["collections"] if entry["required"]}
    assert needed == {"SLCos", "SLCoitems", "SLCustomers"}


@pytest.mark.parametrize("name", ["nothing", "..%2Fsecret", "a%00b"])
async def test_there_is_no_dictionary_of_what_is_no_connector(either: Client, name: str) -> None:
    async with either:
        with pytest.raises(MCPError) as caught:
            await either.read_resource(f"kai-erp://connectors/{name}")
    assert caught.value.error.code in {-32602, -32002}


async def test_each_job_of_the_day_has_a_prompt_that_names_tools_that_there_are(client: Client) -> None:
    async with client:
        found = (await client.list_prompts()).prompts
        assert {entry.name: [argument.name for argument in entry.arguments or ()] for entry in found} == {
            name: [argument] for name, argument in PROMPTS.items()
        }
        tools = {tool.name for tool in (await client.list_tools()).tools}
        for entry in found:
            assert entry.title
            assert entry.description
            text = await prompt(client, entry.name)
            assert {word.strip(",.") for word in text.split() if word.startswith(("get_", "search_"))} <= tools
            assert "warehouse=" not in text


async def test_a_prompt_takes_what_it_is_about(either: Client) -> None:
    async with either:
        text = await prompt(either, "shop_floor_review", work_center=" WELD\n")
        assert 'get_production_schedule with work_center="WELD", limit=500' in text
        assert 'customer="Alder", late_only=true' in await prompt(either, "late_order_review", customer="Alder")
        assert 'warehouse="EAST", low_stock_only' in await prompt(either, "shortage_check", warehouse="EAST")


async def test_work_centers_and_warehouses_are_completed_from_what_was_seen(either: Client) -> None:
    async with either:
        assert await completed(either, "shop_floor_review", "") == []
        await ask(either, SCHEDULE, limit=1)
        await ask(either, INVENTORY, item="BH-*", limit=1)
        assert await completed(either, "shop_floor_review", "we") == ["WELD"]
        assert await completed(either, "shop_floor_review", "A") == [
            "ASSY",
            "BLAST",
            "GALV",
            "LASER",
            "MACH",
            "PAINT",
            "PLASMA",
            "SAW",
            "SHEAR",
        ]
        assert await completed(either, "shortage_check", "") == ["EAST", "MAIN"]
        assert await completed(either, "shop_floor_review", "nowhere") == []


async def test_names_of_connectors_are_completed(client: Client) -> None:
    async with client:
        ref = ResourceTemplateReference(uri=DICTIONARY)
        values = (await client.complete(ref, {"name": "name", "value": "o"})).completion.values
    assert values[0] == "open_orders"
    assert set(values) == {name for name in NAMES if "o" in name}


async def test_no_more_completions_are_sent_than_the_protocol_allows(client: Client) -> None:
    async with client:
        await ask(client, "search_customers", query="e", limit=1)
        await ask(client, "get_open_orders", limit=1)
        found = await client.complete(PromptReference(name="late_order_review"), {"name": "customer", "value": ""})
    assert len(found.completion.values) == 100
    assert found.completion.has_more is True
    assert (found.completion.total or 0) > 100


async def test_an_unknown_prompt_and_a_wrong_argument_are_the_client_s_mistakes(client: Client) -> None:
    async with client:
        with pytest.raises(MCPError, match=r"There is no prompt .*nap.*, there are shop_floor_review"):
            await client.get_prompt("nap", {})
        with pytest.raises(MCPError) as caught:
            await client.get_prompt("shop_floor_review", {"work_center": "x" * 201})
    assert caught.value.error.code == INVALID_PARAMS
