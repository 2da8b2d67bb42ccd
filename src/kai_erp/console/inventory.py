"""Inventory: items with their stock, those that are out or run low first."""

from __future__ import annotations

import pyarrow as pa
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from kai_erp.console.asking import listing, seen
from kai_erp.console.tables import ordered

router = APIRouter(include_in_schema=False)
INVENTORY = "inventory_status"
_FIELDS = ("item", "query", "warehouse", "low_stock_only")
_SHORT_FIRST = (("is_out_of_stock", "descending"), ("is_low_stock", "descending"), ("item", "ascending"))


@router.get("/console/inventory")
async def inventory(request: Request) -> HTMLResponse:
    """Show items and their stock."""
    warehouses = seen(request, INVENTORY, "warehouse")
    return await listing(request, INVENTORY, "inventory.html", _FIELDS, short_first, warehouses=warehouses)


def short_first(table: pa.Table) -> pa.Table:
    """Return items in the order that the page shows them in: what is missing first."""
    return ordered(table, _SHORT_FIRST)
