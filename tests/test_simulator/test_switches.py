"""Each switch turns one uncertain behaviour the other way."""

import httpx2

from kai_erp.simulator import SimulatorOptions
from tests.test_simulator.conftest import Connect


async def items(client: httpx2.AsyncClient, url: str) -> list[dict[str, str]]:
    """Return the rows of a good answer."""
    answer = (await client.get(httpx2.URL(url))).json()
    assert answer["Success"] is True
    rows: list[dict[str, str]] = answer["Items"]
    return rows


async def refused(client: httpx2.AsyncClient, url: str) -> bool:
    """Whether the load is refused."""
    answer = (await client.get(httpx2.URL(url))).json()
    return answer["Items"] is None and answer["Success"] is False


async def test_names_can_be_strict(connect: Connect) -> None:
    async with connect(SimulatorOptions(case_strict_names=True)) as (client, _):
        assert await items(client, "load/SLWcs?properties=Wc&recordCap=1")
        assert await refused(client, "load/slwcs?properties=Wc")
        assert await refused(client, "load/SLWcs?properties=wc")
        assert await refused(client, "load/SLWcs?filter=wc='SAW'")


async def test_empty_items_can_be_null(connect: Connect) -> None:
    async with connect(SimulatorOptions(empty_items_null=True)) as (client, _):
        answer = (await client.get("load/SLWcs", params={"filter": "Wc='none'"})).json()
        assert (answer["Items"], answer["Success"]) == (None, True)


async def test_the_handle_can_be_left_out_unless_it_is_asked_for(connect: Connect) -> None:
    async with connect(SimulatorOptions(omit_item_id=True)) as (client, _):
        assert list((await items(client, "load/SLWcs?properties=Wc"))[0]) == ["Wc"]
        assert list((await items(client, "load/SLWcs?properties=Wc,_ItemId"))[0]) == ["Wc", "_ItemId"]


async def test_more_rows_exist_can_be_left_out(connect: Connect) -> None:
    async with connect(SimulatorOptions(omit_more_rows_exist=True)) as (client, _):
        answer = (await client.get("load/SLWcs", params={"recordCap": 2})).json()
        assert list(answer) == ["Items", "Bookmark", "Success", "Message"]


async def test_a_literal_plus_can_be_a_plus(connect: Connect) -> None:
    async with connect(SimulatorOptions(plus_is_not_blank=True)) as (client, _):
        assert await refused(client, "load/SLWcs?filter=Wc+=+'SAW'")
        assert await items(client, "load/SLWcs?filter=Wc%20=%20'SAW'")


async def test_big_pages_can_time_out(connect: Connect) -> None:
    async with connect(SimulatorOptions(big_page_limit=500)) as (client, _):
        statuses = [
            (await client.get("load/SLJobs", params={"properties": "Job", "recordCap": cap})).status_code
            for cap in (500, 501, 0)
        ]
        small = await client.get("load/SLWcs", params={"recordCap": 0})
        assert (statuses, small.status_code) == ([200, 504, 504], 200)


async def test_long_queries_can_be_not_found(connect: Connect) -> None:
    async with connect(SimulatorOptions(max_query_bytes=60)) as (client, state):
        assert (await client.get(httpx2.URL("load/SLWcs?filter=" + "x" * 53))).status_code == 200
        response = await client.get(httpx2.URL("load/SLWcs?filter=" + "x" * 54))
        assert (response.status_code, response.text[:9]) == (404, "<!DOCTYPE")
        assert [request.status for request in state.requests] == [200, 404]


async def test_a_cap_of_the_server_clamps_every_cap(connect: Connect) -> None:
    async with connect(SimulatorOptions(max_cap=100, default_cap=150)) as (client, _):
        for cap in ("", "&recordCap=0", "&recordCap=5000", "&recordCap=100"):
            answer = (await client.get(httpx2.URL(f"load/SLJobs?properties=Job{cap}"))).json()
            assert (len(answer["Items"]), answer["MoreRowsExist"]) == (100, True)
        assert len(await items(client, "load/SLJobs?properties=Job&recordCap=7")) == 7


async def test_good_metadata_can_claim_to_be_none(connect: Connect) -> None:
    async with connect(SimulatorOptions(info_success_false=True)) as (client, _):
        answer = (await client.get("info/SLWcs")).json()
        assert answer["Success"] is False
        assert answer["Properties"]


