import asyncio
from contextlib import suppress
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_erp.core import ido
from kai_erp.core.expressions import AnyKey, Comparison, Nothing, Operator
from kai_erp.core.reading import Reading, ReadingRules
from kai_erp.core.traits import Traits
from kai_erp.core.types import CollectionReport, IDOSpec, Property
from kai_erp.core.walking import KeyList, keep_once, text_table, ungrouped
from kai_erp.errors import (
    BookmarkLoop,
    PropertyMissing,
    QueryTooLong,
    TooManyRows,
    UpstreamDenied,
    UpstreamUnavailable,
)
from tests.test_core.fakes import MOMENT, Clock, Row, Tables, now, page_of

SPEC = IDOSpec("SLThings", (Property("Key"), Property("Name")), key=("Key",))


def fresh(page_size: int = 10) -> ReadingRules:
    """Rules of an engine that knows nothing of the tenant yet."""
    return ReadingRules(page_size=page_size, clock=Clock(), now=now, traits=Traits(Clock()))


def rows_of(*keys: str) -> list[Row]:
    return [{"Key": key, "Name": f"Name {key}"} for key in keys]


def numbered(count: int, width: int = 3) -> list[str]:
    return [f"{number:0{width}}" for number in range(count)]


def reading(source: object, spec: IDOSpec = SPEC, rules: ReadingRules | None = None) -> Reading:
    return Reading(spec, source, rules or fresh())  # type: ignore[arg-type]  # each fake has `page`


# Whole collections


async def test_a_read_has_every_row_as_text_and_says_what_it_took() -> None:
    source = Tables({"SLThings": rows_of(*numbered(25))})
    read = await reading(source).run(None)
    assert read.table.to_pylist() == rows_of(*numbered(25))
    assert read.report == CollectionReport("SLThings", 25, 3, 0.0, "ok", MOMENT)
    assert read.notices == ()


async def test_every_page_names_the_natural_key_and_the_page_size() -> None:
    source = Tables({"SLThings": rows_of(*numbered(25))})
    await reading(source).run(None)
    assert {request.order_by for request in source.asked} == {("Key",)}
    assert {request.record_cap for request in source.asked} == {10}
    assert {request.read_only for request in source.asked} == {True}


async def test_properties_are_asked_for_as_the_erp_calls_them_and_kept_as_we_do() -> None:
    spec = replace(SPEC, properties=(Property("id", wire="Key"), Property("title", wire="Name")))
    source = Tables({"SLThings": rows_of("a")})
    read = await reading(source, spec).run(None)
    assert source.asked[0].properties == ("Key", "Name")
    assert read.table.to_pylist() == [{"id": "a", "title": "Name a"}]


async def test_texts_are_neither_trimmed_nor_folded_and_nulls_are_kept() -> None:
    source = Tables({"SLThings": [{"Key": "  A ", "Name": None}]})
    read = await reading(source).run(None)
    assert read.table.to_pylist() == [{"Key": "  A ", "Name": None}]


async def test_what_no_row_can_match_is_not_asked_for() -> None:
    source = Tables({"SLThings": rows_of("a")})
    read = await reading(source, replace(SPEC, filter=Nothing())).run(None)
    assert (read.table.num_rows, read.table.column_names) == (0, ["Key", "Name"])
    assert source.asked == []


async def test_an_empty_collection_still_has_its_columns() -> None:
    read = await reading(Tables({"SLThings": []})).run(None)
    assert (read.table.num_rows, read.table.column_names) == (0, ["Key", "Name"])


async def test_progress_is_told_after_each_page() -> None:
    told: list[CollectionReport] = []
    rules = replace(fresh(), progress=told.append)
    await reading(Tables({"SLThings": rows_of(*numbered(25))}), rules=rules).run(None)
    assert [(report.rows, report.pages) for report in told] == [(10, 1), (20, 2), (25, 3)]


async def test_a_read_says_how_long_it_took_and_when_it_began() -> None:
    clock = Clock()

    class Slow(Tables):
        async def page(self, request: ido.LoadRequest, _: object = None) -> ido.Page:
            clock.seconds += 0.25
            return await super().page(request)

    read = await reading(Slow({"SLThings": rows_of(*numbered(25))}), rules=replace(fresh(), clock=clock)).run(None)
    assert read.report.ms == 750.0
    assert read.report.as_of == MOMENT


# Rows that move


class Scripted:
    """Gives prepared pages, whatever is asked."""

    def __init__(self, *pages: ido.Page) -> None:
        self.pages = list(pages)

    async def page(self, request: ido.LoadRequest, _: object = None) -> ido.Page:
        del request
        await asyncio.sleep(0)
        return self.pages.pop(0)


