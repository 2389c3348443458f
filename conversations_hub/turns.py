"""Lets an account's requests through one after the other, as fast as its rate allows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from attrs import field, mutable

from conversations_hub.budget import Budget
from conversations_hub.errors import ConfigurationError


@mutable(kw_only=True)
class Turns:
    """The queue in front of a budget: who came first is first."""

    budget: Budget
    _queue: asyncio.Lock = field(factory=asyncio.Lock, init=False)
    _changed: asyncio.Event = field(factory=asyncio.Event, init=False)
    _closed: bool = field(default=False, init=False)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Wait for a turn, and hold its place until the answer is there.

        Raises `ConfigurationError` for whoever waits when the hub is closed.
        """
        clock = asyncio.get_running_loop().time
        async with self._queue:
            while (pause := self.budget.pause(clock())) != 0.0 and not self._closed:
                self._changed.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._changed.wait()
            if self._closed:
                raise ConfigurationError("this hub is closed; open a new one")
            self.budget.take()
        try:
            yield
        finally:
            self.budget.answered(clock())
            self._changed.set()

    def close(self) -> None:
        """Let nobody wait any longer."""
        self._closed = True
        self._changed.set()
