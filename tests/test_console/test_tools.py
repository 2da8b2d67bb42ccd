"""Trying the tools: a form for every question, the answer as the API gives it, and how else it is put."""

import ast
import json
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from html import unescape
from pathlib import Path
from typing import Literal, cast

import httpx2
import pytest
from pydantic import Field

from kai_erp.access.keys import KeysFile
from kai_erp.api.main import create_app
from kai_erp.app import Asked
from kai_erp.config import Settings
from kai_erp.connectors import BedrockOpsScheduler, InventoryQuery, ScheduleQuery
from kai_erp.connectors.parameters import ConnectorQuery, FilterText
from kai_erp.console.cells import Cell, Grid, cell_of
from kai_erp.console.recipes import Place, recipes
from kai_erp.console.tools import indented
from kai_erp.mcp.arguments import Connector, asked_by
from kai_erp.plugins import all_connectors
from kai_erp.simulator import RunningSimulator
from tests.conftest import SettingsFor
from tests.test_api.serving import client_of, schedule, serving

PAGE = {"Accept": "text/html"}
TOOLS = "/console/tools"
SCHEDULE = f"{TOOLS}/production_schedule"
NASTY = """it's "5" <script>alert(1)</script> $(touch pwned) `id` \\ %&+=;|é"""
HERE = Place("http://127.0.0.1:8100/", "none", simulated=False)


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    async with serving(settings) as opened:
        yield opened


@pytest.fixture
def keys(tmp_path: Path) -> KeysFile:
    return KeysFile(tmp_path / "keys.json")


async def page_of(client: httpx2.AsyncClient, path: str, status: int = 200, **parameters: str) -> str:
    """Return a page, after checking its status, its type and its policy."""
    response = await client.get(path, params=parameters or None, headers=PAGE)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src 'self';" in response.headers["content-security-policy"]
    return response.text


async def asked(client: httpx2.AsyncClient, path: str = SCHEDULE, status: int = 200, **parameters: str) -> str:
    """Return the page of a form that was sent."""
    return await page_of(client, path, status, ask="1", **parameters)


def code(page: str, name: str) -> str:
    """Return a text that the page lets one copy."""
    found = re.search(rf'<pre class="code" id="{name}"[^>]*>(.*?)</pre>', page, re.DOTALL)
    assert found, name
    assert f'data-copy="#{name}"' in page
    return unescape(found[1])


