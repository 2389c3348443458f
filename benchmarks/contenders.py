"""Drives each client as its own documentation says: it reads one conversation, and sends a text.

Who has no loop over pages gets the one that the API's documentation describes. Other people's
packages are imported when they are used, for not everybody has them.
"""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from attrs import field, frozen
from vendors import mended

from conversations_hub import Ref
from conversations_hub.emulator import Emulator

PAGE = 10
FIELDS = (
    "id,etag,body,created_at,sender{id,name,type},receivers{id,name,type},conversation{id,subject}"
)
TIMEOUT, RETRIES = 5, 3
"""What the options are set to, where a client has them."""

Deliver = Callable[[str], None]


class Client(Protocol):
    """A client with one conversation."""

    async def read(self, deliver: Deliver) -> None:
        """Hand over the id of each message as the client delivers it."""

    async def send(self, text: str) -> None:
        """Send one message, with one call of the client."""


@frozen(kw_only=True)
class Place:
    """One emulated provider, and the conversation that is read and written to."""

    emulator: Emulator
    provider: str
    conversation: str

    @property
    def settings(self) -> dict[str, Any]:
        return self.emulator.settings()[self.provider]


@frozen(kw_only=True)
class Contender:
    """A client with its settings."""

    name: str
    provider: str
    options: str = "as it comes"
    packages: tuple[str, ...]
    """Whose versions matter, the client's first."""
    enter: Callable[[Place], AbstractAsyncContextManager[Client]]

    @property
    def key(self) -> str:
        return f"{self.name}, {self.options}"

    @property
    def is_here(self) -> bool:
        return all(find_spec(each.replace("-", "_")) for each in self.packages)

    @property
    def versions(self) -> str:
        return ", ".join(f"{each} {version(each)}" for each in self.packages)


@frozen
class Hub:
    """What is measured against the others."""

    hub: Any
    place: Ref
    page: int | None

    async def read(self, deliver: Deliver) -> None:
        async for message in self.hub.messages(self.place, page_size=self.page):
            deliver(message.ref.id)

    async def send(self, text: str) -> None:
        await self.hub.send(self.place, text=text)


@asynccontextmanager
async def hub(place: Place, **options: Any) -> AsyncIterator[Client]:
    """Read and send through the hub."""
    page = None if place.provider == "sunshine" else PAGE
    async with place.emulator.hub(**options) as opened:
        yield Hub(opened, Ref(place.provider, place.conversation), page)


@frozen
class Threaded:
    """A client that blocks, in threads that can be abandoned."""

    blocking: Any

    async def read(self, deliver: Deliver) -> None:
        await in_a_thread(partial(self.blocking.read, deliver))

    async def send(self, text: str) -> None:
        await in_a_thread(partial(self.blocking.send, text))


async def in_a_thread(work: Callable[[], None]) -> None:
    """Wait for work in a thread that nobody waits for in the end."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def tell(error: Exception | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        error = None
        try:
            work()
        except Exception as raised:  # noqa: BLE001 - whatever it is, the caller is told
            error = raised
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, error)

    threading.Thread(target=run, daemon=True).start()
    await done


def _twilio(place: Place, http_client: Any) -> Any:
    found = place.settings
    rest = importlib.import_module("twilio.rest")
    client = rest.Client(found["account_sid"], found["auth_token"], http_client=http_client)
    client.conversations.base_url = found["base_url"]
    return client.conversations.v1.conversations(place.conversation).messages


@frozen
class TwilioBlocking:
    messages: Any

    def read(self, deliver: Deliver) -> None:
        for one in self.messages.stream(page_size=PAGE):
            deliver(one.sid)

    def send(self, text: str) -> None:
        self.messages.create(body=text)


@frozen
class TwilioAsync:
    messages: Any

    async def read(self, deliver: Deliver) -> None:
        async for one in await self.messages.stream_async(page_size=PAGE):
            deliver(one.sid)

    async def send(self, text: str) -> None:
        await self.messages.create_async(body=text)


@asynccontextmanager
async def twilio(place: Place, retries: int | None = None, **options: Any) -> AsyncIterator[Client]:
    """Read and send through Twilio's SDK that blocks."""
    vendor = importlib.import_module("twilio.http.http_client")
    client = vendor.TwilioHttpClient(max_retries=retries, **options)
    if retries is not None:
        # What the SDK does for https alone, which the emulator does not speak.
        client.session.mount("http://", client.session.get_adapter("https://"))
    yield Threaded(TwilioBlocking(_twilio(place, client)))
    client.session.close()


