"""Long collections in parts: no row is lost, whatever the server's order; and the parts are even."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_erp.core import ido
from kai_erp.core.ranging import Cuts, RangedWalk, cut_between, cut_evenly
from kai_erp.core.reading import Reading, ReadingRules
from kai_erp.core.rest_engine import RestEngine
from kai_erp.core.traits import Traits
from kai_erp.core.types import IDOSpec, KeySource, Property
from kai_erp.core.walking import Ahead, Walk, keep_once
from kai_erp.errors import FilterRefused, TooManyRows, UpstreamDenied
from tests.test_core.fakes import Clock, Row, Tables, now

PAGE = 10
KEYS = [f"J{number:09}" for number in range(1, 101)]


@dataclass
class Server:
    """Serves keys in its own order, in pages; understands the filters that parts have, and bookmarks."""

    keys: list[str]
    rank: Callable[[str], object] = str
    refuses: str = ""
    descends: bool = True
    asked: list[ido.LoadRequest] = field(default_factory=list)
    together: int = 0
    glimpsed: bool = False
    _now: int = 0

    async def page(self, request: ido.LoadRequest, ahead: Ahead | None = None) -> ido.Page:
        self.asked.append(request)
        self._now += 1
        self.together = max(self.together, self._now)
        await asyncio.sleep(0.001)
        self._now -= 1
        if self.refuses and self.refuses in (request.filter or ""):
            raise FilterRefused(request.collection, "no")
        rows = sorted((key for key in self.keys if self._lets(key, request.filter)), key=self.rank)  # type: ignore[arg-type]
        if request.order_by[0].endswith(" DESC") and self.descends:
            rows.reverse()
        start = int(request.bookmark or 0)
        got = rows[start : start + request.record_cap]
        more = start + len(got) < len(rows)
        if self.glimpsed and more and ahead is not None:
            ahead(replace(request, bookmark=str(start + len(got)), load_type="NEXT"))
            await asyncio.sleep(0)
        return ido.Page({"Job": list(got)}, len(got), str(start + len(got)), more)

    async def property_names(self, collection: str) -> frozenset[str]:  # noqa: ARG002
        return frozenset()

    def _lets(self, key: str, condition: str | None) -> bool:
        for term in (condition or "").split(" AND "):
            _, operator, literal = term.split(" ", 2) if term else ("", "", "")
            bound = self.rank(literal.strip("'"))
            mine = self.rank(key)
            if (operator == ">=" and mine < bound) or (operator == "<" and mine >= bound):  # type: ignore[operator]
                return False
        return True


def walk_of(server: Server, on_rows: Callable[[int], None] = lambda _: None) -> Walk:
    return Walk(server, ido.LoadRequest("SLJobs", ("Job",), order_by=("Job",), record_cap=PAGE), None, on_rows)


def read(server: Server, cuts: Cuts, on_rows: Callable[[int], None] = lambda _: None) -> list[str | None]:
    rows = asyncio.run(RangedWalk(walk_of(server, on_rows), cuts).read())
    found: list[str | None] = keep_once(rows, ("Job",))["Job"].to_pylist()
    return found


def test_a_first_read_cuts_between_the_first_page_and_the_greatest_key() -> None:
    server = Server(KEYS)
    assert read(server, Cuts(4, Clock())) == KEYS
    assert [request.order_by for request in server.asked[:2]] == [("Job",), ("Job DESC",)]
    assert server.together == 4


def test_later_reads_begin_with_even_parts() -> None:
    server, cuts = Server(KEYS), Cuts(5, Clock())
    read(server, cuts)
    server.asked.clear()
    assert read(server, cuts) == KEYS
    assert (len(server.asked) <= 11, server.together) == (True, 5)


@pytest.mark.parametrize("limit", [5, 25, 45, 60, 95, 99, 100, 150])
async def test_parts_that_run_ahead_ask_for_no_more_pages_than_parts_that_do_not(limit: int) -> None:
    pages = []
    for glimpsed in (False, True):
        server, clock = Server(KEYS * 3, glimpsed=glimpsed), Clock()
        rules = ReadingRules(PAGE, clock, now, Traits(clock), Cuts(6, clock))
        for most in (None, limit):
            server.asked.clear()
            spec = IDOSpec("SLJobs", (Property("Job"),), key=("Job",), driving=True)
            with suppress(TooManyRows):
                await Reading(spec, server, replace(rules, row_limit=most)).run(None)
        pages.append(len(server.asked))
    assert pages[1] <= pages[0]


def test_rows_come_whole_when_parts_run_ahead() -> None:
    server, cuts = Server(KEYS, glimpsed=True), Cuts(4, Clock())
    assert read(server, cuts) == read(server, cuts) == KEYS
    assert len({(request.filter, request.bookmark) for request in server.asked[-8:]}) == 8


def test_no_more_parts_than_pages() -> None:
    server, cuts = Server(KEYS[:15]), Cuts(8, Clock())
    read(server, cuts)
    server.asked.clear()
    assert read(server, cuts) == KEYS[:15]
    assert len(server.asked) == 2


def test_one_page_is_one_part() -> None:
    server, cuts = Server(KEYS[:5]), Cuts(8, Clock())
    assert read(server, cuts) == read(server, cuts) == KEYS[:5]
    assert len(server.asked) == 3


def test_cuts_are_forgotten_after_an_hour() -> None:
    clock = Clock()
    cuts = Cuts(4, clock)
    cuts.remember("read", pa.chunked_array([KEYS]), PAGE)
    assert cuts.recall("read") == ("J000000026", "J000000051", "J000000076")
    clock.seconds += 3_601
    assert cuts.recall("read") is None


def test_a_server_that_does_not_sort_downwards_costs_time_only() -> None:
    assert read(Server(KEYS, descends=False), Cuts(4, Clock())) == KEYS


def test_a_server_that_refuses_parts_is_read_page_by_page_and_counted_once() -> None:
    counted: list[int] = []
    server = Server(KEYS, refuses="Job >=")
    assert read(server, Cuts(4, Clock()), counted.append) == KEYS
    assert sum(counted) == 100


def test_a_limit_ends_all_parts() -> None:
    def limited(rows: int) -> None:
        limited.total += rows  # type: ignore[attr-defined]
        if limited.total > 30:  # type: ignore[attr-defined]
            raise TooManyRows(31, 30)

    limited.total = 0  # type: ignore[attr-defined]
    server = Server(KEYS)
    with pytest.raises(TooManyRows):
        read(server, Cuts(4, Clock()), limited)
    assert len(server.asked) < 10


@given(
    st.lists(st.text("abJ0129 ", min_size=1, max_size=4), min_size=1, max_size=60, unique=True),
    st.lists(st.text("abJ0129 ", min_size=1, max_size=4), max_size=6),
    st.sampled_from([str, str.casefold, lambda key: key[::-1], lambda key: [-ord(letter) for letter in key]]),
)
def test_parts_hold_every_row_whatever_the_order_and_the_cuts(
    keys: list[str], cuts: list[str], rank: Callable[[str], object]
) -> None:
    known = Cuts(8, Clock())
    known.remember(("SLJobs", None), pa.chunked_array([cuts], pa.string()), 1)
    assert {key.strip().casefold() for key in read(Server(keys, rank), known) if key} >= {
        key.strip().casefold() for key in keys
    }


@given(
    st.lists(st.text("abJ0129 ", min_size=1, max_size=4), min_size=1, max_size=60, unique=True),
    st.sampled_from([str, str.casefold, lambda key: key[::-1], lambda key: [-ord(letter) for letter in key]]),
)
def test_a_first_read_holds_every_row_whatever_the_order(keys: list[str], rank: Callable[[str], object]) -> None:
    found = read(Server(keys, rank), Cuts(4, Clock()))
    assert {key.strip().casefold() for key in found if key} == {key.strip().casefold() for key in keys}


@pytest.mark.parametrize(
    ("low", "high", "cuts"),
    [
        ("J000000010", "J000000050", ("J000000020", "J000000030", "J000000040")),
        ("    8", "   48", ("   18", "   28", "   38")),
        ("00", "02", ("01",)),
        ("J1", "K9", ()),
        ("J1", "J10", ()),
        ("Jx", "Jy", ()),
        ("J5", "J5", ()),
        ("J5", "J1", ()),
        (None, "J1", ()),
        ("J1", None, ()),
    ],
)
def test_cuts_between_two_keys(low: str | None, high: str | None, cuts: tuple[str, ...]) -> None:
    assert cut_between(low, high, 4) == cuts


def test_rows_of_one_key_are_not_cut() -> None:
    assert cut_evenly(pa.chunked_array([["a", "a", "a", "b", None, None]]), 6) == ("a", "b")


# Within the engine

JOBS = IDOSpec("SLJobs", (Property("Job"),), key=("Job",), driving=True)
TIMES = IDOSpec(
    "SLJrtSchs",
    (Property("Job"), Property("Hrs")),
    key=("Job",),
    required=False,
    keys_from=(KeySource("SLJobs", "Job", "Job"),),
    eager=True,
)
DATA: dict[str, list[Row]] = {
    "SLJobs": [{"Job": "1"}, {"Job": "2"}],
    "SLJrtSchs": [{"Job": str(number), "Hrs": "1"} for number in range(1, 8)],
}


def engine(tables: Tables, page_size: int) -> RestEngine:
    return RestEngine(tables, page_size=page_size, clock=Clock(), now=now)


async def test_a_small_collection_is_read_whole_without_waiting_for_keys() -> None:
    tables = Tables(DATA)
    reads = await engine(tables, 100).parallel_fetch([JOBS, TIMES])
    assert reads["SLJrtSchs"].table.num_rows == 7
    assert tables.filters("SLJrtSchs") == [None]


async def test_a_large_collection_is_read_by_keys_and_known_to_be_large() -> None:
    tables = Tables(DATA)
    slow = engine(tables, 5)
    for filters in ([None, "Job IN ('1','2')"], ["Job IN ('1','2')"]):
        tables.asked.clear()
        reads = await slow.parallel_fetch([JOBS, TIMES])
        assert reads["SLJrtSchs"].table["Job"].to_pylist() == ["1", "2"]
        assert tables.filters("SLJrtSchs") == filters


@dataclass
class Clamping(Tables):
    """Gives two rows a page at most, whatever is asked for, and does not always say whether more remain."""

    says: bool = True

    async def page(self, request: ido.LoadRequest, _: object = None) -> ido.Page:
        page = await super().page(replace(request, record_cap=2))
        return page if self.says else replace(page, more_rows=None)


@pytest.mark.parametrize("says", [True, False])
async def test_a_server_that_clamps_its_pages_is_not_walked_at_a_glance(says: bool) -> None:
    tables = Clamping(DATA, says=says)
    reads = await engine(tables, 100).parallel_fetch([JOBS, TIMES])
    assert reads["SLJrtSchs"].table["Job"].to_pylist() == ["1", "2"]
    assert tables.filters("SLJrtSchs")[:3] == [None, None, "Job IN ('1','2')"]


async def test_a_server_that_does_not_say_whether_rows_remain_is_read_whole_all_the_same() -> None:
    tables = Clamping({**DATA, "SLJrtSchs": DATA["SLJrtSchs"][:2]}, says=False)
    reads = await engine(tables, 100).parallel_fetch([JOBS, TIMES])
    assert reads["SLJrtSchs"].table.num_rows == 2
    assert tables.filters("SLJrtSchs") == [None, None]


async def test_a_collection_that_shows_no_rows_at_a_glance_is_asked_by_keys() -> None:
    tables = Tables({**DATA, "SLJrtSchs": []})
    await engine(tables, 100).parallel_fetch([JOBS, TIMES])
    assert tables.filters("SLJrtSchs") == [None, "Job IN ('1','2')"]


async def test_a_denial_at_a_glance_is_told_and_not_asked_for_again() -> None:
    tables = Tables(DATA, {"SLJrtSchs": [UpstreamDenied("SLJrtSchs", "no right")]})
    reads = await engine(tables, 100).parallel_fetch([JOBS, TIMES])
    assert reads["SLJrtSchs"].report.status == "denied"
    assert tables.filters("SLJrtSchs") == [None]
