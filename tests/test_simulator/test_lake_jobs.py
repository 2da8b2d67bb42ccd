"""The life of a job in Compass: submitted, waited for, fetched in pages, cancelled, forgotten."""

import asyncio
import csv
import gzip
import io
import json
import zlib

import httpx2
import pytest

from kai_erp.simulator import Plant, SimulatorOptions, run_simulator
from tests.conftest import HandClock
from tests.test_simulator.conftest import Compass, Connect, OpenLake, log_on

QUERY = "SELECT wc, description, efficiency, setuprgid FROM wc ORDER BY wc"
MESSAGE = (
    *("messageCode", "messageCategory", "messageType", "message", "localizedMessage", "suggestedLocalizedText"),
    *("messageTime", "queryId", "dataObjectId", "userTableName", "line", "position"),
)


async def test_a_query_is_submitted_waited_for_and_fetched(lake: Compass) -> None:
    submitted = await lake.post(QUERY)
    said = submitted.json()
    assert (submitted.status_code, said["status"]) == (202, "RUNNING")
    assert said["location"] == f"jobs/{said['queryId']}/status"
    ended = await lake.status(said["queryId"], 25)
    told = ended.json()
    assert (ended.status_code, told["status"], told["rowCount"]) == (201, "FINISHED", 12)
    assert told["columns"][:2] == [
        {"name": "wc", "datatype": "VARCHAR"},
        {"name": "description", "datatype": "VARCHAR"},
    ]
    rows = (await lake.result(said["queryId"])).json()
    assert rows[0] == {"wc": "ASSY", "description": "Final assembly", "efficiency": 100.0}
    assert [row["wc"] for row in rows] == sorted(row["wc"] for row in rows)


async def test_every_path_is_taken_with_and_without_a_slash_at_its_end(lake: Compass) -> None:
    for slash in ("", "/"):
        assert (await lake.client.get(f"ping{slash}")).text == "pong"
        post = await lake.client.post(f"jobs{slash}", content=QUERY, headers={"Content-Type": "text/plain"})
        job = post.json()["queryId"]
        await lake.status(job, 25)
        assert (await lake.client.get(f"jobs/{job}/status{slash}")).status_code == 201
        assert (await lake.client.get(f"jobs/{job}/result{slash}")).status_code == 200
        assert (await lake.client.put(f"jobs/{job}/cancel{slash}")).json()["status"] == "FINISHED"


async def test_the_credentials_file_leads_to_compass(plant: Plant) -> None:
    with run_simulator(plant) as simulator, httpx2.Client() as client:
        document = simulator.ionapi()
        log_on(client, document)
        base = f"{document['iu']}/{document['ti']}/DATAFABRIC/compass/v2"
        post = client.post(f"{base}/jobs/", content=QUERY, headers={"Content-Type": "text/plain; charset=utf-8"})
        job = post.json()["queryId"]
        assert client.get(f"{base}/jobs/{job}/status/", params={"timeout": 25}).status_code == 201
        page = client.get(f"{base}/jobs/{job}/result/", headers={"Accept": "application/json"})
        assert len(page.json()) == 12
        assert simulator.state.requests == []
        assert [request.operation for request in simulator.state.lake.requests] == ["submit", "status", "result"]
        assert simulator.state.lake.jobs[0].sql == QUERY


async def test_without_a_valid_token_the_gateway_answers(open_lake: OpenLake) -> None:
    async with open_lake() as lake:
        lake.state.revoke_tokens()
        assert (await lake.post(QUERY)).status_code == 401
        assert (await lake.client.get("ping")).status_code == 401
        assert lake.state.lake.jobs == []


async def test_a_query_is_plain_text(lake: Compass) -> None:
    refused = await lake.client.post("jobs/", json={"query": QUERY})
    assert refused.status_code == 415


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/json", "application/json"),
        ("application/x-ndjson", "application/x-ndjson"),
        ("text/csv", "text/csv; charset=utf-8"),
        ("*/*", "text/csv; charset=utf-8"),
        ("image/png, application/json;q=0.5", "application/json"),
    ],
)
async def test_the_format_is_the_one_that_is_accepted(lake: Compass, accept: str, kind: str) -> None:
    page = await lake.result(await lake.run(QUERY), accept)
    assert page.headers["content-type"] == kind
    if "csv" in kind:
        rows = list(csv.DictReader(io.StringIO(page.text)))
    else:
        rows = page.json() if kind == "application/json" else [json.loads(line) for line in page.text.splitlines()]
    assert [row["wc"] for row in rows][:2] == ["ASSY", "BEND"]
    assert page.text.endswith("\n") is (kind != "application/json")


async def test_what_comes_without_an_accept_header_can_be_json(open_lake: OpenLake) -> None:
    async with open_lake(SimulatorOptions(lake_default_format="json")) as lake:
        assert len((await lake.result(await lake.run(QUERY), "*/*")).json()) == 12


