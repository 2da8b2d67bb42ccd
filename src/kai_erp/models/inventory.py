"""The record of the inventory status: an item with its stock in every warehouse."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from kai_erp.models.numbers import Money, Quantity


class StockLocation(BaseModel):
    """Stock of an item at one location of a warehouse."""

    model_config = ConfigDict(frozen=True)

    location: str | None = Field(description="Location within the warehouse.")
    qty_on_hand: Quantity = Field(description="Quantity there.")
    qty_reserved: Quantity = Field(description="Part of it that is reserved.")
    under_review: bool = Field(description="Held for material review: not to be used.")


class WarehouseStock(BaseModel):
    """Stock of an item in one warehouse."""

    model_config = ConfigDict(frozen=True)

    warehouse: str | None = Field(description="Warehouse.")
    qty_on_hand: Quantity = Field(description="Quantity on hand.")
    qty_allocated: Quantity = Field(description="Demand of customer and transfer orders.")
    qty_available: Quantity = Field(description="On hand less allocated; negative when short.")
    qty_on_order: Quantity = Field(description="On purchase order.")
    qty_wip: Quantity = Field(description="On open jobs.")
    qty_in_transit: Quantity = Field(description="In transit to the warehouse.")
    safety_stock: Quantity = Field(description="Safety stock of the warehouse.")
    locations: list[StockLocation] | None = Field(description="Where in the warehouse it lies; null when unknown.")


class InventoryItem(BaseModel):
    """An item, its stock in all warehouses that count, and whether it runs low."""

    model_config = ConfigDict(frozen=True)

    item: str = Field(description="Item.")
    description: str | None = Field(description="Description.")
    product_code: str | None = Field(description="Product code.")
    um: str | None = Field(description="Stocking unit, in which all quantities are.")
    status: str | None = Field(description="A active, S slow-moving, O obsolete.")
    total_on_hand: Quantity | None = Field(description="Quantity on hand; null for an item without stock rows.")
    total_allocated: Quantity | None = Field(description="Demand of orders, transfers and released jobs.")
    total_available: Quantity | None = Field(description="On hand less allocated; negative when short.")
    total_on_order: Quantity | None = Field(description="On purchase order.")
    total_wip: Quantity | None = Field(description="On open jobs.")
    total_in_transit: Quantity | None = Field(description="In transit between warehouses.")
    safety_stock: Quantity | None = Field(description="Safety stock of the warehouses that count.")
    reorder_point: Quantity | None = Field(description="Reorder point, for items that are planned by one.")
    is_low_stock: bool = Field(description="Available at or below the reorder point, or below the safety stock.")
    is_out_of_stock: bool = Field(description="Nothing on hand.")
    unit_cost: Money | None = Field(description="Cost of one unit.")
    total_value: Money | None = Field(description="Quantity on hand at that cost.")
    warehouse_stock: list[WarehouseStock] = Field(description="The stock, warehouse by warehouse.")


class InventorySummary(BaseModel):
    """Counts and sums over the whole answer, never over the page."""

    model_config = ConfigDict(frozen=True)

    total: int = Field(description="Items.")
    low_stock: int
    out_of_stock: int
    total_value: Money = Field(description="Value of the stock on hand, of items whose cost is known.")
