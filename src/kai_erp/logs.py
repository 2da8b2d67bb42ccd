"""The operator's log: structured, on stderr, in words or as JSON lines."""

from __future__ import annotations

import logging
import sys

import stamina
import structlog
from stamina.instrumentation import RetryDetails
from structlog.typing import EventDict

from kai_erp.config import Settings

log = structlog.get_logger(__name__)


def _printable(_: object, __: str, event: EventDict) -> EventDict:
    """Escape what a terminal would act on: paths and messages come from elsewhere."""
    return {name: _escaped(value) if isinstance(value, str) else value for name, value in event.items()}


def _escaped(text: str) -> str:
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


class _OurLog(logging.Handler):
    """Hands records of the standard library's logging to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record with its traceback, if it has one."""
        method = getattr(log, record.levelname.lower(), log.warning)
        method(record.getMessage(), logger=record.name, exc_info=record.exc_info or None)


def pass_on(library: str) -> None:
    """Send warnings and errors of a library to our log, so that there is one log in one form."""
    logger = logging.getLogger(library)
    if not any(isinstance(handler, _OurLog) for handler in logger.handlers):
        logger.addHandler(_OurLog(logging.WARNING))
    logger.propagate = False


def configure_logs(settings: Settings, *, quiet: bool = False) -> None:
    """Send log lines to stderr from LOG_LEVEL on, as LOG_FORMAT says; each retry is one line.

    A `quiet` program shows warnings only, unless LOG_LEVEL asks for more than usual.
    """
    level = "WARNING" if quiet and settings.log_level == "INFO" else settings.log_level
    stamina.instrumentation.set_on_retry_hooks([_tell_retry])
    for library in ("asyncio", "uvicorn"):
        pass_on(library)
    renderer = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _printable,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def _tell_retry(details: RetryDetails) -> None:
    log.info("trying again", after=f"{details.wait_for:.1f} s", because=str(details.caused_by))
