"""The inventory status: what is there, what is spoken for, what is coming, and what runs low.

SLItems and SLItemwhses are required; SLItemLocs says where in a warehouse the stock lies.

A filter on items goes to every collection that can take it. With a warehouse alone its rows are read, then what
else there is for the same items: whether an item has other warehouses decides what its job allocation counts for.
Low stock is looked for among items that have a threshold at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from kai_erp.connectors.base import BaseConnector, Moment, Words
from kai_erp.connectors.declaring import code_is, has_text, keys, properties
from kai_erp.connectors.inventory_sql import (
    INVENTORY_COLUMNS,
    INVENTORY_RECORDS,
    INVENTORY_SQL,
    INVENTORY_VOLUME,
    inventory_lake_sql,
)
from kai_erp.connectors.parameters import ConnectorQuery, FilterText
from kai_erp.core.expressions import (
    AnyKey,
    Comparison,
    Expression,
    Like,
    Nothing,
    Operator,
    all_of,
    equals,
)
from kai_erp.core.keys import fold_key
from kai_erp.core.lake_sql import LakeTables, render
from kai_erp.core.types import (
    IDOSpec,
    KeySource,
    LakeQuerySpec,
    Notice,
    Property,
    PropertyType,
    RestQuerySpec,
    SqlValue,
)
from kai_erp.models.inventory import InventoryItem, InventorySummary

_ITEM_WIDTH, _TEXT_WIDTH, _WHSE_WIDTH = 30, 60, 4
_STOCK, _PLACE = ("Item", "Whse"), ("Item", "Whse", "Loc")
_BY_ITEM = (KeySource("SLItems", "Item", "Item"),)
_BY_STOCK = (KeySource("SLItemwhses", "Item", "Item"),)
_BY_THRESHOLD = tuple(KeySource(table, "Item", "Item") for table in ("Thresholds", "ReorderItems"))


class InventoryQuery(ConnectorQuery):
    """Which items to show."""

    item: FilterText | None = Field(None, description="Item, whole, or with * for any characters: FB-10*.")
    query: FilterText | None = Field(None, description="Part of the description.")
    warehouse: FilterText | None = Field(None, description="Count only this warehouse, e.g. MAIN.")
    low_stock_only: bool = Field(default=False, description="Only items that run low.")


_ITEMS = (
    *keys("Item"),
    *keys("Description", required=False),
    *properties(PropertyType.TEXT, "ProductCode", "UM", "Stat"),
    *properties(PropertyType.DECIMAL, "QtyAllocjob", "ReorderPoint", "UnitCost"),
    *properties(PropertyType.FLAG, "UseReorderPoint"),
)
_STOCKS = (
    *keys("Item", "Whse"),
    *properties(PropertyType.DECIMAL, "QtyOnHand", required=True),
    *properties(PropertyType.DECIMAL, "QtyAllocCo", "AllocTrn", "QtyOrdered", "QtyWip", "QtyTrans", "QtyReorder"),
)
_LOCATIONS = (
    *keys("Item", "Whse", "Loc"),
    *properties(PropertyType.DECIMAL, "QtyOnHand", "QtyRsvd"),
    *properties(PropertyType.FLAG, "MrbFlag"),
)


class InventoryStatus(BaseConnector[InventoryQuery]):
    """The inventory status."""

    name = "inventory_status"
    title = "Inventory"
    description = (
        "Stock of items: on hand, allocated, available, on order, in work, by warehouse and location, with low "
        "and out-of-stock flags and value. By item, description or warehouse. Not for jobs or customer orders."
    )
    path = "/inventory/status"
    tool = "get_inventory_status"
    verb = "inventory"
    scope = "inventory:read"
    query = InventoryQuery
    record = InventoryItem
    summary = InventorySummary
    example = InventoryQuery(item="FB-*")
    rows_of = "warehouse_stock"
    table_fields = (
        "item",
        "description",
        "um",
        "status",
        "total_on_hand",
        "total_allocated",
        "total_available",
        "total_on_order",
        "total_wip",
        "safety_stock",
        "reorder_point",
        "is_low_stock",
        "is_out_of_stock",
        "total_value",
    )
    wide_fields = ("description",)
    headings: ClassVar = {
        "total_on_hand": "on hand",
        "total_allocated": "allocated",
        "total_available": "available",
        "total_on_order": "on order",
        "total_wip": "wip",
        "safety_stock": "safety",
        "reorder_point": "reorder",
        "is_low_stock": "low",
        "is_out_of_stock": "out",
        "total_value": "value",
    }
    vocabulary: ClassVar = {
        "item": Words(("item",)),
        "query": Words(("description",)),
        "warehouse": Words(("warehouse_stock.warehouse",)),
    }

    def get_rest_spec(self, query: InventoryQuery, moment: Moment) -> RestQuerySpec:
        """Return items, their stock and its locations, and the reads that say which are needed."""
        return RestQuerySpec(_Plan(query).collections(), INVENTORY_SQL, moment.zone, _parameters(query))

    def get_lake_query(self, query: InventoryQuery, moment: Moment, lake: LakeTables) -> LakeQuerySpec:
        """Return the one query that joins the same tables in the lake."""
        terms = (_item_is(query.item), _described(query.query), _warehouse_is(query.warehouse))
        columns = {"Item": "i.item", "Description": "i.description", "Whse": "w.whse"}
        conditions = [render(term, columns) for term in terms if term is not None]
        if query.low_stock_only:
            conditions.append("n.largest_safety > 0 OR i.reorder_point > 0")
        return LakeQuerySpec(
            sql=inventory_lake_sql(lake, "".join(f" AND ({text})" for text in conditions)),
            columns=INVENTORY_COLUMNS,
            tables=("itemwhse",),
            records=INVENTORY_RECORDS,
            volume=INVENTORY_VOLUME,
            parameters=_parameters(query),
            zone=moment.zone,
        )

    def transform_result(self, table: pa.Table) -> pa.Table:
        """Return the rows in the fields of InventoryItem."""
        return table.select(list(InventoryItem.model_fields))

    def summarize(self, table: pa.Table) -> dict[str, Any]:
        """Return the counts of InventorySummary over all items."""
        return {
            "total": table.num_rows,
            "low_stock": pc.sum(table["is_low_stock"]).as_py() or 0,
            "out_of_stock": pc.sum(table["is_out_of_stock"]).as_py() or 0,
            "total_value": pc.sum(table["total_value"]).as_py() or 0,
        }

    def remarks(self, query: InventoryQuery, table: pa.Table) -> list[Notice]:
        """Say so when demand of jobs is left out, since it belongs to no warehouse."""
        items = pc.sum(table["unplaced"]).as_py() or 0
        if not items:
            return []
        text = (
            f"Released jobs need {items:,} of these items, from no warehouse in particular: that demand is not in "
            f"what {query.warehouse} has allocated and available."
        )
        return [Notice("job_allocation_unplaced", text)]


@dataclass(frozen=True, slots=True)
class _Plan:
    """Which rows of which collection a question needs."""

    query: InventoryQuery

    def collections(self) -> tuple[IDOSpec, ...]:
        """Return the reads in an order in which each comes after those whose keys it needs."""
        items, stock = self._items(), self._stock()
        first = (stock, items) if items.keys_from == _BY_STOCK else (items, stock)
        return (*self._candidates(), *first, self._others(), self._locations())

    @property
    def _item(self) -> Expression | None:
        return _item_is(self.query.item)

    @property
    def _described(self) -> Expression | None:
        return _described(self.query.query)

    @property
    def _by_threshold(self) -> bool:
        """Whether items that have a threshold are found first: where no other filter says which are needed."""
        others = (self.query.warehouse, self.query.query)
        return (
            self.query.low_stock_only and others == (None, None) and not isinstance(self._item, AnyKey | Nothing)
        )

    @property
    def _here(self) -> Expression | None:
        """The warehouse, where rows of others need not be read: of one item, those of all are."""
        one = self._item is not None and not self._by_threshold
        return None if one else _warehouse_is(self.query.warehouse)

    @property
    def _sources(self) -> tuple[KeySource, ...]:
        """The reads that say which items are needed."""
        if self._by_threshold:
            return _BY_THRESHOLD
        return _BY_ITEM if self._described is not None else ()

    def _items(self) -> IDOSpec:
        sources = _BY_THRESHOLD if self._by_threshold else ()
        if not sources and self._here is not None and self._described is None:
            sources = _BY_STOCK
        return self._spec("SLItems", _ITEMS, all_of(self._item, self._described), ("Item",), sources)

    def _stock(self) -> IDOSpec:
        stock = self._spec("SLItemwhses", _STOCKS, all_of(self._item, self._here), _STOCK, self._sources)
        return replace(stock, driving=True)

    def _locations(self) -> IDOSpec:
        condition = all_of(self._item, _warehouse_is(self.query.warehouse))
        return replace(self._spec("SLItemLocs", _LOCATIONS, condition, _PLACE, self._sources), required=False)

    def _others(self) -> IDOSpec:
        """Return the read of the items' rows in other warehouses, when only those of one were read."""
        elsewhere = Comparison("Whse", Operator.NE, self.query.warehouse or "")
        condition = elsewhere if self._here is not None else Nothing()
        return replace(self._spec("SLItemwhses", keys(*_STOCK), condition, _STOCK, _BY_STOCK), table="Others")

    def _candidates(self) -> tuple[IDOSpec, IDOSpec]:
        """Return the reads of items that have a threshold: safety stock in a warehouse, or a reorder point."""
        safe = all_of(self._item, Comparison("QtyReorder", Operator.GT, 0))
        items = all_of(self._item, equals("UseReorderPoint", 1), Comparison("ReorderPoint", Operator.GT, 0))
        if not self._by_threshold:
            safe = items = Nothing()
        return (
            IDOSpec("SLItemwhses", keys(*_STOCK), safe, key=_STOCK, table="Thresholds", limited=True),
            IDOSpec("SLItems", keys("Item"), items, key=("Item",), table="ReorderItems"),
        )

    def _spec(
        self,
        name: str,
        properties: tuple[Property, ...],
        condition: Expression | None,
        key: tuple[str, ...],
        sources: tuple[KeySource, ...],
    ) -> IDOSpec:
        every = sources == _BY_THRESHOLD
        return IDOSpec(name, properties, condition, key, keys_from=sources, keys_of_all=every, maybe_whole=True)


def _item_is(text: str | None) -> Expression | None:
    """Return the test for an item; with `*`, for items that look so."""
    if text is None:
        return None
    if "*" in text:
        stored = text.rstrip("*") + "*"  # blanks may follow an item where it is stored
        return Like("Item", stored, wildcard=True) if len(text.replace("*", "")) <= _ITEM_WIDTH else Nothing()
    return AnyKey("Item", (text,)) if len(text) <= _ITEM_WIDTH else Nothing()


def _described(text: str | None) -> Expression | None:
    return None if text is None else has_text("Description", text, _TEXT_WIDTH)


def _warehouse_is(text: str | None) -> Expression | None:
    return None if text is None else code_is("Whse", text, _WHSE_WIDTH)


def _parameters(query: InventoryQuery) -> dict[str, SqlValue]:
    return {
        "item": _pattern(query.item) if query.item else None,
        "query": fold_key(query.query) if query.query else None,
        "warehouse": fold_key(query.warehouse) if query.warehouse else None,
        "low_stock_only": query.low_stock_only,
    }


def _pattern(item: str) -> str:
    """Return an item, with `*` for any characters, as a LIKE pattern whose escape is a backslash."""
    plain = fold_key(item).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return plain.replace("*", "%")
