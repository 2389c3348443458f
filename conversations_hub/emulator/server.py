"""Serves one faked API on loopback: the request log, latency, faults and errors all four share."""

from __future__ import annotations

import asyncio
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar

from aiohttp import web
from attrs import field, frozen, mutable

from conversations_hub.emulator.rates import busiest

if TYPE_CHECKING:
    from conversations_hub.emulator.faults import Faults

Answer = web.StreamResponse | None
Intercept = Callable[[web.Request], Answer | Awaitable[Answer]]
Alter = Callable[[web.Request, web.StreamResponse], Answer | Awaitable[Answer]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@frozen(kw_only=True)
class LoggedRequest:
    """One request as it arrived: the target is the raw path and query, before any decoding."""

    provider: str
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    status: int
    at: float
    """When it arrived, by the monotonic clock."""


class ApiError(Exception):
    """An answer that says no, in the provider's own shape."""

    def __init__(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body
        self.headers: dict[str, str] = headers or {}


def json_response(
    body: Any, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """Answer with compact UTF-8 JSON."""
    data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return web.Response(
        body=data,
        status=status,
        headers=headers,
        content_type="application/json",
        charset="utf-8",
    )


def refusal(error: ApiError) -> web.Response:
    """Return a refusal as the answer that it is."""
    return json_response(error.body, error.status, error.headers)


class Api(ABC):
    """One provider's API, faked: what it stores, its routes and the switches of its behaviour."""

    name: ClassVar[str]
    prefix: ClassVar[str] = ""
    """Where the documented paths begin, below the host."""

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What a client needs besides the base URL, under the names `emulate --json` prints."""

    @property
    def arguments(self) -> dict[str, Any]:
        """The same as the provider class takes them."""
        return self.settings

    @abstractmethod
    def routes(self) -> Iterable[web.RouteDef]:
        """Return the paths below the prefix, literals before templates."""

    @abstractmethod
    async def admit(self, request: web.Request) -> None:
        """Raise `ApiError` for a request without the right credentials."""

    @abstractmethod
    def missing_route(self, request: web.Request, status: int) -> web.Response:
        """Answer a path that the API does not have (404), or not with this method (405)."""

    # The provider's own shapes of what goes wrong.

    @abstractmethod
    def failure(self, status: int) -> web.Response:
        """Say that too much was asked (429), or that the API or what stands before it failed."""

    @abstractmethod
    def expired(self, request: web.Request) -> web.Response | None:
        """Refuse the cursor of a request as one that is no longer known; None if it has none."""

    @abstractmethod
    def rows(self, body: Any) -> list[Any] | None:
        """Return the records in the body of a list's answer; None for any other."""

    @abstractmethod
    def repeated(self, request: web.Request, body: Any) -> Any:
        """Return the body of a page that leads to itself; None where nothing leads on."""

    def vanish(self, request: web.Request, random: Random) -> bool:  # noqa: ARG002 - where nothing can
        """Delete a message of the list that is asked for; say whether one is gone."""
        return False

    # What tests compare with: ids in the order that the hub promises for the provider.

    @abstractmethod
    def conversation_ids(self) -> list[str]:
        """Return every conversation the account can list."""

    @abstractmethod
    def message_ids(self, conversation: str) -> list[str]:
        """Return every message of a conversation."""

    @abstractmethod
    def participant_ids(self, conversation: str) -> list[str]:
        """Return every participant of a conversation."""

    # What changes behind the client's back, as other users of the API would change it.

    @abstractmethod
    def add_conversation(self) -> str:
        """Begin a conversation and return its id."""

    @abstractmethod
    def add_message(self, conversation: str) -> str:
        """Write a message and return its id."""

    @abstractmethod
    def edit_message(self, conversation: str, message: str) -> None:
        """Change a message, where the API knows edits."""

    @abstractmethod
    def remove_message(self, conversation: str, message: str) -> None:
        """Delete a message the way the API does, where it does."""


@mutable(kw_only=True)
class Exchange:
    """One request that has arrived, and what the API does when it is let."""

    api: Api
    request: web.Request
    _do: Callable[[], Awaitable[web.StreamResponse]] = field(alias="do")
    answer: web.StreamResponse | None = field(default=None, init=False)

    async def act(self) -> web.StreamResponse:
        """Let the API do what it is told, once, and return its answer."""
        if self.answer is None:
            self.answer = await self._do()
        return self.answer


@mutable
class Server:
    """Runs one `Api` on a free port of 127.0.0.1 and logs every request."""

    api: Api
    latency: float = 0.0
    intercept: Intercept | None = None
    """Called with each request before the API is; an answer from it is sent instead."""
    alter: Alter | None = None
    """Called with each request and the API's answer, when all is done; an answer from it is sent
    instead, and one may cut the line."""
    faults: Faults | None = None
    """What befalls requests, over and above."""
    requests: list[LoggedRequest] = field(factory=list, init=False)
    _runner: web.AppRunner | None = field(default=None, init=False)
    _port: int = field(default=0, init=False)

    @property
    def base_url(self) -> str:
        """The address where the provider's documented paths begin."""
        return f"http://127.0.0.1:{self._port}{self.api.prefix}"

    def busiest(self, window: float, counted: Callable[[LoggedRequest], bool] | None = None) -> int:
        """Return how many requests, or which of them count, arrived in the fullest window."""
        return busiest((one.at for one in filter(counted, self.requests)), window)

    async def start(self) -> None:
        """Listen on a free port."""
        app = web.Application(client_max_size=64 * 1024**2)
        # No middleware: aiohttp remembers the last thousand handlers behind one, and all they hold.
        for route in self.api.routes():
            handler = partial(self._answer, partial(self._admitted, route.handler))
            app.add_routes([web.RouteDef(route.method, route.path, handler, route.kwargs)])
        missing = partial(self._missing, list(app.router.resources()))
        app.router.add_route("*", "/{rest:.*}", partial(self._answer, missing))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _admitted(self, handler: Handler, request: web.Request) -> web.StreamResponse:
        await self.api.admit(request)
        return await handler(request)

    async def _missing(
        self, known: list[web.AbstractResource], request: web.Request
    ) -> web.StreamResponse:
        allowed = [(await resource.resolve(request))[1] for resource in known]
        return self.api.missing_route(request, 405 if any(allowed) else 404)

    async def _answer(self, handler: Handler, request: web.Request) -> web.StreamResponse:
        at = time.monotonic()
        body, status = await request.read(), 0
        try:
            if self.latency:
                await asyncio.sleep(self.latency)
            response = await self._exchanged(request, handler)
            status = response.status
        finally:
            self.requests.append(
                LoggedRequest(
                    provider=self.api.name,
                    method=request.method,
                    target=request.raw_path,
                    headers=dict(request.headers),
                    body=body,
                    status=status,
                    at=at,
                )
            )
        if (
            isinstance(response, web.Response)
            and isinstance(response.body, bytes)
            and len(response.body) > 1024
            and "Content-Encoding" not in response.headers
        ):
            response.enable_compression()
        return response

    async def _exchanged(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        async def do() -> web.StreamResponse:
            response = await self._intercepted(request)
            if response is None:
                response = await self._altered(request, await _handled(request, handler))
            return response

        exchange = Exchange(api=self.api, request=request, do=do)
        return await (exchange.act() if self.faults is None else self.faults.befall(exchange))

    async def _intercepted(self, request: web.Request) -> web.StreamResponse | None:
        if self.intercept is None:
            return None
        return await _waited_for(self.intercept(request))

    async def _altered(
        self, request: web.Request, response: web.StreamResponse
    ) -> web.StreamResponse:
        if self.alter is None:
            return response
        return await _waited_for(self.alter(request, response)) or response


async def _handled(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ApiError as error:
        return refusal(error)


async def _waited_for(answer: Answer | Awaitable[Answer]) -> Answer:
    return answer if answer is None or isinstance(answer, web.StreamResponse) else await answer
