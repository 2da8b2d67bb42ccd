"""The stock that a simulated plant gives over HTTP is that computed row by row from its raw data."""

from collections.abc import Iterator
from datetime import datetime
from itertools import product
from random import Random

import pytest

from kai_erp.app import App, open_app
from kai_erp.connectors import InventoryQuery
from kai_erp.errors import TooManyRows
from kai_erp.simulator import Plant, RunningSimulator, SimulatorOptions, build_plant
from tests.conftest import WALL_CLOCK, RawRows, SettingsFor, Simulate
from tests.test_connectors.asking import statuses, warnings
from tests.test_connectors.asking_inventory import COLLECTIONS, PROPERTIES, ask_inventory, check_inventory
from tests.test_connectors.made_plants import raw_rows
from tests.test_connectors.typing_in import dice, loud, marks, typed_parts

BOTH = (False, True)
ZERO = "0.00000000"


@pytest.fixture(scope="module")
def rows(plant: Plant) -> RawRows:
    return stock_rows(plant)


def stock_rows(plant: Plant) -> RawRows:
    return raw_rows(plant, PROPERTIES)


def cells(rows: RawRows, name: str) -> list[str]:
    """Return the different values of a property among the items."""
    return list(dict.fromkeys(row[name] or "" for row in rows["SLItems"]))


