"""The token of several processes, as one of them sees it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from kai_erp.core.auth import Lease, TokenManager
from kai_erp.errors import UpstreamUnavailable
from tests.test_core.fakes import Clock, NumberedTokens


async def settle() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


@dataclass
class Borrowed:
    """Gives tokens of another process, one after another, and notes which were unwanted."""

    leases: list[Lease]
    unwanted: list[str | None] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    failing: bool = False

    async def renewed(self, obtain: Callable[[], Awaitable[Lease]], unwanted: str | None) -> Lease:
        self.unwanted.append(unwanted)
        await self.gate.wait()
        if self.failing:
            raise UpstreamUnavailable("nobody answers")
        return self.leases.pop(0) if self.leases else await obtain()


def borrowing(*leases: Lease, clock: Clock | None = None) -> tuple[TokenManager, Borrowed, NumberedTokens]:
    grant, shared = NumberedTokens(), Borrowed(list(leases))
    shared.gate.set()
    return TokenManager(grant, clock or Clock(), shared=shared), shared, grant


async def test_a_token_of_another_process_is_used_until_it_is_due() -> None:
    clock = Clock()
    manager, _, grant = borrowing(Lease("theirs", 100.0, 400.0), clock=clock)
    assert await manager.authorization() == "Bearer theirs"
    clock.seconds += 99
    assert await manager.authorization() == "Bearer theirs"
    assert grant.asked == 0
    clock.seconds += 1
    assert await manager.authorization() == "Bearer t1"


async def test_a_token_of_another_process_is_used_no_longer_than_it_lives() -> None:
    clock = Clock()
    manager, shared, _ = borrowing(Lease("theirs", 100.0, 400.0), clock=clock)
    await manager.authorization()
    shared.failing = True
    clock.seconds += 399
    assert await manager.authorization() == "Bearer theirs"
    clock.seconds += 1
    with pytest.raises(UpstreamUnavailable):
        await manager.authorization()


async def test_a_refused_token_is_named_without_its_scheme() -> None:
    manager, shared, _ = borrowing(Lease("theirs", 100.0, None), Lease("newer", 100.0, None))
    await manager.authorization()
    assert await manager.renew("Bearer theirs") == "Bearer newer"
    assert shared.unwanted == [None, "theirs"]


async def test_a_renewal_that_brings_the_refused_token_again_is_followed_by_another() -> None:
    clock = Clock()
    manager, shared, _ = borrowing(Lease("theirs", 1.0, 1.0), Lease("theirs", 100.0, None), clock=clock)
    await manager.authorization()
    clock.seconds += 1
    shared.gate.clear()
    unaware = asyncio.create_task(manager.authorization())
    await settle()
    aware = asyncio.create_task(manager.renew("Bearer theirs"))
    await settle()
    shared.gate.set()
    assert (await unaware, await aware) == ("Bearer theirs", "Bearer t1")
    assert shared.unwanted == [None, None, "theirs"]


async def test_another_process_may_have_a_token_that_is_refused_too() -> None:
    assert borrowing()[0].renewals == 2
    assert TokenManager(NumberedTokens(), Clock()).renewals == 1


async def test_whoever_counts_is_told_of_tokens_that_were_obtained() -> None:
    told: list[str] = []
    grant, shared = NumberedTokens(), Borrowed([Lease("theirs", 100.0, None)])
    shared.gate.set()
    manager = TokenManager(grant, Clock(), shared=shared, obtained=lambda: told.append("obtained"))
    await manager.authorization()
    assert told == []
    await manager.renew("Bearer theirs")
    assert told == ["obtained"]
