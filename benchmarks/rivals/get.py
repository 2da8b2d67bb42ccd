"""One request over a connection that is kept; the first argument is its address."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import cast

import aiohttp

from benchmarks.rivals.serving import Record, alone, serve


def main() -> None:
    """Serve rounds."""
    with asyncio.Runner() as runner:
        session = runner.run(_session())
        serve(lambda: alone(runner, _get(session, sys.argv[1])), _records)
        runner.run(session.close())


async def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(120))


async def _get(session: aiohttp.ClientSession, url: str) -> bytes:
    async with session.get(url) as response:
        response.raise_for_status()
        return bytes(await response.read())


def _records(answer: bytes) -> list[Record]:
    return cast("list[Record]", json.loads(answer)["data"])


if __name__ == "__main__":
    main()
