"""Building `GET /load/{ido}`.

Parameters are those of the swagger; everything is percent-encoded, a blank as `%20` because not every gateway
reads `+` as one. IIS takes 2,048 bytes of query by default, so a request stays under 2,000.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from kai_erp.errors import QueryTooLong

QUERY_LIMIT = 2_000
SMALLEST_PAGE = 25
"""Rows that a server must manage in time: a page is not made smaller than this."""


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """One page of one collection; names and texts unencoded. `record_cap` 0 asks for everything at once.

    `after` narrows the filter to what comes after a key. `unlisted` leaves the list of properties out, so that the
    server sends all of them; the named ones are read.
    """

    collection: str
    properties: tuple[str, ...] = ()
    filter: str | None = None
    order_by: tuple[str, ...] = ()
    record_cap: int = 0
    bookmark: str | None = None
    load_type: str = "FIRST"
    distinct: bool = False
    read_only: bool = True
    clm: str | None = None
    clm_params: tuple[str, ...] = ()
    post_query_command: str | None = None
    after: str | None = None
    unlisted: bool = False


def path(request: LoadRequest) -> str:
    """Return the path after `/IDORequestService/ido/`."""
    return f"load/{quote(request.collection, safe='')}"


def info_path(collection: str) -> str:
    """Return the path that tells what a collection is made of."""
    return f"info/{quote(collection, safe='')}"


def query_string(request: LoadRequest) -> str:
    """Return the encoded query.

    Raises QueryTooLong when it would not stay under `QUERY_LIMIT` bytes: the filter must be split.
    """
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in _parameters(request) if value)
    if len(query) >= QUERY_LIMIT:
        raise QueryTooLong(request.collection, len(query), QUERY_LIMIT)
    return query


def _filter(request: LoadRequest) -> str:
    if request.filter and request.after:
        return f"({request.filter}) AND ({request.after})"
    return request.filter or request.after or ""


def _parameters(request: LoadRequest) -> list[tuple[str, str]]:
    """Return the parameters in a fixed order; those with an empty value stay at the server's default."""
    return [
        ("properties", "" if request.unlisted else ",".join(request.properties)),
        ("filter", _filter(request)),
        ("orderBy", ",".join(request.order_by)),
        ("recordCap", str(request.record_cap)),
        ("distinct", "true" if request.distinct else ""),
        ("clm", request.clm or ""),
        ("clmParam", ",".join(request.clm_params)),
        ("loadType", "" if request.load_type == "FIRST" else request.load_type),
        ("bookmark", request.bookmark or ""),
        ("pqc", request.post_query_command or ""),
        ("readOnly", "true" if request.read_only else ""),
    ]
