"""Measures the messages of many conversations at a time: the hub, by hand, and Twilio's SDK."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import aiohttp
import by_hand
import emulated
import vendors
from harness import Contender, Spread, apart, arguments, interleaved, ratio, record
from static_server import served
from worlds import Twilio
from yarl import URL

from conversations_hub import ConversationsHub
from conversations_hub.models import Ref

PAGES, PAGE = 2, 50
AT_ONCE = 32
LATENCIES = ((80, 32), (80, 64), (20, 32), (20, 64))


def through_the_hub(hub: ConversationsHub, refs: list[Ref], concurrency: int) -> Contender:
    async def run() -> None:
        seen = 0
        async for result in hub.fetch_messages(refs, concurrency=concurrency):
            assert result.value is not None
            seen += len(result.value)
        assert seen == len(refs) * PAGES * PAGE

    return run


def by_workers(refs: list[Ref], count: Callable[[Ref], Awaitable[int]]) -> Contender:
    """Let workers share one iterator, with nothing around it."""

    async def worker(left: Iterable[Ref]) -> int:
        return sum([await count(ref) for ref in left])

    async def run() -> None:
        left = iter(refs)
        found = await asyncio.gather(*(worker(left) for _ in range(AT_ONCE)))
        assert sum(found) == len(refs) * PAGES * PAGE

    return run


def counted_by_hand(
    session: aiohttp.ClientSession, address: str
) -> Callable[[Ref], Awaitable[int]]:
    async def count(ref: Ref) -> int:
        messages = []
        text = f"{address}/v1/Conversations/{ref.id}/Messages?PageSize=100"
        async for records in by_hand.pages(session, "twilio", URL(text, encoded=True)):
            messages += records
        return len(messages)

    return count


def counted_by_the_sdk(client: Any) -> Callable[[Ref], Awaitable[int]]:
    async def count(ref: Ref) -> int:
        listed = client.conversations.v1.conversations(ref.id).messages
        return len(await listed.list_async(page_size=100))

    return count


async def main() -> None:
    parser = arguments(__doc__, rounds=20)
    parser.add_argument("--conversations", type=int, default=500)
    parser.add_argument("--milliseconds", type=int, help="wait so long, whatever the figure says")
    options = parser.parse_args()
    servers = apart(options)
    world = Twilio(page=await emulated.messages("twilio"), messages=PAGES * PAGE, size=PAGE)
    refs = [world.ref(number) for number in range(options.conversations)]
    with served(world, servers) as server:
        await against_others(options, world, server.address, refs)
        for milliseconds, concurrency in LATENCIES:
            seconds = (options.milliseconds or milliseconds) / 1000
            server.hold_back(seconds)
            provider = world.provider(server.address)
            async with ConversationsHub(provider, connections=concurrency) as hub:
                run = through_the_hub(hub, refs, concurrency)
                times = await interleaved({"hub": run}, few := max(1, options.rounds // 4))
            # What the waiting alone takes.
            ideal = len(refs) * PAGES * seconds / concurrency
            name = f"bulk: ideal ÷ actual, {milliseconds} ms, {concurrency} at a time: wall"
            record(options, name, Spread.of(ideal / taken for taken in times["hub"].wall), few)


async def against_others(
    options: argparse.Namespace, world: Twilio, address: str, refs: list[Ref]
) -> None:
    provider = world.provider(address)
    async with (
        ConversationsHub(provider) as hub,
        by_hand.session_of(provider, AT_ONCE) as session,
        vendors.twilio_async(address) as client,
    ):
        contenders = {
            "by hand": by_workers(refs, counted_by_hand(session, address)),
            "hub": through_the_hub(hub, refs, AT_ONCE),
            "Twilio's SDK, async": by_workers(refs, counted_by_the_sdk(client)),
        }
        times = await interleaved(contenders, options.rounds)
    for ours, theirs in (("hub", "by hand"), ("Twilio's SDK, async", "hub")):
        name = f"bulk: {ours} ÷ {theirs}"
        record(options, f"{name}: wall", ratio(times[ours].wall, times[theirs].wall))
        record(options, f"{name}: CPU of the client", ratio(times[ours].cpu, times[theirs].cpu))


if __name__ == "__main__":
    asyncio.run(main())
