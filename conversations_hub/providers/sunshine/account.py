"""Whose account it is: settings, credentials, refusals, and how requests are built."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, TypeVar

from attrs import evolve, field, frozen
from yarl import URL

from conversations_hub.arguments import check, named
from conversations_hub.errors import ConfigurationError, CursorExpiredError, StatusError
from conversations_hub.models import Ref
from conversations_hub.provider import (
    Problem,
    Provider,
    base_url_field,
    json_object,
    name_field,
    secret_field,
    text_field,
)
from conversations_hub.providers.sunshine.paging import BACKWARDS, FORWARDS
from conversations_hub.providers.sunshine.signing import Signer
from conversations_hub.recipes import Call
from conversations_hub.secret import Secret, revealed
from conversations_hub.wire import QueryValue, Request, Response

T = TypeVar("T")

Query = Mapping[str, QueryValue] | None

# Ids are 24 hexadecimal digits in practice, and external ids anything at all.
USER_ID = re.compile("[0-9a-f]{24}")
BY_ID, BY_EXTERNAL_ID = "filter[userId]", "filter[userExternalId]"
CURSORS = {FORWARDS.param, BACKWARDS.param}
# Of the titles there are older and newer ones; what else was asked was good for the first page.
BAD_CURSOR_CODES = {"bad_request", "not_found"}
# The second one, where somebody is to leave, says that they are not there.
NOBODY_CODES = {"user_not_found", "not_found"}


def given(**fields: Any) -> dict[str, Any]:
    """Return the fields that somebody gave."""
    return {name: value for name, value in fields.items() if value is not None}


def several(given: Iterable[T] | str, name: str) -> list[T]:
    """Return what was given, which is several; a text would be taken for its letters."""
    if isinstance(given, str):
        raise ConfigurationError(f"{name}= must be a list; put the one into a list")
    return list(given)


def _users(value: str | Iterable[str]) -> tuple[str, ...]:
    """Take names one by one or, as an environment variable has them, between commas."""
    names = list(map(str.strip, value.split(","))) if isinstance(value, str) else value
    check("users", names, Iterable[str])
    return tuple(dict.fromkeys(filter(None, names)))


def _is_switch(provider: Any, field: Any, value: Any) -> None:
    if not isinstance(value, bool):
        raise ConfigurationError(
            f"{field.name} must be True or False, not {named(value)}", provider=provider.name
        )


@frozen(kw_only=True)
class Account(Provider):
    """An app, who asks, and what its refusals mean."""

    env: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "app_id": ("SUNSHINE_APP_ID", "SMOOCH_APP_ID"),
        "key_id": ("SUNSHINE_KEY_ID", "SMOOCH_KEY_ID"),
        "secret": ("SUNSHINE_SECRET", "SUNSHINE_KEY_SECRET", "SMOOCH_SECRET"),
        "token": ("SUNSHINE_TOKEN", "SMOOCH_TOKEN"),
        "users": ("SUNSHINE_USERS",),
        "base_url": ("SUNSHINE_BASE_URL", "SMOOCH_BASE_URL"),
    }
    # The documentation says nothing about it.
    read_lag: ClassVar[float] = 2.0
    limits: ClassVar[Mapping[str, int]] = dict.fromkeys(
        ("conversations", "messages", "participants", "clients", "integrations"), 100
    )
    nearest: ClassVar[Mapping[str, str]] = {
        "message": "read messages(ref) until it comes",
        "edit": "a message stays as it is; delete_message(ref, id) and send another",
        "archive": "its conversations have no state; put one into update(ref, metadata=...)",
        "unarchive": "its conversations have no state; put one into update(ref, metadata=...)",
        "close": "its conversations have no state; release_control(ref) hands one back",
    }

    name: str = name_field("sunshine")
    app_id: str = text_field()
    key_id: str | None = text_field(None)
    secret: str | Secret | None = secret_field(None)
    token: str | Secret | None = secret_field(None)
    signed: bool = field(default=False, validator=_is_switch)
    """Whether the key signs tokens, so that its secret stays here; needs the extra `jwt`."""
    users: tuple[str, ...] = field(default=(), converter=_users)
    base_url: URL = base_url_field("https://api.smooch.io")
    # One for the provider and its copies in hubs.
    _signer: Signer = field(factory=Signer, init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        pair = bool(self.key_id and self.secret)
        if pair == bool(self.token) or pair != bool(self.key_id or self.secret):
            raise ConfigurationError(
                f"{type(self).__name__} needs a key_id and its secret, or else a token, and not "
                "both",
                provider=self.name,
            )
        if self.signed and not self.secret:
            raise ConfigurationError(
                "a token cannot sign; signed=True takes a key_id and its secret",
                provider=self.name,
            )

    def auth_headers(self) -> Mapping[str, str]:
        """Prove who asks with the token, or with the key: by HTTP Basic, or by what it signs."""
        if self.token:
            return {"Authorization": f"Bearer {revealed(self.token)}"}
        if self.signed:
            signed = self._signer.token(self.key_id or "", revealed(self.secret))
            return {"Authorization": f"Bearer {signed}"}
        pair = b64encode(f"{self.key_id}:{revealed(self.secret)}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}

    def problem(self, request: Request, response: Response) -> Problem:
        """Read the error body of version 2, or version 1's."""
        errors = list(_errors(json_object(response)))
        code = next((str(e["code"]) for e in errors if e.get("code")), None)
        titles = [str(e.get("title") or e.get("description") or "") for e in errors]
        message = "; ".join(filter(None, titles))
        lost = code in BAD_CURSOR_CODES and not CURSORS.isdisjoint(request.query)
        return Problem(message=message, code=code, kind=CursorExpiredError if lost else None)

    def instead(self, request: Request, error: StatusError) -> Request | None:
        """Ask for an external id that looks like an id as what it is."""
        user = request.query.get(BY_ID)
        if error.code != "user_not_found" or user is None:
            return None
        return request.with_params({BY_ID: None, BY_EXTERNAL_ID: user})

    def _get(self, *segments: str, query: Query = None) -> Request:
        return self.get("v2", "apps", self.app_id, *segments, query=query)

    def _change(
        self,
        method: str,
        *segments: str,
        query: Query = None,
        json: Mapping[str, Any] | None = None,
    ) -> Request:
        """Return a request that changes something."""
        return self.ask(method, "v2", "apps", self.app_id, *segments, query=query, json=json)

    def _patch(self, *segments: str, json: Mapping[str, Any], query: Query = None) -> Request:
        """Return a request that changes a thing, which has to be told something."""
        if not json:
            raise ConfigurationError("there is nothing to change", provider=self.name)
        return self._change("PATCH", *segments, query=query, json=json)

    def _key(self, who: Ref | str) -> str:
        """Return what stands in a path for somebody or something."""
        return self.id_of(who) if isinstance(who, Ref) else who

    def _named(self, who: Ref | str, *, external: bool = False) -> dict[str, str]:
        """Return how a body names a user: by id, or by external id."""
        if isinstance(who, Ref):
            return {"userId": self.id_of(who)}
        return {"userExternalId" if external or not _looks_like_id(who) else "userId": who}

    def _either(self, whom: Iterable[Ref | str], ask: Callable[[bool], Call[T]]) -> Call[T]:
        """Ask with ids; if nobody has one of them, with external ids that look like ids."""
        call = ask(False)
        if not any(isinstance(who, str) and _looks_like_id(who) for who in whom):
            return call

        def recover(error: StatusError) -> Call[T]:
            if error.code not in NOBODY_CODES:
                raise error
            return ask(True)

        return evolve(call, recover=recover)


def _looks_like_id(text: str) -> bool:
    return USER_ID.fullmatch(text) is not None


def _errors(body: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """Yield the errors of a body: a list of them, or version 1's only one."""
    several = body.get("errors")
    for error in several if isinstance(several, list) else (body.get("error"),):
        if isinstance(error, Mapping):
            yield error
