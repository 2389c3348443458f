"""Where Sunshine Conversations keeps things, and how it is asked for them."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, ClassVar

from attrs import evolve, field, frozen
from yarl import URL

from conversations_hub.errors import ConfigurationError, CursorExpiredError, StatusError
from conversations_hub.models import (
    Conversation,
    ConversationState,
    Message,
    Participant,
    Ref,
)
from conversations_hub.provider import (
    Problem,
    Provider,
    base_url_field,
    between,
    both,
    check_order,
    json_object,
    name_field,
    operation,
    secret_field,
)
from conversations_hub.providers.sunshine import payloads, translate
from conversations_hub.providers.sunshine.paging import BACKWARDS, FORWARDS
from conversations_hub.reading import Record, Records
from conversations_hub.recipes import Call, Listing
from conversations_hub.wire import QueryValue, Request, Response

# Ids are 24 hexadecimal digits in practice, and external ids anything at all.
USER_ID = re.compile("[0-9a-f]{24}")
BY_ID, BY_EXTERNAL_ID = "filter[userId]", "filter[userExternalId]"
CURSORS = {FORWARDS.param, BACKWARDS.param}
LONG_AGO = datetime.min.replace(tzinfo=UTC)


def _users(value: str | Iterable[str]) -> tuple[str, ...]:
    """Take names one by one or, as an environment variable has them, between commas."""
    names = map(str.strip, value.split(",")) if isinstance(value, str) else value
    return tuple(dict.fromkeys(filter(None, names)))


@frozen(kw_only=True)
class Sunshine(Provider):
    """An app of Sunshine Conversations, API version 2.

    `users` are ids or external ids: conversations can only be listed user by user. A Zendesk
    account has `base_url="https://{subdomain}.zendesk.com/sc"`.
    """

    env: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "app_id": ("SUNSHINE_APP_ID", "SMOOCH_APP_ID"),
        "key_id": ("SUNSHINE_KEY_ID", "SMOOCH_KEY_ID"),
        "secret": ("SUNSHINE_SECRET", "SUNSHINE_KEY_SECRET", "SMOOCH_SECRET"),
        "token": ("SUNSHINE_TOKEN", "SMOOCH_TOKEN"),
        "users": ("SUNSHINE_USERS",),
        "base_url": ("SUNSHINE_BASE_URL", "SMOOCH_BASE_URL"),
    }
    limits: ClassVar[Mapping[str, int]] = {
        "conversations": 100,
        "messages": 100,
        "participants": 100,
    }

    name: str = name_field("sunshine")
    app_id: str
    key_id: str | None = None
    secret: str | None = secret_field(None)
    token: str | None = secret_field(None)
    users: tuple[str, ...] = field(default=(), converter=_users)
    base_url: URL = base_url_field("https://api.smooch.io")

    def __attrs_post_init__(self) -> None:
        pair = bool(self.key_id and self.secret)
        if pair == bool(self.token) or pair != bool(self.key_id or self.secret):
            raise ConfigurationError(
                "Sunshine needs a key_id and its secret, or else a token, and not both",
                provider=self.name,
            )

    def auth_headers(self) -> Mapping[str, str]:
        """Prove who asks with the token, or with the key by HTTP Basic."""
        if self.token:
            return {"Authorization": f"Bearer {self.token}"}
        pair = b64encode(f"{self.key_id}:{self.secret}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}

    def problem(self, request: Request, response: Response) -> Problem:
        """Read the error body of version 2, or version 1's."""
        errors = list(_errors(json_object(response)))
        code = next((str(e["code"]) for e in errors if e.get("code")), None)
        titles = [str(e.get("title") or e.get("description") or "") for e in errors]
        message = "; ".join(filter(None, titles))
        lost = _is_lost(code, message) and not CURSORS.isdisjoint(request.query)
        return Problem(message=message, code=code, kind=CursorExpiredError if lost else None)

    def instead(self, request: Request, error: StatusError) -> Request | None:
        """Ask for an external id that looks like an id as what it is."""
        user = request.query.get(BY_ID)
        if error.code != "user_not_found" or user is None:
            return None
        return request.with_params({BY_ID: None, BY_EXTERNAL_ID: user})

    @operation
    def conversations(
        self,
        *,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        updated_after: datetime | None = None,
        state: ConversationState | None = None,
        participant: Ref | str | None = None,
        page_size: int | None = None,
    ) -> Listing[Conversation]:
        """List the conversations of the users side by side: `GET /conversations`.

        `participant` is one user instead: a ref, an id or an external id.
        """
        if state is not None:
            raise self.unsupported("conversations", "its conversations have no state; leave it out")
        keep = both(
            between(lambda c: c.created_at, created_after, created_before),
            between(lambda c: c.updated_at, updated_after, None),
        )
        first, *others = (self._of_user(u, keep, page_size) for u in self._chosen(participant))
        return evolve(first, beside=tuple(others))

    @operation
    def messages(
        self,
        conversation: Ref,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        order: str | None = None,
        page_size: int | None = None,
    ) -> Listing[Message]:
        """List messages, newest first: `GET /conversations/{id}/messages`.

        For the oldest first all are read before the first one comes. `page_size` has no effect:
        pages of messages have 100.
        """
        check_order(order)
        self.page_size("messages", page_size)
        return Listing(
            request=self._get("conversations", self.id_of(conversation), "messages"),
            read=Records(
                payload=payloads.Message,
                items="messages",
                translate=partial(translate.message, conversation),
                paging=BACKWARDS,
                # Which page comes next is documented, and the order inside a page is not.
                arrange=partial(sorted, key=_age, reverse=True),
            ),
            keep=between(lambda m: m.sent_at, since, until),
            enough=_all_before(since) if since else None,
            sort_key=_age if order == "oldest" else None,
        )

    @operation
    def participants(
        self, conversation: Ref, *, page_size: int | None = None
    ) -> Listing[Participant]:
        """List participants, end users all: `GET /conversations/{id}/participants`."""
        return Listing(
            request=self._get(
                "conversations",
                self.id_of(conversation),
                "participants",
                query={FORWARDS.size: self.page_size("participants", page_size)},
            ),
            read=Records(
                payload=payloads.Participant,
                items="participants",
                translate=partial(translate.participant, conversation),
                paging=FORWARDS,
            ),
            # In which order they come, nobody says.
            repeats=True,
            moving=True,
        )

    @operation
    def conversation(self, ref: Ref) -> Call[Conversation]:
        """Fetch one: `GET /conversations/{id}`."""
        return Call(
            request=self._get("conversations", self.id_of(ref)),
            read=Record(
                payload=payloads.Conversation,
                translate=partial(translate.conversation, self.name),
                item="conversation",
            ),
        )

    def _chosen(self, participant: Ref | str | None) -> tuple[str, ...]:
        """Return whose conversations are meant."""
        if participant is not None:
            return (self.id_of(participant) if isinstance(participant, Ref) else participant,)
        if not self.users:
            raise ConfigurationError(
                "the API lists conversations user by user: ask with participant=, or build "
                "Sunshine with users=, ids or external ids (SUNSHINE_USERS)",
                provider=self.name,
                operation="conversations",
            )
        return self.users

    def _of_user(
        self, user: str, keep: Callable[[Conversation], bool] | None, page_size: int | None
    ) -> Listing[Conversation]:
        return Listing(
            request=self._get(
                "conversations",
                query={
                    BY_ID if USER_ID.fullmatch(user) else BY_EXTERNAL_ID: user,
                    FORWARDS.size: self.page_size("conversations", page_size),
                },
            ),
            read=Records(
                payload=payloads.Conversation,
                items="conversations",
                translate=partial(translate.conversation, self.name),
                paging=FORWARDS,
            ),
            keep=keep,
            repeats=True,
            moving=True,
        )

    def _get(self, *segments: str, query: Mapping[str, QueryValue] | None = None) -> Request:
        return self.get("v2", "apps", self.app_id, *segments, query=query)


def _errors(body: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """Yield the errors of a body: a list of them, or version 1's only one."""
    several = body.get("errors")
    for error in several if isinstance(several, list) else (body.get("error"),):
        if isinstance(error, Mapping):
            yield error


def _is_lost(code: str | None, message: str) -> bool:
    """Tell whether a refusal is about the cursor; the page size we send is always right."""
    return code == "not_found" or (code == "bad_request" and "page" in message.lower())


def _age(message: Message) -> tuple[datetime, str]:
    return message.sent_at or LONG_AGO, message.ref.id


def _all_before(moment: datetime) -> Callable[[Sequence[Message]], bool]:
    """Return whether a page's messages are all older, as those of later pages then are."""
    return lambda page: all(m.sent_at is not None and m.sent_at < moment for m in page)
