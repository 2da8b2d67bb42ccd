"""Loads over HTTP: what comes back, in which form, and page by page."""

from datetime import datetime
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kai_erp.simulator import Plant, SimulatorOptions, SimulatorState, build_plant, create_simulator
from kai_erp.simulator.load_requests import read_load
from kai_erp.simulator.loads import cut
from kai_erp.simulator.selections import Question, Selections
from kai_erp.simulator.service import Load, prepare_load
from tests.test_simulator.conftest import Connect

Answer = dict[str, Any]

NOW = datetime(2026, 5, 20, 10, 30)  # noqa: DTZ001 - the ERP's clock has no zone
OPEN = "Type='J' AND JobStat='R'"


async def load(client: httpx2.AsyncClient, ido: str, **parameters: str | int) -> Answer:
    response = await client.get(f"load/{ido}", params=parameters)
    assert response.status_code == 200
    answer: Answer = response.json()
    return answer


async def walk(client: httpx2.AsyncClient, ido: str, **parameters: str | int) -> list[Answer]:
    pages = [await load(client, ido, **parameters)]
    while pages[-1]["MoreRowsExist"]:
        parameters |= {"bookmark": pages[-1]["Bookmark"], "loadType": "NEXT"}
        pages.append(await load(client, ido, **parameters))
    return pages


def rows_of(pages: list[Answer]) -> list[dict[str, str | None]]:
    return [row for page in pages for row in page["Items"]]


async def test_an_answer_has_the_envelope_in_its_order(client: httpx2.AsyncClient) -> None:
    answer = await load(client, "SLWcs", properties="Wc", recordCap=2)
    assert list(answer) == ["Items", "Bookmark", "MoreRowsExist", "Success", "Message"]
    assert (answer["Success"], answer["Message"], answer["MoreRowsExist"]) == (True, None, True)


async def test_a_row_has_the_requested_properties_in_their_order_and_its_handle_last(
    client: httpx2.AsyncClient,
) -> None:
    answer = await load(client, "SLJobs", properties="Stat, Suffix,Job", recordCap=1)
    row = answer["Items"][0]
    assert list(row) == ["Stat", "Suffix", "Job", "_ItemId"]
    assert row["_ItemId"].startswith("PBT=[job] job.DT=[20")
    assert row["_ItemId"][22] == "-"


async def test_read_only_rows_have_no_handle(client: httpx2.AsyncClient) -> None:
    answer = await load(client, "SLWcs", properties="Wc", readOnly="true")
    assert all(list(row) == ["Wc"] for row in answer["Items"])


async def test_the_handle_may_be_asked_for_by_name(client: httpx2.AsyncClient) -> None:
    answer = await load(client, "SLWcs", properties="Wc,_ItemId")
    assert list(answer["Items"][0]) == ["Wc", "_ItemId"]


@pytest.mark.parametrize("properties", ["", "*", " "])
async def test_without_properties_all_come(client: httpx2.AsyncClient, plant: Plant, properties: str) -> None:
    answer = await load(client, "SLWcs", properties=properties, readOnly="true")
    assert answer["Items"] == plant.rows("SLWcs")


async def test_values_have_the_internal_format(client: httpx2.AsyncClient) -> None:
    properties = "QtyReleased,JschEndDate,Suffix,RowPointer,JschPrfreeze"
    answer = await load(client, "SLJobs", properties=properties, filter="Stat='R' AND JschEndDate IS NOT NULL")
    row = answer["Items"][0]
    assert row["QtyReleased"].endswith(".00000000")
    assert len(row["JschEndDate"]) == len("20260520 16:00:00.000")
    assert row["JschPrfreeze"] in {"0", "1"}
    assert row["RowPointer"] == row["RowPointer"].lower()


async def test_padded_keys_keep_their_blanks_and_need_them_in_a_filter(client: httpx2.AsyncClient) -> None:
    padded = (await load(client, "SLJobs", properties="Job", recordCap=1))["Items"][0]["Job"]
    assert padded.startswith(" ")
    assert (await load(client, "SLJobs", filter=f"Job='{padded}'"))["Items"]
    assert not (await load(client, "SLJobs", filter=f"Job='{padded.strip()}'"))["Items"]
    assert (await load(client, "SLJobs", filter=f"Job LIKE '%{padded.strip()}'"))["Items"]


@pytest.mark.parametrize(("cap", "expected"), [(None, 200), (-1, 200), (0, 1120), (7, 7), (5000, 1120)])
async def test_the_record_cap_counts_rows(client: httpx2.AsyncClient, cap: int | None, expected: int) -> None:
    parameters: dict[str, str | int] = {} if cap is None else {"recordCap": cap}
    answer = await load(client, "SLJobs", properties="Job", **parameters)
    assert len(answer["Items"]) == expected
    assert answer["MoreRowsExist"] is (expected < 1120)