async def test_pages_are_slices_of_a_frozen_result_and_each_has_a_header(lake: Compass) -> None:
    job = await lake.run(QUERY)
    lake.state.delete("SLWcs", {"Wc": "WELD"})
    pages = [await lake.result(job, "text/csv", offset=offset, limit=5) for offset in (0, 5, 10, 15)]
    lines = [page.text.splitlines() for page in pages]
    assert {page[0] for page in lines} == {"wc,description,efficiency,setuprgid"}
    assert [len(page) - 1 for page in lines] == [5, 5, 2, 0]
    assert any(line.startswith("WELD,") for page in lines for line in page)
    assert (await lake.result(job, offset=15, limit=5)).json() == []
    assert (await lake.result(job, "application/x-ndjson", offset=15, limit=5)).content == b""


@pytest.mark.parametrize(
    "wrong", [{"limit": "100001"}, {"limit": "-1"}, {"offset": "x"}, {"limit": "1.5"}, {"offset": ""}]
)
async def test_a_wrong_slice_is_a_bad_request(lake: Compass, wrong: dict[str, str]) -> None:
    page = await lake.client.get(f"jobs/{await lake.run(QUERY)}/result/", params=wrong)
    assert (page.status_code, page.json()["messageCode"]) == (400, "400")


async def test_a_page_that_is_too_big_is_refused_and_a_smaller_one_is_not(open_lake: OpenLake) -> None:
    async with open_lake(SimulatorOptions(lake_page_bytes=400)) as lake:
        job = await lake.run(QUERY)
        refused = await lake.result(job)
        assert refused.status_code == 400
        assert '"messageCode":"760"' in refused.text
        assert "too large to process" in refused.text
        assert len((await lake.result(job, limit=5)).json()) == 5


@pytest.mark.parametrize(("encoding", "read"), [("gzip", gzip.decompress), ("deflate", zlib.decompress)])
async def test_a_page_is_compressed_as_the_client_accepts(lake: Compass, encoding: str, read: object) -> None:
    job = await lake.run(QUERY)
    async with lake.client.stream(
        "GET", f"jobs/{job}/result/", headers={"Accept": "application/json", "Accept-Encoding": encoding}
    ) as page:
        raw = b"".join([part async for part in page.aiter_raw()])
    assert page.headers["content-encoding"] == encoding
    assert callable(read)
    assert len(json.loads(read(raw))) == 12


async def test_a_page_comes_as_it_is_when_nothing_else_is_accepted(lake: Compass) -> None:
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    page = await lake.client.get(f"jobs/{await lake.run(QUERY)}/result/", headers=headers)
    assert "content-encoding" not in page.headers


async def test_a_failed_job_gives_message_records_in_place_of_rows(lake: Compass) -> None:
    job = (await lake.post("SELECT nothing FROM wc")).json()["queryId"]
    status = await lake.status(job, 25)
    assert (status.status_code, status.json()["status"]) == (201, "FAILED")
    assert "rowCount" not in status.json()
    shown = await lake.result(job)
    (record,) = shown.json()
    assert (shown.status_code, record["messageCode"], record["line"], record["position"]) == (200, "401", 1, 8)
    assert record["message"].startswith("Invalid property name references 'nothing'.")
    assert record["message"].endswith("or you do not have appropriate permissions.")
    table = list(csv.DictReader(io.StringIO((await lake.result(job, "text/csv")).text)))
    assert list(table[0]) == [name[0].upper() + name[1:] for name in MESSAGE]
    assert table[0]["QueryId"] == job


async def test_waiting_ends_with_the_job_or_with_the_time_given(open_lake: OpenLake) -> None:
    clock = HandClock()
    async with open_lake(SimulatorOptions(clock=clock, lake_job_seconds=30)) as lake:
        job = (await lake.post(QUERY)).json()["queryId"]
        at_once = await lake.status(job)
        assert (at_once.status_code, at_once.json()["status"]) == (202, "RUNNING")
        waiting = asyncio.create_task(lake.status(job, 25))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        clock.seconds += 30
        assert (await waiting).json()["status"] == "FINISHED"
        assert (await lake.client.get(f"jobs/{job}/status/", params={"timeout": 26})).status_code == 400


async def test_there_is_no_result_while_a_job_runs(open_lake: OpenLake) -> None:
    async with open_lake(SimulatorOptions(lake_job_seconds=3000)) as lake:
        job = (await lake.post(QUERY)).json()["queryId"]
        assert (await lake.result(job)).status_code == 400
        lake.state.clock.advance(3000)
        assert (await lake.status(job, 25)).json()["status"] == "FINISHED"


