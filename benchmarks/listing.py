"""Measures listing a long conversation: the hub, aiohttp by hand, and the vendors' own SDKs."""

from __future__ import annotations

import argparse
import asyncio
from contextlib import AsyncExitStack
from importlib.util import find_spec

import by_hand
import emulated
import vendors
from figures import PROVIDERS
from harness import Contender, apart, arguments, interleaved, ratio, record
from static_server import served
from worlds import KINDS, Twilio

from conversations_hub import ConversationsHub
from conversations_hub.models import Ref
from conversations_hub.provider import Provider

PAGES = (100, 1000)  # Twilio never sends the second


def through_the_hub(hub: ConversationsHub, ref: Ref, messages: int, **options: int) -> Contender:
    async def run() -> None:
        seen = 0
        async for _ in hub.messages(ref, **options):
            seen += 1
        assert seen == messages

    return run


async def by_hand_in(
    stack: AsyncExitStack, provider: Provider, ref: Ref, messages: int
) -> Contender:
    session = await stack.enter_async_context(by_hand.session_of(provider))
    first = by_hand.first_page(provider, ref)

    async def run() -> None:
        seen = 0
        async for records in by_hand.pages(session, provider.name, first):
            for _ in records:
                seen += 1
        assert seen == messages

    return run


async def compare(
    options: argparse.Namespace,
    label: str,
    contenders: dict[str, Contender],
    pairs: list[tuple[str, str]],
    rounds: int,
) -> None:
    """Run contenders against each other and record who takes how many times of whom."""
    times = await interleaved(contenders, rounds)
    for ours, theirs in pairs:
        name = f"listing: {label}: {ours} ÷ {theirs}"
        wall = ratio(times[ours].wall, times[theirs].wall)
        cpu = ratio(times[ours].cpu, times[theirs].cpu)
        record(options, f"{name}: wall", wall, rounds)
        record(options, f"{name}: CPU of the client", cpu, rounds)


def few(options: argparse.Namespace) -> int:
    """Return in how many rounds to run the SDKs, which take many times as long as the rest."""
    return max(1, options.rounds // 4)


async def ours_and_by_hand(options: argparse.Namespace, name: str, servers: int) -> None:
    world = KINDS[name](page=await emulated.messages(name), messages=options.messages)
    label = f"{PROVIDERS[name]}, pages of 100"
    with served(world, servers) as server:
        provider, ref = world.provider(server.address), world.ref()
        async with ConversationsHub(provider) as hub, AsyncExitStack() as stack:
            contenders = {
                "hub": through_the_hub(hub, ref, options.messages),
                "by hand": await by_hand_in(stack, provider, ref, options.messages),
            }
            await compare(options, label, contenders, [("hub", "by hand")], options.rounds)
            if name == "sunshine" and find_spec("sunshine_conversations_client"):
                del contenders["by hand"]
                sdk = vendors.sunshine(server.address, ref, options.messages)
                contenders["Sunshine's SDK"] = sdk
                pairs = [("Sunshine's SDK", "hub")]
                await compare(options, label, contenders, pairs, few(options))


async def twilio_of(options: argparse.Namespace, size: int, servers: int) -> None:
    """Compare everybody on pages of a size."""
    page = await emulated.messages("twilio")
    world = Twilio(page=page, messages=options.messages, size=size)
    label = f"Twilio, pages of {size:,}"
    with served(world, servers) as server:
        provider, ref = world.provider(server.address), world.ref()
        async with ConversationsHub(provider) as hub, AsyncExitStack() as stack:
            contenders = {
                "hub": through_the_hub(hub, ref, options.messages),
                "hub with `prefetch=0`": through_the_hub(hub, ref, options.messages, prefetch=0),
                "by hand": await by_hand_in(stack, provider, ref, options.messages),
            }
            pairs = [("hub", "by hand"), ("hub with `prefetch=0`", "by hand")]
            await compare(options, label, contenders, pairs, options.rounds)
            client = await stack.enter_async_context(vendors.twilio_async(server.address))
            contenders = {
                "hub": contenders["hub"],
                "Twilio's SDK, async": vendors.streamed(client, ref, options.messages),
            }
            if size == PAGES[0]:
                contenders["Twilio's SDK, sync"] = vendors.twilio_sync(
                    server.address, ref, options.messages
                )
            pairs = [(sdk, "hub") for sdk in contenders if sdk != "hub"]
            await compare(options, label, contenders, pairs, few(options))


async def main() -> None:
    parser = arguments(__doc__, rounds=30)
    parser.add_argument("--messages", type=int, default=20_000)
    options = parser.parse_args()
    servers = apart(options)
    for size in PAGES:
        await twilio_of(options, size, servers)
    for name in ("sunshine", "clio", "circuit"):
        await ours_and_by_hand(options, name, servers)


if __name__ == "__main__":
    asyncio.run(main())
