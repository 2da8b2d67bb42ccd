"""A server that asks the shared simulator, and a client of it."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from kai_erp.config import Settings, load_settings
from tests.test_api.serving import serving


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    async with serving(settings) as opened:
        yield opened


@pytest.fixture
async def idle() -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a server without an ERP: good for whatever must not reach one."""
    async with serving(load_settings()) as opened:
        yield opened
