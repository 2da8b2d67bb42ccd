"""A simulator on a socket: it is ready when the block starts and gone when it ends."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx2
import pytest

from kai_erp.simulator import Delay, Fault, Plant, SimulatorOptions, run_simulator, start_simulator


def log_on(client: httpx2.Client, base_url: str, document: dict[str, str]) -> str:
    """Give the client a token and return the base of the IDO service."""
    form = {"grant_type": "password", "username": document["saak"], "password": document["sask"]}
    grant = client.post(document["pu"] + document["ot"], data=form, auth=(document["ci"], document["cs"]))
    client.headers["Authorization"] = f"Bearer {grant.json()['access_token']}"
    client.headers["X-Infor-MongooseConfig"] = "DEMO_TRN_MAIN"
    return f"{base_url}/{document['ti']}/CSI/IDORequestService/ido"


def test_it_serves_until_the_block_ends(plant: Plant) -> None:
    with run_simulator(plant) as simulator, httpx2.Client() as client:
        base = log_on(client, simulator.base_url, simulator.ionapi())
        answer = client.get(f"{base}/load/SLWcs", params={"properties": "Wc"}).json()
        assert len(answer["Items"]) == 12
        assert simulator.plant is plant
        assert simulator.state.token_requests == 1
        host, port = urlsplit(simulator.base_url).hostname, urlsplit(simulator.base_url).port
    with pytest.raises(ConnectionRefusedError), socket.create_connection((host, port), timeout=1):
        pass


@pytest.mark.parametrize("busy", [False, True])
def test_it_stops_soon_though_clients_hold_connections(plant: Plant, *, busy: bool) -> None:
    with httpx2.Client() as client, ThreadPoolExecutor(1) as pool:
        simulator = start_simulator(plant)
        base = log_on(client, simulator.base_url, simulator.ionapi())
        if busy:
            simulator.state.faults.add(Fault(Delay(30)))
            waiting = pool.submit(client.get, f"{base}/load/SLWcs", timeout=20)
            while not simulator.state.requests:
                time.sleep(0.01)
        started = time.monotonic()
        simulator.close()
        assert time.monotonic() - started < 3.0  # a machine at work takes its time
        if busy:
            assert waiting.exception() or waiting.result().status_code == 500


def test_two_simulators_run_side_by_side(plant: Plant) -> None:
    with run_simulator(plant) as first, run_simulator(plant, SimulatorOptions(tenant="DEMO_OTHER")) as second:
        assert first.base_url != second.base_url
        assert second.ionapi()["ti"] == "DEMO_OTHER"


def test_requests_wait_beside_each_other(plant: Plant) -> None:
    with run_simulator(plant, SimulatorOptions(latency_ms=100)) as simulator, httpx2.Client() as client:
        base = log_on(client, simulator.base_url, simulator.ionapi())
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: client.get(f"{base}/load/SLWcs"), range(4)))
        assert {answer.status_code for answer in answers} == {200}
        records = simulator.state.requests
        assert max(record.started for record in records) < min(record.ended for record in records)
