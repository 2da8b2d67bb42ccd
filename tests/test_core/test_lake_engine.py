import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import httpx2
import pytest

from kai_erp.core.lake_engine import DataLakeEngine
from kai_erp.core.retries import ATTEMPTS
from kai_erp.core.types import LakeQuerySpec
from kai_erp.errors import (
    JobLost,
    Nonsense,
    PageTooLarge,
    QueryFailed,
    RequestRefused,
    UpstreamError,
    UpstreamUnavailable,
)
from tests.test_core.lake_fakes import (
    NUMBER,
    ZONE,
    Lake,
    Result,
    Trouble,
    csv,
    engine_of,
    lake_of,
    numbers,
    refusal,
)

SQL = "SELECT number, text FROM things"


@asynccontextmanager
async def leaving_nothing() -> AsyncIterator[None]:
    """Check that the tasks that run afterwards are those that ran before."""
    before = asyncio.all_tasks()
    yield
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def rows_of(engine: DataLakeEngine) -> list[int]:
    return [row async for page in engine.pages(SQL, NUMBER) for row in page.column("number").to_pylist()]


async def rows_from(lake: Lake, page_rows: int = 10, in_flight: int = 4) -> list[int]:
    async with leaving_nothing(), engine_of(lake, page_rows=page_rows, in_flight=in_flight) as engine:
        return await rows_of(engine)


async def failure_from(lake: Lake, page_rows: int = 10, timeout_seconds: float = 3_600.0) -> UpstreamError:
    async with leaving_nothing(), engine_of(lake, page_rows=page_rows, timeout_seconds=timeout_seconds) as engine:
        with pytest.raises(UpstreamError) as raised:
            await rows_of(engine)
    return raised.value


# The rows


@pytest.mark.parametrize("rows", [1, 9, 10, 11, 95])
@pytest.mark.parametrize("in_flight", [1, 2, 4, 100])
async def test_every_row_comes_once_and_in_order(rows: int, in_flight: int) -> None:
    lake = lake_of(numbers(rows))
    assert await rows_from(lake, in_flight=in_flight) == list(range(rows))
    assert lake.count("submit") == 1
    assert lake.limits() == [(start, min(10, rows - start)) for start in range(0, rows, 10)]
    assert lake.count("cancel") == 0


async def test_a_result_without_rows_has_no_pages() -> None:
    lake = lake_of(numbers(0))
    assert await rows_from(lake) == []
    assert lake.count("result") == 0


@pytest.mark.parametrize("rows", [0, 1, 10, 25])
async def test_a_result_of_unknown_length_is_read_until_a_page_is_empty(rows: int) -> None:
    lake = lake_of(numbers(rows, says=None))
    assert await rows_from(lake) == list(range(rows))
    assert lake.limits()[-1] == (rows, 10)
    assert lake.count("cancel") == 0


async def test_pages_that_are_shorter_than_asked_for_are_followed_by_the_rest() -> None:
    for says in ("row count", None):
        lake = lake_of(numbers(25, says=says))
        lake.most_given = 3
        assert await rows_from(lake) == list(range(25))


async def test_no_page_is_asked_for_that_is_larger_than_any_may_be() -> None:
    lake = lake_of(numbers(5, says=None))
    await rows_from(lake, page_rows=250_000)
    assert {limit for _, limit in lake.limits()} == {100_000}


# Pages at once


async def test_pages_are_read_at_once_but_never_more_than_allowed() -> None:
    lake = lake_of(numbers(200))
    lake.page_seconds = 1.0
    async with engine_of(lake, page_rows=10) as engine:
        started = asyncio.get_running_loop().time()
        await rows_of(engine)
        assert asyncio.get_running_loop().time() - started == pytest.approx(5.0)
    assert lake.most_reading == 4


