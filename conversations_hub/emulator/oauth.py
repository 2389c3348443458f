"""An OAuth 2.0 authorization server, as far as the faked APIs have it in common (RFC 6749)."""

from __future__ import annotations

import binascii
from abc import ABC, abstractmethod
from base64 import b64decode
from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote_plus

from aiohttp import web
from attrs import frozen
from yarl import URL

from conversations_hub.emulator.corpus import Corpus
from conversations_hub.emulator.grants import Consent, Grants
from conversations_hub.emulator.server import ApiError, json_response

FORM = "application/x-www-form-urlencoded"
UNCACHED = {"Cache-Control": "no-store", "Pragma": "no-cache"}
DESCRIPTIONS = {
    "access_denied": "The resource owner or authorization server denied the request.",
    "invalid_client": "Client authentication failed.",
    "invalid_grant": "The grant is invalid, expired, revoked or was issued for something else.",
    "invalid_request": "The request lacks a parameter, repeats one or is malformed.",
    "invalid_scope": "The requested scope is invalid, unknown or malformed.",
    "unsupported_grant_type": "The grant type is not supported.",
    "unsupported_response_type": "The response type is not supported.",
}


@frozen(kw_only=True)
class Terms:
    """What tokens are issued with."""

    seconds: float | None
    """How long an access token works; None is until it is revoked."""
    told: bool
    """Whether the answer says how long."""
    refresh: bool
    """Whether a code also brings a refresh token."""
    rotate: bool
    """Whether a refresh brings a new refresh token and ends the old one."""


