"""Remembers what users allowed: codes that work once, tokens that end, refresh tokens."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from math import inf

from attrs import field, frozen, mutable


@mutable(eq=False)
class Consent:
    """What somebody agreed to, and the tokens that came of it."""

    scopes: tuple[str, ...] = ()
    refresh: str | None = None
    replaced: set[str] = field(factory=set, init=False)
    """Refresh tokens that were given up for a newer one."""
    access: dict[str, float] = field(factory=dict, init=False)
    """Until when each access token works."""


@frozen(kw_only=True)
class Code:
    """What a code stands for until it is exchanged."""

    consent: Consent
    redirect_uri: str
    state: str | None
    until: float


@mutable(eq=False)
class Grants:
    """The memory of one authorization server; no other ever issues the same tokens."""

    clock: Callable[[], float] = time.time
    codes: dict[str, Code] = field(factory=dict, init=False)
    _consents: list[Consent] = field(factory=list, init=False)

    def agree(self, scopes: tuple[str, ...] = ()) -> Consent:
        """Begin with a new consent, which has no token yet."""
        self._consents.append(Consent(scopes))
        return self._consents[-1]

    def code(self, consent: Consent, redirect_uri: str, state: str | None, seconds: float) -> str:
        """Return a code for somebody to exchange."""
        made = secrets.token_hex(20)
        self.codes[made] = Code(
            consent=consent,
            redirect_uri=redirect_uri,
            state=state,
            until=self.clock() + seconds,
        )
        return made

    def redeem(self, code: str, redirect_uri: str) -> Consent | None:
        """Return what a code stands for, once; None where it is not that of this request."""
        found = self.codes.pop(code, None)
        if found is None or found.until <= self.clock() or found.redirect_uri != redirect_uri:
            return None
        return found.consent

    def issue(self, consent: Consent, seconds: float | None) -> str:
        """Return an access token that works so long, or until it is revoked."""
        made = secrets.token_hex(20)
        consent.access[made] = inf if seconds is None else self.clock() + seconds
        return made

    def renew(self, consent: Consent) -> str:
        """Return a refresh token; the one before, if any, is given up."""
        if consent.refresh is not None:
            consent.replaced.add(consent.refresh)
        consent.refresh = secrets.token_hex(20)
        return consent.refresh

    def refreshed(self, refresh: str) -> Consent | None:
        """Return whose refresh token it is; one that was given up ends all that came of it."""
        for consent in self._consents:
            if refresh in consent.replaced:
                self.withdraw(refresh)  # two have it, so one has stolen it
            elif refresh == consent.refresh:
                return consent
        return None

    def accepts(self, access: str) -> bool:
        """Tell whether an access token works."""
        now = self.clock()
        return any(now < consent.access.get(access, -inf) for consent in self._consents)

    def revoke(self, token: str) -> None:
        """End one token, access or refresh; the others go on."""
        for consent in self._with(token):
            consent.access.pop(token, None)
            if consent.refresh == token:
                consent.refresh = None

    def withdraw(self, token: str) -> None:
        """End the consent that a token came of, and with it all its tokens."""
        for consent in self._with(token):
            consent.access.clear()
            consent.refresh = None

    def expire_all(self) -> None:
        """End all access tokens, as time would."""
        for consent in self._consents:
            consent.access.clear()

    def _with(self, token: str) -> Iterator[Consent]:
        for consent in self._consents:
            if token in {*consent.access, *consent.replaced, consent.refresh}:
                yield consent
