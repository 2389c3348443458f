"""Asks until there is an answer: deadlines, turns, tokens, and retries of what may pass."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    suppress,
)
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from attrs import evolve, field, mutable
from yarl import URL

from conversations_hub.arguments import check_number, check_time
from conversations_hub.budget import Rate
from conversations_hub.errors import (
    AuthenticationError,
    ConfigurationError,
    ProviderError,
    RateLimitError,
    StatusError,
    TransportError,
    class_for,
)
from conversations_hub.network import BROKEN, ERROR_SIZE, Line, Network, Stream, harmless
from conversations_hub.oauth import OAuthProvider, TokenRequest, bearer
from conversations_hub.pace import Pace
from conversations_hub.provider import Provider
from conversations_hub.renewal import Keeper, keeper_of, unsent
from conversations_hub.retrying import pause_after, pauses, told_to_wait
from conversations_hub.secret import shy
from conversations_hub.tokens import Token
from conversations_hub.watching import Watch
from conversations_hub.wire import Request, Response, address, shifted

A = TypeVar("A")

HOPS = 5
REDIRECTS = {301, 302, 303, 307, 308}
# A Date header has whole seconds; without one, clocks may be far apart.
SURE, UNSURE = timedelta(seconds=2), timedelta(minutes=5)


@mutable(kw_only=True)
class Transport:
    """Sends requests for providers; made without an event loop, opened by its first request.

    Times are in seconds: `timeout` bounds one attempt, `deadline` everything that one request
    takes, with its retries and its wait for a free connection.
    """

    network: Network = field(factory=Network)
    deadline: float = 120.0
    retries: int = 5
    connections: int = 32
    watch: Watch = field(factory=Watch, repr=False)
    _gate: asyncio.Semaphore = field(init=False, repr=False)
    _accounts: dict[str, _Account] = field(factory=dict, init=False, repr=False)
    _ending: asyncio.Event = field(factory=asyncio.Event, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        check_time(deadline=self.deadline)
        check_number(0, retries=self.retries)
        check_number(1, connections=self.connections)
        # The pool's own queue would eat into the time of an attempt, so callers queue here.
        self._gate = asyncio.Semaphore(self.connections)

    @property
    def timeout(self) -> float:
        """What bounds one attempt."""
        return self.network.timeout

    async def send(self, provider: Provider, request: Request, operation: str) -> Response:
        """Ask until the answer is yes, or raise why there is none.

        A write is sent again only where it cannot have been processed: no connection was made,
        the answer was 429, or 401 and there is another token.
        """
        line, begun = Line(), asyncio.get_running_loop().time()
        account = self._accounts.get(provider.name) or self._account(provider)
        rates = provider.rates(request)
        failed: ProviderError | None = None
        # Unless it has to queue, an attempt is bounded by its own timeout, and two cost more. But
        # that leaves out what a caller's session may do besides, and is rounded to seconds.
        if (
            self.network.session is None
            and self.network.timeout + 1 <= self.deadline
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
        line = Line()
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
        line: Line,
        begun: float,
        failed: ProviderError | None = None,
    ) -> A:
        """Try, or try again where an attempt has failed, until the deadline."""
        last, time = failed, asyncio.get_running_loop().time
        planned = islice(pauses(), self.retries)
        try:
            async with asyncio.timeout_at(begun + self.deadline) as line.clock:
                while True:
                    if last is not None:
                        pause = pause_after(last, next(planned, None))
                        rests = self._refused(last, pause, request, operation)
                        left = (line.clock.when() or 0.0) - time()
                        if pause is None or pause >= left or not _may_repeat(request, last):
                            raise last
                        self.watch.retrying(last, operation, line.attempt, pause)
                        if not rests:
                            await self.pause(pause)
                    try:
                        return await attempt()
                    except ProviderError as error:
                        last = error
        except _NoTokenError as cause:
            raise cause.error from cause.error.__cause__
        except TimeoutError as cause:
            raise TransportError(
                f"no answer from {request.place} within {self.deadline:g} s",
                provider=name,
                operation=operation,
                sent=line.busy,
                timed_out=line.busy,
            ) from (last or cause)

    def _refused(
        self,
        error: ProviderError,
        pause: float | None,
        request: Request | TokenRequest,
        operation: str,
    ) -> bool:
        """Let the whole account rest that answered 429, whether or not this request goes on."""
        # The host of a file, which is nobody's account, may say so, too.
        account = self._accounts.get(error.provider or "")
        if account is None or error.status != 429 or not isinstance(request, Request):
            return False
        seconds = (error.retry_after or 0.0) if pause is None else pause
        now = asyncio.get_running_loop().time()
        account.pace.refused(now, now + seconds)
        self.watch.refused(error, operation, seconds)
        return True

    async def pause(self, seconds: float) -> None:
        """Wait, but no longer than the hub is open."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ending.wait()

    async def aclose(self) -> None:
        """Close the session that was opened here; a second time does nothing."""
        self.network.stop()
        self._ending.set()
        keepers = [one.keeper for one in self._accounts.values() if one.keeper is not None]
        # Whoever is cancelled while it waits closes the rest all the same.
        async with AsyncExitStack() as closing:
            closing.push_async_callback(self.network.aclose)
            for account in self._accounts.values():
                account.pace.close()
            await asyncio.gather(*(keeper.aclose() for keeper in keepers))

    async def _attempt(
        self,
        provider: Provider,
        account: _Account,
        request: Request,
        operation: str,
        line: Line,
        *,
        rates: Mapping[str, Rate],
    ) -> Response:
        self.network.opened()
        origin = request.url.origin()
        if origin != provider.base_url.origin() and origin not in provider.origins:
            raise ConfigurationError(
                f"this recipe leads to {origin}, and this hub's {provider.name!r} is "
                f"at {provider.base_url.origin()}; make the recipe with hub[{provider.name!r}]",
                provider=provider.name,
                operation=operation,
            )
        is_counted = provider.tells or bool(rates)
        token = await _token(account.keeper) if account.keeper is not None else None
        while True:
            proof = shy(bearer(token.access) if token else provider.auth_headers())
            if rates or not account.pace.is_quiet or self._gate.locked():
                async with self._turn(account, rates, line, self._gate, operation):
                    response = await self.network.exchange(
                        provider, request, operation, line, proof, is_counted=is_counted
                    )
                    # Before its turn is over, so that whoever is next knows of it.
                    self._learn(provider, account, response)
            else:
                async with self._gate:
                    response = await self.network.exchange(
                        provider, request, operation, line, proof
                    )
                self._learn(provider, account, response)
            if 200 <= response.status < 300:
                return response
            # What aiohttp gives cannot be pickled, and errors can.
            response = evolve(response, headers=dict(response.headers))
            error = provider.error_for(operation, request, response)
            if _is_gone(request):
                raise error
            token = await _another(account.keeper, token, error, line)

    @asynccontextmanager
    async def _turn(
        self,
        account: _Account,
        rates: Mapping[str, Rate],
        line: Line,
        place: AbstractAsyncContextManager[Any],
        operation: str,
    ) -> AsyncIterator[None]:
        """Wait until a request may be sent, and take its place at the gate.

        For an account that rests, the request's own time is spent; what its budgets make it wait,
        however long, is not.
        """
        pace, time = account.pace, asyncio.get_running_loop().time
        while True:
            async with AsyncExitStack() as stack:
                if (recovery := pace.recovery) is not None:
                    _check_rest(account.name, operation, recovery.limit.rest(time()), line)
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
                await stack.enter_async_context(place)
                # While this one queued, another may have been refused.
                if not pace.is_refused(recovery, time()):
                    yield
                    return

    def _account(self, provider: Provider) -> _Account:
        account = self._accounts.get(provider.name)
        if account is None:
            account = self._accounts[provider.name] = _Account(
                name=provider.name,
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
        line = Line()
        return await self._persist(
            partial(self.network.issue, provider, asked, line),
            name=provider.name,
            request=asked,
            operation="token",
            line=line,
            begun=asyncio.get_running_loop().time(),
        )

    async def _opened(
        self,
        provider: Provider | None,
        request: Request,
        operation: str,
        accept: str,
        line: Line,
    ) -> Stream:
        self.network.opened()
        hops, asked = HOPS, request
        stream = Stream(
            gate=self._gate, failed=partial(self.network.no_answer, provider, asked, operation)
        )
        account = self._account(provider) if provider else None
        failed: TransportError | None = None
        token: Token | None = None
        try:
            while True:
                own = provider is not None and request.url.origin() in provider.origins
                proof: Mapping[str, str] = {}
                is_counted = False
                place: AbstractAsyncContextManager[None] = stream.place()
                if provider and account and own:
                    token = token or await _token(account.keeper)
                    proof = shy(bearer(token.access) if token else provider.auth_headers())
                    rates = provider.rates(request)
                    is_counted = provider.tells or bool(rates)
                    place = self._turn(account, rates, line, place, operation)
                async with place:
                    line.attempt, whose = line.attempt + 1, provider if own else None
                    with self.watch.request(whose, request, operation, line.attempt):
                        stream.answer = await self.network.get(request, accept, proof, is_counted)
                        stream.tell(self.watch)
                response = Response(
                    status=stream.answer.status, headers=dict(stream.answer.headers)
                )
                onward = _moved(request, response, operation) if hops else None
                if onward is not None:
                    stream.drop()
                    request, hops = onward, hops - 1
                    continue
                if 200 <= response.status < 300:
                    return stream
                response = evolve(response, body=await stream.answer.content.read(ERROR_SIZE))
                # Whoever waits for a token, or for a turn, holds no connection.
                stream.drop()
                error = _refusal(provider if own else None, operation, request, response)
                token = await _another(
                    account.keeper if account and own else None, token, error, line
                )
        except BROKEN as error:
            stream.close()
            failed, cause = (
                self.network.no_answer(provider, asked, operation, error),
                harmless(error),
            )
        except BaseException as error:  # noqa: BLE001 - raised again
            stream.close()
            # Among the variables of the frames below is what is sent.
            raise error.with_traceback(None)  # noqa: B904 - the same error
        # Here, since the error of before knows what was sent.
        raise failed from cause

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


@mutable(kw_only=True)
class _Account:
    """What is known of a provider's account for as long as the hub is open."""

    name: str
    pace: Pace
    keeper: Keeper | None
    told: str | None = None
    """The last date that it told, and how it was read."""
    date: datetime | None = None
    apart: timedelta | None = None
    """How far its clock is from ours."""


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo is not None else None


def _check_rest(name: str, operation: str, rest: float, line: Line) -> None:
    """Refuse to wait for an account that rests longer than there is time."""
    end = line.clock.when() if line.clock else None
    if end is not None and rest > end - asyncio.get_running_loop().time():
        raise RateLimitError(
            f"the account answered 429 and is left alone for {rest:.0f} s more; this was not sent",
            provider=name,
            operation=operation,
            retry_after=rest,
        )


def _set(clock: asyncio.Timeout | None, end: float | None) -> None:
    # One that has just run out is no longer to be moved.
    if clock is not None and not clock.expired():
        clock.reschedule(end)


class _NoTokenError(Exception):
    """There is no token to ask with, after all that was to be tried."""

    def __init__(self, error: ProviderError) -> None:
        super().__init__(error)
        self.error = error


async def _token(keeper: Keeper | None, refused: Token | None = None) -> Token | None:
    if keeper is None:
        return None
    try:
        return await keeper.token(refused)
    except ProviderError as error:
        raise _NoTokenError(unsent(error)) from None


async def _another(
    keeper: Keeper | None, token: Token | None, error: StatusError, line: Line
) -> Token:
    """Return another token in the place of the one that was refused, once; or raise the refusal."""
    if (
        line.renewed
        or keeper is None
        or token is None
        or not isinstance(error, AuthenticationError)
    ):
        raise error
    line.renewed = True
    new = await _token(keeper, token)
    if new is None or new.access == token.access:
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
        retry_after=told_to_wait(response),
    )
