"""Bookmarks survive being written and read; what is none is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kai_erp.simulator.bookmarks import Bookmark, read_bookmark
from kai_erp.simulator.refusals import BadBookmark

VALUES = st.none() | st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=12)
COLUMNS = st.lists(st.tuples(st.sampled_from(["Job", "A&B", "Wc"]), st.booleans(), VALUES, VALUES), min_size=1)


@settings(max_examples=150, deadline=None)
@given(COLUMNS)
def test_what_is_written_is_read_again(columns: list[tuple[str, bool, str | None, str | None]]) -> None:
    names, flags, first, last = (tuple(part) for part in zip(*columns, strict=True))
    bookmark = Bookmark(names, flags, first, last)
    assert read_bookmark(bookmark.write()) == bookmark


def test_null_and_blank_differ() -> None:
    bookmark = Bookmark(("A", "B"), (False, True), (None, ""), ("", None))
    assert bookmark.write() == (
        "<B><P><p>A</p><p>B</p></P><D><f>false</f><f>true</f></D><F><v/><v></v></F><L><v></v><v/></L></B>"
    )


@pytest.mark.parametrize("text", ["", "  ", "<B/>", "<B />", " <B></B> "])
def test_a_blank_bookmark_is_none(text: str) -> None:
    assert read_bookmark(text) is None


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="<>/BPDFLpfv false&1", max_size=60))
def test_any_text_is_a_bookmark_or_refused(text: str) -> None:
    try:
        read_bookmark(text)
    except BadBookmark:
        return
