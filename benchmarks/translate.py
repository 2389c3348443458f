"""Measures a page of messages on its way from bytes to models, next to plain dicts."""

from __future__ import annotations

import argparse
import asyncio
from statistics import geometric_mean

import msgspec
import orjson
from harness import Spread, cores, interleaved, page_of_messages, pin, ratio, repeated

from conversations_hub.providers import PROVIDERS

MESSAGES = 100
PAGES_PER_RUN = 20
COLUMNS = {
    "models / orjson": ("models", "orjson"),
    "models / msgspec": ("models", "msgspec"),
    "raw key / orjson": ("raw key", "orjson"),
    "raw dict / orjson": ("raw dict", "orjson"),
}


async def measured(name: str, rounds: int) -> dict[str, Spread]:
    """Return the ratios of one provider, under the titles of their columns."""
    listing, response = await page_of_messages(name, MESSAGES)
    body = response.body

    def models():
        return listing.read(listing.request, response).items

    first, *others = models()
    if len(others) != MESSAGES - 1 or listing.read(listing.request, response).broken:
        raise SystemExit(f"{name}: not a page of {MESSAGES} good messages")
    key = next(iter(first.raw))
    contenders = {
        "orjson": lambda: orjson.loads(body),
        "msgspec": lambda: msgspec.json.decode(body),
        "models": models,
        "raw key": lambda: [message.raw[key] for message in models()],
        "raw dict": lambda: [dict(message.raw) for message in models()],
    }
    times = await interleaved(
        {what: repeated(work, PAGES_PER_RUN) for what, work in contenders.items()}, rounds
    )
    # Nothing waits here, so the processor's time says all, whatever else the machine does.
    return {
        title: ratio(times[ours].cpu, times[theirs].cpu)
        for title, (ours, theirs) in COLUMNS.items()
    }


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("providers", nargs="*", default=list(PROVIDERS), metavar="provider")
    parser.add_argument("--rounds", type=int, default=60)
    options = parser.parse_args()
    pin(cores()[0])
    print(f"{MESSAGES} messages, median of {options.rounds} rounds (and its quarters)")
    print(f"{'':16}" + "".join(f"{title:>20}" for title in COLUMNS))
    table = []
    for name in options.providers:
        table.append(await measured(name, options.rounds))
        print(f"{name:16}" + "".join(f"{spread!s:>20}" for spread in table[-1].values()))
    means = [geometric_mean(row[title].median for row in table) for title in COLUMNS]
    print(f"{'geometric mean':16}" + "".join(f"{mean:8.2f}{'':12}" for mean in means))


if __name__ == "__main__":
    asyncio.run(main())
