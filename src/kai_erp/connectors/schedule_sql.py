"""The SQL of the production schedule: its facts from staged collections or from the lake, and records from facts.

Quantities that are null count as 0 where their row exists. Hours, percentages and quantities are exact: products
and quotients are taken of integers (`units` scales by 10^8) and rounded half away from zero once, at the end.
`reads` tells how each table was come by: joined properties give a row to every operation, scheduled or not.
`lacking` tells what the tenant has no property for: what would be computed from it is null.
"""

from __future__ import annotations

from kai_erp.connectors.declaring import properties
from kai_erp.core.lake_sql import LakeTables, same_key
from kai_erp.core.types import PropertyType

_FACTS = """
told AS (
    SELECT
        count(*) FILTER (name = 'SLItemwhses' AND property = 'QtyOnHand') = 0 AS stock,
        count(*) FILTER (name = 'SLJobRoutes' AND property = 'QtyReceived') = 0 AS received_known,
        count(*) FILTER (
            property IN ('SetupHrsT', 'Efficiency', 'SchedDrv', 'SetupHrs', 'RunLbrHrs', 'RunMchHrs', 'SchedHrs')
        ) = 0 AS hours_known
    FROM lacking
), scrapped AS (
    SELECT r.Job_key, r.Suffix, r.OperNum, TRY_CAST(sum(s.QtyScrapped) AS DECIMAL(28, 8)) AS earlier
    FROM SLJobRoutes r JOIN Scrap s ON s.Job_key = r.Job_key AND s.Suffix = r.Suffix AND s.OperNum < r.OperNum
    GROUP BY ALL
), schedules AS (
    SELECT * FROM SLJrtSchs
    WHERE (SELECT status FROM reads WHERE name = 'SLJrtSchs') <> 'fallback'
       OR coalesce(StartDate, EndDate) IS NOT NULL OR SchedDrv IS NOT NULL
       OR coalesce(SetupHrs, RunLbrHrs, RunMchHrs, SchedHrs) IS NOT NULL
), items AS (
    SELECT Item_key, max(Description) AS description FROM SLItems GROUP BY Item_key
), stock AS (
    SELECT Item_key, Whse_key, TRY_CAST(sum(coalesce(QtyOnHand, 0)) AS DECIMAL(28, 8)) AS on_hand
    FROM SLItemwhses GROUP BY Item_key, Whse_key
), centers AS (
    SELECT Wc_key, max(Description) AS description FROM SLWcs GROUP BY Wc_key
), facts AS (
    SELECT
        r.Job AS job, r.Job_key AS job_key, r.Suffix AS suffix, r.OperNum AS operation_num,
        j."Type" AS job_type, j.Stat AS job_stat,
        j.Item AS item, i.description AS item_description, j.Whse AS warehouse,
        r.Wc AS work_center, r.Wc_key AS work_center_key, c.description AS work_center_description,
        j.QtyReleased AS qty_released, r.QtyComplete AS qty_complete, r.QtyScrapped AS qty_scrapped,
        r.QtyReceived AS qty_received, p.earlier AS earlier_scrap, r."Complete" AS closed,
        r.SetupHrsT AS setup_posted, r.Efficiency AS efficiency, s.Job_key IS NOT NULL AS schedule_known,
        s.SetupHrs AS setup_hours, s.SchedHrs AS fixed_hours, s.SchedDrv AS driver,
        s.RunMchHrs AS machine_hours, s.RunLbrHrs AS labor_hours,
        s.StartDate_at AS sched_start_at, s.EndDate_at AS sched_finish_at,
        CASE WHEN told.stock THEN w.on_hand END AS qty_on_hand, told.received_known, told.hours_known,
        j.JschEndDate AS job_due, j.JschPriority AS priority, j.CustNum AS customer_num,
        j.OrdType AS order_type, j.OrdNum AS order_num, j.OrdLine AS order_line
    FROM SLJobRoutes r
    CROSS JOIN told
    JOIN SLJobs j ON j.Job_key = r.Job_key AND j.Suffix = r.Suffix
    LEFT JOIN scrapped p ON p.Job_key = r.Job_key AND p.Suffix = r.Suffix AND p.OperNum = r.OperNum
    LEFT JOIN schedules s ON s.Job_key = r.Job_key AND s.Suffix = r.Suffix AND s.OperNum = r.OperNum
    LEFT JOIN items i ON i.Item_key = j.Item_key
    LEFT JOIN stock w ON w.Item_key = j.Item_key AND w.Whse_key = j.Whse_key
    LEFT JOIN centers c ON c.Wc_key = r.Wc_key
)
"""

