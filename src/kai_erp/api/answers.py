"""An answer in the format that the caller accepts."""

from __future__ import annotations

from datetime import tzinfo

from fastapi import Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from kai_erp import formats
from kai_erp.app import Answer
from kai_erp.models.result import Meta, utc_text

JSON = "application/json"
JSONL = "application/jsonl"
CSV = "text/csv"
ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
MEDIA_TYPES = (JSON, JSONL, CSV, ARROW, PARQUET)
_NOT_ACCEPTABLE = 406


def envelope(answer: Answer, summary: type[BaseModel], zone: tzinfo) -> bytes:
    """Return the JSON envelope of an answer."""
    records = formats.json_array(answer.records, zone)
    totals = summary.model_validate(answer.summary).model_dump_json().encode()
    return b'{"data":%b,"summary":%b,"meta":%b}' % (records, totals, answer.meta.model_dump_json().encode())


def accepted(request: Request) -> str:
    """Return the media type that `Accept` prefers of those we have. Raises HTTPException when there is none."""
    wanted = sorted(_ranges(request.headers.get("accept", "*/*")), key=lambda entry: -entry[1])
    for media_range, quality in wanted:
        if quality > 0:
            for media_type in MEDIA_TYPES:
                if media_range in {media_type, "*/*", f"{media_type.split('/')[0]}/*"}:
                    return media_type
    raise HTTPException(_NOT_ACCEPTABLE, f"none of {', '.join(MEDIA_TYPES)} is accepted")


def response(answer: Answer, media_type: str, summary: type[BaseModel], zone: tzinfo) -> Response:
    """Return the response that carries an answer; outside JSON the meta goes in headers."""
    records, headers = answer.records, _headers(answer.meta)
    match media_type:
        case "application/jsonl":
            return StreamingResponse(formats.jsonl(records, zone), media_type=JSONL, headers=headers)
        case "text/csv":
            return StreamingResponse(formats.csv(records, zone), media_type=CSV, headers=headers)
        case "application/vnd.apache.arrow.stream":
            return StreamingResponse(formats.arrow_stream(records), media_type=ARROW, headers=headers)
        case "application/vnd.apache.parquet":
            return Response(formats.parquet(records), media_type=PARQUET, headers=headers)
        case _:
            return Response(envelope(answer, summary, zone), media_type=JSON)


def _ranges(accept: str) -> list[tuple[str, float]]:
    """Return the media ranges of an Accept header with their quality."""
    ranges = []
    for part in accept.split(","):
        media_range, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = next((text[2:] for text in parameters if text.startswith("q=")), "1")
        ranges.append((media_range, float(quality) if quality.replace(".", "", 1).isdigit() else 0.0))
    return ranges


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
