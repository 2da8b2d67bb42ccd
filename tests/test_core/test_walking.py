import asyncio
from collections.abc import Callable
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_erp.core import ido
from kai_erp.core.expressions import Expression, Nothing, equals
from kai_erp.core.walking import Ahead, KeyList, Walk, keep_once, ungrouped
from kai_erp.errors import BookmarkLoop, QueryTooLong, TooManyRows, UpstreamUnavailable
from tests.test_core.fakes import Row, Tables

FIRST = ido.LoadRequest("SLThings", ("Key", "Name"), order_by=("Key",), record_cap=3)


def rows_of(*keys: str) -> list[Row]:
    return [{"Key": key, "Name": f"Name {key}"} for key in keys]


def nothing_counted(rows: int) -> None:
    del rows


def walk(
    source: Tables,
    expression: Expression | None = None,
    count: Callable[[int], None] = nothing_counted,
    first: ido.LoadRequest = FIRST,
) -> Walk:
    return Walk(source, first, expression, count)


def long_keys(count: int) -> tuple[str, ...]:
    return tuple(f"{number:010}" for number in range(count))


async def test_all_pages_make_the_columns_in_their_order() -> None:
    source = Tables({"SLThings": rows_of(*"abcdefgh")})
    assert (await walk(source).read(None)).to_pydict() == {
        "Key": list("abcdefgh"),
        "Name": [f"Name {key}" for key in "abcdefgh"],
    }


async def test_only_bookmark_and_load_type_change_from_page_to_page() -> None:
    source = Tables({"SLThings": rows_of(*"abcdefgh")})
    await walk(source, equals("Name", "Name a")).read(None)
    await walk(source).read(None)
    assert len(source.asked) == 4
    assert [request.load_type for request in source.asked] == ["FIRST", "FIRST", "NEXT", "NEXT"]
    bare = {replace(request, bookmark=None, load_type="FIRST", filter=None) for request in source.asked}
    assert bare == {FIRST}


@pytest.mark.parametrize("keys", [None, KeyList("Key", ("a",))])
async def test_what_nothing_can_match_has_columns_but_takes_no_request(keys: KeyList | None) -> None:
    source = Tables({"SLThings": rows_of("a")})
    assert (await walk(source, Nothing()).read(keys)).to_pydict() == {"Key": [], "Name": []}
    assert source.asked == []


async def test_the_listener_is_told_of_every_page_and_of_the_empty_one() -> None:
    told: list[int] = []
    await walk(Tables({"SLThings": rows_of(*"abcde")}), count=told.append).read(None)
    await walk(Tables({"SLThings": []}), count=told.append).read(None)
    assert told == [3, 2, 0]


async def test_the_listener_may_stop_the_walk() -> None:
    source = Tables({"SLThings": rows_of(*"abcdefgh")})

    def stop(rows: int) -> None:
        raise TooManyRows(rows, 2)

    with pytest.raises(TooManyRows):
        await walk(source, count=stop).read(None)
    assert len(source.asked) == 1


@pytest.mark.parametrize("count", [1, 120, 121, 500])
async def test_every_key_is_asked_for_exactly_once(count: int) -> None:
    keys = long_keys(count)
    source = Tables({"SLThings": rows_of(*keys)})
    columns = await walk(source, first=replace(FIRST, record_cap=0)).read(KeyList("Key", keys))
    assert columns["Key"].to_pylist() == list(keys)
    assert sum(str(request.filter).count(key) for request in source.asked for key in keys) == count
    assert all(len(ido.query_string(request)) < ido.QUERY_LIMIT for request in source.asked)


async def test_runs_of_keys_are_read_together() -> None:
    at_once = most = 0

    class Watched(Tables):
        async def page(self, request: ido.LoadRequest, _: object = None) -> ido.Page:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            page = await super().page(request)
            at_once -= 1
            return page

    keys = long_keys(500)
    source = Watched({"SLThings": rows_of(*keys)})
    await walk(source, first=replace(FIRST, record_cap=0)).read(KeyList("Key", keys))
    assert most == len(source.asked) > 1


async def test_when_one_run_fails_the_others_are_broken_off() -> None:
    ended: list[str] = []

    class Failing(Tables):
        async def page(self, request: ido.LoadRequest, _: object = None) -> ido.Page:
            if long_keys(1)[0] in str(request.filter):
                await asyncio.sleep(0)
                raise UpstreamUnavailable("down")
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("broken off")
            raise AssertionError

    with pytest.raises(UpstreamUnavailable):
        await walk(Failing({"SLThings": []})).read(KeyList("Key", long_keys(300)))
    assert ended == ["broken off"] * len(ended)
    assert ended


async def test_rows_that_are_read_again_after_halving_are_taken_off_the_count() -> None:
    told: list[int] = []
    keys = long_keys(40)

    class Growing(Tables):
        """Gives long bookmarks while more than ten keys are asked for."""

        async def page(self, request: ido.LoadRequest, _: object = None) -> ido.Page:
            bare = replace(request, bookmark=(request.bookmark or "").strip("x") or None)
            page = await super().page(bare)
            many = str(request.filter).count(",") > 9
            return replace(page, bookmark=f"{page.bookmark}{'x' * 2_000 if many else ''}")

    columns = await walk(Growing({"SLThings": rows_of(*keys)}), count=told.append).read(KeyList("Key", keys))
    assert columns["Key"].to_pylist() == list(keys)
    assert sum(told) == 40
    assert min(told) < 0


