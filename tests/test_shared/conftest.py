"""Replicas: apps of one ERP configuration on one Redis, and what lies there."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime

import pytest

from kai_erp.app import App, open_app
from kai_erp.config import Settings
from kai_erp.shared import link as linking
from kai_erp.shared.link import Link
from kai_erp.shared.sealing import Vault
from kai_erp.simulator import RunningSimulator
from tests.conftest import HandClock, SettingsFor
from tests.redis_server import RedisServer

NAMESPACE = "kai-erp:test:place"
SECRETS = ("client", "s3cr3t-client", "account", "s3cr3t-key")
MOMENT = datetime(2026, 5, 20, 15, 30, tzinfo=UTC)

Replica = Callable[[], AbstractAsyncContextManager[App]]


@pytest.fixture
def vault() -> Vault:
    return Vault(NAMESPACE, SECRETS, lambda: MOMENT)


@pytest.fixture
async def links(redis_server: RedisServer) -> AsyncIterator[tuple[Link, Link]]:
    """The connections of two replicas."""
    async with Link(redis_server.url, "probe") as one, Link(redis_server.url, "probe") as other:
        yield one, other


@pytest.fixture
def quick_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look every few milliseconds whether a lost Redis is back."""
    monkeypatch.setattr(linking, "_PROBE_SECONDS", 0.02)


@pytest.fixture
def shared_settings(simulator: RunningSimulator, redis_server: RedisServer, settings_for: SettingsFor) -> Settings:
    """The settings of every replica."""
    return settings_for(simulator, redis_url=redis_server.url)


@pytest.fixture
def replica(shared_settings: Settings, now: datetime) -> Replica:
    """Open a replica."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[App]:
        async with open_app(shared_settings, clock=HandClock(), now=lambda: now) as app:
            yield app

    return opened
