"""From the text of a fault to its meaning.

The service answers HTTP 200 with `Success:false` and a text; there is no code. Texts are localised, so only
fragments that published clients have met are recognised, and the rest stays a plain fault.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from kai_erp.core.ido.texts import shown
from kai_erp.errors import (
    CollectionMissing,
    FilterRefused,
    PropertyMissing,
    TokenRejected,
    UpstreamDenied,
    UpstreamError,
    UpstreamFault,
)


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: re.Pattern[str]
    error: Callable[[str, str, re.Match[str]], UpstreamError]


def _rule(pattern: str, error: Callable[[str, str, re.Match[str]], UpstreamError]) -> _Rule:
    return _Rule(re.compile(pattern, re.IGNORECASE | re.DOTALL), error)


def _rejected(collection: str, said: str, _: re.Match[str]) -> UpstreamError:
    return TokenRejected(f"The ERP refuses the session ({collection}): {said}")


_SESSION = (
    r"invalid\s*token|session\b.*\b(deleted|expired|count|limit|lost|invalid)|\blog\s?-?on\b|\blog\s?in\b"
    r"|invalid\s*credentials|error authenticating user|(concurrent)?sessionlimit|accountdisabled|accountlocked"
    r"|passwordexpired|invalidconfiguration"
)

_RULES = (
    _rule(r"property (\S+) not found on ", lambda name, _, found: PropertyMissing(name, found[1])),
    _rule(r"\bIDO\b.*not found|not found.*\bIDO\b", lambda name, _, __: CollectionMissing(name)),
    _rule(r"IllegalFilter", lambda name, said, _: FilterRefused(name, said)),
    _rule(r"conver(sion|ting).*(failed|error)|error converting", lambda name, said, _: FilterRefused(name, said)),
    _rule(
        r"requires \[?\w+\]? privilege|privilege|not licensed|licen[cs]e",
        lambda name, said, _: UpstreamDenied(name, said),
    ),
    _rule(_SESSION, _rejected),
)


def fault_error(collection: str, message: str | None) -> UpstreamError:
    """Return the error that the fault text of a load of `collection` means."""
    said = shown(message or "no reason given")
    for rule in _RULES:
        if found := rule.pattern.search(said):
            return rule.error(collection, said, found)
    return UpstreamFault(f"{collection}: {said}")


def is_session_fault(text: str) -> bool:
    """Tell whether a text is about a token, a session or a log-on, as a 401 would be."""
    return re.search(_SESSION, text, re.IGNORECASE) is not None
