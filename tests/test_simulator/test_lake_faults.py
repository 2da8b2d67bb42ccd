"""Faults befall Compass too: where and as often as a rule says."""

import gzip

import httpx2
import pytest

from kai_erp.simulator import (
    Abort,
    Answer,
    Delay,
    Drip,
    DropBookmark,
    Fault,
    Move,
    Plant,
    RepeatBookmark,
    Truncate,
    run_simulator,
)
from tests.test_simulator.conftest import Compass, log_on

QUERY = "SELECT wc FROM wc ORDER BY wc"


async def statuses(lake: Compass) -> list[int]:
    """Return how a submit, a status, a result and a cancel are answered."""
    job = await lake.run(QUERY)
    answers = [await lake.post(QUERY), await lake.status(job), await lake.result(job)]
    return [answer.status_code for answer in (*answers, await lake.client.put(f"jobs/{job}/cancel/"))]


@pytest.mark.parametrize(
    ("on", "seen"),
    [
        ("compass.submit", [503, 201, 200, 200]),
        ("compass.status", [202, 503, 200, 200]),
        ("compass.result", [202, 201, 503, 200]),
        ("compass.cancel", [202, 201, 200, 503]),
        ("compass", [503, 503, 503, 503]),
        ("*", [503, 503, 503, 503]),
        ("ido", [202, 201, 200, 200]),
        ("token", [202, 201, 200, 200]),
        ("SLWcs", [202, 201, 200, 200]),
    ],
)
async def test_a_rule_holds_for_one_operation_or_for_all(lake: Compass, on: str, seen: list[int]) -> None:
    calls = {"compass.submit": 2, "compass.status": 2, "compass": 3, "*": 3}
    lake.state.faults.add(Fault(Answer(503), on=on, nth=calls.get(on, 1), times=None))
    assert await statuses(lake) == seen


async def test_a_rule_for_compass_leaves_the_ido_service_alone(lake: Compass) -> None:
    lake.state.faults.add(Fault(Answer(503), on="compass", times=None))
    answer = await lake.client.get("http://erp/DEMO_TRN/CSI/IDORequestService/ido/load/SLWcs")
    assert answer.status_code == 200


async def test_a_submit_that_is_answered_by_a_fault_starts_no_job(lake: Compass) -> None:
    lake.state.faults.add(Fault(Answer(502), on="compass.submit"))
    assert (await lake.post(QUERY)).status_code == 502
    assert lake.state.lake.jobs == []
    assert (lake.state.lake.requests[0].sql, lake.state.lake.requests[0].status) == (QUERY, 502)


async def test_a_submit_whose_answer_is_lost_leaves_a_job_behind(lake: Compass) -> None:
    lake.state.faults.add(Fault(Abort(0.0), on="compass.submit"))
    with pytest.raises(ConnectionResetError):
        await lake.post(QUERY)
    assert [job.sql for job in lake.state.lake.jobs] == [QUERY]


async def test_a_page_can_be_cut_short_dripped_or_late(lake: Compass) -> None:
    job = await lake.run(QUERY)
    lake.client.headers["Accept-Encoding"] = "identity"
    whole = (await lake.result(job, "text/csv")).text
    for action in (Truncate(0.5), Drip(3, 0.001), Delay(0.01)):
        lake.state.faults.add(Fault(action, on="compass.result"))
    pages = [(await lake.result(job, "text/csv")).text for _ in range(3)]
    assert pages == [whole[: len(whole) // 2], whole, whole]


async def test_a_page_that_is_cut_short_is_still_said_to_be_compressed(lake: Compass) -> None:
    job = await lake.run(QUERY)
    lake.state.faults.add(Fault(Truncate(0.6), on="compass.result"))
    headers = {"Accept": "text/csv", "Accept-Encoding": "gzip"}
    async with lake.client.stream("GET", f"jobs/{job}/result/", headers=headers) as page:
        raw = b"".join([part async for part in page.aiter_raw()])
    assert page.headers["content-encoding"] == "gzip"
    with pytest.raises(EOFError):
        gzip.decompress(raw)


async def test_a_rule_can_hold_for_one_page_of_a_result(lake: Compass) -> None:
    job = await lake.run(QUERY)
    lake.state.faults.add(Fault(Answer(500), on="compass.result", page=3))
    pages = [await lake.result(job, offset=offset, limit=4) for offset in (0, 4, 8)]
    assert [page.status_code for page in pages] == [200, 200, 500]


@pytest.mark.parametrize("action", [RepeatBookmark(), DropBookmark(), Move(delete_served=1)])
async def test_what_concerns_walks_does_nothing_here(
    lake: Compass, action: RepeatBookmark | DropBookmark | Move
) -> None:
    lake.state.faults.add(Fault(action, times=None))
    assert await statuses(lake) == [202, 201, 200, 200]
    assert {request.fault for request in lake.state.lake.requests} == {None}


def test_on_a_socket_a_connection_is_cut_within_a_page(plant: Plant) -> None:
    with run_simulator(plant) as simulator, httpx2.Client() as client:
        document = simulator.ionapi()
        log_on(client, document)
        base = f"{document['iu']}/{document['ti']}/DATAFABRIC/compass/v2"
        job = client.post(f"{base}/jobs", content=QUERY, headers={"Content-Type": "text/plain"}).json()["queryId"]
        client.get(f"{base}/jobs/{job}/status", params={"timeout": 25})
        simulator.state.faults.add(Fault(Abort(0.5), on="compass.result"))
        with pytest.raises(httpx2.RemoteProtocolError):
            client.get(f"{base}/jobs/{job}/result")
        assert client.get(f"{base}/jobs/{job}/result").status_code == 200
