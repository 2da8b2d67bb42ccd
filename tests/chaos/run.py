"""Chaos: mixed load on two replicas, while the ERP fails at random and Redis and the ERP restart.

`make chaos` runs it for ten minutes; `python -m tests.chaos.run --seconds 60` for one. It ends with 1 after a
wrong answer, an error that nothing explains, or something that was not given back: memory, sockets, threads.
"""

import argparse
import asyncio
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from kai_erp.demo import ZONE, plant_now
from kai_erp.simulator import RunningSimulator, build_plant, run_simulator
from tests.chaos.disturbances import Disturbances
from tests.chaos.load import Load, Tally
from tests.chaos.questions import Truth, questions
from tests.chaos.servers import Held, Server, servers
from tests.redis_server import RedisServer, running_redis

REPLICAS = 2
IDLE_SECONDS = 15.0
BURST_SECONDS = 5.0  # of four times the pace, so that pools of connections and threads are at their bounds
MEMORY_SHARE = 0.10
SPARE = 6  # connections and threads that the pools of an idle process may differ by
_SETTINGS = {
    "SL10_TIMEZONE": ZONE,
    "SL10_REQUESTS_PER_MINUTE": "100000",
    "SL10_MAX_CONCURRENCY": "12",
    "SL10_REQUEST_TIMEOUT_SECONDS": "3",
    "SL10_QUERY_TIMEOUT_SECONDS": "20",
    "INBOUND_PER_MINUTE": "100000",
    "INBOUND_CONCURRENCY": "500",
    "SNAPSHOT_TTL_SECONDS": "20",
    "SNAPSHOT_MAX_MB": "32",
    "CACHE_TTL_SECONDS": "10",
    "REFERENCE_TTL_SECONDS": "30",
    "LOG_FORMAT": "json",
}


@dataclass(frozen=True)
class Wish:
    """What was asked for on the command line."""

    seconds: float
    per_second: float
    seed: int


async def run(wish: Wish, replicas: Sequence[Server], simulator: RunningSimulator, redis: RedisServer) -> bool:
    """Warm up, disturb under load, calm down, and tell whether all was well."""
    zone, chance = ZoneInfo(ZONE), random.Random(wish.seed)  # noqa: S311  # no secret
    disturbances = Disturbances(simulator.plant, simulator, redis, chance)
    truth = Truth(simulator.plant, zone, datetime.now(UTC))
    load = Load([server.url for server in replicas], questions(simulator.plant), truth, disturbances, chance)
    await load.run(min(45.0, wish.seconds / 4), wish.per_second)
    await load.run(BURST_SECONDS, 4 * wish.per_second)
    calm, load.tally = load.tally, Tally()
    await asyncio.sleep(IDLE_SECONDS)
    before = [server.held() for server in replicas]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(disturbances.faults())
        tasks.create_task(disturbances.restarts_of_the_simulator(60.0))
        tasks.create_task(disturbances.restarts_of_redis(45.0))
        await load.run(wish.seconds, wish.per_second)
        disturbances.ended.set()
    disturbances.simulator.state.faults.clear()
    await asyncio.sleep(IDLE_SECONDS)
    after = [server.held() for server in replicas]
    disturbances.simulator.close()
    return _told(calm, load.tally, disturbances, before, after)


def _told(
    calm: Tally, tally: Tally, disturbances: Disturbances, before: Sequence[Held], after: Sequence[Held]
) -> bool:
    """Print the figures, and return whether they are good."""
    good = tally.outcomes["answered"] + tally.outcomes["degraded"] + tally.outcomes["left"]
    total = sum(tally.outcomes.values())
    for phase, told in (("calm:", calm), ("disturbed:", tally)):
        median, rarest = told.percentiles()
        print(f"{phase:11} {dict(told.outcomes)}; median {median:.3f} s, p99 {rarest:.3f} s")
    print(f"warnings:   {dict(tally.warnings)}")
    print(f"injected:   {dict(disturbances.done)}")
    print(f"errors:     {total - good} of {total} ({100 * (total - good) / total:.2f} %)")
    for number, (one, other) in enumerate(zip(before, after, strict=True)):
        print(f"replica {number}:  before {one}, after {other}")
    failures = [
        *(f"calm, yet {name}" for name in calm.outcomes if name not in {"answered", "left"}),
        *(f"wrong: {text}" for text in (*calm.wrong, *tally.wrong)),
        *(f"unexplained: {text}" for text in tally.unexplained),
        *_leaks(before, after),
    ]
    for text in failures:
        print(f"FAILED      {text}")
    print("all well" if not failures else f"{len(failures)} failures")
    return not failures


def _leaks(before: Sequence[Held], after: Sequence[Held]) -> list[str]:
    found = []
    for number, (one, other) in enumerate(zip(before, after, strict=True)):
        if other.megabytes > one.megabytes * (1 + MEMORY_SHARE):
            found.append(f"replica {number} grew from {one.megabytes:.0f} to {other.megabytes:.0f} MB")
        if other.sockets > one.sockets + SPARE:
            found.append(f"replica {number} keeps {other.sockets} sockets, {one.sockets} before")
        if other.threads > one.threads + SPARE:
            found.append(f"replica {number} keeps {other.threads} threads, {one.threads} before")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--per-second", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=1)
    wish = Wish(**vars(parser.parse_args()))
    plant = build_plant("small", wish.seed, plant_now())
    with tempfile.TemporaryDirectory() as folder, run_simulator(plant) as simulator:
        path = Path(folder)
        with running_redis(path) as redis:
            settings = {
                **_SETTINGS,
                "REDIS_URL": redis.url,
                "SL10_CONFIG_NAME": simulator.state.options.configurations[0],
            }
            with servers(REPLICAS, simulator.ionapi(), settings, path) as replicas:
                well = asyncio.run(run(wish, replicas, simulator, redis))
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