async def test_a_last_page_that_is_full_says_that_no_rows_are_left(client: httpx2.AsyncClient) -> None:
    pages = await walk(client, "SLWcs", properties="Wc", recordCap=4)
    assert [len(page["Items"]) for page in pages] == [4, 4, 4]
    assert [page["MoreRowsExist"] for page in pages] == [True, True, False]


async def test_query_names_are_read_in_any_case(client: httpx2.AsyncClient) -> None:
    answer = await load(client, "SLWcs", PROPERTIES="Wc", recordcap=1, OrderBy="Wc DESC", READONLY="True")
    assert answer["Items"] == [{"Wc": "WIRE"}]


async def test_names_of_collections_and_properties_are_found_in_any_case(client: httpx2.AsyncClient) -> None:
    answer = await load(client, "sl.sljobroutes".removeprefix("sl."), properties="OPERNUM", recordCap=1)
    assert "OperNum" in answer["Items"][0]
    assert (await load(client, "SL.SLWcs", recordCap=1))["Success"] is True


async def test_a_walk_meets_every_row_once(client: httpx2.AsyncClient, plant: Plant) -> None:
    pages = await walk(
        client, "SLJobRoutes", properties="Job,Suffix,OperNum", filter=OPEN, recordCap=37, readOnly="1"
    )
    expected = [
        {name: row[name] for name in ("Job", "Suffix", "OperNum")}
        for row in plant.rows("SLJobRoutes")
        if row["Type"] == "J" and row["JobStat"] == "R"
    ]
    assert rows_of(pages) == expected


@pytest.mark.parametrize("order", ["JshStartDate", "JshStartDate DESC", "Wc DESC, JshEndDate ASC, OperNum"])
async def test_a_sorted_walk_meets_every_row_once_with_nulls_lowest(
    client: httpx2.AsyncClient, plant: Plant, order: str
) -> None:
    properties = "Job,Suffix,OperNum,Wc,JshStartDate,JshEndDate"
    parameters: dict[str, str | int] = {
        "properties": properties,
        "filter": OPEN,
        "orderBy": order,
        "readOnly": "1",
    }
    pages = await walk(client, "SLJobRoutes", recordCap=50, **parameters)
    whole = await load(client, "SLJobRoutes", recordCap=0, **parameters)
    assert rows_of(pages) == whole["Items"]
    keys = {(row["Job"], row["Suffix"], row["OperNum"]) for row in whole["Items"]}
    assert (
        len(keys)
        == len(whole["Items"])
        == sum(row["Type"] == "J" and row["JobStat"] == "R" for row in plant.rows("SLJobRoutes"))
    )
    if order.startswith("JshStartDate"):
        dates = [row["JshStartDate"] or "" for row in whole["Items"]]
        assert dates == sorted(dates, reverse="DESC" in order)


async def test_next_without_a_bookmark_is_the_first_page(client: httpx2.AsyncClient) -> None:
    first = await load(client, "SLJobs", properties="Job", recordCap=5)
    for bookmark in ("", "<B/>", "<B></B>"):
        assert (
            await load(client, "SLJobs", properties="Job", recordCap=5, loadType="Next", bookmark=bookmark)
            == first
        )


async def test_first_ignores_a_bookmark(client: httpx2.AsyncClient) -> None:
    first = await load(client, "SLJobs", properties="Job", recordCap=5)
    again = await load(client, "SLJobs", properties="Job", recordCap=5, bookmark=first["Bookmark"])
    assert again == first


async def test_a_bookmark_names_the_order_and_the_ends_of_the_page(client: httpx2.AsyncClient) -> None:
    answer = await load(client, "SLWcs", properties="Wc", recordCap=2, orderBy="SchedDrv DESC")
    assert answer["Bookmark"] == (
        "<B><P><p>SchedDrv</p><p>Wc</p></P><D><f>true</f><f>false</f></D>"
        "<F><v>M</v><v>BEND</v></F><L><v>M</v><v>BLAST</v></L></B>"
    )


async def test_last_and_previous_run_backwards_through_all_rows(client: httpx2.AsyncClient, plant: Plant) -> None:
    codes = [str(row["Wc"]) for row in plant.rows("SLWcs")]
    page = await load(client, "SLWcs", properties="Wc", recordCap=5, loadType="LAST")
    met = [row["Wc"] for row in page["Items"]]
    for spelling in ("PREV", "Previous"):
        assert page["MoreRowsExist"] is True
        bookmark = page["Bookmark"]
        page = await load(client, "SLWcs", properties="Wc", recordCap=5, loadType=spelling, bookmark=bookmark)
        met += [row["Wc"] for row in page["Items"]]
    assert page["MoreRowsExist"] is False
    assert met == codes[::-1]