async def test_whoever_uses_pages_slowly_stops_the_reading() -> None:
    lake = lake_of(numbers(1_000))
    async with engine_of(lake, page_rows=10) as engine:
        used = 0
        async for _ in engine.pages(SQL, NUMBER):
            await asyncio.sleep(100.0)
            used += 1
            assert lake.count("result") <= used + 3
    assert used == 100


# Pages that are too large


async def test_a_page_that_is_too_large_is_halved_and_the_size_remembered() -> None:
    lake = lake_of(numbers(2_000))
    lake.largest_page = 250
    async with engine_of(lake, page_rows=800, in_flight=2) as engine:
        assert await rows_of(engine) == list(range(2_000))
        refused = [limit for _, limit in lake.limits() if limit > 250]
        assert len(refused) <= 4
        lake.asked.clear()
        assert await rows_of(engine) == list(range(2_000))
        assert {limit for _, limit in lake.limits()} == {200}


async def test_other_columns_have_a_size_of_their_own() -> None:
    lake = lake_of(numbers(500))
    lake.largest_page = 250
    async with engine_of(lake, page_rows=400) as engine:
        await rows_of(engine)
        lake.largest_page = None
        lake.asked.clear()
        async for _ in engine.pages(SQL, NUMBER[:1]):
            pass
        assert lake.limits()[0] == (0, 400)


async def test_a_few_rows_that_are_too_large_are_an_error_and_the_job_is_cancelled() -> None:
    lake = lake_of(numbers(1_000))
    lake.largest_page = 50
    assert type(await failure_from(lake, page_rows=800)) is PageTooLarge
    assert min(limit for _, limit in lake.limits()) == 100
    assert lake.count("cancel") == 1


# Pages that break


BROKEN: list[Trouble] = [
    csv("Number,TEXT,extra", "0,row 0,x", "1,ro"),
    httpx2.Response(200, content=b"Number,TEXT,extra\n0,row 0,x\n1,row 1,"),
    httpx2.Response(200, text="<html>"),
    httpx2.Response(200),
    httpx2.Response(502),
    httpx2.Response(429, headers={"Retry-After": "1"}),
    httpx2.ReadError("reset"),
    httpx2.Response(401),
    csv("Number,TEXT,extra"),
    csv("Number,TEXT,extra", *(f"{number},row,x" for number in range(11))),
]


@pytest.mark.parametrize("trouble", BROKEN, ids=repr)
async def test_a_page_that_breaks_is_read_again(trouble: Trouble) -> None:
    lake = lake_of(numbers(25))
    lake.troubles["result"] = [trouble]
    assert await rows_from(lake) == list(range(25))
    assert lake.count("result") == 4
    assert lake.count("submit") == 1


async def test_a_page_that_always_makes_no_sense_is_given_up_after_a_few_tries() -> None:
    lake = lake_of(numbers(5))
    lake.troubles["result"] = [httpx2.Response(200, text="<html>") for _ in range(99)]
    assert type(await failure_from(lake)) is Nonsense
    assert lake.count("result") == ATTEMPTS
    assert lake.count("cancel") == 1


async def test_a_result_that_ends_before_its_count_is_nonsense_and_never_short() -> None:
    lake = lake_of(numbers(20, says=25))
    assert type(await failure_from(lake)) is Nonsense


async def test_a_failure_of_a_later_page_leaves_no_reader_behind() -> None:
    lake = lake_of(numbers(100))
    lake.page_seconds = 1.0
    lake.troubles["result"] = [httpx2.Response(406)]
    assert type(await failure_from(lake)) is RequestRefused
    assert lake.reading == 0


# How jobs end


async def test_a_failed_job_is_an_error_with_what_its_result_says() -> None:
    said = refusal("401", "Invalid property name references 'nope' or you do not have appropriate permissions")
    lake = lake_of(Result([], end="FAILED", says=None, message=said))
    failure = await failure_from(lake)
    assert type(failure) is QueryFailed
    assert "Invalid property name references 'nope'" in str(failure)
    assert "(code 401)" in str(failure)
    assert lake.count("cancel") == 0


