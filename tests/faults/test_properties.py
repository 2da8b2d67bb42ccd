"""Each property that the schedule can do without, missing alone: what depends on it is null, the rest is right.

The answer is compared with the independent computation over rows in which the property is null, except for what
would be computed from a null as if it were 0: that is null.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from kai_erp.app import App
from kai_erp.connectors import BedrockOpsScheduler, Moment, ScheduleQuery
from kai_erp.simulator import RunningSimulator
from tests.conftest import WALL_CLOCK, ZONE, RawRows
from tests.oracles.production_schedule import expected_schedule
from tests.test_connectors.asking import ask, comparable, statuses, warnings

CHICAGO = ZoneInfo(ZONE)
QUERY = ScheduleQuery(include_completed=True)
HOURS = frozenset({"SetupHrs", "RunLbrHrs", "RunMchHrs", "SchedHrs", "SchedDrv", "SetupHrsT", "Efficiency"})
WHOLE = {"QtyOnHand": "qty_on_hand", "QtyReceived": "qty_here"}
Record = dict[str, object]


def optional_properties() -> list[tuple[str, str]]:
    """Return each collection with each property that it may lack."""
    connector = BedrockOpsScheduler()
    spec = connector.get_rest_spec(QUERY, Moment(WALL_CLOCK.replace(tzinfo=CHICAGO), CHICAGO))
    return [(read.name, prop.wire) for read in spec.collections for prop in read.properties if not prop.required]


def joined_properties() -> list[tuple[str, str]]:
    """Return each collection that may be denied with each property of its fallback that the tenant may lack."""
    connector = BedrockOpsScheduler()
    spec = connector.get_rest_spec(QUERY, Moment(WALL_CLOCK.replace(tzinfo=CHICAGO), CHICAGO))
    fallbacks = [read.fallback for read in spec.collections if read.fallback is not None]
    return [
        (fallback.table, prop.wire) for fallback in fallbacks for prop in fallback.properties if not prop.required
    ]


OPTIONAL, JOINED = optional_properties(), joined_properties()


@dataclass(frozen=True, repr=False)  # asyncio shows what a fixture gave, over and over
class Bench:
    """A tenant that lacks properties, and what is true there."""

    app: App
    simulator: RunningSimulator
    rows: RawRows
    now: datetime

    def expected(self, collection: str, lacking: str, missing: frozenset[str]) -> list[Record]:
        """Return the records of the independent computation, less what depends on a property that is not there."""
        rows = self.rows | {collection: [row | {lacking: None} for row in self.rows[collection]]}
        truth = expected_schedule(rows, now=self.now, zone=CHICAGO, missing=missing, include_completed=True)
        return [_without(record, lacking.removeprefix("Jsh")) for record in truth.records]


def _without(record: Record, lacking: str) -> Record:
    nothing_left = record["status"] == "complete" or record["qty_released"] == 0
    if lacking in HOURS and not nothing_left:
        return record | {"hours_remaining": None}
    return record | {WHOLE[lacking]: None} if lacking in WHOLE else record


def _counted(records: list[Record]) -> Record:
    """Return what a summary must say of records."""
    hours = [record["hours_remaining"] for record in records if record["hours_remaining"] is not None]
    states = [record["status"] for record in records]
    counts = {status: states.count(status) for status in ("on_track", "behind", "complete", "unknown")}
    return {"total": len(records), "hours_remaining": sum(map(Decimal, map(str, hours)), Decimal(0)), **counts}


@pytest.fixture
def bench(app: App, simulator: RunningSimulator, collections: RawRows, now: datetime) -> Bench:
    """A bench of the shared simulator."""
    return Bench(app, simulator, collections, now)


@pytest.fixture
def lack(simulator: RunningSimulator) -> Iterator[Callable[[str, str], None]]:
    """Take a property away from the tenant until the test ends."""

    def take_away(collection: str, name: str) -> None:
        simulator.state.turn({"drop_properties": {collection: {name}}})

    yield take_away
    simulator.state.turn({"drop_properties": {}})


@pytest.mark.parametrize(("collection", "lacking"), OPTIONAL, ids=str)
async def test_without_a_property_just_what_depends_on_it_is_null(
    collection: str, lacking: str, bench: Bench, lack: Callable[[str, str], None]
) -> None:
    lack(collection, lacking)
    answer = await ask(bench.app, QUERY)
    expected = bench.expected(collection, lacking, frozenset())
    assert comparable(answer.records.to_pylist()) == comparable(expected)
    assert _counted(expected).items() <= answer.summary.items()
    assert warnings(answer) == [("property_missing", collection)]
    assert f"{collection} has no property {lacking}" in answer.meta.warnings[0].message
    assert set(statuses(answer).values()) == {"ok"}


@pytest.mark.parametrize(("denied", "lacking"), JOINED, ids=str)
async def test_without_a_joined_property_just_what_depends_on_it_is_null(
    denied: str, lacking: str, bench: Bench, lack: Callable[[str, str], None]
) -> None:
    lack("SLJobRoutes", lacking)
    bench.simulator.state.deny(denied)
    answer = await ask(bench.app, QUERY)
    expected = bench.expected("SLJobRoutes", lacking, frozenset({denied}))
    assert comparable(answer.records.to_pylist()) == comparable(expected)
    assert _counted(expected).items() <= answer.summary.items()
    assert set(warnings(answer)) == {("collection_denied", denied), ("property_missing", "SLJobRoutes")}
    assert statuses(answer)[denied] == "fallback"


def test_the_properties_that_are_tried_are_those_that_matter() -> None:
    assert {name for _, name in OPTIONAL} >= {*HOURS, *WHOLE, "StartDate", "EndDate", "Description"}
    assert ("SLJrtSchs", "JshEndDate") in JOINED
    assert len(OPTIONAL) >= 20
