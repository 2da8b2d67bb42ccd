"""Whatever the collections hold, the open orders are those computed line by line."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_erp.connectors import ConnectorResult, Moment, OrdersQuery, SalesOrderTracker
from kai_erp.core.staging import StagingDatabase
from kai_erp.core.walking import PageSource
from tests.oracles.answers import Expected
from tests.test_connectors.asking import Truth
from tests.test_connectors.asking_orders import OPTIONAL, expected
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
from tests.test_connectors.tables import CLEAN, DIRTY, NOW, Kinds, Row, decimals, folded, respelled

CHICAGO = Moment(NOW, ZoneInfo("America/Chicago"))
ZONES = ("America/Chicago", "Europe/Berlin", "Pacific/Apia", "Pacific/Honolulu")
ORDERS = ("CO00000012", "CO00000013", "       888", "B/7", "Ü-7", "O'NEIL", "50%_[1]")
CUSTOMERS = ("C000012", "C000013", "    888", "Ü'%_[")
ITEMS = ("FB-1020", "é/1", "50%", "x_y[1]", "O'BRIEN")
NAMES = ("Alder Truck", "O'Malley 888", "100% [Demo]_1", "Łódź  Sp. z o.o. ", "  ", "alder")
DATES = st.sampled_from(
    [
        "20261031 00:00:00.000",
        "20261101 00:00:00.000",
        "20261101 23:59:59.997",
        "20261102 00:00:00.000",
        "20261108 00:00:00.000",
        "20261201 00:00:00.000",
        "20271101 00:00:00.000",
        "20271102 00:00:00.000",
        "20481231 00:00:00.000",
        "20490101 00:00:00.000",  # no date
        "99991231 00:00:00.000",
        "19000101 00:00:00.000",
    ]
)
MONEY = st.sampled_from(["0.00500000", "1.00500000", "99.99000000", "-3.33333333"]) | decimals(9999, 8, -99)
DISCOUNTS = st.sampled_from(["0.00000000", "12.50000000", "33.33333333", "100.00000000", "150.00000000"])
STATS = st.sampled_from(["O", "O", "O", "S", "P", "C", None, "o"])

questions = st.builds(
    OrdersQuery,
    customer=st.none()
    | st.sampled_from([*CUSTOMERS, *NAMES[:3], "C12", "88", "alder", "łÓD", "a", "%", "'", "*"]).flatmap(
        respelled
    ),
    order=st.none() | st.sampled_from([*ORDERS, "CO12", "co13", "PO-1", "PO*", "9"]).flatmap(respelled),
    item=st.none() | st.sampled_from([*ITEMS, "none", "FB*", "_"]).flatmap(respelled),
    days_out=st.none() | st.sampled_from([0, 1, 7, 30, 365]),
    late_only=st.sampled_from([False, False, True]),
)


def books(kinds: Kinds, *, spelled: bool) -> st.SearchStrategy[dict[str, list[Row]]]:
    """Return the five collections, with what the lines join of their headers and items."""
    dirty = kinds is DIRTY
    dates = st.none() | DATES | (kinds.moment if dirty else st.nothing())
    amounts = st.none() | MONEY | (kinds.quantity if dirty else st.nothing())
    address = {
        "CustNum": among(*CUSTOMERS, spelled=spelled),
        "CustSeq": st.sampled_from(["0", "0", "1"]),
        "Name": st.none() | st.sampled_from(NAMES),
        "City": kinds.text,
        "State": st.sampled_from([None, "OH", "qc "]),
    }
    tables = {
        "SLCos": table(
            ("CoNum",),
            CoNum=among(*ORDERS, spelled=False),
            Type=st.sampled_from(["R", "R", "B", "E", None] if dirty else ["R", "B", "E"]),
            Stat=STATS,
            CustNum=among(*CUSTOMERS, "gone", spelled=spelled) | st.none(),
            CustSeq=st.sampled_from(["0", "1", "2", None]),
            CustPo=st.sampled_from([None, "PO-1", "po-1 ", "888", "O'NEIL", " "]),
            OrderDate=dates,
            Whse=st.sampled_from([None, "MAIN", "w2"]),
            Price=amounts,
            CreditHold=kinds.flag,
            ShipToName=kinds.text,
            ShipToCity=kinds.text,
            ShipToState=kinds.text,
        ),
        "SLCoitems": table(
            ("CoNum", "CoLine", "CoRelease"),
            CoNum=among(*ORDERS, spelled=spelled),
            CoLine=st.sampled_from(["1", "2", "10"]),
            CoRelease=st.sampled_from(["0", "0", "1", "10"]),
            Item=among(*ITEMS, "gone", spelled=spelled) | st.none(),
            Description=kinds.text,
            Stat=STATS,
            QtyOrdered=st.just("10.00000000") | kinds.quantity,
            QtyShipped=st.sampled_from(["0.00000000", "4.00000000", "10.00000000", None]) | kinds.quantity,
            Price=amounts,
            Disc=st.none() | DISCOUNTS,
            UM=st.sampled_from([None, "BX"]),
            DueDate=dates,
            PromiseDate=dates,
            Whse=st.sampled_from([None, "EAST", " "]),
            IteWhsQtyOnHand=kinds.quantity,
        ),
        "SLCustomers": table(
            ("CustNum", "CustSeq"),
            **address,
            CurrCode=st.sampled_from(["USD", "USD", "CAD", None]),
            CreditHold=kinds.flag,
        ),
        "SLCustAddrs": table(("CustNum", "CustSeq"), **address),
        "SLItems": table(
            ("Item",),
            Item=among(*ITEMS, spelled=spelled),
            Description=kinds.text,
            UM=st.sampled_from(["EA", None]),
        ),
    }
    return st.fixed_dictionaries(tables).map(aligned).map(joined)


def aligned(tables: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """Return the tables with most lines in orders that exist."""
    orders = [row["CoNum"] for row in tables["SLCos"]]
    lines = tables["SLCoitems"]
    for number, row in enumerate(lines):
        if number % 5 != 4:
            row["CoNum"] = orders[number // 3 % len(orders)]
    unique = {(folded(row["CoNum"]), row["CoLine"], row["CoRelease"]): row for row in lines}
    return tables | {"SLCoitems": list(unique.values())}


def joined(tables: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """Return the tables with what the ERP shows of the rows that each of them joins."""
    headers = {folded(row["CoNum"]): row for row in tables["SLCos"]}
    items = {folded(row["Item"]): row for row in tables["SLItems"]}
    customers = {folded(row["CustNum"]): row for row in tables["SLCustomers"] if row["CustSeq"] == "0"}
    for row in tables["SLCos"]:
        customer = customers.get(folded(row["CustNum"]), {})
        row["BillToName"] = row["CadrName"] = customer.get("Name")
        row["BillToCity"], row["BillToState"] = customer.get("City"), customer.get("State")
        row["AdrName"] = row["ShipToName"]
    for row in tables["SLCoitems"]:
        header, item = headers.get(folded(row["CoNum"]), {}), items.get(folded(row["Item"]), {})
        names = ("CustNum", "CustSeq", "Type", "Stat", "OrderDate", "CustPo", "CreditHold", "Whse", "Price")
        row |= {f"Co{name}": header.get(name) for name in names}
        row |= {"CustPo": header.get("CustPo"), "Adr0Name": header.get("BillToName")}
        row |= {f"It{name}": item.get(name) for name in ("Description", "UM")}
    return tables


@pytest.fixture(scope="module")
def staging() -> Iterator[StagingDatabase]:
    with StagingDatabase() as database:
        yield database


async def answered(
    source: PageSource, staging: StagingDatabase, query: OrdersQuery, moment: Moment, page_size: int = 0
) -> ConnectorResult:
    answering = Answering(source, staging, moment, page_size)
    return await answering.answer(SalesOrderTracker(), query)  # type: ignore[arg-type]  # its own query


def check_result(result: ConnectorResult, promised: Expected, query: OrdersQuery) -> None:
    check_records(result.records.to_pylist(), result.summary, promised, query)
    assert {notice.code for notice in result.notices} & CALLED_FOR == promised.codes


@LIMITS
@given(
    tables=books(DIRTY, spelled=True),
    query=questions,
    zone=st.sampled_from(ZONES),
    denied=st.frozensets(st.sampled_from(OPTIONAL)) | st.just(frozenset()),
)
async def test_rows_of_any_content_give_the_promised_orders(
    staging: StagingDatabase, tables: dict[str, list[Row]], query: OrdersQuery, zone: str, denied: frozenset[str]
) -> None:
    moment = Moment(NOW, ZoneInfo(zone))
    result = await answered(WholeCollections(tables, denied), staging, query, moment)
    check_result(result, expected(query, Truth(tables, NOW, moment.zone, denied)), query)


@LIMITS
@given(tables=books(CLEAN, spelled=False) | books(CLEAN, spelled=True), query=questions, page_size=SIZES)
async def test_filters_that_are_pushed_lose_nothing_that_the_question_wants(
    staging: StagingDatabase, tables: dict[str, list[Row]], query: OrdersQuery, page_size: int
) -> None:
    plant = plant_of(tables)
    async with tenant_of(plant) as client:
        result = await answered(client, staging, query, CHICAGO, page_size)
    rows = {name: plant.rows(name) for name in tables}
    check_result(result, expected(query, Truth(rows, NOW, CHICAGO.zone)), query)


@pytest.mark.parametrize(
    ("ordered", "price"),
    [
        ("99999999999.99999999", "9999.99999999"),
        ("999.99999999", "-999999999999.99999999"),
        ("0.00000001", "999999999999.99999999"),
        ("99999999999.99999999", "0.00000001"),
    ],
)
@pytest.mark.parametrize("discount", ["0.00000001", "999.99999999", "-999.99999999"])
async def test_the_largest_numbers_that_the_erp_can_store_do_not_break_the_join(
    staging: StagingDatabase, ordered: str, price: str, discount: str
) -> None:
    line: Row = {"QtyOrdered": ordered, "QtyShipped": "0.00000000", "Price": price, "Disc": discount}
    tables = one_order(line)
    result = await answered(WholeCollections(tables), staging, OrdersQuery(), CHICAGO)
    check_result(result, expected(OrdersQuery(), Truth(tables, NOW, CHICAGO.zone)), OrdersQuery())


def one_order(line: Row) -> dict[str, list[Row]]:
    key: Row = {"CoNum": "CO00000012"}
    return {
        "SLCos": [{**key, "Type": "R", "Stat": "O", "CustNum": "C000012", "CustSeq": "0"}],
        "SLCoitems": [{**key, "CoLine": "1", "CoRelease": "0", "Stat": "O", **line}],
        "SLCustomers": [],
        "SLCustAddrs": [],
        "SLItems": [],
    }


async def test_cells_that_cannot_be_read_are_null_and_counted(staging: StagingDatabase) -> None:
    tables = one_order({"QtyOrdered": "5", "Price": "1,5", "DueDate": "soon"})
    result = await answered(WholeCollections(tables), staging, OrdersQuery(), CHICAGO)
    check_result(result, expected(OrdersQuery(), Truth(tables, NOW, CHICAGO.zone)), OrdersQuery())
    said = {notice.message.split(" ", 3)[-1] for notice in result.notices if notice.code == "bad_values"}
    assert said == {
        "SLCoitems.Price cannot be read and count as null.",
        "SLCoitems.DueDate cannot be read and count as null.",
    }
