"""The SQL of the inventory status: its facts from staged collections or from the lake, and records from facts.

A fact is an item with one of its warehouses and one location there; items without stock have one fact. Sums are
taken level by level, so that nothing counts twice.
"""

from __future__ import annotations

from kai_erp.connectors.declaring import properties
from kai_erp.core.lake_sql import LakeTables, folded, same_key
from kai_erp.core.types import PropertyType

_FACTS = """
stock AS (
    SELECT *, true AS stocked FROM SLItemwhses
), warehouses AS (
    SELECT Item_key, count(DISTINCT Whse_key) AS warehouses
    FROM (SELECT Item_key, Whse_key FROM SLItemwhses UNION ALL SELECT Item_key, Whse_key FROM Others)
    GROUP BY Item_key
), locations AS (
    SELECT *, true AS located FROM SLItemLocs
), facts AS (
    SELECT
        i.Item AS item, i.Item_key AS item_key, i.Description AS description, i.Description_key AS description_key,
        i.ProductCode AS product_code, i.UM AS um, i.Stat AS status, i.QtyAllocjob AS job_allocation,
        i.UseReorderPoint AS by_reorder_point, i.ReorderPoint AS reorder_point, i.UnitCost AS unit_cost,
        s.stocked, s.Whse AS warehouse, s.Whse_key AS warehouse_key, s.QtyOnHand AS on_hand,
        s.QtyAllocCo AS order_allocation, s.AllocTrn AS transfer_allocation, s.QtyOrdered AS on_order,
        s.QtyWip AS wip, s.QtyTrans AS in_transit, s.QtyReorder AS safety,
        l.located, l.Loc AS location, l.Loc_key AS location_key, l.QtyOnHand AS location_on_hand,
        l.QtyRsvd AS location_reserved, l.MrbFlag AS under_review, n.warehouses,
        (SELECT status FROM reads WHERE name = 'SLItemLocs') NOT IN ('denied', 'unavailable') AS locations_known
    FROM SLItems i
    LEFT JOIN stock s ON s.Item_key = i.Item_key
    LEFT JOIN locations l ON l.Item_key = s.Item_key AND l.Whse_key = s.Whse_key
    LEFT JOIN warehouses n ON n.Item_key = i.Item_key
)
"""

_ASKED = r"""
asked AS (
    SELECT * FROM facts
    WHERE ($item IS NULL OR item_key LIKE $item ESCAPE '\')
      AND ($query IS NULL OR contains(description_key, $query))
      AND ($warehouse IS NULL OR warehouse_key = $warehouse)
)
"""

_RECORDS = f"""
{_ASKED}, by_warehouse AS (
    SELECT
        item_key, warehouse_key, any_value(warehouse) AS warehouse, coalesce(bool_or(stocked), false) AS stocked,
        coalesce(any_value(on_hand), 0) AS on_hand,
        coalesce(any_value(order_allocation), 0) + coalesce(any_value(transfer_allocation), 0) AS allocated,
        coalesce(any_value(on_order), 0) AS on_order, coalesce(any_value(wip), 0) AS wip,
        coalesce(any_value(in_transit), 0) AS in_transit, coalesce(any_value(safety), 0) AS safety,
        CASE WHEN bool_and(locations_known) THEN coalesce(list(struct_pack(
            location := location, qty_on_hand := coalesce(location_on_hand, 0),
            qty_reserved := coalesce(location_reserved, 0), under_review := coalesce(under_review, false)
        ) ORDER BY location_key) FILTER (located), []) END AS locations
    FROM asked
    GROUP BY item_key, warehouse_key
), by_item AS (
    SELECT
        item_key, bool_or(stocked) AS stocked,
        sum(on_hand) FILTER (stocked) AS on_hand, sum(allocated) FILTER (stocked) AS allocated,
        sum(on_order) FILTER (stocked) AS on_order, sum(wip) FILTER (stocked) AS wip,
        sum(in_transit) FILTER (stocked) AS in_transit, sum(safety) FILTER (stocked) AS safety,
        coalesce(list(struct_pack(
            warehouse := warehouse, qty_on_hand := on_hand, qty_allocated := allocated,
            qty_available := on_hand - allocated, qty_on_order := on_order, qty_wip := wip,
            qty_in_transit := in_transit, safety_stock := safety, locations := locations
        ) ORDER BY warehouse_key) FILTER (stocked), []) AS warehouse_stock
    FROM by_warehouse
    GROUP BY item_key
), items AS (
    SELECT
        item_key, any_value(item) AS item, any_value(description) AS description,
        any_value(product_code) AS product_code, any_value(um) AS um, any_value(status) AS status,
        any_value(unit_cost) AS unit_cost, coalesce(any_value(job_allocation), 0) AS job_allocation,
        coalesce(any_value(by_reorder_point), false) AS by_reorder_point,
        any_value(reorder_point) AS reorder_point, $warehouse IS NOT NULL AND max(warehouses) > 1 AS one_of_several
    FROM asked
    GROUP BY item_key
), totals AS (
    SELECT items.*, by_item.* EXCLUDE (item_key),
        allocated + CASE WHEN one_of_several THEN 0 ELSE job_allocation END AS total_allocated,
        on_hand - allocated - CASE WHEN one_of_several THEN 0 ELSE job_allocation END AS available,
        CASE WHEN by_reorder_point AND NOT one_of_several THEN coalesce(reorder_point, 0) END AS threshold
    FROM items JOIN by_item USING (item_key)
), judged AS (
    SELECT *,
        stocked AND upper(status) IS DISTINCT FROM 'O' AND CASE
            WHEN coalesce(threshold, 0) > 0 THEN available <= threshold
            WHEN safety > 0 THEN available < safety
            ELSE false
        END AS low
    FROM totals
)
SELECT
    item, description, product_code, um, status,
    on_hand AS total_on_hand, total_allocated, available AS total_available, on_order AS total_on_order,
    wip AS total_wip, in_transit AS total_in_transit, safety AS safety_stock, threshold AS reorder_point,
    low AS is_low_stock, stocked AND on_hand <= 0 AS is_out_of_stock, unit_cost,
    money(on_hand, unit_cost, 100) AS total_value, warehouse_stock,
    one_of_several AND job_allocation <> 0 AS unplaced
FROM judged
WHERE low OR NOT $low_stock_only
ORDER BY item_key
"""

