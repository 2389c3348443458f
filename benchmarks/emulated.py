"""Takes payloads from the emulated providers, over HTTP, for benchmarks to make more of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson

from conversations_hub.emulator import Emulator
from conversations_hub.models import Conversation, Message, Ref
from conversations_hub.recipes import Listing
from conversations_hub.wire import Response

Record = Mapping[str, Any]

FULL = 100


async def page_of_messages(name: str, size: int = FULL) -> tuple[Listing[Message], Response]:
    """Take a full page of the longest conversation that a provider has."""
    async with Emulator(only=[name]) as emulator:
        api = emulator[name]
        provider = emulator.providers()[0]
        longest = max(api.conversation_ids(), key=lambda one: len(api.message_ids(one)))
        listing = provider.messages(Ref(name, longest), page_size=size)
        return listing, await _answer(listing, provider.auth_headers())


async def messages(name: str) -> list[Record]:
    """Take the records of such a page."""
    _, response = await page_of_messages(name)
    return records(response.body)


async def conversations(name: str) -> list[Record]:
    """Take the first page of a provider's conversations."""
    async with Emulator(only=[name]) as emulator:
        provider = emulator.providers()[0]
        listing: Listing[Conversation] = provider.conversations()
        return records((await _answer(listing, provider.auth_headers())).body)


def records(body: bytes) -> list[Record]:
    """Return what is listed in an answer: the answer itself, or the one list that it holds."""
    page = orjson.loads(body)
    if isinstance(page, list):
        return page
    return next(found for found in page.values() if isinstance(found, list))


async def _answer(listing: Listing[Any], credentials: Mapping[str, str]) -> Response:
    headers = {**listing.request.headers, **credentials}
    async with (
        aiohttp.ClientSession() as session,
        session.get(listing.request.url, headers=headers) as answer,
    ):
        answer.raise_for_status()
        return Response(status=answer.status, body=await answer.read())
