"""Keeps an account's access token: renewed once for all who wait, in any process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from attrs import field, mutable

from conversations_hub.errors import ConfigurationError, ProviderError, TransportError
from conversations_hub.oauth import OAuthProvider, TokenRequest, is_plain
from conversations_hub.provider import Provider
from conversations_hub.secret import Secret
from conversations_hub.tokens import Token, TokenSource
from conversations_hub.wire import Response

Ask = Callable[[OAuthProvider, TokenRequest], Awaitable[Response]]

# A token is renewed so long before its end, or in the last tenth of a short life.
EARLY = timedelta(minutes=1)

log: logging.Logger = logging.getLogger("conversations_hub.renewal")


@mutable(kw_only=True, eq=False)
class Issuer:
    """A source of the tokens that a provider issues to an app."""

    provider: OAuthProvider
    ask: Ask = field(repr=False)

    async def token(self, refused: Secret | None) -> Token:
        """Return the token that is kept, or a new one in its place."""
        async with self.provider.tokens.lock():
            return await self._current(refused)

    async def exchange(self, code: str) -> Token:
        """Keep the token that a user's code is good for."""
        store = self.provider.tokens
        async with store.lock():
            new = await self._issued(self.provider.exchanging(code), None)
            while not await store.swap(await store.load(), new):
                pass
            return new

    async def revoke(self) -> None:
        """End the token that is kept, and forget it."""
        store = self.provider.tokens
        async with store.lock():
            token = await self._current(None)
            await self.ask(self.provider, self.provider.revoking(token))
            await store.swap(await store.load(), None)

    async def _current(self, refused: Secret | None) -> Token:
        store = self.provider.tokens
        while True:
            held = await store.load()
            known = held or self.provider.first
            if known is not None:
                self.provider.hide(known)
                if _works(known, refused):
                    return known
            new = await self._issued(self.provider.renewing(known), known)
            if await store.swap(held, new):
                return new

    async def _issued(self, asked: TokenRequest, before: Token | None) -> Token:
        response = await self.ask(self.provider, asked)
        return self.provider.issued(response, datetime.now(UTC), before)


@mutable(kw_only=True, eq=False)
class Keeper:
    """The token of one account in one hub."""

    provider: OAuthProvider
    source: TokenSource
    patience: float
    """So many seconds a new token may take."""
    _token: Token | None = field(default=None, init=False, repr=False)
    _renew_at: datetime | None = field(default=None, init=False)
    _renewing: asyncio.Task[Token] | None = field(default=None, init=False)

    async def token(self, refused: Token | None = None) -> Token:
        """Return a token, but not the one that was refused if there is another.

        It is fetched in a task of its own: whoever waits for it may go, and what was issued is
        still kept.
        """
        old = refused.access if refused is not None else None
        while True:
            held = self._token
            is_good = held is not None and _works(held, old)
            if held is not None and is_good and not self._is_due():
                return held
            task, is_mine = self._renewing, self._renewing is None
            if task is None:
                due = held.access if held is not None and is_good else old
                task = self._renewing = asyncio.ensure_future(self._renewed(due))
                task.add_done_callback(self._done)
            try:
                found = await asyncio.shield(task)
            except ProviderError as error:
                if held is not None and is_good and error.transient:
                    log.warning(
                        "%s: the token could not be renewed early",
                        self.provider.name,
                        extra={"hub_provider": self.provider.name, "hub_status": error.status},
                    )
                    return held
                raise
            if is_mine or _works(found, old):
                return found

    async def exchange(self, code: str) -> None:
        """Go on with the token that a user's code is good for."""
        self._take(await self._issuer("authorize").exchange(code))

    async def revoke(self) -> None:
        """End the token for good."""
        await self._issuer("deauthorize").revoke()
        self._take(None)

    async def aclose(self) -> None:
        """Wait for a token that is on its way, since it may be the only one that works."""
        if (task := self._renewing) is not None:
            try:
                await asyncio.wait([task], timeout=self.patience)
            finally:
                task.cancel()

    def _is_due(self) -> bool:
        return self._renew_at is not None and datetime.now(UTC) >= self._renew_at

    def _issuer(self, question: str) -> Issuer:
        if isinstance(self.source, Issuer):
            return self.source
        raise self.provider.unsupported(
            question, "tokens come from elsewhere; give the provider a client_id and client_secret"
        )

    async def _renewed(self, refused: Secret | None) -> Token:
        try:
            async with asyncio.timeout(self.patience):
                found = await self.source.token(refused)
        except TimeoutError as cause:
            raise TransportError(
                f"no token within {self.patience:g} s", provider=self.provider.name
            ) from cause
        token = found if isinstance(found, Token) else Token(access=found)
        if not is_plain(token.access.reveal()):
            raise ConfigurationError(
                "the source of tokens gave one that cannot be sent", provider=self.provider.name
            )
        self._take(token)
        return token

    def _take(self, token: Token | None) -> None:
        self._token, self._renew_at = token, None
        if token is not None:
            self.provider.hide(token)
            if token.expires_at is not None:
                life = token.expires_at - datetime.now(UTC)
                self._renew_at = token.expires_at - min(EARLY, life / 10)

    def _done(self, task: asyncio.Task[Token]) -> None:
        self._renewing = None
        if not task.cancelled():
            task.exception()  # is told to whoever still waits


def _works(token: Token, refused: Secret | None) -> bool:
    """Tell whether a token may work still."""
    if not token.access or token.access == refused:
        return False
    return token.expires_at is None or datetime.now(UTC) < token.expires_at


def keeper_of(provider: Provider, ask: Ask, patience: float) -> Keeper | None:
    """Return what keeps a provider's token, where that is not just given."""
    if not isinstance(provider, OAuthProvider):
        return None
    source = provider.source
    if source is None and provider.client_id:
        source = Issuer(provider=provider, ask=ask)
    if source is None:
        return None
    return Keeper(provider=provider, source=source, patience=patience)