async def test_previous_of_the_second_page_is_the_first_reversed(client: httpx2.AsyncClient) -> None:
    first, second, *_ = await walk(client, "SLWcs", properties="Wc", recordCap=3)
    bookmark = second["Bookmark"]
    back = await load(client, "SLWcs", properties="Wc", recordCap=3, loadType="PREV", bookmark=bookmark)
    assert back["Items"] == first["Items"][::-1]


async def test_distinct_gives_each_combination_once_without_handle(
    client: httpx2.AsyncClient, plant: Plant
) -> None:
    parameters: dict[str, str | int] = {"properties": "Type,Stat", "distinct": "true"}
    pages = await walk(client, "SLJobs", recordCap=2, **parameters)
    expected = sorted({(str(row["Type"]), str(row["Stat"])) for row in plant.rows("SLJobs")})
    assert [tuple(row.values()) for row in rows_of(pages)] == expected


async def test_an_empty_answer_is_a_success(client: httpx2.AsyncClient) -> None:
    answer = await load(client, "SLJobs", filter="Job='nothing'")
    assert answer == {"Items": [], "Bookmark": None, "MoreRowsExist": False, "Success": True, "Message": None}


async def test_unbound_properties_are_null(client: httpx2.AsyncClient) -> None:
    answer = await load(client, "SLJobs", properties="UbSelect", recordCap=1, readOnly="1")
    assert answer["Items"] == [{"UbSelect": None}]


async def test_a_literal_plus_is_a_blank(client: httpx2.AsyncClient) -> None:
    response = await client.get(httpx2.URL("load/SLWcs?properties=Wc&filter=Description+=+'Band+saw'"))
    assert [row["Wc"] for row in response.json()["Items"]] == ["SAW"]


async def test_each_site_has_its_own_rows(connect: Connect) -> None:
    plants = {"DEMO_TRN_A": build_plant("small", 5, NOW), "DEMO_TRN_B": build_plant("small", 6, NOW)}
    async with connect(None, plants) as (client, _):
        answers = [
            (await client.get("load/SLJobs", headers={"X-Infor-MongooseConfig": site})).json() for site in plants
        ]
    assert answers[0]["Items"][0]["Job"] == answers[1]["Items"][0]["Job"]
    assert answers[0]["Items"] != answers[1]["Items"]


def fresh_load(plant: Plant, **parameters: str) -> Load:
    state: SimulatorState = create_simulator(plant, SimulatorOptions()).state.simulator
    return prepare_load(state, plant, "SLWcs", parameters)


def test_rows_deleted_inserted_and_changed_between_pages_move_the_walk_like_a_keyset() -> None:
    plant = build_plant("small", 9, NOW)
    centers = plant.collections["SLWcs"]
    selections = Selections()
    first = fresh_load(plant, properties="Wc", recordcap="4", orderby="Dept")
    page = cut(selections.find(first.scope, Question("", "Dept")), first.request)
    met = list(page.rows)
    centers.hide([met[-1], 11])
    centers.change("Dept", met[0], "ZINC")
    rest = fresh_load(plant, orderby="Dept", recordcap="0", loadtype="NEXT", bookmark=str(page.bookmark))
    later = list(cut(selections.find(rest.scope, Question("", "Dept")), rest.request).rows)
    assert met[0] in later
    assert 11 not in later
    assert sorted({*met, *later}) == list(range(11))
    centers.show([11])
    again = cut(selections.find(rest.scope, Question("", "Dept")), rest.request)
    assert 11 in again.rows


def test_a_key_cannot_be_changed() -> None:
    plant = build_plant("small", 9, NOW)
    with pytest.raises(ValueError, match="part of the key"):
        plant.collections["SLWcs"].change("Wc", 0, "X")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cap=st.integers(1, 400),
    order=st.sampled_from(["", "Stat", "Item DESC", "QtyReleased DESC, Item", "JschEndDate", "RowPointer DESC"]),
    condition=st.sampled_from(["", "Stat='R'", "Type='S' OR Type='E'", "JschEndDate IS NULL"]),
)
def test_pages_of_any_size_make_up_the_selection(plant: Plant, cap: int, order: str, condition: str) -> None:
    state: SimulatorState = create_simulator(plant).state.simulator
    parameters = {"filter": condition, "orderby": order, "recordcap": str(cap), "loadtype": "NEXT", "bookmark": ""}
    selection = state.selections.find(
        prepare_load(state, plant, "SLJobs", parameters).scope, Question(condition, order)
    )
    met: list[int] = []
    more = True
    while more:
        page = cut(selection, read_load(parameters, 200, None))
        met += page.rows
        more, parameters["bookmark"] = page.more, page.bookmark or ""
    assert met == list(selection.rows)
