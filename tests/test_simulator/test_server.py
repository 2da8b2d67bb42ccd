"""The endpoints around loads: refusals, metadata, direct tokens, statuses of HTTP."""

from typing import Any

import httpx2
import pytest

from kai_erp.simulator import Plant, RecordedRequest, SimulatorOptions, SimulatorState, create_simulator
from tests.test_simulator.conftest import Connect

Answer = dict[str, Any]


def refused(answer: Answer) -> str:
    """Return the message of an answer that is a refusal."""
    assert (answer["Items"], answer["Success"], answer["MoreRowsExist"]) == (None, False, False)
    return str(answer["Message"])


async def get(client: httpx2.AsyncClient, path: str, **parameters: str) -> Answer:
    response = await client.get(path, params=parameters)
    assert response.status_code == 200
    answer: Answer = response.json()
    return answer


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"properties": "Job,Nope,Never"}, "Property Nope not found on SLJobs IDO."),
        ({"properties": "Job,Nope", "filter": "Never=1"}, "Property Nope not found on SLJobs IDO."),
        ({"filter": "DueDate < '20260101'"}, "Property DueDate not found on SLJobs IDO."),
        ({"orderBy": "Job, Priority DESC"}, "Property Priority not found on SLJobs IDO."),
        ({"filter": 'Job="1"'}, "Error processing LoadCollection request: IllegalFilterException"),
        ({"filter": "Job='\"'"}, "Error processing LoadCollection request: IllegalFilterException"),
        (
            {"filter": "Suffix='x'"},
            "Conversion failed when converting the nvarchar value 'x' to data type smallint.",
        ),
        ({"filter": "QtyReleased > 'x'"}, "Error converting data type nvarchar to numeric."),
        ({"recordCap": "many"}, "The record cap many is not a number."),
        ({"loadType": "SIDEWAYS"}, "The load type SIDEWAYS is not known."),
        ({"orderBy": "Job UP"}, "Error processing LoadCollection request: IllegalFilterException"),
    ],
)
async def test_a_bad_load_is_refused_with_status_200(
    client: httpx2.AsyncClient, parameters: dict[str, str], message: str
) -> None:
    assert refused(await get(client, "load/SLJobs", **parameters)) == message


@pytest.mark.parametrize("parameters", [{"filter": "DerQtyRemaining > 0"}, {"orderBy": "UbSelect"}])
async def test_properties_without_a_column_are_not_filtered_or_sorted(
    client: httpx2.AsyncClient, parameters: dict[str, str]
) -> None:
    assert "has no column" in refused(await get(client, "load/SLJobs", **parameters))


async def test_an_unknown_ido_is_not_found(client: httpx2.AsyncClient) -> None:
    assert "IDO not found" in refused(await get(client, "load/SLNothings"))
    info = await get(client, "info/SLNothings")
    assert (info["Properties"], info["Success"]) == ([], False)


async def test_a_denied_collection_is_refused_alone_and_until_it_is_allowed(connect: Connect) -> None:
    async with connect() as (client, state):
        state.deny("SLWcs")
        assert refused(await get(client, "load/slwcs")) == "User requires [Read] privilege for SLWcs"
        assert (await get(client, "load/SLJobs"))["Success"] is True
        state.allow("SLWcs")
        assert (await get(client, "load/SLWcs"))["Success"] is True


@pytest.mark.parametrize(
    "bookmark",
    [
        "garbage",
        "<B><P><p>Job</p></P></B>",
        "<B><P><p>Item</p></P><D><f>false</f></D><F><v>1</v></F><L><v>1</v></L></B>",
        "<B><P><p>Job</p><p>Suffix</p></P><D><f>false</f><f>false</f></D><F><v>1</v></F><L><v>1</v></L></B>",
        "<B><P><p>Job</p><p>Suffix</p></P><D><f>false</f><f>false</f></D><F><v>1</v><v>x</v></F><L><v>1</v><v>x</v></L></B>",
        "<B><P><p>Job</p>?<p>Suffix</p></P><D><f>false</f><f>false</f></D><F><v>1</v><v>1</v></F><L><v>1</v><v>1</v></L></B>",
    ],
)
async def test_a_malformed_bookmark_is_refused(client: httpx2.AsyncClient, bookmark: str) -> None:
    answer = await get(client, "load/SLJobs", bookmark=bookmark, loadType="NEXT")
    assert "bookmark" in refused(answer)


@pytest.mark.parametrize("pointer", ["x", "a-b-c-d-e", "zz-zz-zz-zz-zz"])
async def test_a_bookmark_with_a_bad_row_pointer_is_refused(client: httpx2.AsyncClient, pointer: str) -> None:
    names = "<P><p>RowPointer</p><p>Wc</p></P><D><f>false</f><f>false</f></D>"
    end = f"<v>{pointer}</v><v>SAW</v>"
    bookmark = f"<B>{names}<F>{end}</F><L>{end}</L></B>"
    answer = await get(client, "load/SLWcs", orderBy="RowPointer", bookmark=bookmark, loadType="NEXT")
    assert "bookmark" in refused(answer)


