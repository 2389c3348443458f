"""Keeps an account's access token: renewed once for all who wait, in any process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

from attrs import field, mutable

from conversations_hub.errors import (
    AuthenticationError,
    ConfigurationError,
    HubError,
    ProviderError,
    TransportError,
)
from conversations_hub.oauth import OAuthProvider, TokenRequest, is_plain
from conversations_hub.provider import Provider
from conversations_hub.secret import Secret
from conversations_hub.tokens import Token, TokenSource
from conversations_hub.wire import Response

A = TypeVar("A")
E = TypeVar("E", bound=HubError)

Ask = Callable[[OAuthProvider, TokenRequest], Awaitable[Response]]

# A token is renewed so long before its end, or in the last tenth of a short life; where that
# fails, as long as the old one is good, the next try is so much later.
EARLY = timedelta(minutes=1)
LATER = timedelta(seconds=5)
# A store that did not take a token is tried again so much later.
AGAIN = timedelta(minutes=1)
# How many seconds closing waits for a token that is on its way.
CLOSING = 5.0
# What can be renewed no more (RFC 6749, section 5.2).
INVALID_GRANT = "invalid_grant"

log: logging.Logger = logging.getLogger("conversations_hub.renewal")


@mutable(kw_only=True, eq=False)
class Issuer:
    """A source of the tokens that a provider issues to an app."""

    provider: OAuthProvider
    ask: Ask = field(repr=False)
    _unsaved: tuple[Token | None, Token] | None = field(default=None, init=False, repr=False)
    """What the store held, and what it did not take: maybe the only token that works."""
    own: Secret | None = field(default=None, init=False, repr=False)
    """What was issued here last; whatever else the store holds is another process's."""

    @property
    def is_behind(self) -> bool:
        """Whether the store has not taken the newest token yet."""
        return self._unsaved is not None

    async def token(self, refused: Secret | None) -> Token:
        """Return the token that is kept, or a new one in its place."""
        # While somebody renews a token that still works, the others go on with it.
        _, known = await self._known()
        if known is not None and _works(known, refused) and not self.is_behind:
            return known
        async with self.provider.tokens.lock():
            return await self._current(refused)

    async def exchange(self, code: str) -> Token:
        """Exchange a user's code for a token, and keep it."""
        store = self.provider.tokens
        async with store.lock():
            # Before the code is spent, since a store that cannot be read is to be mended first.
            held = await store.load()
            new = await self._issued(self.provider.exchanging(code), None)
            if not await self._kept(held, new):
                await self._kept(await store.load(), new)
            return new

    async def revoke(self) -> None:
        """End the token that is kept, and forget it."""
        provider, store = self.provider, self.provider.tokens
        if not provider.revokes:
            raise provider.unsupported("deauthorize", "a token ends with its lifetime")
        async with store.lock():
            try:
                await self._ended(await self._current(None))
            except AuthenticationError as error:
                # There is nothing left to end: the answer to an earlier try may have been lost.
                if error.code != INVALID_GRANT:
                    raise
            self._unsaved = None
            await store.swap(await store.load(), None)

    async def _ended(self, token: Token) -> None:
        try:
            await self.ask(self.provider, self.provider.revoking(token))
        except AuthenticationError:
            # It had ended before, and what it could be renewed with may go on.
            other = await self._current(token.access)
            await self.ask(self.provider, self.provider.revoking(other))

    async def _current(self, refused: Secret | None) -> Token:
        held, known = await self._known()
        if known is not None and _works(known, refused):
            if self.is_behind:
                await self._kept(held, known)
            return known
        new = await self._issued(self.provider.renewing(known), known)
        await self._kept(held, new)
        return new

    async def _known(self) -> tuple[Token | None, Token | None]:
        """Return what the store holds, and the newest token that there is."""
        held = await self.provider.tokens.load()
        if self._unsaved is not None and self._unsaved[0] != held:
            self._unsaved = None  # what somebody else has put there since is newer
        known = self._unsaved[1] if self._unsaved else held or self.provider.first
        if known is not None:
            self.provider.hide(known)
        return held, known

    async def _kept(self, held: Token | None, new: Token) -> bool:
        """Put a new token into the store; one that it fails to take is good all the same."""
        # Beforehand, since whoever waits for a store may be cancelled.
        self._unsaved = held, new
        try:
            store = self.provider.tokens
            # It may forget to say that it did.
            is_kept = await store.swap(held, new) or await store.load() == new
        except Exception as error:  # noqa: BLE001 - a store may be anybody's
            # What others say is nothing for a log.
            said = str(error) if isinstance(error, HubError) else type(error).__name__
            why = self.provider.redact(said)
            log.warning("%s: a token was not kept: %s", self.provider.name, why)
            return True
        if is_kept:
            self._unsaved = None
        return is_kept

    async def _issued(self, asked: TokenRequest, before: Token | None) -> Token:
        response = await self.ask(self.provider, asked)
        new = self.provider.issued(response, datetime.now(UTC), before)
        self.own = new.access
        return new


