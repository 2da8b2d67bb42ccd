"""Open orders: what customers have ordered that is still to be shipped, when it is due, and whether it is there.

SLCos, SLCoitems and SLCustomers are required. SLItems gives descriptions and stocking units; without it the line's
own count. SLCustAddrs gives the ship-to address; without it the properties that SLCos has joined count.

Without a filter orders and lines are read side by side. A filter that narrows the orders is read first there, one
that narrows the lines first among them, and the other follows by key: the tables hold every order there ever was.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from kai_erp.connectors.base import BaseConnector, Moment, Words
from kai_erp.connectors.declaring import CUSTOMER_WIDTHS, ORDER_WIDTHS, has_text, key_is, keys, properties
from kai_erp.connectors.orders_sql import (
    ORDERS_COLUMNS,
    ORDERS_RECORDS,
    ORDERS_SQL,
    ORDERS_VOLUME,
    orders_lake_sql,
)
from kai_erp.connectors.parameters import ConnectorQuery, FilterText
from kai_erp.core.expressions import (
    AllOf,
    AnyKey,
    AnyOf,
    Comparison,
    Expression,
    Nothing,
    NullTest,
    Operator,
    all_of,
    any_of,
    equals,
)
from kai_erp.core.keys import expand_key, fold_key
from kai_erp.core.lake_sql import LakeTables, render
from kai_erp.core.types import (
    IDOSpec,
    KeySource,
    LakeQuerySpec,
    Notice,
    PropertyType,
    RestQuerySpec,
    SqlValue,
)
from kai_erp.models.orders import OrdersSummary, SalesOrder

_NAME_WIDTH, _ITEM_WIDTH, _PO_WIDTH = 60, 30, 25
_NO_DATE_FROM = datetime(2049, 1, 1)  # noqa: DTZ001  # the ERP's wall clock has no zone
_LINE = ("CoNum", "CoLine", "CoRelease")


class OrdersQuery(ConnectorQuery):
    """Which orders and lines to show."""

    customer: FilterText | None = Field(
        None, description="Customer number, padded or short (C000012, C12, 888), or part of the name."
    )
    order: FilterText | None = Field(
        None, description="Order number, padded or short, or the customer's purchase order number, whole."
    )
    item: FilterText | None = Field(None, description="Only lines of this item.")
    days_out: int | None = Field(
        None, ge=0, le=365, description="Only lines due within so many days; past-due ones too, undated ones not."
    )
    late_only: bool = Field(default=False, description="Only lines due before today.")


_ORDERS = (
    *keys("CoNum"),
    *properties(PropertyType.TEXT, "Type", "Stat", required=True),
    *keys("CustNum"),
    *properties(PropertyType.INTEGER, "CustSeq"),
    *keys("CustPo", required=False),
    *properties(PropertyType.DATETIME, "OrderDate"),
    *properties(PropertyType.TEXT, "Whse", "ShipToName", "ShipToCity", "ShipToState"),
    *properties(PropertyType.DECIMAL, "Price"),
    *properties(PropertyType.FLAG, "CreditHold"),
)
_LINES = (
    *keys("CoNum"),
    *properties(PropertyType.INTEGER, "CoLine", "CoRelease", required=True),
    *properties(PropertyType.TEXT, "Stat", required=True),
    *keys("Item"),
    *properties(PropertyType.DECIMAL, "QtyOrdered", "QtyShipped", required=True),
    *properties(PropertyType.DECIMAL, "Price", "Disc", "IteWhsQtyOnHand"),
    *properties(PropertyType.DATETIME, "DueDate", "PromiseDate"),
    *properties(PropertyType.TEXT, "Description", "UM", "Whse"),
)
_CUSTOMERS = (
    *keys("CustNum"),
    *properties(PropertyType.INTEGER, "CustSeq", required=True),
    *keys("Name"),
    *properties(PropertyType.TEXT, "CurrCode"),
    *properties(PropertyType.FLAG, "CreditHold"),
)
_ADDRESSES = (
    *keys("CustNum"),
    *properties(PropertyType.INTEGER, "CustSeq", required=True),
    *properties(PropertyType.TEXT, "Name", "City", "State"),
)


def _no_estimate(name: str) -> Expression:
    return AnyOf((Comparison(name, Operator.NE, "E"), NullTest(name)))


_OPEN_ORDER = all_of(AnyKey("Stat", ("O", "S")), _no_estimate("Type"))
_OPEN_LINE = all_of(equals("Stat", "O"), AnyKey("CoStat", ("O", "S")), _no_estimate("CoType"))


class SalesOrderTracker(BaseConnector[OrdersQuery]):
    """Open orders."""

    name = "open_orders"
    title = "Open orders"
    description = (
        "Customer orders with lines still to be shipped: what is late or due soon, for whom, worth how much, and "
        "the stock of each item. By customer, order, item or due date. Not for orders that are shipped or quoted."
    )
    path = "/sales/orders"
    tool = "get_open_orders"
    verb = "orders"
    scope = "orders:read"
    query = OrdersQuery
    record = SalesOrder
    summary = OrdersSummary
    example = OrdersQuery(customer="Alder")
    rows_of = "lines"
    table_fields = (
        "order_num",
        "customer_name",
        "customer_po",
        "due_date",
        "days_until_due",
        "status",
        "credit_hold",
        "open_amount",
        "currency",
        "lines.line",
        "lines.item",
        "lines.qty_remaining",
        "lines.due_date",
        "lines.qty_on_hand",
    )
    wide_fields = ("customer_name",)
    headings: ClassVar = {
        "order_num": "order",
        "customer_name": "customer",
        "customer_po": "po",
        "due_date": "due",
        "days_until_due": "days",
        "credit_hold": "hold",
        "open_amount": "open",
        "currency": "cur",
        "lines.line": "line",
        "lines.item": "item",
        "lines.qty_remaining": "left",
        "lines.due_date": "line due",
        "lines.qty_on_hand": "on hand",
    }
    vocabulary: ClassVar = {
        "customer": Words(("customer_num", "customer_name"), staged=(("SLCustomers", "Name"),)),
        "order": Words(("order_num", "customer_po")),
        "item": Words(("lines.item",)),
    }

    def get_rest_spec(self, query: OrdersQuery, moment: Moment) -> RestQuerySpec:
        """Return orders and lines, then customers, addresses and items for those that there are."""
        headed = query.customer is not None or query.order is not None
        broad = not headed and not _narrows_lines(query)
        orders, lines = _orders(query), _lines(query, moment)
        by_customer = KeySource("SLCos", "CustNum", "CustNum", CUSTOMER_WIDTHS)
        customers = IDOSpec(
            "SLCustomers",
            _CUSTOMERS,
            all_of(equals("CustSeq", 0), _customer_is(query.customer)),
            key=("CustNum", "CustSeq"),
            keys_from=() if query.customer else (by_customer,),
            eager=broad,
            reference=True,
        )
        addresses = IDOSpec(
            "SLCustAddrs",
            _ADDRESSES,
            key=("CustNum", "CustSeq"),
            required=False,
            keys_from=(by_customer,),
            eager=broad,
            reference=True,
            dated=True,
        )
        items = IDOSpec(
            "SLItems",
            (*keys("Item"), *properties(PropertyType.TEXT, "Description", "UM")),
            key=("Item",),
            required=False,
            keys_from=(KeySource("SLCoitems", "Item", "Item"),),
            eager=broad,
            reference=True,
            dated=True,
        )
        first = (customers, orders, lines) if query.customer else (orders, lines, customers)
        if not headed and not broad:
            first = (lines, orders, customers)
        return RestQuerySpec((*first, addresses, items), ORDERS_SQL, moment.zone, _parameters(query, moment))

    def get_lake_query(self, query: OrdersQuery, moment: Moment, lake: LakeTables) -> LakeQuerySpec:
        """Return the one query that joins the same tables in the lake."""
        columns = {"CustNum": "o.cust_num", "Name": "a.name", "CoNum": "o.co_num", "CustPo": "o.cust_po"}
        terms = (_customer_is(query.customer), _order_is(query.order), _item_is(query.item))
        given = [render(term, columns | {"Item": "l.item"}) for term in terms if term is not None]
        number = _number_is(query.customer) if query.customer else Nothing()
        return LakeQuerySpec(
            sql=orders_lake_sql(
                lake, "".join(f" AND ({text})" for text in given), render(number, {"CustNum": "n.cust_num"})
            ),
            columns=ORDERS_COLUMNS,
            tables=("co", "coitem", "itemwhse"),
            records=ORDERS_RECORDS,
            volume=ORDERS_VOLUME,
            parameters=_parameters(query, moment),
            zone=moment.zone,
        )

    def transform_result(self, table: pa.Table) -> pa.Table:
        """Return the rows in the fields of SalesOrder."""
        return table.select(list(SalesOrder.model_fields))

    def summarize(self, table: pa.Table) -> dict[str, Any]:
        """Return the counts of OrdersSummary over all orders."""
        late = pc.struct_field(pc.list_flatten(table["lines"]), "is_late")
        return {
            "total": table.num_rows,
            "lines": len(late),
            "late_orders": pc.sum(table["is_late"]).as_py() or 0,
            "late_lines": pc.sum(late).as_py() or 0,
            "open_amount": None if _mixed(table) else pc.sum(table["open_amount"]).as_py() or 0,
        }

    def remarks(self, query: OrdersQuery, table: pa.Table) -> list[Notice]:  # noqa: ARG002  # of the answer alone
        """Say so when amounts of several currencies stand side by side."""
        if not _mixed(table):
            return []
        told = "currency" not in self.hidden
        currencies = ", ".join(sorted(_currencies(table))) if told else "several currencies"
        return [Notice("mixed_currencies", f"Orders are in {currencies}: their amounts are not added up.")]


def _currencies(table: pa.Table) -> set[str]:
    return {currency.upper() for currency in pc.unique(table["currency"]).drop_null().to_pylist()}


def _mixed(table: pa.Table) -> bool:
    return len(_currencies(table)) > 1


def _narrows_lines(query: OrdersQuery) -> bool:
    return query.item is not None or query.days_out is not None or query.late_only


def _orders(query: OrdersQuery) -> IDOSpec:
    """Return the read of headers: of the customers asked for, of the lines asked for, or of all open orders."""
    sources: tuple[KeySource, ...] = ()
    if query.customer:
        sources = (KeySource("SLCustomers", "CustNum", "CustNum", CUSTOMER_WIDTHS),)
    elif not query.order and _narrows_lines(query):
        sources = (KeySource("SLCoitems", "CoNum", "CoNum"),)
    return IDOSpec(
        "SLCos",
        _ORDERS,
        all_of(_OPEN_ORDER, _order_is(query.order)),
        key=("CoNum",),
        keys_from=sources,
        maybe_whole=True,
    )


def _lines(query: OrdersQuery, moment: Moment) -> IDOSpec:
    headed = query.customer is not None or query.order is not None
    return IDOSpec(
        "SLCoitems",
        _LINES,
        all_of(_OPEN_LINE, _item_is(query.item), _due(query, moment)),
        key=_LINE,
        driving=True,
        keys_from=(KeySource("SLCos", "CoNum", "CoNum"),) if headed else (),
        maybe_whole=True,
    )


def _customer_is(text: str | None) -> Expression | None:
    return None if text is None else any_of(_number_is(text), has_text("Name", text, _NAME_WIDTH))


def _number_is(text: str) -> Expression:
    return key_is("CustNum", text, CUSTOMER_WIDTHS)


def _order_is(text: str | None) -> Expression | None:
    if text is None:
        return None
    return any_of(key_is("CoNum", text, ORDER_WIDTHS), has_text("CustPo", text, _PO_WIDTH))


def _item_is(text: str | None) -> Expression | None:
    if text is None:
        return None
    return AnyKey("Item", (text,)) if len(text) <= _ITEM_WIDTH else Nothing()


def _today(moment: Moment) -> date:
    return moment.now.astimezone(moment.zone).date()


def _due_before(query: OrdersQuery, moment: Moment) -> date | None:
    return None if query.days_out is None else _today(moment) + timedelta(days=query.days_out + 1)


def _due(query: OrdersQuery, moment: Moment) -> Expression | None:
    """Return the test that a line is due in time; one without a due date is due when it was promised."""
    ends = [end for end in (_due_before(query, moment), _today(moment) if query.late_only else None) if end]
    if not ends:
        return None
    end = datetime.combine(min(ends), time())
    undated = AnyOf((NullTest("DueDate"), Comparison("DueDate", Operator.GE, _NO_DATE_FROM)))
    promised = AllOf((undated, Comparison("PromiseDate", Operator.LT, end)))
    return AnyOf((Comparison("DueDate", Operator.LT, end), promised))


def _parameters(query: OrdersQuery, moment: Moment) -> dict[str, SqlValue]:
    customer, order = query.customer or "", query.order or ""
    return {
        "customer": fold_key(customer) or None,
        "customer_nums": tuple(map(fold_key, expand_key(customer, CUSTOMER_WIDTHS))) if customer else (),
        "order_po": fold_key(order) or None,
        "order_nums": tuple(map(fold_key, expand_key(order, ORDER_WIDTHS))) if order else (),
        "item": fold_key(query.item) if query.item else None,
        "due_before": _due_before(query, moment),
        "late_only": query.late_only,
        "today": _today(moment),
    }
