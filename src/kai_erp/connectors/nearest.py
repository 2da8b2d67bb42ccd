"""What to say when nothing matches: the known values that come nearest to what was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from kai_erp.core.types import Notice

_SHOWN = 5
_CUTOFF = 0.5


def nearest(text: str, known: Iterable[str]) -> list[str]:
    """Return up to five known values that resemble a text, the nearest first."""
    by_fold = {value.casefold(): value for value in known}
    wanted = text.casefold()
    close = get_close_matches(wanted, by_fold, _SHOWN, _CUTOFF)
    within = sorted(fold for fold in by_fold if wanted in fold or fold in wanted)
    return [by_fold[fold] for fold in dict.fromkeys([*close, *within])][:_SHOWN]


def no_match(filters: Mapping[str, object], known: Mapping[str, Sequence[str]]) -> Notice:
    """Return the warning of an empty answer to a question with those filters."""
    if not filters:
        return Notice("no_match", "The ERP has nothing of this kind now.")
    asked = ", ".join(f"{name}={value}" for name, value in filters.items())
    near = [
        f"Nearest known {name}: {', '.join(values)}."
        for name, text in filters.items()
        if isinstance(text, str) and (values := nearest(text, known.get(name, ())))
    ]
    return Notice("no_match", " ".join([f"Nothing matches {asked}.", *near]))
