"""Rows move between two pages of a walk, always the same ones, and come back."""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx2
import pytest

from kai_erp.simulator import Plant, SimulatorOptions, build_plant, run_simulator
from tests.test_simulator.conftest import Connect

CONTROL = "http://erp/simulator"
WALK = {"properties": "Wc,Dept,RecordDate", "recordCap": "4", "readOnly": "true"}

Rows = list[dict[str, str]]


@pytest.fixture(scope="module")
def moving() -> Plant:
    """A plant whose rows move."""
    return build_plant("small", 5)


async def walk(client: httpx2.AsyncClient, parameters: Mapping[str, str], ido: str = "SLWcs") -> list[Rows]:
    """Return the pages of a walk to its end."""
    pages: list[Rows] = []
    asked = dict(parameters)
    more = True
    while more:
        answer = (await client.get(f"load/{ido}", params=asked)).json()
        assert answer["Success"] is True, answer
        pages.append(answer["Items"])
        more = answer["MoreRowsExist"]
        asked |= {"loadType": "NEXT", "bookmark": answer["Bookmark"]}
    return pages


async def move(client: httpx2.AsyncClient, ido: str = "SLWcs", page: int = 1, **move: Any) -> None:  # noqa: ANN401  # any member
    response = await client.post(f"{CONTROL}/faults", json={"on": ido, "page": page, "move": move})
    assert response.status_code == 200, response.text


def names(rows: Sequence[Mapping[str, str]]) -> list[str]:
    return [row["Wc"] for row in rows]


def flat(pages: list[Rows]) -> Rows:
    return [row for page in pages for row in page]


async def test_rows_that_were_served_are_gone_afterwards(connect: Connect, moving: Plant) -> None:
    async with connect(plants=moving) as (client, state):
        before = flat(await walk(client, WALK))
        await move(client, delete_served=2)
        assert flat(await walk(client, WALK)) == before
        assert flat(await walk(client, WALK)) == before[2:]
        state.faults.clear()
        assert flat(await walk(client, WALK)) == before


async def test_rows_ahead_are_gone_before_they_are_met(connect: Connect, moving: Plant) -> None:
    async with connect(plants=moving) as (client, state):
        before = flat(await walk(client, WALK))
        await move(client, page=2, delete_ahead=3)
        assert flat(await walk(client, WALK)) == [*before[:8], *before[11:]]
        state.faults.clear()


async def test_rows_ahead_have_changed_when_they_are_met(connect: Connect, moving: Plant) -> None:
    async with connect(plants=moving) as (client, _):
        before = flat(await walk(client, WALK))
        await move(client, change_ahead=2, delete_ahead=1, property="Dept")
        after = flat(await walk(client, WALK))
        assert names(after) == names([*before[:4], *before[5:]])
        changed = [row["Wc"] for row in after if row not in before]
        assert changed == names(before[5:7])
        for old, new in zip(before[5:7], after[4:6], strict=True):
            assert old["Dept"] != new["Dept"]
            assert old["RecordDate"] < new["RecordDate"]
        await client.delete(f"{CONTROL}/faults")
        assert flat(await walk(client, WALK)) == before


async def test_a_walk_in_order_of_change_meets_a_row_again_that_changed_behind_it(
    connect: Connect, moving: Plant
) -> None:
    async with connect(plants=moving) as (client, state):
        ordered = WALK | {"orderBy": "RecordDate"}
        before = flat(await walk(client, ordered))
        await move(client, change_served=1)
        after = flat(await walk(client, ordered))
        assert names(after) == [*names(before), before[0]["Wc"]]
        state.faults.clear()


async def test_a_walk_misses_rows_that_are_inserted_behind_it(connect: Connect, moving: Plant) -> None:
    async with connect(plants=moving) as (client, state):
        before = flat(await walk(client, WALK))
        await move(client, insert_behind=2)
        pages = await walk(client, WALK)
        assert pages[0] == before[2:6]
        assert flat(pages) == before[2:]
        assert flat(await walk(client, WALK)) == before
        state.faults.clear()


