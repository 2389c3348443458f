"""Measures whether an item of a long list takes longer than one of a short list."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import emulated
from harness import Contender, apart, arguments, interleaved, ratio, record
from static_server import served
from worlds import Twilio

from conversations_hub import ConversationsHub

LENGTHS = (1_000, 10_000, 100_000)
LONGEST = 1_000_000
STANDARD = 1_000


def items(hub: ConversationsHub, world: Twilio, times: int) -> Contender:
    async def run() -> None:
        seen = 0
        for _ in range(times):
            async for _ in hub.messages(world.ref()):
                seen += 1
        assert seen == times * world.messages

    return run


async def main() -> None:
    parser = arguments(__doc__, rounds=8)
    parser.add_argument("--long", action="store_true", help=f"{LONGEST:,} items, too")
    parser.add_argument("--share", type=float, default=1.0, help="of the items of each list")
    options = parser.parse_args()
    servers = apart(options)
    page = await emulated.messages("twilio")
    lengths = [*LENGTHS, LONGEST] if options.long else [*LENGTHS]
    contenders: dict[str, Contender] = {}
    # Everybody reads about as many items in a round, so that all have as much garbage to collect.
    passes = {length: max(1, LENGTHS[-1] // length) for length in lengths}
    async with AsyncExitStack() as stack:
        for length in lengths:
            world = Twilio(page=page, messages=round(length * options.share))
            # So long a list is made while it is read, and the others like it.
            server = stack.enter_context(served(world, servers, keep=False))
            hub = await stack.enter_async_context(ConversationsHub(world.provider(server.address)))
            contenders[str(length)] = items(hub, world, passes[length])
        times = await interleaved(contenders, options.rounds)
    standard = [taken / STANDARD / passes[STANDARD] for taken in times[str(STANDARD)].cpu]
    for length in lengths:
        if length != STANDARD:
            each = [taken / length / passes[length] for taken in times[str(length)].cpu]
            name = f"flat: {length:,} items: against {STANDARD:,} items"
            record(options, name, ratio(each, standard))


if __name__ == "__main__":
    asyncio.run(main())
