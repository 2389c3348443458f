"""Lets requests through one after the other, as fast as what limits them allows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Generic, Protocol, TypeVar

from attrs import field, mutable

from conversations_hub.errors import ConfigurationError


class Limit(Protocol):
    """Says when there is a place for a request; it is told the time, and does not wait."""

    def pause(self, now: float) -> float | None:
        """Return how long there is none; None where first an answer has to come."""
        ...

    def take(self, now: float) -> None:
        """Take one."""
        ...

    def answered(self, now: float) -> None:
        """Note that the answer came, or that none will come any more."""
        ...

    def give_back(self) -> None:
        """Take nothing after all, since nothing was sent."""
        ...


L = TypeVar("L", bound=Limit)


@mutable(kw_only=True)
class Turns(Generic[L]):
    """The queue in front of a limit: who came first is first."""

    limit: L
    _queue: asyncio.Lock = field(factory=asyncio.Lock, init=False)
    _changed: asyncio.Event = field(factory=asyncio.Event, init=False)
    _closed: bool = field(default=False, init=False)

    def is_free(self, now: float) -> bool:
        """Tell whether nobody has to wait."""
        return not self._queue.locked() and self.limit.pause(now) == 0.0

    @asynccontextmanager
    async def one(self, is_used: Callable[[], bool]) -> AsyncIterator[None]:
        """Wait for a turn, and hold its place until the answer is there, or nothing was sent.

        Raises `ConfigurationError` for whoever waits when the hub is closed.
        """
        clock = asyncio.get_running_loop().time
        async with self._queue:
            while (pause := self.limit.pause(clock())) != 0.0 and not self._closed:
                self._changed.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._changed.wait()
            if self._closed:
                raise ConfigurationError("this hub is closed; open a new one")
            self.limit.take(clock())
        try:
            yield
        finally:
            if is_used():
                self.limit.answered(clock())
            else:
                self.limit.give_back()
            self._changed.set()

    def close(self) -> None:
        """Let nobody wait any longer."""
        self._closed = True
        self._changed.set()
