"""What somebody in a hurry writes by hand: aiohttp, orjson, dicts, and nothing around them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiohttp
import orjson
from attrs import frozen
from yarl import URL

from conversations_hub.models import Ref
from conversations_hub.provider import Provider

Onward = Callable[[URL, Any], str | None]


@frozen
class Way:
    """Where the records of a page are, and which address has the next page."""

    items: str | None
    onward: Onward


def _sunshine(url: URL, page: Any) -> str | None:
    meta = page["meta"]
    if not meta["hasMore"]:
        return None
    return f"{url.origin()}{url.raw_path}?page[before]={meta['beforeCursor']}"


def _circuit(url: URL, page: Any) -> str | None:
    """Trust that no two items share the oldest millisecond."""
    if len(page) < 100:
        return None
    oldest = datetime.fromtimestamp(page[-1]["modificationTime"] / 1000, UTC)
    moment = f"{oldest:%Y-%m-%dT%H:%M:%S}.{oldest.microsecond // 1000:03}Z"
    return f"{url.origin()}{url.raw_path}?results=100&modTime={moment}"


WAYS: Mapping[str, Way] = {
    "twilio": Way("messages", lambda _, page: page["meta"]["next_page_url"]),
    "sunshine": Way("messages", _sunshine),
    "clio": Way("data", lambda _, page: page["meta"]["paging"].get("next")),
    "circuit": Way(None, _circuit),
}


@asynccontextmanager
async def session_of(
    provider: Provider, connections: int = 32
) -> AsyncIterator[aiohttp.ClientSession]:
    """Open a session with all that can be done once: headers, no cookies, a pool."""
    async with aiohttp.ClientSession(
        headers=provider.auth_headers(),
        cookie_jar=aiohttp.DummyCookieJar(),
        connector=aiohttp.TCPConnector(limit=connections),
    ) as session:
        yield session


def first_page(provider: Provider, conversation: Ref) -> URL:
    """Return the address that the hub begins with, too."""
    return provider.messages(conversation, page_size=100).request.url


async def pages(
    session: aiohttp.ClientSession, name: str, first: URL
) -> AsyncIterator[list[dict[str, Any]]]:
    """Yield the records of page after page."""
    way, url = WAYS[name], first
    while True:
        async with session.get(url) as answer:
            page = orjson.loads(await answer.read())
        yield page if way.items is None else page[way.items]
        onward = way.onward(url, page)
        if onward is None:
            return
        url = URL(onward, encoded=True)
