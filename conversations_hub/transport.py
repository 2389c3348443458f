"""The only code that touches the network: one session, deadlines, and retries of what may pass."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
    nullcontext,
)
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from itertools import islice
from pathlib import Path
from ssl import SSLContext
from typing import Any, TypeVar
from weakref import WeakSet

import aiohttp
from attrs import evolve, field, mutable
from yarl import URL

from conversations_hub.budget import Budget, Rate
from conversations_hub.errors import (
    UNDER_WAY,
    ConfigurationError,
    ProviderError,
    RateLimitError,
    StatusError,
    TransportError,
    class_for,
)
from conversations_hub.provider import Provider
from conversations_hub.retrying import pause_after, pauses, seconds_to_wait, spread
from conversations_hub.turns import Turns
from conversations_hub.wire import Request, Response, shifted

A = TypeVar("A")

# What goes wrong before a request is written.
NOT_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
)
CONNECTING = 10.0
HOPS = 5
NO_FILES: AbstractContextManager[None] = nullcontext()
REDIRECTS = {301, 302, 303, 307, 308}
ERROR_SIZE = 65_536
# A Date header has whole seconds; without one, clocks may be far apart.
SURE, UNSURE = timedelta(seconds=2), timedelta(minutes=5)
# aiohttp's errors quote addresses with their passwords and queries.
UNTOLD = re.compile(r"(?<=://)[^\s/?#]*@|[?#]\S+")

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
    _unlimited: aiohttp.ClientTimeout = field(init=False, repr=False)
    _clocks: dict[str, timedelta] = field(factory=dict, init=False, repr=False)
    _turns: dict[str, Turns] = field(factory=dict, init=False, repr=False)
    _rests: dict[str, float] = field(factory=dict, init=False, repr=False)
    """Until when accounts that answered 429 are asked nothing, by the loop's clock."""
    _told: dict[str, str] = field(factory=dict, init=False, repr=False)
    _streams: WeakSet[Any] = field(factory=WeakSet, init=False, repr=False)
    """What can be read once, and was."""
    _closed: bool = field(default=False, init=False)
    _loop: asyncio.AbstractEventLoop | None = field(default=None, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        _check(timeout=self.timeout, deadline=self.deadline)
        _check(least=0, retries=self.retries)
        _check(least=1, connections=self.connections)
        # The pool's own queue would eat into the time of an attempt, so callers queue here.
        self._gate = asyncio.Semaphore(self.connections)
        connecting = min(CONNECTING, self.timeout)
        self._limits = aiohttp.ClientTimeout(total=self.timeout, sock_connect=connecting)
        # Reading a file takes as long as it takes, while bytes come; sending one, the deadline.
        self._unlimited = aiohttp.ClientTimeout(
            total=None, sock_connect=connecting, sock_read=self.timeout
        )

    async def send(self, provider: Provider, request: Request, operation: str) -> Response:
        """Ask until the answer is yes, or raise why there is none.

        A write is sent again only where it cannot have been processed: no connection was made,
        or the answer was 429.
        """
        line, begun = _Line(), asyncio.get_running_loop().time()
        failed: ProviderError | None = None
        # Unless it has to queue, an attempt is bounded by its own timeout, and two cost more. But
        # that leaves out what a caller's session may do besides, and is rounded to seconds.
        if (
            self.session is None
            and self.timeout + 1 <= self.deadline
            and request.file is None
            and provider.rate is None
            and provider.name not in self._rests
            and not self._gate.locked()
        ):
            try:
                return await self._attempt(provider, request, operation, line)
            except ProviderError as error:
                failed = error
        return await self._persist(
            partial(self._attempt, provider, request, operation, line),
            provider=provider,
            request=request,
            operation=operation,
            line=line,
            begun=begun,
            failed=failed,
        )

    async def open(
        self, provider: Provider | None, request: Request, operation: str, accept: str = "*/*"
    ) -> Stream:
        """Begin to read an answer whose body comes bit by bit, wherever it is.

        Redirects are followed, five at most; the credentials go to the provider's own origins
        alone, and from HTTPS there is no way down to HTTP.
        """
        line = _Line()
        return await self._persist(
            partial(self._opened, provider, request, operation, accept, line),
            provider=provider,
            request=request,
            operation=operation,
            line=line,
            begun=asyncio.get_running_loop().time(),
        )

    def now(self, provider: Provider) -> Callable[[], datetime]:
        """Return what tells this moment, at the earliest, by a provider's clock.

        How far the clocks are apart is learned from its answers, also from later ones.
        """
        moment = datetime.now(UTC)

        def earliest() -> datetime:
            apart = self._clocks.get(provider.name)
            return moment - UNSURE if apart is None else shifted(moment, apart - SURE)

        return earliest

    async def _persist(
        self,
        attempt: Callable[[], Awaitable[A]],
        *,
        provider: Provider | None,
        request: Request,
        operation: str,
        line: _Line,
        begun: float,
        failed: ProviderError | None = None,
    ) -> A:
        """Try, or try again where an attempt has failed, until the deadline."""
        name, last = provider.name if provider else None, failed
        planned = islice(pauses(), self.retries)
        try:
            async with asyncio.timeout_at(begun + self.deadline) as line.clock:
                while True:
                    if last is not None:
                        if not _may_repeat(request, last):
                            raise last
                        pause = _pause(last, planned, line.clock)
                        # The host of a file, which is nobody's account, may say so, too.
                        if isinstance(last, RateLimitError) and last.provider is not None:
                            self._rest(last.provider, pause)
                        await asyncio.sleep(pause)
                        log.debug("%s.%s: asking again", name, operation)
                    try:
                        return await attempt()
                    except ProviderError as error:
                        last = error
        except TimeoutError as cause:
            raise TransportError(
                f"no answer from {request.place} within {self.deadline:g} s",
                provider=name,
                operation=operation,
                sent=line.busy,
                timed_out=line.busy,
            ) from (last or cause)

    def _rest(self, name: str, pause: float) -> None:
        """Let everybody who asks the same account wait, too: it would only refuse them."""
        end = asyncio.get_running_loop().time() + pause
        self._rests[name] = max(end, self._rests.get(name, end))

    async def _rested(self, name: str) -> None:
        """Wait until an account may be asked again, and then not all at once."""
        clock = asyncio.get_running_loop().time
        while (left := self._rests.get(name, 0.0) - clock()) > 0:  # noqa: ASYNC110 - for a time
            await asyncio.sleep(spread(left, left))
        self._rests.pop(name, None)

    async def aclose(self) -> None:
        """Close the session that was opened here; a second time does nothing."""
        self._closed = True
        for turns in self._turns.values():
            turns.close()
        own, self._own = self._own, None
        if own is not None:
            await own.close()

    async def _attempt(
        self, provider: Provider, request: Request, operation: str, line: _Line
    ) -> Response:
        self._session()
        origin = request.url.origin()
        if origin != provider.base_url.origin() and origin not in provider.origins:
            raise ConfigurationError(
                f"this recipe leads to {origin}, and this hub's {provider.name!r} is "
                f"at {provider.base_url.origin()}; make the recipe with hub[{provider.name!r}]",
                provider=provider.name,
                operation=operation,
            )
        if provider.name in self._rests:
            await self._rested(provider.name)
        if provider.rate is None:
            async with self._gate:
                response = await self._exchange(provider, request, operation, line)
        else:
            async with self._turn(provider, provider.rate, line), self._gate:
                response = await self._exchange(provider, request, operation, line)
        self._learn(provider, response.headers.get("Date"))
        if 200 <= response.status < 300:
            return response
        # What aiohttp gives cannot be pickled, and errors can.
        response = evolve(response, headers=dict(response.headers))
        raise provider.error_for(operation, request, response)

    async def _exchange(
        self, provider: Provider, request: Request, operation: str, line: _Line
    ) -> Response:
        """Send one request and read its answer, whatever that says."""
        with ExitStack() if request.file else NO_FILES as files:
            body = await self._body(request, files) if files else request.body
            session = self._session()
            line.busy = True
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
                    data=body,
                    # aiohttp would send some credentials along to another host.
                    allow_redirects=False,
                    raise_for_status=False,
                    middlewares=_middlewares(session, request, provider),
                    timeout=self._limits if request.file is None else self._unlimited,
                    proxy=self.proxy,
                    ssl=self.ssl,
                ) as answer:
                    content = await answer.read()
            except asyncio.CancelledError as error:
                if request.is_write:
                    error.add_note(UNDER_WAY)
                raise
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                line.busy = False
                raise self._no_answer(provider, request, operation, error) from _harmless(error)
        line.busy = False
        return Response(status=answer.status, body=content, headers=answer.headers)

    @asynccontextmanager
    async def _turn(self, provider: Provider, rate: Rate, line: _Line) -> AsyncIterator[None]:
        """Wait until the rate allows a request; however long, that is not the request's time."""
        if provider.name not in self._turns:
            self._turns[provider.name] = Turns(budget=Budget(rate=rate))
        time, clock = asyncio.get_running_loop().time, line.clock
        begun, end = time(), clock.when() if clock else None
        _set(clock, None)
        async with self._turns[provider.name].one():
            _set(clock, end and end + time() - begun)
            yield

    async def _opened(
        self,
        provider: Provider | None,
        request: Request,
        operation: str,
        accept: str,
        line: _Line,
    ) -> Stream:
        self._session()
        hops, asked = HOPS, request
        stream = Stream(
            gate=self._gate, failed=partial(self._no_answer, provider, asked, operation)
        )
        try:
            while True:
                own = provider is not None and request.url.origin() in provider.origins
                if provider and own and provider.name in self._rests:
                    await self._rested(provider.name)
                async with AsyncExitStack() as turn:
                    if provider and provider.rate and own:
                        await turn.enter_async_context(self._turn(provider, provider.rate, line))
                    await stream.enter()
                    stream.answer = await self._get(provider if own else None, request, accept)
                status, headers = stream.answer.status, dict(stream.answer.headers)
                place = Response(status=status, headers=headers).header("Location")
                if status not in REDIRECTS or place is None or not hops:
                    break
                stream.answer.close()
                request, hops = _moved(request, place, operation), hops - 1
            if 200 <= status < 300:
                return stream
            response = Response(
                status=status, headers=headers, body=await stream.answer.content.read(ERROR_SIZE)
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            stream.close()
            raise self._no_answer(provider, asked, operation, error) from _harmless(error)
        except BaseException:
            stream.close()
            raise
        stream.close()
        raise _refusal(provider if own else None, operation, request, response)

    async def _get(
        self, provider: Provider | None, request: Request, accept: str
    ) -> aiohttp.ClientResponse:
        """Ask for a file, with the credentials of whose it is."""
        proof = provider.auth_headers() if provider else {}
        session = self._session()
        return await session.get(
            # Two proofs at once would be neither.
            request.url.with_user(None) if proof else request.url,
            headers={"Accept": accept, "User-Agent": self.user_agent, **proof},
            allow_redirects=False,
            raise_for_status=False,
            middlewares=_middlewares(session, request, provider),
            timeout=self._unlimited,
            proxy=self.proxy,
            ssl=self.ssl,
        )

    async def _body(self, request: Request, files: ExitStack) -> Any:
        """Return what aiohttp sends as a body; a file is opened, and closed afterwards."""
        file = request.file
        if file is None:
            return request.body
        content: Any = file.content
        if isinstance(file.content, Path):
            content = await _open(file.content)
            files.callback(content.close)
        elif isinstance(file.content, AsyncIterator):
            if file.content in self._streams:
                raise ConfigurationError(
                    f"the stream of {file.name!r} was read already, and what is gone cannot be "
                    "sent again; give it anew"
                )
            self._streams.add(file.content)
        if request.part is None:
            return content
        if not file.name.isprintable():
            raise ConfigurationError(f"{file.name!r} cannot be sent as a name; give another name=")
        # Otherwise a name's accents and blanks would arrive as percent signs.
        form = aiohttp.FormData(quote_fields=False)
        form.add_field(request.part, content, filename=file.name, content_type=file.media_type)
        return form

    def _learn(self, provider: Provider, told: str | None) -> None:
        """Remember how far a provider's clock is from ours, each time that it has moved on."""
        if told is None or told == self._told.get(provider.name):
            return
        self._told[provider.name] = told
        try:
            date = parsedate_to_datetime(told)
        except (ValueError, OverflowError):
            return
        if date.tzinfo is not None:
            self._clocks[provider.name] = date - datetime.now(UTC)

    def _session(self) -> aiohttp.ClientSession:
        if self._closed:
            raise ConfigurationError("this hub is closed; open a new one")
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise ConfigurationError("this hub belongs to another event loop; open one in each")
        if self.session is not None:
            if self.session.closed:
                raise ConfigurationError("the session that this hub was given is closed")
            return self.session
        if self._own is None:
            self._own = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self.connections),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._own

    def _no_answer(
        self, provider: Provider | None, request: Request, operation: str, error: Exception
    ) -> TransportError:
        sent = not isinstance(error, NOT_SENT)
        timed_out = sent and isinstance(error, TimeoutError)
        if timed_out:
            what = f"no whole answer within {self.timeout:g} s"
        else:
            what = provider.redact(_said(error)) if provider else _said(error)
        return TransportError(
            f"{request.method} {request.place}: {what}; check base_url, the network and any proxy",
            provider=provider.name if provider else None,
            operation=operation,
            sent=sent,
            timed_out=timed_out,
        )


