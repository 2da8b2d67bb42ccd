"""How these tests ask for stock and what the answers are compared with."""

from kai_erp.app import LARGEST_LIMIT, Answer, App, Asked
from kai_erp.connectors import InventoryQuery
from kai_erp.models import InventoryItem
from tests.oracles.answers import Collections, Expected
from tests.oracles.inventory_status import expected_inventory
from tests.test_connectors.comparing import check_whole

PROPERTIES = {
    "SLItems": (
        *("Item", "Description", "ProductCode", "UM", "Stat"),
        *("UseReorderPoint", "ReorderPoint", "QtyAllocjob", "UnitCost"),
    ),
    "SLItemwhses": (
        *("Item", "Whse", "QtyOnHand", "QtyAllocCo", "AllocTrn", "QtyOrdered", "QtyReorder", "QtyWip", "QtyTrans"),
        "QtyAllocjob",
    ),
    "SLItemLocs": ("Item", "Whse", "Loc", "QtyOnHand", "QtyRsvd", "MrbFlag"),
}
COLLECTIONS = tuple(PROPERTIES)
NOTHING: frozenset[str] = frozenset()


async def ask_inventory(app: App, query: InventoryQuery | None = None, limit: int = LARGEST_LIMIT) -> Answer:
    return await app.ask(Asked("inventory_status", query or InventoryQuery(), limit=limit))


async def check_inventory(
    app: App, query: InventoryQuery, rows: Collections, missing: frozenset[str] = NOTHING
) -> Answer:
    """Ask, and return the answer when it is what the contract promises for the ERP's rows."""
    answer = await ask_inventory(app, query)
    check_whole(answer, expected(query, rows, missing), InventoryItem, query)
    return answer


def expected(query: InventoryQuery, rows: Collections, missing: frozenset[str] = NOTHING) -> Expected:
    return expected_inventory(rows, missing=missing, **query.model_dump())
