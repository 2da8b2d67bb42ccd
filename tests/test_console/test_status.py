"""The status page: what operators see of the ERP, of this replica, and of what was asked lately."""

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from kai_erp import __version__
from kai_erp.access.keys import KeysFile
from kai_erp.api.main import create_app
from kai_erp.app import Asked, open_app
from kai_erp.checkups import KEPT_FOR, Checkups
from kai_erp.config import Settings, load_settings
from kai_erp.connectors import ScheduleQuery
from kai_erp.console.standing import length, replica_of, upstreams_of
from kai_erp.core.budget import RequestBudget
from kai_erp.errors import NotConfigured, UpstreamAuth
from kai_erp.metrics import Metrics
from kai_erp.preflight import ConnectorCheck, LakeCheck
from kai_erp.simulator import RunningSimulator
from tests.conftest import HandClock, SettingsFor
from tests.redis_server import RedisServer
from tests.test_api.serving import client_of, serving

PAGE = {"Accept": "text/html"}
STATUS = "/console/status"
START = datetime(2026, 5, 20, 12, tzinfo=UTC)


@pytest.fixture
def api(settings: Settings) -> FastAPI:
    return create_app(settings)


@pytest.fixture
async def client(api: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with api.router.lifespan_context(api), client_of(api) as opened:
        yield opened


async def page_of(client: httpx2.AsyncClient, status: int = 200, **parameters: str) -> str:
    """Return the page, after checking its status and its policy."""
    response = await client.get(STATUS, params=parameters, headers=PAGE, follow_redirects=True)
    assert response.status_code == status, response.text
    assert "script-src 'self';" in response.headers["content-security-policy"]
    return response.text


def words(page: str) -> str:
    """Return what a page says, without its tags."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def part(page: str, name: str) -> str:
    """Return what a section of the page says."""
    start = page.index(
        f'<section class="panel{" card" if name == "replica-title" else ""}" aria-labelledby="{name}"'
    )
    end = page.find("</section>\n\n<section", start)
    return words(page[start : end if end >= 0 else page.index("</main>")])


def rows(page: str) -> list[str]:
    """Return what each row of the recent questions says."""
    table = page[page.index('aria-label="Table of recent questions"') :]
    body = table[table.index("<tbody>") : table.index("</tbody>")]
    return [words(row) for row in body.split("<tr>")[1:]]


async def test_only_operators_see_it(
    settings_for: SettingsFor, simulator: RunningSimulator, tmp_path: Path
) -> None:
    keys, now = KeysFile(tmp_path / "keys.json"), datetime.now(UTC)
    planner = {"X-API-Key": keys.create("planner", frozenset({"schedule:read"}), now)}
    operator = {"X-API-Key": keys.create("operator", frozenset({"ops:read"}), now)}
    async with serving(settings_for(simulator, api_keys_file=keys.path)) as client:
        for parameters in ({}, {"check": "1"}):
            refused = await client.get(STATUS, params=parameters, headers=PAGE | planner)
            assert refused.status_code == 403
            assert 'data-code="forbidden"' in refused.text
            assert "lacks the scope ops:read" in refused.text
        assert simulator.state.requests == []
        await client.get("/bedrock/schedule", params={"job": "J12"}, headers=planner)
        shown = await client.get(STATUS, headers=PAGE | operator)
        assert shown.status_code == 200
        (row,) = rows(shown.text)
        assert "job= J12" in row
        assert "key:planner" in row
        assert operator["X-API-Key"] not in shown.text


async def test_recent_questions_are_listed_however_they_ended(client: httpx2.AsyncClient) -> None:
    assert "Nothing was asked yet." in words(await page_of(client))
    first = await client.get("/bedrock/schedule", params={"work_center": "<b>it's</b>", "limit": "3"})
    await client.get("/bedrock/schedule", params={"cursor": "A" * 24 + ".1"})
    found = await client.get(
        "/bedrock/schedule", params={"work_center": "WELD", "limit": 3}, headers={"X-Request-ID": "of-this-test"}
    )
    total = found.json()["meta"]["total_count"]
    page = await page_of(client)
    weld, expired, none = rows(page)
    assert re.search(
        rf"work_center= WELD answered ERP 3 {total} [\d.]+ nobody was asked request of-this-test$", weld
    )
    assert "cursor expired" in expired
    assert "work_center= <b>it's</b> answered ERP 0 0" in none
    assert first.json()["meta"]["total_count"] == 0
    assert "<b>it" not in page


async def test_the_last_fifty_questions_are_kept() -> None:
    async with open_app(load_settings()) as app:
        for number in range(60):
            with pytest.raises(NotConfigured):
                await app.ask(Asked("production_schedule", ScheduleQuery(job=f"J{number}")))
        jobs = [line["filters"] for line in app.recent()]
    assert jobs == [{"job": f"J{number}"} for number in range(59, 9, -1)]


async def test_a_page_of_the_console_says_that_its_answer_was_kept(client: httpx2.AsyncClient) -> None:
    for _ in range(2):
        assert (await client.get("/console/inventory", headers=PAGE)).status_code == 200
    again, first = rows(await page_of(client))
    assert "kept answer" in again
    assert "kept answer" not in first


async def test_the_tenant_is_checked_only_when_somebody_asks_for_it(
    client: httpx2.AsyncClient, simulator: RunningSimulator
) -> None:
    page = await page_of(client)
    assert "Not checked in the last 10 min." in part(page, "tenant")
    assert len(simulator.state.requests) == 1
    checked = await client.get(STATUS, params={"check": "1"}, headers=PAGE)
    assert (checked.status_code, checked.headers["location"]) == (303, f"{STATUS}#tenant")
    made = len(simulator.state.requests)
    assert made > 5
    told = part(await page_of(client), "tenant")
    assert told.count("can answer") == 4
    assert "SLJobRoutes needed granted" in told
    assert "Ask the ERP administrator" not in told
    assert len(simulator.state.requests) == made


async def test_who_check_at_once_share_one_check(client: httpx2.AsyncClient, simulator: RunningSimulator) -> None:
    await page_of(client, check="1")
    alone = len(simulator.state.requests)
    await asyncio.gather(*(page_of(client, check="1") for _ in range(3)))
    assert len(simulator.state.requests) == alone


async def test_a_denied_collection_says_what_to_ask_for(
    client: httpx2.AsyncClient, simulator: RunningSimulator
) -> None:
    simulator.state.deny("SLCustomers")
    simulator.state.deny("SLWcs")
    told = part(await page_of(client, check="1"), "tenant")
    assert re.search(r"Ask the ERP administrator for Read privilege on the IDOs SLWcs, SLCustomers ,", told)
    assert "Customers ! cannot answer" in told
    assert "Production schedule ✓ can answer" in told
    assert re.search(
        r"SLCustomers needed denied \d+ No answer without it. Ask the ERP administrator for Read privilege on the "
        r"IDO SLCustomers\.",
        told,
    )
    assert re.search(r"SLWcs optional denied \d+ Its fields come from elsewhere, or are null\. Ask the ERP", told)


async def test_the_state_of_the_upstream_is_that_of_the_engines(
    api: FastAPI, client: httpx2.AsyncClient, simulator: RunningSimulator
) -> None:
    await client.get("/bedrock/schedule", params={"work_center": "WELD"})
    told = part(await page_of(client), "upstream-title")
    made = len(simulator.state.requests)
    assert "✓ ready" in told
    assert f"The ERP closed: requests go through {made} of 100000 0 0 s old ok {made} 0 Counted" in told
    assert "data lake" not in told
    api.state.kai_erp.metrics.breaker("erp", "open")
    assert "open: left alone" in part(await page_of(client), "upstream-title")


async def test_a_server_without_an_erp_says_so() -> None:
    async with serving(load_settings()) as client:
        page = await page_of(client, check="1")
    assert "! cannot be asked now No ERP is configured" in part(page, "upstream-title")
    assert "No ERP is configured" in part(page, "tenant")


async def test_this_replica_tells_of_itself(client: httpx2.AsyncClient) -> None:
    await client.get("/bedrock/schedule", params={"limit": "1"})
    told = part(await page_of(client), "replica-title")
    assert f"kai-erp {__version__}" in told
    assert "Answers kept for cursors 1 ," in told
    assert "answered 1" in told
    assert "This replica stands alone" in told


async def test_replicas_on_one_store_are_listed(
    settings_for: SettingsFor, simulator: RunningSimulator, redis_server: RedisServer
) -> None:
    settings = settings_for(simulator, redis_url=redis_server.url)
    async with serving(settings) as one, serving(settings) as other:
        for client in (one, other):
            told = part(await page_of(client), "replica-title")
            assert "✓ in reach" in told
            assert told.count(f" {os.getpid()} ") == 3
            assert told.count("this one") == 1
        redis_server.stop()
        alone = part(await page_of(one), "replica-title")
    assert "! lost" in alone
    assert "Replicas that share the store" not in alone


@pytest.mark.parametrize(("lost", "store"), [(False, "in reach"), (True, "lost")])
def test_a_shared_store_is_in_reach_or_lost(lost: bool, store: str) -> None:
    metrics = Metrics(HandClock())
    metrics.store(lost=lost)
    assert replica_of(metrics.read(), load_settings({"redis_url": "redis://store.example"})).store == store


def test_an_upstream_is_told_by_what_is_counted() -> None:
    clock = HandClock()
    metrics = Metrics(clock)
    metrics.budgeted("lake", 600, lambda: 7, lambda: 2)
    metrics.token_renewed("lake")
    metrics.breaker("lake", "half_open")
    for outcome in ("ok", "timeout", "ok"):
        metrics.called("lake", "submit", outcome, 0.1)
    metrics.called("lake", "result", "ok", 0.1)
    metrics.called("erp", "SLJobs", "ok", 0.1)
    clock.seconds += 120
    (lake,) = upstreams_of(metrics.read())
    assert (lake.name, lake.breaker, lake.token_age) == ("The data lake", "half open", 120)
    assert (lake.started, lake.limit, lake.waiting, lake.retries) == (7, 600, 2, 0)
    assert list(lake.calls.items()) == [("ok", 3), ("timeout", 1)]


async def test_those_that_wait_for_a_slot_are_counted() -> None:
    budget = RequestBudget(1, 100, time.monotonic)
    turns = [budget.slot() for _ in range(3)]
    async with turns.pop():
        waiting = [asyncio.ensure_future(turn.__aenter__()) for turn in turns]
        await asyncio.sleep(0)
        assert (budget.started(), budget.waiting()) == (1, 2)
        waiting[0].cancel()
        assert budget.waiting() == 1
        waiting[1].cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (89, "89 s"),
        (90, "2 min"),
        (7199, "120 min"),
        (7200, "2.0 h"),
        (172_800, "2.0 d"),
        (-300, "-5 min"),
    ],
)
def test_a_length_of_time_is_told_in_a_unit_that_suits_it(seconds: float, text: str) -> None:
    assert length(seconds) == text


@dataclass
class Checking:
    """A tenant whose checks are counted, and a clock for them that is moved by hand."""

    failure: UpstreamAuth | None = None
    made: int = 0
    now: datetime = START
    checks: list[ConnectorCheck] = field(default_factory=list)

    async def connectors(self) -> list[ConnectorCheck]:
        self.made += 1
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        return self.checks

    async def lake(self) -> LakeCheck | None:
        return LakeCheck(said="It sleeps")

    def checkups(self) -> Checkups:
        return Checkups(self.connectors, self.lake, lambda: self.now)


async def test_a_check_is_kept_for_a_while_and_made_anew_when_asked_for_later() -> None:
    checking = Checking()
    checkups = checking.checkups()
    assert checkups.last() is None
    first, same = await asyncio.gather(checkups.renew(), checkups.renew())
    assert first is same is checkups.last()
    checking.now += timedelta(minutes=1)
    second = await checkups.renew()
    assert (checking.made, second.at) == (2, START + timedelta(minutes=1))
    checking.now += KEPT_FOR
    assert checkups.last() is second
    checking.now += timedelta(seconds=1)
    assert checkups.last() is None


async def test_a_check_that_is_refused_is_kept_as_well() -> None:
    checking = Checking(UpstreamAuth("The ERP refuses the credentials"))
    checkups = checking.checkups()
    found = await checkups.renew()
    assert (found.failure, found.connectors, found.lake) == (checking.failure, (), None)
    assert await checkups.renew() is found
