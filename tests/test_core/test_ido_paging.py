import json
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_erp.core.ido.paging import glimpsed_request, next_request
from kai_erp.core.ido.requests import LoadRequest
from kai_erp.core.ido.responses import Page, decode_page
from kai_erp.errors import BookmarkLoop
from tests.test_core.fakes import page_of

FIRST = LoadRequest("SLThings", ("Key",), filter="A = 1", order_by=("Key",), record_cap=10)


@dataclass
class Server:
    """Keyset paging over sorted keys; `clamp` is a cap of its own, `tells` whether it says that more exist."""

    keys: list[str]
    clamp: int | None = None
    tells: bool = True
    asked: list[LoadRequest] = field(default_factory=list)

    def answer(self, request: LoadRequest) -> Page:
        self.asked.append(request)
        rest = [key for key in sorted(self.keys) if request.bookmark is None or key > request.bookmark]
        caps = [cap for cap in (request.record_cap, self.clamp) if cap]
        keys = rest[: min(caps, default=len(rest))]
        page = page_of([{"Key": key} for key in keys], ("Key",), keys[-1] if keys else None)
        return replace(page, more_rows=len(rest) > len(keys) if self.tells else None)


def walk(server: Server, first: LoadRequest) -> list[str | None]:
    request: LoadRequest | None = first
    keys: list[str | None] = []
    while request is not None:
        page = server.answer(request)
        keys += page.columns["Key"]
        request = next_request(request, page)
    return keys


KEYS = st.lists(st.text("abcdefghij0123456789", min_size=1, max_size=6), max_size=60, unique=True)
CLAMPS = st.none() | st.integers(1, 12)


@given(KEYS, st.integers(0, 12), CLAMPS, st.booleans())
def test_a_walk_gives_every_row_once_and_in_order(
    keys: list[str], cap: int, clamp: int | None, tells: bool
) -> None:
    assert walk(Server(keys, clamp, tells), replace(FIRST, record_cap=cap)) == sorted(keys)


