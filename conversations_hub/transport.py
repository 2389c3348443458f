"""The only code that touches the network: one session, deadlines, and retries of what may pass."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from itertools import islice
from ssl import SSLContext

import aiohttp
from attrs import field, mutable

from conversations_hub.errors import ConfigurationError, ProviderError, TransportError
from conversations_hub.provider import Provider
from conversations_hub.retrying import pause_after, pauses
from conversations_hub.wire import Request, Response

log: logging.Logger = logging.getLogger("conversations_hub.transport")


@mutable(kw_only=True)
class Transport:
    """Sends requests for providers; made without an event loop, opened by its first request.

    Times are in seconds: `timeout` bounds one attempt, `deadline` everything that one request
    takes, with its retries and its wait for a free connection.
    """

    session: aiohttp.ClientSession | None = None
    """The caller's own session, which is never closed here."""
    timeout: float = 30.0
    deadline: float = 120.0
    retries: int = 5
    connections: int = 32
    proxy: str | None = field(default=None, repr=False)
    ssl: SSLContext | bool = True
    user_agent: str = "conversations-hub"
    _own: aiohttp.ClientSession | None = field(default=None, init=False)
    _gate: asyncio.Semaphore = field(init=False, repr=False)
    _limits: aiohttp.ClientTimeout = field(init=False, repr=False)
    _closed: bool = field(default=False, init=False)
    _loop: asyncio.AbstractEventLoop | None = field(default=None, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        # The pool's own queue would eat into the time of an attempt, so callers queue here.
        self._gate = asyncio.Semaphore(self.connections)
        self._limits = aiohttp.ClientTimeout(total=self.timeout)

    async def send(self, provider: Provider, request: Request, operation: str) -> Response:
        """Ask until the answer is yes, or raise why there is none."""
        planned = islice(pauses(), self.retries)
        last: ProviderError | None = None
        try:
            async with asyncio.timeout(self.deadline) as clock:
                while True:
                    try:
                        return await self._attempt(provider, request, operation)
                    except ProviderError as error:
                        last = error
                    await asyncio.sleep(_pause(last, planned, clock))
                    log.debug("%s.%s: asking again", provider.name, operation)
        except TimeoutError as cause:
            raise TransportError(
                f"no answer from {request.place} within {self.deadline:g} s",
                provider=provider.name,
                operation=operation,
            ) from (last or cause)

    async def aclose(self) -> None:
        """Close the session that was opened here; a second time does nothing."""
        self._closed = True
        own, self._own = self._own, None
        if own is not None:
            await own.close()

    async def _attempt(self, provider: Provider, request: Request, operation: str) -> Response:
        session = self._session()
        if request.url.origin() != provider.base_url.origin():
            raise ConfigurationError(
                f"this recipe leads to {request.url.origin()}, and this hub's {provider.name!r} is "
                f"at {provider.base_url.origin()}; make the recipe with hub[{provider.name!r}]",
                provider=provider.name,
                operation=operation,
            )
        async with self._gate:
            try:
                async with session.request(
                    request.method,
                    request.url,
                    headers={
                        "Accept": "application/json",
                        "User-Agent": self.user_agent,
                        **request.headers,
                        **provider.auth_headers(),
                    },
                    data=request.body,
                    # aiohttp would send some credentials along to another host.
                    allow_redirects=False,
                    timeout=self._limits,
                    proxy=self.proxy,
                    ssl=self.ssl,
                ) as answer:
                    body = await answer.read()
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise self._no_answer(provider, request, operation, error) from _harmless(error)
        response = Response(status=answer.status, body=body, headers=dict(answer.headers))
        if 200 <= response.status < 300:
            return response
        raise provider.error_for(operation, request, response)

    def _session(self) -> aiohttp.ClientSession:
        if self._closed:
            raise ConfigurationError("this hub is closed; open a new one")
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise ConfigurationError("this hub belongs to another event loop; open one in each")
        if self.session is not None:
            return self.session
        if self._own is None:
            self._own = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self.connections),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._own

    def _no_answer(
        self, provider: Provider, request: Request, operation: str, error: Exception
    ) -> TransportError:
        if isinstance(error, TimeoutError):
            what = f"no whole answer within {self.timeout:g} s"
        else:
            what = f"{type(error).__name__}: {provider.redact(str(error))}"
        return TransportError(
            f"{request.method} {request.place}: {what}; check base_url, the network and any proxy",
            provider=provider.name,
            operation=operation,
        )


def _pause(error: ProviderError, planned: Iterator[float], clock: asyncio.Timeout) -> float:
    """Return how long to wait, or raise the error where waiting is of no use."""
    pause = next(planned, None)
    if pause is not None:
        pause = pause_after(error, pause)
    left = (clock.when() or 0.0) - asyncio.get_running_loop().time()
    if pause is None or pause >= left:
        raise error
    return pause


def _harmless(error: Exception) -> Exception:
    """Return the error without the request that some of aiohttp's carry, credentials and all."""
    if isinstance(error, aiohttp.ClientResponseError):
        return aiohttp.ClientError(f"{type(error).__name__}: {error.message}")
    return error
