"""Custom load methods: made-up stored procedures that select, order and page on their own.

What the framework does for other loads they do or leave: they see neither the filter nor the order of the
request, and their bookmarks are in a form of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import orjson

from kai_erp.simulator.bookmarks import Bookmark
from kai_erp.simulator.collection import Collection
from kai_erp.simulator.load_requests import LoadRequest
from kai_erp.simulator.loads import Page, ends, reach
from kai_erp.simulator.refusals import BadBookmark, TooManyArguments, UnknownMethod
from kai_erp.simulator.selections import Selection

_NOTHING = "<B/>"


@dataclass(frozen=True, slots=True)
class StoredMethod:
    """One method: the IDO it belongs to, the property that each parameter must equal, what it selects.

    Properties that are no result of it are null; every row has the same `handle`, which leads to no row.
    """

    ido: str
    name: str
    parameters: tuple[str, ...]
    where: str
    order_by: str
    results: frozenset[str]
    handle: str

    def rewrite(self, request: LoadRequest) -> LoadRequest:
        """Return the request with the method's own filter and order, or raise TooManyArguments."""
        given = [slot.strip() for slot in request.method_parameters.split(",")]
        if len(given) > len(self.parameters):
            raise TooManyArguments(self.name)
        pairs = zip(self.parameters, given, strict=False)
        terms = [self.where, *(f"{name}={_quoted(value)}" for name, value in pairs if value)]
        return replace(request, filter=" AND ".join(terms), order_by=self.order_by, distinct=False)


_METHODS = (
    StoredMethod(
        "SLJobRoutes",
        "ue_CLM_DispatchList",
        ("Wc", "JobStat"),
        "Type='J'",
        "JshStartDate",
        frozenset({"Job", "Suffix", "OperNum", "Wc", "JobStat", "JshStartDate", "JshEndDate", "QtyReceived"}),
        "",
    ),
    StoredMethod(
        "SLJobs",
        "ue_CLM_OpenJobs",
        ("Item",),
        "Type='J' AND Stat='R'",
        "JschEndDate DESC",
        frozenset({"Job", "Suffix", "Item", "QtyReleased", "QtyComplete", "JschEndDate"}),
        "PBT=[job]",
    ),
)


def find_method(collection: Collection, name: str) -> StoredMethod:
    """Return the method of that name, in any case, of a collection, or raise UnknownMethod."""
    for method in _METHODS:
        if (method.ido, method.name.lower()) == (collection.name, name.lower()):
            return method
    raise UnknownMethod(name, collection.name)


def call(selection: Selection, request: LoadRequest) -> Page:
    """Return the page: the method fetches a row more than the cap, which says whether more exist."""
    fetched = _fetch(selection, request)
    rows = fetched[: request.cap] if request.cap else fetched
    return Page(rows, len(fetched) > len(rows), _write(selection, rows))


def _fetch(selection: Selection, request: LoadRequest) -> Sequence[int]:
    low, high = reach(selection, request.direction, _read(selection, request.bookmark) if request.onward else None)
    rows = selection.rows[low:high] if request.forward else selection.rows[low:high][::-1]
    return rows[: request.cap + 1] if request.cap else rows


def _write(selection: Selection, rows: Sequence[int]) -> str:
    """Return the method's own bookmark: the places of the first and the last row."""
    return f"<B>{orjson.dumps(ends(selection, rows)).decode()}</B>" if rows else _NOTHING


def _read(selection: Selection, text: str) -> Bookmark | None:
    """Return the places in a bookmark, None when there is none, or raise BadBookmark."""
    if text.strip() in {"", _NOTHING}:
        return None
    try:
        first, last = orjson.loads(text.strip().removeprefix("<B>").removesuffix("</B>"))
        places = tuple(first), tuple(last)
    except (ValueError, TypeError):
        raise BadBookmark from None
    columns = selection.columns
    if any(len(place) != len(columns) or not _texts(place) for place in places):
        raise BadBookmark
    return Bookmark(tuple(column.name for column in columns), selection.descending, *places)


def _texts(values: Sequence[object]) -> bool:
    return all(value is None or isinstance(value, str) for value in values)


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
