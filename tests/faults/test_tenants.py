"""A tenant that differs from what was expected: it is learnt once, and the answer is right all the same.

The answer is compared with the independent computation over the plant's rows.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from kai_erp.app import Answer as Page
from kai_erp.app import App, open_app
from kai_erp.connectors import ScheduleQuery
from kai_erp.errors import PropertyMissing, UpstreamDenied, UpstreamFault, UpstreamUnavailable
from kai_erp.simulator import Answer, Delay, Fault, RecordedRequest, RunningSimulator, SimulatorState
from tests.conftest import ZONE, HandClock, RawRows, SettingsFor
from tests.faults.measures import walks
from tests.test_connectors.asking import Truth, ask, check, statuses, warnings

EVERYTHING = ScheduleQuery()
COMPLETE_TOO = ScheduleQuery(work_center="WELD", include_completed=True)
WELD = ScheduleQuery(work_center="WELD")
KEPT_SECONDS = 600.0
GERMAN = {"en": "IllegalFilterException", "de": "Der Filter ist unzulässig."}
Turn = Callable[..., None]
LANGUAGES = pytest.mark.parametrize("language", ["en", "de"])


@pytest.fixture(autouse=True)
def _at_once(without_waiting: None) -> None:
    """Let no test wait."""


@pytest.fixture
def turn(simulator: RunningSimulator) -> Iterator[Turn]:
    """Turn switches of the shared simulator until the test ends."""

    def now_and_then(**switches: object) -> None:
        simulator.state.turn(switches)

    yield now_and_then
    simulator.state.turn({"language": "en", "drop_properties": {}, "big_page_limit": None})


@dataclass(frozen=True, repr=False)  # asyncio shows what a fixture gave, over and over
class Bench:
    """An app that knows nothing of the tenant yet, and what is true there."""

    app: App
    state: SimulatorState
    rows: RawRows
    now: datetime

    async def ask(self, query: ScheduleQuery, missing: frozenset[str] = frozenset()) -> Page:
        """Return an answer that equals the independent computation."""
        answer = await ask(self.app, query)
        check(answer, query, Truth(self.rows, self.now, ZoneInfo(ZONE), missing))
        return answer

    async def requests(self, query: ScheduleQuery) -> list[RecordedRequest]:
        """Return the requests that a right answer takes."""
        before = len(self.state.requests)
        await self.ask(query)
        return self.state.requests[before:]

    def of(self, collection: str) -> list[RecordedRequest]:
        """Return the requests about a collection so far."""
        return [request for request in self.state.requests if request.collection == collection]


@pytest.fixture
async def bench(app: App, simulator: RunningSimulator, collections: RawRows, now: datetime) -> Bench:
    """A bench of the shared simulator."""
    return Bench(app, simulator.state, collections, now)


@asynccontextmanager
async def bench_with(
    bench: Bench, settings_for: SettingsFor, simulator: RunningSimulator, **changes: object
) -> AsyncIterator[Bench]:
    """Open a bench whose app has other settings."""
    async with open_app(settings_for(simulator, **changes), now=lambda: bench.now) as app:
        yield Bench(app, bench.state, bench.rows, bench.now)


def refusal(language: str) -> Answer:
    body = f'{{"Items": null, "Success": false, "Message": "{GERMAN[language]}"}}'
    return Answer(200, {}, body, "application/json")


def refuse(state: SimulatorState, collection: str, language: str, *, terms: int) -> None:
    """Let a collection refuse the next read, and the first `terms` of its filter when they are tried alone.

    A fault in German is followed by one more small read, without a filter, which is let through.
    """
    rules = [Fault(refusal(language), collection, page=1)]
    rules.append(Fault(refusal(language), collection, page=1, nth=2 if language == "en" else 3, times=terms))
    for rule in rules:
        state.faults.add(rule)


# Properties


@LANGUAGES
async def test_an_optional_property_is_done_without(bench: Bench, turn: Turn, language: str) -> None:
    turn(language=language, drop_properties={"SLWcs": {"Description"}})
    answer = await ask(bench.app, WELD)
    assert answer.records["work_center_description"].null_count == answer.records.num_rows > 0
    assert warnings(answer) == [("property_missing", "SLWcs")]


@LANGUAGES
async def test_a_required_property_is_named_when_it_is_missing(bench: Bench, turn: Turn, language: str) -> None:
    turn(language=language, drop_properties={"SLJobs": {"QtyReleased"}})
    with pytest.raises(PropertyMissing, match="SLJobs has no property QtyReleased"):
        await ask(bench.app, WELD)


@LANGUAGES
@pytest.mark.parametrize("name", ["JobStat", "Type"])
async def test_a_property_that_only_a_filter_names_is_done_without(
    bench: Bench, turn: Turn, language: str, name: str
) -> None:
    turn(language=language, drop_properties={"SLJobRoutes": {name}})
    answer = await bench.ask(COMPLETE_TOO)
    assert set(warnings(answer)) == {("filter_local", "SLJobRoutes")}
    reads = [request.params for request in bench.of("SLJobRoutes") if request.params.get("recordcap") == "1000"]
    filters = [read.get("filter", "") for read in reads]
    assert filters[-1].count(name) == 0
    assert all("'WELD'" in text or "QtyScrapped" in text for text in filters)


async def test_a_property_that_only_a_filter_names_is_done_without_in_every_question(
    bench: Bench, turn: Turn
) -> None:
    turn(drop_properties={"SLJobRoutes": {"JobStat"}})
    for query in (EVERYTHING, WELD):
        assert set(warnings(await bench.ask(query))) == {("filter_local", "SLJobRoutes")}


async def test_a_missing_property_does_not_widen_the_read_beyond_the_work_center(bench: Bench, turn: Turn) -> None:
    turn(drop_properties={"SLJobRoutes": {"JobStat"}})
    await ask(bench.app, WELD)
    operations = [
        request for request in bench.of("SLJobRoutes") if "Wc" in request.params["properties"].split(",")
    ]
    assert all("'WELD'" in request.params.get("filter", "") for request in operations)


async def test_a_denial_in_german_is_quoted(bench: Bench, turn: Turn) -> None:
    turn(language="de")
    bench.state.deny("SLJobs")
    with pytest.raises(UpstreamFault, match="SLJobs: Benutzer benötigt die Berechtigung") as caught:
        await ask(bench.app, WELD)
    assert not isinstance(caught.value, UpstreamDenied)


@pytest.mark.parametrize("name", ["SLJrtSchs", "SLItems", "SLItemwhses", "SLWcs"])
async def test_a_denial_of_an_optional_collection_in_german_is_done_without(
    bench: Bench, turn: Turn, name: str
) -> None:
    turn(language="de")
    bench.state.deny(name)
    answer = await bench.ask(WELD, frozenset({name}))
    assert warnings(answer) == [("collection_unavailable", name)]
    assert "Benutzer benötigt die Berechtigung [Lesen]" in answer.meta.warnings[0].message


# Filters


@LANGUAGES
async def test_only_the_terms_that_are_refused_are_dropped(bench: Bench, turn: Turn, language: str) -> None:
    turn(language=language)
    refuse(bench.state, "SLJobs", language, terms=1)
    answer = await bench.ask(EVERYTHING)
    assert warnings(answer) == [("filter_local", "SLJobs")]
    assert "filter on Type;" in answer.meta.warnings[0].message
    loads = [request.params for request in bench.of("SLJobs") if "/load/" in request.path]
    assert (loads[0]["filter"], loads[-1]["filter"]) == ("Type = 'J' AND Stat = 'R'", "Stat = 'R'")
    probes = loads[-3:-1]
    assert [(probe["filter"], probe["recordcap"]) for probe in probes] == [
        ("Type = 'J'", "1"),
        ("Stat = 'R'", "1"),
    ]


@LANGUAGES
async def test_a_required_collection_is_read_whole_when_every_term_is_refused(
    bench: Bench, turn: Turn, language: str
) -> None:
    turn(language=language)
    refuse(bench.state, "SLJobs", language, terms=2)
    answer = await bench.ask(EVERYTHING)
    assert warnings(answer) == [("filter_local", "SLJobs")] * 2
    assert "filter" not in bench.of("SLJobs")[-1].params


async def test_an_optional_collection_falls_back_when_its_whole_filter_is_refused(
    bench: Bench, collections: RawRows
) -> None:
    job = next(row["Job"] for row in collections["SLJrtSchs"])
    refuse(bench.state, "SLJrtSchs", "en", terms=1)
    answer = await bench.ask(ScheduleQuery(job=job, include_completed=True), frozenset({"SLJrtSchs"}))
    assert answer.records.num_rows > 0
    assert warnings(answer) == [("collection_unavailable", "SLJrtSchs")]
    assert statuses(answer)["SLJrtSchs"] == "fallback"
    assert all("filter" in request.params for request in bench.of("SLJrtSchs"))


async def test_an_unexplained_fault_is_tried_once_more_and_then_quoted(bench: Bench) -> None:
    body = '{"Items": null, "Success": false, "Message": "Die Maschine brennt."}'
    bench.state.faults.add(Fault(Answer(200, {}, body, "application/json"), on="SLJobs", page=1))
    answer = await bench.ask(EVERYTHING)
    assert warnings(answer) == []
    bench.state.faults.add(Fault(Answer(200, {}, body, "application/json"), on="SLJobs", page=1, times=None))
    with pytest.raises(UpstreamFault, match="SLJobs: Die Maschine brennt"):
        await ask(bench.app, EVERYTHING)


# Memory


MEMORIES: Mapping[str, Mapping[str, object]] = {
    "properties": {"drop_properties": {"SLJobs": {"Whse", "JschPriority"}, "SLJobRoutes": {"JobStat"}}},
    "properties in German": {"drop_properties": {"SLJobs": {"Whse", "JschPriority"}}, "language": "de"},
    "a page size": {"big_page_limit": 100},
}


@pytest.mark.parametrize("switches", MEMORIES.values(), ids=MEMORIES)
async def test_what_was_learnt_is_remembered_for_ten_minutes(
    bench: Bench, turn: Turn, clock: HandClock, switches: Mapping[str, object]
) -> None:
    turn(**switches)
    first = await ask(bench.app, COMPLETE_TOO)
    learning = len(bench.state.requests)
    clock.seconds += KEPT_SECONDS
    again = await ask(bench.app, COMPLETE_TOO)
    remembering = len(bench.state.requests) - learning
    clock.seconds += 1
    anew = await ask(bench.app, COMPLETE_TOO)
    assert remembering < learning
    assert remembering < len(bench.state.requests) - learning - remembering
    assert all(request.status == 200 for request in bench.state.requests[learning : learning + remembering])
    assert first.records == again.records == anew.records
    assert warnings(first) == warnings(again) == warnings(anew)


@LANGUAGES
async def test_a_refused_filter_is_remembered_for_ten_minutes(
    bench: Bench, turn: Turn, clock: HandClock, language: str
) -> None:
    turn(language=language)
    refuse(bench.state, "SLJobs", language, terms=1)
    await bench.ask(EVERYTHING)
    for seconds, filter_text in ((KEPT_SECONDS, "Stat = 'R'"), (1.0, "Type = 'J' AND Stat = 'R'")):
        clock.seconds += seconds
        asked = [one.params["filter"] for one in await bench.requests(EVERYTHING) if one.collection == "SLJobs"]
        assert asked == [filter_text]


# Page sizes


async def test_pages_are_halved_until_the_gateway_waits_for_them(bench: Bench, turn: Turn) -> None:
    turn(big_page_limit=100)
    assert warnings(await bench.ask(EVERYTHING)) == []
    good = [int(request.params["recordcap"]) for request in bench.state.requests if request.status == 200]
    bad = [int(request.params["recordcap"]) for request in bench.state.requests if request.status == 504]
    assert max(good) <= 100 < min(bad)
    assert max(bad) == 1_000


async def test_the_cap_of_a_walk_never_changes_on_its_way(bench: Bench, turn: Turn) -> None:
    turn(big_page_limit=100)
    await bench.ask(EVERYTHING)
    await bench.ask(WELD)
    followed = walks([request for request in bench.state.requests if request.status == 200])
    assert followed
    for walk in followed:
        assert len({request.params["recordcap"] for request in walk}) == 1


async def test_pages_that_we_do_not_wait_for_are_halved_as_well(
    bench: Bench, settings_for: SettingsFor, simulator: RunningSimulator
) -> None:
    bench.state.faults.add(Fault(Delay(1.0), on="SLJrtSchs", times=2))
    async with bench_with(bench, settings_for, simulator, sl10_request_timeout_seconds=0.5) as impatient:
        await impatient.ask(EVERYTHING)
        caps = [int(request.params["recordcap"]) for request in impatient.of("SLJrtSchs")]
        assert list(dict.fromkeys(caps)) == [1_000, 500, 250]
        caps = [
            int(one.params["recordcap"]) for one in await impatient.requests(WELD) if one.collection == "SLJrtSchs"
        ]
        assert set(caps) == {250}


async def test_a_page_in_the_middle_that_times_out_doubles_nothing(
    bench: Bench, settings_for: SettingsFor, simulator: RunningSimulator
) -> None:
    bench.state.faults.add(Fault(Answer(504), on="SLJobs", page=2))
    async with bench_with(bench, settings_for, simulator, sl10_page_size=50) as small:
        await small.ask(EVERYTHING)
        caps = [request.params["recordcap"] for request in small.of("SLJobs")]
        assert caps[:2] == ["50", "50"]
        assert set(caps[2:]) == {"25"}


async def test_the_smallest_page_is_tried_again_and_then_given_up(
    bench: Bench, settings_for: SettingsFor, simulator: RunningSimulator
) -> None:
    bench.state.faults.add(Fault(Answer(504), on="SLJobs", times=None))
    async with bench_with(bench, settings_for, simulator, sl10_page_size=100) as small:
        with pytest.raises(UpstreamUnavailable) as caught:
            await ask(small.app, EVERYTHING)
    assert caught.value.code == "upstream_unavailable"
    assert [request.params["recordcap"] for request in bench.of("SLJobs")] == ["100", "50", *["25"] * 4]


async def test_the_smallest_page_that_comes_at_the_fourth_attempt_is_enough(
    bench: Bench, settings_for: SettingsFor, simulator: RunningSimulator
) -> None:
    bench.state.faults.add(Fault(Answer(504), on="SLJobs", times=3))
    async with bench_with(bench, settings_for, simulator, sl10_page_size=25) as small:
        assert warnings(await small.ask(EVERYTHING)) == []


async def test_a_page_is_not_halved_more_often_than_needed(bench: Bench, turn: Turn) -> None:
    turn(big_page_limit=500)
    await ask(bench.app, EVERYTHING)
    caps = {
        int(one.params["recordcap"]) for one in await bench.requests(EVERYTHING) if one.collection == "SLJobRoutes"
    }
    assert caps == {500}