@mutable(kw_only=True, eq=False)
class Keeper:
    """The token of one account in one hub."""

    provider: OAuthProvider
    source: TokenSource
    patience: float
    """How many seconds a new token may take."""
    _token: Token | None = field(default=None, init=False, repr=False)
    _renew_at: datetime | None = field(default=None, init=False)
    _renewing: asyncio.Task[Token] | None = field(default=None, init=False)
    _instead_of: Secret | None = field(default=None, init=False)
    """The token that the running renewal is to replace."""
    _closed: bool = field(default=False, init=False)

    async def token(self, refused: Token | None = None) -> Token:
        """Return a token, but not the one that was refused if there is another.

        It is fetched in a task of its own: whoever waits for it may go, and what was issued is
        still kept. As long as there is a good one, nobody waits.
        """
        old = refused.access if refused is not None else None
        while True:
            held = self._token
            if held is not None and _works(held, old):
                if self._is_due() and self._renewing is None:
                    # What was not kept is first to be kept.
                    renewed = None if self._is_behind else held.access
                    self._renew(renewed).add_done_callback(self._not_yet)
                return held
            task = self._renew(old)
            is_for_this = self._instead_of == old
            found = await self._awaited(task)
            if is_for_this or _works(found, old):
                return found

    def is_new(self, token: Token) -> bool:
        """Tell whether there can be no better one: a store may hold one that has ended as well."""
        return not isinstance(self.source, Issuer) or token.access == self.source.own

    async def exchange(self, code: str) -> None:
        """Exchange a user's code for a token, and use that from now on."""
        issuer = self._issuer("authorize")
        self._take(await self._in_time(partial(issuer.exchange, code), sent=True))
        if issuer.is_behind:
            raise ConfigurationError(
                "the token was issued, and works as long as this hub is open, but its store did "
                "not take it: see to the store, which is tried again each minute",
                provider=self.provider.name,
            )

    async def revoke(self) -> None:
        """End the token for good."""
        await self._in_time(self._issuer("deauthorize").revoke, sent=True)
        self._take(None)

    async def aclose(self) -> None:
        """Wait a little for a token that is on its way, since it may be the only one that works."""
        self._closed = True
        if (task := self._renewing) is not None:
            try:
                await asyncio.wait([task], timeout=min(CLOSING, self.patience))
            finally:
                task.cancel()

    def _renew(self, old: Secret | None) -> asyncio.Task[Token]:
        """Return the task that fetches a token; there is one at a time."""
        if self._closed:
            raise _closed()
        if self._renewing is None:
            self._instead_of = old
            self._renewing = asyncio.ensure_future(self._renewed(old))
            self._renewing.add_done_callback(self._done)
        return self._renewing

    async def _awaited(self, task: asyncio.Task[Token]) -> Token:
        try:
            return await asyncio.shield(task)
        except HubError as error:
            # What is told of one caller is not true of the others.
            raise _twin(error) from error.__cause__
        except asyncio.CancelledError:
            if self._closed and task.cancelled() and not _is_cancelled():
                raise _closed() from None
            raise

    @property
    def _is_behind(self) -> bool:
        return isinstance(self.source, Issuer) and self.source.is_behind

    def _is_due(self) -> bool:
        return self._renew_at is not None and datetime.now(UTC) >= self._renew_at

    def _not_yet(self, task: asyncio.Task[Token]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._renew_at = datetime.now(UTC) + LATER
            log.warning(
                "%s: the token could not be renewed early: %s",
                self.provider.name,
                type(error).__name__,
                extra={"hub_provider": self.provider.name},
            )

    def _issuer(self, question: str) -> Issuer:
        if isinstance(self.source, Issuer):
            return self.source
        raise self.provider.unsupported(
            question, "tokens come from elsewhere; give the provider a client_id and client_secret"
        )

    async def _renewed(self, refused: Secret | None) -> Token:
        found = await self._in_time(partial(self.source.token, refused), sent=False)
        if not isinstance(found, Token | Secret | str):
            kind = type(found).__name__
            del found  # from what a traceback may take along
            raise ConfigurationError(
                f"the source of tokens gave a {kind}, which is no token",
                provider=self.provider.name,
            )
        found = token = found if isinstance(found, Token) else Token(access=found)
        if not is_plain(token.access.reveal()):
            raise ConfigurationError(
                "the source of tokens gave one that cannot be sent", provider=self.provider.name
            )
        self._take(token)
        return token

    async def _in_time(self, ask: Callable[[], Awaitable[A]], *, sent: bool) -> A:
        """Ask a source or a store, which may be anybody's, for no longer than there is time."""
        clock = asyncio.timeout(self.patience)
        try:
            async with clock:
                return await ask()
        except HubError:
            raise
        except (Exception, asyncio.CancelledError) as cause:
            if isinstance(cause, asyncio.CancelledError) and _is_cancelled():
                raise
            why = f"the source of tokens failed: {type(cause).__name__}"
            if isinstance(cause, TimeoutError) and clock.expired():
                why = f"no token within {self.patience:g} s"
            raise TransportError(
                why, provider=self.provider.name, operation="token", sent=sent
            ) from cause

    def _take(self, token: Token | None) -> None:
        self._token, self._renew_at = token, None
        if token is not None:
            self.provider.hide(token)
            if token.expires_at is not None:
                life = token.expires_at - datetime.now(UTC)
                self._renew_at = token.expires_at - min(EARLY, life / 10)
            if self._is_behind:
                self._renew_at = datetime.now(UTC) + AGAIN

    def _done(self, task: asyncio.Task[Token]) -> None:
        self._renewing = None
        if not task.cancelled():
            task.exception()  # is told to whoever still waits


def _closed() -> ConfigurationError:
    return ConfigurationError("this hub is closed; open a new one")


def _twin(error: E) -> E:
    """Return another error of the same kind, whatever its class is made with."""
    twin = type(error).__new__(type(error), *error.args)
    twin.__dict__.update(error.__dict__)
    return twin


def _is_cancelled() -> bool:
    """Tell whether the present task itself was cancelled, and not what it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _works(token: Token, refused: Secret | None) -> bool:
    """Tell whether a token may work still."""
    if not token.access or token.access == refused:
        return False
    return token.expires_at is None or datetime.now(UTC) < token.expires_at


def unsent(error: ProviderError) -> ProviderError:
    """Return the error for a request that was not sent, since there was no token."""
    # Whatever else a source may raise is not about what was asked for.
    if isinstance(error, AuthenticationError) or (
        isinstance(error, TransportError) and not error.sent
    ):
        return error
    told = TransportError(
        f"there is no token: {error.args[0]}",
        provider=error.provider,
        operation=error.operation,
        sent=False,
    )
    told.retry_after = error.retry_after
    told.__cause__ = error
    return told


def keeper_of(provider: Provider, ask: Ask, patience: float) -> Keeper | None:
    """Return the keeper of a provider's token, unless that was given as a text."""
    if not isinstance(provider, OAuthProvider):
        return None
    source = provider.source
    if source is None and provider.client_id:
        source = Issuer(provider=provider, ask=ask)
    if source is None:
        return None
    return Keeper(provider=provider, source=source, patience=patience)
