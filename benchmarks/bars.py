"""A bar: a ratio that was measured in one run, and how far it may go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Bar:
    """What was measured: nothing when it could not be, for the reason in `note`.

    Args:
        name: what is compared with what.
        limit: how large the ratio may be, or how small when `at_least`; None where it is only told.
        ratio: the median over the rounds.
        ms: what the rounds of the first took, and of what it is compared with, where those are times.
        note: where the time went, or why there is no ratio.
    """

    name: str
    limit: float | None
    ratio: float | None = None
    at_least: bool = False
    ms: tuple[float, ...] = ()
    note: str = ""
    parts: dict[str, float] = field(default_factory=dict)

    @property
    def verdict(self) -> Literal["ok", "missed", "skipped", ""]:
        """Whether the ratio keeps to its limit; empty where there is none."""
        if self.ratio is None:
            return "skipped"
        if self.limit is None:
            return ""
        kept = self.ratio >= self.limit if self.at_least else self.ratio <= self.limit
        return "ok" if kept else "missed"

    @property
    def shown_limit(self) -> str:
        """The limit as people read it."""
        if self.limit is None:
            return ""
        return f"{'≥' if self.at_least else '≤'} {self.limit:g}"


Case = Callable[[int], Sequence[Bar]]
"""Measures bars in so many rounds."""
