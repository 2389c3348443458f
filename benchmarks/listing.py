"""Measures listing a long Twilio conversation: the hub, bare aiohttp, and Twilio's own SDK."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import orjson
from harness import Times, cores, interleaved, page_of_messages, pin, ratio
from static_server import Record, served
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client

from conversations_hub import ConversationsHub
from conversations_hub.providers.twilio import Twilio

ACCOUNT, TOKEN = "AC" + "0" * 32, "token"
PAGE_SIZES = (100, 1000)
PAIRS = (
    ("hub", "bare aiohttp + orjson"),
    ("hub, prefetch=0", "bare aiohttp + orjson"),
    ("Twilio SDK", "hub"),
)


async def conversation(messages: int) -> list[Record]:
    """Repeat an emulated page until there are enough messages, each with an id of its own."""
    _, response = await page_of_messages("twilio", 100)
    page = orjson.loads(response.body)["messages"]
    return [
        {**page[index % len(page)], "index": index, "sid": f"IM{index:032x}"}
        for index in range(messages)
    ]


def through_the_hub(hub: ConversationsHub, sid: str, messages: int, **options: int):
    async def run() -> None:
        seen = 0
        async for _ in hub.messages(f"twilio:{sid}", **options):
            seen += 1
        assert seen == messages

    return run


def bare(session: aiohttp.ClientSession, base_url: str, sid: str, messages: int):
    """Follow the links and make dicts, with nothing around it."""

    async def run() -> None:
        seen = 0
        url = f"{base_url}/v1/Conversations/{sid}/Messages?PageSize=100"
        while url:
            async with session.get(url) as answer:
                page = orjson.loads(await answer.read())
            for _ in page["messages"]:
                seen += 1
            url = page["meta"]["next_page_url"]
        assert seen == messages

    return run


def through_the_sdk(client: Client, sid: str, messages: int):
    async def run() -> None:
        seen = 0
        listed = client.conversations.v1.conversations(sid).messages
        async for _ in await listed.stream_async(page_size=100):
            seen += 1
        assert seen == messages

    return run


def report(times: dict[str, Times]) -> None:
    print(f"{'':40}{'wall':>20}{'CPU of the client':>20}")
    for ours, theirs in PAIRS:
        wall = ratio(times[ours].wall, times[theirs].wall)
        cpu = ratio(times[ours].cpu, times[theirs].cpu)
        print(f"{f'{ours} / {theirs}':40}{wall!s:>20}{cpu!s:>20}")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    ours, servers = cores()
    apart = pin(ours) and ours != servers
    print(
        f"{options.messages:,} messages, median of {options.rounds} rounds (and its quarters), "
        f"client and server {'on a core each' if apart else 'not pinned apart'}"
    )
    sizes = {f"CH{size}": size for size in PAGE_SIZES}
    with served(await conversation(options.messages), sizes, servers) as base_url:
        for size in PAGE_SIZES:
            print(f"\npages of {size}")
            await measure(base_url, f"CH{size}", options)


async def measure(base_url: str, sid: str, options: argparse.Namespace) -> None:
    twilio = Twilio(account_sid=ACCOUNT, auth_token=TOKEN, base_url=base_url)
    auth = twilio.auth_headers()
    async with (
        ConversationsHub(twilio) as hub,
        aiohttp.ClientSession(headers=auth) as session,
        AsyncTwilioHttpClient() as http_client,
    ):
        client = Client(ACCOUNT, TOKEN, http_client=http_client)
        client.conversations.base_url = base_url
        contenders: dict[str, Callable[[], Awaitable[None]]] = {
            "bare aiohttp + orjson": bare(session, base_url, sid, options.messages),
            "hub": through_the_hub(hub, sid, options.messages),
            "hub, prefetch=0": through_the_hub(hub, sid, options.messages, prefetch=0),
            "Twilio SDK": through_the_sdk(client, sid, options.messages),
        }
        report(await interleaved(contenders, options.rounds))


if __name__ == "__main__":
    asyncio.run(main())
