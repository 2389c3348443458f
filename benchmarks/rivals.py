"""Puts the hub and the vendors' clients through the same faults, and counts what became of it.

All are numbers of calls. Lost: a list ended well and a message was missing, or a message was
reported as sent and is not there. Doubled: a message was delivered twice, or is there twice.
Leaked: a credential arrived at a stranger. Hung: it was not back in time, or asked without end;
then nothing else is held against the list. Told: it said with an error that it failed, which is
none of the four.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import platform
import sys
import warnings
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import reliability
import rivalry
from aiohttp import web
from attrs import field, frozen
from contenders import CONTENDERS, PAGE, Client, Contender, Place
from schedules import READS, WRITES, Schedule, Stranger, altered, schedule

from conversations_hub.emulator import Emulator, Faults

MESSAGES, SENDS = 60, 6
# What is asked without end is asked far more often than that.
REQUESTS = 20 * (MESSAGES // PAGE + 2)
AT_ONCE = 24
PEACE = Schedule(seed=0, plan=[])


@frozen(kw_only=True)
class Stage:
    """Where a run takes place: what it talks to, and how it is watched."""

    place: Place
    patience: float
    endless: asyncio.Event = field(factory=asyncio.Event, init=False)
    found: Counter[str] = field(factory=Counter, init=False)
    """What became of it."""

    async def call(self, work: Awaitable[None]) -> bool:
        """Make one call; say whether it came back as if all was well."""
        self.found["calls"] += 1
        task, alarm = asyncio.ensure_future(work), asyncio.ensure_future(self.endless.wait())
        await asyncio.wait(
            {task, alarm}, timeout=self.patience, return_when=asyncio.FIRST_COMPLETED
        )
        alarm.cancel()
        if not task.done():
            self.found["hung"] += 1
            task.cancel()
            await asyncio.wait({task}, timeout=5)
            return False
        if task.exception() is not None:
            self.found["told"] += 1
            return False
        return True


Act = Callable[[Stage, Client], Awaitable[None]]


async def reading(stage: Stage, client: Client) -> None:
    """Read the conversation once."""
    delivered: list[str] = []
    ended = await stage.call(client.read(delivered.append))
    there = stage.place.emulator[stage.place.provider].message_ids(stage.place.conversation)
    if not stage.found["hung"]:
        stage.found["doubled"] += len(delivered) > len(set(delivered))
    if ended:
        stage.found["lost"] += not set(there) <= set(delivered)


async def sending(stage: Stage, client: Client) -> None:
    """Send some messages, one after the other, and stop where a call does not come back."""
    reported: dict[str, bool] = {}
    for number in range(SENDS):
        text = f"message {number} of a rival"
        reported[text] = await stage.call(client.send(text))
        if stage.found["hung"]:
            break
    there = stage.place.emulator[stage.place.provider].messages_of(stage.place.conversation)
    stored = [json.dumps(one, default=str) for one in there]
    for text, was_sent in reported.items():
        copies = sum(text in one for one in stored)
        stage.found["doubled"] += copies > 1
        stage.found["lost"] += was_sent and not copies


def furnished(provider: str, faults: Faults) -> tuple[Emulator, str]:
    """Return an emulator and a conversation of several pages in it."""
    switches = {"sunshine": {"message_page": PAGE}} if provider == "sunshine" else {}
    emulator = Emulator(scale=0, only=[provider], faults=faults, switches=switches)
    api = emulator[provider]
    conversation = api.add_conversation()
    while len(api.message_ids(conversation)) < MESSAGES:
        api.add_message(conversation)
    return emulator, conversation


@asynccontextmanager
async def staged(
    provider: str, run: Schedule, elsewhere: str, *, reads: bool, patience: float
) -> AsyncIterator[Stage]:
    """Set up an emulator that goes by a schedule."""
    faults = run.faults(elsewhere, reads=reads)
    # Not here, where it would hold up the clients whose time is limited.
    emulator, conversation = await asyncio.to_thread(furnished, provider, faults)
    server = emulator.servers[provider]
    async with emulator:
        place = Place(emulator=emulator, provider=provider, conversation=conversation)
        stage = Stage(place=place, patience=patience)
        answers = 0

        async def intercept(_request: web.Request) -> None:
            if len(server.requests) > REQUESTS:
                stage.endless.set()
                await asyncio.Event().wait()

        def alter(request: web.Request, answer: web.StreamResponse) -> web.StreamResponse | None:
            nonlocal answers
            answers += 1
            if answers - 1 != run.foreign or answer.status != 200:
                return None
            return altered(answer, f"{request.scheme}://{request.host}", elsewhere)

        server.intercept, server.alter = intercept, alter
        yield stage


async def outcome(
    contender: Contender, run: Schedule, act: Act, stranger: Stranger, patience: float
) -> Counter[str]:
    """Let one client live through one schedule."""
    name = f"{id(contender)}-{act.__name__}-{run.seed}"
    elsewhere, reads = stranger.address(name), act is reading
    async with (
        staged(contender.provider, run, elsewhere, reads=reads, patience=patience) as stage,
        contender.enter(stage.place) as client,
    ):
        await act(stage, client)
    stage.found["leaked"] += stranger.leaks[name] > 0
    return stage.found


async def row(
    contender: Contender,
    seeds: Sequence[int],
    stranger: Stranger,
    patience: float,
    gate: asyncio.Semaphore,
) -> dict[str, Any]:
    """Return what became of a client's runs, of reading and of sending."""

    async def one(run: Schedule, act: Act) -> Counter[str]:
        async with gate:
            return await outcome(contender, run, act, stranger, patience)

    found: dict[str, Any] = {}
    for act, kinds in ((reading, READS), (sending, WRITES)):
        calm = await one(PEACE, act)
        assert set(+calm) == {"calls"}, f"{contender.key} in peace: {dict(calm)}"
        runs = await asyncio.gather(*(one(schedule(seed, kinds), act) for seed in seeds))
        found[act.__name__] = rivalry.sums(runs)
    row = {"provider": contender.provider, "versions": contender.versions, "schedules": len(seeds)}
    print(f"{contender.key}: {found}", flush=True)
    return row | {
        "patience": patience,
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        **found,
    }


