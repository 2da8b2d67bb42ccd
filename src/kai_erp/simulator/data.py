"""Build the plants that the simulator serves."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from kai_erp.simulator.blueprint import Blueprint
from kai_erp.simulator.calendar import Calendar
from kai_erp.simulator.centers import make_centers
from kai_erp.simulator.collection import Collection, SubCollection, Table
from kai_erp.simulator.customers import Customers, addresses_collection, customers_collection, make_customers
from kai_erp.simulator.items import Items, item_columns, make_items
from kai_erp.simulator.materials import Material, allocate, make_materials, materials_collection
from kai_erp.simulator.operation_times import schedules_collection
from kai_erp.simulator.order_views import LineJoins, OrderLines, lines_collection, order_lines, orders_collection
from kai_erp.simulator.orders import Order, demand, make_orders
from kai_erp.simulator.plant import Plant
from kai_erp.simulator.purchases import PurchaseLine, make_purchases, purchases_collection, supply
from kai_erp.simulator.scales import SCALES
from kai_erp.simulator.schedule import jobs_collection, routes_collection
from kai_erp.simulator.stock import Stock, item_sums, locations_collection, make_stock, stock_collection
from kai_erp.simulator.work_orders import WorkOrders, make_work_orders

__all__ = ["Plant", "build_plant"]


@dataclass(frozen=True, slots=True)
class _Records:
    """The records of a plant, before they are shown as collections."""

    items: Items
    stock: Stock
    work: WorkOrders
    customers: Customers
    orders: list[Order]
    materials: list[Material]
    purchases: list[PurchaseLine]


def build_plant(scale: str = "small", seed: int = 1, now: datetime | None = None) -> Plant:
    """Return a plant of that scale: equal arguments give equal plants.

    `now` is the naive wall clock of the ERP server, by default the current local time.
    """
    now = now or datetime.now()  # noqa: DTZ005 - the ERP's clock has no zone
    plan = Blueprint(SCALES[scale], seed, Calendar(now))
    records = _make_records(plan)
    _balance(records)
    return Plant({collection.name: collection for collection in _collections(plan, records)}, now, scale, seed)


def _make_records(plan: Blueprint) -> _Records:
    items = make_items(plan)
    work, customers = make_work_orders(plan, items), make_customers(plan)
    orders = make_orders(plan, items, customers, work.jobs)
    materials = make_materials(plan, work, items)
    return _Records(
        items, make_stock(plan, items), work, customers, orders, materials, make_purchases(plan, items)
    )


def _balance(records: _Records) -> None:
    """Bring the sums on stock and items in line with the documents they sum."""
    for job in records.work.jobs:
        if job.open:
            records.stock.add(records.stock.wip, job.item_row, job.whse, job.remaining)
    demand(records.orders, records.stock)
    supply(records.purchases, records.stock)
    allocate(records.materials, records.items)


def _collections(plan: Blueprint, records: _Records) -> Iterator[Collection]:
    items, centers = _item_master(plan, records), make_centers(plan)
    jobs = jobs_collection(plan, records.work, items)
    routes = routes_collection(plan, records.work, (jobs, items, centers))
    yield from (items, centers, jobs, routes)
    yield schedules_collection(plan, records.work, routes)
    yield materials_collection(plan, records.materials, records.work, items)
    stock = stock_collection(plan, records.items, records.stock, items)
    yield from (stock, locations_collection(plan, records.stock, stock, items))
    addresses = addresses_collection(plan, records.customers)
    orders = orders_collection(plan, records.orders, records.customers, addresses)
    lines = OrderLines(order_lines(records.orders), records.orders, records.customers)
    yield from (orders, lines_collection(plan, lines, LineJoins(orders, addresses, items, stock), records.stock))
    yield from (customers_collection(plan, records.customers, addresses), addresses)
    yield purchases_collection(plan, records.purchases, items)


def _item_master(plan: Blueprint, records: _Records) -> Collection:
    size = len(records.items.rows)
    columns = [*item_columns(plan, records.items), *item_sums(records.stock, size), *plan.audit("item", size)]
    children = (SubCollection("SLItemwhses", (("Item", "Item"),)),)
    return Collection("SLItems", Table("item", ("Item",), children), columns)
