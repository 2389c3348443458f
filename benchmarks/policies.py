"""Measures what the hub does around a request that goes well: one record, asked for at a time."""

from __future__ import annotations

import asyncio

import aiohttp
import by_hand
import emulated
from harness import Contender, Spread, apart, arguments, interleaved, quotients, record
from static_server import served
from worlds import Twilio

from conversations_hub import ConversationsHub
from conversations_hub.models import Message
from conversations_hub.providers import twilio
from conversations_hub.recipes import Call
from conversations_hub.wire import Response


def through_the_hub(hub: ConversationsHub, call: Call[Message], times: int) -> Contender:
    async def run() -> None:
        for _ in range(times):
            await hub.run(call)

    return run


def with_the_same_reading(
    session: aiohttp.ClientSession, call: Call[Message], times: int
) -> Contender:
    """Ask with nothing around it, and read the answer as the hub does."""
    url = call.request.url

    async def run() -> None:
        for _ in range(times):
            async with session.get(url) as answer:
                call.read(Response(status=answer.status, body=await answer.read()))

    return run


async def main() -> None:
    parser = arguments(__doc__, rounds=60)
    parser.add_argument("--requests", type=int, default=500, help="in each round")
    options = parser.parse_args()
    servers = apart(options)
    world = Twilio(page=await emulated.messages("twilio"), messages=100)
    with served(world, servers) as server:
        provider = world.provider(server.address)
        async with ConversationsHub(provider) as hub, by_hand.session_of(provider) as session:
            call = hub[twilio.Twilio].message(world.ref(), f"IM{1:032x}")
            contenders = {
                "hub": through_the_hub(hub, call, options.requests),
                "by hand": with_the_same_reading(session, call, options.requests),
            }
            times = await interleaved(contenders, options.rounds)
    ours, theirs = times["hub"], times["by hand"]
    shares = [100 * (quotient - 1) for quotient in quotients(ours.wall, theirs.wall)]
    for row, one, other in (
        ("policies", ours.wall, theirs.wall),
        ("policies, CPU of the client", ours.cpu, theirs.cpu),
    ):
        more = [a - b for a, b in zip(one, other, strict=True)]
        found = Spread.of(1e6 * seconds / options.requests for seconds in more)
        record(options, f"policies: {row}: each request", found)
    record(options, "policies: share of a GET by hand: each request", Spread.of(shares))


if __name__ == "__main__":
    asyncio.run(main())
