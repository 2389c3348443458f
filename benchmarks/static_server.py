"""Serves a world's answers from a process of its own, at hardly any cost.

An answer is made the first time it is asked for, which is while a benchmark warms up, and kept as
the bytes that go over the line.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import c_double, c_ulong
from multiprocessing.connection import Connection
from typing import Any, Protocol

from attrs import field, frozen, mutable
from harness import pin
from yarl import URL

HEAD = (
    "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\n\r\n"
)


class World(Protocol):
    def answer(self, url: URL) -> bytes: ...


@frozen
class Served:
    """A server that is up, and what it shares with those who ask it."""

    address: str
    counted: Any
    held_back: Any

    @property
    def requests(self) -> int:
        """How many requests came so far."""
        return int(self.counted.value)

    def hold_back(self, seconds: float) -> None:
        """Let each answer take so long, from now on."""
        self.held_back.value = seconds


@contextmanager
def served(world: World, core: int, *, keep: bool = True) -> Iterator[Served]:
    """Serve a world while entered; without `keep` each answer is made anew."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    counted, held_back = context.Value(c_ulong, lock=False), context.Value(c_double, lock=False)
    answers = Answers(world=world, counted=counted, held_back=held_back, keep=keep)
    server = context.Process(target=_serve, args=(theirs, answers, core), daemon=True)
    server.start()
    # So that the end of the server is the end of the pipe.
    theirs.close()
    try:
        yield Served(ours.recv(), counted, held_back)
    finally:
        server.terminate()
        server.join()


def _serve(pipe: Connection, answers: Answers, core: int) -> None:
    pin(core)
    asyncio.run(_listen(pipe, answers))


async def _listen(pipe: Connection, answers: Answers) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connected(answers), "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    answers.address = address
    pipe.send(address)
    await server.serve_forever()


@mutable(kw_only=True)
class Answers:
    """What goes over the line for each request."""

    world: World
    counted: Any
    held_back: Any
    keep: bool
    address: str = ""
    made: dict[bytes, bytes] = field(factory=dict)

    def __getitem__(self, target: bytes) -> bytes:
        self.counted.value += 1
        ready = self.made.get(target)
        if ready is None:
            body = self.world.answer(URL(self.address + target.decode(), encoded=True))
            ready = HEAD.format(len(body)).encode() + body
            if self.keep:
                self.made[target] = ready
        return ready


@mutable
class Connected(asyncio.Protocol):
    """Answers each request with the bytes that are ready for it."""

    answers: Answers
    transport: asyncio.Transport = field(init=False)
    received: bytes = field(default=b"", init=False)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        while b"\r\n\r\n" in self.received:
            head, _, self.received = self.received.partition(b"\r\n\r\n")
            self.answer(self.answers[head.split(b" ", 2)[1]])

    def answer(self, data: bytes) -> None:
        if seconds := self.answers.held_back.value:
            asyncio.get_running_loop().call_later(seconds, self.transport.write, data)
        else:
            self.transport.write(data)
