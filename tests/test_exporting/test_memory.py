"""However long a collection is, an export holds a few pages of it."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from kai_erp.core import ido
from kai_erp.core.traits import Traits
from kai_erp.core.types import IDOSpec, Property, PropertyType
from kai_erp.exporting import parts, streams
from kai_erp.exporting.parts import State, open_parts
from kai_erp.exporting.targets import Target
from kai_erp.exporting.walks import CollectionWalk
from tests.conftest import HandClock
from tests.test_connectors.tables import NOW

ROWS = 1_000
SPEC = IDOSpec(
    "SLWcs",
    (Property("Wc", PropertyType.KEY), Property("Qty", PropertyType.DECIMAL), Property("Description")),
    key=("Wc",),
)


class Endless:
    """So many pages of a thousand rows."""

    def __init__(self, pages: int) -> None:
        self.pages = pages

    async def property_names(self, collection: str) -> frozenset[str]:
        raise AssertionError(collection)

    async def page(self, request: ido.LoadRequest, _: object = None) -> ido.Page:
        number = int(request.bookmark or 0)
        keys = [f"{row:08}" for row in range(number * ROWS, (number + 1) * ROWS)]
        columns: dict[str, list[str | None]] = {
            "Wc": [*keys],
            "Qty": [f"{key}.25" for key in keys],
            "Description": [key * 4 for key in keys],
        }
        return ido.Page(columns, ROWS, str(number + 1), more_rows=number + 1 < self.pages)


async def held(pages: int, target: Target) -> int:
    """Return the most bytes of Arrow that an export of so many pages held after any of them."""
    zone = ZoneInfo("UTC")
    before, most = pa.total_allocated_bytes(), 0
    growing = open_parts(target, zone, State(question={}, format="", columns=[], version="", started=NOW))
    walk = CollectionWalk(SPEC, Endless(pages), Traits(HandClock()), ROWS, zone, NOW)
    async for rows, place in walk.pages(None):
        growing.add(rows, place)
        most = max(most, pa.total_allocated_bytes() - before)
    growing.end(NOW, [])
    growing.finish()
    return most


@pytest.mark.parametrize("name", ["rows.parquet", "rows.csv"])
async def test_four_times_the_rows_take_no_more_memory(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "FLUSH_ROWS", 10_000)
    few = await held(50, Target.of(str(tmp_path / f"few-{name}"), None))
    many = await held(200, Target.of(str(tmp_path / f"many-{name}"), None))
    assert 0 < many <= 1.3 * few


async def test_many_bytes_make_a_part_before_many_rows_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "FLUSH_BYTES", 100_000)
    target = Target.of(str(tmp_path / "rows"), None)
    await held(10, target)
    assert len(list(target.path.iterdir())) > 1


def test_the_rows_of_one_key_stay_together_across_pages() -> None:
    first, second = pa.table({"job": ["a", "a", "b"]}), pa.table({"job": ["b", "c", None, None]})
    whole, waiting = streams._cut(first, "job")
    assert (whole["job"].to_pylist(), waiting["job"].to_pylist()) == (["a", "a"], ["b"])
    whole, waiting = streams._cut(pa.concat_tables([waiting, second]), "job")
    assert (whole["job"].to_pylist(), waiting["job"].to_pylist()) == (["b", "b", "c"], [None, None])
    empty = first.slice(0, 0)
    assert streams._cut(empty, "job") == (empty, empty)
