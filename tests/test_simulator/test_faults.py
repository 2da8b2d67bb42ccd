"""Faults happen where and as often as a test says."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest

from kai_erp.simulator import (
    Abort,
    Answer,
    Delay,
    Drip,
    DropBookmark,
    Fault,
    Plant,
    RepeatBookmark,
    RunningSimulator,
    SimulatorOptions,
    Truncate,
    run_simulator,
)
from tests.test_simulator.conftest import Connect

WHOLE = {"properties": "Wc,Description", "readOnly": "true"}


async def statuses(client: httpx2.AsyncClient, count: int, ido: str = "SLWcs") -> list[int]:
    return [(await client.get(f"load/{ido}")).status_code for _ in range(count)]


async def test_a_status_comes_once_with_its_headers_and_body(connect: Connect) -> None:
    async with connect() as (client, state):
        state.faults.add(Fault(Answer(429, {"Retry-After": "3"}, "slow down", "text/plain")))
        response = await client.get("load/SLWcs")
        assert (response.status_code, response.headers["retry-after"], response.text) == (429, "3", "slow down")
        assert await statuses(client, 1) == [200]
        assert [request.status for request in state.requests] == [429, 200]


@pytest.mark.parametrize("status", [401, 403, 500, 502, 503, 504, 200])
async def test_any_status_can_carry_html(connect: Connect, status: int) -> None:
    async with connect() as (client, state):
        state.faults.add(Fault(Answer(status)))
        response = await client.get("load/SLWcs")
        assert (response.status_code, response.text[:6]) == (status, "<html>")


async def test_a_rule_holds_for_one_collection_from_the_nth_request_for_some_times(connect: Connect) -> None:
    async with connect() as (client, state):
        rule = state.faults.add(Fault(Answer(503), on="SLWcs", nth=2, times=2))
        assert await statuses(client, 2, "SLJobs") == [200, 200]
        assert await statuses(client, 5) == [200, 503, 503, 200, 200]
        assert (rule.seen, rule.fired) == (5, 2)


async def test_a_rule_without_end_holds_until_it_is_cleared(connect: Connect) -> None:
    async with connect() as (client, state):
        state.faults.add(Fault(Answer(500), times=None))
        assert await statuses(client, 4) == [500] * 4
        state.faults.clear()
        assert await statuses(client, 1) == [200]


async def test_a_rule_can_hold_for_one_page_of_a_walk(connect: Connect) -> None:
    async with connect() as (client, state):
        state.faults.add(Fault(Answer(502), on="SLWcs", page=3))
        parameters = {"properties": "Wc", "recordCap": "4", "loadType": "FIRST"}
        seen = []
        for _ in range(4):
            response = await client.get("load/SLWcs", params=parameters)
            seen.append(response.status_code)
            if response.status_code == 200:
                parameters |= {"loadType": "NEXT", "bookmark": response.json()["Bookmark"]}
        assert seen == [200, 200, 502, 200]


async def test_the_token_endpoint_can_fail(connect: Connect) -> None:
    async with connect() as (client, state):
        state.faults.add(Fault(Answer(503), on="token"))
        assert await statuses(client, 1) == [200]
        url = "http://erp/DEMO_TRN/as/token.oauth2"
        assert [(await client.post(url)).status_code for _ in range(2)] == [503, 401]
        assert state.token_requests == 3


async def test_a_truncated_body_ends_early_with_a_fitting_length(connect: Connect) -> None:
    async with connect() as (client, state):
        whole = await client.get("load/SLWcs", params=WHOLE)
        state.faults.add(Fault(Truncate(0.5)))
        cut = await client.get("load/SLWcs", params=WHOLE)
        assert cut.content == whole.content[: len(whole.content) // 2]
        assert int(cut.headers["content-length"]) == len(cut.content)
        with pytest.raises(json.JSONDecodeError):
            cut.json()


async def test_bookmarks_can_repeat_or_be_missing(connect: Connect) -> None:
    async with connect() as (client, state):
        first = (await client.get("load/SLWcs", params={"recordCap": 6})).json()
        state.faults.add(Fault(RepeatBookmark()))
        state.faults.add(Fault(DropBookmark(), nth=2))
        parameters = {"recordCap": 6, "loadType": "NEXT", "bookmark": first["Bookmark"]}
        repeated, dropped, last = [(await client.get("load/SLWcs", params=parameters)).json() for _ in range(3)]
        assert (repeated["Bookmark"], repeated["MoreRowsExist"]) == (first["Bookmark"], True)
        assert (dropped["Bookmark"], dropped["MoreRowsExist"]) == (None, True)
        assert (last["Items"], last["MoreRowsExist"]) == (repeated["Items"], False)


async def test_answers_that_are_no_pages_keep_their_body_when_bookmarks_fail(connect: Connect) -> None:
    async with connect() as (client, state):
        state.faults.add(Fault(DropBookmark()))
        assert (await client.get("info/SLWcs")).json()["Keys"] == ["Wc"]


async def test_slow_answers_are_whole(connect: Connect) -> None:
    async with connect() as (client, state):
        whole = (await client.get("load/SLWcs", params=WHOLE)).json()
        state.faults.add(Fault(Delay(0.02)))
        state.faults.add(Fault(Drip(pieces=4, seconds=0.005), nth=1))
        delayed, dripped = [(await client.get("load/SLWcs", params=WHOLE)).json() for _ in range(2)]
        assert delayed == dripped == whole
        assert state.requests[1].ended - state.requests[1].started >= 0.019


async def test_a_delayed_token_arrives(connect: Connect) -> None:
    async with connect() as (client, state):
        state.faults.add(Fault(Delay(0.01), on="token"))
        assert (await client.post("http://erp/DEMO_TRN/as/token.oauth2")).status_code == 401


async def test_without_a_socket_a_cut_connection_is_an_error(connect: Connect) -> None:
    async with connect() as (client, state):
        state.faults.add(Fault(Abort()))
        with pytest.raises(ConnectionResetError):
            await client.get("load/SLWcs")


@contextmanager
def authorized(simulator: RunningSimulator) -> Iterator[httpx2.Client]:
    """Open a client of a running simulator that holds a token."""
    document = simulator.ionapi()
    form = {"grant_type": "password", "username": document["saak"], "password": document["sask"]}
    base = f"{document['iu']}/{document['ti']}/CSI/IDORequestService/ido/"
    with httpx2.Client(base_url=base, headers={"X-Infor-MongooseConfig": "DEMO_TRN_MAIN"}) as client:
        url, auth = document["pu"] + document["ot"], (document["ci"], document["cs"])
        grant = client.post(url, data=form, auth=auth)
        client.headers["Authorization"] = f"Bearer {grant.json()['access_token']}"
        yield client


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_on_a_socket_the_connection_is_cut_before_or_amid_the_body(plant: Plant, share: float) -> None:
    with run_simulator(plant, SimulatorOptions()) as simulator, authorized(simulator) as client:
        simulator.state.faults.add(Fault(Abort(share)))
        with pytest.raises(httpx2.TransportError):
            client.get("load/SLWcs", params=WHOLE)
        assert client.get("load/SLWcs", params=WHOLE).status_code == 200
