"""Kept answers that any replica finds: sealed in Redis, for as long as their cursors live."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from redis.asyncio import Redis

from kai_erp.connectors import BaseConnector
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.shared.link import Link, StoreLost
from kai_erp.shared.packing import NotPackable, pack, unpack
from kai_erp.shared.sealing import Vault
from kai_erp.snapshots import Snapshot

_MEGABYTE = 1024 * 1024
_LARGEST = 32 * _MEGABYTE
_SMALL = _MEGABYTE // 4
_PUT = """
local name, index, taken, prefix = KEYS[1], KEYS[2], KEYS[3], ARGV[4]
local span, room, size = tonumber(ARGV[2]), tonumber(ARGV[3]), #ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function forget(entry)
  local bytes, rest = string.match(entry, '^(%d+):(.*)$')
  redis.call('ZREM', index, entry)
  redis.call('DEL', prefix .. rest)
  return redis.call('DECRBY', taken, bytes)
end

if redis.call('ZCARD', index) == 0 then
  redis.call('SET', taken, 0)
end
redis.call('SET', name, ARGV[1], 'PX', span)
if redis.call('ZADD', index, now + span, size .. ':' .. string.sub(name, #prefix + 1)) == 1 then
  redis.call('INCRBY', taken, size)
end
for _, entry in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', now)) do
  forget(entry)
end
while tonumber(redis.call('GET', taken)) > room and redis.call('ZCARD', index) > 1 do
  forget(redis.call('ZRANGE', index, 0, 0)[1])
end
local longest = math.max(span, redis.call('PTTL', index))
redis.call('PEXPIRE', index, longest)
redis.call('PEXPIRE', taken, longest)
return 1
"""

T = TypeVar("T")


class SharedAnswers:
    """Keeps answers for every replica, in so much of Redis' memory; the oldest go first.

    Only replicas that have a connector's parameters, records and summary in the same form, hidden fields included,
    find its answers.

    Args:
        link: where Redis is.
        vault: seals what is kept.
        connectors: those whose answers are kept, by name.
        told_by: settings on which an answer depends besides.
        max_mb: how much memory all of them may take.
    """

    def __init__(
        self,
        link: Link,
        vault: Vault,
        connectors: Mapping[str, BaseConnector[ConnectorQuery]],
        told_by: str,
        max_mb: int,
    ) -> None:
        self._link, self._vault, self._connectors = link, vault, connectors
        self._told_by, self._room = told_by, max_mb * _MEGABYTE
        self._forms: dict[str, str] = {}

    @property
    def lost(self) -> bool:
        """Whether Redis is out of reach."""
        return self._link.lost

    async def put(self, name: str, snapshot: Snapshot, seconds: float) -> bool:
        """Tell whether the other replicas find an answer, after putting it there where it was not yet.

        One that is too large, or holds what cannot be written down exactly, is not put there.
        """
        if snapshot.result.records.nbytes > _LARGEST or seconds <= 0:
            return False
        key = self._key(name, snapshot.question.connector)
        try:
            if await self._link.do(lambda redis: redis.exists(key)):
                return True
            sealed = await self._apart(snapshot, lambda: self._vault.seal(key, pack(snapshot), seconds))
            await self._link.do(lambda redis: self._put(redis, key, sealed, seconds))
        except (StoreLost, NotPackable):
            return False
        return True

    async def get(self, name: str, connector: str) -> tuple[Snapshot, float] | None:
        """Return an answer that another replica put there, and for how many seconds it will be kept."""
        key = self._key(name, connector)

        async def ask(redis: Redis) -> tuple[bytes | None, int]:
            async with redis.pipeline(transaction=False) as asked:
                asked.get(key)
                asked.pttl(key)
                sealed, milliseconds = await asked.execute()
                return sealed, milliseconds

        try:
            sealed, milliseconds = await self._link.do(ask)
        except StoreLost:
            return None
        if sealed is None or milliseconds <= 0:
            return None
        query = self._connectors[connector].query
        if len(sealed) > _SMALL:
            snapshot = await asyncio.to_thread(self._opened, key, sealed, query)
        else:
            snapshot = self._opened(key, sealed, query)
        return None if snapshot is None else (snapshot, milliseconds / 1000)

    def _opened(self, key: str, sealed: bytes, query: type[ConnectorQuery]) -> Snapshot | None:
        content = self._vault.open(key, sealed)
        with contextlib.suppress(ValueError):  # another version of a connector may refuse what this one took
            return None if content is None else unpack(content, query)
        return None

    async def _apart(self, snapshot: Snapshot, work: Callable[[], T]) -> T:
        """Do what takes long for a large answer in a thread."""
        return work() if snapshot.result.records.nbytes <= _SMALL else await asyncio.to_thread(work)

    async def _put(self, redis: Redis, key: str, sealed: bytes, seconds: float) -> None:
        names = (key, self._vault.name("answers"), self._vault.name("bytes"))
        prefix = key[: key.rindex(":") + 1]
        await redis.eval(
            _PUT, len(names), *names, sealed, str(max(1, int(seconds * 1000))), str(self._room), prefix
        )

    def _key(self, name: str, connector: str) -> str:
        if connector not in self._forms:
            self._forms[connector] = _form(self._connectors[connector])
        return self._vault.name("answer", name, connector, self._forms[connector], self._told_by)


def _form(connector: BaseConnector[Any]) -> str:
    models = (connector.query, connector.record, connector.summary)
    schemas = json.dumps([model.model_json_schema() for model in models], sort_keys=True)
    return hashlib.sha256(schemas.encode()).hexdigest()
