"""What is written down of every question: a line for the auditor, a count, and a span for whoever traces."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from opentelemetry import trace
from opentelemetry.trace import Span, Status, StatusCode

from kai_erp.audit import AuditLog
from kai_erp.core.types import Now
from kai_erp.errors import KaiErpError
from kai_erp.metrics import Metrics
from kai_erp.models.result import Meta, utc_text
from kai_erp.questions import Answer, Asked

_CANCELLED, _DEFECT, _ANSWERED, _PAGE = "cancelled", "internal_error", "answered", "page"
_RECENT = 50
_REQUEST_NAMES = ("request_id", "call")
tracer = trace.get_tracer("kai_erp")


@dataclass(slots=True)
class Note:
    """What becomes of a question; the answer is put here once there is one."""

    answer: Answer | None = None


class Notebook:
    """Takes note of questions.

    Args:
        audit: where lines go; they hold filters and counts, never data.
        metrics: where questions are counted.
        now: the present moment.
    """

    def __init__(self, audit: AuditLog, metrics: Metrics, now: Now) -> None:
        self._audit, self._metrics, self._now = audit, metrics, now
        self._recent: deque[Mapping[str, object]] = deque(maxlen=_RECENT)

    def recent(self) -> list[Mapping[str, object]]:
        """Return the lines of the last questions, the newest first, whether they are written or not."""
        return list(reversed(self._recent))

    @contextmanager
    def question(self, asked: Asked) -> Iterator[Note]:
        """Note a question when the context ends, however it ends."""
        note, started, outcome = Note(), time.perf_counter(), _CANCELLED
        with tracer.start_as_current_span(f"ask {asked.connector}", record_exception=False) as span:
            try:
                yield note
                outcome = _PAGE if asked.cursor else _ANSWERED
            except KaiErpError as failure:
                outcome = failure.code
                raise
            except Exception:
                outcome = _DEFECT
                raise
            finally:
                seconds = time.perf_counter() - started
                meta = note.answer.meta if note.answer else None
                self._metrics.asked(asked.connector, meta.source.value if meta else "", outcome, seconds)
                _mark(span, asked, meta, outcome)
                line = self._line(asked, meta, outcome, seconds)
                self._recent.append(line)
                if self._audit.wanted:
                    self._audit.write(line)

    def _line(self, asked: Asked, meta: Meta | None, outcome: str, seconds: float) -> dict[str, object]:
        line: dict[str, object] = {
            "at": utc_text(self._now()),
            "request_id": _request_id(),
            "caller": asked.caller.name or None,
            "connector": asked.connector,
            "filters": _filters(asked, meta),
            "freshness": asked.freshness.value,
            "limit": asked.limit,
            "outcome": outcome,
            "ms": round(seconds * 1000, 1),
        }
        return line | (_of_answer(meta) if meta else {})


def _filters(asked: Asked, meta: Meta | None) -> dict[str, object]:
    """Return the filters of a question; a cursor knows those that it was given for, and may come without any."""
    return meta.filters_applied if meta else asked.query.model_dump(mode="json", exclude_defaults=True)


def _of_answer(meta: Meta) -> dict[str, object]:
    return {
        "source": meta.source.value,
        "as_of": utc_text(meta.as_of),
        "rows": meta.record_count,
        "total": meta.total_count,
        "simulated": meta.simulated,
        "cached": any(read.status == "cached" for read in meta.upstream),
        "warnings": sorted({caution.code for caution in meta.warnings}),
    }


def _mark(span: Span, asked: Asked, meta: Meta | None, outcome: str) -> None:
    span.set_attribute("kai_erp.connector", asked.connector)
    span.set_attribute("kai_erp.freshness", asked.freshness.value)
    span.set_attribute("kai_erp.outcome", outcome)
    if meta is not None:
        span.set_attribute("kai_erp.source", meta.source.value)
        span.set_attribute("kai_erp.rows", meta.total_count)
    if outcome not in {_ANSWERED, _PAGE}:
        span.set_status(Status(StatusCode.ERROR, outcome))


def _request_id() -> object:
    """Return the id of the request, or of the tool's call, that the log shows as well."""
    bound = structlog.contextvars.get_contextvars()
    return next((bound[name] for name in _REQUEST_NAMES if name in bound), None)