@asynccontextmanager
async def twilio_async(place: Place, **options: Any) -> AsyncIterator[Client]:
    """Read and send through Twilio's async SDK."""
    vendor = importlib.import_module("twilio.http.async_http_client")
    async with vendor.AsyncTwilioHttpClient(**options) as client:
        yield TwilioAsync(_twilio(place, client))


@frozen(kw_only=True)
class SunshineBlocking:
    vendor: Any
    api: Any
    path: tuple[str, str]
    """The app and the conversation."""
    options: dict[str, Any]

    def read(self, deliver: Deliver) -> None:
        asked = self.options
        while True:
            page = self.api.list_messages(*self.path, **asked)
            for one in page.messages:
                deliver(one.id)
            if not page.meta.has_more:
                return
            asked = self.options | {"page": self.vendor.Page(before=page.meta.before_cursor)}

    def send(self, text: str) -> None:
        author = self.vendor.Author(type="business", display_name="Hub")
        content = self.vendor.TextMessage(text=text)
        body = self.vendor.MessagePost(author=author, content=content)
        self.api.post_message(*self.path, body, **self.options)


@asynccontextmanager
async def sunshine(
    place: Place, retries: int | None = None, seconds: int | None = None
) -> AsyncIterator[Client]:
    """Read and send through Sunshine's SDK; it has no loop over pages."""
    vendor = importlib.import_module("sunshine_conversations_client")
    found = place.settings
    configuration = vendor.Configuration(
        host=found["base_url"], username=found["key_id"], password=found["secret"]
    )
    configuration.retries = retries
    # Not entered: leaving it would wait for threads.
    client = mended(vendor)(configuration)
    yield Threaded(
        SunshineBlocking(
            vendor=vendor,
            api=vendor.MessagesApi(client),
            path=(found["app_id"], place.conversation),
            options={} if seconds is None else {"_request_timeout": seconds},
        )
    )
    client.rest_client.pool_manager.clear()


class RefusedError(Exception):
    """What a caller makes of a status: generated clients hand it over and raise nothing."""


@frozen
class Generated:
    """A client that openapi-python-client makes; it has no loop over pages."""

    package: str
    sender: Any

    def ask(self, operation: str, *path: Any, **fields: Any) -> Any:
        module = importlib.import_module(f"{self.package}.api.{operation}")
        answer = module.sync_detailed(*path, client=self.sender, **fields)
        if answer.status_code not in {200, 201}:
            raise RefusedError(answer.status_code)
        return answer.parsed

    def model(self, name: str, fields: dict[str, Any]) -> Any:
        return getattr(importlib.import_module(f"{self.package}.models"), name).from_dict(fields)


@frozen
class ClioBlocking:
    client: Generated
    conversation: int
    receiver: int

    def read(self, deliver: Deliver) -> None:
        order = importlib.import_module(f"{self.client.package}.models")
        token: dict[str, Any] = {}
        while True:
            page = self.client.ask(
                "conversation_messages.conversation_messageindex",
                conversation_id=self.conversation,
                order=order.ConversationMessageindexOrder("id(asc)"),
                limit=PAGE,
                fields=FIELDS,
                **token,
            )
            for one in page.data:
                deliver(str(one.id))
            following = page["meta"]["paging"].get("next")
            if following is None:
                return
            token = {"page_token": parse_qs(urlsplit(following).query)["page_token"][0]}

    def send(self, text: str) -> None:
        data = {
            "subject": "Rivals",
            "body": text,
            "receivers": [{"id": self.receiver, "type": "Contact"}],
            "conversation": {"id": self.conversation},
        }
        body = self.client.model("ConversationMessagecreateJsonBody", {"data": data})
        self.client.ask("conversation_messages.conversation_messagecreate", body=body)