def words(page: str) -> str:
    """Return what a page says, without its tags."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def rows(page: str) -> int:
    """Return how many rows the table of records has."""
    table = page[page.index('aria-label="Table of records"') : page.index('id="json-title"')]
    return len(re.findall(r"<tr><td", re.sub(r"<details>.*?</details>", "", table, flags=re.DOTALL)))


def executed(command: str, where: Path) -> list[str]:
    """Return the arguments that a shell hands to curl."""
    shell = f"curl() {{ printf '%s\\0' \"$@\"; }}; KAI_ERP_KEY=of-the-shell\n{command}"
    run = subprocess.run(["/bin/sh", "-c", shell], capture_output=True, cwd=where, check=True, timeout=10)  # noqa: S603
    return run.stdout.decode().split("\0")[:-1]


def parameters(arguments: list[str]) -> dict[str, str]:
    """Return the parameters among the arguments of curl."""
    pairs = [arguments[place + 1] for place, name in enumerate(arguments) if name == "--data-urlencode"]
    return dict(pair.split("=", 1) for pair in pairs)


def names(directory: Path) -> set[str]:
    """Return what lies in a directory."""
    return {path.name for path in directory.iterdir()}


def connector_of(name: str) -> Connector:
    """Return a connector by its name."""
    return next(connector for connector in all_connectors() if connector.name == name)


async def test_every_question_is_listed_and_has_a_form(client: httpx2.AsyncClient) -> None:
    listed = await page_of(client, TOOLS)
    for connector in all_connectors():
        assert f'href="{TOOLS}/{connector.name}"' in listed
        form = await page_of(client, f"{TOOLS}/{connector.name}")
        for name in [*connector.query.model_fields, "limit", "freshness"]:
            assert f'<label for="field-{name}">' in form or f'<label class="check" for="field-{name}">' in form
        assert "The same question from elsewhere" not in form


async def test_a_form_asks_nothing_until_it_is_sent(
    client: httpx2.AsyncClient, simulator: RunningSimulator
) -> None:
    page = await page_of(client, SCHEDULE, work_center="WELD")
    assert 'value="WELD"' in page
    assert simulator.state.requests == []


async def test_the_answer_is_that_of_the_api(client: httpx2.AsyncClient) -> None:
    expected = await schedule(client, work_center="WELD", limit=7)
    page = await asked(client, work_center="WELD", limit="7")
    shown = json.loads(code(page, "json"))
    assert shown["data"] == expected["data"][:5]
    assert shown["summary"] == expected["summary"]
    assert rows(page) == 7
    assert f"7 shown, {expected['meta']['total_count']} in the whole answer" in words(page)
    assert "the first 5 of 7 records of this page" in words(page)
    assert re.search(r"in [\d.]+ ms", words(page))


async def test_a_hundred_rows_are_shown_and_what_is_left_out_is_told(client: httpx2.AsyncClient) -> None:
    total = (await schedule(client, limit=1))["meta"]["total_count"]
    page = await asked(client, limit="150")
    assert total > 150
    assert rows(page) == 100
    assert f"100 of 150 on this page shown, {total} in the whole answer" in words(page)


async def test_the_next_page_is_of_the_same_answer(
    client: httpx2.AsyncClient, simulator: RunningSimulator
) -> None:
    first = await asked(client, work_center="WELD", limit="3")
    link = unescape(re.search(rf'href="({SCHEDULE}\?[^"]*cursor=[^"]*)"', first)[1])  # type: ignore[index]
    simulator.state.requests.clear()
    second = json.loads(code(await page_of(client, link), "json"))
    assert simulator.state.requests == []
    expected = await schedule(client, work_center="WELD", limit=6)
    assert second["data"] == expected["data"][3:6]
    assert second["meta"]["filters_applied"] == {"work_center": "WELD"}


async def test_a_cursor_may_go_alone(client: httpx2.AsyncClient) -> None:
    first = await asked(client, work_center="WELD", limit="3")
    cursor = json.loads(code(first, "json"))["meta"]["next_cursor"]
    page = await page_of(client, SCHEDULE, cursor=cursor, limit="2")
    assert rows(page) == 2
    assert parameters(executed(code(page, "curl"), Path.cwd()))["cursor"] == cursor


async def test_a_cursor_knows_what_must_be_given(client: httpx2.AsyncClient) -> None:
    path = f"{TOOLS}/customer_search"
    first = json.loads(code(await asked(client, path, query="a", limit="1"), "json"))
    second = json.loads(code(await page_of(client, path, cursor=first["meta"]["next_cursor"]), "json"))
    assert second["meta"]["filters_applied"] == first["meta"]["filters_applied"]
    assert second["data"][0] != first["data"][0]


async def test_a_cursor_that_has_lapsed_says_what_to_do(client: httpx2.AsyncClient) -> None:
    page = await asked(client, status=410, cursor="A" * 24 + ".3", work_center="WELD")
    assert 'data-code="cursor_expired"' in page
    assert "Ask the question again without a cursor." in words(page)
    again = unescape(re.search(rf'href="({SCHEDULE}[^"]*)">Ask the question again', page)[1])  # type: ignore[index]
    assert "cursor" not in again
    assert rows(await page_of(client, again)) > 0


@pytest.mark.parametrize(
    ("tool", "name", "value", "said"),
    [
        ("production_schedule", "limit", "0", "greater than or equal to 1"),
        ("production_schedule", "limit", "many", "a valid integer"),
        ("production_schedule", "freshness", "stale", "realtime"),
        ("production_schedule", "job", "J" * 201, "at most 200 characters"),
        ("open_orders", "days_out", "366", "less than or equal to 365"),
        ("customer_search", "query", " ", "must be given"),
    ],
)
async def test_a_wrong_parameter_is_told_beside_its_field_and_above(
    client: httpx2.AsyncClient, tool: str, name: str, value: str, said: str
) -> None:
    page = await asked(client, f"{TOOLS}/{tool}", 422, **{name: value})
    beside = re.search(rf'<p class="error" id="error-{name}">(.*?)</p>', page)
    assert beside
    assert said in unescape(beside[1])
    assert f'aria-describedby="about-{name} error-{name}" aria-invalid="true"' in page
    summary = page[page.index('role="alert"') : page.index("</section>")]
    assert f'href="#field-{name}"' in summary
    assert said in unescape(summary)
    assert 'class="code"' not in page


async def test_all_that_is_wrong_is_told_at_once(client: httpx2.AsyncClient) -> None:
    page = await asked(client, f"{TOOLS}/open_orders", 422, days_out="-1", limit="0", nonsense="<b>")
    assert {*re.findall(r'id="error-(\w+)"', page)} == {"days_out", "limit"}
    assert "nonsense : unknown parameter" in words(page)


async def test_other_filters_than_those_of_the_cursor_are_told_beside_their_field(
    client: httpx2.AsyncClient,
) -> None:
    first = await asked(client, work_center="WELD", limit="3")
    cursor = json.loads(code(first, "json"))["meta"]["next_cursor"]
    page = await asked(client, status=422, cursor=cursor, work_center="SAW")
    assert "first request" in re.search(r'id="error-work_center">(.*?)</p>', page)[1]  # type: ignore[index]


async def test_a_box_that_is_not_ticked_says_no(client: httpx2.AsyncClient) -> None:
    path = f"{TOOLS}/customer_search"
    assert re.search(r'name="active_only" value="true" checked', await page_of(client, path))
    page = await asked(client, path, query="a")
    assert not re.search(r'name="active_only" value="true" checked', page)
    assert json.loads(code(page, "json"))["meta"]["filters_applied"] == {"query": "a", "active_only": False}
    page = await asked(client, path, query="a", active_only="true")
    assert json.loads(code(page, "json"))["meta"]["filters_applied"] == {"query": "a"}


async def test_whatever_is_typed_stays_a_text(client: httpx2.AsyncClient, tmp_path: Path) -> None:
    page = await asked(client, work_center=NASTY)
    assert "<script>alert" not in page
    assert f'value="{NASTY}"' not in page
    assert unescape(re.search(r'name="work_center" value="([^"]*)"', page)[1]) == NASTY  # type: ignore[index]
    arguments = executed(code(page, "curl"), tmp_path)
    assert parameters(arguments) == {"work_center": NASTY, "limit": "100"}
    assert names(tmp_path) == {"tenant.ionapi"}
    called = next(node for node in ast.walk(ast.parse(code(page, "python"))) if is_question(node))
    assert {one.arg: ast.literal_eval(one.value) for one in called.keywords} == {"work_center": NASTY}  # type: ignore[attr-defined]
    assert json.loads(code(page, "mcp"))["params"]["arguments"] == {"work_center": NASTY, "limit": 100}


def is_question(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "schedule"


async def test_the_command_gives_the_same_answer(client: httpx2.AsyncClient, tmp_path: Path) -> None:
    page = await asked(client, f"{TOOLS}/inventory_status", item="FB-*", low_stock_only="true", limit="4")
    arguments = executed(code(page, "curl"), tmp_path)
    address = next(one for one in arguments if one.startswith("http://"))
    assert address == "http://127.0.0.1:8100/inventory/status"
    assert parameters(arguments) == {"item": "FB-*", "low_stock_only": "true", "limit": "4"}
    response = await client.get(address, params=parameters(arguments))
    assert response.json()["meta"]["filters_applied"] == {"item": "FB-*", "low_stock_only": True}
    assert response.json()["data"] == json.loads(code(page, "json"))["data"]


def test_a_tools_call_asks_the_same() -> None:
    connector = connector_of("inventory_status")
    query = InventoryQuery(item="FB-*", low_stock_only=True)
    one = next(
        one for one in recipes(Asked(connector.name, query, limit=900), connector, HERE) if one.name == "mcp"
    )
    call = json.loads(one.text)["params"]
    assert call["name"] == connector.tool
    assert asked_by(connector, call["arguments"]).query == query
    assert call["arguments"]["limit"] == 500
    assert "500 records at once" in one.note


@pytest.mark.parametrize(("simulated", "expected"), [(True, "connect_sync(demo=True)"), (False, "connect_sync()")])
def test_the_program_asks_what_the_server_asks(simulated: bool, expected: str) -> None:
    connector = connector_of("production_schedule")
    place = Place("http://erp.example/", "none", simulated)
    program = recipes(Asked(connector.name, ScheduleQuery(job="J12")), connector, place)[1].text
    assert expected in program
    assert "erp.schedule(job='J12')" in program


async def test_the_key_is_on_no_page(
    settings_for: SettingsFor, simulator: RunningSimulator, keys: KeysFile, tmp_path: Path
) -> None:
    key = keys.create("planner", frozenset({"schedule:read"}), datetime.now(UTC))
    async with serving(settings_for(simulator, api_keys_file=keys.path)) as client:
        client.cookies.set("kai-erp-key", key)
        page = await asked(client, work_center="WELD")
        assert key not in page
        assert executed(code(page, "curl"), tmp_path)[4:6] == ["-H", "X-API-Key: of-the-shell"]
        listed = await page_of(client, TOOLS)
        assert f'href="{SCHEDULE}"' in listed
        assert f'href="{TOOLS}/open_orders"' not in listed
        assert "orders:read" in listed
        refused = await page_of(client, f"{TOOLS}/open_orders", 403)
        assert "lacks the scope orders:read" in refused
        assert "<form" not in refused[refused.index("<main") :]


def test_numbers_keep_all_their_digits() -> None:
    text = b'{"a":[12345678901234567890.12345,-1.10,1E400],"b":123456789012345678901234567890}'
    shown = indented(text)
    assert "".join(shown.split()).encode() == text
    assert "\n    -1.10,\n" in shown


async def test_without_access_control_the_command_sends_no_key(client: httpx2.AsyncClient) -> None:
    assert "KAI_ERP_KEY" not in await asked(client, work_center="WELD")


async def test_what_the_erp_refuses_is_told_with_what_to_do(
    client: httpx2.AsyncClient, simulator: RunningSimulator
) -> None:
    simulator.state.deny("SLJobs")
    page = await asked(client, status=502)
    assert 'data-code="upstream_denied"' in page
    assert "Ask the ERP administrator for Read privilege on the IDO SLJobs." in words(page)
    assert "--data-urlencode" in code(page, "curl")


async def test_there_is_no_page_for_a_question_that_there_is_not(client: httpx2.AsyncClient) -> None:
    assert "no such page" in await page_of(client, f"{TOOLS}/nothing", 404)


class NightQuery(ConnectorQuery):
    shift: Literal["early", "late"] = Field("late", description="Which shift.")
    line: FilterText | None = Field(None, description="Which line.")
    hours: int = Field(1, ge=1, le=12, description="How many hours.")
    staffed: bool = Field(default=True, description="Only staffed ones.")


class Night(BedrockOpsScheduler):
    """A connector as another package may bring it."""

    name = "night_schedule"
    title = "Night schedule"
    path = "/night/schedule"
    verb = "night-shift"
    query = NightQuery  # type: ignore[assignment]
    example = NightQuery()  # type: ignore[assignment]


@asynccontextmanager
async def with_night(settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    api = create_app(settings)
    async with api.router.lifespan_context(api), client_of(api) as client:
        api.state.kai_erp.connectors["night_schedule"] = Night()
        yield client


async def test_a_connector_of_another_package_has_a_form_as_well(settings: Settings) -> None:
    async with with_night(settings) as client:
        page = await page_of(client, f"{TOOLS}/night_schedule")
        assert f'href="{TOOLS}/night_schedule"' in await page_of(client, TOOLS)
        wrong = await asked(client, f"{TOOLS}/night_schedule", 422, shift="noon", hours="13")
    assert re.findall(r'<option value="(\w+)"( selected)?>', page)[:2] == [("early", ""), ("late", " selected")]
    assert re.search(r'type="number" id="field-hours" name="hours" value="1" step="1" min="1" max="12"', page)
    assert re.search(r'type="checkbox" id="field-staffed" name="staffed" value="true" checked', page)
    assert {*re.findall(r'id="error-(\w+)"', wrong)} == {"shift", "hours"}


def test_the_program_calls_a_verb_of_two_words_by_its_name_in_python() -> None:
    connector = cast("Connector", Night())
    program = recipes(Asked(connector.name, NightQuery(hours=3, staffed=False)), connector, HERE)[1].text
    assert "erp.night_shift(hours=3, staffed=False)" in program


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, Cell("none", None)),
        (False, Cell("flag", False)),  # noqa: FBT003
        (1000, Cell("whole", 1000)),
        (Decimal("1.50"), Cell("number", Decimal("1.50"))),
        (date(2026, 5, 20), Cell("day", date(2026, 5, 20))),
        (datetime(2026, 5, 20, tzinfo=UTC), Cell("moment", datetime(2026, 5, 20, tzinfo=UTC))),
        ("<b>", Cell("text", "<b>")),
        ([], Cell("none", None)),
        (["a", "b"], Cell("text", "a, b")),
        ([{"n": 1}], Cell("grid", Grid(["n"], [True], [[Cell("whole", 1)]]))),
    ],
)
def test_a_value_is_written_as_what_it_is(value: object, cell: Cell) -> None:
    assert cell_of(value) == cell


async def test_lists_within_a_record_are_tables_of_their_own(client: httpx2.AsyncClient) -> None:
    page = await asked(client, f"{TOOLS}/open_orders", limit="1")
    order = json.loads(code(page, "json"))["data"][0]
    count = len(order["lines"])
    assert f"<summary>{count} {'entry' if count == 1 else 'entries'}</summary>" in page
    assert "qty_remaining</th>" in page
