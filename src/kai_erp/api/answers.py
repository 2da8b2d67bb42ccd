"""An answer in the format that the caller accepts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import tzinfo

from fastapi import Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from kai_erp import formats
from kai_erp.app import Answer
from kai_erp.connectors import BaseConnector
from kai_erp.connectors.parameters import ConnectorQuery
from kai_erp.models.result import Meta, utc_text

JSON = "application/json"
JSONL = "application/jsonl"
CSV = "text/csv"
ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
META_HEADERS = tuple(
    f"X-Kai-{name}"
    for name in ("Source", "As-Of", "Total-Count", "Truncated", "Simulated", "Next-Cursor", "Warnings")
)
MEDIA_TYPES = (JSON, JSONL, CSV, ARROW, PARQUET)
_NOT_ACCEPTABLE = 406
_QUALITY = re.compile(r"[01](\.[0-9]{0,3})?\Z")


def envelope(answer: Answer, summary: type[BaseModel], zone: tzinfo) -> Iterator[bytes]:
    """Yield the JSON envelope of an answer, in parts."""
    totals = summary.model_validate(answer.summary).model_dump_json().encode()
    yield b'{"data":'
    yield from formats.json_parts(answer.records, zone)
    yield b',"summary":%b,"meta":%b}' % (totals, answer.meta.model_dump_json().encode())


def accepted(request: Request) -> str:
    """Return the media type that `Accept` prefers of those we have. Raises HTTPException when there is none."""
    ranges = _ranges(request.headers.get("accept") or "*/*")
    qualities = {media_type: _quality(media_type, ranges) for media_type in MEDIA_TYPES}
    best = max(MEDIA_TYPES, key=lambda media_type: qualities[media_type])
    if not any(qualities[best]):
        raise HTTPException(_NOT_ACCEPTABLE, f"none of {', '.join(MEDIA_TYPES)} is accepted")
    return best


def response(answer: Answer, media_type: str, connector: BaseConnector[ConnectorQuery], zone: tzinfo) -> Response:
    """Return the response that carries an answer; outside JSON the meta goes in headers."""
    records, headers = answer.records, _headers(answer.meta)
    match media_type:
        case "application/jsonl":
            return StreamingResponse(formats.jsonl(records, zone), media_type=JSONL, headers=headers)
        case "text/csv":
            flat = formats.flat(records, connector.rows_of)
            return StreamingResponse(formats.csv(flat, zone), media_type=CSV, headers=headers)
        case "application/vnd.apache.arrow.stream":
            return StreamingResponse(formats.arrow_stream(records), media_type=ARROW, headers=headers)
        case "application/vnd.apache.parquet":
            return Response(formats.parquet(records), media_type=PARQUET, headers=headers)
        case _:
            return StreamingResponse(envelope(answer, connector.summary, zone), media_type=JSON)


def _ranges(accept: str) -> list[tuple[str, float]]:
    """Return the media ranges of an Accept header with their quality."""
    ranges = []
    for part in accept.split(","):
        media_range, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        ranges.append((media_range, float(quality) if _QUALITY.match(quality) else 0.0))
    return ranges


def _quality(media_type: str, ranges: list[tuple[str, float]]) -> tuple[float, int]:
    """Return how much a media type is wanted, by the most specific range, and then how early it is named."""
    for media_range in (media_type, f"{media_type.split('/', maxsplit=1)[0]}/*", "*/*"):
        for place, (name, quality) in enumerate(ranges):
            if name == media_range:
                return (quality, len(ranges) - place) if quality else (0.0, 0)
    return 0.0, 0


def _headers(meta: Meta) -> dict[str, str]:
    headers = {
        "X-Kai-Source": meta.source.value,
        "X-Kai-As-Of": utc_text(meta.as_of),
        "X-Kai-Total-Count": str(meta.total_count),
        "X-Kai-Truncated": str(meta.truncated).lower(),
        "X-Kai-Simulated": str(meta.simulated).lower(),
    }
    if meta.next_cursor:
        headers["X-Kai-Next-Cursor"] = meta.next_cursor
    if meta.warnings:
        headers["X-Kai-Warnings"] = ",".join(dict.fromkeys(caution.code for caution in meta.warnings))
    return headers
