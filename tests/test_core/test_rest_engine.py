import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from kai_erp.core import ido
from kai_erp.core.expressions import equals
from kai_erp.core.rest_engine import RestEngine, check_order
from kai_erp.core.types import CollectionRead, CollectionReport, IDOSpec, KeySource, Property
from kai_erp.errors import (
    PropertyMissing,
    RequestRefused,
    TooManyRows,
    UpstreamAuth,
    UpstreamDenied,
    UpstreamError,
    UpstreamFault,
    UpstreamUnavailable,
)
from tests.test_core.fakes import MOMENT, Clock, Row, Tables, now

JOBS = IDOSpec("SLJobs", (Property("Job"), Property("Item")), key=("Job",), driving=True)
ITEMS = IDOSpec(
    "SLItems",
    (Property("Item"), Property("Description")),
    key=("Item",),
    required=False,
    keys_from=(KeySource("SLJobs", "Item", "Item"),),
)
CENTERS = IDOSpec("SLWcs", (Property("Wc"),), key=("Wc",), required=False)
DATA: dict[str, Sequence[Row]] = {
    "SLJobs": [{"Job": "1", "Item": "A"}, {"Job": "2", "Item": "C"}, {"Job": "3", "Item": "A"}],
    "SLItems": [{"Item": item, "Description": f"Item {item}"} for item in "ABCD"],
    "SLWcs": [{"Wc": "WELD"}],
}


def engine(source: object) -> RestEngine:
    return RestEngine(source, page_size=100, clock=Clock(), now=now)  # type: ignore[arg-type]  # a fake


def failing(**failures: UpstreamError) -> Tables:
    return Tables(DATA, {name: [failure] for name, failure in failures.items()})


@dataclass
class Gated:
    """Answers each request once its collection is let through; notes what has started and what was broken off."""

    tables: Tables = field(default_factory=lambda: Tables(DATA))
    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    broken_off: list[str] = field(default_factory=list)

    def gate(self, name: str) -> asyncio.Event:
        return self.gates.setdefault(name, asyncio.Event())

    async def page(self, request: ido.LoadRequest, _: object = None) -> ido.Page:
        self.started.append(request.collection)
        try:
            await self.gate(request.collection).wait()
        except asyncio.CancelledError:
            self.broken_off.append(request.collection)
            raise
        return await self.tables.page(request)

    async def let(self, name: str) -> None:
        self.gate(name).set()
        await settle()


async def settle() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


# Order and concurrency


async def test_independent_reads_start_together() -> None:
    source = Gated()
    fetch = asyncio.create_task(engine(source).parallel_fetch([JOBS, CENTERS, replace(ITEMS, keys_from=())]))
    await settle()
    assert sorted(source.started) == ["SLItems", "SLJobs", "SLWcs"]
    for name in source.started:
        source.gate(name).set()
    assert list(await fetch) == ["SLJobs", "SLWcs", "SLItems"]


async def test_a_dependent_read_starts_when_its_keys_are_known_whatever_else_is_under_way() -> None:
    source = Gated()
    fetch = asyncio.create_task(engine(source).parallel_fetch([JOBS, CENTERS, ITEMS]))
    await settle()
    assert sorted(source.started) == ["SLJobs", "SLWcs"]
    await source.let("SLJobs")
    assert sorted(source.started) == ["SLItems", "SLJobs", "SLWcs"]
    await source.let("SLItems")
    await source.let("SLWcs")
    reads = await fetch
    assert reads["SLItems"].table["Item"].to_pylist() == ["A", "C"]


async def test_what_others_wait_for_is_asked_for_first() -> None:
    source = Gated()
    fetch = asyncio.create_task(engine(source).parallel_fetch([CENTERS, JOBS, ITEMS]))
    await settle()
    assert source.started == ["SLJobs", "SLWcs"]
    for name in ("SLJobs", "SLWcs", "SLItems"):
        await source.let(name)
    assert list(await fetch) == ["SLWcs", "SLJobs", "SLItems"]


async def test_each_key_is_asked_for_once() -> None:
    source = Tables(DATA)
    await engine(source).parallel_fetch([JOBS, ITEMS])
    assert source.filters("SLItems") == ["Item IN ('A','C')"]


