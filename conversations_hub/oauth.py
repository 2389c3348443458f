"""OAuth 2.0 as providers speak it: how to ask for a token, and read the answer (RFC 6749)."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import combinations
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlencode

from attrs import Factory, field, frozen
from yarl import URL

from conversations_hub.arguments import check, named
from conversations_hub.errors import (
    AuthenticationError,
    ConfigurationError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    StatusError,
)
from conversations_hub.provider import Provider, json_object, line, secret_field, text_field
from conversations_hub.secret import Secret, Shy, revealed, shy, without
from conversations_hub.stores import FileStore, MemoryStore
from conversations_hub.tokens import Token, TokenSource, TokenStore
from conversations_hub.wire import Request, Response

# How many of the latest tokens are remembered, to be taken out of errors.
REMEMBERED = 16
# Statuses that come from another place than a token endpoint.
MISPLACED = {301, 302, 303, 307, 308, 404, 405}


@frozen(kw_only=True)
class TokenRequest:
    """A form for the token endpoint; unlike a `Request`, it holds secrets, and is shown nowhere."""

    url: URL
    form: Mapping[str, str] = field(repr=False)
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    is_write: bool = False
    """Whether it must not be sent a second time: a code is good for one exchange."""
    operation: str = "token"

    @property
    def request(self) -> Request:
        """What people may read of it."""
        return Request(method="POST", url=self.url)

    @property
    def place(self) -> str:
        """Where it goes, for people to read."""
        return self.request.place

    def redact(self, text: str) -> str:
        """Take what is secret of it out of a text."""
        told = {"grant_type", "client_id", "redirect_uri", "scope"}
        return without(text, [value for name, value in self.form.items() if name not in told])


def _is_token(provider: Any, _: Any, token: Any) -> None:
    text = token.reveal() if isinstance(token, Secret) else None
    if token is not None and text is None and not isinstance(token, TokenSource):
        raise ConfigurationError(
            f"token must be a string or a TokenSource, not {named(token)}",
            provider=provider.name,
        )
    if text and not (text.isprintable() and text == text.strip()):
        raise ConfigurationError(
            "token has blanks around it or a line break in it", provider=provider.name
        )


def _is_store(provider: Any, _: Any, store: Any) -> None:
    if not isinstance(store, TokenStore):
        raise ConfigurationError(
            f"tokens must be a TokenStore, such as FileStore(path), not {named(store)}",
            provider=provider.name,
        )


def _token(given: Any) -> Any:
    return Secret(given) if isinstance(given, str) else given


def _store(given: TokenStore | str | os.PathLike[str]) -> TokenStore:
    return FileStore(given) if isinstance(given, str | os.PathLike) else given


@frozen(kw_only=True)
class OAuthProvider(Provider):
    """A provider whose token is given, comes from a source, or is issued to an app.

    `token` is a text or a `TokenSource`. Or else an app, known by `client_id` and `client_secret`,
    is issued tokens. `tokens`, a store or the path of a file, is where those of this one account
    are kept, in memory by default. As long as it is empty, a `token` and a `refresh_token` that
    were issued elsewhere will do.
    """

    api_path: ClassVar[str] = ""
    """Where the API begins, beside OAuth."""

    token: str | Secret | TokenSource | None = field(
        default=None, repr=False, converter=_token, validator=_is_token
    )
    client_id: str | None = text_field(None)
    client_secret: str | Secret | None = secret_field(None)
    redirect_uri: str | None = text_field(None)
    refresh_token: str | Secret | None = secret_field(None)
    tokens: TokenStore = field(
        factory=MemoryStore, converter=_store, eq=False, repr=False, validator=_is_store
    )
    # One for the provider and its copies in hubs.
    _issued: deque[Secret] = field(
        default=Factory(lambda: deque(maxlen=REMEMBERED)), init=False, eq=False, repr=False
    )

    def __attrs_post_init__(self) -> None:
        app = bool(self.client_id and self.client_secret)
        given = bool(self.token) or self.source is not None
        if not (app or given) or app != bool(self.client_id or self.client_secret):
            variables = " or ".join(self.env.get("token", ()))
            raise ConfigurationError(
                f"{type(self).__name__} needs a token ({variables}), or a client_id and its "
                "client_secret",
                provider=self.name,
            )
        if not app and (self.refresh_token or self.redirect_uri):
            raise ConfigurationError(
                "a refresh_token and a redirect_uri are an app's; give its client_id and "
                "client_secret, too",
                provider=self.name,
            )
        if app and self.source is not None:
            raise ConfigurationError(
                "tokens come from a TokenSource, or from a client_id and client_secret, and not "
                "from both",
                provider=self.name,
            )

    @classmethod
    def required_variables(cls) -> tuple[str, ...]:
        """Return the variables of a token, and of an app."""
        return (*cls.env["token"], *cls.env["client_id"])

    @property
    def source(self) -> TokenSource | None:
        """The caller's own source of tokens."""
        return self.token if isinstance(self.token, TokenSource) else None

    @property
    def app(self) -> tuple[str, str | None]:
        """Which app it is, and where."""
        return self._authority, self.client_id

    @property
    def first(self) -> Token | None:
        """The token that was issued elsewhere and given, used for as long as `tokens` is empty."""
        if not self.token and not self.refresh_token:
            return None
        given = self.token if isinstance(self.token, str | Secret) else ""
        return Token(access=given, refresh=self.refresh_token or None)

    def auth_headers(self) -> Mapping[str, str]:
        """Return the header with the token, where it is a text."""
        return bearer(self.token) if isinstance(self.token, Secret) and self.token else {}

    def secrets(self) -> Iterator[str]:
        """Yield what is never to be shown, with the tokens that were issued lately."""
        yield from super().secrets()
        yield from (one.reveal() for one in self._issued)

    def hide(self, token: Token) -> None:
        """Remember a token, so that it is taken out of errors."""
        for one in (token.access, token.refresh):
            if one and one not in self._issued:
                self._issued.append(one)

    # The steps of a user who lets the app in.

    def authorization_code(self, callback: str, *, state: str) -> str:
        """Return the code of the address that a browser was sent back to.

        Raises `PermissionDeniedError` where the user declined, and `AuthenticationError` where the
        `state` is not the one that the browser was sent away with.
        """
        check("callback", callback, str)
        callback, query = Shy(callback), _query(callback)
        if not state or Secret(query.get("state", "")) != Secret(state):
            raise AuthenticationError(
                "the state is another one: this is not the browser that was sent away",
                provider=self.name,
            )
        if "error" in query:
            raise PermissionDeniedError(
                f"it was declined: {query['error'][:100]!r}",
                provider=self.name,
                code=query["error"][:100],
            )
        if not query.get("code"):
            raise AuthenticationError("there is no code in the address", provider=self.name)
        return str(query["code"])

    def exchanging(self, code: str) -> TokenRequest:
        """Return the request that exchanges a user's code for a token."""
        uri = self._redirect_uri()
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": uri}
        return self.token_request(form, is_write=True)

    def renewing(self, held: Token | None) -> TokenRequest:
        """Return the request for a new token.

        Raises `AuthenticationError` where only the user can let the app in.
        """
        if held is not None and held.refresh:
            form = {"grant_type": "refresh_token", "refresh_token": held.refresh.reveal()}
            return self.token_request(form)
        return self.beginning()

    def beginning(self) -> TokenRequest:
        """Return the request for an app's first token, where no user has to be asked."""
        raise AuthenticationError(
            "there is no token that works: send the user to authorization_url(...), and then "
            "await hub.authorize(...)",
            provider=self.name,
        )

    def revoking(self, token: Token) -> TokenRequest:
        """Return the request that ends a token for good, or raise `UnsupportedError`."""
        del token
        raise self.unsupported("deauthorize", "a token ends with its lifetime")

    @property
    def revokes(self) -> bool:
        """Whether there is a way to end a token for good."""
        return type(self).revoking is not OAuthProvider.revoking

    def token_request(self, form: Mapping[str, str], *, is_write: bool = False) -> TokenRequest:
        """Return a form for the token endpoint, with what proves which app asks."""
        url = URL(f"{self._authority}/token", encoded=True)
        return TokenRequest(url=url, form={**form, **self._app()}, is_write=is_write)

    def issued(self, response: Response, now: datetime, before: Token | None = None) -> Token:
        """Read a token; one without a refresh token keeps that of the one before."""
        body = json_object(response)
        access, refresh = body.get("access_token"), body.get("refresh_token")
        if not isinstance(access, str) or not is_plain(access):
            del body, access, refresh  # from what a traceback may take along
            raise AuthenticationError(
                "the token endpoint gave no token that can be sent; check base_url",
                provider=self.name,
                operation="token",
            )
        token = Token(
            access=access,
            refresh=refresh if is_plain(refresh) else before.refresh if before else None,
            expires_at=_end(body.get("expires_in"), now),
            scopes=_scopes(body.get("scope")),
        )
        self.hide(token)
        return token

    def refused(self, response: Response, asked: TokenRequest) -> StatusError:
        """Return the error for a refusal by the token endpoint."""
        error = self.error_for(asked.operation, asked.request, response)
        if isinstance(error, RateLimitError | ServerError):
            return error
        word = json_object(response).get("error")
        code = line(self.redact(word), 100) if isinstance(word, str) else error.code
        said = f" ({code})" if code else ""
        if response.status in MISPLACED:
            remedy = "check base_url, beside which OAuth is"
        elif asked.operation == "token":
            remedy = "no token was issued: check client_id and client_secret, or let the user "
            remedy += "authorize anew"
        else:
            remedy = "the token is as it was"
        return AuthenticationError(
            f"HTTP {response.status}{said}; {remedy} [POST {asked.place}]",
            provider=self.name,
            operation=asked.operation,
            request=asked.request,
            response=error.response,
            code=code,
            request_id=error.request_id,
        )

    def _authorization_url(self, **params: str | None) -> str:
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self._redirect_uri(),
            **params,
        }
        text = urlencode({name: value for name, value in asked.items() if value is not None})
        return f"{self._authority}/authorize?{text}"

    def _app(self) -> dict[str, str]:
        return {
            "client_id": self.client_id or "",
            "client_secret": revealed(self.client_secret),
        }

    def _redirect_uri(self) -> str:
        if not self.client_id or not self.redirect_uri:
            raise ConfigurationError(
                "a user is asked with a client_id and a redirect_uri; set both", provider=self.name
            )
        return self.redirect_uri

    @property
    def _authority(self) -> str:
        """The place of OAuth, beside the API."""
        base = self.base_url
        prefix = base.raw_path.rstrip("/").removesuffix(self.api_path)
        return f"{base.origin()}{prefix}/oauth"


