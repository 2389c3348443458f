"""Asks until there is an answer: deadlines, turns, tokens, and retries of what may pass."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import TypeVar

from attrs import evolve, field, mutable
from yarl import URL

from conversations_hub.account import Account, NoTokenError
from conversations_hub.arguments import check_number, check_time
from conversations_hub.budget import Rate
from conversations_hub.errors import (
    ConfigurationError,
    ProviderError,
    RateLimitError,
    StatusError,
    TransportError,
    class_for,
)
from conversations_hub.network import BROKEN, Network
from conversations_hub.oauth import OAuthProvider, TokenRequest
from conversations_hub.provider import Provider
from conversations_hub.renewal import Keeper, keeper_of
from conversations_hub.retrying import pause_after, pauses, told_to_wait
from conversations_hub.sending import Sending
from conversations_hub.stream import Stream
from conversations_hub.tokens import Token
from conversations_hub.watching import Watch
from conversations_hub.wire import Request, Response, address

A = TypeVar("A")

HOPS = 5
REDIRECTS = {301, 302, 303, 307, 308}


@mutable(kw_only=True)
class Transport:
    """Sends requests for providers; made without an event loop, opened by its first request.

    Times are in seconds: `timeout` bounds one attempt, `deadline` everything that one request
    takes, with its retries and its waits for a token, for its turn and for a free connection.
    At most `connections` requests of an account are under way at a time, so that an account that
    hangs holds up no other.
    """

    network: Network = field(factory=Network)
    deadline: float = 120.0
    retries: int = 5
    connections: int = 32
    watch: Watch = field(factory=Watch, repr=False)
    _elsewhere: asyncio.Semaphore = field(init=False, repr=False)
    """What files pass that are no account's."""
    _accounts: dict[str, Account] = field(factory=dict, init=False, repr=False)
    _ending: asyncio.Event = field(factory=asyncio.Event, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        check_time(deadline=self.deadline)
        check_number(0, retries=self.retries)
        check_number(1, connections=self.connections)
        self._elsewhere = asyncio.Semaphore(self.connections)

    @property
    def timeout(self) -> float:
        """What bounds one attempt."""
        return self.network.timeout

    async def send(self, provider: Provider, request: Request, operation: str) -> Response:
        """Ask until the answer is yes, or raise why there is none.

        A write is sent again only where it cannot have been processed: no connection was made,
        the answer was 429, or 401 and there is another token.
        """
        begun = asyncio.get_running_loop().time()
        sending = Sending(provider, request, operation, begun, is_write=request.is_write)
        account = self._accounts.get(provider.name) or self._account(provider)
        rates = provider.rates(request)
        failed: ProviderError | None = None
        # Unless it has to queue, an attempt is bounded by its own timeout, and two cost more. But
        # that leaves out what a caller's session may do besides, and is rounded to seconds.
        if (
            self.network.session is None
            and self.network.timeout + 1 <= self.deadline
            and request.file is None
            and not rates
            and account.keeper is None
            and account.pace.is_quiet
            and not account.gate.locked()
        ):
            try:
                return await self._attempt(sending, account, rates)
            except ProviderError as error:
                failed = error
        attempt = partial(self._attempt, sending, account, rates)
        return await self._persist(sending, attempt, account, failed)

    async def open(
        self, provider: Provider | None, request: Request, operation: str, accept: str = "*/*"
    ) -> Stream:
        """Begin to read an answer whose body comes bit by bit, wherever it is.

        Redirects are followed, five at most; the credentials go to the provider's own origins
        alone, and from HTTPS there is no way down to HTTP.
        """
        begun = asyncio.get_running_loop().time()
        sending = Sending(provider, request, operation, begun, is_write=request.is_write)
        account = self._account(provider) if provider else None
        return await self._persist(
            sending, partial(self._opened, sending, account, accept), account
        )

    def now(self, provider: Provider) -> Callable[[], datetime]:
        """Return what tells this moment, at the earliest, by a provider's clock.

        How far the clocks are apart is learned from its answers, also from later ones.
        """
        moment = datetime.now(UTC)
        return lambda: self._account(provider).earliest(moment)

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
        sending: Sending,
        attempt: Callable[[], Awaitable[A]],
        account: Account | None,
        failed: ProviderError | None = None,
    ) -> A:
        """Try, or try again where an attempt has failed, until the deadline."""
        last, time = failed, asyncio.get_running_loop().time
        planned = islice(pauses(), self.retries)
        try:
            async with asyncio.timeout_at(sending.begun + self.deadline) as sending.clock:
                while True:
                    if last is not None:
                        pause = pause_after(last, next(planned, None))
                        rests = self._refused(sending, account, last, pause)
                        left = (sending.clock.when() or 0.0) - time()
                        if pause is None or pause >= left or not _may_repeat(sending, last):
                            raise last
                        self.watch.retrying(last, sending.operation, sending.attempt, pause)
                        if not rests:
                            await self.pause(pause)
                    try:
                        return await attempt()
                    except ProviderError as error:
                        last = error
        except NoTokenError as cause:
            raise cause.error from cause.error.__cause__
        except TimeoutError as cause:
            rest = account.pace.rest(time()) if account else 0.0
            raise sending.late(self.deadline, rest) from (last or cause)

    def _refused(
        self,
        sending: Sending,
        account: Account | None,
        error: ProviderError,
        pause: float | None,
    ) -> bool:
        """Let the whole account rest that answered 429, whether or not this request goes on."""
        # The host of a file, which is nobody's account, may say so, too.
        if account is None or error.provider is None or error.status != 429:
            return False
        seconds = (error.retry_after or 0.0) if pause is None else pause
        now = asyncio.get_running_loop().time()
        account.pace.refused(now, now + seconds)
        self.watch.refused(error, sending.operation, seconds)
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
        self, sending: Sending, account: Account, rates: Mapping[str, Rate]
    ) -> Response:
        self.network.opened()
        provider, request = account.provider, sending.request
        _check_origin(provider, sending)
        token = await account.token(sending)
        while True:
            if rates or not account.pace.is_quiet or account.gate.locked():
                async with account.turn(sending, rates, account.gate):
                    # A turn may take longer than a token lives, or what is signed.
                    token = await account.token(sending)
                    proof, is_counted = account.proof(token), account.is_counted(rates)
                    response = await self.network.exchange(sending, proof, is_counted=is_counted)
                    # Before its turn is over, so that whoever is next knows of it.
                    account.learn(response)
            else:
                async with account.gate:
                    response = await self.network.exchange(sending, account.proof(token))
                account.learn(response)
            if 200 <= response.status < 300:
                return response
            # What aiohttp gives cannot be pickled, and errors can.
            response = evolve(response, headers=dict(response.headers))
            error = provider.error_for(sending.operation, request, response)
            if _is_gone(request):
                raise error
            token = await account.another(sending, token, error)

    def _account(self, provider: Provider) -> Account:
        account = self._accounts.get(provider.name)
        if account is None:
            account = self._accounts[provider.name] = Account(
                provider=provider,
                keeper=keeper_of(provider, self._ask_for_token, self.deadline),
                gate=asyncio.Semaphore(self.connections),
                watch=self.watch,
            )
        return account

    def _issuing(self, provider: Provider, question: str) -> Keeper:
        keeper = self._account(provider).keeper
        if keeper is None:
            raise provider.unsupported(question, "its credentials are given, and never issued")
        return keeper

    async def _ask_for_token(self, provider: OAuthProvider, asked: TokenRequest) -> Response:
        """Ask the token endpoint, which counts as nobody's request."""
        begun = asyncio.get_running_loop().time()
        sending = Sending(provider, asked.request, "token", begun, is_write=asked.is_write)
        return await self._persist(
            sending, partial(self.network.issue, provider, asked, sending), account=None
        )

    async def _opened(self, sending: Sending, account: Account | None, accept: str) -> Stream:
        failed: TransportError | None = None
        stream = Stream(
            gate=account.gate if account is not None else self._elsewhere,
            failed=partial(self.network.no_answer, sending),
            deadline=self.deadline,
        )
        try:
            await self._follow(stream, sending, account, accept)
        except BROKEN as error:
            stream.close()
            failed = self.network.no_answer(sending, error)
        except BaseException as error:  # noqa: BLE001 - raised again
            stream.close()
            # Among the variables of the frames below is what is sent.
            raise error.with_traceback(None)  # noqa: B904 - the same error
        else:
            return stream
        # Here, since the error of before knows what was sent.
        raise failed

    async def _follow(
        self, stream: Stream, sending: Sending, account: Account | None, accept: str
    ) -> None:
        """Ask for a file wherever it is now, until there is an answer."""
        self.network.opened()
        request, hops = sending.request, HOPS
        token: Token | None = None
        while True:
            sending.is_out = False
            owner = account if account and account.provider.owns(request.url) else None
            provider = owner.provider if owner else None
            is_counted = False
            place: AbstractAsyncContextManager[None] = stream
            if owner is not None:
                token = token or await owner.token(sending)
                rates = owner.provider.rates(request)
                is_counted = owner.is_counted(rates)
                place = owner.turn(sending, rates, place)
            async with place:
                proof: Mapping[str, str] = {}
                if owner is not None:
                    token = await owner.token(sending)
                    proof = owner.proof(token)
                sending.begin()
                with self.watch.request(provider, request, sending.operation, sending.attempt):
                    stream.answer = await self.network.get(request, accept, proof, is_counted)
                    stream.tell(self.watch)
                response = Response(status=stream.answer.status, headers=stream.answer.headers)
                if owner is not None:
                    owner.learn(response)
            onward = _moved(request, response, sending.operation, provider) if hops else None
            if onward is not None:
                stream.drop()
                request, hops = onward, hops - 1
                continue
            if 200 <= response.status < 300:
                return
            body = await self.network.content(stream.answer, sending)
            response = evolve(response, body=body, headers=dict(response.headers))
            # Whoever waits for a token, or for a turn, holds no connection.
            stream.drop()
            sending.is_out = False
            error = _refusal(provider, sending.operation, request, response)
            if owner is None:
                raise error
            token = await owner.another(sending, token, error)


