"""Access tokens: what they are, where they come from and where they are kept."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from attrs import field, frozen

from conversations_hub.errors import ConfigurationError
from conversations_hub.secret import Secret, secret, secret_or_none


def _is_aware(_: Any, __: Any, moment: Any) -> None:
    if moment is not None and not (isinstance(moment, datetime) and moment.tzinfo is not None):
        raise ConfigurationError(
            "expires_at must be an aware datetime, such as datetime.now(UTC) + timedelta(hours=1)"
        )


@frozen(kw_only=True)
class Token:
    """An access token as a provider issued it; without `expires_at`, until it is refused."""

    access: Secret = field(converter=secret)
    refresh: Secret | None = field(default=None, converter=secret_or_none)
    expires_at: datetime | None = field(default=None, validator=_is_aware)
    scopes: tuple[str, ...] = ()


@runtime_checkable
class TokenSource(Protocol):
    """Where a service of yours has its tokens, such as a vault."""

    async def token(self, refused: Secret | None) -> Token | Secret | str:
        """Return a token that works; `refused` is the one that no longer does.

        It is asked once for all who wait, and again when the token expires or is refused. Where
        it has no better one, it returns the same, and the refusal is the caller's.
        """
        ...


@runtime_checkable
class TokenStore(Protocol):
    """Where the token of one account is kept, maybe for several processes."""

    async def load(self) -> Token | None:
        """Return the token, if there is one."""
        ...

    async def swap(self, old: Token | None, new: Token | None) -> bool:
        """Put `new` in the place of `old`; False, and nothing done, where something else is there.

        None is an empty place.
        """
        ...

    def lock(self) -> AbstractAsyncContextManager[None]:
        """Let one at a time renew the token, of all who share the store in any process."""
        ...
