"""Six small collections of raw rows, made at random, and sources of pages that give them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias

from hypothesis import strategies as st

from kai_erp.core import ido
from kai_erp.errors import UpstreamDenied

Cell: TypeAlias = str | None
Row: TypeAlias = dict[str, Cell]
Cells: TypeAlias = st.SearchStrategy[Cell]
NOW = datetime(2026, 11, 1, 6, 30, tzinfo=UTC)  # 01:30 in Chicago, for the first or the second time

JOBS = ("J000000012", "J000000013", "       888", "12/A", "Ü-7", "O'NEIL")
ITEMS = ("FB-1020", "é/1", 'B"4', "50%", "x_y[1]")
CENTERS = ("WELD", "ASSY", "Ö1", "A'B", "50%_[")
WAREHOUSES = ("MAIN", "W2")
OPERATIONS = ("10", "15", "20", "100")


@dataclass(frozen=True, slots=True)
class Kinds:
    """What the cells of a kind may hold."""

    quantity: Cells
    hours: Cells
    efficiency: Cells
    flag: Cells
    moment: Cells
    whole: Cells
    text: Cells
    driver: Cells


def decimals(largest: int, places: int, smallest: int = 0) -> st.SearchStrategy[str]:
    scale = 10**places
    return st.integers(smallest * scale, largest * scale).map(
        lambda units: f"{'-' if units < 0 else ''}{abs(units) // scale}.{abs(units) % scale:0{places}}"
    )


QUANTITIES = st.one_of(
    st.sampled_from(["0.00000000", "1.00000000", "3.00000000", "7.00000000", "10.00000000"]),
    decimals(40, 8, -5),
    decimals(10**6, 8, -(10**6)),
)
HUGE = decimals(10**9, 8, -(10**9))  # the simulator, which keeps numbers as doubles, would round these
MOMENTS = st.sampled_from(
    [
        "20261101 00:30:00.000",
        "20261101 01:15:00.000",  # occurs twice in Chicago
        "20261101 01:30:00.000",
        "20261101 01:45:00.000",
        "20260308 02:30:00.000",  # does not occur in Chicago
        "20261025 02:30:00.000",  # occurs twice in Berlin
        "20260329 02:30:00.000",  # does not occur in Berlin
        "20260405 01:45:00.000",  # occurs twice on Lord Howe, where clocks go back by half an hour
        "20261101 06:30:00.000",
        "20261101 06:29:59.997",
        "20261101 12:00:00",
        "20301231 23:59:59.997",
        "20481231 23:59:59.997",
        "20490101 00:00:00.000",  # no date
        "99991231 00:00:00.000",
        "19000101 00:00:00.000",
        "17530101 00:00:00.000",
    ]
)
CLEAN = Kinds(
    quantity=st.none() | QUANTITIES,
    hours=st.none() | st.sampled_from(["0.00000000", "0.50000000", "1.25000000"]) | decimals(300, 8, -1),
    efficiency=st.none() | st.sampled_from(["0.0", "85.0", "100.0", "120.0", "33.3"]),
    flag=st.none() | st.sampled_from(["0", "1"]),
    moment=st.none() | MOMENTS,
    whole=st.none() | st.integers(-5, 3_000_000).map(str),
    text=st.none() | st.sampled_from(["Bed", "Bett für Bär ", "  ", 'O\'Neil "the" bed', "50%", "日本"]),
    driver=st.none() | st.sampled_from(["M", "L", "m", "", "M "]),
)
UNREADABLE = st.sampled_from(["", "   ", "abc", "1,5", "12.5.1", "--1", "NaN", "inf", "1 2", "٣"])
DIRTY = Kinds(
    quantity=CLEAN.quantity | HUGE | UNREADABLE | st.sampled_from(["+5", " 7 ", "5", "2.", ".5", "-0.00000000"]),
    hours=CLEAN.hours | UNREADABLE,
    efficiency=CLEAN.efficiency | UNREADABLE | st.just("-50.0"),
    flag=CLEAN.flag | st.sampled_from(["", "abc", " 1 ", "2"]),
    moment=CLEAN.moment
    | st.sampled_from(
        ["", "never", "20260230 00:00:00.000", "2026-11-01T05:00:00", "20261101", " 20261101 02:00:00 "]
    ),
    whole=CLEAN.whole | UNREADABLE | st.sampled_from(["7.0", "7.5"]),
    text=CLEAN.text | st.text(max_size=8, alphabet=st.characters(codec="utf-8", exclude_categories=["C", "Z"])),
    driver=CLEAN.driver | st.just("X"),
)


def respelled(key: str) -> st.SearchStrategy[str]:
    """Return a key in the spellings that compare equal to it."""
    return st.sampled_from([key, key, key.lower(), f"{key}  ", f" {key}", key.upper()])


@dataclass(frozen=True, slots=True)
class Making:
    """How rows are made: of which cells, and whether their keys are spelled in several ways."""

    cells: Kinds
    spelled: bool

    def key(self, *keys: str) -> st.SearchStrategy[str]:
        chosen = st.sampled_from(keys)
        return chosen.flatmap(respelled) if self.spelled else chosen

    def rows(self, keys: Sequence[Sequence[str]], **cells: Cells) -> st.SearchStrategy[list[Row]]:
        """Return rows of which no two have the same natural key; `keys` holds the pool of each part."""
        row = st.fixed_dictionaries(cells)
        names = [name for name in cells if name in {"Job", "Suffix", "OperNum", "Item", "Whse", "Wc"}]
        parts = names[: len(keys)]
        return st.lists(
            row, min_size=2, max_size=9, unique_by=lambda made: tuple(folded(made[name]) for name in parts)
        )

    def jobs(self) -> st.SearchStrategy[list[Row]]:
        kinds = self.cells
        return self.rows(
            (JOBS, ("0", "1")),
            Job=self.key(*JOBS),
            Suffix=st.sampled_from(["0", "0", "1"]),
            Type=st.sampled_from(["J", "J", "J", "S", "E"]),
            Stat=st.sampled_from(["R", "R", "R", "C", "F"]),
            Item=self.key(*ITEMS, "gone") | st.none(),
            Whse=self.key(*WAREHOUSES) | st.none(),
            QtyReleased=st.sampled_from(["10.00000000", "25.00000000"]) | kinds.quantity,
            CustNum=st.sampled_from([None, "    888", "C000012", "  "]),
            OrdType=st.sampled_from(["O", "O", "I", None, "o"]),
            OrdNum=st.sampled_from(["CO00000012", "   1000234", None, ""]),
            OrdLine=kinds.whole,
            JschPriority=kinds.whole,
            JschEndDate=kinds.moment,
        )

    def routes(self) -> st.SearchStrategy[list[Row]]:
        kinds = self.cells
        return self.rows(
            (JOBS, ("0", "1"), OPERATIONS),
            Job=st.sampled_from(JOBS),
            Suffix=st.sampled_from(["0", "0", "1"]),
            OperNum=st.sampled_from(OPERATIONS),
            Wc=self.key(*CENTERS) | st.none(),
            QtyReceived=kinds.quantity,
            QtyComplete=kinds.quantity,
            QtyScrapped=st.sampled_from(["0.00000000", "1.00000000", "2.50000000"]) | kinds.quantity,
            Complete=kinds.flag,
            SetupHrsT=st.just("0.00000000") | kinds.hours,
            Efficiency=kinds.efficiency,
        )

    def schedules(self) -> st.SearchStrategy[list[Row]]:
        kinds = self.cells
        return self.rows(
            (JOBS, ("0", "1"), OPERATIONS),
            Job=self.key(*JOBS),
            Suffix=st.sampled_from(["0", "0", "1"]),
            OperNum=st.sampled_from(OPERATIONS),
            StartDate=kinds.moment,
            EndDate=kinds.moment,
            SchedDrv=kinds.driver,
            SetupHrs=kinds.hours,
            RunLbrHrs=kinds.hours,
            RunMchHrs=kinds.hours,
            SchedHrs=kinds.hours,
        )

    def plant(self) -> "st.SearchStrategy[dict[str, list[Row]]]":
        """Return the six collections, with the properties that the operations join from the others."""
        kinds = self.cells
        stock = {"Item": self.key(*ITEMS), "Whse": self.key(*WAREHOUSES), "QtyOnHand": kinds.quantity}
        tables = st.fixed_dictionaries(
            {
                "SLJobs": self.jobs(),
                "SLJobRoutes": self.routes(),
                "SLJrtSchs": self.schedules(),
                "SLItems": self.rows((ITEMS,), Item=self.key(*ITEMS), Description=kinds.text),
                "SLItemwhses": self.rows((ITEMS, WAREHOUSES), **stock),
                "SLWcs": self.rows((CENTERS,), Wc=self.key(*CENTERS), Description=kinds.text),
            }
        )
        return tables.map(aligned).map(joined)


def folded(cell: Cell) -> str:
    return (cell or "").strip().casefold()


def aligned(tables: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """Return the tables with most operations in jobs that exist, and most schedules of operations that exist."""
    stored = {folded(key): key for key in JOBS}
    jobs = [(stored[folded(row["Job"])], row["Suffix"]) for row in tables["SLJobs"]]
    for number, row in enumerate(tables["SLJobRoutes"]):
        if jobs and number % 5 != 4:
            row["Job"], row["Suffix"] = jobs[number // 3 % len(jobs)]
    operations = unique(tables["SLJobRoutes"])
    for row, operation in zip(tables["SLJrtSchs"], operations, strict=False):
        row |= {name: operation[name] for name in ("Job", "Suffix", "OperNum")}
    return tables | {"SLJobRoutes": operations, "SLJrtSchs": unique(tables["SLJrtSchs"])}


def unique(rows: Sequence[Row]) -> list[Row]:
    """Return the rows without those whose operation another row is of."""
    return list({_operation(row): row for row in rows}.values())


def joined(tables: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """Return the tables with what SLJobRoutes shows of the rows it joins."""
    jobs = {(folded(row["Job"]), row["Suffix"]): row for row in tables["SLJobs"]}
    items = {folded(row["Item"]): row for row in tables["SLItems"]}
    centers = {folded(row["Wc"]): row for row in tables["SLWcs"]}
    plans = {_operation(row): row for row in tables["SLJrtSchs"]}
    planned = ("StartDate", "EndDate", "SchedDrv", "SetupHrs", "RunLbrHrs", "RunMchHrs", "SchedHrs")
    for row in tables["SLJobRoutes"]:
        job = jobs.get((folded(row["Job"]), row["Suffix"]), {})
        row["Type"], row["JobStat"], row["JobItem"] = job.get("Type"), job.get("Stat"), job.get("Item")
        row["ItmDescription"] = items.get(folded(job.get("Item")), {}).get("Description")
        row["WcDescription"] = centers.get(folded(row["Wc"]), {}).get("Description")
        row |= {f"Jsh{name}": plans.get(_operation(row), {}).get(name) for name in planned}
    return tables


def _operation(row: Row) -> tuple[str, Cell, Cell]:
    return folded(row["Job"]), row["Suffix"], row["OperNum"]


@dataclass
class WholeTables:
    """A source that gives whole collections whatever the filter: a wider read must not change an answer."""

    tables: Mapping[str, Sequence[Row]]
    denied: frozenset[str] = frozenset()
    asked: list[ido.LoadRequest] = field(default_factory=list)

    async def property_names(self, collection: str) -> frozenset[str]:
        return frozenset(name.casefold() for row in self.tables[collection] for name in row)

    async def page(self, request: ido.LoadRequest, _: object = None) -> ido.Page:
        self.asked.append(request)
        if request.collection in self.denied:
            raise UpstreamDenied(request.collection, "User requires [Read] privilege")
        rows = self.tables[request.collection]
        columns = {name: [row[name] for row in rows] for name in request.properties}
        return ido.Page(columns, len(rows), bookmark=None, more_rows=False)
