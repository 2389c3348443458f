"""Serves pages that were made beforehand: Twilio conversations, at hardly any cost."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import orjson
from attrs import field, mutable
from harness import pin

Record = Mapping[str, Any]


@contextmanager
def served(
    records: list[Record], sizes: Mapping[str, int], core: int, latency: float = 0.0
) -> Iterator[str]:
    """Serve the records from another process while entered; return the address.

    `sizes` says, by conversation, in pages of how many they come, whatever the client asks for.
    Each answer is kept back for `latency` seconds.
    """
    ours, theirs = multiprocessing.Pipe()
    arguments = (theirs, records, dict(sizes), core, latency)
    server = multiprocessing.get_context("spawn").Process(
        target=_serve, args=arguments, daemon=True
    )
    server.start()
    try:
        yield ours.recv()
    finally:
        server.terminate()
        server.join()


def _serve(
    pipe: Connection, records: list[Record], sizes: dict[str, int], core: int, latency: float
) -> None:
    pin(core)
    asyncio.run(_listen(pipe, records, sizes, latency))


async def _listen(
    pipe: Connection, records: list[Record], sizes: dict[str, int], latency: float
) -> None:
    answers: dict[bytes, bytes] = {}
    server = await asyncio.get_running_loop().create_server(
        lambda: Connected(answers, latency), "127.0.0.1", 0
    )
    base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    for sid, size in sizes.items():
        answers.update(_answers(base_url, records, sid, size))
    pipe.send(base_url)
    await server.serve_forever()


def _answers(
    base_url: str, records: list[Record], sid: str, size: int
) -> Iterator[tuple[bytes, bytes]]:
    """Write out every page under the path and page token that lead to it."""
    path = f"/v1/Conversations/{sid}/Messages"
    records = [{**record, "conversation_sid": sid} for record in records]
    pages = [records[start : start + size] for start in range(0, len(records), size)]
    for number, page in enumerate(pages):
        onward = f"{base_url}{path}?PageSize={size}&Page={number + 1}&PageToken=P{number + 1}"
        meta = {
            "page": number,
            "page_size": size,
            "first_page_url": f"{base_url}{path}?PageSize={size}&Page=0",
            "previous_page_url": None,
            "url": f"{base_url}{path}?PageSize={size}&Page={number}",
            "next_page_url": onward if number + 1 < len(pages) else None,
            "key": "messages",
        }
        body = orjson.dumps({"messages": page, "meta": meta})
        head = (
            "HTTP/1.1 200 OK\r\n"
            "Content-Type: application/json; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        token = f"PageToken=P{number}" if number else ""
        yield f"{path}?{token}".encode(), head.encode() + body


@mutable
class Connected(asyncio.Protocol):
    """Answers each request with the bytes that are ready for it."""

    answers: Mapping[bytes, bytes]
    latency: float
    transport: asyncio.Transport = field(init=False)
    received: bytes = field(default=b"", init=False)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        while b"\r\n\r\n" in self.received:
            head, _, self.received = self.received.partition(b"\r\n\r\n")
            path, _, query = head.split(b" ", 2)[1].partition(b"?")
            token = b"&".join(part for part in query.split(b"&") if part.startswith(b"PageToken="))
            self.answer(self.answers[path + b"?" + token])

    def answer(self, data: bytes) -> None:
        if self.latency:
            asyncio.get_running_loop().call_later(self.latency, self.transport.write, data)
        else:
            self.transport.write(data)