_ASKED = """
asked AS (
    SELECT * REPLACE (
        coalesce(qty_released, 0) AS qty_released, coalesce(qty_complete, 0) AS qty_complete,
        coalesce(qty_scrapped, 0) AS qty_scrapped, coalesce(closed, false) AS closed,
        coalesce(nullif(efficiency, 0), 100) AS efficiency,
        coalesce(setup_hours, 0) AS setup_hours, coalesce(fixed_hours, 0) AS fixed_hours
    )
    FROM facts
    WHERE upper(job_type) = 'J' AND upper(job_stat) = 'R' AND operation_num IS NOT NULL
      AND ($work_center IS NULL OR work_center_key = $work_center)
      AND ($jobs IS NULL OR list_contains($jobs, job_key))
)
"""

_RECORDS = f"""
{_ASKED}, remaining AS (
    SELECT *,
        CASE WHEN closed THEN 0
             ELSE greatest(0, qty_released - qty_complete - qty_scrapped - coalesce(earlier_scrap, 0))
        END AS qty_remaining,
        CASE WHEN received_known
             THEN greatest(0, coalesce(qty_received, 0) - qty_complete - qty_scrapped) END AS qty_here,
        coalesce(CASE WHEN upper(driver) = 'M' THEN machine_hours ELSE labor_hours END, 0) AS piece_hours
    FROM asked
), judged AS (
    SELECT *,
        units(qty_released) AS released_units, units(qty_complete) * 100 AS complete_units,
        TRY(CASE
            WHEN fixed_hours > 0 THEN units(fixed_hours) * units(qty_remaining)
            ELSE CASE WHEN setup_posted > 0 THEN 0 ELSE units(setup_hours) * units(efficiency) END
                + units(qty_remaining) * units(piece_hours) * 100
        END) AS hours_dividend,
        units(CASE WHEN fixed_hours > 0 THEN qty_released ELSE efficiency END) * units(1) AS hours_divisor,
        CASE
            WHEN closed OR (qty_released > 0 AND qty_remaining = 0) THEN 'complete'
            WHEN sched_finish_at < $now THEN 'behind'
            WHEN sched_finish_at IS NULL THEN 'unknown'
            ELSE 'on_track'
        END AS status
    FROM remaining
)
SELECT
    job, suffix, operation_num, item, item_description, warehouse, work_center, work_center_description,
    qty_released, qty_complete, qty_scrapped, qty_remaining, qty_here,
    CASE
        WHEN qty_released = 0 THEN CAST(0 AS DECIMAL(38, 1))
        ELSE greatest(0, least(100, half_up(complete_units, released_units, 10) * 0.1))
    END AS pct_complete,
    CASE
        WHEN status = 'complete' OR qty_released <= 0 THEN CAST(0 AS DECIMAL(38, 2))
        WHEN NOT (schedule_known AND hours_known) THEN NULL
        ELSE half_up(hours_dividend, hours_divisor, 100) * 0.01
    END AS hours_remaining,
    sched_start_at AS sched_start, sched_finish_at AS sched_finish, status, qty_on_hand,
    CAST(job_due AS DATE) AS job_due, priority, customer_num,
    CASE WHEN upper(order_type) = 'O' THEN order_num END AS order_num,
    CASE WHEN upper(order_type) = 'O' THEN order_line END AS order_line
FROM judged
WHERE $include_completed OR status <> 'complete'
ORDER BY sched_start NULLS LAST, job_key, suffix, operation_num
"""

SCHEDULE_SQL = f"WITH {_FACTS}, {_RECORDS}"
"""From the staged collections to records."""

SCHEDULE_RECORDS = f"WITH {_RECORDS}"
"""From facts, as the lake gives them, to records."""

SCHEDULE_VOLUME = f"WITH {_ASKED} SELECT count(*) FROM asked WHERE $include_completed OR NOT closed"
"""From facts to the number of rows that the driving collection has."""