async def rows(
    contenders: Iterable[Contender], seeds: Sequence[int], patience: float
) -> dict[str, dict[str, Any]]:
    """Return a row for each client, all of them at the same time."""
    known, gate = list(contenders), asyncio.Semaphore(AT_ONCE)
    async with Stranger() as stranger:
        found = await asyncio.gather(
            *(row(each, seeds, stranger, patience, gate) for each in known)
        )
    return {each.key: found for each, found in zip(known, found, strict=True)}


def present(contenders: Iterable[Contender], folder: Path) -> list[Contender]:
    """Return the clients that are here, those that are generated as well."""
    here = [each for each in contenders if each.is_here]
    makes = {each.provider for each in here if each.packages[0] == "openapi-python-client"}
    sys.path += [str(folder), str(Path(__file__).parents[1] / "tests")]
    import generating  # noqa: PLC0415 - it stands with the tests

    missing = {name for name in makes if not generating.published(name).is_file()}
    for name in makes - missing:
        generating.generate(name, folder)
    return [
        each
        for each in here
        if each.packages[0] != "openapi-python-client" or each.provider not in missing
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50, help="schedules of each kind")
    parser.add_argument("--patience", type=float, default=60, help="seconds, then a call hangs")
    parser.add_argument("--results", type=Path, default=reliability.KEPT)
    parser.add_argument("--only", default="", help="clients with this in their name")
    options = parser.parse_args()
    # The vendors' clients log and warn of what they are put through.
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    with TemporaryDirectory() as folder:
        chosen = [each for each in CONTENDERS if options.only in each.key]
        here = present(chosen, Path(folder))
        for each in chosen:
            if each not in here:
                print(f"{each.key}: not here, left out")
        rivalry.keep(
            options.results, asyncio.run(rows(here, range(options.rounds), options.patience))
        )


if __name__ == "__main__":
    main()
