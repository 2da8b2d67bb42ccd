"""The clock of a simulator: seconds that pass, and that a test may let pass at once."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Clock:
    """Seconds since the simulator was made."""

    source: Callable[[], float] = time.monotonic
    _born: float = field(init=False)
    _ahead: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._born = self.source()

    def seconds(self) -> float:
        """Return the seconds that have passed."""
        return self.source() - self._born + self._ahead

    def advance(self, seconds: float) -> None:
        """Let time pass at once."""
        self._ahead += seconds

    def reset(self) -> None:
        """Take back what was advanced."""
        self._ahead = 0.0
