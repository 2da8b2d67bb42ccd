"""Whatever the collections hold, the customers found are those found row by row."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_erp.connectors import ConnectorResult, CustomerQuery, CustomerSearch, Moment
from kai_erp.core.staging import StagingDatabase
from kai_erp.core.walking import PageSource
from tests.oracles.answers import Expected
from tests.test_connectors.asking_customers import NOTHING, expected
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
from tests.test_connectors.tables import CLEAN, DIRTY, NOW, Kinds, Row, folded, respelled

MOMENT = Moment(NOW, ZoneInfo("America/Chicago"))
CUSTOMERS = ("C000012", "C000013", "    888", "   8880", "Ü'%_[", "12/A")
NAMES = ("Alder Truck", "alder truck ", "O'Malley 888", "100% [Demo]_1", "Łódź  Sp. z o.o. ", "  ", '"C12" QC')
CITIES = ("Saint-Jérôme", "OH City", "Akron", "Coeur d'Alene", "50%", " ")
TYPED = ("C12", "88", "12", "C0000", "alder", "łÓD", "JÉR", "é", "a", "O", "oh", "qc", *"%_['*\"", "''", "  e")

questions = st.builds(
    CustomerQuery,
    query=st.sampled_from([*CUSTOMERS, *NAMES[:5], *CITIES[:5], *TYPED]).flatmap(respelled),
    active_only=st.booleans(),
)


def customers(kinds: Kinds, *, spelled: bool) -> st.SearchStrategy[dict[str, list[Row]]]:
    """Return both collections; a customer's own row shows the address of its sequence."""
    codes = st.sampled_from([None, "N30", " "])
    key = {"CustNum": among(*CUSTOMERS, spelled=spelled), "CustSeq": st.sampled_from(["0", "0", "0", "1", "10"])}
    address = {
        "Name": st.none() | st.sampled_from(NAMES) | kinds.text,
        "Addr_1": kinds.text,
        "Addr_2": st.none() | st.just("Dock 2"),
        "City": st.none() | st.sampled_from(CITIES),
        "State": st.sampled_from([None, "OH", "qc ", "Q", " "]),
        "Zip": st.none() | st.just("44301"),
        "Country": kinds.text,
        "CurrCode": codes,
        "CreditHold": kinds.flag,
        "CreditLimit": kinds.quantity,
    }
    own = {
        "Contact_1": kinds.text,
        "Phone_1": st.sampled_from([None, "555-0101 "]),
        "CustomerEmailAddr": st.sampled_from([None, "orders@example.com"]),
        "TermsCode": codes,
        "CustType": codes,
        "ShowInDropDownList": kinds.flag,
    }
    tables = {
        "SLCustomers": table(("CustNum", "CustSeq"), **key, **address, **own),
        "SLCustAddrs": table(("CustNum", "CustSeq"), **key, **address),
    }
    return st.fixed_dictionaries(tables).map(joined)


def joined(tables: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """Return the tables with what the customers join of the addresses that exist."""
    addresses = {(folded(row["CustNum"]), row["CustSeq"]): row for row in tables["SLCustAddrs"]}
    for row in tables["SLCustomers"]:
        address = addresses.get((folded(row["CustNum"]), row["CustSeq"]), {})
        row |= {name: cell for name, cell in address.items() if name not in {"CustNum", "CustSeq"}}
    return tables


@pytest.fixture(scope="module")
def staging() -> Iterator[StagingDatabase]:
    with StagingDatabase() as database:
        yield database


async def answered(
    source: PageSource, staging: StagingDatabase, query: CustomerQuery, page_size: int = 0
) -> ConnectorResult:
    answering = Answering(source, staging, MOMENT, page_size)
    return await answering.answer(CustomerSearch(), query)  # type: ignore[arg-type]  # its own query


def check_result(result: ConnectorResult, promised: Expected, query: CustomerQuery) -> None:
    check_records(result.records.to_pylist(), result.summary, promised, query)
    assert {notice.code for notice in result.notices} & CALLED_FOR == promised.codes


@LIMITS
@given(
    tables=customers(DIRTY, spelled=True),
    query=questions,
    denied=st.sampled_from([NOTHING, NOTHING, frozenset({"SLCustAddrs"})]),
)
async def test_rows_of_any_content_give_the_promised_customers(
    staging: StagingDatabase, tables: dict[str, list[Row]], query: CustomerQuery, denied: frozenset[str]
) -> None:
    result = await answered(WholeCollections(tables, denied), staging, query)
    check_result(result, expected(query, tables, denied), query)


@LIMITS
@given(tables=customers(CLEAN, spelled=False) | customers(CLEAN, spelled=True), query=questions, page_size=SIZES)
async def test_filters_that_are_pushed_lose_nothing_that_the_question_wants(
    staging: StagingDatabase, tables: dict[str, list[Row]], query: CustomerQuery, page_size: int
) -> None:
    plant = plant_of(tables)
    async with tenant_of(plant) as client:
        result = await answered(client, staging, query, page_size)
    check_result(result, expected(query, {name: plant.rows(name) for name in tables}), query)


async def test_customers_and_addresses_that_spell_a_number_otherwise_belong_together(
    staging: StagingDatabase,
) -> None:
    rows: dict[str, list[Row]] = {
        "SLCustomers": [{"CustNum": "C000012", "CustSeq": "0", "Name": "Alder"}],
        "SLCustAddrs": [
            {"CustNum": "c000012 ", "CustSeq": "2", "Name": "Yard"},
            {"CustNum": "C000012", "CustSeq": "0", "Name": "Office"},
        ],
    }
    query = CustomerQuery(query="alder")
    check_result(await answered(WholeCollections(rows), staging, query), expected(query, rows), query)
