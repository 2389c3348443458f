"""Lists messages through the SDKs that the vendors publish.

They are imported when they are used: the server's process begins with what the program imports.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from harness import Contender
from worlds.sunshine import APP, KEY, SECRET
from worlds.twilio import ACCOUNT, TOKEN

from conversations_hub.models import Ref


@asynccontextmanager
async def twilio_async(address: str) -> AsyncIterator[Any]:
    http = importlib.import_module("twilio.http.async_http_client")
    async with http.AsyncTwilioHttpClient() as http_client:
        yield _twilio(address, http_client)


def _twilio(address: str, http_client: Any = None) -> Any:
    client = importlib.import_module("twilio.rest").Client(ACCOUNT, TOKEN, http_client=http_client)
    client.conversations.base_url = address
    return client


def streamed(client: Any, ref: Ref, messages: int) -> Contender:
    listed = client.conversations.v1.conversations(ref.id).messages

    async def run() -> None:
        seen = 0
        async for _ in await listed.stream_async(page_size=100):
            seen += 1
        assert seen == messages

    return run


def twilio_sync(address: str, ref: Ref, messages: int) -> Contender:
    listed = _twilio(address).conversations.v1.conversations(ref.id).messages

    async def run() -> None:
        seen = 0
        for _ in listed.stream(page_size=100):
            seen += 1
        assert seen == messages

    return run


def sunshine(address: str, ref: Ref, messages: int) -> Contender:
    """Follow the cursors by hand: the SDK has pages alone."""
    vendor = importlib.import_module("sunshine_conversations_client")
    settings = vendor.Configuration(host=address, username=KEY, password=SECRET)
    api = vendor.MessagesApi(mended(vendor)(settings))

    async def run() -> None:
        seen, asked = 0, {}
        while True:
            page = api.list_messages(APP, ref.id, **asked)
            for _ in page.messages:
                seen += 1
            if not page.meta.has_more:
                break
            asked = {"page": vendor.Page(before=page.meta.before_cursor)}
        assert seen == messages

    return run


def mended(vendor: Any) -> type:
    """Return the SDK's client, able to read metadata: it takes their type for a model."""
    known = vendor.ApiClient.NATIVE_TYPES_MAPPING | {"dict": object}
    return type("Client", (vendor.ApiClient,), {"NATIVE_TYPES_MAPPING": known})
