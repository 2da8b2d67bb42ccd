"""Clients of a simulator in this process that hold a token of its gateway."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from kai_erp.simulator import Plant, SimulatorOptions, SimulatorState, create_simulator

Connection = tuple[httpx2.AsyncClient, SimulatorState]
Connect = Callable[..., AbstractAsyncContextManager[Connection]]


@pytest.fixture
def connect(plant: Plant) -> Connect:
    """Open a client of the gateway of a fresh simulator with the given options and plants."""

    @asynccontextmanager
    async def opened(
        options: SimulatorOptions | None = None, plants: Plant | Mapping[str, Plant] | None = None
    ) -> AsyncIterator[Connection]:
        options = options or SimulatorOptions()
        app = create_simulator(plants or plant, options)
        transport = httpx2.ASGITransport(app=app)
        state: SimulatorState = app.state.simulator
        async with httpx2.AsyncClient(transport=transport, base_url="http://erp") as client:
            form = {"grant_type": "password", "username": options.saak, "password": options.sask}
            path = f"/{options.tenant}/as/token.oauth2"
            grant = await client.post(path, data=form, auth=(options.client_id, options.client_secret))
            client.headers["Authorization"] = f"Bearer {grant.json()['access_token']}"
            client.headers["X-Infor-MongooseConfig"] = next(iter(state.plants))
            client.base_url = httpx2.URL(f"http://erp/{options.tenant}/{options.suite}/IDORequestService/ido/")
            yield client, state

    return opened


@pytest.fixture
async def client(connect: Connect) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a simulator that behaves as is likely."""
    async with connect() as (client, _):
        yield client


@dataclass(frozen=True)
class Compass:
    """A client of Compass, and the simulator behind it."""

    client: httpx2.AsyncClient
    state: SimulatorState

    async def post(self, sql: str) -> httpx2.Response:
        """Submit a query."""
        return await self.client.post("jobs/", content=sql.encode(), headers={"Content-Type": "text/plain"})

    async def status(self, job: str, timeout: int = 0) -> httpx2.Response:  # noqa: ASYNC109 - the server's
        """Ask what has become of a job."""
        return await self.client.get(f"jobs/{job}/status/", params={"timeout": timeout})

    async def result(self, job: str, accept: str = "application/json", **page: int) -> httpx2.Response:
        """Fetch a page."""
        return await self.client.get(f"jobs/{job}/result/", params=page, headers={"Accept": accept})

    async def run(self, sql: str) -> str:
        """Submit a query, wait for its job and return the job's id."""
        job: str = (await self.post(sql)).json()["queryId"]
        assert (await self.status(job, 25)).status_code == 201
        return job

    async def rows(self, sql: str) -> list[dict[str, Any]]:
        """Return the rows that a query gives."""
        job = await self.run(sql)
        assert (await self.status(job)).json()["status"] == "FINISHED", (await self.result(job)).text
        rows: list[dict[str, Any]] = (await self.result(job)).json()
        return rows

    async def refusal(self, sql: str) -> dict[str, Any]:
        """Return the message record that a query gives."""
        job = await self.run(sql)
        assert (await self.status(job)).json()["status"] == "FAILED"
        (record,) = (await self.result(job)).json()
        said: dict[str, Any] = record
        return said


OpenLake = Callable[..., AbstractAsyncContextManager[Compass]]


@pytest.fixture
def open_lake(connect: Connect) -> OpenLake:
    """Open a client of Compass of a fresh simulator; what changes in its plant is put back."""

    @asynccontextmanager
    async def opened(
        options: SimulatorOptions | None = None, plants: Plant | Mapping[str, Plant] | None = None
    ) -> AsyncIterator[Compass]:
        async with connect(options, plants) as (client, state):
            client.base_url = httpx2.URL(f"http://erp/{state.options.tenant}/DATAFABRIC/compass/v2/")
            yield Compass(client, state)
            state.forget_changes()
            state.lake.close()

    return opened


@pytest.fixture
async def lake(open_lake: OpenLake) -> AsyncIterator[Compass]:
    """A client of Compass of a tenant that behaves as is likely."""
    async with open_lake() as compass:
        yield compass


def log_on(client: httpx2.Client, document: dict[str, str]) -> None:
    """Give a client a token of the gateway that a credentials file leads to."""
    form = {"grant_type": "password", "username": document["saak"], "password": document["sask"]}
    grant = client.post(document["pu"] + document["ot"], data=form, auth=(document["ci"], document["cs"]))
    client.headers["Authorization"] = f"Bearer {grant.json()['access_token']}"
