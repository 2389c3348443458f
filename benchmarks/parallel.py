"""Measures one long list that is read from several places at a time, against the serial walk."""

from __future__ import annotations

import argparse
import asyncio
import inspect
from datetime import UTC, datetime
from typing import Any

import emulated
from harness import Spread, apart, arguments, interleaved, ratio, record
from static_server import Served, served
from worlds import Circuit, Clio, Twilio
from worlds.circuit import BEGINNING, evenly, skewed

from conversations_hub import ConversationsHub

SIZE = 100


async def worlds_of(pages: int) -> list[tuple[str, Any, dict[str, Any]]]:
    """Return what is to be read, and what the hub is told besides `parallel=`."""
    count = pages * SIZE
    circuit, twilio, clio = [
        await emulated.messages(name) for name in ("circuit", "twilio", "clio")
    ]
    conversation = (await emulated.conversations("circuit"))[0]
    since = datetime.fromtimestamp(BEGINNING / 1000, UTC)
    spread = {"evenly spread": evenly(count), "skewed": skewed(count)}
    windows: list[tuple[str, Any, dict[str, Any]]] = [
        (
            f"Circuit, {how}, 16 at a time",
            Circuit(page=circuit, messages=count, conversation=conversation, times=times),
            {"parallel": 16, "since": since},
        )
        for how, times in spread.items()
    ]
    ends = {"Twilio": Twilio(page=twilio, messages=count), "Clio": Clio(page=clio, messages=count)}
    return windows + [
        (f"{name}, from both ends", world, {"parallel": 2}) for name, world in ends.items()
    ]


async def measure(
    options: argparse.Namespace, row: str, world: Any, asked: dict[str, Any], servers: int
) -> None:
    with served(world, servers) as server:
        server.hold_back(options.milliseconds / 1000)
        async with ConversationsHub(world.provider(server.address)) as hub:
            reader = Reader(hub, world, server)
            serial = {name: value for name, value in asked.items() if name != "parallel"}
            contenders = {
                "serial": lambda: reader.read("serial", serial),
                "parallel": lambda: reader.read("parallel", asked),
            }
            times = await interleaved(contenders, options.rounds)
    speed = ratio(times["serial"].wall, times["parallel"].wall)
    record(options, f"parallel: {row}: speed-up", speed)
    serial_requests, requests = reader.requests["serial"], reader.requests["parallel"]
    more = [100 * (a / b - 1) for a, b in zip(requests, serial_requests, strict=True)]
    record(options, f"parallel: {row}: more requests", Spread.of(more))


class Reader:
    """Reads a conversation and remembers how many requests that took."""

    def __init__(self, hub: ConversationsHub, world: Any, server: Served) -> None:
        self.hub, self.world, self.server = hub, world, server
        self.requests: dict[str, list[int]] = {"serial": [], "parallel": []}

    async def read(self, how: str, asked: dict[str, Any]) -> None:
        before, seen = self.server.requests, set()
        async for message in self.hub.messages(self.world.ref(), **asked):
            seen.add(message.ref.id)
        assert len(seen) == self.world.messages
        self.requests[how].append(self.server.requests - before)


async def main() -> None:
    parser = arguments(__doc__, rounds=3)
    parser.add_argument("--pages", type=int, default=100)
    parser.add_argument("--milliseconds", type=int, default=80)
    options = parser.parse_args()
    if "parallel" not in inspect.signature(ConversationsHub.messages).parameters:
        print("parallel: this hub reads a list from one place alone")
        return
    servers = apart(options)
    for row, world, asked in await worlds_of(options.pages):
        await measure(options, row, world, asked, servers)


if __name__ == "__main__":
    asyncio.run(main())
