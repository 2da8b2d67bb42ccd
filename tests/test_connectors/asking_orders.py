"""How these tests ask for open orders and what the answers are compared with."""

from kai_erp.app import LARGEST_LIMIT, Answer, App, Asked
from kai_erp.connectors import OrdersQuery
from kai_erp.models import SalesOrder
from kai_erp.simulator import Plant
from tests.conftest import RawRows
from tests.oracles.answers import Expected
from tests.oracles.open_orders import expected_orders
from tests.test_connectors.asking import Truth
from tests.test_connectors.comparing import check_whole
from tests.test_connectors.made_plants import raw_rows

ADDRESS = ("CustNum", "CustSeq", "Name", "City", "State")
PROPERTIES = {
    "SLCos": (
        *("CoNum", "Type", "Stat", "CustNum", "CustSeq", "CustPo", "OrderDate", "Whse", "Price", "CreditHold"),
        *("ShipToName", "ShipToCity", "ShipToState"),
    ),
    "SLCoitems": (
        *("CoNum", "CoLine", "CoRelease", "Item", "Description", "Stat", "UM", "Whse", "DueDate", "PromiseDate"),
        *("QtyOrdered", "QtyShipped", "Price", "Disc", "IteWhsQtyOnHand"),
    ),
    "SLCustomers": (*ADDRESS, "CurrCode", "CreditHold"),
    "SLItems": ("Item", "Description", "UM"),
    "SLCustAddrs": ADDRESS,
}
COLLECTIONS = tuple(PROPERTIES)
OPTIONAL = ("SLItems", "SLCustAddrs")


async def ask_orders(app: App, query: OrdersQuery | None = None, limit: int = LARGEST_LIMIT) -> Answer:
    return await app.ask(Asked("open_orders", query or OrdersQuery(), limit=limit))


async def check_orders(app: App, query: OrdersQuery, truth: Truth) -> Answer:
    """Ask, and return the answer when it is what the contract promises for the ERP's rows."""
    answer = await ask_orders(app, query)
    check_whole(answer, expected(query, truth), SalesOrder, query)
    return answer


def expected(query: OrdersQuery, truth: Truth) -> Expected:
    return expected_orders(truth.rows, now=truth.now, zone=truth.zone, missing=truth.missing, **query.model_dump())


def order_rows(plant: Plant) -> RawRows:
    """Return a plant's raw rows, without the lines of orders that are closed: most are history."""
    rows = raw_rows(plant, PROPERTIES)
    history = {row["CoNum"] for row in rows["SLCos"] if row["Stat"] in {"C", "H"}}
    rows["SLCoitems"] = [row for row in rows["SLCoitems"] if row["CoNum"] not in history]
    return rows
