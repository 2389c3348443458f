"""How many requests an account may make in any window of time, judged by the server's clock."""

from __future__ import annotations

from collections import deque
from typing import Any

from attrs import field, frozen, mutable

from conversations_hub.errors import ConfigurationError


def _is_number(_: Any, __: Any, requests: Any) -> None:
    if isinstance(requests, bool) or not isinstance(requests, int) or requests < 1:
        raise ConfigurationError(f"requests of a Rate must be a number from 1, not {requests!r}")


def _is_time(_: Any, __: Any, per: Any) -> None:
    if isinstance(per, bool) or not isinstance(per, int | float) or not 0 < per < float("inf"):
        raise ConfigurationError(f"per of a Rate must be a time in seconds, not {per!r}")


@frozen
class Rate:
    """At most so many requests in any `per` seconds: `Rate(50, per=60)`."""

    requests: int = field(validator=_is_number)
    per: float = field(default=1.0, kw_only=True, validator=_is_time)


@mutable(kw_only=True)
class Budget:
    """Counts an account's requests; it is told the time, in seconds, and does not wait.

    When a request arrives at the server nobody here knows, only that it was before its answer. So
    its place is free again one window after the answer, and whatever the network did meanwhile,
    the server never sees more than the rate allows. That costs the latency's share of a window.
    """

    rate: Rate
    _under_way: int = field(default=0, init=False)
    _free_at: deque[float] = field(factory=deque, init=False)

    def pause(self, now: float) -> float | None:
        """Return how long there is no place; None where first an answer has to come."""
        while self._free_at and self._free_at[0] <= now:
            self._free_at.popleft()
        if self._under_way + len(self._free_at) < self.rate.requests:
            return 0.0
        return self._free_at[0] - now if self._free_at else None

    def take(self, now: float) -> None:
        """Take a place for a request that is about to be sent."""
        del now
        self._under_way += 1

    def answered(self, now: float) -> None:
        """Note that its answer came, or that none will come any more."""
        self._under_way -= 1
        self._free_at.append(now + self.rate.per)

    def give_back(self) -> None:
        """Take no place after all, since nothing was sent."""
        self._under_way -= 1

    @property
    def is_idle(self) -> bool:
        """Whether all places are free, as far as has been looked."""
        return not self._under_way and not self._free_at
