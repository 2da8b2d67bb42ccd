"""The tables of the lake: what replication takes of the ERP's tables, under the names of the tables' columns."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from kai_erp.simulator.collection import Collection
from kai_erp.simulator.columns import NUMERIC, Column, Kind, Origin
from kai_erp.simulator.plant import Plant

_OF_COLLECTIONS = {
    "SLItems": "item",
    "SLItemwhses": "itemwhse",
    "SLItemLocs": "itemloc",
    "SLWcs": "wc",
    "SLJobs": "job",
    "SLJobRoutes": "jobroute",
    "SLJrtSchs": "jrt_sch",
    "SLJobmatls": "jobmatl",
    "SLCos": "co",
    "SLCoitems": "coitem",
    "SLCustomers": "customer",
    "SLCustAddrs": "custaddr",
    "SLPoItems": "poitem",
}
# Columns that keep the spelling of the property, properties that are no column of their own, odd names.
_AS_SPELLED = frozenset(
    {"RowPointer", "RecordDate", "CreateDate", "CreatedBy", "UpdatedBy", "NoteExistsFlag", "InWorkflow"}
)
_REPEATED = frozenset({("SLJobs", "JobDescription")})
_ODD = {("SLJrtSchs", "FreezeSch"): "freeze", ("SLJrtSchs", "SplitSize"): "splitsize"}
_ARRAY = re.compile(r"(.*)_(\d)")
_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")
SITE, DELETED = "site_ref", "deleted"


@dataclass(frozen=True, slots=True)
class LakeTable:
    """One table: its columns by name, over the rows of a collection (the first of each `key` alone)."""

    name: str
    collection: Collection
    columns: Mapping[str, Column]
    key: str | None = None

    def rows(self, rows: Sequence[int]) -> Sequence[int]:
        """Return those rows of the collection that are rows of the table."""
        if self.key is None:
            return rows
        natives = self.collection.columns[self.key].natives
        return list({natives[row]: row for row in reversed(rows)}.values())[::-1]

    def types(self) -> dict[str, str]:
        """Return the type of each column, as the lake names it."""
        named = {name: type_name(column.shape.kind) for name, column in self.columns.items()}
        return named | {SITE: "varchar", DELETED: "boolean"}


def type_name(kind: Kind) -> str:
    """Return the type in which the lake stores a kind of values."""
    if kind in NUMERIC:
        return "decimal(38,15)"
    return "timestamp" if kind is Kind.DATE else "varchar"


def column_name(property_name: str) -> str:
    """Return the column that a bound property shows: `QtyAllocCo` shows `qty_alloc_co`."""
    if property_name in _AS_SPELLED:
        return property_name
    array = _ARRAY.fullmatch(property_name)
    if array is not None:
        return f"{column_name(array[1])}##{array[2]}"
    return _CAPITAL.sub("_", property_name).lower()


def lake_tables(plant: Plant) -> dict[str, LakeTable]:
    """Return the tables of a plant by name."""
    return {table.name: table for table in _tables(plant)}


def _tables(plant: Plant) -> Iterator[LakeTable]:
    for ido, name in _OF_COLLECTIONS.items():
        collection = plant.collections.get(ido)
        if collection is not None:
            yield LakeTable(name, collection, _bound(collection))
    if "SLJobs" in plant.collections:
        yield _job_schedules(plant.collections["SLJobs"])
    if "SLPoItems" in plant.collections:
        yield _purchase_orders(plant.collections["SLPoItems"])


def _bound(collection: Collection) -> dict[str, Column]:
    columns = {}
    for name, column in collection.columns.items():
        if column.origin is Origin.BOUND and (collection.name, name) not in _REPEATED:
            columns[_ODD.get((collection.name, name)) or column_name(name)] = column
    return columns


def _audited(collection: Collection) -> dict[str, Column]:
    return {name: column for name, column in collection.columns.items() if name in _AS_SPELLED}


def _job_schedules(jobs: Collection) -> LakeTable:
    """Return job_sch, which SLJobs shows with the prefix Jsch."""
    columns = {column_name(name): jobs.columns[name] for name in jobs.table.key}
    for name, column in jobs.columns.items():
        if name.startswith("Jsch"):
            columns[column_name(name.removeprefix("Jsch"))] = column
    return LakeTable("job_sch", jobs, columns | _audited(jobs))


def _purchase_orders(lines: Collection) -> LakeTable:
    """Return po, as far as the lines tell it."""
    shown = {"po_num": "PoNum", "vend_num": "PoVendNum", "stat": "Stat", "whse": "Whse"}
    columns = {name: lines.columns[source] for name, source in shown.items()}
    return LakeTable("po", lines, columns | _audited(lines), "PoNum")
