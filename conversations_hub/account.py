"""What is known of a provider's account for as long as a hub is open: pace, token and clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from attrs import field, mutable

from conversations_hub.budget import Rate
from conversations_hub.errors import (
    AuthenticationError,
    ProviderError,
    StatusError,
)
from conversations_hub.oauth import bearer
from conversations_hub.pace import Pace
from conversations_hub.provider import Provider
from conversations_hub.renewal import Keeper, unsent
from conversations_hub.secret import shy
from conversations_hub.sending import REFUSED, SPENT, Sending
from conversations_hub.tokens import Token
from conversations_hub.watching import Watch
from conversations_hub.wire import Response, shifted

# A Date header has whole seconds; without one, clocks may be far apart.
SURE, UNSURE = timedelta(seconds=2), timedelta(minutes=5)


class NoTokenError(Exception):
    """There is no token to ask with, after all that was to be tried."""

    def __init__(self, error: ProviderError) -> None:
        super().__init__(error)
        self.error = error


@mutable(kw_only=True, eq=False)
class Account:
    """One account, and what is asked of it by everybody who shares a hub."""

    provider: Provider
    keeper: Keeper | None
    gate: asyncio.Semaphore = field(repr=False)
    """One for each account, so that one that hangs does not hold up the others."""
    watch: Watch = field(repr=False)
    pace: Pace = field(init=False)
    _date: datetime | None = field(default=None, init=False)
    _told: str | None = field(default=None, init=False)
    """How the last date was written."""
    _apart: timedelta | None = field(default=None, init=False)
    """How far its clock is from ours."""

    def __attrs_post_init__(self) -> None:
        self.pace = Pace(tells_allowance=self.provider.tells_allowance)

    async def token(self, sending: Sending, refused: Token | None = None) -> Token | None:
        """Return what to ask with; None where that is not issued."""
        if self.keeper is None:
            return None
        sending.waits_for = "token"
        try:
            return await self.keeper.token(refused)
        except ProviderError as error:
            raise NoTokenError(unsent(error)) from None

    async def another(self, sending: Sending, token: Token | None, error: StatusError) -> Token:
        """Return a token in the place of one that was refused, once; or raise the refusal."""
        if (
            sending.has_renewed
            or self.keeper is None
            or token is None
            or not isinstance(error, AuthenticationError)
        ):
            raise error
        new = await self.token(sending, token)
        if new is None or new.access == token.access:
            raise error
        # Another process may have put it into the store, and long ago.
        sending.has_renewed = self.keeper.is_new(new)
        return new

    def proof(self, token: Token | None) -> Mapping[str, str]:
        """Return the headers that prove who asks."""
        return shy(bearer(token.access) if token else self.provider.auth_headers())

    def is_counted(self, rates: Mapping[str, Rate]) -> bool:
        """Tell whether each request counts, so that none may be sent behind our back."""
        return bool(rates) or self.provider.tells_allowance

    @asynccontextmanager
    async def turn(
        self, sending: Sending, rates: Mapping[str, Rate], place: AbstractAsyncContextManager[Any]
    ) -> AsyncIterator[None]:
        """Wait until a request may be sent, and take its place at the gate.

        Raises `RateLimitError` at once where that takes longer than there is time.
        """
        pace, time, before = self.pace, asyncio.get_running_loop().time, sending.attempt

        def is_used() -> bool:
            return sending.attempt > before

        while True:
            async with AsyncExitStack() as stack:
                sending.waits_for = "turn"
                if (recovery := pace.recovery) is not None:
                    sending.check_wait(recovery.limit.rest(time()), REFUSED)
                    await stack.enter_async_context(recovery.one(is_used))
                begun, waits = time(), False
                for turns in pace.turns(rates, begun):
                    waits = waits or not turns.is_free(begun)
                    sending.check_wait(turns.limit.pause(time()), SPENT)
                    await stack.enter_async_context(turns.one(is_used))
                if waits:
                    self.watch.waited(time() - begun)
                sending.waits_for = "connection"
                await stack.enter_async_context(place)
                # While this one queued, another may have been refused.
                if not pace.is_refused(recovery, time()):
                    yield
                    return

    def learn(self, response: Response) -> None:
        """Remember how far its clock is from ours, and what may still be asked."""
        told = response.headers.get("Date")
        if told != self._told:
            self._told, self._date = told, _moment(told) if told else None
            if self._date is not None:
                self._apart = self._date - datetime.now(UTC)
        if self.provider.tells_allowance:
            allowance = self.provider.allowance(response, self._date or datetime.now(UTC))
            # A refusal that does not tell, such as of a token, does not mean that nothing does.
            if allowance is not None or response.status < 400:
                self.pace.told(allowance, asyncio.get_running_loop().time())

    def earliest(self, moment: datetime) -> datetime:
        """Return what its clock said at a moment, at the earliest."""
        return moment - UNSURE if self._apart is None else shifted(moment, self._apart - SURE)


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else None
