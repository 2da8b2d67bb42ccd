from dataclasses import replace
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kai_erp.core.ido.requests import QUERY_LIMIT, LoadRequest, path, query_string
from kai_erp.errors import QueryTooLong

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
UNRESERVED = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%")
PLAIN = LoadRequest("SLJobs", ("Job", "Suffix"), record_cap=1_000)


def sent(request: LoadRequest) -> dict[str, str]:
    """Return the parameters as a server that reads no plus sign as a blank would."""
    pairs = [part.split("=") for part in query_string(request).split("&")]
    assert all(len(pair) == 2 for pair in pairs)
    return {name: unquote(value, errors="strict") for name, value in pairs}


def test_a_plain_load_sends_only_what_differs_from_the_servers_default() -> None:
    assert query_string(PLAIN) == "properties=Job%2CSuffix&recordCap=1000&readOnly=true"


def test_the_cap_is_always_sent_even_when_everything_is_asked_for() -> None:
    assert sent(LoadRequest("SLJobs"))["recordCap"] == "0"


def test_every_parameter_arrives_under_the_name_of_the_swagger() -> None:
    request = LoadRequest(
        collection="SLJobs",
        properties=("Job", "Item"),
        filter="Stat = 'R'",
        order_by=("Job", "Suffix DESC"),
        record_cap=7,
        bookmark="<B><P><p>Job</p></P></B>",
        load_type="NEXT",
        distinct=True,
        clm="CLM_Things",
        clm_params=("a", "", "c"),
        post_query_command="Fill(Job, REF Item)",
    )
    assert sent(request) == {
        "properties": "Job,Item",
        "filter": "Stat = 'R'",
        "orderBy": "Job,Suffix DESC",
        "recordCap": "7",
        "distinct": "true",
        "clm": "CLM_Things",
        "clmParam": "a,,c",
        "loadType": "NEXT",
        "bookmark": "<B><P><p>Job</p></P></B>",
        "pqc": "Fill(Job, REF Item)",
        "readOnly": "true",
    }


def test_a_load_that_wants_row_ids_is_not_read_only() -> None:
    assert "readOnly" not in sent(replace(PLAIN, read_only=False))


@pytest.mark.parametrize(
    ("raw", "encoded"),
    [
        (" ", "%20"),
        ("+", "%2B"),
        ("'", "%27"),
        ("%", "%25"),
        ("&", "%26"),
        ("=", "%3D"),
        ("/", "%2F"),
        ("#", "%23"),
        (";", "%3B"),
        ("ß", "%C3%9F"),
        ("😀", "%F0%9F%98%80"),
        ("\n", "%0A"),
        ("<B/>", "%3CB%2F%3E"),
    ],
)
def test_no_character_with_a_meaning_travels_as_itself(raw: str, encoded: str) -> None:
    assert f"filter={encoded}&" in query_string(replace(PLAIN, filter=raw))


@given(TEXT, TEXT, TEXT)
def test_whatever_is_asked_arrives_unchanged(filter_text: str, bookmark: str, parameter: str) -> None:
    request = replace(PLAIN, filter=filter_text, bookmark=bookmark, clm="C", clm_params=(parameter, "x"))
    arrived = sent(request)
    assert arrived.get("filter", "") == filter_text
    assert arrived.get("bookmark", "") == bookmark
    assert arrived["clmParam"] == f"{parameter},x"


@given(TEXT)
def test_a_query_is_made_of_unreserved_characters_only(text: str) -> None:
    values = [part.partition("=")[2] for part in query_string(replace(PLAIN, filter=text)).split("&")]
    assert set("".join(values)) <= UNRESERVED


@given(TEXT)
def test_a_collection_is_one_segment_of_the_path(name: str) -> None:
    encoded = path(LoadRequest(name))
    assert encoded.startswith("load/")
    assert set(encoded.removeprefix("load/")) <= UNRESERVED
    assert unquote(encoded.removeprefix("load/"), errors="strict") == name


def test_a_query_one_byte_under_the_limit_is_sent_and_one_at_it_is_not() -> None:
    room = QUERY_LIMIT - 1 - len(query_string(replace(PLAIN, filter="x"))) + 1
    assert len(query_string(replace(PLAIN, filter="x" * room))) == QUERY_LIMIT - 1
    with pytest.raises(QueryTooLong, match="SLJobs takes 2,000 bytes of query, the limit is 2,000"):
        query_string(replace(PLAIN, filter="x" * (room + 1)))


def test_the_limit_counts_encoded_bytes_not_characters() -> None:
    assert len(query_string(replace(PLAIN, filter="x" * 700))) < QUERY_LIMIT
    with pytest.raises(QueryTooLong):
        query_string(replace(PLAIN, filter="'" * 700))


def test_the_limit_counts_the_bookmark_too() -> None:
    half = replace(PLAIN, filter="x" * 1_000)
    query_string(half)
    with pytest.raises(QueryTooLong):
        query_string(replace(half, bookmark="y" * 1_000, load_type="NEXT"))
