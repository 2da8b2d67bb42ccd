"""Limits of callers over all replicas."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from kai_erp.access.keys import KeysFile
from kai_erp.config import Settings
from kai_erp.simulator import RunningSimulator
from tests.conftest import SettingsFor
from tests.redis_server import RedisServer
from tests.test_api.serving import serving


@pytest.fixture
def keys(tmp_path: Path) -> KeysFile:
    return KeysFile(tmp_path / "keys.json")


@pytest.fixture
def limited(
    settings_for: SettingsFor, simulator: RunningSimulator, redis_server: RedisServer, keys: KeysFile
) -> Settings:
    return settings_for(simulator, redis_url=redis_server.url, api_keys_file=keys.path, inbound_per_minute=6)


async def test_a_caller_has_one_number_of_requests_at_all_replicas(
    limited: Settings, redis_server: RedisServer, keys: KeysFile
) -> None:
    key = keys.create("anna-of-sales", frozenset({"*"}), datetime.now(UTC))
    headers = {"X-API-Key": key}
    async with serving(limited) as one, serving(limited) as other:
        statuses = [(await client.get("/connectors", headers=headers)).status_code for client in (one, other) * 4]
        assert statuses == [200] * 6 + [429] * 2
        refused = await one.get("/connectors", headers=headers)
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        with redis_server.client() as redis:
            names = b" ".join(redis.keys())
        assert b"rate" in names
        assert b"anna" not in names


async def test_without_redis_each_replica_counts_for_itself(
    limited: Settings, redis_server: RedisServer, keys: KeysFile
) -> None:
    headers = {"X-API-Key": keys.create("anna", frozenset({"*"}), datetime.now(UTC))}
    async with serving(limited) as one, serving(limited) as other:
        redis_server.stop()
        for client in (one, other):
            statuses = [(await client.get("/connectors", headers=headers)).status_code for _ in range(8)]
            assert statuses == [200] * 6 + [429] * 2
