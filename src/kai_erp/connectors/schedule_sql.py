"""The join of the production schedule.

Quantities that are null count as 0 where their row exists. Hours, percentages and quantities are exact: products
and quotients are taken of integers (`units` scales by 10^8) and rounded half away from zero once, at the end.
`reads` tells how each table was come by: joined properties give a row to every operation, scheduled or not.
`lacking` tells what the tenant has no property for: what would be computed from it is null.
"""

SCHEDULE_SQL = """
WITH told AS (
    SELECT
        count(*) FILTER (name = 'SLItemwhses' AND property = 'QtyOnHand') = 0 AS stock,
        count(*) FILTER (name = 'SLJobRoutes' AND property = 'QtyReceived') = 0 AS received,
        count(*) FILTER (
            property IN ('SetupHrsT', 'Efficiency', 'SchedDrv', 'SetupHrs', 'RunLbrHrs', 'RunMchHrs', 'SchedHrs')
        ) = 0 AS hours
    FROM lacking
), jobs AS (
    SELECT * FROM SLJobs WHERE upper("Type") = 'J' AND upper(Stat) = 'R'
), scrapped AS (
    SELECT r.Job_key, r.Suffix, r.OperNum, sum(s.QtyScrapped) AS earlier
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
    SELECT Item_key, Whse_key, sum(coalesce(QtyOnHand, 0)) AS on_hand FROM SLItemwhses GROUP BY Item_key, Whse_key
), centers AS (
    SELECT Wc_key, max(Description) AS description FROM SLWcs GROUP BY Wc_key
), facts AS (
    SELECT
        r.Job AS job, r.Job_key, r.Suffix AS suffix, r.OperNum AS operation_num,
        j.Item AS item, i.description AS item_description, j.Whse AS warehouse,
        r.Wc AS work_center, c.description AS work_center_description,
        coalesce(j.QtyReleased, 0) AS qty_released,
        coalesce(r.QtyComplete, 0) AS qty_complete,
        coalesce(r.QtyScrapped, 0) AS qty_scrapped,
        coalesce(r.QtyReceived, 0) AS qty_received,
        coalesce(r.QtyScrapped, 0) + coalesce(p.earlier, 0) AS scrapped_so_far,
        coalesce(r."Complete", false) AS closed,
        r.SetupHrsT, coalesce(nullif(r.Efficiency, 0), 100) AS efficiency,
        s.Job_key IS NOT NULL AS schedule_known,
        coalesce(s.SetupHrs, 0) AS setup_hours, coalesce(s.SchedHrs, 0) AS fixed_hours,
        coalesce(CASE WHEN upper(s.SchedDrv) = 'M' THEN s.RunMchHrs ELSE s.RunLbrHrs END, 0) AS piece_hours,
        s.StartDate_at AS sched_start, s.EndDate_at AS sched_finish,
        CASE WHEN told.stock THEN w.on_hand END AS qty_on_hand, told.received, told.hours,
        CAST(j.JschEndDate AS DATE) AS job_due, j.JschPriority AS priority, j.CustNum AS customer_num,
        CASE WHEN upper(j.OrdType) = 'O' THEN j.OrdNum END AS order_num,
        CASE WHEN upper(j.OrdType) = 'O' THEN j.OrdLine END AS order_line
    FROM SLJobRoutes r
    CROSS JOIN told
    JOIN jobs j ON j.Job_key = r.Job_key AND j.Suffix = r.Suffix
    LEFT JOIN scrapped p ON p.Job_key = r.Job_key AND p.Suffix = r.Suffix AND p.OperNum = r.OperNum
    LEFT JOIN schedules s ON s.Job_key = r.Job_key AND s.Suffix = r.Suffix AND s.OperNum = r.OperNum
    LEFT JOIN items i ON i.Item_key = j.Item_key
    LEFT JOIN stock w ON w.Item_key = j.Item_key AND w.Whse_key = j.Whse_key
    LEFT JOIN centers c ON c.Wc_key = r.Wc_key
    WHERE r.OperNum IS NOT NULL
      AND ($work_center IS NULL OR r.Wc_key = $work_center)
      AND ($jobs IS NULL OR list_contains($jobs, r.Job_key))
), remaining AS (
    SELECT *,
        CASE WHEN closed THEN 0
             ELSE greatest(0, qty_released - qty_complete - scrapped_so_far) END AS qty_remaining,
        CASE WHEN received THEN greatest(0, qty_received - qty_complete - qty_scrapped) END AS qty_here
    FROM facts
), judged AS (
    SELECT *,
        CASE
            WHEN closed OR (qty_released > 0 AND qty_remaining = 0) THEN 'complete'
            WHEN sched_finish < $now THEN 'behind'
            WHEN sched_finish IS NULL THEN 'unknown'
            ELSE 'on_track'
        END AS status
    FROM remaining
)
SELECT
    job, suffix, operation_num, item, item_description, warehouse, work_center, work_center_description,
    qty_released, qty_complete, qty_scrapped, qty_remaining, qty_here,
    CASE
        WHEN qty_released = 0 THEN CAST(0 AS DECIMAL(38, 1))
        ELSE greatest(0, least(100, half_up(units(qty_complete) * 100, units(qty_released), 10) * 0.1))
    END AS pct_complete,
    CASE
        WHEN status = 'complete' OR qty_released <= 0 THEN CAST(0 AS DECIMAL(38, 2))
        WHEN NOT (schedule_known AND hours) THEN NULL
        WHEN fixed_hours > 0
            THEN half_up(units(fixed_hours) * units(qty_remaining), units(qty_released) * units(1), 100) * 0.01
        ELSE half_up(
            CASE WHEN SetupHrsT > 0 THEN 0 ELSE units(setup_hours) * units(efficiency) END
                + units(qty_remaining) * units(piece_hours) * 100,
            units(efficiency) * units(1), 100) * 0.01
    END AS hours_remaining,
    sched_start, sched_finish, status, qty_on_hand, job_due, priority, customer_num, order_num, order_line
FROM judged
WHERE $include_completed OR status <> 'complete'
ORDER BY sched_start NULLS LAST, Job_key, suffix, operation_num
"""