SCHEDULE_COLUMNS = (
    *properties(PropertyType.KEY, "job", "work_center"),
    *properties(PropertyType.INTEGER, "suffix", "operation_num", "priority", "order_line"),
    *properties(PropertyType.TEXT, "job_type", "job_stat", "item", "item_description", "warehouse"),
    *properties(PropertyType.TEXT, "work_center_description", "driver", "customer_num", "order_type", "order_num"),
    *properties(
        PropertyType.DECIMAL, "qty_released", "qty_complete", "qty_scrapped", "qty_received", "qty_on_hand"
    ),
    *properties(PropertyType.DECIMAL, "earlier_scrap", "setup_posted", "efficiency", "setup_hours", "fixed_hours"),
    *properties(PropertyType.DECIMAL, "machine_hours", "labor_hours"),
    *properties(PropertyType.FLAG, "closed", "schedule_known", "received_known", "hours_known"),
    *properties(PropertyType.DATETIME, "sched_start", "sched_finish", "job_due"),
)
"""The facts that the lake gives."""


def schedule_lake_sql(lake: LakeTables, condition: str) -> str:
    """Return the Compass query for the facts of released jobs; `condition` is on `r`, the operations."""
    job, route, schedule, header = (lake.source(name) for name in ("job", "jobroute", "jrt_sch", "job_sch"))
    return f"""
SELECT
    r.job AS job, r.suffix AS suffix, r.oper_num AS operation_num, j.type AS job_type, j.stat AS job_stat,
    j.item AS item, i.description AS item_description, j.whse AS warehouse,
    r.wc AS work_center, c.description AS work_center_description,
    j.qty_released AS qty_released, r.qty_complete AS qty_complete, r.qty_scrapped AS qty_scrapped,
    r.qty_received AS qty_received, p.earlier AS earlier_scrap, r.complete AS closed,
    r.setup_hrs_t AS setup_posted, r.efficiency AS efficiency,
    CASE WHEN s.job IS NULL THEN 0 ELSE 1 END AS schedule_known,
    s.setup_hrs AS setup_hours, s.sched_hrs AS fixed_hours, s.sched_drv AS driver,
    s.run_mch_hrs AS machine_hours, s.run_lbr_hrs AS labor_hours,
    s.start_date AS sched_start, s.end_date AS sched_finish,
    CASE WHEN w.item IS NULL THEN NULL ELSE COALESCE(w.qty_on_hand, 0) END AS qty_on_hand,
    1 AS received_known, 1 AS hours_known, h.end_date AS job_due, h.priority AS priority,
    j.cust_num AS customer_num, j.ord_type AS order_type, j.ord_num AS order_num, j.ord_line AS order_line
FROM {route} r
JOIN {job} j ON {same_key("j.job", "r.job")} AND j.suffix = r.suffix
LEFT JOIN {header} h ON {same_key("h.job", "j.job")} AND h.suffix = j.suffix
LEFT JOIN {schedule} s ON {same_key("s.job", "r.job")} AND s.suffix = r.suffix AND s.oper_num = r.oper_num
LEFT JOIN {lake.source("item")} i ON {same_key("i.item", "j.item")}
LEFT JOIN {lake.source("itemwhse")} w ON {same_key("w.item", "j.item")} AND {same_key("w.whse", "j.whse")}
LEFT JOIN {lake.source("wc")} c ON {same_key("c.wc", "r.wc")}
LEFT JOIN (
    SELECT o.job AS job, o.suffix AS suffix, o.oper_num AS oper_num,
        SUM(CAST(e.qty_scrapped AS DECIMAL(28, 8))) AS earlier
    FROM {route} o
    JOIN {route} e ON {same_key("e.job", "o.job")} AND e.suffix = o.suffix AND e.oper_num < o.oper_num
    WHERE e.qty_scrapped <> 0
    GROUP BY o.job, o.suffix, o.oper_num
) p ON p.job = r.job AND p.suffix = r.suffix AND p.oper_num = r.oper_num
WHERE UPPER(j.type) = 'J' AND UPPER(j.stat) = 'R'{condition}
ORDER BY 1, 2, 3
""".strip()
