"""Refreshing: pages hear when their answer was read anew, and all that look at the same share one reading."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from html import unescape

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI

from kai_erp.api.main import create_app
from kai_erp.app import App
from kai_erp.config import Settings
from kai_erp.console.events import Streams
from kai_erp.errors import RateLimited
from kai_erp.simulator import Answer, Fault, RunningSimulator
from tests.conftest import HandClock
from tests.test_api.serving import problem, put_behind

PATH = "/console/events"


def parameters(**more: str) -> dict[str, str]:
    """Return the parameters of a stream whose page is older than its viewer wants."""
    old = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    return {"connector": "production_schedule", "work_center": "WELD", "every": "60", "at": old} | more


@pytest.fixture
def api(settings: Settings, app: App) -> FastAPI:
    api = create_app(settings)
    put_behind(api, app)
    return api


@pytest.fixture
async def client(api: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """Ask a server on a socket: only there a stream is one."""
    config = uvicorn.Config(api, port=0, lifespan="off", log_config=None, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    limits = httpx2.Limits(max_connections=300)
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30, limits=limits) as opened:
        yield opened
    api.state.stop_streams()
    server.should_exit = True
    await serving


async def until(condition: Callable[[], bool]) -> None:
    """Return when something has become so; servers and closed connections tell nobody."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  # likewise
            await asyncio.sleep(0.01)


async def heard(client: httpx2.AsyncClient, **more: str) -> tuple[str, dict[str, str]]:
    """Return the first event of a stream."""
    async with client.stream("GET", PATH, params=parameters(**more)) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        kind = ""
        async for line in response.aiter_lines():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            if line.startswith("data: "):
                return kind, json.loads(line.removeprefix("data: "))
    raise AssertionError("the stream ended without an event")


async def test_twenty_viewers_cause_one_reading(
    client: httpx2.AsyncClient, clock: HandClock, simulator: RunningSimulator
) -> None:
    await client.get("/", params={"work_center": "WELD"})
    alone = len(simulator.state.requests)
    clock.seconds += 100
    simulator.state.requests.clear()
    events = await asyncio.gather(*(heard(client) for _ in range(8)))
    assert {kind for kind, _ in events} == {"read"}
    assert len({told["as_of"] for _, told in events}) == 1
    assert 0 < len(simulator.state.requests) <= alone


async def test_what_somebody_has_just_read_is_not_read_again(
    client: httpx2.AsyncClient, simulator: RunningSimulator
) -> None:
    await client.get("/", params={"work_center": "WELD"})
    simulator.state.requests.clear()
    assert (await heard(client))[0] == "read"
    assert simulator.state.requests == []


async def test_a_page_is_not_told_of_what_it_shows_already(client: httpx2.AsyncClient) -> None:
    text = (await client.get("/", params={"work_center": "WELD"})).text
    live = unescape(re.findall(r'data-live="([^"]+)"', text)[0])
    assert "work_center=WELD" in live
    with suppress(TimeoutError):
        async with asyncio.timeout(2.5), client.stream("GET", f"{live}&every=60") as response:
            async for line in response.aiter_lines():
                assert not line.startswith("event:")


async def test_a_customer_s_page_hears_of_its_customer(client: httpx2.AsyncClient) -> None:
    text = (await client.get("/console/customers", params={"query": "county", "active_only": "false"})).text
    path = re.findall(r'href="(/console/customers/[^"]+)"', text)[0]
    live = unescape(re.findall(r'data-live="([^"]+)"', (await client.get(path)).text)[0])
    async with client.stream("GET", f"{live}&every=60") as response:
        assert response.status_code == 200


async def test_a_reading_that_fails_is_told_and_the_stream_goes_on(
    client: httpx2.AsyncClient, simulator: RunningSimulator
) -> None:
    simulator.state.faults.add(Fault(Answer(403, {}), "SLJobRoutes"))
    kind, told = await heard(client)
    assert kind == "failed"
    assert told["title"]
    assert told["suggestion"]


@pytest.mark.parametrize(("name", "value"), [("connector", "nope"), ("connector", ""), ("job", "x" * 201)])
async def test_a_stream_of_nothing_is_refused(client: httpx2.AsyncClient, name: str, value: str) -> None:
    refused = await client.get(PATH, params=parameters(**{name: value}), headers={"Accept": "text/event-stream"})
    problem(refused, 422, "invalid_parameter")


async def test_nobody_opens_streams_without_end(client: httpx2.AsyncClient, api: FastAPI) -> None:
    api.state.streams = streams = Streams(most=3)
    waiting = [asyncio.create_task(heard(client, at=datetime.now(UTC).isoformat())) for _ in range(3)]
    await until(lambda: streams.taken == 3)
    problem(await client.get(PATH, params=parameters()), 429, "rate_limited")
    for task in waiting:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    await until(lambda: not streams.taken)


def test_nobody_holds_all_streams() -> None:
    streams = Streams(each=1, most=3)
    with streams.held("key:anna"), streams.held("key:bert"):
        assert streams.taken == 2
        with pytest.raises(RateLimited), streams.held("key:anna"):
            pass


async def test_stopping_the_server_ends_the_streams(client: httpx2.AsyncClient, api: FastAPI) -> None:
    listening = asyncio.create_task(heard(client, at=datetime.now(UTC).isoformat()))
    await until(lambda: api.state.streams.taken == 1)
    api.state.stop_streams()
    with pytest.raises(AssertionError, match="without an event"):
        await asyncio.wait_for(listening, 5)
