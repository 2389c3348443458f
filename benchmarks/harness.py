"""Times contenders side by side and says how many times the one takes of the other."""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path

import results
from attrs import frozen

Contender = Callable[[], Awaitable[None]]

NO_CORE = -1


@frozen
class Spread:
    """A value over many rounds: its median and the quarters beside it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        known = list(values)
        if len(known) == 1:
            return cls(known[0], known[0], known[0])
        low, median, high = statistics.quantiles(known, n=4, method="inclusive")
        return cls(median=median, low=low, high=high)

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}-{self.high:.2f})"


@frozen
class Times:
    """What a contender took in each round: on the clock and of the processor."""

    wall: list[float]
    cpu: list[float]


def quotients(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Divide round by round, so that what slows a whole round down cancels out."""
    return [a / b for a, b in zip(ours, theirs, strict=True)]


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    return Spread.of(quotients(ours, theirs))


async def interleaved(contenders: Mapping[str, Contender], rounds: int) -> dict[str, Times]:
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


def repeated(work: Callable[[], object], times: int) -> Contender:
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


def apart(options: argparse.Namespace) -> int:
    """Keep this process on a core of its own; return the one that is left for the server."""
    ours, servers = cores()
    if options.unpinned:
        return NO_CORE
    if not pin(ours) or ours == servers:
        print("client and server are not on a core each")
    return servers


def arguments(purpose: str | None, rounds: int) -> argparse.ArgumentParser:
    """Return a parser for what all the programs can be told."""
    parser = argparse.ArgumentParser(description=purpose)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument(
        "--unpinned", action="store_true", help="on any core, to try out several at a time"
    )
    parser.add_argument(
        "--results", type=Path, default=results.KEPT, help="the file that the figures go to"
    )
    return parser


def record(
    options: argparse.Namespace, name: str, found: Spread, rounds: int | None = None
) -> None:
    """Show a figure and keep it; `rounds` where they are not those of the whole program."""
    spread = (found.median, found.low, found.high)
    print(results.shown(name, *spread), flush=True)
    results.keep(options.results, name, spread, options.rounds if rounds is None else rounds)
