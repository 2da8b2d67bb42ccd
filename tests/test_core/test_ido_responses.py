import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_erp.core.ido.responses import Page, decode_page, excerpt
from kai_erp.errors import Nonsense, PropertyMissing, TokenRejected, UpstreamDenied, UpstreamFault

NAMES = ("Job", "Qty")
CELL = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
ROWS = st.lists(st.fixed_dictionaries({"Job": CELL, "Qty": CELL}), max_size=6)


def answer(**members: object) -> bytes:
    envelope: dict[str, object] = {"Items": [], "Bookmark": None, "MoreRowsExist": False, "Success": True}
    return json.dumps(envelope | {"Message": None} | members).encode()


def decoded(body: bytes, names: tuple[str, ...] = NAMES) -> Page:
    return decode_page(body, "SLJobs", names)


def recased(value: object) -> object:
    """Return a JSON value with all member names in lower case."""
    if isinstance(value, dict):
        return {name.lower(): recased(member) for name, member in value.items()}
    return [recased(member) for member in value] if isinstance(value, list) else value


@given(ROWS, st.none() | st.text(max_size=9), st.none() | st.booleans(), st.integers(0, 3))
def test_however_it_is_written_the_page_is_the_same(
    rows: list[dict[str, str | None]], bookmark: str | None, more: bool | None, writing: int
) -> None:
    envelope = {"Items": rows, "Bookmark": bookmark, "MoreRowsExist": more, "Success": True, "Message": None}
    body = [
        json.dumps(envelope).encode(),
        json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode(),
        json.dumps(recased(envelope), indent=2).encode(),
        b"\xef\xbb\xbf" + json.dumps(envelope).encode(),
    ][writing]
    page = decoded(body)
    assert page.columns == {name: [row[name] for row in rows] for name in NAMES}
    assert (page.rows, page.bookmark, page.more_rows) == (len(rows), bookmark, more)


def test_a_page_has_just_the_properties_that_were_asked_for() -> None:
    page = decoded(answer(Items=[{"Job": "1", "Qty": "2", "_ItemId": "PBT=[job]", "Extra": {"deep": [1]}}]))
    assert page.columns == {"Job": ["1"], "Qty": ["2"]}


@pytest.mark.parametrize("items", [None, []])
def test_no_items_are_an_empty_page(items: object) -> None:
    page = decoded(answer(Items=items, Bookmark=None))
    assert page == Page({"Job": [], "Qty": []}, 0, None, more_rows=False)


def test_an_old_server_does_not_say_whether_rows_remain() -> None:
    page = decoded(b'{"Items":[{"Job":"1","Qty":"2"}],"Bookmark":"<B/>","Success":true,"Message":null}')
    assert page.more_rows is None
    assert page.bookmark == "<B/>"


@pytest.mark.parametrize("rows", [[{"Job": "1"}, {"Job": "2", "Qty": "3"}], [{"Job": "1"}, {"Job": "2"}]])
def test_a_row_that_lacks_a_property_has_null_there(rows: list[dict[str, str]]) -> None:
    page = decoded(answer(Items=rows))
    assert page.columns["Job"] == ["1", "2"]
    assert page.columns["Qty"] == [None, rows[1].get("Qty")]


@pytest.mark.parametrize(
    ("raw", "cell"),
    [
        ("12", "12"),
        ("-0.50", "-0.50"),
        ("1.10", "1.10"),
        ("12345678901234567890.12345678", "12345678901234567890.12345678"),
        ("1e3", "1e3"),
        ("true", "1"),
        ("false", "0"),
        ("null", None),
        ('""', ""),
        ('"  12 "', "  12 "),
        ('"\\u00fc\\n"', "ü\n"),
        ('"\\ud83d\\ude00"', "😀"),
        ('"\\ud800x"', "?x"),
    ],
)
def test_a_cell_of_any_json_type_is_text_without_loss(raw: str, cell: str | None) -> None:
    body = f'{{"Items":[{{"Job":{raw},"Qty":"1"}}],"MoreRowsExist":false,"Success":true}}'.encode()
    assert decoded(body).columns == {"Job": [cell], "Qty": ["1"]}


