"""How many rows a question may take: refused, stopped or warned about, and remembered for ten minutes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import pytest

from kai_erp.app import App, Asked, open_app
from kai_erp.connectors import ScheduleQuery
from kai_erp.core.types import Freshness
from kai_erp.errors import TooManyRows
from kai_erp.simulator import RunningSimulator
from tests.conftest import HandClock, SettingsFor
from tests.test_connectors.asking import ask, warnings

ALL = ScheduleQuery(include_completed=True)


@pytest.fixture
async def narrow(
    simulator: RunningSimulator, settings_for: SettingsFor, clock: HandClock, now: datetime
) -> AsyncIterator[App]:
    """An app that takes at most 100 operations, and warns above 20; it reads 30 at a time."""
    changes = {"rest_preferred_max": 20, "rest_hard_max": 100, "sl10_page_size": 30}
    async with open_app(settings_for(simulator, **changes), clock=clock, now=lambda: now) as opened:
        yield opened


async def test_a_read_that_passes_the_limit_stops_and_names_the_filters_that_help(
    narrow: App, simulator: RunningSimulator
) -> None:
    with pytest.raises(TooManyRows) as caught:
        await ask(narrow, ALL)
    assert (caught.value.estimated, caught.value.limit) == (120, 100)
    assert "work_center or job" in caught.value.suggestion
    operations = [request for request in simulator.state.requests if "Wc" in request.params["properties"]]
    assert len([request for request in operations if request.collection == "SLJobRoutes"]) == 4


async def test_a_filter_in_use_is_not_suggested_again(
    simulator: RunningSimulator, settings_for: SettingsFor
) -> None:
    async with open_app(settings_for(simulator, rest_preferred_max=1, rest_hard_max=2)) as app:
        with pytest.raises(TooManyRows) as caught:
            await ask(app, ScheduleQuery(work_center="WELD"))
        assert "job" in caught.value.suggestion
        assert "work_center" not in caught.value.suggestion
        with pytest.raises(TooManyRows) as caught:
            await ask(app, ScheduleQuery(job="1961"))
        assert caught.value.suggestion.startswith("Narrow it with work_center")


async def test_a_question_that_was_too_large_is_refused_at_once_for_ten_minutes(
    narrow: App, simulator: RunningSimulator, clock: HandClock
) -> None:
    with pytest.raises(TooManyRows):
        await ask(narrow, ALL)
    simulator.state.requests.clear()
    clock.seconds += 600
    with pytest.raises(TooManyRows) as caught:
        await ask(narrow, ALL)
    assert caught.value.estimated > caught.value.limit
    # Reads that the first refusal broke off may be noted only now; not the one that a question begins with.
    assert "SLJobRoutes" not in {request.collection for request in simulator.state.requests}


async def test_after_ten_minutes_it_is_tried_again(
    narrow: App, simulator: RunningSimulator, clock: HandClock
) -> None:
    with pytest.raises(TooManyRows):
        await ask(narrow, ALL)
    simulator.state.requests.clear()
    clock.seconds += 601
    with pytest.raises(TooManyRows):
        await ask(narrow, ALL)
    assert simulator.state.requests != []


async def test_only_the_same_question_is_refused(narrow: App) -> None:
    with pytest.raises(TooManyRows):
        await ask(narrow, ALL)
    assert (await ask(narrow, ScheduleQuery(job="1961"))).records.num_rows > 0


async def test_a_large_answer_comes_with_a_warning(narrow: App) -> None:
    answer = await ask(narrow, ScheduleQuery(work_center="WELD"))
    assert answer.records.num_rows > 20
    assert warnings(answer) == [("large_fetch", None)]
    assert "rows were read from the running ERP" in answer.meta.warnings[0].message


@pytest.mark.parametrize("freshness", [Freshness.NEAR_REALTIME, Freshness.BATCH_OK])
async def test_without_a_lake_no_freshness_helps(narrow: App, freshness: Freshness) -> None:
    with pytest.raises(TooManyRows):
        await narrow.ask(Asked("production_schedule", ALL, freshness))


async def test_an_answer_of_exactly_the_limit_is_given(
    simulator: RunningSimulator, settings_for: SettingsFor, app: App
) -> None:
    query = ScheduleQuery(work_center="WELD")
    answer = await ask(app, query)
    rows = next(read.rows for read in answer.meta.upstream if read.collection == "SLJobRoutes")
    driving = rows - await scrap_rows(app)
    async with limited(settings_for, simulator, driving) as exact:
        assert (await ask(exact, query)).records.num_rows == answer.records.num_rows
    async with limited(settings_for, simulator, driving - 1) as less:
        with pytest.raises(TooManyRows):
            await ask(less, query)


async def scrap_rows(app: App) -> int:
    """Return how many rows are read beside the operations, of a question that has no operation."""
    answer = await ask(app, ScheduleQuery(work_center="NONE"))
    return next(read.rows for read in answer.meta.upstream if read.collection == "SLJobRoutes")


@asynccontextmanager
async def limited(settings_for: SettingsFor, simulator: RunningSimulator, rows: int) -> AsyncIterator[App]:
    async with open_app(settings_for(simulator, rest_preferred_max=1, rest_hard_max=rows)) as app:
        yield app
