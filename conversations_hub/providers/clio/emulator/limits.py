"""Counts the requests of each token in fixed windows."""

from __future__ import annotations

import time
from math import ceil
from typing import TYPE_CHECKING

from attrs import Factory, field, frozen, mutable

if TYPE_CHECKING:
    from collections.abc import Callable


@frozen(kw_only=True)
class Allowance:
    """What a token may still ask."""

    limit: int
    remaining: int
    reset: int
    wait: int
    """Whole seconds until the window ends, at least one."""

    @property
    def headers(self) -> dict[str, str]:
        """Return the three headers of every counted response."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
        }


@mutable
class _Window:
    ends: float
    used: int = 0


@mutable
class RateLimiter:
    """Gives every token a window of its own, which begins with its first request."""

    clock: Callable[[], float] = time.time
    _windows: dict[str, _Window] = field(default=Factory(dict), init=False)

    def take(self, token: str, limit: int, seconds: float) -> bool:
        """Count one request; false if there is none left in the window."""
        now = self.clock()
        window = self._windows.get(token)
        if window is None or window.ends <= now:
            window = self._windows[token] = _Window(now + seconds)
        granted = window.used < limit
        window.used += granted
        return granted

    def allowance(self, token: str, limit: int) -> Allowance:
        """Return where a token stands that has asked before."""
        window = self._windows[token]
        return Allowance(
            limit=limit,
            remaining=max(0, limit - window.used),
            reset=ceil(window.ends),
            wait=max(1, ceil(window.ends - self.clock())),
        )
