"""Reading the answer of `GET /load/{ido}`.

Shape: `{"Items": [row…]|null, "Bookmark": text, "MoreRowsExist": bool, "Success": bool, "Message": text|null}`;
a row is a flat object of strings and nulls. `MoreRowsExist` is missing on old servers, `Items` may be null
when empty, and a proxy may answer with a bare text or HTML whatever the status.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Protocol, cast

import msgspec

from kai_erp.core.ido.faults import fault_error, is_session_fault
from kai_erp.core.ido.texts import LONGEST, shown
from kai_erp.errors import Nonsense

Column = list[str | None]

_NO_ITEMS = "none"
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one page as columns by property; `more_rows` is None when the server does not say."""

    columns: Mapping[str, Column]
    rows: int
    bookmark: str | None
    more_rows: bool | None


class _Envelope(Protocol):
    Items: Sequence[object] | None
    Bookmark: str | None
    MoreRowsExist: bool | None
    Success: bool | None
    Message: str | None


def decode_page(body: bytes, collection: str, properties: tuple[str, ...]) -> Page:
    """Return the page in `body`, with a column for each of `properties`.

    Raises the meaning of the fault when the service reports one, Nonsense when the body is no answer.
    """
    try:
        page = _decode_declared(body, collection, properties) if _spelled_as_asked(body, properties) else None
        return page or _decode_any(body, collection, properties)
    except RecursionError:  # nested deeper than any of the readers goes
        raise Nonsense(collection, excerpt(body)) from None


def excerpt(body: bytes) -> str:
    """Return the first few hundred characters of a body on one line, for a message."""
    return shown(body[: 4 * LONGEST].decode("utf-8", "replace"))


def _spelled_as_asked(body: bytes, properties: tuple[str, ...]) -> bool:
    """Tell whether each property occurs as a member name as we spelled it; within a text a quote is escaped."""
    return all(b'"%s":' % name.encode() in body for name in properties)


@lru_cache(maxsize=256)
def _decoder(properties: tuple[str, ...]) -> msgspec.json.Decoder[object]:
    row = msgspec.defstruct("Row", [(name, str | None, None) for name in properties], gc=False)
    envelope = msgspec.defstruct(
        "Envelope",
        [
            ("Items", list[row] | None, None),  # type: ignore[valid-type]  # made at run time
            ("Bookmark", str | None, None),
            ("MoreRowsExist", bool | None, None),
            ("Success", bool | None, None),
            ("Message", str | None, None),
        ],
    )
    return cast("msgspec.json.Decoder[object]", msgspec.json.Decoder(envelope))


def _decode_declared(body: bytes, collection: str, properties: tuple[str, ...]) -> Page | None:
    """Return the page of a body that keeps to the documented shape; None sends it to the tolerant reader."""
    try:
        envelope = cast("_Envelope", _decoder(properties).decode(body))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if envelope.Success is False:
        raise fault_error(collection, envelope.Message)
    if envelope.Items is None and not (envelope.Success and not envelope.Message and b'"Items"' in body):
        return None
    items = envelope.Items or ()
    columns = {name: list(map(attrgetter(name), items)) for name in properties}
    return Page(columns, len(items), envelope.Bookmark, envelope.MoreRowsExist)


def _decode_any(body: bytes, collection: str, properties: tuple[str, ...]) -> Page:
    """Return the page whatever the case of names and the JSON type of cells."""
    text = body.removeprefix(_BOM).decode("utf-8", "replace")
    try:
        parsed = json.loads(text, parse_float=str, parse_int=str)
    except ValueError:
        raise _no_answer(collection, text, body) from None
    if not isinstance(parsed, dict):
        raise _no_answer(collection, str(parsed), body)
    envelope = {str(name).casefold(): value for name, value in parsed.items()}
    if not envelope.keys() & {"items", "success"}:
        raise _no_answer(collection, str(envelope.get("message", "")), body)
    if _flag(envelope.get("success")) is False:
        raise fault_error(collection, _cell(envelope.get("message")))
    return _page_of(envelope, collection, properties, body)


def _page_of(envelope: Mapping[str, object], collection: str, properties: tuple[str, ...], body: bytes) -> Page:
    items = envelope.get("items", _NO_ITEMS)
    if items is None and _flag(envelope.get("success")) and not envelope.get("message"):
        items = []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise Nonsense(collection, excerpt(body))
    rows = [{str(name).casefold(): value for name, value in item.items()} for item in items]
    columns = {name: [_cell(row.get(name.casefold())) for row in rows] for name in properties}
    return Page(columns, len(rows), _cell(envelope.get("bookmark")), _flag(envelope.get("morerowsexist")))


def _no_answer(collection: str, text: str, body: bytes) -> Exception:
    """Return a session fault when a short bare text says so, otherwise nonsense."""
    if len(text) <= LONGEST and not text.lstrip().startswith("<") and is_session_fault(text):
        return fault_error(collection, text)
    return Nonsense(collection, excerpt(body))


def _cell(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value if value is None else value.encode("utf-8", "replace").decode()
    if isinstance(value, bool):
        return "1" if value else "0"
    return json.dumps(value)


def _flag(value: object) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    return str(value).strip().casefold() in {"true", "1"}
