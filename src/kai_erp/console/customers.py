"""Customers: a search, and for each customer who they are and what they wait for."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from kai_erp.api.security import caller_of
from kai_erp.app import Answer
from kai_erp.console.asking import Failed, ask, failed, listing, renewal
from kai_erp.console.orders import ORDERS
from kai_erp.console.pages import app_of, render
from kai_erp.console.tables import Row, rows_of

router = APIRouter(include_in_schema=False)
CUSTOMERS = "customer_search"
_FIELDS = ("query", "active_only")
_NOT_FOUND = 404


@router.get("/console/customers")
async def customers(request: Request) -> HTMLResponse:
    """Show the customers that a search finds."""
    if not request.query_params.get("query", "").strip():
        return render(request, "customers.html", part=None, problem=None, values=Row())
    return await listing(request, CUSTOMERS, "customers.html", _FIELDS, lambda table: table)


@router.get("/console/customers/{number:path}")
async def customer(request: Request, number: str) -> HTMLResponse:
    """Show one customer, with the orders that are open."""
    found = await ask(request, CUSTOMERS, {"query": number, "active_only": "false"})
    if isinstance(found, Failed):
        return failed(request, found)
    record = next((one for one in rows_of(found.records) if _same(one, number)), None)
    if record is None:
        return render(request, "missing.html", status=_NOT_FOUND)
    orders = await _orders(request, number)
    return render(
        request,
        "customer.html",
        customer=record,
        meta=found.meta,
        renew=renewal(request, found.meta),
        orders=rows_of(orders.records) if isinstance(orders, Answer) else None,
        orders_meta=orders.meta if isinstance(orders, Answer) else None,
        problem=orders.problem if isinstance(orders, Failed) else None,
    )


async def _orders(request: Request, number: str) -> Answer | Failed | None:
    """Return the customer's open orders; None to who may not see orders."""
    if not caller_of(request).may(app_of(request).connectors[ORDERS].scope):
        return None
    return await ask(request, ORDERS, {"customer": number})


def _same(record: Row, number: str) -> bool:
    return str(record["customer_num"]).casefold() == number.strip().casefold()