async def test_a_walk_that_seems_to_end_is_passed_by_what_is_inserted_ahead(
    connect: Connect, moving: Plant
) -> None:
    async with connect(plants=moving) as (client, state):
        before = flat(await walk(client, WALK))
        await move(client, page=2, insert_ahead=99)
        assert flat(await walk(client, WALK)) == before[:8]
        assert flat(await walk(client, WALK)) == before
        await move(client, insert_ahead=1)
        assert flat(await walk(client, WALK)) == before
        state.faults.clear()


async def test_a_walk_backwards_moves_what_it_has_still_to_meet(connect: Connect, moving: Plant) -> None:
    async with connect(plants=moving) as (client, state):
        before = flat(await walk(client, WALK))
        await move(client, delete_ahead=1)
        last = (await client.get("load/SLWcs", params=WALK | {"loadType": "LAST"})).json()
        assert last["Items"] == before[::-1][:4]
        previous = WALK | {"loadType": "PREV", "bookmark": last["Bookmark"]}
        assert (await client.get("load/SLWcs", params=previous)).json()["Items"] == before[::-1][5:9]
        state.faults.clear()


async def test_by_default_the_first_decimal_that_is_read_changes(connect: Connect, moving: Plant) -> None:
    async with connect(plants=moving) as (client, state):
        asked = {"properties": "Job,Stat,QtyReleased,QtyComplete", "recordCap": "5"}
        before = (await client.get("load/SLJobs", params=asked)).json()["Items"]
        await move(client, "SLJobs", change_served=2)
        await client.get("load/SLJobs", params=asked)
        after = (await client.get("load/SLJobs", params=asked)).json()["Items"]
        different = [
            (n, name)
            for n, (old, new) in enumerate(zip(before, after, strict=True))
            for name in old
            if old[name] != new[name] and name != "_ItemId"
        ]
        assert different == [(0, "QtyReleased"), (1, "QtyReleased")]
        assert float(after[0]["QtyReleased"]) == float(before[0]["QtyReleased"]) + 1
        state.faults.clear()


@pytest.mark.parametrize("name", ["Stat", "Item", "Rework", "QtyScrapped", "RecordDate", "JobDate", "RefSeq"])
async def test_any_kind_of_property_gets_another_value_that_fits(
    connect: Connect, moving: Plant, name: str
) -> None:
    length = moving.collections["SLJobs"].columns[name].shape.length
    async with connect(plants=moving) as (client, state):
        asked = {"properties": f"Job,{name}", "recordCap": "3", "readOnly": "true"}
        before = (await client.get("load/SLJobs", params=asked)).json()["Items"]
        await move(client, "SLJobs", change_served=3, property=name)
        await client.get("load/SLJobs", params=asked)
        after = (await client.get("load/SLJobs", params=asked)).json()["Items"]
        assert all(old[name] != new[name] for old, new in zip(before, after, strict=True))
        assert name not in {"Stat", "Item"} or all(len(row[name]) <= length for row in after)
        state.faults.clear()
        assert (await client.get("load/SLJobs", params=asked)).json()["Items"] == before


async def test_a_property_that_cannot_change_leaves_the_present_in_the_record_date(
    connect: Connect, moving: Plant
) -> None:
    async with connect(plants=moving) as (client, state):
        before = (await walk(client, WALK))[0]
        await move(client, "*", change_served=1, property="Wc")
        await walk(client, WALK)
        after = (await walk(client, WALK))[0]
        assert names(after) == names(before)
        assert after[0]["RecordDate"] > before[0]["RecordDate"]
        state.faults.clear()


async def test_an_empty_page_moves_nothing(connect: Connect, moving: Plant) -> None:
    async with connect(plants=moving) as (client, _):
        await move(client, delete_served=2, insert_behind=2, delete_ahead=2)
        assert await walk(client, WALK | {"filter": "Wc='none'"}) == [[]]
        assert (await client.get(CONTROL)).json()["plants"]["DEMO_TRN_MAIN"]["rows"]["SLWcs"] == 12


def test_rows_are_back_when_the_simulator_has_stopped(moving: Plant) -> None:
    before = moving.rows("SLWcs")
    with run_simulator(moving, SimulatorOptions()) as simulator:
        for name in ("SLWcs", "SLJobs"):
            collection = moving.collections[name]
            simulator.state.faults.movements.delete(collection, [0, 1])
            simulator.state.faults.movements.change(collection, [2], None, moving.now)
        assert len(moving.rows("SLWcs")) == 10
    assert moving.rows("SLWcs") == before
