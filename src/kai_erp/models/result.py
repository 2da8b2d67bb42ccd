"""The envelope: what stands around the records of every answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

from kai_erp.core.types import CollectionReport, DataSource, Freshness, Notice, NoticeCode, ReadStatus

R = TypeVar("R", bound=BaseModel)
S = TypeVar("S", bound=BaseModel)


def utc_text(moment: datetime) -> str:
    """Return a moment as `2026-11-22T10:00:00.123Z`."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


Moment = Annotated[datetime, PlainSerializer(utc_text, return_type=str, when_used="json")]


class Caution(BaseModel):
    """Something the reader must know about the answer."""

    model_config = ConfigDict(frozen=True)

    code: NoticeCode
    collection: str | None = None
    message: str

    @classmethod
    def of(cls, notice: Notice) -> Caution:
        """Return the caution that an inner notice makes."""
        return cls(code=notice.code, collection=notice.collection, message=notice.message)


class UpstreamRead(BaseModel):
    """What one collection contributed to the answer."""

    model_config = ConfigDict(frozen=True)

    collection: str
    rows: int
    pages: int
    ms: float
    status: ReadStatus
    as_of: Moment

    @classmethod
    def of(cls, report: CollectionReport) -> UpstreamRead:
        """Return the entry that a collection's report makes."""
        return cls(
            collection=report.collection,
            rows=report.rows,
            pages=report.pages,
            ms=report.ms,
            status=report.status,
            as_of=report.as_of,
        )


class Meta(BaseModel):
    """Where an answer comes from, as of when, how much of it this page is, and what was missing."""

    model_config = ConfigDict(frozen=True)

    connector: str
    source: DataSource
    freshness: Freshness
    simulated: bool = Field(description="True when the answer comes from the built-in simulator.")
    as_of: Moment = Field(description="The oldest moment at which any part of the answer was read.")
    latency_ms: float
    record_count: int = Field(description="Records on this page.")
    total_count: int = Field(description="Records of the whole answer.")
    truncated: bool = Field(description="True when this page is not the whole answer.")
    next_cursor: str | None = Field(description="Gives the next page of the same answer; null on the last page.")
    filters_applied: dict[str, Any]
    warnings: list[Caution]
    upstream: list[UpstreamRead]


class Envelope(BaseModel, Generic[R, S]):
    """An answer: records, a summary of the whole, and where all that comes from."""

    data: list[R]
    summary: S
    meta: Meta