async def test_a_job_that_is_cancelled_stays_so(open_lake: OpenLake) -> None:
    async with open_lake(SimulatorOptions(lake_job_seconds=3000)) as lake:
        job = (await lake.post(QUERY)).json()["queryId"]
        for _ in range(2):
            assert (await lake.client.put(f"jobs/{job}/cancel/")).json() == {"queryId": job, "status": "CANCELED"}
        status = await lake.status(job)
        assert (status.status_code, status.json()["status"]) == (201, "CANCELED")
        assert (await lake.result(job)).status_code == 400
        assert [known.canceled for known in lake.state.lake.jobs] == [True]


async def test_a_query_that_runs_is_stopped_when_its_job_is_cancelled(lake: Compass) -> None:
    endless = "SELECT COUNT(*) FROM item a CROSS JOIN item b CROSS JOIN item c CROSS JOIN item d"
    job = (await lake.post(endless)).json()["queryId"]
    while not lake.state.lake.jobs[0].outcome.running():  # noqa: ASYNC110 - a thread takes it up
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    await lake.client.put(f"jobs/{job}/cancel/")
    assert (await lake.status(await lake.run(QUERY))).json()["status"] == "FINISHED"


async def test_a_job_fails_when_it_reaches_the_limit_of_an_hour(open_lake: OpenLake) -> None:
    async with open_lake(SimulatorOptions(lake_job_seconds=4000)) as lake:
        job = (await lake.post(QUERY)).json()["queryId"]
        lake.state.clock.advance(3599)
        assert (await lake.status(job)).status_code == 202
        lake.state.clock.advance(2)
        assert (await lake.status(job)).json()["status"] == "FAILED"
        (record,) = (await lake.result(job)).json()
        assert "60 minutes" in record["message"]


async def test_a_job_that_touches_a_table_first_or_after_a_change_runs_longer(open_lake: OpenLake) -> None:
    options = SimulatorOptions(lake_first_touch_seconds=600, clock=lambda: 0.0)
    async with open_lake(options) as lake:
        for waits in (600, 0, 600):
            job = (await lake.post(QUERY)).json()["queryId"]
            lake.state.lake.jobs[-1].outcome.result(20)
            assert (await lake.status(job)).status_code == (202 if waits else 201)
            lake.state.clock.advance(waits)
            assert (await lake.status(job)).json()["status"] == "FINISHED"
            if not waits:
                lake.state.change("SLWcs", {"Wc": "SAW"}, {"Dept": "CUT"})


async def test_a_result_is_kept_for_twenty_hours(lake: Compass) -> None:
    job = await lake.run(QUERY)
    lake.state.clock.advance(71_990)
    assert (await lake.result(job)).status_code == 200
    lake.state.clock.advance(20)
    for answer in (await lake.result(job), await lake.status(job), await lake.client.put(f"jobs/{job}/cancel/")):
        assert (answer.status_code, answer.json()["queryId"]) == (404, job)


async def test_an_unknown_job_is_not_found(lake: Compass) -> None:
    assert (await lake.status("no-such-job")).status_code == 404


@pytest.mark.parametrize("told", [False, True])
async def test_more_than_so_many_calls_a_minute_are_too_many(open_lake: OpenLake, *, told: bool) -> None:
    options = SimulatorOptions(
        lake_submits_per_minute=2, lake_statuses_per_minute=1, lake_results_per_minute=1, lake_retry_after=told
    )
    async with open_lake(options) as lake:
        posts = [await lake.post(QUERY) for _ in range(3)]
        assert [post.status_code for post in posts] == [202, 202, 429]
        assert ("retry-after" in posts[2].headers) is told
        job = posts[0].json()["queryId"]
        assert [(await lake.status(job, 25)).status_code for _ in range(2)] == [201, 429]
        assert [(await lake.result(job)).status_code for _ in range(2)] == [200, 429]
        lake.state.clock.advance(61)
        assert (await lake.post(QUERY)).status_code == 202
        assert len(lake.state.lake.jobs) == 3


async def test_calls_are_not_counted_when_there_is_no_limit(open_lake: OpenLake) -> None:
    async with open_lake(SimulatorOptions(lake_statuses_per_minute=None)) as lake:
        job = await lake.run(QUERY)
        assert {(await lake.status(job)).status_code for _ in range(50)} == {201}


async def test_a_client_can_ask_for_so_many_records(lake: Compass) -> None:
    post = await lake.client.post(
        "jobs/", content=QUERY, params={"records": 3}, headers={"Content-Type": "text/plain"}
    )
    assert (await lake.status(post.json()["queryId"], 25)).json()["rowCount"] == 3


async def test_other_paths_and_verbs_are_not_there(connect: Connect) -> None:
    async with connect() as (client, _):
        base = "http://erp/DEMO_TRN/DATAFABRIC/compass/v2"
        assert (await client.get(f"{base}/queries")).status_code == 404
        assert (await client.delete(f"{base}/jobs/x/cancel")).status_code == 405
        assert (
            await client.post("http://erp/DEMO_TRN/IONSERVICES/datalakeapi/v1/compass/jobs")
        ).status_code == 404
