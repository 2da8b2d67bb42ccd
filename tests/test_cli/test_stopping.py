"""How a server stops: answers under way are finished, streams end, a second signal does not wait."""

import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from kai_erp.simulator import Delay, Fault, RunningSimulator
from tests.conftest import ZONE
from tests.test_cli.commands import Started, started
from tests.test_mcp.connecting import HELLO


@pytest.fixture
def server(simulator: RunningSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Started]:
    """A server of its own, which asks the shared simulator."""
    file = tmp_path / "tenant.ionapi"
    file.write_text(json.dumps(simulator.ionapi()))
    monkeypatch.setenv("SL10_IONAPI_FILE", str(file))
    monkeypatch.setenv("SL10_CONFIG_NAME", simulator.state.options.configurations[0])
    monkeypatch.setenv("SL10_TIMEZONE", ZONE)
    with started("serve", "--port", "0") as running:
        yield running


def address(server: Started) -> str:
    return server.until("http").split(" on ")[1].split()[0]


def asking(url: str, answers: list[httpx2.Response | None]) -> threading.Thread:
    """Ask in a thread; an answer that does not come is None."""

    def ask() -> None:
        try:
            answers.append(httpx2.get(url, timeout=60))
        except httpx2.HTTPError:
            answers.append(None)

    thread = threading.Thread(target=ask)
    thread.start()
    return thread


def wait_for_requests(simulator: RunningSimulator) -> None:
    deadline = time.monotonic() + 30
    while not any(request.collection == "SLCustomers" for request in simulator.state.requests):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_answer_under_way_is_finished(
    server: Started, simulator: RunningSimulator, number: signal.Signals
) -> None:
    url = address(server)
    simulator.state.faults.add(Fault(Delay(1.5), on="SLCustomers", times=1))
    answers: list[httpx2.Response | None] = []
    thread = asking(f"{url}/customers/search?query=inc", answers)
    wait_for_requests(simulator)
    server.process.send_signal(number)
    thread.join()
    (answer,) = answers
    assert answer is not None
    assert answer.status_code == 200
    assert answer.json()["meta"]["total_count"] > 0
    assert server.process.wait(10) == 0


def test_a_second_signal_does_not_wait(server: Started, simulator: RunningSimulator) -> None:
    url = address(server)
    simulator.state.faults.add(Fault(Delay(25), on="SLCustomers", times=1))
    answers: list[httpx2.Response | None] = []
    thread = asking(f"{url}/customers/search?query=inc", answers)
    wait_for_requests(simulator)
    begun = time.monotonic()
    for _ in range(2):
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
    server.process.wait(10)
    assert time.monotonic() - begun < 8
    thread.join()
    assert answers[0] is None or answers[0].status_code != 200


def test_idle_connections_and_streams_of_assistants_hold_nothing_up(server: Started) -> None:
    url = address(server)
    accept = {"Accept": "application/json, text/event-stream"}
    with httpx2.Client(headers=accept, timeout=30) as client:
        opened = client.post(f"{url}/mcp", json=HELLO)
        listening = {"Mcp-Session-Id": opened.headers["mcp-session-id"], "Mcp-Protocol-Version": "2025-11-25"}
        with client.stream("GET", f"{url}/mcp", headers=listening) as stream:
            assert stream.status_code == 200
            begun = time.monotonic()
            assert server.stop(signal.SIGTERM) == 0
            assert time.monotonic() - begun < 2
