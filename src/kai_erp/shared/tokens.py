"""One token for all replicas: whoever holds a short lock renews it, the others wait for theirs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from kai_erp.core.auth import HOLD_OFF_SECONDS, Lease
from kai_erp.errors import UpstreamAuth
from kai_erp.shared.link import Link, StoreLost
from kai_erp.shared.sealing import Vault

_LOCK_SECONDS = 5.0
_POLL_SECONDS = 0.05
_EXTEND = "return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('PEXPIRE', KEYS[1], ARGV[2]) or 0"
_RELEASE = "return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0"

Obtain = Callable[[], Awaitable[Lease]]


class SharedTokens:
    """The token of one way in. Redis forgets it when it is due for renewal, by Redis' own clock.

    A refusal of the credentials is shared too: accounts are locked after a few attempts, whoever makes them.

    Args:
        link: where Redis is.
        vault: seals the token.
        way_in: what tells this way in from others: addresses, names, secrets.
        one_for_all: whether replicas use one token; one that does not stand parallel calls stays with its replica.
    """

    def __init__(self, link: Link, vault: Vault, way_in: tuple[str, ...], *, one_for_all: bool = True) -> None:
        self._link, self._vault, self._one_for_all = link, vault, one_for_all
        self._token, self._refusal, self._lock = (
            vault.name(kind, *way_in) for kind in ("token", "refusal", "lock")
        )

    async def renewed(self, obtain: Obtain, unwanted: str | None) -> Lease:
        """Return another replica's token unless it is `unwanted`, else one that is obtained for all.

        Raises UpstreamAuth also when another replica was refused a moment ago.
        """
        try:
            found = await self._found(unwanted)
            while found is None and self._one_for_all:
                async with self._turn() as mine:
                    found = await self._found(unwanted)
                    if mine and found is None:
                        return await self._obtained(obtain)
        except StoreLost:
            return await obtain()
        return found or await self._obtained(obtain)

    async def _found(self, unwanted: str | None) -> Lease | None:
        names = (self._token, self._refusal)

        async def look(redis: Redis) -> list[bytes | int | None]:
            async with redis.pipeline(transaction=False) as asked:
                for name in names:
                    asked.get(name)
                    asked.pttl(name)
                return await asked.execute()

        token, milliseconds, refusal, _ = await self._link.do(look)
        if said := self._vault.open(self._refusal, _bytes(refusal)):
            raise UpstreamAuth(said.decode())
        content = self._vault.open(self._token, _bytes(token))
        if content is None:
            return None
        value, spare = json.loads(content)
        due = float(milliseconds or 0) / 1000
        return Lease(value, due, None if spare is None else due + spare) if value != unwanted and due > 0 else None

    async def _obtained(self, obtain: Obtain) -> Lease:
        """Return a new token, and tell the others of it, or of the refusal."""
        try:
            lease = await obtain()
        except UpstreamAuth as refusal:
            await self._tell(self._refusal, str(refusal).encode(), HOLD_OFF_SECONDS)
            raise
        if self._one_for_all:
            spare = None if lease.dies is None else lease.dies - lease.due
            await self._tell(self._token, json.dumps([lease.value, spare]).encode(), lease.due)
        return lease

    async def _tell(self, name: str, content: bytes, seconds: float) -> None:
        sealed = self._vault.seal(name, content, seconds)
        with contextlib.suppress(StoreLost):
            await self._link.do(lambda redis: redis.set(name, sealed, px=max(1, int(seconds * 1000))))

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[bool]:
        """Tell whether the lock is ours, and keep it until the context ends; else end after a short wait."""
        owner = secrets.token_hex(16)
        taken = await self._link.do(
            lambda redis: redis.set(self._lock, owner, nx=True, px=int(_LOCK_SECONDS * 1000))
        )
        if not taken:
            await asyncio.sleep(_POLL_SECONDS)
            yield False
            return
        extending = asyncio.create_task(self._extend(owner))
        try:
            yield True
        finally:
            extending.cancel()
            await asyncio.gather(extending, return_exceptions=True)
            with contextlib.suppress(StoreLost):
                await self._link.do(lambda redis: redis.eval(_RELEASE, 1, self._lock, owner))

    async def _extend(self, owner: str) -> None:
        milliseconds = str(int(_LOCK_SECONDS * 1000))
        with contextlib.suppress(StoreLost):
            while True:
                await asyncio.sleep(_LOCK_SECONDS / 3)
                await self._link.do(lambda redis: redis.eval(_EXTEND, 1, self._lock, owner, milliseconds))


def _bytes(value: bytes | int | None) -> bytes | None:
    return value if isinstance(value, bytes) else None
