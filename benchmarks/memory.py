"""Measures resident memory: of a stream that nobody keeps, and of messages that are held.

What counts is what the system gave the process, since that is what runs out: pages of answers, the
decoder's memory and the allocator's gaps are part of it. Each measure has a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import resource
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import by_hand
import emulated
import orjson
from harness import Spread, apart, arguments, record
from static_server import served
from worlds import Twilio

from conversations_hub import ConversationsHub

STATM = Path("/proc/self/statm")
Source = Callable[[Twilio, str], AsyncIterator[list[Any]]]


def resident() -> int:
    """Return how many bytes this process has, or where nobody says, the most it ever had."""
    if STATM.exists():
        return int(STATM.read_text().split()[1]) * resource.getpagesize()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


async def models(world: Twilio, address: str, **options: Any) -> AsyncIterator[list[Any]]:
    async with ConversationsHub(world.provider(address), **options) as hub:
        async for page in hub.messages(world.ref()).pages():
            yield list(page.items)


def without_raw(world: Twilio, address: str) -> AsyncIterator[list[Any]]:
    return models(world, address, keep_raw=False)


async def dicts(world: Twilio, address: str) -> AsyncIterator[list[Any]]:
    provider = world.provider(address)
    async with by_hand.session_of(provider) as session:
        first = by_hand.first_page(provider, world.ref())
        async for records in by_hand.pages(session, "twilio", first):
            yield records


HELD: dict[str, tuple[str, Source]] = {
    "raw": ("a held message, `raw` available", models),
    "lean": ("a held message, `keep_raw=False`", without_raw),
    "dict": ("a held dict of `orjson.loads`", dicts),
}


async def grown(source: AsyncIterator[list[Any]], settled: int) -> float:
    """Return by how many MB a stream grows at most, once so many messages have passed."""
    seen, start, most = 0, 0, 0
    async for page in source:
        seen += len(page)
        if seen >= settled:
            now = resident()
            start = start or now
            most = max(most, now)
    return (most - start) / 1e6


async def weight(source: AsyncIterator[list[Any]], settled: int) -> float:
    """Return the bytes of each message that is held; the first ones pay for what is done once."""
    held: list[Any] = []
    seen, start = 0, 0
    async for page in source:
        seen += len(page)
        if seen <= settled:
            continue
        if not held:
            gc.collect()
            start = resident()
        held += page
    gc.collect()
    return (resident() - start) / len(held)


async def alone(options: argparse.Namespace) -> None:
    """Measure one thing in this process and print it; the payloads come on a pipe."""
    servers = apart(options)
    page = orjson.loads(sys.stdin.buffer.read())
    streams = options.alone == "stream"
    world = Twilio(page=page, messages=options.streamed if streams else options.held)
    settled = world.messages // 20
    gc.collect()
    with served(world, servers, keep=False) as server:
        if streams:
            print(await grown(models(world, server.address), settled))
        else:
            print(await weight(HELD[options.alone][1](world, server.address), settled))


def measure(options: argparse.Namespace, payloads: bytes, what: str, row: str) -> None:
    found = []
    for _ in range(options.rounds):
        run = subprocess.run(
            [
                *(sys.executable, __file__, "--alone", what),
                *("--streamed", str(options.streamed), "--held", str(options.held)),
                *(["--unpinned"] if options.unpinned else []),
            ],
            check=True,
            input=payloads,
            stdout=subprocess.PIPE,
        )
        found.append(float(run.stdout.splitlines()[-1]))
    record(options, f"memory: {row}: memory", Spread.of(found))


def main() -> None:
    parser = arguments(__doc__, rounds=3)
    parser.add_argument("--streamed", type=int, default=1_000_000)
    parser.add_argument("--held", type=int, default=100_000)
    parser.add_argument("--alone", choices=["stream", *HELD], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        asyncio.run(alone(options))
        return
    payloads = orjson.dumps(asyncio.run(emulated.messages("twilio")))
    growth = "1,000,000 messages streamed: growth after the first 50,000"
    measure(options, payloads, "stream", growth)
    for what, (row, _) in HELD.items():
        measure(options, payloads, what, row)


if __name__ == "__main__":
    main()
