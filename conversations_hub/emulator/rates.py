"""Judges rates by when requests arrived: in any window, wherever it begins."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable

from attrs import field, mutable


def busiest(times: Iterable[float], window: float) -> int:
    """Return how many of the times are in the fullest window of so many seconds."""
    inside: deque[float] = deque()
    most = 0
    for at in sorted(times):
        _leave(inside, at - window)
        inside.append(at)
        most = max(most, len(inside))
    return most


@mutable(eq=False)
class Gate:
    """Grants each key at most so many in any window."""

    clock: Callable[[], float] = time.monotonic
    _granted: dict[Hashable, deque[float]] = field(factory=dict, init=False)

    def take(self, key: Hashable, limit: int, window: float) -> bool:
        """Grant one more, if it may be; what is refused does not count."""
        now = self.clock()
        granted = self._granted.setdefault(key, deque())
        _leave(granted, now - window)
        if len(granted) >= limit:
            return False
        granted.append(now)
        return True


def _leave(times: deque[float], until: float) -> None:
    while times and times[0] <= until:
        times.popleft()
