"""The paging rule: follow bookmarks until the server says that no row remains.

A bookmark is opaque; filter, order, properties and cap stay as they were for the whole walk.
"""

from __future__ import annotations

from dataclasses import replace

from kai_erp.core.expressions import AllOf, AnyOf, Comparison, Operator, equals
from kai_erp.core.ido.filters import render
from kai_erp.core.ido.requests import LoadRequest
from kai_erp.core.ido.responses import Page
from kai_erp.errors import BookmarkLoop


def next_request(request: LoadRequest, page: Page) -> LoadRequest | None:
    """Return the request for the page after `page`, or None when it was the last.

    A server that does not say whether rows remain is asked on until a page is empty or brings no new
    bookmark: it may have cut at a cap of its own. Raises BookmarkLoop when rows remain, or a page is full and
    nothing says that none do, but the bookmark does not move on.
    """
    moved = bool(page.bookmark) and page.bookmark != request.bookmark
    full = 0 < request.record_cap <= page.rows
    more = page.more_rows if page.more_rows is not None else page.rows > 0 and (moved or full)
    if not more:
        return None
    if not moved or page.rows == 0:
        raise BookmarkLoop(request.collection)
    return replace(request, bookmark=page.bookmark, load_type="NEXT")


def request_after(request: LoadRequest, page: Page) -> LoadRequest:
    """Return the request for what comes after the last row of `page` by key, where there is no bookmark to follow.

    Raises BookmarkLoop when the rows do not tell their key.
    """
    last = {name: page.columns[name][-1] for name in request.order_by if name in page.columns}
    keys = [(name, value) for name, value in last.items() if value is not None]
    if not keys or len(keys) < len(request.order_by):
        raise BookmarkLoop(request.collection)
    steps = [
        AllOf((*(equals(*key) for key in keys[:place]), Comparison(name, Operator.GT, value)))
        for place, (name, value) in enumerate(keys)
    ]
    return replace(request, after=render(AnyOf(tuple(steps))), bookmark=None, load_type="FIRST")
