"""One request budget for all replicas: a log of what each of them started, by Redis' own clock."""

from __future__ import annotations

import secrets

from redis.asyncio import Redis

from kai_erp.core.budget import SPAN_SECONDS, Earlier, Permit
from kai_erp.shared.link import Link, StoreLost

_TAKE = """
local starts, rest, generation, replicas = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local limit, span, replica, number, known = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local current = redis.call('GET', generation)
if not current then
  current = ARGV[6]
  redis.call('SET', generation, current, 'PX', span)
end
if current ~= known and ARGV[7] == 'ask' then
  return {-1, 0, current, 1}
end
for index = 8, #ARGV, 2 do
  redis.call('ZADD', starts, now - ARGV[index + 1], replica .. ':' .. ARGV[index])
end

redis.call('ZADD', replicas, now, replica)
redis.call('ZREMRANGEBYSCORE', replicas, '-inf', now - span)
redis.call('ZREMRANGEBYSCORE', starts, '-inf', now - span)
for _, name in ipairs({starts, generation, replicas}) do
  redis.call('PEXPIRE', name, span)
end
local others = redis.call('ZCARD', replicas)
local resting = redis.call('PTTL', rest)
if resting > 0 then
  return {resting, resting, current, others}
end
local count = redis.call('ZCARD', starts)
if count < limit then
  redis.call('ZADD', starts, now, replica .. ':' .. number)
  redis.call('PEXPIRE', starts, span)
  return {0, 0, current, others}
end
local oldest = redis.call('ZRANGE', starts, count - limit, count - limit, 'WITHSCORES')
return {math.max(1, oldest[2] + span - now), 0, current, others}
"""
_REST = (
    "return redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) and redis.call('SET', KEYS[1], 1, 'PX', ARGV[1]) or 0"
)


class SharedWindow:
    """What replicas together may ask of an upstream.

    A replica tells again what it started itself when Redis was emptied, or lost, since it last asked: then the
    generation there is not the one that it knows.

    Args:
        link: where Redis is.
        name: what the names of this window begin with.
        span_seconds: how long a start counts.
    """

    def __init__(self, link: Link, name: str, span_seconds: float = SPAN_SECONDS) -> None:
        self._link, self._span = link, span_seconds
        self._names = [f"{name}:{part}" for part in ("starts", "rest", "generation", "replicas")]
        self._replica, self._generation = secrets.token_hex(8), ""

    async def take(self, number: int, limit: int, earlier: Earlier) -> Permit | None:
        """Return a permit for a start, or how long to wait for one; None while Redis is lost."""
        try:
            permit = await self._ask(number, limit, ["ask"])
            if permit is None:
                told = [str(part) for start, age in earlier() for part in (start, int(age * 1000))]
                permit = await self._ask(number, limit, ["tell", *told])
        except StoreLost:
            self._generation = ""
            return None
        return permit

    async def _ask(self, number: int, limit: int, told: list[str]) -> Permit | None:
        """Return a permit; None when what this replica started is to be told first."""
        span = str(int(self._span * 1000))
        given = [str(limit), span, self._replica, str(number), self._generation, secrets.token_hex(8), *told]

        async def take(redis: Redis) -> tuple[int, int, bytes, int]:
            answer: tuple[int, int, bytes, int] = await redis.eval(_TAKE, len(self._names), *self._names, *given)
            return answer

        wait, rest, generation, replicas = await self._link.do(take)
        self._generation = generation.decode()
        return None if wait < 0 else Permit(wait / 1000, rest / 1000, replicas)

    def hold(self, seconds: float) -> None:
        """Let no replica start a request for so long."""
        milliseconds = str(max(1, int(seconds * 1000)))
        self._link.soon(lambda redis: redis.eval(_REST, 1, self._names[1], milliseconds))