def some(texts: list[str], count: int) -> list[str]:
    return texts[:: max(1, len(texts) // count)]


async def test_the_whole_stock_is_what_the_contract_promises(app: App, rows: RawRows) -> None:
    answer = await check_inventory(app, InventoryQuery(), rows)
    assert answer.records.num_rows == 3_000
    assert warnings(answer) == []
    assert statuses(answer) == dict.fromkeys(COLLECTIONS, "ok")


async def test_an_item_is_found_exactly_however_it_is_spelled(app: App, rows: RawRows) -> None:
    items = cells(rows, "Item")
    careless = [item for item in items if item != item.upper() or item != item.strip()]
    for item in (*some(careless, 2), items[0]):
        for typed in (item, f" {item.swapcase().strip()}  "):
            answer = await check_inventory(app, InventoryQuery(item=typed), rows)
            assert answer.records.num_rows == 1, typed
        await check_inventory(app, InventoryQuery(item=item.strip()[:-1]), rows)


@pytest.mark.parametrize(
    "pattern",
    ["FB-10*", "fb-*-blk", "*-blk", "*101*", "f*-1*0*", "**LT*1", "FB-1000*", "xm*5 ", "*a*"],
)
async def test_a_star_stands_for_any_characters(app: App, rows: RawRows, pattern: str) -> None:
    answer = await check_inventory(app, InventoryQuery(item=pattern), rows)
    assert answer.records.num_rows > 0
    await check_inventory(app, InventoryQuery(item=pattern, low_stock_only=True), rows)


async def test_items_are_found_by_part_of_the_description(app: App, rows: RawRows) -> None:
    descriptions = cells(rows, "Description")
    awkward = [text for text in descriptions if marks([text]) or text != text.strip()]
    for number, text in enumerate(awkward[:6]):
        for typed in list(typed_parts(text))[number % 4 :: 4]:
            answer = await check_inventory(app, InventoryQuery(query=typed), rows)
            assert answer.records.num_rows > 0, typed


async def test_marks_and_letters_beyond_ascii_are_plain_characters(app: App, rows: RawRows) -> None:
    for mark in [*marks(cells(rows, "Description"))[::4], "*", "''", "[a-z]", "größe"]:
        await check_inventory(app, InventoryQuery(query=mark), rows)
    for mark in ("FB_1000%", "[F]*", "'*", '"*', "*%*", "*_*"):
        await check_inventory(app, InventoryQuery(item=mark), rows)


@pytest.mark.parametrize(
    "query",
    [
        InventoryQuery(item=item, query=text, warehouse=warehouse, low_stock_only=low)
        for item, text, warehouse, low in product([None, "f*"], [None, "bed"], [None, " main "], BOTH)
    ],
    ids=repr,
)
async def test_filters_together_narrow_to_what_all_let_through(
    app: App, rows: RawRows, query: InventoryQuery
) -> None:
    answer = await check_inventory(app, query, rows)
    assert answer.records.num_rows > 0


@pytest.mark.parametrize(
    "query",
    [
        InventoryQuery(item="no such item"),
        InventoryQuery(item="x" * 200),  # longer than the column
        InventoryQuery(item="x" * 100 + "*"),
        InventoryQuery(item="FB-*-PINK"),
        InventoryQuery(item="' OR 1=1 --"),
        InventoryQuery(query="no such thing"),
        InventoryQuery(query="b*d"),
        InventoryQuery(query="x" * 200),
        InventoryQuery(warehouse="ZZZ"),
        InventoryQuery(warehouse="M*"),
        InventoryQuery(warehouse="nowhere at all"),
        InventoryQuery(warehouse="ZZZ", low_stock_only=True),
    ],
)
async def test_what_matches_nothing_is_an_empty_answer_that_says_so(
    app: App, rows: RawRows, query: InventoryQuery
) -> None:
    answer = await check_inventory(app, query, rows)
    assert answer.records.num_rows == 0
    assert ("no_match", None) in warnings(answer)


async def test_blank_filters_count_as_absent(app: App, rows: RawRows) -> None:
    asked = InventoryQuery(item=" ", query="", warehouse="  ", low_stock_only=True)
    answer = await check_inventory(app, asked, rows)
    assert answer.records.num_rows > 100


async def test_a_page_of_the_answer_sums_up_the_whole_of_it(app: App) -> None:
    query = InventoryQuery(item="F*", low_stock_only=True)
    whole = await ask_inventory(app, query)
    page = await ask_inventory(app, query, limit=5)
    assert page.records == whole.records.slice(0, 5)
    assert page.summary == whole.summary


@pytest.mark.parametrize("seed", [2, 3])
async def test_other_plants_have_their_own_stock(
    seed: int, simulate: Simulate, settings_for: SettingsFor, now: datetime
) -> None:
    plant = build_plant("small", seed, WALL_CLOCK)
    rows = stock_rows(plant)
    async with open_app(settings_for(simulate(of=plant)), now=lambda: now) as app:
        await check_inventory(app, InventoryQuery(low_stock_only=True), rows)
        for query in questions(dice(seed), rows, 2):
            await check_inventory(app, query, rows)


def questions(chance: Random, rows: RawRows, count: int) -> Iterator[InventoryQuery]:
    """Yield questions about some of the items."""
    warehouses = sorted({row["Whse"] or "" for row in rows["SLItemwhses"]})
    for _ in range(count):
        row = chance.choice(rows["SLItems"])
        item, description = (row["Item"] or "").strip(), (row["Description"] or "").strip()
        yield InventoryQuery(
            item=chance.choice((item.swapcase(), f"{item[:4]}*", f"*{item[-4:]}*")),
            query=chance.choice((loud(description[2:9]) or "a", description, None, None)),
            warehouse=chance.choice((None, *warehouses, warehouses[-1].lower())),
            low_stock_only=chance.random() < 0.4,
        )


@pytest.mark.parametrize("page_size", [50, 100_000])
async def test_the_answer_is_the_same_in_pages_of(
    page_size: int, simulator: RunningSimulator, settings_for: SettingsFor, rows: RawRows, now: datetime
) -> None:
    async with open_app(settings_for(simulator, sl10_page_size=page_size), now=lambda: now) as app:
        for query in (InventoryQuery(item="FB*", low_stock_only=True), InventoryQuery(query="Flat bed")):
            await check_inventory(app, query, rows)


@pytest.mark.medium
async def test_a_medium_plant_is_too_large_as_a_whole_and_answers_what_is_narrower(
    medium_plant: Plant, simulate: Simulate, settings_for: SettingsFor, now: datetime
) -> None:
    plant = medium_plant
    rows = stock_rows(plant)
    settings = settings_for(simulate(SimulatorOptions(max_cap=1_000), plant), sl10_query_timeout_seconds=120)
    async with open_app(settings, now=lambda: now) as app:
        with pytest.raises(TooManyRows) as caught:
            await ask_inventory(app)
        assert caught.value.limit == 10_000
        assert "item" in caught.value.suggestion
        item = next(
            row["Item"] for row in rows["SLItemwhses"] if row["Whse"] == "EAST" and row["QtyAllocjob"] != ZERO
        )
        touched = await check_inventory(app, InventoryQuery(item=item, warehouse="EAST"), rows)
        assert ("job_allocation_unplaced", None) in warnings(touched)
        for warehouse, low in ((None, False), ("EAST", True), ("svc", False), ("main", True)):
            asked = InventoryQuery(item="FB-1*", warehouse=warehouse, low_stock_only=low)
            answer = await check_inventory(app, asked, rows)
            assert answer.records.num_rows > 0
        for query in questions(dice(4), rows, 3):
            await check_inventory(app, query, rows)
