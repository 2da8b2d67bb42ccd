"""The joined schedule as anybody would write it, over six tables of text columns."""

from __future__ import annotations

COLLECTIONS: dict[str, str] = {
    "SLJobs": (
        "Job,Suffix,Type,Stat,Item,QtyReleased,Whse,CustNum,OrdNum,OrdType,OrdLine,JschPriority,JschEndDate"
    ),
    "SLJobRoutes": (
        "Job,Suffix,OperNum,Type,JobStat,Wc,QtyComplete,QtyScrapped,Complete,QtyReceived,SetupHrsT,Efficiency"
    ),
    "SLJrtSchs": "Job,Suffix,OperNum,StartDate,EndDate,SchedDrv,SetupHrs,RunLbrHrs,RunMchHrs,SchedHrs",
    "SLItems": "Item,Description",
    "SLItemwhses": "Item,Whse,QtyOnHand",
    "SLWcs": "Wc,Description",
}
"""What is read of each collection."""

SQL = """
WITH scraps AS (
    SELECT Job, Suffix, TRY_CAST(OperNum AS INTEGER) AS oper, TRY_CAST(QtyScrapped AS DECIMAL(19, 8)) AS scrapped
    FROM SLJobRoutes WHERE TRY_CAST(QtyScrapped AS DECIMAL(19, 8)) <> 0
), earlier AS (
    SELECT r.Job, r.Suffix, r.OperNum, sum(s.scrapped) AS scrapped
    FROM SLJobRoutes r
    JOIN scraps s ON s.Job = r.Job AND s.Suffix = r.Suffix AND s.oper < TRY_CAST(r.OperNum AS INTEGER)
    GROUP BY ALL
)
SELECT
    r.Job AS job, TRY_CAST(r.Suffix AS INTEGER) AS suffix, TRY_CAST(r.OperNum AS INTEGER) AS operation_num,
    j.Item AS item, i.Description AS item_description, j.Whse AS warehouse,
    trim(r.Wc) AS work_center, c.Description AS work_center_description,
    coalesce(TRY_CAST(j.QtyReleased AS DECIMAL(19, 8)), 0) AS qty_released,
    coalesce(TRY_CAST(r.QtyComplete AS DECIMAL(19, 8)), 0) AS qty_complete,
    coalesce(TRY_CAST(r.QtyScrapped AS DECIMAL(19, 8)), 0) AS qty_scrapped,
    greatest(0, qty_released - qty_complete - qty_scrapped - coalesce(e.scrapped, 0)) AS qty_remaining,
    TRY_CAST(r.QtyReceived AS DECIMAL(19, 8)) - qty_complete - qty_scrapped AS qty_here,
    TRY_CAST(s.RunLbrHrs AS DECIMAL(19, 8)) AS hours,
    TRY_CAST(concat(s.StartDate[1:4], '-', s.StartDate[5:6], '-', s.StartDate[7:]) AS TIMESTAMP) AS sched_start,
    TRY_CAST(concat(s.EndDate[1:4], '-', s.EndDate[5:6], '-', s.EndDate[7:]) AS TIMESTAMP) AS sched_finish,
    TRY_CAST(w.QtyOnHand AS DECIMAL(19, 8)) AS qty_on_hand,
    j.JschEndDate[1:8] AS job_due, TRY_CAST(j.JschPriority AS INTEGER) AS priority, j.CustNum AS customer_num,
    CASE WHEN j.OrdType = 'O' THEN j.OrdNum END AS order_num, TRY_CAST(j.OrdLine AS INTEGER) AS order_line
FROM SLJobRoutes r
JOIN SLJobs j ON j.Job = r.Job AND j.Suffix = r.Suffix
LEFT JOIN earlier e ON e.Job = r.Job AND e.Suffix = r.Suffix AND e.OperNum = r.OperNum
LEFT JOIN SLJrtSchs s ON s.Job = r.Job AND s.Suffix = r.Suffix AND s.OperNum = r.OperNum
LEFT JOIN SLItems i ON i.Item = j.Item
LEFT JOIN SLItemwhses w ON w.Item = j.Item AND w.Whse = j.Whse
LEFT JOIN SLWcs c ON c.Wc = trim(r.Wc)
WHERE j.Type = 'J' AND j.Stat = 'R' AND r.Complete IS DISTINCT FROM '1'
ORDER BY sched_start, job, suffix, operation_num
"""


def params(collection: str, page_size: int, *, whole_rows: bool = False) -> dict[str, str]:
    """Return the parameters of the first load: the properties that are needed, or rows as they are."""
    named = {} if whole_rows else {"properties": COLLECTIONS[collection], "readOnly": "true"}
    return {**named, "recordCap": str(page_size)}