INVENTORY_SQL = f"WITH {_FACTS}, {_RECORDS}"
"""From the staged collections to records."""

INVENTORY_RECORDS = f"WITH {_RECORDS}"
"""From facts, as the lake gives them, to records."""

INVENTORY_VOLUME = f"WITH {_ASKED} SELECT count(DISTINCT (item_key, warehouse_key)) FROM asked WHERE stocked"
"""From facts to the number of rows that the driving collection has."""


INVENTORY_COLUMNS = (
    *properties(PropertyType.KEY, "item", "description", "warehouse", "location"),
    *properties(PropertyType.TEXT, "product_code", "um", "status"),
    *properties(
        PropertyType.DECIMAL, "job_allocation", "reorder_point", "unit_cost", "on_hand", "order_allocation"
    ),
    *properties(PropertyType.DECIMAL, "transfer_allocation", "on_order", "wip", "in_transit", "safety"),
    *properties(PropertyType.DECIMAL, "location_on_hand", "location_reserved"),
    *properties(PropertyType.FLAG, "by_reorder_point", "stocked", "located", "under_review", "locations_known"),
    *properties(PropertyType.INTEGER, "warehouses"),
)
"""The facts that the lake gives."""


def inventory_lake_sql(lake: LakeTables, condition: str) -> str:
    """Return the Compass query for items, their stock and its locations.

    `condition` is on `i`, the item, `w`, its stock in a warehouse, and `n`, its largest safety stock.
    """
    stock = lake.source("itemwhse")
    return f"""
SELECT
    i.item AS item, i.description AS description, i.product_code AS product_code, i.u_m AS um, i.stat AS status,
    i.qty_allocjob AS job_allocation, i.use_reorder_point AS by_reorder_point, i.reorder_point AS reorder_point,
    i.unit_cost AS unit_cost, CASE WHEN w.item IS NULL THEN 0 ELSE 1 END AS stocked, w.whse AS warehouse,
    w.qty_on_hand AS on_hand, w.qty_alloc_co AS order_allocation, w.alloc_trn AS transfer_allocation,
    w.qty_ordered AS on_order, w.qty_wip AS wip, w.qty_trans AS in_transit, w.qty_reorder AS safety,
    CASE WHEN l.item IS NULL THEN 0 ELSE 1 END AS located, l.loc AS location, l.qty_on_hand AS location_on_hand,
    l.qty_rsvd AS location_reserved, l.mrb_flag AS under_review, 1 AS locations_known, n.warehouses AS warehouses
FROM {lake.source("item")} i
LEFT JOIN {stock} w ON {same_key("w.item", "i.item")}
LEFT JOIN {lake.source("itemloc")} l ON {same_key("l.item", "w.item")} AND {same_key("l.whse", "w.whse")}
LEFT JOIN (
    SELECT {folded("b.item")} AS item_key, COUNT(*) AS warehouses, MAX(b.qty_reorder) AS largest_safety
    FROM {stock} b GROUP BY {folded("b.item")}
) n ON n.item_key = {folded("i.item")}
WHERE 1 = 1{condition}
ORDER BY 1, 11, 20
""".strip()
