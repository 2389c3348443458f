"""Measures a page of messages on its way from bytes to models, next to plain dicts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from statistics import geometric_mean

import msgspec
import orjson
from emulated import FULL, page_of_messages
from figures import PROVIDERS
from harness import Spread, Times, apart, arguments, interleaved, quotients, record, repeated

from conversations_hub.models import Message
from conversations_hub.recipes import Listing
from conversations_hub.wire import Response

PAGES_PER_RUN = 20
IDS = {"twilio": "sid", "sunshine": "id", "clio": "id", "circuit": "itemId"}
COLUMNS = {
    "models ÷ orjson": ("models", "orjson"),
    "models ÷ msgspec": ("models", "msgspec"),
    "raw key ÷ orjson": ("raw key", "orjson"),
    "raw dict ÷ orjson": ("raw dict", "orjson"),
    "a bad record ÷ none": ("a bad record", "models"),
}


async def times_of(name: str, rounds: int) -> tuple[int, Mapping[str, Times]]:
    """Return how large a provider's page is, and what everybody took for it."""
    listing, good = await page_of_messages(name)
    bad = with_a_bad_record(name, good.body)
    (first, *_) = checked(listing, good, broken=0)
    checked(listing, bad, broken=1)
    key, body = next(iter(first.raw)), good.body
    request = listing.request
    contenders = {
        "orjson": lambda: orjson.loads(body),
        "msgspec": lambda: msgspec.json.decode(body),
        "models": lambda: listing.read(request, good).items,
        "raw key": lambda: [one.raw[key] for one in listing.read(request, good).items],
        "raw dict": lambda: [dict(one.raw) for one in listing.read(request, good).items],
        "a bad record": lambda: listing.read(request, bad).items,
    }
    runs = {what: repeated(work, PAGES_PER_RUN) for what, work in contenders.items()}
    return len(body), await interleaved(runs, rounds)


def with_a_bad_record(name: str, body: bytes) -> Response:
    """Take the id from a record in the middle of the page, since no provider leaves it out."""
    page = orjson.loads(body)
    rows = page if isinstance(page, list) else next(v for v in page.values() if isinstance(v, list))
    rows[len(rows) // 2][IDS[name]] = None
    return Response(status=200, body=orjson.dumps(page))


def checked(listing: Listing[Message], response: Response, broken: int) -> tuple[Message, ...]:
    """Refuse a page that is not what is to be measured."""
    page = listing.read(listing.request, response)
    if (len(page.items), len(page.broken)) != (FULL - broken, broken):
        raise SystemExit(f"not a page of {FULL} messages, {broken} of them broken")
    return page.items


async def main() -> None:
    parser = arguments(__doc__, rounds=60)
    options = parser.parse_args()
    apart(options)
    table: dict[str, list[list[float]]] = {title: [] for title in COLUMNS}
    for name, shown in PROVIDERS.items():
        size, times = await times_of(name, options.rounds)
        record(options, f"translate: {shown}: page", Spread.of([size / 1000]))
        for title, (ours, theirs) in COLUMNS.items():
            # Nothing waits here, so the processor's time says all, whatever else goes on.
            found = quotients(times[ours].cpu, times[theirs].cpu)
            table[title].append(found)
            record(options, f"translate: {shown}: {title}", Spread.of(found))
    for title, rows in table.items():
        means = [geometric_mean(round_) for round_ in zip(*rows, strict=True)]
        record(options, f"translate: geometric mean: {title}", Spread.of(means))


if __name__ == "__main__":
    asyncio.run(main())