@pytest.mark.parametrize(("more", "told"), [('"true"', True), ('"False"', False), ("1", True), ("0", False)])
def test_a_flag_that_is_no_boolean_is_understood(more: str, told: bool) -> None:
    body = f'{{"Items":[{{"Job":"1","Qty":"1"}}],"MoreRowsExist":{more},"Success":"true"}}'.encode()
    assert decoded(body).more_rows is told


@pytest.mark.parametrize("failed", ["false", '"false"', "0"])
def test_a_success_of_false_is_the_fault_its_message_means(failed: str) -> None:
    message = "User requires [Read] privilege for SLJobs"
    with pytest.raises(UpstreamDenied, match="SLJobs"):
        decoded(f'{{"Items":null,"Success":{failed},"Message":"{message}"}}'.encode())


def test_a_fault_is_seen_even_beside_rows() -> None:
    with pytest.raises(PropertyMissing):
        decoded(answer(Items=[{"Job": "1", "Qty": "2"}], Success=False, Message="Property X not found on Y IDO"))


def test_a_fault_without_a_message_is_a_fault() -> None:
    with pytest.raises(UpstreamFault, match="no reason given"):
        decoded(answer(Items=None, Success=False))


@pytest.mark.parametrize(
    "body",
    [b"Invalid token", b'"Invalid token"', b'{"message":"Invalid token"}', b"\xef\xbb\xbfInvalid token\r\n"],
)
def test_a_bare_text_about_the_token_counts_as_a_401(body: bytes) -> None:
    with pytest.raises(TokenRejected, match="Invalid token"):
        decoded(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"42",
        b"Service unavailable",
        b"<html><body>Please log in</body></html>",
        b'{"error":"unknown"}',
        b'{"Items":"none","Success":true}',
        b'{"Items":[1,2],"Success":true}',
        b'{"Items":[{"Job":"1","Qty":"2"}],"Success":tr',
        b'{"Items":[{"Job":"1","Qty":"2"}',
        b"\xff\xfe\x00",
    ],
)
def test_a_body_that_is_no_answer_is_nonsense_and_kept_as_an_excerpt(body: bytes) -> None:
    with pytest.raises(Nonsense) as raised:
        decoded(body)
    assert raised.value.excerpt == excerpt(body)


def test_a_page_cut_anywhere_is_nonsense() -> None:
    whole = answer(Items=[{"Job": "1ü😀", "Qty": "2"}, {"Job": "3", "Qty": None}], Bookmark="<B/>")
    raw = json.dumps(json.loads(whole), ensure_ascii=False).encode()
    for end in range(len(raw)):
        with pytest.raises(Nonsense):
            decoded(raw[:end])


def test_a_page_about_sessions_is_not_taken_for_a_401() -> None:
    with pytest.raises(Nonsense):
        decoded(b"<html>Invalid token</html>")


def test_a_text_that_is_not_utf_8_does_not_stop_the_page() -> None:
    body = '{"Items":[{"Job":"M\xfcller","Qty":"1"}],"Success":true}'.encode("latin-1")
    assert decoded(body).columns == {"Job": ["M�ller"], "Qty": ["1"]}


def test_a_body_that_nests_without_end_is_nonsense() -> None:
    with pytest.raises(Nonsense):
        decoded(b"[" * 100_000)


def test_an_object_that_is_no_answer_is_nonsense_also_when_no_property_was_named() -> None:
    with pytest.raises(Nonsense):
        decoded(b'{"error":"unknown"}', ())


def test_an_excerpt_is_short_and_on_one_line() -> None:
    text = excerpt(b"<html>\r\n  <body>\xff" + b"x" * 10_000)
    assert text.startswith("<html> <body>�x")
    assert len(text) == 300
