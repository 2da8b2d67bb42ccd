"""GET /bedrock/schedule: the envelope, its pages, and what its parameters may be."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

import httpx2
import pytest
from starlette.types import Message

from kai_erp.api.main import create_app
from kai_erp.app import open_app
from kai_erp.config import Settings
from kai_erp.models import Envelope, ScheduledOperation, ScheduleSummary
from kai_erp.simulator import Delay, Fault, RunningSimulator
from tests.conftest import HandClock, SettingsFor
from tests.test_api.serving import JSON, SCHEDULE, Body, client_of, problem, put_behind, schedule, serving

Client = httpx2.AsyncClient


@pytest.fixture
async def aging(settings: Settings, clock: HandClock, now: datetime) -> AsyncIterator[Client]:
    """A client of a server whose clock is moved by hand."""
    api = create_app(settings)
    async with open_app(settings, clock=clock, now=lambda: now) as app, client_of(api) as opened:
        put_behind(api, app)
        yield opened


async def test_an_answer_has_records_a_summary_and_its_provenance(client: Client) -> None:
    body = await schedule(client, work_center="WELD", limit=3)
    assert list(body) == ["data", "summary", "meta"]
    assert list(body["data"][0]) == list(ScheduledOperation.model_fields)
    assert list(body["summary"]) == list(ScheduleSummary.model_fields)
    meta = body["meta"]
    assert list(meta) == [
        "connector",
        "source",
        "freshness",
        "simulated",
        "as_of",
        "latency_ms",
        "record_count",
        "total_count",
        "truncated",
        "next_cursor",
        "filters_applied",
        "warnings",
        "upstream",
    ]
    assert (meta["connector"], meta["source"], meta["freshness"]) == ("production_schedule", "rest", "realtime")
    assert meta["simulated"] is False
    assert meta["record_count"] == len(body["data"]) == 3
    assert meta["total_count"] == body["summary"]["total"] > 3
    assert meta["filters_applied"] == {"work_center": "WELD"}
    assert meta["as_of"].endswith("Z")
    assert [list(read) for read in meta["upstream"]] == [
        ["collection", "rows", "pages", "ms", "status", "as_of"],
    ] * 6


async def test_every_record_and_the_envelope_validate(client: Client) -> None:
    response = await client.get(SCHEDULE, params={"include_completed": "true"})
    answer = Envelope[ScheduledOperation, ScheduleSummary].model_validate_json(response.content)
    assert len(answer.data) == answer.meta.record_count > 400


async def test_numbers_are_numbers_and_moments_carry_the_offset_of_the_zone(client: Client) -> None:
    body = await schedule(client, include_completed="true")
    starts = [record["sched_start"] for record in body["data"] if record["sched_start"]]
    assert {text[-6:] for text in starts} <= {"-05:00", "-06:00"}
    assert all(isinstance(record["qty_released"], int | float) for record in body["data"])


async def test_as_many_records_come_as_are_asked_for(client: Client) -> None:
    for limit in (1, 499):
        body = await schedule(client, include_completed="true", limit=limit)
        assert len(body["data"]) == min(limit, body["meta"]["total_count"])


@pytest.mark.parametrize("limit", [7, 150])
async def test_all_pages_of_a_walk_make_up_the_whole_answer(
    limit: int, client: Client, simulator: RunningSimulator
) -> None:
    whole = await schedule(client, limit=10_000)
    first = await schedule(client, limit=limit)
    simulator.state.requests.clear()
    pages = [first, *await walk(client, first, limit)]
    assert simulator.state.requests == []
    assert [record for page in pages for record in page["data"]] == whole["data"]
    assert {len(page["data"]) for page in pages[:-1]} == {limit}
    assert all(page["meta"]["truncated"] for page in pages)
    assert all(page["summary"] == whole["summary"] for page in pages)
    assert {page["meta"]["total_count"] for page in pages} == {len(whole["data"])}
    assert [page["meta"]["next_cursor"] is None for page in pages] == [False] * (len(pages) - 1) + [True]


async def walk(client: Client, page: Body, limit: int) -> list[Body]:
    """Return the pages after a page."""
    pages: list[Body] = []
    while cursor := page["meta"]["next_cursor"]:
        page = await schedule(client, cursor=cursor, limit=limit)
        pages.append(page)
    return pages


async def test_a_page_that_holds_the_whole_answer_is_not_truncated(client: Client) -> None:
    whole = await schedule(client, work_center="WELD")
    exact = await schedule(client, work_center="WELD", limit=len(whole["data"]))
    assert exact["meta"]["truncated"] is False
    assert exact["meta"]["next_cursor"] is None


async def test_a_walk_goes_on_in_the_same_snapshot_while_the_erp_changes(
    client: Client, simulator: RunningSimulator
) -> None:
    first = await schedule(client, limit=100)
    simulator.state.deny("SLJobs")
    second = await schedule(client, cursor=first["meta"]["next_cursor"], limit=100)
    assert second["meta"]["as_of"] == first["meta"]["as_of"]


async def test_a_cursor_goes_with_the_same_filters(client: Client) -> None:
    first = await schedule(client, work_center="WELD", limit=5)
    cursor = first["meta"]["next_cursor"]
    alone = await schedule(client, cursor=cursor, limit=5)
    beside = await schedule(client, cursor=cursor, limit=5, work_center="WELD", freshness="realtime")
    assert alone["data"] == beside["data"]
    assert beside["meta"]["filters_applied"] == {"work_center": "WELD"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("work_center", "ASSY"),
        ("work_center", ""),
        ("job", "1961"),
        ("include_completed", "true"),
        ("freshness", "batch_ok"),
    ],
)
async def test_a_cursor_with_other_filters_is_refused(client: Client, name: str, value: str) -> None:
    first = await schedule(client, work_center="WELD", limit=5)
    response = await client.get(SCHEDULE, params={"cursor": first["meta"]["next_cursor"], name: value})
    body = problem(response, 422, "invalid_parameter")
    assert body["errors"][0]["parameter"] == name


@pytest.mark.parametrize("cursor", ["", "nonsense", "nonsense.5", ".", ".5", "5", "ü.1", "a" * 201])
async def test_a_malformed_cursor_has_lapsed(idle: Client, cursor: str) -> None:
    problem(await idle.get(SCHEDULE, params={"cursor": cursor}), 410, "cursor_expired")


@pytest.mark.parametrize("offset", ["-1", "1e3", "999999", "9" * 12, "", "٣", " 5", "+5"])
async def test_a_cursor_with_a_forged_position_has_lapsed(client: Client, offset: str) -> None:
    first = await schedule(client, limit=5)
    name = first["meta"]["next_cursor"].partition(".")[0]
    problem(await client.get(SCHEDULE, params={"cursor": f"{name}.{offset}"}), 410, "cursor_expired")


async def test_a_cursor_of_another_server_has_lapsed(client: Client, settings: Settings) -> None:
    first = await schedule(client, limit=5)
    async with serving(settings) as other:
        response = await other.get(SCHEDULE, params={"cursor": first["meta"]["next_cursor"]})
    problem(response, 410, "cursor_expired")


async def test_a_cursor_lapses_after_its_time(aging: Client, clock: HandClock) -> None:
    first = await schedule(aging, limit=5)
    clock.seconds += 599
    await schedule(aging, cursor=first["meta"]["next_cursor"])
    clock.seconds += 2
    response = await aging.get(SCHEDULE, params={"cursor": first["meta"]["next_cursor"]})
    assert "without a cursor" in problem(response, 410, "cursor_expired")["suggestion"]


async def test_a_cursor_cannot_be_guessed(client: Client) -> None:
    names = {(await schedule(client, limit=5))["meta"]["next_cursor"].partition(".")[0] for _ in range(3)}
    assert len(names) == 3
    assert all(len(name) >= 22 for name in names)


WRONG: Sequence[tuple[str, str, str]] = [
    ("nope=1", "nope", "unknown parameter"),
    ("workcenter=WELD", "workcenter", "unknown parameter"),
    ("work_center=A&work_center=B", "work_center", "more than once"),
    ("limit=5&limit=6", "limit", "more than once"),
    ("cursor=a&cursor=b", "cursor", "more than once"),
    ("limit=", "limit", "integer"),
    ("limit=0", "limit", "greater than or equal to 1"),
    ("limit=10001", "limit", "less than or equal to 10000"),
    ("limit=ten", "limit", "integer"),
    ("limit=1.5", "limit", "integer"),
    ("freshness=", "freshness", "'realtime', 'near_realtime' or 'batch_ok'"),
    ("freshness=now", "freshness", "'realtime', 'near_realtime' or 'batch_ok'"),
    ("include_completed=", "include_completed", "boolean"),
    ("include_completed=perhaps", "include_completed", "boolean"),
    (f"work_center={'W' * 201}", "work_center", "at most 200 characters"),
    (f"job={'%20' * 201}", "job", "at most 200 characters"),
    ("job=a%00b", "job", "control characters"),
    ("job=a%0Ab", "job", "control characters"),
    ("work_center=%1B[2J", "work_center", "control characters"),
    ("work_center=%7F", "work_center", "control characters"),
]


@pytest.mark.parametrize(("query", "parameter", "allowed"), WRONG)
async def test_a_wrong_parameter_is_named_with_what_is_allowed(
    idle: Client, query: str, parameter: str, allowed: str
) -> None:
    body = problem(await idle.get(f"{SCHEDULE}?{query}"), 422, "invalid_parameter")
    assert [fault["parameter"] for fault in body["errors"]] == [parameter]
    assert allowed in body["errors"][0]["message"]
    assert parameter in body["detail"]


async def test_several_wrong_parameters_are_all_named(idle: Client) -> None:
    body = problem(await idle.get(f"{SCHEDULE}?limit=0&freshness=never&nope=1"), 422, "invalid_parameter")
    assert {fault["parameter"] for fault in body["errors"]} == {"limit", "freshness", "nope"}


@pytest.mark.parametrize("query", ["work_center=", "work_center=%20%20", "job=", "job=%20&work_center="])
async def test_a_blank_text_filter_counts_as_absent(client: Client, query: str) -> None:
    whole = await schedule(client)
    response = await client.get(f"{SCHEDULE}?{query}")
    assert response.json()["data"] == whole["data"]
    assert response.json()["meta"]["filters_applied"] == {}


@pytest.mark.parametrize("freshness", ["realtime", "near_realtime", "batch_ok"])
async def test_every_freshness_is_answered_over_rest_without_a_lake(client: Client, freshness: str) -> None:
    body = await schedule(client, work_center="WELD", freshness=freshness)
    assert body["meta"]["freshness"] == freshness
    assert body["meta"]["source"] == "rest"


async def test_nothing_that_matches_is_an_empty_answer(client: Client) -> None:
    body = await schedule(client, work_center="WELT")
    assert body["data"] == []
    assert body["summary"]["total"] == 0
    assert [caution["code"] for caution in body["meta"]["warnings"]] == ["no_match"]
    assert body["meta"]["truncated"] is False


async def test_questions_at_the_same_time_do_not_mix(client: Client) -> None:
    names = ["WELD", "ASSY", "PAINT", "MACH"]
    alone = [await schedule(client, work_center=name) for name in names]
    together = await asyncio.gather(*(schedule(client, work_center=name) for name in names * 2))
    assert [body["data"] for body in together] == [body["data"] for body in alone * 2]
    for name, body in zip(names * 2, together, strict=True):
        assert {record["work_center"] for record in body["data"]} == {name}


async def test_an_answer_of_the_built_in_simulator_says_so(settings: Settings) -> None:
    async with serving(settings, simulated=True) as client:
        assert (await schedule(client, work_center="WELD"))["meta"]["simulated"] is True


async def test_a_caller_who_goes_away_ends_the_work_upstream(
    settings_for: SettingsFor, simulator: RunningSimulator
) -> None:
    simulator.state.faults.add(Fault(Delay(30), on="SLJobRoutes", times=None))
    api = create_app(settings_for(simulator, sl10_request_timeout_seconds=60))
    incoming: asyncio.Queue[Message] = asyncio.Queue()
    incoming.put_nowait({"type": "http.request", "body": b"", "more_body": False})
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async with api.router.lifespan_context(api):
        asking = asyncio.create_task(api(http_scope(SCHEDULE), incoming.get, send))
        async with asyncio.timeout(10):
            while not simulator.state.requests:  # noqa: ASYNC110  # it is filled by another thread
                await asyncio.sleep(0)
            incoming.put_nowait({"type": "http.disconnect"})
            await asking
    assert sent == []


def http_scope(path: str) -> dict[str, object]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"accept", JSON.encode()), (b"host", b"127.0.0.1:8100")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8100),
    }