@mutable
class _Line:
    """Whether a request is on its way, and what bounds it."""

    busy: bool = False
    clock: asyncio.Timeout | None = None


@mutable(kw_only=True)
class Stream:
    """An answer whose body is still to come; it keeps its place at the gate until it is closed."""

    gate: asyncio.Semaphore = field(repr=False)
    failed: Callable[[Exception], TransportError] = field(repr=False)
    answer: aiohttp.ClientResponse | None = None
    is_closed: bool = field(default=False, init=False)
    _holds: bool = field(default=False, init=False)

    async def enter(self) -> None:
        """Take a place at the gate, once."""
        if not self._holds:
            await self.gate.acquire()
            self._holds = True

    def header(self, name: str) -> str | None:
        """Return a header of the answer."""
        return self.answer.headers.get(name) if self.answer else None

    async def read(self) -> bytes:
        """Return the next bytes, and none at the end; `TransportError` where the line is cut."""
        if self.answer is None:
            return b""
        try:
            return await self.answer.content.readany()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self.failed(error) from _harmless(error)

    def close(self) -> None:
        """Let go of the connection, read to its end or not."""
        if self.is_closed:
            return
        self.is_closed = True
        if self.answer is not None:
            self.answer.close()
        if self._holds:
            self.gate.release()


