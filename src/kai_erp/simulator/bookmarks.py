"""Bookmarks: where a page lies in the order of a load, as XML text.

`<B><P><p>Job</p></P><D><f>false</f></D><F><v>…</v></F><L><v>…</v></L></B>`: ordering properties,
descending flags, values of the first and of the last row of the page. `<v/>` stands for NULL.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape
from xml.sax.saxutils import escape

from kai_erp.simulator.refusals import BadBookmark

_PARTS = re.compile(
    r"\s*<B>\s*<P>(?P<names>.*)</P>\s*<D>(?P<flags>.*)</D>\s*<F>(?P<first>.*)</F>\s*<L>(?P<last>.*)</L>\s*</B>\s*",
    re.DOTALL,
)
_VALUE = re.compile(r"<(?P<tag>p|f|v)(?:/>|>(?P<text>[^<]*)</(?P=tag)>)")
_EMPTY = re.compile(r"\s*(<B\s*/>|<B>\s*</B>)?\s*")

Values = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Bookmark:
    """The ordering of a load and the ordering values of a page's first and last row."""

    names: tuple[str, ...]
    descending: tuple[bool, ...]
    first: Values
    last: Values

    def write(self) -> str:
        """Return the bookmark as text."""
        names = "".join(f"<p>{escape(name)}</p>" for name in self.names)
        flags = "".join(f"<f>{str(flag).lower()}</f>" for flag in self.descending)
        return f"<B><P>{names}</P><D>{flags}</D><F>{_write(self.first)}</F><L>{_write(self.last)}</L></B>"


def _write(values: Values) -> str:
    return "".join("<v/>" if value is None else f"<v>{escape(value)}</v>" for value in values)


def read_bookmark(text: str) -> Bookmark | None:
    """Return the bookmark in `text`, None when it is blank or `<B/>`, or raise BadBookmark."""
    if _EMPTY.fullmatch(text):
        return None
    match = _PARTS.fullmatch(text)
    if match is None:
        raise BadBookmark
    names, flags, first, last = (_read(match[part]) for part in ("names", "flags", "first", "last"))
    if not len(names) == len(flags) == len(first) == len(last) or None in names:
        raise BadBookmark
    return Bookmark(tuple(name or "" for name in names), tuple(flag == "true" for flag in flags), first, last)


def _read(xml: str) -> Values:
    values: Sequence[re.Match[str]] = list(_VALUE.finditer(xml))
    if "".join(match[0] for match in values) != xml.strip():
        raise BadBookmark
    return tuple(None if match["text"] is None else unescape(match["text"]) for match in values)
