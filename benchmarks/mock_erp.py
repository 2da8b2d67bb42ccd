"""A mock IDO server that costs next to nothing: what is measured is the client.

A process of its own. Pages are encoded once and kept by their address, so that from the second round on an answer
is one write. `python -m benchmarks.mock_erp --operations 10000 --latency-ms 50` prints its port.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, cast
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson
import uvloop

from benchmarks.mock_filters import Filter
from benchmarks.mock_rows import COLUMNS, KEYS, TOKEN, Plant, Row

SYSTEM_CAP = 200
_LOAD = "/IDORequestService/ido/load/"
_INFO = "/IDORequestService/ido/info/"


class Pages:
    """Encoded answers, by address."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._known: dict[str, bytes] = {}
        self._selected: dict[tuple[str, str, str], list[Row]] = {}
        self._indexes: dict[tuple[str, str], dict[str, list[Row]]] = {}

    def page(self, target: str) -> bytes:
        """Return the answer to a load."""
        if target not in self._known:
            parts = urlsplit(target)
            params = {name.lower(): text for name, text in parse_qsl(parts.query, keep_blank_values=True)}
            self._known[target] = self._encoded(unquote(parts.path.rpartition("/")[2]), params)
        return self._known[target]

    def _encoded(self, collection: str, params: Mapping[str, str]) -> bytes:
        columns = COLUMNS[collection]
        rows = self._rows(collection, params.get("filter", ""), params.get("orderby", ""))
        names = [name for name in params.get("properties", "*").split(",") if name not in {"", "*"}] or columns
        places = [columns.index(name) for name in names]
        if params.get("distinct", "").lower() == "true":
            rows = _distinct(rows, places)
        cap = int(params.get("recordcap", "-1"))
        start = _position(params.get("bookmark", ""))
        stop = len(rows) if cap == 0 else start + (cap if cap > 0 else SYSTEM_CAP)
        cells = [[row[place] for place in places] for row in rows[start:stop]]
        if params.get("readonly", "").lower() != "true":
            names = [*names, "_ItemId"]
            cells = [[*row, f"PBT=[{collection}] a.ID=[{start + index:036}]"] for index, row in enumerate(cells)]
        return envelope([dict(zip(names, row, strict=True)) for row in cells], stop, more=stop < len(rows))

    def _rows(self, collection: str, condition: str, order: str) -> list[Row]:
        kept = (collection, condition, order)
        if kept not in self._selected:
            places = {name: place for place, name in enumerate(COLUMNS[collection])}
            rows = self._matching(collection, Filter(condition, places)) if condition else self._all(collection)
            self._selected[kept] = _ordered(rows, order, places, KEYS[collection])
        return self._selected[kept]

    def _all(self, collection: str) -> list[Row]:
        return self._plant.collections[collection]

    def _matching(self, collection: str, asked: Filter) -> list[Row]:
        """Return the rows that pass a filter; where it lists keys, only rows with those are tried."""
        for name, keys in asked.keys.items():
            if name in KEYS[collection] or name == "Wc":
                index = self._index(collection, name)
                found = [row for key in sorted(keys) for row in index.get(key, ())]
                return [row for row in found if asked.test(row)]
        return [row for row in self._all(collection) if asked.test(row)]

    def _index(self, collection: str, name: str) -> dict[str, list[Row]]:
        if (collection, name) not in self._indexes:
            place = COLUMNS[collection].index(name)
            index: dict[str, list[Row]] = {}
            for row in self._all(collection):
                index.setdefault((row[place] or "").rstrip(" "), []).append(row)
            self._indexes[collection, name] = index
        return self._indexes[collection, name]


class Answering(Protocol):
    """Knows the answer to a request by its target and its body."""

    def answer(self, target: str, body: bytes) -> tuple[float, bytes]:
        """Return after how many seconds to answer, and the answer."""
        ...


class Connection(asyncio.Protocol):
    """One kept-alive connection."""

    def __init__(self, server: Answering) -> None:
        self._server, self._waiting = server, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer a request that is whole."""
        self._waiting += data
        head, end, rest = self._waiting.partition(b"\r\n\r\n")
        if not end or len(rest) < _length(head):
            return
        body, self._waiting = rest[: _length(head)], rest[_length(head) :]
        target = head.split(b" ", 2)[1].decode()
        latency, answer = self._server.answer(target, body)
        asyncio.get_running_loop().call_later(latency, self._write, answer)

    def _write(self, answer: bytes) -> None:
        if not self._transport.is_closing():  # else the client has given up
            self._transport.write(answer)


class Mock:
    """What the connections share: pages, latency and a count of loads."""

    def __init__(self, plant: Plant, latency: float) -> None:
        self._pages, self._latency = Pages(plant), latency
        self._loads: Counter[str] = Counter()

    def answer(self, target: str, body: bytes) -> tuple[float, bytes]:  # noqa: ARG002  # loads have none
        """Return after how many seconds to answer, and the answer."""
        path = target.partition("?")[0]
        if _LOAD in path:
            self._loads[path.rpartition("/")[2]] += 1
            return self._latency, response(self._pages.page(target))
        if _INFO in path:
            names = COLUMNS[path.rpartition("/")[2]]
            return self._latency, response(orjson.dumps({"Properties": [{"Name": name} for name in names]}))
        if path == "/loads":
            counted, self._loads = self._loads, Counter()
            return 0, response(orjson.dumps(counted))
        return 0, response(b'{"access_token":"%b","token_type":"Bearer","expires_in":7200}' % TOKEN.encode())


def response(body: bytes, media_type: str = "application/json") -> bytes:
    """Return an HTTP response."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def envelope(rows: Sequence[Mapping[str, object]], stop: int, *, more: bool) -> bytes:
    """Return the body of a page that ends before row `stop`."""
    bookmark = f"<B><P><p>Key</p></P><D><f>false</f></D><F><v>0</v></F><L><v>{stop}</v></L></B>"
    answer = {"Items": rows, "Bookmark": bookmark, "MoreRowsExist": more, "Success": True, "Message": None}
    return orjson.dumps(answer)


def _position(bookmark: str) -> int:
    return int(bookmark.rpartition("<L><v>")[2].partition("<")[0]) if bookmark else 0


def _length(head: bytes) -> int:
    lowered = head.lower()
    if b"content-length:" not in lowered:
        return 0
    return int(lowered.partition(b"content-length:")[2].partition(b"\r")[0])


def _distinct(rows: Sequence[Row], places: Sequence[int]) -> list[Row]:
    return list({tuple(row[place] for place in places): row for row in rows}.values())


def _ordered(rows: list[Row], order: str, places: Mapping[str, int], key: Sequence[str]) -> list[Row]:
    """Return rows in an order; the collections are kept in that of their key."""
    terms = [term.split() for term in order.split(",") if term.strip()]
    if terms == [[name] for name in key[: len(terms)]]:
        return rows
    for name, *way in reversed(terms):
        place = places[name]
        rows = sorted(rows, key=lambda row: row[place] or "", reverse=[text.upper() for text in way] == ["DESC"])
    return rows


async def serve(connected: Callable[[], asyncio.Protocol]) -> None:
    """Serve until the process ends; print the port."""
    server = await asyncio.get_running_loop().create_server(connected, "127.0.0.1", 0)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operations", type=int, default=10_000)
    parser.add_argument("--latency-ms", type=float, default=50.0)
    asked = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        mock = Mock(Plant(asked.operations), asked.latency_ms / 1000)
        runner.run(serve(lambda: Connection(mock)))


if __name__ == "__main__":
    main()
