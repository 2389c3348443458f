"""Lets an account's requests through one after the other, as fast as its rate allows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import field, mutable

from conversations_hub.budget import Budget


@mutable(kw_only=True)
class Turns:
    """The queue in front of a budget: who came first is first."""

    budget: Budget
    _queue: asyncio.Lock = field(factory=asyncio.Lock, init=False)
    _answered: asyncio.Event = field(factory=asyncio.Event, init=False)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Wait for a turn, and hold its place until the answer is there."""
        clock = asyncio.get_running_loop().time
        async with self._queue:
            while (pause := self.budget.pause(clock())) != 0.0:
                if pause is not None:
                    await asyncio.sleep(pause)
                else:
                    self._answered.clear()
                    await self._answered.wait()
            self.budget.take()
        try:
            yield
        finally:
            self.budget.answered(clock())
            self._answered.set()
