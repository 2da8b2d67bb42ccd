"""The SDK's log, in ours: one log, one form, on stderr."""

from __future__ import annotations

import logging

import structlog

_SDK = "mcp"
log = structlog.get_logger(__name__)


class _OurLog(logging.Handler):
    """Hands records of the standard library's logging to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record with its traceback, if it has one."""
        method = getattr(log, record.levelname.lower(), log.warning)
        method(record.getMessage(), logger=record.name, exc_info=record.exc_info or None)


def pass_on_sdk_log() -> None:
    """Send warnings and errors of the SDK to our log."""
    logger = logging.getLogger(_SDK)
    if not any(isinstance(handler, _OurLog) for handler in logger.handlers):
        logger.addHandler(_OurLog(logging.WARNING))
    logger.propagate = False