async def test_a_failed_job_that_does_not_say_why_is_an_error_still() -> None:
    lake = lake_of(Result([], end="FAILED", says=None, message=httpx2.Response(404)))
    assert "its reason could not be read" in str(await failure_from(lake))
    lake = lake_of(Result([], end="FAILED", message=csv("Number,TEXT,extra", "1,2,3")))
    assert "it gave no reason" in str(await failure_from(lake))


async def test_messages_in_place_of_a_page_are_an_error() -> None:
    lake = lake_of(numbers(5, message=refusal("12", "Data conversion failed")))
    assert "Data conversion failed" in str(await failure_from(lake))


async def test_a_job_that_somebody_else_cancelled_is_unavailable() -> None:
    lake = lake_of(Result([], end="CANCELLED", says=None))
    failure = await failure_from(lake)
    assert type(failure) is UpstreamUnavailable
    assert "cancelled" in str(failure)
    assert lake.count("cancel") == 0


async def test_a_held_poll_is_followed_by_the_next_at_once() -> None:
    lake = lake_of(numbers(5))
    lake.running = 3
    assert await rows_from(lake) == list(range(5))
    assert lake.at[-2] - lake.at[0] == 75.0


async def test_a_server_that_does_not_hold_polls_is_asked_less_and_less_often() -> None:
    lake = lake_of(numbers(5))
    lake.running, lake.answers_at_once = 8, True
    await rows_from(lake)
    polls = [at for at, (operation, _) in zip(lake.at, lake.asked, strict=True) if operation == "status"]
    waits = [later - earlier for earlier, later in itertools.pairwise(polls)]
    assert waits == pytest.approx([1.0, 1.5, 2.25, 3.375, 5.0, 5.0, 5.0, 5.0])


# Jobs that are lost


@pytest.mark.parametrize("code", [400, 404, 410])
@pytest.mark.parametrize("operation", ["status", "result"])
async def test_a_job_that_is_lost_before_its_first_page_is_submitted_again(operation: str, code: int) -> None:
    lake = lake_of(numbers(25))
    lake.troubles[operation] = [httpx2.Response(code)]  # type: ignore[index]  # one of the operations
    assert await rows_from(lake) == list(range(25))
    assert lake.count("submit") == 2
    assert lake.count("cancel") == 0


async def test_a_job_that_is_lost_twice_is_an_error() -> None:
    lake = lake_of(numbers(25))
    lake.troubles["status"] = [httpx2.Response(404), httpx2.Response(404)]
    assert type(await failure_from(lake)) is JobLost
    assert lake.count("submit") == 2


async def test_a_job_that_is_lost_after_a_page_was_given_is_an_error() -> None:
    lake = lake_of(numbers(100))
    async with leaving_nothing(), engine_of(lake, page_rows=10, in_flight=1) as engine:
        pages = engine.pages(SQL, NUMBER)
        await anext(pages)
        lake.jobs.clear()
        with pytest.raises(JobLost):
            await anext(pages)
    assert lake.count("submit") == 1


async def test_a_whole_answer_whose_job_is_lost_half_way_is_asked_for_again() -> None:
    lake = lake_of(numbers(100))
    spec = LakeQuerySpec(SQL, NUMBER, (), records="", volume="", zone=ZONE)

    def lose_once(_: object) -> None:
        if lake.count("submit") == 1:
            lake.jobs.clear()

    async with leaving_nothing(), engine_of(lake, page_rows=10, in_flight=1) as engine:
        read = await engine.read(spec, progress=lose_once)
    assert read.table.column("number").to_pylist() == list(range(100))
    assert lake.count("submit") == 2


# Being cancelled, and running out of time


