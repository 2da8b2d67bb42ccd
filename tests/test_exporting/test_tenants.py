"""Walks over tenants that lack a property, are slow, drop bookmarks or write them long."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from kai_erp.config import Settings
from kai_erp.core import ido
from kai_erp.core.traits import Traits
from kai_erp.core.types import IDOSpec, Property, PropertyType
from kai_erp.errors import BookmarkLoop, PageTimedOut, PropertyMissing
from kai_erp.exporting import run_export
from kai_erp.exporting.parts import Place
from kai_erp.exporting.walks import CollectionWalk, PlaceLost
from kai_erp.simulator import DropBookmark, Fault, Plant, RepeatBookmark, RunningSimulator
from tests.conftest import HandClock, SettingsFor, Simulate
from tests.test_connectors.tables import NOW
from tests.test_exporting.exporting import in_order, job_export, jobs_of, read_back

SPEC = IDOSpec("SLWcs", (Property("Wc", PropertyType.KEY), Property("Count", PropertyType.INTEGER)), key=("Wc",))


class Server:
    """Rows `00000`, `00001` … in pages, by bookmark or after a key; pages larger than `bearable` take too long.

    A `shy` one gives no rows when properties are named.
    """

    def __init__(
        self, rows: int, *, bearable: int = 1_000, lacking: str = "", mark: str = "after {}", shy: bool = False
    ) -> None:
        self.keys = [f"{number:05}" for number in range(rows)]
        self.bearable, self.lacking, self.mark, self.shy = bearable, lacking, mark, shy
        self.asked: list[ido.LoadRequest] = []

    async def property_names(self, collection: str) -> frozenset[str]:
        raise AssertionError(collection)

    async def page(self, request: ido.LoadRequest, _: object = None) -> ido.Page:
        self.asked.append(request)
        if self.lacking in request.properties:
            raise PropertyMissing(request.collection, self.lacking)
        if request.record_cap > self.bearable:
            raise PageTimedOut("too slow")
        if self.shy and not request.unlisted:
            return ido.Page({name: [] for name in request.properties}, 0, None, more_rows=False)
        start = self._start(request)
        keys = self.keys[start : start + request.record_cap]
        columns: dict[str, list[str | None]] = {
            "Wc": [*keys],
            "Count": [key if index else "much" for index, key in enumerate(keys)],
        }
        more = start + len(keys) < len(self.keys)
        mark = self.mark.format(keys[-1]) if keys else None
        return ido.Page({name: columns[name] for name in request.properties}, len(keys), mark, more)

    def _start(self, request: ido.LoadRequest) -> int:
        place = request.bookmark or request.after
        digits = "".join(character for character in place or "" if character.isdigit())
        return self.keys.index(digits[-5:]) + 1 if digits else 0


def walk_of(server: Server, page_size: int = 100) -> CollectionWalk:
    return CollectionWalk(SPEC, server, Traits(HandClock()), page_size, ZoneInfo("UTC"), NOW)


async def rows_of(walk: CollectionWalk, place: Place | None = None) -> tuple[pa.Table, list[Place | None]]:
    pages = [page async for page in walk.pages(place)]
    return pa.concat_tables([rows for rows, _ in pages]), [reached for _, reached in pages]


async def test_a_property_that_the_tenant_lacks_is_null_with_a_warning() -> None:
    walk = walk_of(Server(250, lacking="Count"))
    rows, places = await rows_of(walk)
    assert rows["Count"].null_count == rows.num_rows == 250
    assert [notice.code for notice in walk.notices()] == ["property_missing"]
    assert [place.lacking if place else None for place in places] == [["count"], ["count"], None]


async def test_what_a_tenant_lacks_is_known_where_a_walk_goes_on() -> None:
    server = Server(250, lacking="Count")
    _, places = await rows_of(walk_of(server))
    server.asked.clear()
    rows, _ = await rows_of(walk_of(server), places[0])
    assert rows["Wc"].to_pylist() == server.keys[100:]
    assert [request.properties for request in server.asked] == [("Wc",), ("Wc",)]


async def test_values_that_cannot_be_read_are_counted() -> None:
    walk = walk_of(Server(250))
    rows, _ = await rows_of(walk)
    assert rows["Count"].null_count == 3
    assert "3 values of SLWcs.Count" in walk.notices()[0].message


async def test_a_first_page_that_is_too_slow_is_halved() -> None:
    server = Server(90, bearable=30)
    rows, _ = await rows_of(walk_of(server))
    assert rows["Wc"].to_pylist() == server.keys
    assert {request.record_cap for request in server.asked} == {100, 50, 25}


async def test_a_later_page_that_is_too_slow_is_read_smaller_after_the_last_key() -> None:
    server = Server(300)
    walk = walk_of(server)
    pages = walk.pages(None)
    first, _ = await anext(pages)
    server.bearable = 60
    rest = [rows async for rows, _ in pages]
    assert pa.concat_tables([first, *rest])["Wc"].to_pylist() == server.keys
    assert [request.bookmark for request in server.asked[1:3]] == ["after 00099", None]
    assert "'00099'" in str(server.asked[2].after)


async def test_a_page_that_is_too_slow_at_the_smallest_size_ends_the_walk() -> None:
    with pytest.raises(PageTimedOut):
        await rows_of(walk_of(Server(300, bearable=0)))


async def test_a_bookmark_that_is_too_long_is_replaced_by_the_last_key() -> None:
    server = Server(250, mark="x" * 3_000 + "{}")
    rows, places = await rows_of(walk_of(server))
    assert rows["Wc"].to_pylist() == server.keys
    assert places[0] is not None
    assert (places[0].bookmark, "00099" in str(places[0].after)) == (None, True)


async def test_a_place_that_is_refused_is_lost() -> None:
    place = Place(bookmark="after 00099", after=None, record_cap=100, unlisted=False, lacking=[])
    with pytest.raises(PlaceLost):
        await rows_of(walk_of(Server(250, lacking="Count")), place)


@pytest.mark.parametrize("action", [RepeatBookmark(), DropBookmark()])
async def test_a_bookmark_that_does_not_move_on_ends_the_walk(
    action: RepeatBookmark | DropBookmark, simulator: RunningSimulator, settings: Settings, tmp_path: Path
) -> None:
    simulator.state.faults.add(Fault(action, on="SLJobs", page=2, times=None))
    with pytest.raises(BookmarkLoop):
        await run_export(job_export(tmp_path / "jobs.csv"), settings.model_copy(update={"sl10_page_size": 100}))
    assert not (tmp_path / "jobs.csv").exists()


async def test_a_tenant_that_gives_no_rows_of_named_properties_is_asked_without() -> None:
    server = Server(250, shy=True)
    rows, places = await rows_of(walk_of(server))
    assert rows["Wc"].to_pylist() == server.keys
    assert [request.unlisted for request in server.asked] == [False, True, True, True]
    assert places[0] is not None
    assert places[0].unlisted


async def test_a_collection_without_rows_is_empty() -> None:
    rows, places = await rows_of(walk_of(Server(0)))
    assert (rows.num_rows, rows.column_names, places) == (0, ["Wc", "Count"], [None])


@pytest.mark.parametrize("switches", [{"omit_more_rows_exist": True}, {"max_cap": 30}, {"big_page_limit": 60}])
async def test_servers_that_page_in_their_own_way_give_every_row(
    switches: dict[str, object], simulate: Simulate, settings_for: SettingsFor, plant: Plant, tmp_path: Path
) -> None:
    simulator = simulate()
    simulator.state.turn(switches)
    settings = settings_for(simulator, sl10_page_size=100)
    export = job_export(tmp_path / "jobs")
    await run_export(export, settings)
    assert in_order(read_back(export.target)) == jobs_of(plant)
