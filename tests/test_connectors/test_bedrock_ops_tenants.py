"""The schedule does not depend on how a tenant's servers behave, nor on the zone they stand in."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from kai_erp.app import open_app
from kai_erp.config import Settings
from kai_erp.connectors import ScheduleQuery
from kai_erp.simulator import RunningSimulator, SimulatorOptions
from tests.conftest import SettingsFor, Simulate
from tests.test_connectors.asking import Rows, Truth, ask, check, warnings

CHICAGO = ZoneInfo("America/Chicago")
OPTIONS = {
    "clamped pages": SimulatorOptions(max_cap=200),
    "no word on further rows": SimulatorOptions(omit_more_rows_exist=True),
    "no word on further rows, clamped": SimulatorOptions(omit_more_rows_exist=True, max_cap=100),
    "null for no rows": SimulatorOptions(empty_items_null=True),
    "no row ids": SimulatorOptions(omit_item_id=True),
    "names in their exact case": SimulatorOptions(case_strict_names=True),
    "a plus is a plus": SimulatorOptions(plus_is_not_blank=True),
    "short query strings": SimulatorOptions(max_query_bytes=2048),
    "lower-case answers": SimulatorOptions(response_lowercase_keys=True),
    "credentials in the form": SimulatorOptions(accept_basic=False),
    "double quotes allowed": SimulatorOptions(double_quote_anywhere=False),
}
QUESTIONS = (ScheduleQuery(), ScheduleQuery(work_center="assy", include_completed=True))


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
async def test_the_answer_is_the_same_on_a_tenant_with(
    options: SimulatorOptions, simulate: Simulate, settings_for: SettingsFor, collections: Rows, now: datetime
) -> None:
    truth = Truth(collections, now, CHICAGO)
    async with open_app(settings_for(simulate(options)), now=lambda: now) as app:
        for query in QUESTIONS:
            answer = await ask(app, query)
            check(answer, query, truth)
            assert warnings(answer) == []


@pytest.mark.parametrize("page_size", [7, 200, 100_000])
async def test_the_answer_is_the_same_in_pages_of(
    page_size: int, simulator: RunningSimulator, settings_for: SettingsFor, collections: Rows, now: datetime
) -> None:
    query = ScheduleQuery(work_center="WELD")
    async with open_app(settings_for(simulator, sl10_page_size=page_size), now=lambda: now) as app:
        check(await ask(app, query), query, Truth(collections, now, CHICAGO))
    caps = {request.params["recordcap"] for request in simulator.state.requests}
    assert caps == {str(page_size)}


async def test_the_answer_is_the_same_in_ranges_of_keys(
    simulator: RunningSimulator, settings_for: SettingsFor, collections: Rows, now: datetime
) -> None:
    settings = settings_for(simulator, sl10_page_size=20, sl10_key_ranges=4, sl10_max_concurrency=8)
    async with open_app(settings, now=lambda: now) as app:
        for query in (ScheduleQuery(), ScheduleQuery(), ScheduleQuery(work_center="WELD")):
            check(await ask(app, query), query, Truth(collections, now, CHICAGO))
    filters = [request.params.get("filter", "") for request in simulator.state.requests]
    assert any("Job >= " in condition for condition in filters)


async def test_no_request_is_longer_than_web_servers_take(
    simulator: RunningSimulator, settings: Settings, now: datetime
) -> None:
    async with open_app(settings, now=lambda: now) as app:
        await ask(app, ScheduleQuery(work_center="WELD"))
        await ask(app)
    assert max(request.query_bytes for request in simulator.state.requests) < 2_000


@pytest.mark.parametrize(
    ("zone", "wall_clock"),
    [
        ("UTC", datetime(2026, 5, 20, 10, 30)),  # noqa: DTZ001  # a wall clock
        ("Asia/Kolkata", datetime(2026, 5, 20, 10, 30)),  # noqa: DTZ001  # likewise
        ("Australia/Lord_Howe", datetime(2026, 4, 5, 1, 45)),  # noqa: DTZ001  # half an hour repeats on that day
        ("Europe/Berlin", datetime(2026, 10, 25, 2, 30)),  # noqa: DTZ001  # this hour occurs twice
        ("America/New_York", datetime(2026, 3, 8, 2, 30)),  # noqa: DTZ001  # this hour does not occur
        ("Pacific/Apia", datetime(2026, 5, 20, 23, 59)),  # noqa: DTZ001  # far from UTC
    ],
)
async def test_behind_and_on_track_are_told_by_the_clock_of_the_zone(
    zone: str,
    wall_clock: datetime,
    simulator: RunningSimulator,
    settings_for: SettingsFor,
    collections: Rows,
) -> None:
    moment = wall_clock.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    query = ScheduleQuery(include_completed=True)
    async with open_app(settings_for(simulator, sl10_timezone=zone), now=lambda: moment) as app:
        check(await ask(app, query), query, Truth(collections, moment, ZoneInfo(zone)))
