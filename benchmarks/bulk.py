"""Measures the messages of many conversations at a time: the hub, and hand-written aiohttp."""

from __future__ import annotations

import argparse
import asyncio
import time

import aiohttp
import orjson
from harness import cores, interleaved, pin, ratio
from listing import ACCOUNT, TOKEN, conversation
from static_server import served

from conversations_hub import ConversationsHub, Ref
from conversations_hub.providers.twilio import Twilio

PAGES, PAGE = 2, 50
LATENCIES = ((0.08, 32), (0.08, 64), (0.02, 32), (0.02, 64))


def sids(count: int) -> list[str]:
    return [f"CH{number:032x}" for number in range(count)]


def provider(base_url: str) -> Twilio:
    return Twilio(account_sid=ACCOUNT, auth_token=TOKEN, base_url=base_url)


def through_the_hub(hub: ConversationsHub, names: list[str], concurrency: int):
    refs = [Ref("twilio", name) for name in names]

    async def run() -> None:
        seen = 0
        async for result in hub.fetch_messages(refs, concurrency=concurrency):
            assert result.value is not None
            seen += len(result.value)
        assert seen == len(names) * PAGES * PAGE

    return run


def bare(session: aiohttp.ClientSession, base_url: str, names: list[str], concurrency: int):
    """Let workers share one iterator, follow the links and make dicts, with nothing around it."""

    async def worker(left, found) -> None:
        for name in left:
            messages = []
            url = f"{base_url}/v1/Conversations/{name}/Messages?PageSize=100"
            while url:
                async with session.get(url) as answer:
                    page = orjson.loads(await answer.read())
                messages += page["messages"]
                url = page["meta"]["next_page_url"]
            found.append(len(messages))

    async def run() -> None:
        left, found = iter(names), list[int]()
        await asyncio.gather(*(worker(left, found) for _ in range(concurrency)))
        assert sum(found) == len(names) * PAGES * PAGE

    return run


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    ours, servers = cores()
    pin(ours)
    names = sids(options.conversations)
    sizes = dict.fromkeys(names, PAGE)
    records = await conversation(PAGES * PAGE)
    print(f"{len(names)} conversations of {PAGES} pages, median of {options.rounds} rounds")
    with served(records, sizes, servers) as base_url:
        await against_bare(base_url, names, options.rounds)
    for latency, concurrency in LATENCIES:
        with served(records, sizes, servers, latency) as base_url:
            await against_the_clock(base_url, names, latency, concurrency)


async def against_bare(base_url: str, names: list[str], rounds: int) -> None:
    twilio = provider(base_url)
    connector = aiohttp.TCPConnector(limit=32)
    async with (
        ConversationsHub(twilio) as hub,
        aiohttp.ClientSession(headers=twilio.auth_headers(), connector=connector) as session,
    ):
        contenders = {
            "bare": bare(session, base_url, names, 32),
            "hub": through_the_hub(hub, names, 32),
        }
        times = await interleaved(contenders, rounds)
    wall = ratio(times["hub"].wall, times["bare"].wall)
    cpu = ratio(times["hub"].cpu, times["bare"].cpu)
    print(f"hub / bare aiohttp + orjson, 32 at a time: wall {wall}, CPU of the client {cpu}")


async def against_the_clock(
    base_url: str, names: list[str], latency: float, concurrency: int
) -> None:
    """Compare with the time that the waiting alone takes."""
    ideal = len(names) * PAGES * latency / concurrency
    async with ConversationsHub(provider(base_url), connections=concurrency) as hub:
        run = through_the_hub(hub, names, concurrency)
        await run()
        begun = time.perf_counter()
        await run()
        actual = time.perf_counter() - begun
    print(f"ideal / actual at {latency * 1000:g} ms, {concurrency} at a time: {ideal / actual:.2f}")


if __name__ == "__main__":
    asyncio.run(main())