async def test_a_tenant_can_lack_properties(connect: Connect) -> None:
    options = SimulatorOptions(drop_properties={"SLJobRoutes": {"JshSchedHrs", "Yield"}})
    async with connect(options) as (client, _):
        for query in ("properties=Job,JshSchedHrs", "filter=JshSchedHrs>1", "orderBy=JshSchedHrs"):
            answer = (await client.get(httpx2.URL(f"load/SLJobRoutes?{query}"))).json()
            assert answer["Message"] == "Property JshSchedHrs not found on SLJobRoutes IDO."
        assert "JshSchedHrs" not in (await items(client, "load/SLJobRoutes?recordCap=1"))[0]
        names = {p["Name"] for p in (await client.get("info/SLJobRoutes")).json()["Properties"]}
        assert not names & {"JshSchedHrs", "Yield"}
        assert "JshSetupHrs" in names


async def test_keys_of_rows_can_be_in_lower_case(connect: Connect) -> None:
    async with connect(SimulatorOptions(response_lowercase_keys=True)) as (client, _):
        assert list((await items(client, "load/SLWcs?properties=Wc,SchedDrv&readOnly=true"))[0]) == [
            "wc",
            "scheddrv",
        ]


async def test_double_quotes_inside_a_literal_can_pass(connect: Connect) -> None:
    async with connect(SimulatorOptions(double_quote_anywhere=False)) as (client, _):
        assert await items(client, "load/SLItems?filter=Description LIKE '%25\"%25'&recordCap=1")
        assert await refused(client, 'load/SLItems?filter=Description = "x"')


async def test_derived_properties_can_be_filtered(connect: Connect) -> None:
    async with connect(SimulatorOptions(filter_derived=True)) as (client, _):
        rows = await items(client, "load/SLJobs?properties=DerQtyRemaining&filter=DerQtyRemaining>0&readOnly=1")
        assert rows
        assert all(float(row["DerQtyRemaining"]) > 0 for row in rows)


async def test_statuses_of_refusals_can_be_chosen(connect: Connect) -> None:
    options = SimulatorOptions(
        bad_configuration_status=200,
        unknown_ido_status=404,
        malformed_bookmark_status=500,
        bad_direct_token_status=200,
    )
    async with connect(options) as (client, _):
        nowhere = await client.get("load/SLWcs", headers={"X-Infor-MongooseConfig": "NOWHERE"})
        assert (nowhere.status_code, nowhere.json()["Success"]) == (200, False)
        assert (await client.get("load/SLNothings")).status_code == 404
        assert (await client.get("info/SLNothings")).status_code == 404
        bookmark = await client.get("load/SLWcs", params={"bookmark": "x", "loadType": "NEXT"})
        assert bookmark.status_code == 500
        direct = await client.get("http://erp/IDORequestService/ido/load/SLWcs")
        assert (direct.status_code, direct.json()["Message"]) == (200, "Invalid token")


async def test_every_ido_request_can_take_its_time(connect: Connect) -> None:
    async with connect(SimulatorOptions(latency_ms=30)) as (client, state):
        await client.get("load/SLWcs")
        assert state.requests[0].ended - state.requests[0].started >= 0.029


async def test_refusals_can_be_in_german(connect: Connect) -> None:
    async with connect(SimulatorOptions(language="de")) as (client, state):
        state.deny("SLItems")
        said = [
            (await client.get(httpx2.URL(f"load/{load}"))).json()["Message"]
            for load in ("SLJobs?properties=Job,Nope", "SLItems", "SLJobs?filter=SUM(Suffix)>1", "SLNothings")
        ]
        assert said == [
            "Eigenschaft Nope wurde im IDO SLJobs nicht gefunden.",
            "Benutzer benötigt die Berechtigung [Lesen] für SLItems",
            "Fehler beim Verarbeiten der Anforderung LoadCollection: Der Filter ist unzulässig.",
            "Das IDO SLNothings wurde nicht gefunden.",
        ]
        info = (await client.get("info/SLNothings")).json()
        assert info["Message"] == said[3]
        assert "not a number" in (await client.get("load/SLJobs?recordCap=x")).json()["Message"]
