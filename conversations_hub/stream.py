"""An answer whose body comes bit by bit, as that of a download."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import field, mutable

from conversations_hub.errors import TransportError
from conversations_hub.network import BROKEN
from conversations_hub.watching import Watch

if TYPE_CHECKING:
    import aiohttp

# In bytes a second: who sends less, for as long as a request may take, keeps us waiting on purpose.
SLOWEST = 1024


@mutable(kw_only=True, eq=False)
class Stream:
    """An answer whose body is still to come; it keeps its place at the gate until it is closed."""

    gate: asyncio.Semaphore = field(repr=False)
    failed: Callable[[Exception], TransportError] = field(repr=False)
    deadline: float
    """In seconds; so long, and no longer, the body may come slower than it should."""
    answer: aiohttp.ClientResponse | None = field(default=None, repr=False)
    is_closed: bool = field(default=False, init=False)
    _holds: bool = field(default=False, init=False)
    _waited: float = field(default=0.0, init=False)
    _received: int = field(default=0, init=False)

    async def __aenter__(self) -> None:
        """Take a place at the gate, which is kept as long as there is an answer."""
        await self.gate.acquire()
        self._holds = True

    async def __aexit__(self, *_: object) -> None:
        if self.answer is None:
            self.drop()

    def drop(self) -> None:
        """Let go of the answer and of the place, for another to come."""
        answer, self.answer = self.answer, None
        if answer is not None:
            answer.close()
        if self._holds:
            self._holds = False
            self.gate.release()

    def header(self, name: str) -> str | None:
        """Return a header of the answer."""
        return self.answer.headers.get(name) if self.answer else None

    def tell(self, watch: Watch) -> None:
        """Let those who watch know of the head of the answer."""
        if (answer := self.answer) is not None:
            watch.answered(answer.status, answer.headers, answer.version)

    async def read(self) -> bytes:
        """Return the next bytes, and none at the end.

        Raises `TransportError` where the line is cut, or nearly nothing comes.
        """
        if self.answer is None:
            return b""
        failed, time = None, asyncio.get_running_loop().time
        begun = time()
        try:
            chunk = await self.answer.content.readany()
            self._check_speed(len(chunk), time() - begun)
        except BROKEN as error:
            failed = self.failed(error)
        else:
            return chunk
        raise failed

    def close(self) -> None:
        """Let go of the connection, read to its end or not."""
        if self.is_closed:
            return
        self.is_closed = True
        self.drop()

    def _check_speed(self, size: int, seconds: float) -> None:
        """Raise `TimeoutError` where nearly nothing comes; the reader's own pauses do not count."""
        self._waited, self._received = self._waited + seconds, self._received + size
        if not size or self._waited < self.deadline:
            return
        if self._received < SLOWEST * self._waited:
            raise TimeoutError(f"less than {SLOWEST} bytes a second in {self.deadline:g} s")
        self._waited, self._received = 0.0, 0
