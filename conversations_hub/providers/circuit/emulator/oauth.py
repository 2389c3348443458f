"""Issues Circuit's tokens: to bots for their credentials, to applications for codes (§1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from conversations_hub.emulator.corpus import Corpus
from conversations_hub.emulator.oauth import OAuth, RefusedError, Terms

if TYPE_CHECKING:
    from collections.abc import Collection

    from yarl import URL

    from conversations_hub.providers.circuit.emulator.api import CircuitApi

SCOPES = frozenset({
    "ALL", "READ_CONVERSATIONS", "WRITE_CONVERSATIONS", "MANAGE_CONVERSATIONS",
    "MODERATE_CONVERSATIONS", "ORGANIZE_CONVERSATIONS", "CREATE_CONVERSATIONS_CONTENT",
    "UPDATE_CONVERSATION_CONTENT", "DELETE_CONVERSATIONS_CONTENT", "SEARCH_CONVERSATIONS",
    "MENTION_EVENT", "READ_USER", "READ_USER_PROFILE", "WRITE_USER_PROFILE", "MANAGE_PRESENCE",
    "USER_MANAGEMENT", "USER_TO_USER", "CALLS", "CALL_RECORDING", "READ_SPACE", "WRITE_SPACE",
    "MANAGE_SPACE", "ORGANIZE_SPACE", "CREATE_SPACE_CONTENT", "UPDATE_SPACE_CONTENT",
    "DELETE_SPACE_CONTENT",
})  # fmt: skip


class CircuitOAuth(OAuth):
    """Circuit's authorization server; every token acts for the same user.

    Whether a token's scopes reach as far as a request is not looked at: nobody knows the answer to
    one that goes too far.
    """

    code_seconds: ClassVar[float] = 60
    grant_types: ClassVar[Collection[str]] = (
        "authorization_code",
        "client_credentials",
        "refresh_token",
    )
    scheme: ClassVar[str] = "Bearer"
    takes_basic: ClassVar[bool] = True

    def __init__(self, api: CircuitApi, seed: int) -> None:
        super().__init__(Corpus(seed, "circuit/oauth"))
        self._api = api

    @property
    def terms(self) -> Terms:
        """Return what the switches say."""
        switches = self._api.switches
        return Terms(
            seconds=switches.token_seconds,
            told=switches.expires_in == "present",
            refresh=switches.refresh_tokens != "none",
            rotate=switches.refresh_tokens == "rotating",
        )

    def scopes(self, asked: str | None) -> tuple[str, ...]:
        """Return the scopes, which commas separate and not spaces; without any, all."""
        scopes = tuple((asked or "ALL").split(","))
        if not SCOPES.issuperset(scopes):
            raise RefusedError("invalid_scope")
        return scopes

    def worded(self, scopes: tuple[str, ...]) -> dict[str, Any]:
        """Return the scopes as a list, which is not how RFC 6749 has them."""
        return {"scope": list(scopes)}

    def is_same(self, asked: URL, registered: URL) -> bool:
        """Compare no paths."""
        return asked.with_path("/") == registered.with_path("/")
