"""Times contenders side by side and says how many times the one takes of the other."""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping

import aiohttp
from attrs import frozen

from conversations_hub.emulator import Emulator
from conversations_hub.models import Message, Ref
from conversations_hub.recipes import Listing
from conversations_hub.wire import Response


@frozen
class Spread:
    """A ratio over many rounds: its median and the quarters beside it."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:5.2f} ({self.low:.2f}-{self.high:.2f})"


@frozen
class Times:
    """What a contender took in each round: on the clock and of the processor."""

    wall: list[float]
    cpu: list[float]


def ratio(ours: list[float], theirs: list[float]) -> Spread:
    """Divide round by round, so that what slows a whole round down cancels out."""
    low, median, high = statistics.quantiles(
        [a / b for a, b in zip(ours, theirs, strict=True)], n=4, method="inclusive"
    )
    return Spread(median=median, low=low, high=high)


async def interleaved(
    contenders: Mapping[str, Callable[[], Awaitable[None]]], rounds: int
) -> dict[str, Times]:
    """Run all of them in every round, back and forth: A B C, C B A.

    The garbage collector stays on, as it does for users; it starts every run with nothing to do
    and does not look at what the benchmark itself holds. The first round warms up and is dropped.
    """
    times = {name: Times([], []) for name in contenders}
    names = list(contenders)
    gc.collect()
    gc.freeze()
    for number in range(rounds + 1):
        for name in names if number % 2 else reversed(names):
            gc.collect()
            wall, cpu = time.perf_counter(), time.process_time()
            await contenders[name]()
            if number:
                times[name].wall.append(time.perf_counter() - wall)
                times[name].cpu.append(time.process_time() - cpu)
    gc.unfreeze()
    return times


def repeated(work: Callable[[], object], times: int) -> Callable[[], Awaitable[None]]:
    """Make a contender of something short that does not wait."""

    async def run() -> None:
        for _ in range(times):
            work()

    return run


def pin(core: int) -> bool:
    """Keep this process on one core, where the system can do that and has so many."""
    if not hasattr(os, "sched_setaffinity") or core not in os.sched_getaffinity(0):
        return False
    os.sched_setaffinity(0, {core})
    return True


def cores() -> tuple[int, int]:
    """Return a core for the client and one for the server, the same if there is only one."""
    found = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0, 1]
    return found[0], found[-1]


async def page_of_messages(name: str, size: int) -> tuple[Listing[Message], Response]:
    """Take a full page from an emulated provider, over HTTP."""
    async with Emulator(only=[name]) as emulator, aiohttp.ClientSession() as session:
        api = emulator[name]
        provider = emulator.providers()[0]
        longest = max(api.conversation_ids(), key=lambda one: len(api.message_ids(one)))
        listing = provider.messages(Ref(name, longest), page_size=size)
        headers = {**listing.request.headers, **provider.auth_headers()}
        async with session.get(listing.request.url, headers=headers) as answer:
            answer.raise_for_status()
            body = await answer.read()
    return listing, Response(status=200, body=body)