async def test_reads_are_found_by_the_name_of_the_staged_table() -> None:
    spec = replace(CENTERS, table="centers")
    reads = await engine(Tables(DATA)).parallel_fetch([spec])
    assert reads["centers"].table.to_pylist() == [{"Wc": "WELD"}]
    assert reads["centers"].report == CollectionReport("SLWcs", 1, 1, 0.0, "ok", MOMENT)


async def test_nothing_asked_is_nothing_read() -> None:
    assert await engine(Tables({})).parallel_fetch([]) == {}


async def test_a_collection_may_be_read_twice_under_two_names() -> None:
    other = replace(ITEMS, keys_from=(), table="all_items")
    reads = await engine(Tables(DATA)).parallel_fetch([JOBS, ITEMS, other])
    assert (reads["SLItems"].report.rows, reads["all_items"].report.rows) == (2, 4)


def test_a_table_is_declared_once() -> None:
    with pytest.raises(ValueError, match="SLJobs is declared twice"):
        check_order([JOBS, CENTERS, JOBS])


@pytest.mark.parametrize(
    "specs", [[ITEMS, JOBS], [ITEMS], [replace(JOBS, keys_from=(KeySource("SLJobs", "a", "b"),))]]
)
def test_keys_come_from_a_table_that_was_declared_before(specs: list[IDOSpec]) -> None:
    with pytest.raises(ValueError, match="takes keys from SLJobs, which must be declared before it"):
        check_order(specs)


async def test_a_wrong_order_is_refused_before_anything_is_read() -> None:
    source = Tables(DATA)
    with pytest.raises(ValueError, match="declared before it"):
        await engine(source).parallel_fetch([ITEMS, JOBS])
    assert source.asked == []


# Where keys come from


PLANS = IDOSpec("SLPlans", (Property("Item"),), key=("Item",), required=False)
TWO_SOURCES = replace(ITEMS, keys_from=(KeySource("SLPlans", "Item", "Item"), KeySource("SLJobs", "Item", "Item")))


async def items_read(plans: list[Row], jobs: list[Row], **failures: UpstreamError) -> list[str | None]:
    """Return the filters under which the items were read when their keys may come from plans or from jobs."""
    source = failing(**failures)
    source.rows = {**DATA, "SLPlans": plans, "SLJobs": jobs}
    plan = replace(PLANS, key=())
    await engine(source).parallel_fetch([plan, replace(JOBS, required=False, key=()), TWO_SOURCES])
    return source.filters("SLItems")


def items(*keys: str | None) -> list[Row]:
    return [{"Job": "1", "Item": key} for key in keys]


async def test_the_first_source_of_keys_is_used_when_it_is_complete() -> None:
    assert await items_read(items("A", "B"), items("C")) == ["Item IN ('A','B')"]


async def test_a_source_with_nulls_is_passed_over_for_one_without() -> None:
    assert await items_read(items("A", None), items("C")) == ["Item = 'C'"]


async def test_where_no_source_is_complete_the_known_keys_are_used() -> None:
    assert await items_read(items("A", None), items("C", None)) == ["Item = 'C'"]


async def test_a_source_that_was_not_read_is_passed_over() -> None:
    denied = UpstreamDenied("SLPlans", "no")
    assert await items_read(items("A"), items("C"), SLPlans=denied) == ["Item = 'C'"]


async def test_without_any_source_everything_is_read() -> None:
    down = UpstreamUnavailable("down")
    assert await items_read(items("A"), items("C"), SLPlans=down, SLJobs=down) == [None]


async def test_a_source_without_rows_needs_no_read() -> None:
    assert await items_read([], items("C")) == []


async def test_a_key_that_no_filter_can_hold_is_left_out() -> None:
    assert await items_read(items("A", "x\0y"), []) == ["Item = 'A'"]


