"""An event loop whose clock jumps to the next timer instead of waiting for it."""

import asyncio
import selectors


class _JumpingSelector(selectors.DefaultSelector):
    elapsed = 1_000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            return super().select(None)
        events = super().select(0)
        if not events:
            self.elapsed += max(0.0, timeout)
        return events


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Nothing that sleeps takes any time, and every wait can be read off `time()` exactly."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.elapsed
