"""The SQL of open orders: its facts from staged collections or from the lake, and records from facts.

A fact is a line with its order, customer and ship-to address. Amounts are exact products, rounded half away from
zero to cents once per line, then summed.
"""

from __future__ import annotations

from kai_erp.connectors.declaring import properties
from kai_erp.core.lake_sql import LakeTables, same_key
from kai_erp.core.types import PropertyType

_FACTS = """
customers AS (
    SELECT * FROM SLCustomers WHERE CustSeq = 0
), items AS (
    SELECT Item_key, max(Description) AS description, max(UM) AS um FROM SLItems GROUP BY Item_key
), facts AS (
    SELECT
        o.CoNum AS order_num, o.CoNum_key AS order_num_key, o."Type" AS order_type, o.Stat AS order_stat,
        o.CustNum AS customer_num, o.CustNum_key AS customer_num_key,
        c.Name AS customer_name, c.Name_key AS customer_name_key,
        o.CustPo AS customer_po, o.CustPo_key AS customer_po_key, o.OrderDate AS order_date,
        o.CreditHold AS order_hold, c.CreditHold AS customer_hold, c.CurrCode AS currency, o.Price AS total_amount,
        CASE WHEN a.CustNum_key IS NULL THEN o.ShipToName ELSE a.Name END AS ship_to_name,
        CASE WHEN a.CustNum_key IS NULL THEN o.ShipToCity ELSE a.City END AS ship_to_city,
        CASE WHEN a.CustNum_key IS NULL THEN o.ShipToState ELSE a.State END AS ship_to_state,
        l.CoLine AS line, l.CoRelease AS release, l.Stat AS line_stat, l.Item AS item, l.Item_key AS item_key,
        coalesce(i.description, l.Description) AS item_description, coalesce(i.um, l.UM) AS um,
        l.QtyOrdered AS qty_ordered, l.QtyShipped AS qty_shipped, l.Price AS unit_price, l.Disc AS discount,
        l.DueDate AS due, l.PromiseDate AS promised, coalesce(l.Whse, o.Whse) AS warehouse,
        l.IteWhsQtyOnHand AS qty_on_hand,
        (SELECT count(*) FROM customers WHERE list_contains($customer_nums, CustNum_key)) AS numbered
    FROM SLCoitems l
    JOIN SLCos o ON o.CoNum_key = l.CoNum_key
    LEFT JOIN customers c ON c.CustNum_key = o.CustNum_key
    LEFT JOIN SLCustAddrs a ON a.CustNum_key = o.CustNum_key AND a.CustSeq = o.CustSeq
    LEFT JOIN items i ON i.Item_key = l.Item_key
)
"""

_ASKED = """
asked AS (
    SELECT * REPLACE (
        coalesce(qty_ordered, 0) AS qty_ordered, coalesce(qty_shipped, 0) AS qty_shipped,
        coalesce(discount, 0) AS discount, CAST(promised AS DATE) AS promised
    ), CAST(coalesce(due, promised) AS DATE) AS due_date
    FROM facts
    WHERE upper(order_type) IS DISTINCT FROM 'E' AND upper(order_stat) IN ('O', 'S') AND upper(line_stat) = 'O'
      AND coalesce(qty_ordered, 0) > coalesce(qty_shipped, 0)
      AND ($customer IS NULL OR CASE
          WHEN numbered > 0 THEN list_contains($customer_nums, customer_num_key)
          ELSE contains(customer_name_key, $customer) END)
      AND ($order_po IS NULL OR list_contains($order_nums, order_num_key) OR customer_po_key = $order_po)
      AND ($item IS NULL OR item_key = $item)
), due AS (
    SELECT * FROM asked
    WHERE ($due_before IS NULL OR due_date < $due_before) AND (NOT $late_only OR due_date < $today)
)
"""

_RECORDS = f"""
{_ASKED}, lines AS (
    SELECT *,
        qty_ordered - qty_shipped AS qty_remaining,
        money(qty_ordered, unit_price, 100 - discount) AS extended_price,
        money(qty_ordered - qty_shipped, unit_price, 100 - discount) AS open_amount,
        date_diff('day', $today, due_date) AS days_until_due,
        coalesce(due_date < $today, false) AS is_late
    FROM due
), orders AS (
    SELECT
        any_value(order_num) AS order_num, order_num_key, any_value(customer_num) AS customer_num,
        any_value(customer_name) AS customer_name, any_value(customer_po) AS customer_po,
        any_value(CAST(order_date AS DATE)) AS order_date, min(due_date) AS due_date,
        bool_or(upper(order_stat) = 'S') AS stopped,
        any_value(ship_to_name) AS ship_to_name, any_value(ship_to_city) AS ship_to_city,
        any_value(ship_to_state) AS ship_to_state,
        coalesce(bool_or(order_hold), false) OR coalesce(bool_or(customer_hold), false) AS credit_hold,
        any_value(currency) AS currency, any_value(total_amount) AS total_amount,
        coalesce(sum(open_amount), 0) AS open_amount,
        list(struct_pack(
            line := line, release := release, item := item, item_description := item_description, um := um,
            qty_ordered := qty_ordered, qty_shipped := qty_shipped, qty_remaining := qty_remaining,
            unit_price := unit_price, discount_pct := discount, extended_price := extended_price,
            open_amount := open_amount, due_date := due_date, promise_date := promised,
            days_until_due := days_until_due, is_late := is_late, warehouse := warehouse,
            qty_on_hand := qty_on_hand
        ) ORDER BY line, release) AS lines
    FROM lines
    GROUP BY order_num_key
)
SELECT
    order_num, customer_num, customer_name, customer_po, order_date, due_date,
    date_diff('day', $today, due_date) AS days_until_due, coalesce(due_date < $today, false) AS is_late,
    CASE WHEN stopped THEN 'stopped' ELSE 'open' END AS status,
    ship_to_name, ship_to_city, ship_to_state, credit_hold, currency, total_amount, open_amount, lines
FROM orders
ORDER BY due_date NULLS LAST, order_num_key
"""

