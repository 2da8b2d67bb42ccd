"""Custom load methods over HTTP: they select and page on their own, whatever the framework is asked for."""

import httpx2
import pytest

from kai_erp.simulator import Fault, Move, Plant, SimulatorOptions
from tests.test_simulator.conftest import Connect
from tests.test_simulator.test_loads import Answer, load, rows_of, walk

KEY = ("Job", "Suffix", "OperNum")
PROPERTIES = "Job,Suffix,OperNum,Wc,JobStat,JshStartDate"


async def dispatch(client: httpx2.AsyncClient, parameters: str = "WELD,R", **more: str | int) -> Answer:
    asked: dict[str, str | int] = {"properties": PROPERTIES, "clm": "ue_CLM_DispatchList", "clmParam": parameters}
    return await load(client, "SLJobRoutes", **(asked | more))


async def test_parameters_count_by_position_and_an_empty_one_restricts_nothing(
    client: httpx2.AsyncClient, plant: Plant
) -> None:
    jobs = [row for row in plant.rows("SLJobRoutes") if row["Type"] == "J"]
    released = [row for row in jobs if row["JobStat"] == "R"]
    welded = [row for row in jobs if str(row["Wc"]).rstrip() == "WELD"]
    both = [row for row in welded if row["JobStat"] == "R"]
    for parameters, rows in ((",R", released), ("WELD", welded), ("WELD,", welded), ("WELD,R", both), (",", jobs)):
        answer = await dispatch(client, parameters, recordCap=0)
        assert sorted(_keys(answer)) == sorted(tuple(row[name] for name in KEY) for row in rows)
        assert answer["MoreRowsExist"] is False


async def test_filter_and_order_are_ignored_even_when_they_are_illegal(client: httpx2.AsyncClient) -> None:
    plain = await dispatch(client)
    starts = [row["JshStartDate"] or "" for row in plain["Items"]]
    assert starts == sorted(starts)
    for asked in ({"filter": "Wc='none'", "orderBy": "Job DESC"}, {"filter": "EXISTS (", "orderBy": "Nope"}):
        assert await dispatch(client, **asked) == plain


async def test_without_a_cap_the_method_stops_at_the_systems(client: httpx2.AsyncClient) -> None:
    answer = await dispatch(client, ",")
    assert (len(answer["Items"]), answer["MoreRowsExist"]) == (200, True)


@pytest.mark.parametrize("cap", [1, 7])
async def test_pages_of_a_method_give_each_row_once(client: httpx2.AsyncClient, cap: int) -> None:
    whole = await dispatch(client, recordCap=0)
    asked: dict[str, str | int] = {"properties": PROPERTIES, "clm": "UE_clm_dispatchlist", "clmParam": "WELD,R"}
    pages = await walk(client, "SLJobRoutes", recordCap=cap, **asked)
    assert rows_of(pages) == whole["Items"]
    assert all("<P>" not in page["Bookmark"] for page in pages)


async def test_an_exact_last_page_claims_no_more(client: httpx2.AsyncClient) -> None:
    count = len((await dispatch(client, recordCap=0))["Items"])
    assert (await dispatch(client, recordCap=count))["MoreRowsExist"] is False
    assert (await dispatch(client, recordCap=count - 1))["MoreRowsExist"] is True


async def test_a_method_walks_backwards_too(client: httpx2.AsyncClient) -> None:
    whole = (await dispatch(client, recordCap=0))["Items"]
    last = await dispatch(client, recordCap=3, loadType="LAST")
    before = await dispatch(client, recordCap=3, loadType="PREV", bookmark=last["Bookmark"])
    assert last["Items"] + before["Items"] == whole[::-1][:6]


async def test_where_a_method_finds_nothing_its_bookmark_says_so_and_leads_to_the_start(
    client: httpx2.AsyncClient,
) -> None:
    answer = await dispatch(client, 'it\'s "none",R')
    assert answer == {"Items": [], "Bookmark": "<B/>", "MoreRowsExist": False, "Success": True, "Message": None}
    assert await dispatch(client, loadType="NEXT", bookmark="<B/>") == await dispatch(client)


