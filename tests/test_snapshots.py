"""Kept answers: found by whoever asked, for a while, in so much memory."""

from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from kai_erp.connectors import ConnectorResult, ScheduleQuery
from kai_erp.core.types import DataSource, Freshness
from kai_erp.errors import CursorExpired
from kai_erp.snapshots import Question, Snapshot, SnapshotStore
from tests.conftest import HandClock

NAME = "production_schedule"


def snapshot(rows: int = 10, caller: str = "", megabytes: float = 0) -> Snapshot:
    columns: dict[str, list[object]] = {"row": list(range(rows))}
    table = pa.table(columns | {"load": ["x" * int(megabytes * 1024 * 1024 / rows)] * rows})
    question = Question(NAME, ScheduleQuery(), Freshness.REALTIME, caller)
    result = ConnectorResult(table, {}, DataSource.REST, datetime(2026, 1, 1, tzinfo=UTC), (), ())
    return Snapshot(question, result)


@pytest.fixture
def store(clock: HandClock) -> SnapshotStore:
    return SnapshotStore(clock, ttl_seconds=600, max_mb=1)


async def test_a_kept_answer_is_found_at_the_row_to_go_on_with(store: SnapshotStore) -> None:
    kept = snapshot()
    name = await store.keep(kept)
    assert await store.find(f"{name}.4", NAME, "") == (kept, name, 4)
    assert await store.find(f"{name}.9", NAME, "") == (kept, name, 9)


@pytest.mark.parametrize("offset", ["10", "11", "-1", "", "x", "1.5", "1 ", "٣", "1" * 10, "0x1", "1_0"])
async def test_an_offset_that_is_none_of_its_rows_leads_nowhere(store: SnapshotStore, offset: str) -> None:
    name = await store.keep(snapshot())
    with pytest.raises(CursorExpired):
        await store.find(f"{name}.{offset}", NAME, "")


@pytest.mark.parametrize("cursor", ["", ".", ".1", "nobody.1", "nobody"])
async def test_an_unknown_cursor_leads_nowhere(store: SnapshotStore, cursor: str) -> None:
    await store.keep(snapshot())
    with pytest.raises(CursorExpired):
        await store.find(cursor, NAME, "")


async def test_somebody_elses_cursor_leads_nowhere(store: SnapshotStore) -> None:
    name = await store.keep(snapshot(caller="anna"))
    with pytest.raises(CursorExpired):
        await store.find(f"{name}.1", NAME, "bert")
    with pytest.raises(CursorExpired):
        await store.find(f"{name}.1", NAME, "")
    assert (await store.find(f"{name}.1", NAME, "anna"))[2] == 1


async def test_a_cursor_of_another_connector_leads_nowhere(store: SnapshotStore) -> None:
    name = await store.keep(snapshot())
    with pytest.raises(CursorExpired):
        await store.find(f"{name}.1", "open_orders", "")


async def test_an_answer_lapses_after_its_time(store: SnapshotStore, clock: HandClock) -> None:
    name = await store.keep(snapshot())
    clock.seconds += 600
    await store.find(f"{name}.1", NAME, "")
    clock.seconds += 0.1
    with pytest.raises(CursorExpired):
        await store.find(f"{name}.1", NAME, "")


async def test_the_oldest_answers_go_when_memory_is_full(store: SnapshotStore) -> None:
    names = [await store.keep(snapshot(megabytes=0.4)) for _ in range(3)]
    with pytest.raises(CursorExpired):
        await store.find(f"{names[0]}.1", NAME, "")
    for name in names[1:]:
        await store.find(f"{name}.1", NAME, "")


async def test_an_answer_larger_than_the_memory_is_kept_until_the_next_one(store: SnapshotStore) -> None:
    large = await store.keep(snapshot(megabytes=3))
    await store.find(f"{large}.1", NAME, "")
    small = await store.keep(snapshot(megabytes=0.4))
    await store.find(f"{small}.1", NAME, "")
    with pytest.raises(CursorExpired):
        await store.find(f"{large}.1", NAME, "")


async def test_memory_of_lapsed_answers_is_free_again(store: SnapshotStore, clock: HandClock) -> None:
    for _ in range(20):
        await store.keep(snapshot(megabytes=0.4))
        clock.seconds += 601
    names = [await store.keep(snapshot(megabytes=0.4)) for _ in range(2)]
    for name in names:
        await store.find(f"{name}.1", NAME, "")


async def test_names_are_long_and_random(store: SnapshotStore) -> None:
    names = {await store.keep(snapshot()) for _ in range(50)}
    assert len(names) == 50
    assert {len(name) for name in names} == {24}


async def test_an_answer_that_many_are_given_at_once_is_kept_once_for_each_caller(store: SnapshotStore) -> None:
    answer = snapshot(megabytes=0.4)
    anna, bert = (Snapshot(replace(answer.question, caller=name), answer.result) for name in ("anna", "bert"))
    names = [await store.keep(one) for one in (anna, anna, bert, anna)]
    assert names[0] == names[1] == names[3] != names[2]
    other = await store.keep(snapshot(megabytes=0.1))
    for name, caller in ((names[0], "anna"), (names[2], "bert"), (other, "")):
        assert await store.find(f"{name}.1", NAME, caller)


async def test_an_equal_answer_of_another_reading_has_a_name_of_its_own(store: SnapshotStore) -> None:
    assert await store.keep(snapshot()) != await store.keep(snapshot())


async def test_without_other_replicas_there_is_nothing_to_say(store: SnapshotStore) -> None:
    assert store.notice(await store.keep(snapshot())) is None
    assert store.notice("") is None