async def test_a_reader_that_is_cancelled_cancels_the_job() -> None:
    lake = lake_of(numbers(25))
    lake.running = 10
    async with leaving_nothing(), engine_of(lake) as engine:
        reader = asyncio.create_task(rows_of(engine))
        await asyncio.sleep(30.0)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
    assert lake.jobs["q0"].end == "CANCELED"


async def test_a_reader_that_is_cancelled_amid_the_pages_breaks_them_off() -> None:
    lake = lake_of(numbers(100))
    lake.page_seconds = 100.0
    async with leaving_nothing(), engine_of(lake, page_rows=10) as engine:
        reader = asyncio.create_task(rows_of(engine))
        await asyncio.sleep(10.0)
        assert lake.reading == 4
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        assert lake.reading == 0
    assert lake.count("cancel") == 1


async def test_a_reader_that_stops_early_cancels_the_job() -> None:
    lake = lake_of(numbers(100))
    async with leaving_nothing(), engine_of(lake, page_rows=10) as engine:
        async with aclosing(engine.pages(SQL, NUMBER)) as pages:
            async for _ in pages:
                break
        assert lake.count("cancel") == 1
        assert lake.reading == 0


async def test_a_reader_that_is_cancelled_while_it_submits_cancels_the_job_all_the_same() -> None:
    lake = lake_of(numbers(5))

    async def slow(request: httpx2.Request) -> httpx2.Response:
        answer = await lake(request)
        if request.method == "POST":
            await asyncio.sleep(2.0)
        return answer

    async with leaving_nothing(), engine_of(slow) as engine:
        reader = asyncio.create_task(rows_of(engine))
        await asyncio.sleep(1.0)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
    assert lake.jobs["q0"].end == "CANCELED"


async def test_a_submission_that_does_not_end_is_left_after_five_seconds() -> None:
    async def never(_: httpx2.Request) -> httpx2.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with leaving_nothing(), engine_of(never) as engine:
        reader = asyncio.create_task(rows_of(engine))
        await asyncio.sleep(1.0)
        reader.cancel()
        started = asyncio.get_running_loop().time()
        with pytest.raises(asyncio.CancelledError):
            await reader
        assert asyncio.get_running_loop().time() - started == pytest.approx(5.0)


async def test_even_an_impatient_cancellation_lets_the_job_be_cancelled() -> None:
    lake = lake_of(numbers(5))
    lake.running = 10

    async def slow(request: httpx2.Request) -> httpx2.Response:
        if request.method == "PUT":
            await asyncio.sleep(2.0)
        return await lake(request)

    async with leaving_nothing(), engine_of(slow) as engine:
        reader = asyncio.create_task(rows_of(engine))
        await asyncio.sleep(30.0)
        reader.cancel()
        await asyncio.sleep(1.0)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
    assert lake.jobs["q0"].end == "CANCELED"


async def test_a_query_that_takes_too_long_is_cancelled_and_unavailable() -> None:
    lake = lake_of(numbers(5))
    lake.running = 1_000
    failure = await failure_from(lake, timeout_seconds=120.0)
    assert type(failure) is UpstreamUnavailable
    assert "within 2 min" in str(failure)
    assert lake.at[-1] - lake.at[0] == pytest.approx(120.0)
    assert lake.jobs["q0"].end == "CANCELED"


async def test_the_time_counts_over_all_pages() -> None:
    lake = lake_of(numbers(100))
    lake.page_seconds = 25.0
    failure = await failure_from(lake, page_rows=10, timeout_seconds=60.0)
    assert type(failure) is UpstreamUnavailable
    assert lake.at[-1] - lake.at[0] == pytest.approx(60.0)
    assert lake.count("cancel") == 1


async def test_a_query_that_may_be_running_is_not_submitted_a_second_time() -> None:
    lake = lake_of(numbers(5))
    lake.troubles["submit"] = [httpx2.ReadTimeout("slow")]
    assert "may be running" in str(await failure_from(lake))
    assert lake.count("submit") == 1