class Glimpsing(Tables):
    """Tells of the next request before it has read the rows of a page; `misled` makes that a wrong one."""

    misled = False

    def __init__(self, *keys: str) -> None:
        super().__init__({"SLThings": rows_of(*keys)})
        self.events: list[str] = []

    async def page(self, request: ido.LoadRequest, ahead: Ahead | None = None) -> ido.Page:
        place = request.bookmark or "0"
        self.events.append(f"ask {place}")
        try:
            page = await super().page(request)
            if ahead is not None and page.more_rows:
                bookmark = f"{page.bookmark}0" if self.misled else page.bookmark
                ahead(replace(request, bookmark=bookmark, load_type="NEXT"))
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.events.append(f"drop {place}")
            raise
        self.events.append(f"read {place}")
        return page


async def test_the_next_page_is_asked_for_before_the_rows_of_one_are_read() -> None:
    source = Glimpsing(*"abcdefgh")
    assert (await walk(source).read(None))["Key"].to_pylist() == list("abcdefgh")
    assert source.events == ["ask 0", "ask 3", "read 0", "ask 6", "read 3", "read 6"]
    assert source.asked[1:] == [replace(FIRST, bookmark=mark, load_type="NEXT") for mark in ("3", "6")]


async def test_a_guess_that_was_wrong_is_broken_off() -> None:
    source = Glimpsing(*"abcde")
    source.misled = True
    assert (await walk(source).read(None))["Key"].to_pylist() == list("abcde")
    await asyncio.sleep(0)
    assert source.events == ["ask 0", "ask 30", "read 0", "ask 3", "drop 30", "read 3"]


async def test_nothing_is_asked_ahead_that_would_not_be_let_through() -> None:
    source, asked = Glimpsing(*"abcdefgh"), list[int]()

    def has_room(rows: int) -> bool:
        asked.append(rows)
        return False

    await Walk(source, FIRST, None, nothing_counted, has_room).read(None)
    assert source.events == ["ask 0", "read 0", "ask 3", "read 3", "ask 6", "read 6"]
    assert asked == [4, 4]


async def test_a_walk_that_is_stopped_breaks_off_what_it_asked_ahead() -> None:
    source = Glimpsing(*"abcdefgh")

    def stop(rows: int) -> None:
        raise TooManyRows(rows, 2)

    with pytest.raises(TooManyRows):
        await walk(source, count=stop).read(None)
    await asyncio.sleep(0)
    assert source.events == ["ask 0", "ask 3", "read 0", "drop 3"]


async def test_a_page_asked_ahead_that_fails_fails_the_walk() -> None:
    class Failing(Glimpsing):
        async def page(self, request: ido.LoadRequest, ahead: Ahead | None = None) -> ido.Page:
            if request.bookmark == "3":
                raise UpstreamUnavailable("down")
            return await super().page(request, ahead)

    with pytest.raises(UpstreamUnavailable):
        await walk(Failing(*"abcdefgh")).read(None)


async def test_a_cancelled_walk_breaks_off_the_page_that_it_waits_for() -> None:
    class Hanging(Glimpsing):
        async def page(self, request: ido.LoadRequest, ahead: Ahead | None = None) -> ido.Page:
            if request.bookmark == "3":
                await asyncio.Event().wait()
            return await super().page(request, ahead)

    source = Hanging(*"abcdefgh")
    task = asyncio.create_task(walk(source).read(None))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [other for other in asyncio.all_tasks() if other is not asyncio.current_task()] == []


async def test_a_key_that_does_not_fit_into_any_request_is_an_error() -> None:
    source = Tables({"SLThings": []})
    with pytest.raises(QueryTooLong):
        await walk(_Strict(source.rows)).read(KeyList("Key", ("x" * 2_500,)))


class _Strict(Tables):
    async def page(self, request: ido.LoadRequest, _: object = None) -> ido.Page:
        ido.query_string(request)
        return await super().page(request)


@given(st.lists(st.sampled_from("abcd"), min_size=2, max_size=12))
async def test_a_server_that_gives_bookmarks_it_gave_before_is_left(marks: list[str]) -> None:
    class Circling(Tables):
        async def page(self, request: ido.LoadRequest, _: object = None) -> ido.Page:
            self.asked.append(request)
            mark = marks[min(len(self.asked), len(marks)) - 1]
            return ido.Page({"Key": ["a"], "Name": ["a"]}, 1, mark, more_rows=True)

    source = Circling({})
    with pytest.raises(BookmarkLoop):
        await walk(source).read(None)
    assert len(source.asked) <= len(set(marks)) + 1


def test_rows_without_the_whole_key_are_all_kept() -> None:
    rows = pa.table({"A": ["x", "x"]})
    assert keep_once(rows, ("A", "B")) == rows


def test_a_null_key_counts_as_a_blank_one() -> None:
    rows = pa.table({"A": [None, "  ", "x"], "N": ["1", "2", "3"]})
    assert keep_once(rows, ("A",)).to_pydict() == {"A": ["  ", "x"], "N": ["2", "3"]}


async def test_a_cancellation_among_failures_is_not_taken_for_one_of_ours() -> None:
    with pytest.raises(BaseExceptionGroup), ungrouped():
        raise BaseExceptionGroup("ending", [asyncio.CancelledError()])
