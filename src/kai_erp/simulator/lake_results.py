"""Write pages of a result and message records, as JSON, NDJSON or CSV."""

import csv
import gzip
import io
import zlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

import orjson

JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
_FORMATS = (JSON, NDJSON, CSV)


def choose_format(accept: str, default: str) -> str:
    """Return the format that an Accept header asks for first, the default when it takes anything."""
    for part in accept.lower().split(","):
        wanted = part.partition(";")[0].strip()
        if wanted in _FORMATS:
            return wanted
    return default


def write_rows(names: Sequence[str], rows: Sequence[Sequence[object]], media_type: str) -> bytes:
    """Return a page; a row in JSON has no member for NULL."""
    if media_type == CSV:
        return _write_csv(names, rows)
    objects = [
        {name: plain(value) for name, value in zip(names, row, strict=True) if value is not None} for row in rows
    ]
    if media_type == JSON:
        return orjson.dumps(objects)
    return b"".join(orjson.dumps(row) + b"\n" for row in objects)


def write_records(records: Sequence[Mapping[str, object]], media_type: str) -> bytes:
    """Return message records: their names begin with a capital in CSV."""
    names = list(records[0])
    rows = [[record[name] for name in names] for record in records]
    spelled = [name[0].upper() + name[1:] for name in names] if media_type == CSV else names
    return write_rows(spelled, rows, media_type)


def _write_csv(names: Sequence[str], rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _cell(value: object) -> object:
    shown = plain(value)
    return str(shown).lower() if isinstance(shown, bool) else shown


def plain(value: object) -> object:
    """Return a value as JSON can hold it: decimals carry a point even when they are whole."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03}Z"
    return value.isoformat() if isinstance(value, date) else value


def compress(body: bytes, accept_encoding: str) -> tuple[bytes, str | None]:
    """Return a body in an encoding that the client takes, and the name of the encoding."""
    accepted = {part.partition(";")[0].strip().lower() for part in accept_encoding.split(",")}
    if "gzip" in accepted:
        return gzip.compress(body, 1, mtime=0), "gzip"
    if "deflate" in accepted:
        return zlib.compress(body, 1), "deflate"
    return body, None