async def test_a_row_that_is_met_twice_is_kept_once_as_it_was_last_read() -> None:
    newer = {"Key": "b", "Name": "newer"}
    source = Scripted(
        page_of(rows_of("a", "b"), ("Key", "Name"), "1", more=True),
        page_of([newer, *rows_of("c")], ("Key", "Name"), "2"),
    )
    read = await reading(source).run(None)
    assert read.table.to_pylist() == [*rows_of("a"), newer, *rows_of("c")]
    assert read.report.rows == 3


KEYED = st.lists(st.fixed_dictionaries({"A": st.sampled_from("xyz"), "B": st.none() | st.sampled_from("12")}))


@given(KEYED)
def test_each_natural_key_is_kept_once_and_rows_stay_whole(rows: list[dict[str, str | None]]) -> None:
    table = pa.table(
        {
            "A": pa.array([row["A"] for row in rows], pa.string()),
            "B": pa.array([row["B"] for row in rows], pa.string()),
            "N": pa.array([*numbered(len(rows))], pa.string()),
        }
    )
    kept = keep_once(table, ("A", "B")).to_pydict()
    last = {(row["A"], row["B"]): number for number, row in enumerate(rows)}
    assert list(zip(kept["A"], kept["B"], kept["N"], strict=True)) == [
        (*key, f"{number:03}") for key, number in sorted(last.items(), key=lambda item: item[1])
    ]


def test_keys_that_differ_only_in_case_and_blanks_are_one_key() -> None:
    kept = keep_once(pa.table({"A": ["  c1", "C1 ", "c2"], "N": ["0", "1", "2"]}), ("A",))
    assert kept.to_pydict() == {"A": ["C1 ", "c2"], "N": ["1", "2"]}


def test_without_a_natural_key_every_row_is_kept() -> None:
    rows = pa.table({"A": ["x", "x"]})
    assert keep_once(rows, ()) == rows


async def test_a_server_that_turns_in_a_circle_is_an_error() -> None:
    source = Scripted(*[page_of(rows_of("a"), ("Key", "Name"), "same", more=True)] * 3)
    with pytest.raises(BookmarkLoop):
        await reading(source).run(None)


async def test_a_server_that_turns_in_a_wider_circle_is_an_error_too() -> None:
    circle = [page_of(rows_of(mark), ("Key", "Name"), mark, more=True) for mark in ("a", "b")]
    with pytest.raises(BookmarkLoop):
        await reading(Scripted(*circle * 5)).run(None)


# Key lists


async def test_only_the_rows_of_the_keys_are_read() -> None:
    source = Tables({"SLThings": rows_of(*numbered(30))})
    spec = replace(SPEC, filter=Comparison("Name", Operator.NE, "Name 003"))
    read = await reading(source, spec).run(KeyList("Key", ("001", "003", "029", "999")))
    assert read.table["Key"].to_pylist() == ["001", "029"]
    assert source.filters("SLThings") == ["Name <> 'Name 003' AND (Key IN ('001','003','029','999'))"]


async def test_no_keys_mean_no_rows_and_no_request() -> None:
    source = Tables({"SLThings": rows_of("a")})
    read = await reading(source).run(KeyList("Key", ()))
    assert read.table.num_rows == 0
    assert source.asked == []


class Measured(Tables):
    """Refuses what would pass the length limit, as the client does, with a bookmark of some length."""

    padding = ""

    async def page(self, request: ido.LoadRequest, _: object = None) -> ido.Page:
        ido.query_string(request)
        bare = replace(request, bookmark=(request.bookmark or "").strip("x") or None)
        page = await super().page(bare)
        return replace(page, bookmark=f"{page.bookmark}{self.padding}")


