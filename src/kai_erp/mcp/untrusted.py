"""Text from elsewhere, made safe to show to a model: many people can write into an ERP.

Characters that nobody sees can carry text that only a model reads, or turn around what a person reads.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from pydantic import JsonValue

_BREAKS = frozenset({"Cc", "Zl", "Zp"})
_UNSEEN = frozenset({"Cf", "Cn", "Co", "Cs"})


def plain(text: str) -> str:
    """Return a text on one line, without control characters, direction marks and other unseen ones."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    category = unicodedata.category(character)
    if category in _BREAKS:
        return " "
    return "" if category in _UNSEEN or _is_variation(character) else character


def _is_variation(character: str) -> bool:
    """Tell whether a character only chooses a variant of the one before it: any number of them stays unseen."""
    return "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"


def plain_values(value: JsonValue) -> JsonValue:
    """Return a JSON value with all its texts made plain."""
    match value:
        case str():
            return plain(value)
        case list():
            return [plain_values(element) for element in value]
        case Mapping():
            return {name: plain_values(element) for name, element in value.items()}
        case _:
            return value


def quoted(value: object, longest: int = 60) -> str:
    """Return a caller's value as a short literal, to say what is wrong with it."""
    text = value if isinstance(value, str) else str(value)
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    return f"'{plain(cut)}'" if isinstance(value, str) else plain(cut)
