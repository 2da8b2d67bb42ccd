"""A part of a plant, of which one question takes three pages of every collection and few more."""

from collections.abc import Collection, Iterable

from kai_erp.core.keys import fold_key
from kai_erp.simulator import Plant
from tests.conftest import schedule_rows
from tests.test_connectors.made_plants import plant_of
from tests.test_connectors.tables import Row

WORK_CENTER = "WELD"
ITEM, JOB, OPERATION = ("Item",), ("Job", "Suffix"), ("Job", "Suffix", "OperNum")
Key = tuple[str, ...]


def plant_of_three_pages(plant: Plant, page_size: int) -> Plant:
    """Return a plant of jobs for as many items, each with an operation at one work center that is not complete.

    What they scrapped elsewhere is there too, and there are as many work centers as items.
    """
    rows, size = schedule_rows(plant), 2 * page_size + page_size // 3
    open_operations = {_key(row, JOB): row for row in rows["SLJobRoutes"] if row["Complete"] != "1"}
    released = [row for row in rows["SLJobs"] if row["Type"] == "J" and _key(row, JOB) in open_operations]
    jobs = list({_key(row, ITEM): row for row in released if row["Stat"] == "R"}.values())[:size]
    here = {_key(open_operations[_key(job, JOB)], OPERATION) for job in jobs}
    scrapping = [row for row in _among(rows["SLJobRoutes"], JOB, jobs) if float(row["QtyScrapped"] or 0)]
    there = here | {_key(row, OPERATION) for row in scrapping}
    routes = [row for row in rows["SLJobRoutes"] if _key(row, OPERATION) in there]
    (center,) = (row for row in rows["SLWcs"] if row["Wc"] == WORK_CENTER)
    moved = {"Wc": WORK_CENTER, "WcDescription": center["Description"]}
    return plant_of(
        {
            "SLJobs": jobs,
            "SLJobRoutes": [row | moved if _key(row, OPERATION) in here else row for row in routes],
            "SLJrtSchs": _among(rows["SLJrtSchs"], OPERATION, routes),
            "SLItems": _among(rows["SLItems"], ITEM, jobs),
            "SLItemwhses": _among(rows["SLItemwhses"], ITEM, jobs),
            "SLWcs": _centers(rows["SLWcs"], size),
        }
    )


def _key(row: Row, names: Iterable[str]) -> Key:
    return tuple(fold_key(row[name] or "") for name in names)


def _among(rows: Iterable[Row], names: Collection[str], others: Iterable[Row]) -> list[Row]:
    """Return the rows with a key that one of the others has."""
    keys = {_key(row, names) for row in others}
    return [row for row in rows if _key(row, names) in keys]


def _centers(rows: list[Row], size: int) -> list[Row]:
    """Return the work centers, and as many more as are wanted, which have nothing to do."""
    return [*rows, *(rows[0] | {"Wc": f"X{number:03}"} for number in range(size - len(rows)))]
