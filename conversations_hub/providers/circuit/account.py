"""Whom a Circuit account acts for: settings, credentials, refusals, and how requests begin."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, TypeVar

from attrs import Factory, field, frozen
from yarl import URL

from conversations_hub.arguments import check
from conversations_hub.errors import (
    ConfigurationError,
    CursorExpiredError,
    NotFoundError,
    PermissionDeniedError,
    StatusError,
)
from conversations_hub.models import Author, Ref
from conversations_hub.oauth import OAuthProvider, TokenRequest
from conversations_hub.provider import (
    Problem,
    base_url_field,
    json_object,
    name_field,
    text_field,
)
from conversations_hub.providers.circuit import payloads, translate
from conversations_hub.reading import Record
from conversations_hub.recipes import Call
from conversations_hub.wire import Request, Response

T = TypeVar("T")

PEOPLE_AT_ONCE = 20
HOST = re.compile(r"[^/?#@:\s]+(:\d+)?")
POINTERS = {"searchPointer", "nextPagePointer"}
MODERATING = ("moderate", "unmoderate")


def _host(self: Account) -> URL:
    if not isinstance(self.domain, str) or not HOST.fullmatch(self.domain):
        raise ConfigurationError(
            f"domain must be a host such as na.yourcircuit.com, not {self.domain!r}; "
            "base_url takes a whole address",
            provider=self.name,
        )
    return URL(f"https://{self.domain}/rest/v2")


def _scopes(value: str | Iterable[str]) -> tuple[str, ...]:
    """Take names one by one or, as an environment variable has them, between commas."""
    names = value.replace(",", " ").split() if isinstance(value, str) else value
    check("scopes", names, Iterable[str])
    return tuple(names)


@frozen(kw_only=True)
class Account(OAuthProvider):
    """A user of Circuit, REST API version 2; `me` is that user's id, to tell one's own messages."""

    env: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "token": ("CIRCUIT_TOKEN", "CIRCUIT_ACCESS_TOKEN"),
        "client_id": ("CIRCUIT_CLIENT_ID",),
        "client_secret": ("CIRCUIT_CLIENT_SECRET",),
        "redirect_uri": ("CIRCUIT_REDIRECT_URI",),
        "refresh_token": ("CIRCUIT_REFRESH_TOKEN",),
        "tokens": ("CIRCUIT_TOKENS_FILE",),
        "scopes": ("CIRCUIT_SCOPES",),
        "domain": ("CIRCUIT_DOMAIN",),
        "me": ("CIRCUIT_USER_ID",),
        "base_url": ("CIRCUIT_BASE_URL",),
    }
    limits: ClassVar[Mapping[str, int]] = {
        "conversations": 100,
        "messages": 100,
        "participants": 25,
        "communities": 100,
        "conversations_with_label": 100,
        "incoming_webhooks": 100,
    }
    nearest: ClassVar[Mapping[str, str]] = {
        "close": "archive it, which mutes it for this user alone",
        "delete": "leave it: remove_participant with one's own id",
        "mark_read": "Circuit's own clients alone know what was read",
    }

    api_path: ClassVar[str] = "/rest/v2"

    name: str = name_field("circuit")
    scopes: tuple[str, ...] = field(default=("ALL",), converter=_scopes)
    """What an app asks to be allowed."""
    domain: str = text_field("eu.yourcircuit.com")
    me: str | None = text_field(None)
    base_url: URL = base_url_field(Factory(_host, takes_self=True))

    def authorization_url(
        self, *, state: str, login_hint: str | None = None, prompt: str | None = None
    ) -> str:
        """Return where a user lets the app in: `GET /oauth/authorize`.

        Make up a `state` that nobody can guess, and hand it to `authorization_code` when the
        browser comes back; the code is good for a minute.
        """
        return self._authorization_url(
            scope=",".join(self.scopes), state=state, login_hint=login_hint, prompt=prompt
        )

    def beginning(self) -> TokenRequest:
        """Return what gives a bot its token; with a `redirect_uri`, a user has to be asked."""
        if self.redirect_uri:
            return super().beginning()
        return self.token_request({"grant_type": "client_credentials"})

    def token_request(self, form: Mapping[str, str], *, is_write: bool = False) -> TokenRequest:
        """Return a request for a token: `POST /oauth/token`; scopes have commas between them."""
        scope = {"scope": ",".join(self.scopes)} if form["grant_type"] != "refresh_token" else {}
        return super().token_request({**form, **scope}, is_write=is_write)

    def problem(self, request: Request, response: Response) -> Problem:
        """Read the only error body that is known; what is not found is a 400, too."""
        body = json_object(response)
        reasons = body.get("validationErrors")
        said = [body.get("errorDescription"), *(reasons if isinstance(reasons, list) else ())]
        message = ": ".join(str(one) for one in said if one)
        code = body.get("errorCode")
        return Problem(
            message=message,
            code=None if code is None else str(code),
            kind=_kind(request, response.status, message),
        )

    def people(
        self, conversation: Ref | None, refs: Sequence[Ref]
    ) -> Iterable[Call[Mapping[Ref, Author]]]:
        """Look up users, many at a time: `GET /users/list`."""
        del conversation
        ids = [self.id_of(ref) for ref in refs]
        for start in range(0, len(ids), PEOPLE_AT_ONCE):
            yield Call(
                request=self.get(
                    "users", "list", query={"name": ids[start : start + PEOPLE_AT_ONCE]}
                ),
                read=Record(payload=list[payloads.User], translate=partial(_people, self.name)),
            )

    # What the operations begin with.

    def refuse_key(self, question: str, key: str | None) -> None:
        """Refuse a caller's key, since Circuit has no place to keep one."""
        if key is not None:
            raise self.unsupported(
                question,
                "there is no place for an idempotency_key; leave it out: what was not answered is "
                "not sent again, and the error's `reconcile` finds out what became of it",
            )

    def unsendable(self, why: str) -> ConfigurationError:
        """Return the error for arguments that cannot become a request."""
        return ConfigurationError(why, provider=self.name)

    def id_from(self, thing: Ref | str) -> str:
        """Return the id of what a ref or a text names; of users, a text may be an e-mail."""
        return self.id_of(thing) if isinstance(thing, Ref) else thing

    def ref_from(self, thing: Ref | str) -> Ref:
        """Return what a ref or a text names as a ref of this account."""
        return Ref(self.name, self.id_from(thing))

    def ids_from(self, things: Iterable[Ref | str]) -> list[str]:
        """Return the ids of several."""
        if isinstance(things, str | Ref):
            things = [things]
        return [self.id_from(one) for one in things]

    def as_me(self, then: Callable[[str], Call[T]]) -> Call[T]:
        """Go on with the id of the user this account acts for, looked up where it is not given."""
        if self.me is not None:
            return then(self.me)
        read = Record(payload=payloads.User, translate=lambda user, _: user.user_id)
        return Call(
            request=self.get("users", "profile"), read=lambda response: then(read(response))
        )

    @property
    def origin(self) -> str:
        """What the URLs of files are relative to."""
        return str(self.base_url.origin())


def _kind(request: Request, status: int, message: str) -> type[StatusError] | None:
    """Return what a refusal is where its status misleads and only its words tell."""
    # The same query was good without the pointer, which is what may not exist any more.
    if status == 400 and not POINTERS.isdisjoint(request.query):
        return CursorExpiredError
    if status == 400 and "not exist" in message:
        return NotFoundError
    # Here 401 also means that the user may not; a bad token is said to be one.
    if status == 401 and "token" not in message.lower() and _moderates(request):
        return PermissionDeniedError
    return None


def _moderates(request: Request) -> bool:
    return any(f"/conversations/{verb}/" in request.url.raw_path for verb in MODERATING)


def _people(provider: str, users: list[payloads.User], raw: Any) -> Mapping[Ref, Author]:
    del raw
    return translate.people(provider, users)
