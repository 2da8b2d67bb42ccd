"""Who asks: what a key or token lets its holder do."""

from __future__ import annotations

from dataclasses import dataclass

from kai_erp.errors import Forbidden

EVERYTHING = "*"
OPERATE = "ops:read"


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who was let in.

    Args:
        name: who it is, unique among callers: `key:NAME`, `oauth:SUBJECT`; empty where nobody is asked for a key.
        scopes: what may be asked; `*` is everything.
    """

    name: str
    scopes: frozenset[str]

    def may(self, scope: str) -> bool:
        """Tell whether a scope was granted."""
        return scope in self.scopes or EVERYTHING in self.scopes

    def check(self, scope: str) -> None:
        """Raise Forbidden unless a scope was granted."""
        if not self.may(scope):
            raise Forbidden(scope)


ANYBODY = Caller("", frozenset({EVERYTHING}))
