"""The floor F: what an answer costs whose other collections, casts and rows come for nothing.

The bare wire of the largest collection, its bodies dropped; the decoding of its last page; the join over tables
that are there already; the encoding of rows that are ready. With `wire_only` only the first. It runs where
aiohttp is.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

import aiohttp
import duckdb
import msgspec
import pyarrow as pa
from yarl import URL

from benchmarks.rivals.joined import COLLECTIONS, SQL, params
from benchmarks.rivals.serving import alone, serve


class Envelope(msgspec.Struct):
    """A page of any collection."""

    Items: list[dict[str, str | None]]
    Bookmark: str | None
    MoreRowsExist: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """What the floor is taken of: walks at the same time, each a collection and its first parameters."""

    base: str
    walks: Sequence[tuple[str, Mapping[str, str]]]
    threads: int = 1
    wire_only: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


class Floor:
    """The parts of the floor, made ready once and then done over and over."""

    def __init__(self, asked: Asked, session: aiohttp.ClientSession) -> None:
        self._asked, self._session = asked, session
        self._urls: list[list[URL]] = []
        self._last = b""
        self.parts: dict[str, float] = {}

    async def prepare(self) -> None:
        """Note the address of every page, load the tables and make the rows."""
        for collection, first in self._asked.walks:
            self._urls.append(await self._addresses(collection, first))
        if self._asked.wire_only:
            return
        names = self._asked.walks[0][1]["properties"].split(",")
        row = msgspec.defstruct("Row", [(name, str | None, None) for name in names], gc=False)
        self._decoder = msgspec.json.Decoder(msgspec.defstruct("Rows", [("Items", list[row])]))  # type: ignore[valid-type]
        self._connection = duckdb.connect(config={"threads": self._asked.threads})
        for collection, columns in COLLECTIONS.items():
            await self._load(collection, columns.split(","))
        cursor = self._connection.execute(SQL)
        names = [column[0] for column in cursor.description or ()]
        decoded = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        self._rows = json.loads(json.dumps(decoded, default=str))

    async def once(self) -> bytes:
        """Do the work of the floor once and return the answer."""
        started = time.perf_counter()
        await asyncio.gather(*map(self._walk, self._urls))
        fetched = time.perf_counter()
        if self._asked.wire_only:
            return b"[]"
        self._decoder.decode(self._last)
        decoded = time.perf_counter()
        self._connection.sql(SQL).to_arrow_table()
        joined = time.perf_counter()
        answer = msgspec.json.encode(self._rows)
        ends = {"wire": (started, fetched), "decode": (fetched, decoded), "join": (decoded, joined)}
        self.parts = {name: (end - start) * 1000 for name, (start, end) in ends.items()}
        self.parts["encode"] = (time.perf_counter() - joined) * 1000
        return answer

    async def _walk(self, urls: Sequence[URL]) -> None:
        for url in urls:
            async with self._session.get(url) as response:
                async for _ in response.content.iter_any():
                    pass

    async def _addresses(self, collection: str, first: Mapping[str, str]) -> list[URL]:
        """Return the addresses of a walk's pages; the last body is kept."""
        urls, asked = [], dict(first)
        while True:
            url = self._url(collection, asked)
            urls.append(url)
            self._last = await self._body(url)
            page = msgspec.json.decode(self._last, type=Envelope)
            if not page.MoreRowsExist:
                return urls
            asked |= {"loadType": "NEXT", "bookmark": page.Bookmark or ""}

    async def _load(self, collection: str, columns: Sequence[str]) -> None:
        body = await self._body(self._url(collection, params(collection, 0)))
        rows = msgspec.json.decode(body, type=Envelope).Items
        texts = pa.table({name: pa.array([row[name] for row in rows], pa.string()) for name in columns})
        self._connection.register("texts", texts)
        self._connection.execute(f"CREATE TABLE {collection} AS SELECT * FROM texts")  # noqa: S608  # our own names
        self._connection.unregister("texts")

    async def _body(self, url: URL) -> bytes:
        async with self._session.get(url) as response:
            return bytes(await response.read())

    def _url(self, collection: str, asked: Mapping[str, str]) -> URL:
        query = urlencode(asked, quote_via=quote, safe="")
        return URL(f"{self._asked.base}/load/{collection}?{query}", encoded=True)


def main() -> None:
    """Serve rounds; the first argument is what is asked, as JSON."""
    asked = Asked(**json.loads(sys.argv[1]))
    with asyncio.Runner() as runner:
        session = runner.run(_session(asked.headers))
        floor = Floor(asked, session)
        runner.run(floor.prepare())
        serve(lambda: alone(runner, floor.once()), parts=lambda: floor.parts)
        runner.run(session.close())


async def _session(headers: Mapping[str, str]) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=48)
    return aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(120), headers=headers)


if __name__ == "__main__":
    main()
