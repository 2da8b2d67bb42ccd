"""The paging rule: follow bookmarks until the server says that no row remains.

A bookmark is opaque; filter, order, properties and cap stay as they were for the whole walk.
"""

from __future__ import annotations

import re
from dataclasses import replace

import msgspec

from kai_erp.core.expressions import AllOf, AnyOf, Comparison, Operator, equals
from kai_erp.core.ido.filters import render
from kai_erp.core.ido.requests import LoadRequest
from kai_erp.core.ido.responses import Page
from kai_erp.errors import BookmarkLoop

_TAIL = 4_096  # a bookmark that is longer fits into no request
_BOOKMARK = re.compile(rb'"Bookmark"\s*:\s*("(?:[^"\\]|\\.)+")')
_GOES_ON = (re.compile(rb'"MoreRowsExist"\s*:\s*true\b'), re.compile(rb'"Success"\s*:\s*true\b'))


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


def glimpsed_request(request: LoadRequest, body: bytes) -> LoadRequest | None:
    """Return the request for the page after the one in `body`, where its end tells: nothing else is decoded.

    It is a guess until the page is decoded: `next_request` decides.
    """
    tail = body[-_TAIL:]
    bookmarks = _BOOKMARK.findall(tail)
    if not bookmarks or not all(sign.search(tail) for sign in _GOES_ON):
        return None
    try:
        bookmark = msgspec.json.decode(bookmarks[-1], type=str)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return replace(request, bookmark=bookmark, load_type="NEXT") if bookmark != request.bookmark else None


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
