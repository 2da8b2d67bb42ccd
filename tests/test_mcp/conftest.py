"""A server that asks the shared simulator, and a client of it in memory, in each era."""

from collections.abc import Iterator

import pytest
import structlog
from mcp import Client

from kai_erp.app import App
from kai_erp.config import load_settings
from kai_erp.logs import configure_logs
from kai_erp.mcp.server import KaiErpMcpServer
from tests.test_mcp.connecting import ERAS, Era


@pytest.fixture(autouse=True)
def _logs_on_stderr() -> Iterator[None]:
    configure_logs(load_settings(), quiet=True)
    yield
    structlog.reset_defaults()


@pytest.fixture
def server(app: App) -> KaiErpMcpServer:
    return KaiErpMcpServer(app=app)


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> Era:
    chosen: Era = request.param
    return chosen


@pytest.fixture
def client(server: KaiErpMcpServer) -> Client:
    """A client to be opened by the test: a fixture would close it from another task."""
    return Client(server)


@pytest.fixture
def either(server: KaiErpMcpServer, era: Era) -> Client:
    """Clients of both eras, in turn; to be opened by the test."""
    return Client(server, mode=era)
