"""Measures how much of the waiting is over before a consumer notices: pages fetched ahead."""

from __future__ import annotations

import asyncio

import emulated
from harness import Contender, Spread, apart, arguments, interleaved, record
from static_server import served
from worlds import Twilio

from conversations_hub import ConversationsHub

SIZE = 100
LATENCIES = (80, 20)
DEPTHS = (0, 1, 2)


def consumer(
    hub: ConversationsHub, world: Twilio, pages: int, seconds: float, depth: int
) -> Contender:
    """Make something of each page that takes as long as the answer did."""

    async def run() -> None:
        seen = 0
        async for page in hub.messages(world.ref(), prefetch=depth).pages():
            seen += len(page.items)
            await asyncio.sleep(seconds)
        assert seen == pages * SIZE

    return run


async def main() -> None:
    parser = arguments(__doc__, rounds=5)
    parser.add_argument("--pages", type=int, default=50)
    parser.add_argument("--milliseconds", type=int, help="wait so long, whatever the figure says")
    options = parser.parse_args()
    servers = apart(options)
    world = Twilio(page=await emulated.messages("twilio"), messages=options.pages * SIZE)
    with served(world, servers) as server:
        async with ConversationsHub(world.provider(server.address)) as hub:
            for milliseconds in LATENCIES:
                seconds = (options.milliseconds or milliseconds) / 1000
                server.hold_back(seconds)
                contenders = {
                    str(depth): consumer(hub, world, options.pages, seconds, depth)
                    for depth in DEPTHS
                }
                times = await interleaved(contenders, options.rounds)
                # The first page cannot be there before it is asked for.
                ideal = (options.pages + 1) * seconds
                for depth, found in times.items():
                    shares = Spread.of(ideal / taken for taken in found.wall)
                    record(options, f"prefetch: `prefetch={depth}`: {milliseconds} ms", shares)


if __name__ == "__main__":
    asyncio.run(main())
