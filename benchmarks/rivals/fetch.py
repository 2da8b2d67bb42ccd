"""A bare fetch of some addresses, so many in flight, bodies dropped; the argument is what is asked, as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence

import aiohttp

from benchmarks.rivals.serving import alone, serve


def main() -> None:
    """Serve rounds."""
    asked = json.loads(sys.argv[1])
    with asyncio.Runner() as runner:
        session = runner.run(_session(asked["in_flight"]))
        serve(lambda: alone(runner, _fetched(session, asked["urls"])))
        runner.run(session.close())


async def _session(in_flight: int) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=in_flight)
    return aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(120))


async def _fetched(session: aiohttp.ClientSession, urls: Sequence[str]) -> bytes:
    await asyncio.gather(*[_one(session, url) for url in urls])
    return b"[]"


async def _one(session: aiohttp.ClientSession, url: str) -> None:
    async with session.get(url) as response:
        async for _ in response.content.iter_any():
            pass


if __name__ == "__main__":
    main()
