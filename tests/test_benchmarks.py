"""The benchmark's own parts: the mock gives its rows, results survive being kept, table and picture show them."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote, urlencode
from xml.etree import ElementTree as ET

import pytest

from benchmarks import plot, report
from benchmarks.bars import Bar
from benchmarks.mock_erp import Pages
from benchmarks.mock_filters import Filter
from benchmarks.mock_rows import COLUMNS, Plant
from benchmarks.rivals.serving import digest
from benchmarks.run import write_docs

PLANT = Plant(100)
BARS = [
    Bar("over HTTP / engine", 1.3, 1.11, ms=(743.2, 669.4)),
    Bar("CPU / naive", 0.25, 0.5, note="<busy>"),
    Bar("throughput", 3.0, 4.5, at_least=True),
    Bar("export", 1.3, note="there is none"),
]


def walked(collection: str, **params: str) -> list[dict[str, str | None]]:
    """Return the rows of a collection, page by page."""
    pages, rows, asked = Pages(PLANT), [], params
    while True:
        page = json.loads(pages.page(f"/load/{collection}?{urlencode(asked, quote_via=quote)}"))
        rows += page["Items"]
        if not page["MoreRowsExist"]:
            return rows
        asked = {**params, "bookmark": page["Bookmark"], "loadType": "NEXT"}


@pytest.mark.parametrize("collection", COLUMNS)
def test_pages_put_together_are_the_rows(collection: str) -> None:
    rows = walked(collection, recordCap="7", readOnly="true")
    names = COLUMNS[collection]
    assert [tuple(row[name] for name in names) for row in rows] == PLANT.collections[collection]


def test_a_walk_of_filtered_ranges_gives_every_row_once() -> None:
    cut = "J000000017"
    filters = [f"(Type = 'J') AND (Job < '{cut}')", f"(Type = 'J') AND (Job >= '{cut}')"]
    found = [row for text in filters for row in walked("SLJobs", filter=text, recordCap="5", properties="Job")]
    assert [row["Job"] for row in found] == [row[0] for row in PLANT.collections["SLJobs"]]


@pytest.mark.parametrize(
    ("condition", "jobs"),
    [
        ("Job IN ('J000000001','J000000003')", ["J000000001", "J000000003"]),
        ("Job = 'J000000001' OR Job = 'J000000002'", ["J000000001", "J000000002"]),
        ("Suffix = 0 AND Job < 'J000000001'", ["J000000000"]),
        ("(Stat <> 'R' OR CustNum IS NULL) AND Job <= 'J000000003'", ["J000000000", "J000000003"]),
    ],
)
def test_filters_choose_rows(condition: str, jobs: list[str]) -> None:
    assert [row["Job"] for row in walked("SLJobs", filter=condition, recordCap="0")] == jobs


def test_a_filter_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot read"):
        Filter("Job = 'x' ; DROP", {"Job": 0})


def test_a_digest_depends_on_values_and_not_on_their_order_or_form() -> None:
    one, other = {"job": "J1", "qty_released": 5}, {"job": "J2", "qty_released": 7.5}
    same = {"job": "J1 ", "qty_released": "5.00000000"}
    assert digest([one, other]) == digest([other, same])
    assert digest([one]) != digest([{**one, "qty_released": 6}])


def test_a_bar_says_whether_it_keeps_to_its_limit() -> None:
    assert [bar.verdict for bar in BARS] == ["ok", "missed", "ok", "skipped"]


def test_results_are_read_back_as_they_were_kept(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    report.keep({"one": BARS[:2]}, 7, file)
    report.keep({"two": BARS[2:]}, 3, file)
    kept = report.kept(file)
    assert kept.bars(["two", "one"]) == [*BARS[2:], *BARS[:2]]
    assert kept.rounds == {"one": 7, "two": 3}


def test_the_table_has_a_line_for_each_bar() -> None:
    lines = report.table(BARS).splitlines()[2:]
    assert lines[0] == "| over HTTP / engine | 1.11 | ≤ 1.3 | ok | 743 / 669 ms |"
    assert [line.split("|")[4].strip() for line in lines] == ["ok", "missed", "ok", "skipped"]


def test_the_picture_shows_each_ratio_as_a_share_of_its_limit() -> None:
    drawn = ET.fromstring(plot.picture(BARS))  # noqa: S314  # our own
    lengths = {
        element.get("class"): float(element.get("width", "0"))
        for element in drawn.iter("{http://www.w3.org/2000/svg}rect")
    }
    assert lengths["missed"] == lengths["track"]  # twice its limit is as long as a bar gets
    assert plot.share(BARS[2]) == pytest.approx(3.0 / 4.5)


def test_the_page_gets_table_and_picture_between_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text("before\n<!-- results -->old<!-- end of results -->\nafter\n")
    file = tmp_path / "bench.json"
    report.keep({"http": BARS[:1]}, 5, file)
    write_docs(report.kept(file), tmp_path)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert "| over HTTP / engine | 1.11 |" in text
    assert "over HTTP / engine" in (tmp_path / "images" / "benchmarks.svg").read_text()