@pytest.mark.parametrize(
    "bookmark", ["x", "<B>[]</B>", "<B>[1,2]</B>", "<B>[[1],[2]]</B>", "<B>7</B>", "<B><P></P></B>"]
)
async def test_a_bookmark_that_is_not_the_methods_own_is_refused(
    client: httpx2.AsyncClient, bookmark: str
) -> None:
    answer = await dispatch(client, loadType="NEXT", bookmark=bookmark)
    assert (answer["Success"], answer["Items"]) == (False, None)
    assert "bookmark" in answer["Message"]


async def test_the_bookmark_of_a_method_is_none_of_the_frameworks(client: httpx2.AsyncClient) -> None:
    answer = await dispatch(client, recordCap=1)
    onward = await load(client, "SLJobRoutes", loadType="NEXT", bookmark=answer["Bookmark"])
    assert onward["Success"] is False


@pytest.mark.parametrize(
    ("ido", "method", "handle"),
    [("SLJobRoutes", "ue_CLM_DispatchList", ""), ("SLJobs", "ue_CLM_OpenJobs", "PBT=[job]")],
)
async def test_the_handles_of_a_method_lead_to_no_row(
    client: httpx2.AsyncClient, ido: str, method: str, handle: str
) -> None:
    answer = await load(client, ido, properties="Job", clm=method, recordCap=5)
    assert [row["_ItemId"] for row in answer["Items"]] == [handle] * 5
    bare = await load(client, ido, properties="Job", clm=method, recordCap=5, readOnly="true")
    assert [list(row) for row in bare["Items"]] == [["Job"]] * 5


async def test_properties_that_are_no_result_of_the_method_are_null(client: httpx2.AsyncClient) -> None:
    answer = await dispatch(client, properties="Job,RowPointer,Type")
    assert all(row["Job"] and row["RowPointer"] is row["Type"] is None for row in answer["Items"])


@pytest.mark.parametrize(("ido", "name"), [("SLJobRoutes", "ue_CLM_Nothing"), ("SLJobs", "ue_CLM_DispatchList")])
async def test_an_unknown_method_is_refused(client: httpx2.AsyncClient, ido: str, name: str) -> None:
    answer = await load(client, ido, properties="Job", clm=name)
    assert (answer["Success"], answer["Items"]) == (False, None)
    assert answer["Message"] == f"Method {name} not found on {ido} IDO."


async def test_more_parameters_than_the_method_has_are_refused(client: httpx2.AsyncClient) -> None:
    answer = await dispatch(client, "WELD,R,x")
    assert (answer["Success"], "too many arguments" in answer["Message"]) == (False, True)


async def test_an_unknown_property_is_refused_of_a_method_too(client: httpx2.AsyncClient) -> None:
    answer = await dispatch(client, properties="Job,Nope")
    assert answer["Message"] == "Property Nope not found on SLJobRoutes IDO."


async def test_a_denied_collection_is_denied_to_its_methods(connect: Connect) -> None:
    async with connect() as (client, state):
        state.deny("SLJobRoutes")
        answer = await dispatch(client)
    assert answer["Message"] == "User requires [Read] privilege for SLJobRoutes"


async def test_a_method_reads_what_the_tenants_collection_lacks(connect: Connect) -> None:
    async with connect() as (client, _):
        whole = await dispatch(client, properties="Job")
    async with connect(SimulatorOptions(drop_properties={"SLJobRoutes": {"Type", "Wc"}})) as (client, _):
        assert await dispatch(client, properties="Job") == whole


async def test_rows_move_around_the_pages_of_a_method(connect: Connect) -> None:
    async with connect() as (client, state):
        whole = (await dispatch(client, recordCap=0))["Items"]
        state.faults.add(Fault(Move(delete_ahead=2), on="SLJobRoutes"))
        first = await dispatch(client, recordCap=3)
        onward = await dispatch(client, recordCap=0, loadType="NEXT", bookmark=first["Bookmark"])
        state.faults.clear()
    assert first["Items"] + onward["Items"] == whole[:3] + whole[5:]


def _keys(answer: Answer) -> list[tuple[str | None, ...]]:
    return [tuple(row[name] for name in KEY) for row in answer["Items"]]