async def test_info_describes_properties_keys_and_children(client: httpx2.AsyncClient) -> None:
    info = await get(client, "info/SLJobs")
    properties = {p["Name"]: p for p in info["Properties"]}
    assert info["Keys"] == ["Job", "Suffix"]
    assert (info["PrimaryBaseTable"], info["Success"]) == ("job", True)
    job = properties["Job"]
    assert (job["DataType"], job["Length"], job["JustifyFormat"], job["Required"]) == ("String", 10, "R", True)
    quantity = properties["QtyReleased"]
    assert (quantity["DataType"], quantity["DecimalPos"], quantity["ClrTypeName"]) == (
        "Decimal",
        8,
        "System.Decimal",
    )
    assert (properties["JschPrfreeze"]["BooleanTrueValue"], properties["Item"]["JustifyFormat"]) == ("1", "L")
    assert [properties[n]["PropertyClass"] for n in ("Job", "DerDueDate", "UbSelect")] == ["0", "1", "2"]
    assert properties["JschEndDate"]["ReadOnly"] is True
    assert {"Name": "SLJobRoutes", "IDOName": "SLJobRoutes"}.items() <= info["SubCollections"][0].items()
    assert len(job) == 23


async def test_configurations_are_listed_without_credentials(plant: Plant) -> None:
    options = SimulatorOptions(configurations=("DEMO_A", "DEMO_B"))
    transport = httpx2.ASGITransport(app=create_simulator(plant, options))
    async with httpx2.AsyncClient(transport=transport, base_url="http://erp") as client:
        for base in ("/IDORequestService", "/DEMO_TRN/CSI/IDORequestService"):
            answer = await get(client, f"{base}/ido/configurations")
            assert answer == {"Message": None, "Success": True, "Configurations": ["DEMO_A", "DEMO_B"]}
            assert (await client.get(f"{base}/Ping.aspx")).status_code == 200


async def test_loads_are_got_and_nothing_else(client: httpx2.AsyncClient) -> None:
    response = await client.post("load/SLJobs", json={})
    assert response.status_code == 405


@pytest.mark.parametrize(
    "path", ["/", "/DEMO_TRN/LN/IDORequestService/ido/load/SLJobs", "/IDORequestService/ido/x"]
)
async def test_unknown_paths_are_pages_of_html(client: httpx2.AsyncClient, path: str) -> None:
    response = await client.get(f"http://erp{path}")
    assert response.status_code == 404
    assert response.headers["content-type"].startswith("text/html")
    assert response.text.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("by_path", [True, False])
async def test_a_direct_token_is_sent_raw_and_carries_its_configuration(plant: Plant, *, by_path: bool) -> None:
    options = SimulatorOptions()
    transport = httpx2.ASGITransport(app=create_simulator(plant, options))
    base = "/IDORequestService/ido"
    async with httpx2.AsyncClient(transport=transport, base_url="http://erp") as client:
        path, headers = f"{base}/token/DEMO_TRN_MAIN", {"username": options.username, "password": options.password}
        if by_path:
            path, headers = f"{path}/{options.username}/{options.password}", {}
        token = (await client.get(path, headers=headers)).json()["Token"]
        client.headers["Authorization"] = token
        answer = await get(client, f"{base}/load/SLWcs", properties="Wc")
        assert len(answer["Items"]) == 12
        client.headers["Authorization"] = f"Bearer {token}"
        response = await client.get(f"{base}/load/SLWcs")
        assert (response.status_code, response.json()["Message"]) == (401, "Invalid token")


@pytest.mark.parametrize(
    ("configuration", "password"), [("DEMO_TRN_MAIN", "wrong"), ("NOWHERE", "not-a-real-password")]
)
async def test_a_wrong_log_on_answers_without_a_token(plant: Plant, configuration: str, password: str) -> None:
    transport = httpx2.ASGITransport(app=create_simulator(plant))
    async with httpx2.AsyncClient(transport=transport, base_url="http://erp") as client:
        headers = {"username": "demo", "password": password}
        response = await client.get(f"/IDORequestService/ido/token/{configuration}", headers=headers)
    assert response.status_code == 200
    assert (response.json()["Success"], response.json()["Token"]) == (False, None)


@pytest.mark.parametrize("configuration", [None, "DEMO_TRN_OTHER"])
async def test_a_missing_or_unknown_configuration_looks_like_an_authentication_failure(
    client: httpx2.AsyncClient, configuration: str | None
) -> None:
    del client.headers["X-Infor-MongooseConfig"]
    headers = {} if configuration is None else {"X-Infor-MongooseConfig": configuration}
    for path in ("load/SLJobs", "info/SLJobs"):
        response = await client.get(path, headers=headers)
        assert response.status_code == 401
        assert "error authenticating user" in response.json()["Message"]


async def test_requests_are_recorded(connect: Connect) -> None:
    async with connect() as (client, state):
        await client.get(httpx2.URL("load/SLJobs?Properties=Job%2CSuffix&recordCap=3"))
        await client.get("info/SLWcs")
        load, info = state.requests
        assert (load.method, load.collection, load.status) == ("GET", "SLJobs", 200)
        assert load.params == {"properties": "Job,Suffix", "recordcap": "3"}
        assert load.query_bytes == len("Properties=Job%2CSuffix&recordCap=3")
        assert load.configuration == "DEMO_TRN_MAIN"
        assert 0 < load.started <= load.ended <= info.started
        assert (info.collection, state.token_requests) == ("SLWcs", 1)


def test_a_very_long_past_is_forgotten(plant: Plant) -> None:
    state: SimulatorState = create_simulator(plant).state.simulator
    request = RecordedRequest("GET", "/", "SLWcs", 0, {}, None, 0.0)
    for n in range(60_000):
        state.record(request)
        state.turn_page("SLWcs", "", f"<B>{n}</B>")
    assert len(state.requests) < 50_000
    assert len(state.pages) < 50_000
    assert state.page_of("SLWcs", "<B>59999</B>") == 2