# Collections that cannot be had


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (UpstreamDenied("SLWcs", "no right"), "denied", "collection_denied"),
        (UpstreamUnavailable("down"), "unavailable", "collection_unavailable"),
        (RequestRefused("SLWcs: odd"), "unavailable", "collection_unavailable"),
        (UpstreamAuth("refused"), "unavailable", "collection_unavailable"),
        (PropertyMissing("SLWcs", "Wc"), "unavailable", "collection_unavailable"),
    ],
)
async def test_an_optional_collection_that_fails_has_no_rows_and_a_notice(
    failure: UpstreamError, status: str, code: str
) -> None:
    reads = await engine(failing(SLWcs=failure)).parallel_fetch([JOBS, CENTERS])
    read = reads["SLWcs"]
    assert (read.table.num_rows, read.table.column_names) == (0, ["Wc"])
    assert (read.report.status, read.report.rows, read.report.pages) == (status, 0, 0)
    assert [(notice.code, notice.collection) for notice in read.notices] == [(code, "SLWcs")]
    assert reads["SLJobs"].report.rows == 3


async def test_a_denial_tells_which_grant_to_ask_for() -> None:
    reads = await engine(failing(SLWcs=UpstreamDenied("SLWcs", "no right"))).parallel_fetch([CENTERS])
    message = reads["SLWcs"].notices[0].message
    assert "no right" in message
    assert "Ask the ERP administrator for Read privilege on the IDO SLWcs." in message


@pytest.mark.parametrize(
    "failure", [UpstreamDenied("SLJobs", "no"), UpstreamUnavailable("down"), UpstreamAuth("no")]
)
async def test_a_required_collection_that_fails_fails_the_question(failure: UpstreamError) -> None:
    with pytest.raises(type(failure)) as raised:
        await engine(failing(SLJobs=failure)).parallel_fetch([JOBS, CENTERS, ITEMS])
    assert raised.value is failure


FALLBACK = replace(
    CENTERS,
    fallback=IDOSpec("SLJobs", (Property("Wc", wire="Item"),), equals("Job", "2"), key=("Job",), table="SLWcs"),
)


async def test_a_fallback_gives_the_columns_of_a_collection_that_is_denied() -> None:
    read = (await engine(failing(SLWcs=UpstreamDenied("SLWcs", "no"))).parallel_fetch([FALLBACK]))["SLWcs"]
    assert read.table.to_pylist() == [{"Wc": "C"}]
    assert (read.report.collection, read.report.status, read.report.rows) == ("SLWcs", "fallback", 1)
    assert [notice.code for notice in read.notices] == ["collection_denied"]
    assert "its fields come from SLJobs" in read.notices[0].message
    assert read.spec.table == "SLWcs"


async def test_a_fallback_is_not_read_while_it_is_not_needed() -> None:
    source = Tables(DATA)
    read = (await engine(source).parallel_fetch([FALLBACK]))["SLWcs"]
    assert (read.report.status, read.notices) == ("ok", ())
    assert [request.collection for request in source.asked] == ["SLWcs"]


async def test_a_fallback_that_fails_too_leaves_no_rows_and_tells_of_the_first_failure() -> None:
    source = failing(SLWcs=UpstreamDenied("SLWcs", "first"), SLJobs=UpstreamUnavailable("second"))
    read = (await engine(source).parallel_fetch([FALLBACK]))["SLWcs"]
    assert (read.report.status, read.table.num_rows) == ("denied", 0)
    assert len(read.notices) == 1
    assert "first" in read.notices[0].message
    assert "its fields are null" in read.notices[0].message


async def test_a_notice_of_the_fallback_itself_is_told_as_well() -> None:
    fallback = IDOSpec("SLJobs", (Property("Wc", wire="Item"), Property("Job")), table="SLWcs")
    missing = PropertyMissing("SLJobs", "Item")
    source = failing(SLWcs=UpstreamDenied("SLWcs", "no"), SLJobs=missing)
    read = (await engine(source).parallel_fetch([replace(CENTERS, fallback=fallback)]))["SLWcs"]
    assert [notice.code for notice in read.notices] == ["collection_denied", "property_missing"]
    assert read.table["Wc"].null_count == 3


# Stopping


