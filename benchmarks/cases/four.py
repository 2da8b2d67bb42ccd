"""Four collections of ten pages each, 100 ms per request: beside the bare wire, and beside dlt."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from benchmarks.bars import Bar
from benchmarks.cases.schedule import PRODUCT, WIRE, Setting, setting
from benchmarks.envs import NotInstalled
from benchmarks.four import COLLECTIONS, DLT_SQL
from benchmarks.mock_rows import SIZES, Plant
from benchmarks.rivals.serving import digest
from benchmarks.turns import Contender, Expected, in_turns

PAGE, LATENCY_MS = 200, 100.0
_DLT = "dlt"
_ABSENT = ("work_center_description", "qty_released", "qty_remaining")


def four(rounds: int) -> Sequence[Bar]:
    """Measure the joined answer beside the wire floor and beside dlt, all in turns."""
    name, ahead = "4 collections x 10 pages x 100 ms, 8,000 rows / wire floor", "the same / tuned dlt"
    with setting("S", LATENCY_MS) as mock:
        contenders = [mock.wire(_walks()), mock.product("four", sl10_page_size=PAGE)]
        try:
            taken = in_turns([*contenders, _dlt(mock)], rounds, _expected())
        except NotInstalled as failure:
            taken = in_turns(contenders, rounds, _expected())
            rival = Bar(ahead, 1.0, note=f"dlt is not installed: {failure}")
        else:
            rival = Bar(ahead, 1.0, taken[PRODUCT].ms / taken[_DLT].ms, ms=(taken[PRODUCT].ms, taken[_DLT].ms))
    product, wire = taken[PRODUCT], taken[WIRE]
    return [Bar(name, 1.4, product.ms / wire.ms, ms=(product.ms, wire.ms)), rival]


def _walks() -> list[tuple[str, Mapping[str, str]]]:
    """Return the first page of each collection, as the product asks for it."""
    return [
        (
            spec.name,
            {
                "properties": ",".join(prop.wire for prop in spec.properties),
                "orderBy": ",".join(spec.key),
                "recordCap": str(PAGE),
                "readOnly": "true",
            },
        )
        for spec in COLLECTIONS
    ]


def _dlt(mock: Setting) -> Contender:
    asked = {"base": mock.base, "walks": _walks(), "sql": DLT_SQL}
    return Contender(_DLT, "dlt", "benchmarks.rivals.dlt_pipeline", (json.dumps(asked),))


def _expected() -> Expected:
    """Return the records of the four collections: those of the schedule, without what others tell."""
    records = [
        {name: value for name, value in record.items() if name not in _ABSENT}
        for record in Plant(SIZES["S"]).expected()
    ]
    return Expected(len(records), digest(records))