async def test_a_long_key_list_goes_in_several_requests_that_run_together() -> None:
    keys = numbered(400, 10)
    source = Measured({"SLThings": rows_of(*keys)})
    read = await reading(source, rules=replace(fresh(), page_size=0)).run(KeyList("Key", tuple(keys)))
    assert read.table["Key"].to_pylist() == keys
    sizes = [len(ido.query_string(request)) for request in source.asked]
    assert max(sizes) < 2_000
    assert len(sizes) == -(-sum(sizes) // 2_000)


async def test_when_a_bookmark_does_not_fit_any_more_the_keys_are_halved() -> None:
    keys = numbered(100, 10)
    source = Measured({"SLThings": rows_of(*keys)})
    source.padding = "x" * 400
    read = await reading(source).run(KeyList("Key", tuple(keys)))
    assert sorted(read.table["Key"].to_pylist()) == keys
    assert read.report.rows == 100


async def test_a_bookmark_that_fits_not_even_beside_one_key_is_an_error_and_nothing_is_cut() -> None:
    source = Measured({"SLThings": rows_of(*["000"] * 20)})
    source.padding = "x" * 2_000
    with pytest.raises(QueryTooLong):
        await reading(source).run(KeyList("Key", ("000",)))


async def test_a_bookmark_that_does_not_fit_without_keys_is_an_error_and_nothing_is_cut() -> None:
    source = Measured({"SLThings": rows_of(*numbered(20))})
    source.padding = "x" * 2_000
    with pytest.raises(QueryTooLong):
        await reading(source).run(None)


async def test_halving_one_run_does_not_forget_the_rows_of_another() -> None:
    told: list[int] = []
    keys = numbered(200, 10)

    class Uneven(Tables):
        async def page(self, request: ido.LoadRequest, _: object = None) -> ido.Page:
            if keys[0] in str(request.filter) and request.bookmark and keys[60] in str(request.filter):
                await asyncio.sleep(1.0)
                raise QueryTooLong("SLThings", 3_000, 2_000)
            return await super().page(request)

    rules = replace(fresh(), page_size=50, progress=lambda report: told.append(report.rows))
    await reading(Uneven({"SLThings": rows_of(*keys)}), rules=rules).run(KeyList("Key", tuple(keys)))
    assert told[-1] == 200


# The row limit


async def test_the_driving_collection_stops_at_its_limit_at_once() -> None:
    source = Tables({"SLThings": rows_of(*numbered(100))})
    rules = replace(fresh(), row_limit=25)
    with pytest.raises(TooManyRows) as raised:
        await reading(source, replace(SPEC, driving=True), rules).run(None)
    assert (raised.value.estimated, raised.value.limit) == (30, 25)
    assert len(source.asked) == 3


async def test_a_driving_collection_may_have_exactly_as_many_rows_as_its_limit() -> None:
    source = Tables({"SLThings": rows_of(*numbered(30))})
    read = await reading(source, replace(SPEC, driving=True), replace(fresh(), row_limit=30)).run(None)
    assert read.report.rows == 30


@pytest.mark.parametrize("limit", [5, 9, 10, 11, 19, 20, 21, 25, 89, 90, 91, 99, 100, 101])
async def test_a_read_that_runs_ahead_asks_for_no_more_pages_than_one_that_does_not(limit: int) -> None:
    pages = []
    for glimpsed in (False, True):
        source = Tables({"SLThings": rows_of(*numbered(100))}, glimpsed=glimpsed)
        with suppress(TooManyRows):
            await reading(source, replace(SPEC, driving=True), replace(fresh(), row_limit=limit)).run(None)
        pages.append(len(source.asked))
    assert pages[0] == pages[1]


async def test_another_collection_has_no_limit() -> None:
    source = Tables({"SLThings": rows_of(*numbered(30))})
    assert (await reading(source, rules=replace(fresh(), row_limit=5)).run(None)).report.rows == 30


# Missing properties


async def test_an_optional_property_that_the_tenant_lacks_is_null_with_a_notice() -> None:
    source = Tables({"SLThings": rows_of("a", "b")}, {"SLThings": [PropertyMissing("SLThings", "NAME")]})
    read = await reading(source).run(None)
    assert read.table.to_pylist() == [{"Key": "a", "Name": None}, {"Key": "b", "Name": None}]
    assert [(notice.code, notice.collection) for notice in read.notices] == [("property_missing", "SLThings")]
    assert "SLThings has no property Name" in read.notices[0].message
    assert [request.properties for request in source.asked] == [("Key", "Name"), ("Key",)]


async def test_several_missing_properties_are_left_out_one_after_the_other() -> None:
    spec = replace(SPEC, properties=(*SPEC.properties, Property("One"), Property("Two", wire="Zwei")))
    missing = [PropertyMissing("SLThings", name) for name in ("One", "Zwei")]
    read = await reading(Tables({"SLThings": rows_of("a")}, {"SLThings": [*missing]}), spec).run(None)
    assert read.table.to_pylist() == [{"Key": "a", "Name": "Name a", "One": None, "Two": None}]
    assert len(read.notices) == 2


@pytest.mark.parametrize("missing", ["Key", "key", "Other", "Name"])
async def test_a_property_without_which_there_is_no_answer_is_an_error(missing: str) -> None:
    spec = replace(SPEC, properties=(Property("Key", required=True), Property("Name", required=True)))
    source = Tables({"SLThings": rows_of("a")}, {"SLThings": [PropertyMissing("SLThings", missing)]})
    with pytest.raises(PropertyMissing, match=missing):
        await reading(source, spec).run(None)


async def test_a_part_of_the_natural_key_cannot_be_left_out() -> None:
    source = Tables({"SLThings": rows_of("a")}, {"SLThings": [PropertyMissing("SLThings", "Key")]})
    with pytest.raises(PropertyMissing):
        await reading(source).run(None)


async def test_a_property_that_is_said_to_be_missing_again_and_again_is_an_error() -> None:
    trouble: list[Exception] = [PropertyMissing("SLThings", "Name")] * 2
    source = Tables({"SLThings": rows_of("a")}, {"SLThings": trouble})
    with pytest.raises(PropertyMissing):
        await reading(source).run(None)
    assert len(source.asked) == 2


async def test_a_property_that_is_missing_from_one_run_of_keys_is_left_out_of_all() -> None:
    keys = numbered(400, 10)
    source = Measured({"SLThings": rows_of(*keys)}, {"SLThings": [PropertyMissing("SLThings", "Name")]})
    read = await reading(source, rules=replace(fresh(), page_size=0)).run(KeyList("Key", tuple(keys)))
    assert read.table["Key"].to_pylist() == keys
    assert read.table["Name"].null_count == 400
    assert read.report.rows == 400


# Failures of several at once


async def test_the_first_failure_is_raised_alone() -> None:
    first = UpstreamDenied("SLThings", "no")

    async def failing(failure: Exception) -> None:
        raise failure

    async def together() -> None:
        with ungrouped():
            async with asyncio.TaskGroup() as group:
                group.create_task(failing(first))
                group.create_task(failing(UpstreamUnavailable("later")))

    with pytest.raises(UpstreamDenied) as raised:
        await together()
    assert raised.value is first


async def test_a_failure_that_is_not_ours_keeps_its_group() -> None:
    with pytest.raises(ExceptionGroup), ungrouped():
        raise ExceptionGroup("bugs", [ValueError("a bug")])


async def test_our_failure_is_found_however_deep_it_lies() -> None:
    inner = UpstreamUnavailable("down")
    with pytest.raises(UpstreamUnavailable) as raised, ungrouped():
        raise ExceptionGroup("outer", [ValueError("a bug"), ExceptionGroup("inner", [inner])])
    assert raised.value is inner


def test_a_table_has_a_column_for_each_property_that_was_declared() -> None:
    table = text_table(SPEC, pa.table({"Key": ["a", None]}))
    assert table.to_pylist() == [{"Key": "a", "Name": None}, {"Key": None, "Name": None}]
    assert {str(field.type) for field in table.schema} == {"string"}


async def test_keys_meet_the_filter_of_the_collection_even_when_they_are_one() -> None:
    source = Tables({"SLThings": rows_of("a", "b")})
    spec = replace(SPEC, filter=AnyKey("Key", ("a", "b")))
    read = await reading(source, spec).run(KeyList("Name", ("Name b",)))
    assert read.table["Key"].to_pylist() == ["b"]


# A tenant that gives no rows when properties are listed


class ShyOfLists(Tables):
    """Gives rows only when no property is named, as one tenant was met to do; or fails then."""

    failure: Exception | None = None

    async def page(self, request: ido.LoadRequest, _: object = None) -> ido.Page:
        self.asked.append(request)
        await asyncio.sleep(0)
        if not request.unlisted:
            return page_of([], request.properties)
        if self.failure is not None:
            raise self.failure
        return page_of(rows_of(*numbered(5)), request.properties)


async def test_keys_that_give_no_row_at_all_are_asked_for_once_more_without_naming_properties() -> None:
    source = ShyOfLists({})
    read = await reading(source).run(KeyList("Key", tuple(numbered(5))))
    assert read.table.to_pylist() == rows_of(*numbered(5))
    assert [request.unlisted for request in source.asked] == [False, True]
    assert "properties=" not in ido.query_string(source.asked[1])


async def test_a_driving_collection_without_any_row_is_asked_for_once_more_in_the_same_way() -> None:
    source = ShyOfLists({})
    read = await reading(source, replace(SPEC, driving=True)).run(None)
    assert read.table.to_pylist() == rows_of(*numbered(5))
    assert [request.unlisted for request in source.asked] == [False, True]


async def test_few_keys_may_well_have_no_rows() -> None:
    source = ShyOfLists({})
    read = await reading(source).run(KeyList("Key", tuple(numbered(4))))
    assert (read.table.num_rows, len(source.asked)) == (0, 1)


async def test_a_server_that_wants_properties_named_is_believed_when_it_gives_no_rows() -> None:
    source = ShyOfLists({})
    source.failure = UpstreamUnavailable("no properties")
    read = await reading(source).run(KeyList("Key", tuple(numbered(5))))
    assert (read.table.num_rows, read.report.status, read.notices) == (0, "ok", ())
