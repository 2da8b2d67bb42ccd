"""The app: how it is opened, by either way in, and that it asks no more of the ERP than it may."""

import asyncio
from datetime import datetime
from pathlib import Path

import pytest

from kai_erp.app import App, Asked, open_app
from kai_erp.callers import Caller
from kai_erp.config import Settings, load_settings
from kai_erp.connectors import ScheduleQuery
from kai_erp.core.types import Freshness
from kai_erp.errors import CursorExpired, InvalidParameter, InvalidSetting, NotConfigured, UpstreamAuth
from kai_erp.simulator import RunningSimulator, SimulatorOptions
from tests.conftest import ZONE, SettingsFor, Simulate

NAME = "production_schedule"
ANNA, BERT = (Caller(name, frozenset({"*"})) for name in ("key:anna", "key:bert"))
WELD = Asked(NAME, ScheduleQuery(work_center="WELD"), limit=5)


def direct_settings(simulator: RunningSimulator, **changes: str) -> Settings:
    options = simulator.state.options
    given = {
        "sl10_base_url": simulator.base_url,
        "sl10_username": options.username,
        "sl10_password": options.password,
        "sl10_config_name": options.configurations[0],
        "sl10_timezone": ZONE,
    }
    return load_settings(given | changes)


async def test_both_ways_in_give_the_same_answer(simulator: RunningSimulator, app: App, now: datetime) -> None:
    async with open_app(direct_settings(simulator), now=lambda: now) as direct:
        answer = await direct.ask(WELD)
    assert answer.records == (await app.ask(WELD)).records


async def test_user_and_password_of_the_direct_way_are_in_no_address(simulator: RunningSimulator) -> None:
    async with open_app(direct_settings(simulator)) as direct:
        await direct.ask(WELD)
    for request in simulator.state.requests:
        assert simulator.state.options.password not in f"{request.path}{request.params}"
        assert simulator.state.options.username not in request.path.rpartition("/token/")[2]


@pytest.mark.parametrize("name", ["sl10_username", "sl10_password", "sl10_config_name"])
async def test_wrong_credentials_of_the_direct_way_are_refused(simulator: RunningSimulator, name: str) -> None:
    async with open_app(direct_settings(simulator, **{name: "WRONG"})) as direct:
        with pytest.raises(UpstreamAuth) as caught:
            await direct.ask(WELD)
    assert "WRONG" not in str(caught.value)


@pytest.mark.parametrize("status", [200, 401])
async def test_a_configuration_that_the_tenant_lacks_is_refused(
    status: int, simulate: Simulate, settings_for: SettingsFor
) -> None:
    running = simulate(SimulatorOptions(bad_configuration_status=status))
    async with open_app(settings_for(running, sl10_config_name="ELSEWHERE")) as app:
        with pytest.raises(UpstreamAuth):
            await app.ask(WELD)


async def test_without_settings_the_app_opens_and_every_question_says_what_is_missing() -> None:
    async with open_app(load_settings()) as app:
        with pytest.raises(NotConfigured) as caught:
            await app.ask(WELD)
        assert caught.value.missing == ("SL10_IONAPI_FILE", "SL10_CONFIG_NAME", "SL10_TIMEZONE")
        with pytest.raises(NotConfigured):
            await app.check_ready()


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_a_ca_bundle_that_cannot_be_used_stops_the_start(
    content: str | None, settings: Settings, tmp_path: Path
) -> None:
    bundle = tmp_path / "ca.pem"
    if content is not None:
        bundle.write_text(content)
    with pytest.raises(InvalidSetting, match=r"SL10_CA_BUNDLE is '.*ca\.pem', which cannot be used"):
        async with open_app(settings.model_copy(update={"sl10_ca_bundle": bundle})):
            pass


async def test_a_way_in_that_cannot_be_read_stops_the_start(settings: Settings) -> None:
    with pytest.raises(InvalidSetting, match="SL10_IONAPI_FILE"):
        async with open_app(settings.model_copy(update={"sl10_ionapi_file": Path("/none.ionapi")})):
            pass


async def test_questions_together_keep_within_the_concurrency(
    simulator: RunningSimulator, settings_for: SettingsFor
) -> None:
    async with open_app(settings_for(simulator, sl10_max_concurrency=2, sl10_page_size=20)) as app:
        centers = ("WELD", "PAINT", "ASSY", "CUT")
        questions = [Asked(NAME, ScheduleQuery(work_center=center), limit=5) for center in centers]
        await asyncio.gather(*(app.ask(question) for question in questions))
    assert len(simulator.state.requests) > 4 * 6
    moments = [(request.started, 1) for request in simulator.state.requests]
    moments += [(request.ended, -1) for request in simulator.state.requests]
    running = most = 0
    for _, change in sorted(moments):
        running += change
        most = max(most, running)
    assert most <= 2
    assert simulator.state.token_requests == 1


async def test_every_request_names_the_configuration_and_only_reads(app: App, simulator: RunningSimulator) -> None:
    await app.ask(WELD)
    for request in simulator.state.requests:
        assert request.method == "GET"
        assert request.configuration == "DEMO_TRN_MAIN"
        assert request.params["readonly"] == "true"
        assert request.params["orderby"] != ""


async def test_a_cursor_goes_on_without_the_query(app: App) -> None:
    first = await app.ask(WELD)
    second = await app.ask(Asked(NAME, ScheduleQuery(), limit=5, cursor=first.meta.next_cursor))
    assert second.meta.filters_applied == {"work_center": "WELD"}
    assert second.records != first.records


async def test_a_cursor_with_another_query_beside_it_is_refused(app: App) -> None:
    cursor = (await app.ask(WELD)).meta.next_cursor
    given = frozenset({"work_center"})
    with pytest.raises(InvalidParameter, match="work_center"):
        await app.ask(Asked(NAME, ScheduleQuery(work_center="ASSY"), cursor=cursor, given=given))
    with pytest.raises(InvalidParameter, match="freshness"):
        await app.ask(
            Asked(NAME, ScheduleQuery(), Freshness.BATCH_OK, cursor=cursor, given=frozenset({"freshness"}))
        )


async def test_a_cursor_is_good_for_its_caller_only(app: App) -> None:
    asked = Asked(NAME, ScheduleQuery(), limit=5, caller=ANNA)
    cursor = (await app.ask(asked)).meta.next_cursor
    with pytest.raises(CursorExpired):
        await app.ask(Asked(NAME, ScheduleQuery(), cursor=cursor, caller=BERT))
    again = await app.ask(Asked(NAME, ScheduleQuery(), limit=5, cursor=cursor, caller=ANNA))
    assert again.meta.record_count == 5
