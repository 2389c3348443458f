"""Ends a command that is interrupted, within a second, and says what is safe."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Coroutine
from contextvars import ContextVar
from types import FrameType
from typing import Any, Self

from attrs import field, mutable

GRACE = 0.7
"""How many seconds a command has to let go of what it holds."""
SIGNALS = (signal.SIGINT, signal.SIGTERM)
SAFE = "nothing was changed"
LATE = "it did not end in time; if it was to write, that may have been done"


@mutable
class Standing:
    """What to tell whoever interrupts a command where nothing else is known."""

    told: str = SAFE


STANDING: ContextVar[Standing] = ContextVar("standing")


@mutable(eq=False)
class Interruption:
    """Cancels the work at the first signal, and leaves it alone at the second."""

    is_silent: bool = False
    standing: Standing = field(factory=Standing)
    _task: asyncio.Task[Any] | None = field(default=None, init=False)
    _code: int | None = field(default=None, init=False)
    _timer: threading.Timer | None = field(default=None, init=False)
    _before: dict[signal.Signals, Any] = field(factory=dict, init=False)

    def __enter__(self) -> Self:
        # Elsewhere nobody hears of signals.
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._heard) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._timer is not None:
            self._timer.cancel()

    async def watched(self, work: Coroutine[Any, Any, int | None]) -> int | None:
        """Do the work; return its code, or that of the signal that ended it."""
        self._task = asyncio.current_task()
        if self._code is not None:
            work.close()
            return self._ended(asyncio.CancelledError())
        try:
            return await work
        except asyncio.CancelledError as error:
            if self._code is None:
                raise
            return self._ended(error)

    def _ended(self, error: asyncio.CancelledError) -> int | None:
        told = "; ".join(getattr(error, "__notes__", ())) or self.standing.told
        self._tell(told)
        self.is_silent = True
        return self._code

    def _heard(self, number: int, _: FrameType | None) -> None:
        if self._code is not None:
            self._leave()
        self._code = 128 + number
        if self._task is not None and not (loop := self._task.get_loop()).is_closed():
            loop.call_soon_threadsafe(self._task.cancel)
        # What is stuck in writing to a pipe, or in a thread, cannot be cancelled.
        self._timer = threading.Timer(GRACE, self._leave)
        self._timer.daemon = True
        self._timer.start()

    def _leave(self) -> None:
        told = self.standing.told
        self._tell(LATE if told == SAFE else told)
        os._exit(self._code or 1)

    def _tell(self, told: str) -> None:
        if not self.is_silent:
            # Whoever is interrupted may hold the lock of what Python writes with.
            os.write(2, f"interrupted: {told}\n".encode(errors="backslashreplace"))