class _LineLostError(aiohttp.ClientError):
    """The connection broke when the request was on its way."""


async def _once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending what is no POST a second time when a connection breaks."""
    try:
        return await handler(request)
    except NOT_SENT:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _LineLostError(str(error) or type(error).__name__) from error


def _middlewares(
    session: aiohttp.ClientSession, request: Request, provider: Provider | None
) -> Sequence[aiohttp.ClientMiddlewareType] | None:
    """Return what a write, and what a rate counts, is sent through: the caller's own ones, too."""
    if not request.is_write and (provider is None or provider.rate is None):
        return None
    return (*getattr(session, "_middlewares", ()), _once)


async def _open(path: Path) -> Any:
    """Open a file; one that comes when nobody waits any more is closed at once."""
    opening = asyncio.ensure_future(asyncio.to_thread(path.open, "rb"))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_let_go)
        raise
    except OSError as cause:
        raise ConfigurationError(f"{path} cannot be read: {cause.strerror}") from cause


def _let_go(opening: asyncio.Task[Any]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def _set(clock: asyncio.Timeout | None, end: float | None) -> None:
    # One that has just run out is no longer to be moved.
    if clock is not None and not clock.expired():
        clock.reschedule(end)


def _may_repeat(request: Request, error: ProviderError) -> bool:
    """Tell whether asking again does nothing twice."""
    if request.file is not None and request.file.is_stream:
        return False
    if not request.is_write:
        return error.transient
    return isinstance(error, RateLimitError) or (
        isinstance(error, TransportError) and not error.sent
    )


def _moved(request: Request, place: str, operation: str) -> Request:
    """Return the request for where a redirect leads."""
    try:
        url = request.url.join(URL(place, encoded=True))
        host = url.host
    except ValueError:
        url, host = URL(), None
    down = (request.url.scheme, url.scheme) == ("https", "http")
    if url.scheme not in {"http", "https"} or not host or down:
        raise TransportError(
            f"{request.place} redirects to {url.scheme or 'no address'}, which is not followed",
            operation=operation,
        )
    return evolve(request, url=url)


def _refusal(
    provider: Provider | None, operation: str, request: Request, response: Response
) -> StatusError:
    """Return what a refusal is, where it is not a provider's own as well."""
    if provider is not None:
        return provider.error_for(operation, request, response)
    return class_for(response.status)(
        f"HTTP {response.status} [{request.method} {request.place}]",
        operation=operation,
        request=request,
        response=response,
        retry_after=seconds_to_wait(response.header("Retry-After")),
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


def _said(error: Exception) -> str:
    """Return what an error says, on one line."""
    text = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
    return UNTOLD.sub("", f"{type(error).__name__.strip('_')}: {' '.join(text.split())}")


def _harmless(error: Exception) -> Exception:
    """Return the error without what aiohttp's carry: requests and proxies, credentials and all."""
    return aiohttp.ClientError(_said(error)) if isinstance(error, aiohttp.ClientError) else error


def _check(least: int | None = None, **given: Any) -> None:
    """Refuse what is no time, or no number from the least."""
    for name, value in given.items():
        if least is None and not (isinstance(value, int | float) and value > 0):
            raise ConfigurationError(f"{name} is a time in seconds, not {value!r}")
        if least is not None and not (isinstance(value, int) and value >= least):
            raise ConfigurationError(f"{name} is a number from {least}, not {value!r}")
