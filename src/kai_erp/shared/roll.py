"""The roll of replicas: each says now and then that it is there, and is struck off when it no longer does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import platform
import secrets
from dataclasses import dataclass
from typing import Self

from redis.asyncio import Redis

from kai_erp.core.types import Now
from kai_erp.shared.link import Link, StoreLost
from kai_erp.shared.sealing import Vault

_BEAT_SECONDS = 15.0
_SPAN_SECONDS = 4 * _BEAT_SECONDS
_BEAT = """
local roll, replica, card, span = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', roll, replica, string.format('%.0f', now) .. ' ' .. card)
redis.call('PEXPIRE', roll, span)
local entries, there = redis.call('HGETALL', roll), {}
for index = 1, #entries, 2 do
  local gap = string.find(entries[index + 1], ' ', 1, true)
  local at = gap and tonumber(string.sub(entries[index + 1], 1, gap - 1))
  if not at or now - at > span then
    redis.call('HDEL', roll, entries[index])
  else
    table.insert(there, entries[index])
    table.insert(there, string.sub(entries[index + 1], gap + 1))
  end
end
return there
"""


@dataclass(frozen=True, slots=True)
class Replica:
    """A process that serves the same ERP, `own` the one that asks; `started` is in seconds since 1970."""

    host: str
    process: int
    started: float
    own: bool


class Roll:
    """The replicas of one version and one ERP configuration; this one is on it while the context lasts.

    Args:
        link: where Redis is.
        vault: seals what replicas say of themselves.
        now: the present moment.
    """

    def __init__(self, link: Link, vault: Vault, now: Now) -> None:
        self._link, self._vault = link, vault
        self._name, self._own = vault.name("roll"), secrets.token_hex(8)
        self._card = json.dumps([platform.node(), os.getpid(), now().timestamp()]).encode()
        self._beating: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.replicas()
        self._beating = asyncio.create_task(self._beat())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)
        with contextlib.suppress(StoreLost):
            await self._link.do(lambda redis: redis.hdel(self._name, self._own))

    async def replicas(self) -> list[Replica]:
        """Return all that are there, the oldest first; none while Redis is lost. It says that this one is."""
        try:
            answer = await self._link.do(self._told)
        except StoreLost:
            return []
        found = (self._replica(name.decode(), card) for name, card in zip(answer[::2], answer[1::2], strict=True))
        return sorted((replica for replica in found if replica), key=lambda replica: replica.started)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_BEAT_SECONDS)
            await self.replicas()

    def _replica(self, name: str, sealed: bytes) -> Replica | None:
        """Return what a replica says of itself; None when no replica said it."""
        card = self._vault.open(self._sealed_as(name), sealed)
        if card is None:
            return None
        host, process, started = json.loads(card)
        return Replica(host, process, started, name == self._own)

    async def _told(self, redis: Redis) -> list[bytes]:
        """Return what all say of themselves, after saying it of this one."""
        card = self._vault.seal(self._sealed_as(self._own), self._card, _SPAN_SECONDS)
        span = str(int(_SPAN_SECONDS * 1000))
        answer: list[bytes] = await redis.eval(_BEAT, 1, self._name, self._own, card, span)
        return answer

    def _sealed_as(self, replica: str) -> str:
        """Return the name that a replica's card is sealed under, so that no other can pass it off as its own."""
        return f"{self._name}:{replica}"
