"""The only code that touches the network: one session, deadlines, and retries of what may pass."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
    nullcontext,
    suppress,
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

from conversations_hub.budget import Rate
from conversations_hub.errors import (
    UNDER_WAY,
    AuthenticationError,
    ConfigurationError,
    ProviderError,
    RateLimitError,
    StatusError,
    TooLargeError,
    TransportError,
    class_for,
)
from conversations_hub.oauth import OAuthProvider, TokenRequest, bearer
from conversations_hub.pace import Pace
from conversations_hub.provider import Provider
from conversations_hub.renewal import Keeper, keeper_of
from conversations_hub.retrying import pause_after, pauses, seconds_to_wait
from conversations_hub.secret import shy
from conversations_hub.tokens import Token
from conversations_hub.watching import Seen, Watch
from conversations_hub.wire import Request, Response, address, purged, shifted

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
# Those about garbled answers quote them: a header, a line of what may be people's words.
QUOTED = re.compile(r"[:\s]*(?<!message=)(\bb)?['\"].*", re.DOTALL)


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
    answer_limit: int = 64 * 1024**2
    """In bytes; files that are downloaded have none here."""
    proxy: str | None = field(default=None, repr=False)
    ssl: SSLContext | bool = True
    user_agent: str = "conversations-hub"
    watch: Watch = field(factory=Watch, repr=False)
    _own: aiohttp.ClientSession | None = field(default=None, init=False)
    _gate: asyncio.Semaphore = field(init=False, repr=False)
    _limits: aiohttp.ClientTimeout = field(init=False, repr=False)
    _unlimited: aiohttp.ClientTimeout = field(init=False, repr=False)
    _accounts: dict[str, _Account] = field(factory=dict, init=False, repr=False)
    _streams: WeakSet[Any] = field(factory=WeakSet, init=False, repr=False)
    """What can be read once, and was."""
    _closed: bool = field(default=False, init=False)
    _ending: asyncio.Event = field(factory=asyncio.Event, init=False, repr=False)
    _loop: asyncio.AbstractEventLoop | None = field(default=None, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        _check(timeout=self.timeout, deadline=self.deadline)
        _check(least=0, retries=self.retries)
        _check(least=1, connections=self.connections, answer_limit=self.answer_limit)
        agent = self.user_agent
        if not (isinstance(agent, str) and agent.isascii() and agent.isprintable()):
            raise ConfigurationError(f"user_agent cannot stand in a header: {agent!r}")
        # The pool's own queue would eat into the time of an attempt, so callers queue here.
        self._gate = asyncio.Semaphore(self.connections)
        # Less than the others: who is not connected in time has surely sent nothing.
        connecting = min(CONNECTING, self.timeout / 2, self.deadline / 2)
        self._limits = aiohttp.ClientTimeout(total=self.timeout, sock_connect=connecting)
        # Reading a file takes as long as it takes, while bytes come; sending one, the deadline.
        self._unlimited = aiohttp.ClientTimeout(
            total=None, sock_connect=connecting, sock_read=self.timeout
        )

    async def send(self, provider: Provider, request: Request, operation: str) -> Response:
        """Ask until the answer is yes, or raise why there is none.

        A write is sent again only where it cannot have been processed: no connection was made,
        the answer was 429, or 401 and there is another token.
        """
        line, begun = _Line(), asyncio.get_running_loop().time()
        account = self._accounts.get(provider.name) or self._account(provider)
        rates = provider.rates(request)
        failed: ProviderError | None = None
        # Unless it has to queue, an attempt is bounded by its own timeout, and two cost more. But
        # that leaves out what a caller's session may do besides, and is rounded to seconds.
        if (
            self.session is None
            and self.timeout + 1 <= self.deadline
            and request.file is None
            and not self._gate.locked()
            and account.keeper is None
            and account.pace.is_open(rates, begun)
        ):
            try:
                return await self._attempt(provider, account, request, operation, line, rates=rates)
            except ProviderError as error:
                failed = error
        return await self._persist(
            partial(self._attempt, provider, account, request, operation, line, rates=rates),
            name=provider.name,
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
            name=provider.name if provider else None,
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
            apart = self._account(provider).apart
            return moment - UNSURE if apart is None else shifted(moment, apart - SURE)

        return earliest

    async def authorize(self, provider: Provider, code: str) -> None:
        """Take the token that a user's code is good for."""
        with self.watch.call(provider.name, "authorize"):
            await self._issuing(provider, "authorize").exchange(code)

    async def deauthorize(self, provider: Provider) -> None:
        """End an account's token for good."""
        with self.watch.call(provider.name, "deauthorize"):
            await self._issuing(provider, "deauthorize").revoke()

    async def _persist(
        self,
        attempt: Callable[[], Awaitable[A]],
        *,
        name: str | None,
        request: Request | TokenRequest,
        operation: str,
        line: _Line,
        begun: float,
        failed: ProviderError | None = None,
    ) -> A:
        """Try, or try again where an attempt has failed, until the deadline."""
        last = failed
        planned = islice(pauses(), self.retries)
        try:
            async with asyncio.timeout_at(begun + self.deadline) as line.clock:
                while True:
                    if last is not None:
                        if not _may_repeat(request, last):
                            raise last
                        pause = _pause(last, planned, line.clock)
                        # The host of a file, which is nobody's account, may say so, too.
                        account = self._accounts.get(last.provider or "")
                        self.watch.retrying(last, operation, line.attempt, pause)
                        if account and _is_rest(request, last):
                            self.watch.refused(last, operation, pause)
                            now = asyncio.get_running_loop().time()
                            account.pace.refused(now, now + pause)
                        else:
                            await self.pause(pause)
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

    async def pause(self, seconds: float) -> None:
        """Wait, but no longer than the hub is open."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ending.wait()

    async def aclose(self) -> None:
        """Close the session that was opened here; a second time does nothing."""
        self._closed = True
        self._ending.set()
        own, self._own = self._own, None
        # Whoever is cancelled while it waits closes the rest all the same.
        async with AsyncExitStack() as closing:
            if own is not None:
                closing.push_async_callback(own.close)
                closing.callback(_let_go_of, own, is_over=True)
            for account in self._accounts.values():
                account.pace.close()
                if account.keeper is not None:
                    closing.push_async_callback(account.keeper.aclose)

    async def _attempt(
        self,
        provider: Provider,
        account: _Account,
        request: Request,
        operation: str,
        line: _Line,
        *,
        rates: Mapping[str, Rate],
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
        token, is_first = await account.keeper.token() if account.keeper else None, True
        while True:
            proof = shy(bearer(token.access) if token else provider.auth_headers())
            if rates or not account.pace.is_quiet:
                async with self._turn(account.pace, rates, line), self._gate:
                    response = await self._exchange(
                        provider, request, operation, line, proof, is_counted=True
                    )
                    # Before its turn is over, so that whoever is next knows of it.
                    self._learn(provider, account, response)
            else:
                async with self._gate:
                    response = await self._exchange(provider, request, operation, line, proof)
                self._learn(provider, account, response)
            if 200 <= response.status < 300:
                return response
            # What aiohttp gives cannot be pickled, and errors can.
            response = evolve(response, headers=dict(response.headers))
            error = provider.error_for(operation, request, response)
            if not is_first or _is_gone(request):
                raise error
            token, is_first = await _another(account.keeper, token, error), False

    async def _exchange(
        self,
        provider: Provider,
        request: Request,
        operation: str,
        line: _Line,
        proof: Mapping[str, str],
        *,
        is_counted: bool = False,
    ) -> Response:
        """Send one request and read its answer, whatever that says."""
        with ExitStack() if request.file else NO_FILES as files:
            # What is sent is among the variables of no frame that an error goes through.
            sending = self._response(
                provider,
                request,
                operation,
                proof,
                await self._body(request, files) if files else request.body,
                is_counted=is_counted,
            )
            line.busy, line.attempt = True, line.attempt + 1
            try:
                with self.watch.request(provider, request, operation, line.attempt):
                    response = await sending
            except asyncio.CancelledError as error:
                _let_go_of(self._own)
                if request.is_write:
                    error.add_note(UNDER_WAY)
                # Among the variables of the frames below are credentials, and what is sent.
                raise error.with_traceback(None)  # noqa: B904 - the same error
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                line.busy = False
                _let_go_of(self._own)
                raise self._no_answer(provider, request, operation, error) from _harmless(error)
            except BaseException as error:  # noqa: BLE001 - raised again
                # Nor of those below, which are left out.
                raise error.with_traceback(None)  # noqa: B904 - the same error
        line.busy = False
        return response

    async def _response(
        self,
        provider: Provider,
        request: Request,
        operation: str,
        proof: Mapping[str, str],
        body: Any,
        *,
        is_counted: bool,
    ) -> Response:
        session = self._session()
        async with session.request(
            request.method,
            request.url,
            headers={
                "Accept": "application/json",
                "User-Agent": self.user_agent,
                **request.headers,
                **proof,
            },
            data=body,
            # aiohttp would send some credentials along to another host.
            allow_redirects=False,
            raise_for_status=False,
            middlewares=_middlewares(session, request.is_write or is_counted),
            timeout=self._limits if request.file is None else self._unlimited,
            proxy=self.proxy,
            ssl=self.ssl,
        ) as answer:
            content = await self._content(answer, provider.name, operation)
        return Response(status=answer.status, body=content, headers=answer.headers)

    async def _content(self, answer: aiohttp.ClientResponse, name: str, operation: str) -> bytes:
        """Read an answer, decompressed, to its end; of a refusal, the beginning will do."""
        seen = _head(self.watch, answer)
        blocks: list[bytes] = []
        size, is_good = 0, 200 <= answer.status < 300
        while block := await answer.content.readany():
            blocks.append(block)
            size += len(block)
            if not is_good and size > ERROR_SIZE:
                return b"".join(blocks)[:ERROR_SIZE]
            if size > self.answer_limit:
                raise TooLargeError(
                    f"an answer of more than {self.answer_limit} bytes; ask for smaller pages "
                    "with page_size=, or give the hub a greater answer_limit=",
                    provider=name,
                    operation=operation,
                )
        if seen is not None:
            seen.received = size
        return blocks[0] if len(blocks) == 1 else b"".join(blocks)

    @asynccontextmanager
    async def _turn(
        self, pace: Pace, rates: Mapping[str, Rate], line: _Line
    ) -> AsyncIterator[None]:
        """Wait until a request may be sent.

        For an account that rests, the request's own time is spent; what its budgets make it wait,
        however long, is not.
        """
        time = asyncio.get_running_loop().time
        async with AsyncExitStack() as stack:
            if (recovery := pace.recovery) is not None:
                await stack.enter_async_context(recovery.one())
            begun, end = time(), line.clock.when() if line.clock else None
            waits = False
            for turns in pace.turns(rates, begun):
                waits = waits or not turns.is_free(begun)
                _set(line.clock, None)
                await stack.enter_async_context(turns.one())
            waited = time() - begun
            _set(line.clock, end and end + waited)
            if waits:
                self.watch.waited(waited)
            yield

    def _account(self, provider: Provider) -> _Account:
        account = self._accounts.get(provider.name)
        if account is None:
            account = self._accounts[provider.name] = _Account(
                pace=Pace(tells=provider.tells),
                keeper=keeper_of(provider, self._ask_for_token, self.deadline),
            )
        return account

    def _issuing(self, provider: Provider, question: str) -> Keeper:
        keeper = self._account(provider).keeper
        if keeper is None:
            raise provider.unsupported(question, "its credentials are given, and never issued")
        return keeper

    async def _ask_for_token(self, provider: OAuthProvider, asked: TokenRequest) -> Response:
        """Ask the token endpoint, which counts as nobody's request."""
        line = _Line()
        return await self._persist(
            partial(self._issued, provider, asked, line),
            name=provider.name,
            request=asked,
            operation="token",
            line=line,
            begun=asyncio.get_running_loop().time(),
        )

    async def _issued(self, provider: OAuthProvider, asked: TokenRequest, line: _Line) -> Response:
        try:
            line.busy, line.attempt = True, line.attempt + 1
            with self.watch.request(provider, asked.request, "token", line.attempt):
                response = await self._posted(provider, asked)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._no_answer(provider, asked.request, "token", error) from _harmless(error)
        except BaseException as error:  # noqa: BLE001 - raised again
            # Among the variables of the frames below is what is sent.
            raise error.with_traceback(None)  # noqa: B904 - the same error
        finally:
            line.busy = False
        if 200 <= response.status < 300:
            return response
        # A code is never issued to us, so that the provider does not know to hide it.
        raise provider.refused(purged(response, asked.redact), asked)

    async def _posted(self, provider: Provider, asked: TokenRequest) -> Response:
        async with self._session().post(
            asked.url,
            data=asked.form,
            headers={
                "Accept": "application/json",
                "User-Agent": self.user_agent,
                **asked.headers,
            },
            allow_redirects=False,
            raise_for_status=False,
            timeout=self._limits,
            proxy=self.proxy,
            ssl=self.ssl,
        ) as answer:
            content = await self._content(answer, provider.name, "token")
        return Response(status=answer.status, body=content, headers=dict(answer.headers))

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
        account = self._account(provider) if provider else None
        token, is_first = None, True
        try:
            while True:
                own = provider is not None and request.url.origin() in provider.origins
                proof: Mapping[str, str] = {}
                rates: Mapping[str, Rate] = {}
                async with AsyncExitStack() as turn:
                    if provider and account and own:
                        if account.keeper and token is None:
                            token = await account.keeper.token()
                        proof = shy(bearer(token.access) if token else provider.auth_headers())
                        rates = provider.rates(request)
                        await turn.enter_async_context(self._turn(account.pace, rates, line))
                    await stream.enter()
                    line.attempt, whose = line.attempt + 1, provider if own else None
                    with self.watch.request(whose, request, operation, line.attempt):
                        stream.answer = await self._get(request, accept, proof, bool(rates))
                        _head(self.watch, stream.answer)
                response = Response(
                    status=stream.answer.status, headers=dict(stream.answer.headers)
                )
                onward = _moved(request, response, operation) if hops else None
                if onward is not None:
                    stream.answer.close()
                    request, hops = onward, hops - 1
                    continue
                if 200 <= response.status < 300:
                    return stream
                response = evolve(response, body=await stream.answer.content.read(ERROR_SIZE))
                stream.answer.close()
                error = _refusal(provider if own else None, operation, request, response)
                keeper = account.keeper if account and own and is_first else None
                token, is_first = await _another(keeper, token, error), False
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            stream.close()
            raise self._no_answer(provider, asked, operation, error) from _harmless(error)
        except BaseException as error:  # noqa: BLE001 - raised again
            stream.close()
            # Among the variables of the frames below is what is sent.
            raise error.with_traceback(None)  # noqa: B904 - the same error

    async def _get(
        self, request: Request, accept: str, proof: Mapping[str, str], is_counted: bool
    ) -> aiohttp.ClientResponse:
        """Ask for a file, with the credentials of whose it is."""
        session = self._session()
        return await session.get(
            # Two proofs at once would be neither.
            request.url.with_user(None) if proof else request.url,
            headers={"Accept": accept, "User-Agent": self.user_agent, **proof},
            allow_redirects=False,
            raise_for_status=False,
            middlewares=_middlewares(session, is_counted),
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

    def _learn(self, provider: Provider, account: _Account, response: Response) -> None:
        """Remember how far a provider's clock is from ours, and what its account may still ask."""
        told = response.headers.get("Date")
        if told is not None and told != account.told:
            account.told, account.date = told, _date(told)
            if account.date is not None:
                account.apart = account.date - datetime.now(UTC)
        if provider.tells:
            allowance = provider.allowance(response, account.date or datetime.now(UTC))
            account.pace.told(allowance, asyncio.get_running_loop().time())

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
                connector=_Connector(limit=self.connections),
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


@mutable(kw_only=True)
class _Account:
    """What is known of a provider's account for as long as the hub is open."""

    pace: Pace
    keeper: Keeper | None
    told: str | None = None
    """The last date that it told, and how it was read."""
    date: datetime | None = None
    apart: timedelta | None = None
    """How far its clock is from ours."""


@mutable
class _Line:
    """Whether a request is on its way, and what bounds it."""

    busy: bool = False
    attempt: int = 0
    clock: asyncio.Timeout | None = None


@mutable(kw_only=True)
class Stream:
    """An answer whose body is still to come; it keeps its place at the gate until it is closed."""

    gate: asyncio.Semaphore = field(repr=False)
    failed: Callable[[Exception], TransportError] = field(repr=False)
    answer: aiohttp.ClientResponse | None = field(default=None, repr=False)
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


class _Connector(aiohttp.TCPConnector):
    """A pool that knows its connections."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.lines: WeakSet[asyncio.Transport] = WeakSet()

    async def connect(self, *args: Any, **options: Any) -> Any:
        """Return a connection, which is remembered."""
        connection = await super().connect(*args, **options)
        if connection.transport is not None:
            self.lines.add(connection.transport)
        return connection


def _let_go_of(session: aiohttp.ClientSession | None, *, is_over: bool = False) -> None:
    """Break connections that are given up, but would first send what nobody takes."""
    connector = session.connector if session is not None else None
    for line in connector.lines if isinstance(connector, _Connector) else ():
        if (is_over or line.is_closing()) and line.get_write_buffer_size():
            line.abort()


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
    session: aiohttp.ClientSession, is_counted: bool
) -> Sequence[aiohttp.ClientMiddlewareType] | None:
    """Return what a write, and what a rate counts, is sent through: the caller's own ones, too."""
    return (*getattr(session, "_middlewares", ()), _once) if is_counted else None


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


def _head(watch: Watch, answer: aiohttp.ClientResponse) -> Seen | None:
    return watch.answered(answer.status, answer.headers, answer.version)


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo is not None else None


def _is_rest(request: Request | TokenRequest, error: ProviderError) -> bool:
    """Tell whether all of an account's requests are to wait, which is not said of its tokens."""
    return isinstance(request, Request) and isinstance(error, RateLimitError)


def _set(clock: asyncio.Timeout | None, end: float | None) -> None:
    # One that has just run out is no longer to be moved.
    if clock is not None and not clock.expired():
        clock.reschedule(end)


async def _another(keeper: Keeper | None, token: Token | None, error: StatusError) -> Token:
    """Return another token in the place of the one that was refused, or raise the refusal."""
    if keeper is None or token is None or not isinstance(error, AuthenticationError):
        raise error
    new = await keeper.token(token)
    if new.access == token.access:
        raise error
    return new


def _is_gone(request: Request | TokenRequest) -> bool:
    """Tell whether what was sent cannot be read again."""
    return isinstance(request, Request) and bool(request.file and request.file.is_stream)


def _may_repeat(request: Request | TokenRequest, error: ProviderError) -> bool:
    """Tell whether asking again does nothing twice."""
    if _is_gone(request):
        return False
    if not request.is_write:
        return error.transient
    return isinstance(error, RateLimitError) or (
        isinstance(error, TransportError) and not error.sent
    )


def _moved(request: Request, response: Response, operation: str) -> Request | None:
    """Return the request for where an answer leads on, if it does."""
    place = response.header("Location")
    if response.status not in REDIRECTS or place is None:
        return None
    try:
        url = request.url.join(address(place))
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
    if isinstance(error, aiohttp.ClientResponseError | aiohttp.ClientPayloadError):
        text = QUOTED.sub("", text)
    return UNTOLD.sub("", f"{type(error).__name__.strip('_')}: {' '.join(text.split())}")


def _harmless(error: Exception) -> Exception:
    """Return the error without what aiohttp's carry: requests and proxies, credentials and all.

    So do the frames that it went through.
    """
    if isinstance(error, aiohttp.ClientError):
        return aiohttp.ClientError(_said(error))
    return type(error)(*error.args)


def _check(least: int | None = None, **given: Any) -> None:
    """Refuse what is no time, or no number from the least."""
    for name, value in given.items():
        if least is None and not (isinstance(value, int | float) and value > 0):
            raise ConfigurationError(f"{name} is a time in seconds, not {value!r}")
        if least is not None and not (isinstance(value, int) and value >= least):
            raise ConfigurationError(f"{name} is a number from {least}, not {value!r}")