def _query(callback: str) -> dict[str, str]:
    asked = callback.partition("?")[2].partition("#")[0]
    return shy({name: values[-1] for name, values in parse_qs(asked).items()})


def check_stores(providers: Iterable[Provider]) -> None:
    """Refuse one store for two apps, since the token of one would be sent to the other."""
    apps = [one for one in providers if isinstance(one, OAuthProvider) and one.client_id]
    for one, other in combinations(apps, 2):
        if one.tokens == other.tokens and one.app != other.app:
            raise ConfigurationError(
                f"{one.name!r} and {other.name!r} keep their tokens in one place, and each would "
                "be sent the other's; give each a store of its own"
            )


def bearer(token: str | Secret) -> Mapping[str, str]:
    """Return the header that carries a token (RFC 6750)."""
    return {"Authorization": f"Bearer {revealed(token)}"}


def is_plain(text: Any) -> bool:
    """Tell whether a text can be the value of a header."""
    return isinstance(text, str) and text.isascii() and text.isprintable() and bool(text.strip())


def _end(seconds: Any, now: datetime) -> datetime | None:
    """Read `expires_in`, which may be missing or a text, or 0 or -1 for no end."""
    try:
        life = timedelta(seconds=float(seconds))
        return now + life if life > timedelta() else None
    except (TypeError, ValueError, OverflowError):
        return None


def _scopes(scope: Any) -> tuple[str, ...]:
    """Read scopes: a list, or a text with blanks or commas between them."""
    if isinstance(scope, str):
        scope = scope.replace(",", " ").split()
    return tuple(one for one in scope if isinstance(one, str)) if isinstance(scope, list) else ()
