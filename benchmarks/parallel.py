"""Measures one long list that is read from several places at a time, against the serial walk."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import emulated
from attrs import frozen
from harness import Spread, apart, arguments, interleaved, quotients, ratio, record
from static_server import served
from worlds import Circuit, Clio, Twilio
from worlds.circuit import BEGINNING, evenly, skewed

from conversations_hub import ConversationsHub

SIZE, DAYS = 100, 365


@frozen(kw_only=True)
class Case:
    """One long list, and from how many places it is read."""

    row: str
    world: Any
    count: int
    parallel: int
    since: datetime | None = None

    def read(self, hub: ConversationsHub, **options: int) -> AsyncIterator[Any]:
        if isinstance(self.world, Twilio) and self.world.days:
            return hub.conversations(**options)
        return hub.messages(self.world.ref(), since=self.since, **options)


async def cases(pages: int) -> list[Case]:
    count = pages * SIZE
    page = {name: await emulated.messages(name) for name in ("circuit", "twilio", "clio")}
    circuits = (await emulated.conversations("circuit"))[0]
    twilios = (await emulated.conversations("twilio"))[0]
    circuit = partial(Circuit, page=page["circuit"], messages=count, conversation=circuits)
    twilio = partial(Twilio, page=page["twilio"], messages=count)
    windowed = partial(Case, count=count, parallel=16)
    since = datetime.fromtimestamp(BEGINNING / 1000, UTC)
    return [
        windowed(
            row="Circuit, evenly spread, 16 at a time",
            world=circuit(times=evenly(count)),
            since=since,
        ),
        windowed(
            row="Circuit, skewed, 16 at a time", world=circuit(times=skewed(count)), since=since
        ),
        windowed(
            row="Twilio's conversations, day by day, 16 at a time",
            world=twilio(conversation=twilios, days=[i * DAYS // count for i in range(count)]),
        ),
        Case(row="Twilio, from both ends", world=twilio(), count=count, parallel=2),
        Case(
            row="Clio, from both ends",
            world=Clio(page=page["clio"], messages=count),
            count=count,
            parallel=2,
        ),
    ]


async def measure(options: argparse.Namespace, case: Case, servers: int) -> None:
    requests: dict[str, list[int]] = {"serial": [], "parallel": []}
    with served(case.world, servers) as server:
        server.hold_back(options.milliseconds / 1000)
        async with ConversationsHub(case.world.provider(server.address)) as hub:

            async def read(how: str, **asked: int) -> None:
                before, seen = server.requests, set()
                async for item in case.read(hub, **asked):
                    seen.add(item.ref.id)
                assert len(seen) == case.count
                requests[how].append(server.requests - before)

            contenders = {
                "serial": lambda: read("serial"),
                "parallel": lambda: read("parallel", parallel=case.parallel),
            }
            times = await interleaved(contenders, options.rounds)
    speed = ratio(times["serial"].wall, times["parallel"].wall)
    record(options, f"parallel: {case.row}: speed-up", speed)
    more = [100 * (one - 1) for one in quotients(requests["parallel"], requests["serial"])]
    record(options, f"parallel: {case.row}: more requests", Spread.of(more))


async def main() -> None:
    parser = arguments(__doc__, rounds=3)
    parser.add_argument("--pages", type=int, default=100)
    parser.add_argument("--milliseconds", type=int, default=80)
    options = parser.parse_args()
    servers = apart(options)
    for case in await cases(options.pages):
        await measure(options, case, servers)


if __name__ == "__main__":
    asyncio.run(main())
