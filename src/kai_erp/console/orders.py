"""Orders: what is still to be shipped, late ones first, by due date or by customer."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from kai_erp.console.asking import listing
from kai_erp.console.tables import Order, ordered

router = APIRouter(include_in_schema=False)
ORDERS = "open_orders"
_VIEWS: Mapping[str, tuple[str, Order]] = {
    "": ("Due date, late first", ()),
    "customer": (
        "Customer",
        (("customer_name", "ascending"), ("customer_num", "ascending"), ("due_date", "ascending")),
    ),
    "amount": ("Open amount", (("open_amount", "descending"),)),
}
_FIELDS = ("customer", "order", "item", "days_out", "late_only", "view")


@router.get("/console/orders")
async def open_orders(request: Request) -> HTMLResponse:
    """Show the open orders."""
    return await listing(
        request, ORDERS, "orders.html", _FIELDS, lambda table: in_view(request, table), views=_VIEWS
    )


def in_view(request: Request, table: pa.Table) -> pa.Table:
    """Return orders in the order that the page shows them in."""
    return ordered(table, _VIEWS.get(request.query_params.get("view", ""), _VIEWS[""])[1])
