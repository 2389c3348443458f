"""Issues Clio's tokens: codes, refresh tokens that stay, and deauthorization (§2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from aiohttp import web

from conversations_hub.emulator.corpus import Corpus
from conversations_hub.emulator.oauth import OAuth, RefusedError, Terms, refused

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from conversations_hub.providers.clio.emulator.api import ClioApi


class ClioOAuth(OAuth):
    """Clio's authorization server; its paths are beside the API, not below its prefix.

    Tokens have the permissions of the app, so nobody asks for scopes.
    """

    code_seconds: ClassVar[float] = 600
    grant_types: ClassVar[Collection[str]] = ("authorization_code", "refresh_token")
    scheme: ClassVar[str] = "bearer"

    def __init__(self, api: ClioApi, seed: int) -> None:
        super().__init__(Corpus(seed, "clio/oauth"))
        self._api = api

    @property
    def terms(self) -> Terms:
        """Return what the switches say."""
        switches = self._api.switches
        return Terms(
            seconds=switches.token_seconds,
            told=True,
            refresh=True,
            rotate=switches.rotate_refresh_tokens,
        )

    def routes(self) -> Iterator[web.RouteDef]:
        """Yield the three paths."""
        yield from super().routes()
        yield web.post("/oauth/deauthorize", self._deauthorize)

    def declined(self, request: web.Request) -> web.Response:
        """Stay at Clio, unless the client asked to hear of a refusal."""
        if request.query.get("redirect_on_decline") == "true":
            return super().declined(request)
        return web.Response(text="<p>You declined.</p>", content_type="text/html")

    async def _deauthorize(self, request: web.Request) -> web.Response:
        token = self._api.bearer(request)
        if (await request.post()).get("token") != token:
            raise refused(RefusedError("invalid_request"))
        self._api.tokens.discard(token)
        self.withdraw(token)
        return web.Response()
