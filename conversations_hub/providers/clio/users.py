"""Who the token's user is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar

from attrs import evolve

from conversations_hub.provider import operation
from conversations_hub.providers.clio import fields, payloads
from conversations_hub.providers.clio.account import Account
from conversations_hub.providers.clio.conditions import NotModified, not_modified, unless
from conversations_hub.providers.clio.values import WORDS, User
from conversations_hub.reading import Record
from conversations_hub.recipes import Call
from conversations_hub.values import value
from conversations_hub.wire import Response

R = TypeVar("R")

USER = value(User, WORDS, "data")
NUMBER: Record[payloads.Numbered, int] = Record(
    payload=payloads.Numbered, translate=lambda payload, _: payload.id, item="data"
)


class Users(Account):
    """The operations on users."""

    __slots__ = ()

    @operation
    def who_am_i(self, *, fields: str | Iterable[str] = ()) -> Call[User]:
        """Fetch the token's user: `GET /users/who_am_i.json`.

        `fields` are asked for besides and found in `raw`: `"account{name}"`.
        """
        return self._user(fields, {})

    @operation
    def show_who_am_i(
        self,
        *,
        if_none_match: str | None = None,
        if_modified_since: datetime | None = None,
        fields: str | Iterable[str] = (),
    ) -> Call[User | NotModified]:
        """Fetch the token's user unless it is unchanged: `GET /users/who_am_i.json`.

        The value is `NotModified` where the etag, or the time, is still the right one.
        """
        asked: Call[Any] = self._user(fields, unless(if_none_match, if_modified_since))
        return evolve(asked, recover=not_modified)

    def identified(self, then: Callable[[int], Call[R]]) -> Call[R]:
        """Go on with the number of the token's user, which is asked for once."""
        if self._identity.me is not None:
            return then(self._identity.me)

        def read(response: Response) -> Call[R]:
            self._identity.me = me = NUMBER(response)
            return then(me)

        query = {"fields": "id"}
        return Call(request=self.asking("GET", "users", "who_am_i.json", query=query), read=read)

    def _user(self, extra: str | Iterable[str], headers: dict[str, str]) -> Call[User]:
        query = {"fields": fields.joined(fields.USER, fields.checked(extra))}
        request = self.asking("GET", "users", "who_am_i.json", query=query, headers=headers)
        return Call(request=request, read=USER)