@given(KEYS, st.integers(1, 12), CLAMPS)
def test_a_server_that_says_whether_rows_remain_is_asked_no_more_than_needed(
    keys: list[str], cap: int, clamp: int | None
) -> None:
    server = Server(keys, clamp)
    walk(server, replace(FIRST, record_cap=cap))
    size = min(cap, clamp or cap)
    assert len(server.asked) == max(1, -(-len(keys) // size))


@given(KEYS, CLAMPS, st.booleans())
def test_nothing_but_the_bookmark_changes_during_a_walk(keys: list[str], clamp: int | None, tells: bool) -> None:
    server = Server(keys, clamp, tells)
    walk(server, FIRST)
    assert server.asked[0] == FIRST
    for request in server.asked[1:]:
        assert request.load_type == "NEXT"
        assert replace(request, bookmark=None, load_type="FIRST") == FIRST


def page(rows: int, bookmark: str | None, more: bool | None) -> Page:
    return Page({"Key": [str(row) for row in range(rows)]}, rows, bookmark, more)


def test_an_exact_multiple_of_the_cap_ends_without_an_empty_page() -> None:
    server = Server([f"{number:02}" for number in range(20)])
    assert len(walk(server, FIRST)) == 20
    assert len(server.asked) == 2


def test_a_last_page_ends_the_walk_whatever_its_bookmark_says() -> None:
    assert next_request(FIRST, page(10, "b1", more=False)) is None
    assert next_request(FIRST, page(10, None, more=False)) is None


@pytest.mark.parametrize("bookmark", ["b1", None, ""])
def test_a_bookmark_that_does_not_move_while_rows_remain_is_a_loop(bookmark: str | None) -> None:
    request = replace(FIRST, bookmark="b1", load_type="NEXT")
    with pytest.raises(BookmarkLoop, match="SLThings has further rows"):
        next_request(request, page(10, bookmark, more=True))


@pytest.mark.parametrize("bookmark", [None, ""])
def test_a_first_page_without_a_bookmark_while_rows_remain_is_a_loop(bookmark: str | None) -> None:
    with pytest.raises(BookmarkLoop):
        next_request(FIRST, page(10, bookmark, more=True))


def test_an_empty_page_that_claims_further_rows_is_a_loop() -> None:
    with pytest.raises(BookmarkLoop):
        next_request(FIRST, page(0, "b1", more=True))


@pytest.mark.parametrize(("rows", "bookmark"), [(0, "b2"), (0, None), (9, "b1"), (9, None), (9, "")])
def test_a_server_that_says_nothing_is_left_when_it_brings_nothing_new(rows: int, bookmark: str | None) -> None:
    request = replace(FIRST, bookmark="b1", load_type="NEXT")
    assert next_request(request, page(rows, bookmark, more=None)) is None


@pytest.mark.parametrize("bookmark", ["b1", None, ""])
def test_a_server_that_says_nothing_but_fills_a_page_without_moving_on_is_a_loop(bookmark: str | None) -> None:
    request = replace(FIRST, bookmark="b1", load_type="NEXT")
    with pytest.raises(BookmarkLoop):
        next_request(request, page(10, bookmark, more=None))


def test_a_server_that_says_nothing_is_not_asked_on_after_everything_came_at_once() -> None:
    assert next_request(replace(FIRST, record_cap=0), page(500, None, more=None)) is None


def test_a_server_that_says_nothing_is_asked_on_even_after_a_short_page() -> None:
    following = next_request(FIRST, page(3, "b1", more=None))
    assert following is not None
    assert following.bookmark == "b1"


# A glimpse of the next request


def body_of(*keys: str, bookmark: str | None = "<B/>", more: bool | None = True, **also: object) -> bytes:
    items = [{"Key": key} for key in keys]
    envelope = {
        "Items": items,
        "Bookmark": bookmark,
        "MoreRowsExist": more,
        "Success": True,
        "Message": None,
        **also,
    }
    return json.dumps(envelope).encode()


TEXTS = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    ['"Bookmark":"x","MoreRowsExist":true,"Success":true', '\\"Bookmark\\": \\"x\\"', "]", "\\"]
)


@given(
    st.lists(TEXTS, max_size=4),
    TEXTS | st.none(),
    st.booleans() | st.none(),
    st.permutations(range(5)),
    st.booleans(),
)
def test_a_glimpse_tells_what_the_decoded_page_leads_to(
    keys: list[str], bookmark: str | None, more: bool | None, order: list[int], dense: bool
) -> None:
    members = list(json.loads(body_of(*keys, bookmark=bookmark, more=more)).items())
    envelope = dict(members[place] for place in order)
    body = json.dumps(envelope, separators=(",", ":") if dense else None, ensure_ascii=dense).encode()
    glimpsed = glimpsed_request(FIRST, body)
    if glimpsed is not None and keys:
        assert glimpsed == next_request(FIRST, decode_page(body, "SLThings", ("Key",)))


@pytest.mark.parametrize("bookmark", ["<B><P><p>Key</p></P></B>", 'ü"\\/\n'])
def test_the_end_of_a_long_page_is_enough(bookmark: str) -> None:
    body = body_of(*("x" * 100,) * 1_000, bookmark=bookmark)
    assert glimpsed_request(FIRST, body) == replace(FIRST, bookmark=bookmark, load_type="NEXT")


@pytest.mark.parametrize(
    "body",
    [
        body_of("a", more=False),
        body_of("a", more=None),
        body_of("a", bookmark=None),
        body_of("a", bookmark=""),
        body_of("a", Success=False, Message="denied"),
        b"",
        b"<html>",
        b'{"Bookmark":"\xff","MoreRowsExist":true,"Success":true}',
        body_of('"Bookmark":"x","MoreRowsExist":true,"Success":true', bookmark=None, more=False),
    ],
)
def test_nothing_is_glimpsed_of_a_page_that_is_the_last_or_none(body: bytes) -> None:
    assert glimpsed_request(FIRST, body) is None


def test_a_bookmark_that_stands_still_is_not_followed() -> None:
    assert glimpsed_request(replace(FIRST, bookmark="<B/>"), body_of("a")) is None
