"""Whatever the collections hold, the stock is that computed row by row."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_erp.connectors import ConnectorResult, InventoryQuery, InventoryStatus, Moment
from kai_erp.core.staging import StagingDatabase
from kai_erp.core.walking import PageSource
from tests.oracles.answers import Expected
from tests.test_connectors.asking_inventory import NOTHING, expected
from tests.test_connectors.comparing import CALLED_FOR, check_records
from tests.test_connectors.made_plants import (
    LIMITS,
    SIZES,
    Answering,
    WholeCollections,
    among,
    plant_of,
    table,
    tenant_of,
)
from tests.test_connectors.tables import CLEAN, DIRTY, NOW, Cells, Kinds, Row, folded, respelled

MOMENT = Moment(NOW, ZoneInfo("America/Chicago"))
ITEMS = ("FB-1020", "FB-1021", "é/1", "50%", "x_y[1]", "O'BRIEN", "AA", "B 7")
WAREHOUSES = ("MAIN", "EAST", "w2")
LOCATIONS = ("STOCK", "rack 4", "_A", "MRB")
DESCRIPTIONS = ("Flat bed", "flat BED ", "O'Brien hook", "Liner 50% [LH]_1", "Bâche", 'Latch 3/8"', " ")
SMALL = st.sampled_from(["0.00000000", "1.00000000", "5.00000000", "20.00000000", "-3.00000000", None])

questions = st.builds(
    InventoryQuery,
    item=st.none()
    | st.sampled_from(
        [*ITEMS, "FB*", "*1", "*", "f*1*", "**0", "%*", "*_*", "none", "A*A", "*A*A*", "A*A*A", "*'*"]
    ).flatmap(respelled),
    query=st.none() | st.sampled_from(["bed", "BÂC", "'", "%", "_", "[", '"', "f", "at b", "*"]),
    warehouse=st.none() | st.sampled_from([*WAREHOUSES, "M*", "none", "toolong"]).flatmap(respelled),
    low_stock_only=st.booleans(),
)


def plants(kinds: Kinds, *, spelled: bool) -> st.SearchStrategy[dict[str, list[Row]]]:
    """Return the three collections, with what stock rows join of their items."""
    quantities = SMALL | kinds.quantity
    item: dict[str, Cells] = {
        "Item": among(*ITEMS, spelled=spelled),
        "Description": st.none() | st.sampled_from(DESCRIPTIONS),
        "ProductCode": st.sampled_from([None, "BEDS"]),
        "UM": st.sampled_from(["EA", None, " "]),
        "Stat": st.sampled_from(["A", "A", "S", "O", "o", None]),
        "UseReorderPoint": kinds.flag,
        "ReorderPoint": quantities,
        "QtyAllocjob": quantities,
        "UnitCost": st.sampled_from(["0.00500000", "125.50000000", None]) | kinds.quantity,
    }
    names = ("QtyOnHand", "QtyAllocCo", "AllocTrn", "QtyOrdered", "QtyReorder", "QtyWip", "QtyTrans")
    key = {"Item": among(*ITEMS, "gone", spelled=spelled), "Whse": among(*WAREHOUSES, spelled=spelled)}
    tables = {
        "SLItems": table(("Item",), **item),
        "SLItemwhses": table(("Item", "Whse"), **key, **dict.fromkeys(names, quantities)),
        "SLItemLocs": table(
            ("Item", "Whse", "Loc"),
            **key,
            Loc=among(*LOCATIONS, spelled=spelled),
            QtyOnHand=quantities,
            QtyRsvd=quantities,
            MrbFlag=kinds.flag,
        ),
    }
    return st.fixed_dictionaries(tables).map(aligned).map(joined)


def aligned(tables: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """Return the tables with most stock of items that exist, and most locations where there is stock."""
    items = [row["Item"] for row in tables["SLItems"]]
    for number, row in enumerate(tables["SLItemwhses"]):
        if number % 5 != 4:
            row["Item"] = items[number // 2 % len(items)]
    stocks = unique(tables["SLItemwhses"], "Item", "Whse")
    for number, row in enumerate(tables["SLItemLocs"]):
        if number % 5 != 4:
            row |= {name: stocks[number // 2 % len(stocks)][name] for name in ("Item", "Whse")}
    return tables | {"SLItemwhses": stocks, "SLItemLocs": unique(tables["SLItemLocs"], "Item", "Whse", "Loc")}


def unique(rows: list[Row], *key: str) -> list[Row]:
    return list({tuple(folded(row[part]) for part in key): row for row in rows}.values())


def joined(tables: dict[str, list[Row]]) -> dict[str, list[Row]]:
    items = {folded(row["Item"]): row for row in tables["SLItems"]}
    for row in tables["SLItemwhses"]:
        item = items.get(folded(row["Item"]), {})
        row |= {name: item.get(name) for name in ("UM", "UnitCost", "QtyAllocjob")}
        row["ItemDescription"] = item.get("Description")
    for row in tables["SLItemLocs"]:
        item = items.get(folded(row["Item"]), {})
        row |= {f"Itm{name}": item.get(name) for name in ("Description", "UM")}
    return tables


@pytest.fixture(scope="module")
def staging() -> Iterator[StagingDatabase]:
    with StagingDatabase() as database:
        yield database


async def answered(
    source: PageSource, staging: StagingDatabase, query: InventoryQuery, page_size: int = 0
) -> ConnectorResult:
    answering = Answering(source, staging, MOMENT, page_size)
    return await answering.answer(InventoryStatus(), query)  # type: ignore[arg-type]  # its own query


def check_result(result: ConnectorResult, promised: Expected, query: InventoryQuery) -> None:
    check_records(result.records.to_pylist(), result.summary, promised, query)
    assert {notice.code for notice in result.notices} & CALLED_FOR == promised.codes


@LIMITS
@given(
    tables=plants(DIRTY, spelled=True),
    query=questions,
    denied=st.sampled_from([NOTHING, NOTHING, frozenset({"SLItemLocs"})]),
)
async def test_rows_of_any_content_give_the_promised_stock(
    staging: StagingDatabase, tables: dict[str, list[Row]], query: InventoryQuery, denied: frozenset[str]
) -> None:
    result = await answered(WholeCollections(tables, denied), staging, query)
    check_result(result, expected(query, tables, denied), query)


@LIMITS
@given(tables=plants(CLEAN, spelled=False) | plants(CLEAN, spelled=True), query=questions, page_size=SIZES)
async def test_filters_that_are_pushed_lose_nothing_that_the_question_wants(
    staging: StagingDatabase, tables: dict[str, list[Row]], query: InventoryQuery, page_size: int
) -> None:
    plant = plant_of(tables)
    async with tenant_of(plant) as client:
        result = await answered(client, staging, query, page_size)
    check_result(result, expected(query, {name: plant.rows(name) for name in tables}), query)


@pytest.mark.parametrize("cost", ["9999.99999999", "-9999.99999999", "0.00000001"])
async def test_the_largest_numbers_that_the_erp_can_store_do_not_break_the_join(
    staging: StagingDatabase, cost: str
) -> None:
    largest = "99999999999.99999999"
    stock: Row = {"Item": "AA", "QtyOnHand": largest, "QtyAllocCo": f"-{largest}", "AllocTrn": f"-{largest}"}
    rows: dict[str, list[Row]] = {
        "SLItems": [{"Item": "AA", "UnitCost": cost, "QtyAllocjob": largest}],
        "SLItemwhses": [{**stock, "Whse": "MAIN"}, {**stock, "Whse": "EAST"}],
        "SLItemLocs": [],
    }
    check_result(
        await answered(WholeCollections(rows), staging, InventoryQuery()),
        expected(InventoryQuery(), rows),
        InventoryQuery(),
    )