class RefusedError(Exception):
    """A request that is refused with one of RFC 6749's words."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error

    @property
    def answer(self) -> dict[str, str]:
        """What is said about it."""
        return {"error": self.error, "error_description": DESCRIPTIONS[self.error]}


class OAuth(ABC):
    """One client's registration, and users who agree to what it asks until `declines` is set."""

    code_seconds: ClassVar[float]
    grant_types: ClassVar[Collection[str]]
    scheme: ClassVar[str]
    takes_basic: ClassVar[bool] = False
    """Whether the client may also show its credentials as HTTP Basic."""

    def __init__(self, corpus: Corpus) -> None:
        self.client_id: str = corpus.hex(40)
        self.client_secret: str = corpus.hex(40)
        self.redirect_uris: tuple[str, ...] = ()
        """Where browsers may be sent back to; none is anywhere."""
        self.declines: bool = False
        self.issued: int = 0
        """How many access tokens were issued."""
        self.refreshes: int = 0
        """How many of them for a refresh token."""
        self.grants: Grants = Grants()

    # What tests do in the place of users.

    def consent(
        self, redirect_uri: str, state: str | None = None, scopes: tuple[str, ...] = ()
    ) -> str:
        """Agree, and return the code that the client is sent."""
        consent = self.grants.agree(scopes)
        return self.grants.code(consent, redirect_uri, state, self.code_seconds)

    def landing(self, code: str) -> URL:
        """Return where the browser is sent with a code."""
        found = self.grants.codes[code]
        return _back(found.redirect_uri, found.state, {"code": code})

    def revoke(self, token: str) -> None:
        """End one token, access or refresh; the others go on."""
        self.grants.revoke(token)

    def withdraw(self, token: str) -> None:
        """End a token with all those that came of the same consent."""
        self.grants.withdraw(token)

    def expire_all(self) -> None:
        """End all issued access tokens, as time would; refresh tokens go on."""
        self.grants.expire_all()

    def accepts(self, token: str) -> bool:
        """Tell whether an access token works."""
        return self.grants.accepts(token)

    # What providers have each in their own way.

    @property
    @abstractmethod
    def terms(self) -> Terms:
        """What tokens are issued with at the moment."""

    def scopes(self, asked: str | None) -> tuple[str, ...]:  # noqa: ARG002 - for who knows scopes
        """Return the scopes that a request names; `RefusedError` for unknown ones."""
        return ()

    def worded(self, scopes: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG002 - the same
        """Return what the answer says of a token's scopes."""
        return {}

    def declined(self, request: web.Request) -> web.Response:
        """Answer a browser whose user declined."""
        return redirect(request, RefusedError("access_denied").answer)

    def is_same(self, asked: URL, registered: URL) -> bool:
        """Tell whether browsers may go where a request asks, for an address is registered."""
        return asked == registered

    # Over HTTP.

    def routes(self) -> Iterator[web.RouteDef]:
        """Yield the two paths, which are at the root of the host."""
        yield web.get("/oauth/authorize", self._authorize)
        yield web.post("/oauth/token", self._token)

    async def _authorize(self, request: web.Request) -> web.Response:
        # Nobody is sent to an address that is not the client's.
        if request.query.get("client_id") != self.client_id:
            raise refused(RefusedError("invalid_client"))
        if not self._is_registered(request.query.get("redirect_uri", "")):
            raise refused(RefusedError("invalid_request"))
        try:
            return self._asked(request)
        except RefusedError as refusal:
            return redirect(request, refusal.answer)

    def _asked(self, request: web.Request) -> web.Response:
        query = request.query
        if query.get("response_type") != "code":
            raise RefusedError("unsupported_response_type")
        scopes = self.scopes(query.get("scope"))
        if self.declines:
            return self.declined(request)
        code = self.consent(query["redirect_uri"], query.get("state"), scopes)
        return web.Response(status=302, headers={"Location": str(self.landing(code))})

    def _is_registered(self, redirect_uri: str) -> bool:
        try:
            asked = URL(redirect_uri)
        except ValueError:
            return False
        registered = self.redirect_uris
        return asked.absolute and (
            not registered or any(self.is_same(asked, URL(each)) for each in registered)
        )

    async def _token(self, request: web.Request) -> web.Response:
        try:
            form = _form(request.content_type, await request.read())
            self._check_client(request, form)
            return json_response(self._granted(form), headers=UNCACHED)
        except RefusedError as refusal:
            raise refused(refusal) from refusal

    def _check_client(self, request: web.Request, form: Mapping[str, str]) -> None:
        shown = form.get("client_id"), form.get("client_secret")
        header = request.headers.get("Authorization")
        if header is not None and self.takes_basic:
            if shown[1] is not None:
                raise RefusedError("invalid_request")  # one way at a time (section 2.3)
            shown = _basic(header)
        if shown != (self.client_id, self.client_secret):
            raise RefusedError("invalid_client")

    def _granted(self, form: Mapping[str, str]) -> dict[str, Any]:
        kind = _required(form, "grant_type")
        if kind not in self.grant_types:
            raise RefusedError("unsupported_grant_type")
        if kind == "refresh_token":
            return self._refreshed(_required(form, "refresh_token"))
        if kind == "client_credentials":
            return self._issued(self.grants.agree(self.scopes(form.get("scope"))))
        code, redirect_uri = _required(form, "code"), _required(form, "redirect_uri")
        consent = self.grants.redeem(code, redirect_uri)
        if consent is None:
            raise RefusedError("invalid_grant")
        return self._issued(consent, renew=self.terms.refresh)

    def _refreshed(self, refresh: str) -> dict[str, Any]:
        consent = self.grants.refreshed(refresh)
        if consent is None:
            raise RefusedError("invalid_grant")
        self.refreshes += 1
        return self._issued(consent, renew=self.terms.rotate)

    def _issued(self, consent: Consent, *, renew: bool = False) -> dict[str, Any]:
        terms = self.terms
        self.issued += 1
        body: dict[str, Any] = {
            "access_token": self.grants.issue(consent, terms.seconds),
            "token_type": self.scheme,
        }
        if terms.told and terms.seconds is not None:
            body["expires_in"] = int(terms.seconds)
        if renew:
            body["refresh_token"] = self.grants.renew(consent)
        return body | self.worded(consent.scopes)


def redirect(request: web.Request, answer: Mapping[str, str]) -> web.Response:
    """Send a browser back to the client with an answer."""
    back = _back(request.query["redirect_uri"], request.query.get("state"), answer)
    return web.Response(status=302, headers={"Location": str(back)})


def _back(redirect_uri: str, state: str | None, answer: Mapping[str, str]) -> URL:
    given = {} if state is None else {"state": state}
    return URL(redirect_uri).update_query({**answer, **given})


def refused(refusal: RefusedError) -> ApiError:
    """Return a refusal as the answer that the server sends."""
    status = 401 if refusal.error == "invalid_client" else 400
    return ApiError(status, refusal.answer, dict(UNCACHED))


def _form(content_type: str, body: bytes) -> dict[str, str]:
    """Read a form in which nothing is said twice (section 3.2)."""
    if content_type != FORM:
        raise RefusedError("invalid_request")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict")
    except ValueError:
        raise RefusedError("invalid_request") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise RefusedError("invalid_request")
    return form


def _required(form: Mapping[str, str], name: str) -> str:
    value = form.get(name)
    if not value:
        raise RefusedError("invalid_request")
    return value


def _basic(header: str) -> tuple[str, str]:
    """Return the client's id and secret, each form-encoded before it was joined (section 2.3.1)."""
    scheme, _, coded = header.partition(" ")
    if scheme.lower() != "basic":
        raise RefusedError("invalid_client")
    try:
        name, _, secret = b64decode(coded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise RefusedError("invalid_client") from None
    return unquote_plus(name), unquote_plus(secret)