async def test_passing_the_row_limit_stops_at_once_and_breaks_off_the_rest() -> None:
    source = Gated()
    fetch = asyncio.create_task(engine(source).parallel_fetch([JOBS, CENTERS], row_limit=2))
    await settle()
    await source.let("SLJobs")
    with pytest.raises(TooManyRows) as raised:
        await fetch
    assert (raised.value.estimated, raised.value.limit) == (3, 2)
    assert source.broken_off == ["SLWcs"]


async def test_the_row_limit_of_one_question_does_not_bind_the_next() -> None:
    rest = engine(Tables(DATA))
    with pytest.raises(TooManyRows):
        await rest.parallel_fetch([JOBS], row_limit=2)
    assert (await rest.parallel_fetch([JOBS]))["SLJobs"].report.rows == 3


async def test_a_required_failure_breaks_off_every_request_in_flight() -> None:
    source = Gated(failing(SLJobs=UpstreamUnavailable("down")))
    other = replace(ITEMS, keys_from=())
    fetch = asyncio.create_task(engine(source).parallel_fetch([JOBS, CENTERS, other]))
    await settle()
    await source.let("SLJobs")
    with pytest.raises(UpstreamUnavailable):
        await fetch
    assert sorted(source.broken_off) == ["SLItems", "SLWcs"]


async def test_a_cancelled_question_breaks_off_every_request_in_flight() -> None:
    source = Gated()
    other = replace(ITEMS, keys_from=(), table="items")
    fetch = asyncio.create_task(engine(source).parallel_fetch([JOBS, CENTERS, other, ITEMS]))
    await settle()
    fetch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetch
    assert sorted(source.broken_off) == ["SLItems", "SLJobs", "SLWcs"]


async def test_a_cancelled_question_breaks_off_every_run_of_keys() -> None:
    jobs: list[Row] = [{"Job": str(number), "Item": f"ITEM-{number:020}"} for number in range(300)]
    source = Gated(Tables({**DATA, "SLJobs": jobs}))
    fetch = asyncio.create_task(engine(source).parallel_fetch([JOBS, ITEMS]))
    for _ in range(10):
        await source.let("SLJobs")
    runs = source.started.count("SLItems")
    fetch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetch
    assert runs > 2
    assert source.broken_off == ["SLItems"] * runs


async def test_of_two_failures_the_first_is_raised_alone() -> None:
    first, second = UpstreamDenied("SLJobs", "first"), UpstreamUnavailable("second")
    source = Gated(failing(SLJobs=first, SLWcs=second))
    fetch = asyncio.create_task(engine(source).parallel_fetch([JOBS, replace(CENTERS, required=True)]))
    await settle()
    for name in ("SLJobs", "SLWcs"):
        source.gate(name).set()
    with pytest.raises(UpstreamDenied) as raised:
        await fetch
    assert raised.value is first


@dataclass
class FailingThenSilent:
    """Fails the first read of SLItems, and never answers the next."""

    failed: bool = False

    async def page(self, request: ido.LoadRequest, _: object = None) -> ido.Page:
        if request.collection != "SLItems":
            return await Tables(DATA).page(request)
        if self.failed:
            await asyncio.Event().wait()
        self.failed = True
        raise UpstreamFault("it fails")

    async def property_names(self, collection: str) -> frozenset[str]:  # noqa: ARG002
        return frozenset()


async def test_patience_ends_also_after_runs_of_keys_have_failed() -> None:
    """What a failed group of tasks leaves behind does not turn the end of patience into a cancellation."""
    impatient = RestEngine(FailingThenSilent(), page_size=100, clock=Clock(), now=now, patience=0.05)
    reads = await impatient.parallel_fetch([JOBS, ITEMS])
    assert reads["SLItems"].report.status == "unavailable"
    assert "within the 0.05 s" in reads["SLItems"].notices[0].message


async def test_progress_is_told_for_every_collection() -> None:
    told: list[str] = []
    reads: dict[str, CollectionRead] = await engine(Tables(DATA)).parallel_fetch(
        [JOBS, CENTERS, ITEMS], progress=lambda report: told.append(f"{report.collection} {report.rows}")
    )
    assert sorted(told) == ["SLItems 2", "SLJobs 3", "SLWcs 1"]
    assert len(reads) == 3
