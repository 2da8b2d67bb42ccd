"""The readers of foreign text. Whatever it is, they return a value or raise from our own tree of errors."""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
from hypothesis import strategies as st

from kai_erp.core import compass, ido, lake_sql
from kai_erp.core.expressions import AllOf, AnyKey, AnyOf, Like, equals
from kai_erp.core.types import Property, PropertyType
from kai_erp.errors import InvalidSetting, KaiErpError
from kai_erp.ionapi import read_ionapi
from kai_erp.simulator import SimulatorOptions, ionapi_document
from tests.fuzz.mutations import STUMBLES, mutated

ZONE = ZoneInfo("America/Chicago")
PROPERTIES = ("Job", "QtyReleased", "DueDate")
COLUMNS = (
    Property("job"),
    Property("qty", PropertyType.DECIMAL),
    Property("suffix", PropertyType.INTEGER),
    Property("stat", PropertyType.FLAG),
    Property("due_date", PropertyType.DATETIME),
)
IONAPI = ionapi_document("https://gateway.example", SimulatorOptions())
SECRETS = tuple(str(IONAPI[member]) for member in ("cs", "saak", "sask"))
LOADS = (
    (
        b'{"Items":[{"Job":"   1991","QtyReleased":"10.00000000","DueDate":"20260520 00:00:00.000"},'
        b'{"Job":"J000012","QtyReleased":null,"DueDate":""}],"Bookmark":"<B><P/></B>","MoreRowsExist":true,'
        b'"Success":true,"Message":null}'
    ),
    b'{"items":[{"job":1991,"qtyreleased":10.5,"duedate":true}],"success":"true","message":""}',
    b'{"Items":null,"Bookmark":null,"MoreRowsExist":false,"Success":true,"Message":null}',
    b'{"Success":false,"Message":"Property Job not found on IDO SLJobs"}',
    b'{"Message":"Invalid token"}',
    b'"Session expired"',
)
INFOS = (b'{"Properties":[{"Name":"Job","DataType":"String"},{"Name":"Suffix"}],"Success":false}',)
STATUSES = (
    b'{"queryId":"9b1c-2","status":"FINISHED","rowCount":5,"location":"/jobs/9b1c-2/result/"}',
    b'{"QueryID":77,"Status":"running","RowCount":"5.0"}',
)
MESSAGES = (
    b'[{"messageCode":760,"message":"too large","line":1,"position":2}]',
    b'{"errors":[{"messageCode":"100","message":"no such table"}]}',
    b'MessageCode,Message,Line,Position\r\n760,"page too large",1,2\r\n',
)
PAGES = (
    b"job,qty,suffix,stat,due_date\r\n1991,10.500000000000000,2.0,1.0,2026-05-20T05:00:00.000Z\r\n,,,,\r\n",
    b'"Due_Date","JOB","QTY","SUFFIX","STAT","more"\n2026-05-20,"a ""b""\n c",1,2,true,x\n',
    *MESSAGES,
)


def _page(body: bytes) -> None:
    page = ido.decode_page(body, "SLJobs", PROPERTIES)
    assert set(page.columns) == set(PROPERTIES)
    for name in PROPERTIES:
        column = page.columns[name]
        assert len(column) == page.rows
        for kind in PropertyType:
            typed = ido.typed(ido.trimmed(pa.array(column, pa.string())), kind)
            assert len(typed.column) == page.rows
            if kind is PropertyType.DATETIME:
                ido.instants(typed.column, ZONE)


def _names(body: bytes) -> None:
    assert all(name == name.casefold() for name in ido.decode_property_names(body))


def _job(body: bytes) -> None:
    for status in (200, 201, 202):
        with contextlib.suppress(KaiErpError):
            compass.decode_status(status, body)
    query_id = compass.decode_query_id(body)
    assert re.fullmatch(r"jobs/[\w.~%-]+/cancel/", compass.cancel_path(query_id), re.ASCII)


def _messages(body: bytes) -> None:
    assert "\n" not in compass.told(compass.decode_messages(body))
    compass.is_too_large(body)


def _lake_page(body: bytes) -> None:
    for convention in ("utc", "wall_clock"):
        page = compass.decode_page(body, COLUMNS, compass.LakeTime(ZONE, convention))
        assert page.table.column_names == [column.name for column in COLUMNS]
        page.table.validate(full=True)


def _ionapi(body: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".ionapi") as file:
        Path(file.name).write_bytes(body)
        try:
            read = read_ionapi(Path(file.name))
        except InvalidSetting as refusal:
            told = f"{refusal} {refusal.suggestion} {refusal.__cause__!r}"
            assert not any(secret in told for secret in SECRETS)
            return
    assert not any(secret in repr(read) for secret in SECRETS)
    assert read.token_url.startswith(("https://", "http://"))
    assert read.compass_url.startswith(("https://", "http://"))


def _outside_of_literals(sql: str) -> str:
    """Return what stands outside of quotes, each literal as `?`; a quote within one is doubled."""
    outside, position = [], 0
    while position < len(sql):
        if sql[position] != "'":
            outside.append(sql[position])
            position += 1
            continue
        position += 1
        while sql[position] != "'" or sql[position + 1 : position + 2] == "'":
            position += 2 if sql[position] == "'" else 1
        outside.append("?")
        position += 1
    return "".join(outside)


def _filters(body: bytes) -> None:
    text = body.decode("utf-8", "surrogateescape").replace("\0", "")
    plain = text.replace('"', "").replace("\\", "")
    texts = (equals("A", text), AnyKey("B", (text, "x")), Like("C", text, wildcard=True), Like("D", text))
    allowed = re.compile(r"(?:[ABCD]| IN | LIKE | AND | OR |=|,|\?|N\?|\(|\)| )*")
    assert allowed.fullmatch(_outside_of_literals(ido.render(AllOf((texts[0], AnyOf(texts))))))
    assert _outside_of_literals(lake_sql.literal(plain)) == "?"
    pieces = _outside_of_literals(lake_sql.literal(text))
    assert re.fullmatch(r"\?|CONCAT\(\?(?:, CHAR\(92\), \?)+\)", pieces)
    columns = {name: name for name in "ABCD"}
    allowed = re.compile(
        r"(?:[ABCD]|LOWER|TRIM|CONCAT|CHAR\(92\)|CHARINDEX| > 0| IN | AND | OR | IS NOT NULL|=|,|\?|\(|\)| )*"
    )
    assert allowed.fullmatch(_outside_of_literals(lake_sql.render(AnyOf(texts), columns)))


@dataclass(frozen=True, slots=True)
class Target:
    """A reader, and the documents that it is tried with."""

    read: Callable[[bytes], None]
    documents: st.SearchStrategy[bytes]

    def __call__(self, body: bytes) -> None:
        """Let a document be read; anything but a KaiErpError is a finding."""
        with contextlib.suppress(KaiErpError):
            self.read(body)


_TEXTS = st.lists(
    st.sampled_from(STUMBLES) | st.text("ab%_[]*'\"\\-;N ?é", max_size=6).map(str.encode), max_size=6
)
TARGETS: Mapping[str, Target] = {
    "a page of the ERP": Target(_page, mutated(LOADS)),
    "what a collection is made of": Target(_names, mutated(INFOS)),
    "the state of a job of the lake": Target(_job, mutated(STATUSES)),
    "messages of the lake": Target(_messages, mutated(MESSAGES)),
    "a page of the lake": Target(_lake_page, mutated(PAGES)),
    "an .ionapi file": Target(_ionapi, mutated((json.dumps(IONAPI).encode(),))),
    "a text in a filter": Target(_filters, _TEXTS.map(b"".join)),
}