ORDERS_SQL = f"WITH {_FACTS}, {_RECORDS}"
"""From the staged collections to records."""

ORDERS_RECORDS = f"WITH {_RECORDS}"
"""From facts, as the lake gives them, to records."""

ORDERS_VOLUME = f"WITH {_ASKED} SELECT count(*) FROM due"
"""From facts to the number of rows that the driving collection has."""


ORDERS_COLUMNS = (
    *properties(PropertyType.KEY, "order_num", "customer_num", "customer_name", "customer_po", "item"),
    *properties(PropertyType.TEXT, "order_type", "order_stat", "line_stat", "currency", "warehouse"),
    *properties(PropertyType.TEXT, "ship_to_name", "ship_to_city", "ship_to_state", "item_description", "um"),
    *properties(PropertyType.INTEGER, "line", "release", "numbered"),
    *properties(PropertyType.DECIMAL, "total_amount", "qty_ordered", "qty_shipped", "unit_price", "discount"),
    *properties(PropertyType.DECIMAL, "qty_on_hand"),
    *properties(PropertyType.FLAG, "order_hold", "customer_hold"),
    *properties(PropertyType.DATETIME, "order_date", "due", "promised"),
)
"""The facts that the lake gives."""


def orders_lake_sql(lake: LakeTables, condition: str, numbered: str) -> str:
    """Return the Compass query for the facts of open lines.

    `condition` is on `l`, `o` and `a`, the line, its order and the customer's main address; `numbered` on `n`, a
    customer whose number is asked for.
    """
    customer, address = lake.source("customer"), lake.source("custaddr")
    return f"""
SELECT
    o.co_num AS order_num, o.type AS order_type, o.stat AS order_stat, o.cust_num AS customer_num,
    CASE WHEN c.cust_num IS NULL THEN NULL ELSE a.name END AS customer_name,
    o.cust_po AS customer_po, o.order_date AS order_date,
    o.credit_hold AS order_hold, CASE WHEN c.cust_num IS NULL THEN NULL ELSE a.credit_hold END AS customer_hold,
    CASE WHEN c.cust_num IS NULL THEN NULL ELSE a.curr_code END AS currency, o.price AS total_amount,
    s.name AS ship_to_name, s.city AS ship_to_city, s.state AS ship_to_state,
    l.co_line AS line, l.co_release AS release, l.stat AS line_stat, l.item AS item,
    {_first("i.description", "l.description")} AS item_description, {_first("i.u_m", "l.u_m")} AS um,
    l.qty_ordered AS qty_ordered, l.qty_shipped AS qty_shipped, l.price AS unit_price, l.disc AS discount,
    l.due_date AS due, l.promise_date AS promised, {_first("l.whse", "o.whse")} AS warehouse,
    w.qty_on_hand AS qty_on_hand, k.numbered AS numbered
FROM {lake.source("coitem")} l
JOIN {lake.source("co")} o ON {same_key("o.co_num", "l.co_num")}
LEFT JOIN {customer} c ON {same_key("c.cust_num", "o.cust_num")} AND c.cust_seq = 0
LEFT JOIN {address} a ON {same_key("a.cust_num", "o.cust_num")} AND a.cust_seq = 0
LEFT JOIN {address} s ON {same_key("s.cust_num", "o.cust_num")} AND s.cust_seq = o.cust_seq
LEFT JOIN {lake.source("item")} i ON {same_key("i.item", "l.item")}
LEFT JOIN {lake.source("itemwhse")} w ON {same_key("w.item", "l.item")} AND {same_key("w.whse", "l.whse")}
CROSS JOIN (SELECT COUNT(*) AS numbered FROM {customer} n WHERE n.cust_seq = 0 AND {numbered}) k
WHERE UPPER(l.stat) = 'O' AND UPPER(o.stat) IN ('O', 'S') AND (UPPER(o.type) <> 'E' OR o.type IS NULL){condition}
ORDER BY 1, 15, 16
""".strip()


def _first(one: str, other: str) -> str:
    """Return the text of one column, or of the other where it is null or blank."""
    return f"CASE WHEN LENGTH(TRIM({one})) > 0 THEN {one} ELSE {other} END"
