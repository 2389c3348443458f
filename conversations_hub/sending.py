"""A request on its way to an answer: what it is, and how far it has come."""

from __future__ import annotations

import asyncio

from attrs import field, mutable

from conversations_hub.errors import ProviderError, RateLimitError, TransportError
from conversations_hub.provider import Provider
from conversations_hub.wire import Request

REFUSED = "the account answered 429 and is left alone"
SPENT = "the account's rate is used up"


@mutable(eq=False)
class Sending:
    """One request, from its first attempt to its last."""

    provider: Provider | None
    """Whose it is; of a file elsewhere, nobody's."""
    request: Request
    operation: str
    begun: float
    """In seconds, by the event loop's clock."""
    is_write: bool = field(kw_only=True)
    """Whether doing it twice is not the same as once."""
    attempt: int = field(default=0, init=False)
    is_out: bool = field(default=False, init=False)
    """Whether the server may have begun to act on the present attempt."""
    has_renewed: bool = field(default=False, init=False)
    """Whether it has been tried with another token."""
    waits_for: str = field(default="connection", init=False)
    """What the present attempt waits for, as long as it is not out."""
    clock: asyncio.Timeout | None = field(default=None, init=False)
    """What bounds it."""

    @property
    def name(self) -> str | None:
        """Which provider it is for."""
        return self.provider.name if self.provider is not None else None

    def begin(self) -> None:
        """Note that another attempt goes out."""
        self.is_out, self.attempt = True, self.attempt + 1

    def check_wait(self, seconds: float | None, why: str) -> None:
        """Raise `RateLimitError` for a wait that is longer than there is time.

        After an attempt that failed, `TimeoutError`, so that it is not forgotten.
        """
        end = self.clock.when() if self.clock is not None else None
        if end is None or seconds is None or seconds <= end - asyncio.get_running_loop().time():
            return
        if self.attempt:
            raise TimeoutError
        raise self._held_back(seconds, why)

    def late(self, deadline: float, rest: float) -> ProviderError:
        """Return what it means that the deadline has come, and the account rests so much longer."""
        if rest and not self.is_out:
            return self._held_back(rest, REFUSED)
        place = self.request.place
        if self.waits_for == "turn" and not self.attempt:
            return RateLimitError(
                f"no turn for {place} within {deadline:g} s, as fast as its account may be asked; "
                "this was not sent",
                provider=self.name,
                operation=self.operation,
            )
        what = f"no answer from {place}" if self.is_out else f"no {self.waits_for} for {place}"
        return TransportError(
            f"{what} within {deadline:g} s",
            provider=self.name,
            operation=self.operation,
            sent=self.is_out,
            timed_out=self.is_out,
        )

    def _held_back(self, seconds: float, why: str) -> RateLimitError:
        return RateLimitError(
            f"{why} for {round(seconds, 1):g} s more, past the deadline; this was not sent",
            provider=self.name,
            operation=self.operation,
            retry_after=seconds,
        )
