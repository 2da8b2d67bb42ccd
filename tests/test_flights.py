"""Flights: one reading for all who ask the same at the same time."""

import asyncio
from datetime import UTC, datetime

import pytest

from kai_erp.core.types import CollectionReport, Progress
from kai_erp.errors import UpstreamDenied
from kai_erp.flights import Flights

REPORT = CollectionReport("SLJobs", 5, 1, 1.0, "ok", datetime(2026, 5, 20, tzinfo=UTC))


class Reading:
    """A reading that goes on until it is told to end."""

    def __init__(self) -> None:
        self.begun = self.cancelled = self.cleaned_up = 0
        self.go_on = asyncio.Event()
        self.failure: Exception | None = None

    async def __call__(self, told: Progress) -> str:
        self.begun += 1
        try:
            told(REPORT)
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            await asyncio.sleep(0)
            self.cleaned_up += 1
            raise
        if self.failure is not None:
            raise self.failure
        told(REPORT)
        return f"answer {self.begun}"


async def some(
    flights: Flights[str], read: Reading, number: int, key: object = "key"
) -> "list[asyncio.Task[str]]":
    tasks = [asyncio.create_task(flights.join(key, read)) for _ in range(number)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_all_who_ask_the_same_share_one_reading() -> None:
    flights, read = Flights[str](), Reading()
    tasks = await some(flights, read, 200)
    read.go_on.set()
    assert set(await asyncio.gather(*tasks)) == {"answer 1"}
    assert read.begun == 1
    assert await flights.join("key", read) == "answer 2"


async def test_who_asks_something_else_gets_a_reading_of_its_own() -> None:
    flights, read = Flights[str](), Reading()
    tasks = [*await some(flights, read, 3, "one"), *await some(flights, read, 3, "other")]
    read.go_on.set()
    await asyncio.gather(*tasks)
    assert read.begun == 2


async def test_who_goes_away_hurts_nobody_else() -> None:
    flights, read = Flights[str](), Reading()
    first, *others = await some(flights, read, 3)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert first.cancelled()
    read.go_on.set()
    assert await asyncio.gather(*others) == ["answer 1", "answer 1"]
    assert read.cancelled == 0


async def test_when_the_last_one_goes_away_the_reading_is_broken_off_and_cleans_up() -> None:
    flights, read = Flights[str](), Reading()
    tasks = await some(flights, read, 3)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (read.cancelled, read.cleaned_up) == (1, 1)
    read.go_on.set()
    assert await flights.join("key", read) == "answer 2"


async def test_a_failure_is_raised_to_each_as_one_of_its_own() -> None:
    flights, read = Flights[str](), Reading()
    read.failure = UpstreamDenied("SLJobs", "no right")
    tasks = await some(flights, read, 3)
    read.go_on.set()
    failures = await asyncio.gather(*tasks, return_exceptions=True)
    assert len({id(failure) for failure in failures}) == 3
    for failure in failures:
        assert isinstance(failure, UpstreamDenied)
        assert (str(failure), failure.collection, failure.suggestion) == (
            str(read.failure),
            "SLJobs",
            read.failure.suggestion,
        )


async def test_a_defect_is_raised_to_all() -> None:
    flights, read = Flights[str](), Reading()
    read.failure = KeyError("defect")
    tasks = await some(flights, read, 2)
    read.go_on.set()
    assert [type(one) for one in await asyncio.gather(*tasks, return_exceptions=True)] == [KeyError, KeyError]


async def test_who_joins_late_is_told_of_what_is_still_read() -> None:
    flights, read = Flights[str](), Reading()
    early: list[CollectionReport] = []
    late: list[CollectionReport] = []
    first = asyncio.create_task(flights.join("key", read, early.append))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    second = asyncio.create_task(flights.join("key", read, late.append))
    await asyncio.sleep(0)
    read.go_on.set()
    await asyncio.gather(first, second)
    assert (len(early), len(late)) == (2, 1)


async def test_nothing_is_left_behind() -> None:
    flights, read = Flights[str](), Reading()
    read.go_on.set()
    for number in range(50):
        await flights.join(number, read)
    await asyncio.sleep(0)
    assert not any(flights.has(number) for number in range(50))


@pytest.mark.parametrize("attempts", [1, 20])
async def test_many_who_come_and_go_never_get_what_is_not_theirs(attempts: int) -> None:
    flights = Flights[str]()

    async def read(_: Progress) -> str:
        await asyncio.sleep(0.001)
        return "own"

    async def come_and_go(number: int) -> None:
        task = asyncio.create_task(flights.join(number % 3, read))
        await asyncio.sleep(0.0003 * (number % 7))
        if number % 2:
            task.cancel()
        result = (await asyncio.gather(task, return_exceptions=True))[0]
        assert result == "own" or isinstance(result, asyncio.CancelledError)

    for _ in range(attempts):
        await asyncio.gather(*(come_and_go(number) for number in range(60)))
    await asyncio.sleep(0)
    assert not any(flights.has(key) for key in range(3))