@frozen
class CircuitBlocking:
    client: Generated
    conversation: str

    def read(self, deliver: Deliver) -> None:
        """Walk from the newest end, each page a tick too late for what shares its last time."""
        seen: set[str] = set()
        before: dict[str, Any] = {}
        while True:
            operation = "conversations.get_conversation_items"
            page = self.client.ask(operation, self.conversation, results=PAGE, **before)
            fresh = [one for one in page if one.item_id not in seen]
            if not fresh:
                return
            for one in fresh:
                deliver(one.item_id)
            seen |= {one.item_id for one in fresh}
            oldest = min(one.modification_time for one in page) + 1
            moment = datetime.fromtimestamp(oldest // 1000, UTC)
            before = {"mod_time": moment + timedelta(milliseconds=oldest % 1000)}

    def send(self, text: str) -> None:
        body = self.client.model("AddTextItemBody", {"content": text})
        self.client.ask("conversations.add_text_item", self.conversation, body=body)


@asynccontextmanager
async def generated(
    place: Place, retries: int | None = None, seconds: int | None = None
) -> AsyncIterator[Client]:
    """Read and send through the client generated from the provider's description."""
    package, found = f"generated_{place.provider}", place.settings
    httpx = importlib.import_module("httpx")
    options: dict[str, Any] = {}
    if seconds is not None:
        options |= {"timeout": httpx.Timeout(seconds), "raise_on_unexpected_status": True}
    if retries is not None:
        options["httpx_args"] = {"transport": httpx.HTTPTransport(retries=retries)}
    module = importlib.import_module(f"{package}.client")
    sender = module.AuthenticatedClient(base_url=found["base_url"], token=found["token"], **options)
    client = Generated(package, sender)
    if place.provider == "clio":
        yield Threaded(ClioBlocking(client, int(place.conversation), found["receiver_id"]))
    else:
        yield Threaded(CircuitBlocking(client, place.conversation))
    sender.get_httpx_client().close()


@frozen(kw_only=True)
class Rival:
    """A rival as it comes, and with what it offers against faults."""

    name: str
    provider: str
    packages: tuple[str, ...]
    enter: Callable[..., AbstractAsyncContextManager[Client]]
    options: dict[str, Any]
    says: str = field(default=f"`timeout={TIMEOUT}`, `max_retries={RETRIES}`")

    def contenders(self) -> tuple[Contender, Contender]:
        plain = Contender(
            name=self.name, provider=self.provider, packages=self.packages, enter=self.enter
        )
        return plain, Contender(
            name=self.name,
            provider=self.provider,
            packages=self.packages,
            options=self.says,
            enter=partial(self.enter, **self.options),
        )


def ours(provider: str, **options: Any) -> Contender:
    """Return the hub with one provider."""
    return Contender(
        name=f"hub: {provider.title()}",
        provider=provider,
        packages=("conversations-hub",),
        enter=partial(hub, **options),
    )


def _made(provider: str) -> Rival:
    return Rival(
        name=f"client generated for {provider.title()}",
        provider=provider,
        packages=("openapi-python-client", "httpx"),
        enter=generated,
        options={"retries": RETRIES, "seconds": TIMEOUT},
        says=f"`timeout={TIMEOUT}`, `HTTPTransport(retries={RETRIES})`",
    )


RIVALS = (
    Rival(
        name="Twilio's SDK, sync",
        provider="twilio",
        packages=("twilio", "requests", "urllib3"),
        enter=twilio,
        options={"retries": RETRIES, "timeout": TIMEOUT},
    ),
    Rival(
        name="Twilio's SDK, async",
        provider="twilio",
        packages=("twilio", "aiohttp", "aiohttp-retry"),
        enter=twilio_async,
        options={"max_retries": RETRIES, "timeout": TIMEOUT},
    ),
    Rival(
        name="Sunshine's SDK",
        provider="sunshine",
        packages=("sunshine-conversations-client", "urllib3"),
        enter=sunshine,
        options={"retries": RETRIES, "seconds": TIMEOUT},
        says=f"`_request_timeout={TIMEOUT}`, `retries={RETRIES}`",
    ),
    _made("clio"),
    _made("circuit"),
)
OURS = tuple(ours(name) for name in ("twilio", "sunshine", "clio", "circuit"))
CONTENDERS = (*OURS, *(one for rival in RIVALS for one in rival.contenders()))
