"""Clients of a simulator in this process that hold a token of its gateway."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

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
