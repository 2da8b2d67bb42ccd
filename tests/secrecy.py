"""A lookout over the whole suite: no secret of any settings reaches a log, an error, a metric or the audit log."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog
from pydantic import SecretStr

from kai_erp.audit import AuditLog
from kai_erp.core.auth import Token
from kai_erp.errors import KaiErpError
from kai_erp.metrics import Metrics

_LEVELS = (
    "msg",
    "log",
    "debug",
    "info",
    "warn",
    "warning",
    "err",
    "error",
    "critical",
    "exception",
    "fatal",
    "failure",
)
_API_KEY = re.compile(r"kai_(?!erp)[\w-]{30,}")
_SHORTEST = 8


class Lookout:
    """Knows every secret that was made, and watches what leaves by any way that an operator or a caller reads."""

    def __init__(self) -> None:
        self.secrets: set[str] = set()
        self.leaks: list[str] = []
        self.looked_at = 0

    def learn(self, secret: object) -> None:
        """Take note of a secret; one as short as a word would be found by chance."""
        if isinstance(secret, str) and len(secret) >= _SHORTEST:
            self.secrets.add(secret)

    def look_at(self, way: str, text: str) -> None:
        """Take note when a text holds a secret."""
        self.looked_at += 1
        if _API_KEY.search(text) or any(secret in text for secret in self.secrets):
            self.leaks.append(f"{way}: {text[:2_000]}")


@contextmanager
def looking_out() -> Iterator[Lookout]:
    """Watch until the context ends."""
    lookout = Lookout()
    with pytest.MonkeyPatch.context() as patch:
        _also(patch, SecretStr, "__init__", lambda _, value, *__: lookout.learn(value))
        _also(patch, Token, "__init__", lambda _, value, *__, **___: lookout.learn(value))
        _also(patch, KaiErpError, "__init__", lambda error, text, **_: lookout.look_at(type(error).__name__, text))
        _also(patch, AuditLog, "write", lambda _, entry: lookout.look_at("audit", json.dumps(entry, default=str)))
        for level in _LEVELS:
            if hasattr(structlog.PrintLogger, level):
                _also(patch, structlog.PrintLogger, level, lambda _, text: lookout.look_at("log", text))
        _after(patch, Metrics, "exposed", lambda text: lookout.look_at("metrics", text.decode()))
        yield lookout


def _also(patch: pytest.MonkeyPatch, kind: type, name: str, watch: Callable[..., None]) -> None:
    """Let a method tell its arguments before it does its work."""
    method = getattr(kind, name)

    def watched(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401  # any method
        watch(*arguments, **named)
        return method(*arguments, **named)

    patch.setattr(kind, name, watched)


def _after(patch: pytest.MonkeyPatch, kind: type, name: str, watch: Callable[[Any], None]) -> None:
    """Let a method tell its result."""
    method = getattr(kind, name)

    def watched(*arguments: Any) -> Any:  # noqa: ANN401  # any method
        result = method(*arguments)
        watch(result)
        return result

    patch.setattr(kind, name, watched)