def _check_origin(provider: Provider, sending: Sending) -> None:
    """Refuse a recipe that was made for another place, where the credentials are not to go."""
    origin = sending.request.url.origin()
    if origin == provider.base_url.origin() or provider.owns(origin):
        return
    raise ConfigurationError(
        f"this recipe leads to {origin}, and this hub's {provider.name!r} is "
        f"at {provider.base_url.origin()}; make the recipe with hub[{provider.name!r}]",
        provider=provider.name,
        operation=sending.operation,
    )


def _is_gone(request: Request) -> bool:
    """Tell whether what was sent cannot be read again."""
    return bool(request.file and request.file.is_stream)


def _may_repeat(sending: Sending, error: ProviderError) -> bool:
    """Tell whether asking again does nothing twice."""
    if _is_gone(sending.request):
        return False
    if not sending.is_write:
        return error.transient
    return isinstance(error, RateLimitError) or (
        isinstance(error, TransportError) and not error.sent
    )


def _moved(
    request: Request, response: Response, operation: str, provider: Provider | None
) -> Request | None:
    """Return the request for where an answer leads on, if it does."""
    place = response.header("Location")
    if response.status not in REDIRECTS or place is None:
        return None
    name = provider.name if provider is not None else None
    if provider is not None and provider.redact(place) != place:
        raise _no_way(request, "an address with a credential in it", operation, name)
    try:
        url = request.url.join(address(place))
        host = url.host
    except ValueError:
        url, host = URL(), None
    down = (request.url.scheme, url.scheme) == ("https", "http")
    if url.scheme not in {"http", "https"} or not host or down:
        raise _no_way(request, url.scheme or "no address", operation, name)
    return evolve(request, url=url)


def _no_way(request: Request, where: str, operation: str, name: str | None) -> TransportError:
    """Return the error for a redirect that leads to where nobody goes, now or later."""
    error = TransportError(
        f"{request.place} redirects to {where}, which is not followed",
        provider=name,
        operation=operation,
    )
    error.transient = False
    return error


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
