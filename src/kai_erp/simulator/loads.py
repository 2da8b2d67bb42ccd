"""Answer a load: select, cut the page out, write it with its bookmark."""

from collections.abc import Container, Sequence
from dataclasses import dataclass

import orjson

from kai_erp.simulator.bookmarks import Bookmark, Values, read_bookmark
from kai_erp.simulator.collection import Collection
from kai_erp.simulator.columns import Column
from kai_erp.simulator.load_requests import Direction, LoadRequest
from kai_erp.simulator.refusals import BadBookmark
from kai_erp.simulator.selections import Selection


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a selection, in the order they are delivered."""

    rows: Sequence[int]
    more: bool
    bookmark: str | None


@dataclass(frozen=True, slots=True)
class Manner:
    """How a server writes a page: what it leaves out, and how it spells the names in a row.

    A custom load method fills only its `results` and gives every row one `handle` that leads to none.
    """

    item_id: bool = True
    more_rows: bool = True
    lower_case: bool = False
    null_when_empty: bool = False
    results: Container[str] | None = None
    handle: str | None = None


def cut(selection: Selection, request: LoadRequest) -> Page:
    """Return the page of the selection that is asked for, or raise BadBookmark."""
    bookmark = _bookmark(selection, request)
    low, high = reach(selection, request.direction, bookmark)
    cap = request.cap or high - low
    more = high - low > cap
    if request.forward:
        rows = selection.rows[low : min(low + cap, high)]
    else:
        rows = selection.rows[max(high - cap, low) : high][::-1]
    return Page(rows, more, _write_bookmark(selection, rows))


def _bookmark(selection: Selection, request: LoadRequest) -> Bookmark | None:
    if not request.onward:
        return None
    bookmark = read_bookmark(request.bookmark)
    names = tuple(column.name for column in selection.columns)
    if bookmark and (bookmark.names, bookmark.descending) != (names, selection.descending):
        raise BadBookmark
    return bookmark


def reach(selection: Selection, direction: Direction, bookmark: Bookmark | None) -> tuple[int, int]:
    """Return the part of the selection that lies in that direction of the bookmarked page.

    Pages of LAST and PREVIOUS run backwards, so that their first row is the later one.
    """
    if bookmark is None:
        return 0, len(selection.rows)
    places = (bookmark.first, bookmark.last)
    if direction is Direction.NEXT:
        return max(selection.position(place, after=True) for place in places), len(selection.rows)
    return 0, min(selection.position(place, after=False) for place in places)


def _write_bookmark(selection: Selection, rows: Sequence[int]) -> str | None:
    if not rows:
        return None
    names = tuple(column.name for column in selection.columns)
    return Bookmark(names, selection.descending, *ends(selection, rows)).write()


def ends(selection: Selection, rows: Sequence[int]) -> tuple[Values, Values]:
    """Return the ordering values of the first and of the last of some rows."""
    values = [column.wire((rows[0], rows[-1])) for column in selection.columns]
    return tuple(value[0] for value in values), tuple(value[1] for value in values)


def write_page(page: Page, columns: Sequence[Column], collection: Collection, manner: Manner) -> bytes:
    """Return the answer of a load as JSON."""
    values = [_values(column, page.rows, manner) for column in columns]
    names = [column.name.lower() if manner.lower_case else column.name for column in columns]
    if manner.item_id:
        names.append("_ItemId")
        handle = manner.handle
        values.append(item_ids(collection, page.rows) if handle is None else [handle] * len(page.rows))
    items = [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]
    answer: dict[str, object] = {
        "Items": None if manner.null_when_empty and not items else items,
        "Bookmark": page.bookmark,
        "MoreRowsExist": page.more,
        "Success": True,
        "Message": None,
    }
    if not manner.more_rows:
        del answer["MoreRowsExist"]
    return orjson.dumps(answer)


def _values(column: Column, rows: Sequence[int], manner: Manner) -> list[str | None]:
    if manner.results is None or column.name in manner.results:
        return column.wire(rows)
    return [None] * len(rows)


def item_ids(collection: Collection, rows: Sequence[int]) -> list[str | None]:
    """Return the handles of rows: base table, record date and row pointer."""
    table = collection.table.name
    dates = collection.columns["RecordDate"].wire(rows)
    pointers = collection.columns["RowPointer"].wire(rows)
    return [
        f"PBT=[{table}] {table}.DT=[{_dashed(date)}] {table}.ID=[{pointer}]"
        for date, pointer in zip(dates, pointers, strict=True)
    ]


def _dashed(date: str | None) -> str:
    return f"{date[:4]}-{date[4:6]}-{date[6:]}" if date else ""
