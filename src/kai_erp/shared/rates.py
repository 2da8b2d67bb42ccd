"""What callers ask of all replicas together; while Redis is lost, of this one."""

from __future__ import annotations

import secrets

from redis.asyncio import Redis

from kai_erp.access.limits import OwnRates
from kai_erp.shared.link import Link, StoreLost
from kai_erp.shared.sealing import Vault

_WINDOW = """
local most, one, span = tonumber(ARGV[1]), ARGV[2], 60000
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - span)
local count = redis.call('ZCARD', KEYS[1])
if count >= most then
  local oldest = redis.call('ZRANGE', KEYS[1], count - most, count - most, 'WITHSCORES')
  return math.max(1, oldest[2] + span - now)
end
if one ~= '' then
  redis.call('ZADD', KEYS[1], now, one)
  redis.call('PEXPIRE', KEYS[1], span)
end
return 0
"""


class SharedRates:
    """Counts in Redis, by its clock, under names that do not show who it is."""

    def __init__(self, link: Link, vault: Vault) -> None:
        self._link, self._vault, self._own = link, vault, OwnRates()

    async def take(self, name: str, most: int) -> float:
        """Count one more, or return the seconds until there is room."""
        try:
            return await self._ask(name, most, secrets.token_hex(8))
        except StoreLost:
            return await self._own.take(name, most)

    async def _ask(self, name: str, most: int, one: str) -> float:
        key = self._vault.name("rate", name)

        async def ask(redis: Redis) -> int:
            wait: int = await redis.eval(_WINDOW, 1, key, str(most), one)
            return wait

        return await self._link.do(ask) / 1000
