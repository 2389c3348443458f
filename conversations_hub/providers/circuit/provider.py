"""Where Circuit keeps things, and how it pages them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar

from attrs import Factory, frozen
from yarl import URL

from conversations_hub.errors import ConfigurationError, NotFoundError
from conversations_hub.models import (
    Author,
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
from conversations_hub.providers.circuit import payloads, translate
from conversations_hub.providers.circuit.hidden_order import HiddenOrder
from conversations_hub.providers.circuit.lists import (
    BY_LABEL,
    TYPES,
    Communities,
    ParticipantsReader,
    Roster,
)
from conversations_hub.providers.circuit.paging import EPOCH, TimePaging
from conversations_hub.providers.circuit.reader import EMPTY, TimeReader
from conversations_hub.reading import Record, Records
from conversations_hub.recipes import Call, Listing
from conversations_hub.wire import Request, Response

PEOPLE_AT_ONCE = 20


def _host(self: Circuit) -> URL:
    if "/" in self.domain or not self.domain:
        raise ConfigurationError(
            f"domain is a host such as na.yourcircuit.com, not {self.domain!r}; "
            "base_url takes a whole address",
            provider=self.name,
        )
    return URL(f"https://{self.domain}/rest/v2")


@frozen(kw_only=True)
class Circuit(Provider):
    """A user of Circuit, REST API version 2; `me` is that user's id, to tell one's own messages."""

    env: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "token": ("CIRCUIT_TOKEN", "CIRCUIT_ACCESS_TOKEN"),
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
    }

    name: str = name_field("circuit")
    token: str = secret_field()
    domain: str = "eu.yourcircuit.com"
    me: str | None = None
    base_url: URL = base_url_field(Factory(_host, takes_self=True))

    def auth_headers(self) -> Mapping[str, str]:
        """Prove who asks with a Bearer token."""
        return {"Authorization": f"Bearer {self.token}"}

    def problem(self, request: Request, response: Response) -> Problem:  # noqa: ARG002
        """Read the only error body that is known; what is not found is a 400, too."""
        body = json_object(response)
        reasons = body.get("validationErrors")
        said = [body.get("errorDescription"), *(reasons if isinstance(reasons, list) else ())]
        code = body.get("errorCode")
        return Problem(
            message=(message := " ".join(str(one) for one in said if one)),
            code=None if code is None else str(code),
            # Not found is a 400, too, and only its words tell.
            kind=NotFoundError if "not exist" in message and response.status == 400 else None,
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
        """List the user's conversations, the last modified first: `GET /conversations`."""
        if state is not None:
            raise self.unsupported("conversations", "Circuit's conversations have no state")
        if participant is not None:
            raise self.unsupported(
                "conversations",
                "`members` of its conversations may be cut short; list participants of each",
            )
        keep = both(
            between(lambda c: c.created_at, created_after, created_before),
            between(lambda c: c.updated_at, updated_after, None),
        )
        first = self.get(
            "conversations", query={"results": self.page_size("conversations", page_size)}
        )
        return Listing(
            request=first,
            read=TimeReader(
                payload=payloads.Conversation,
                translate=partial(translate.conversation, self.name),
                rule=HiddenOrder(
                    listing=first,
                    items=self._newest_item,
                    floor=_floor(created_after, updated_after),
                ),
            ),
            keep=keep,
            repeats=True,
        )

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
        """List items, the last modified first: `GET /conversations/{convId}/items`.

        An edited message has moved to the top. In the order of sending, a conversation is read
        to its end before the first item comes.
        """
        check_order(order)
        return Listing(
            request=self.get(
                "conversations",
                self.id_of(conversation),
                "items",
                query={"results": self.page_size("messages", page_size)},
            ),
            read=TimeReader(
                payload=payloads.Item,
                translate=partial(translate.message, conversation, self.me, self._origin),
                rule=TimePaging(floor=_floor(since)),
            ),
            keep=between(lambda m: m.sent_at, since, until),
            repeats=True,
            sort_key=_sort_key(order),
        )

    @operation
    def participants(
        self,
        conversation: Ref,
        *,
        name: str | None = None,
        type: str | None = None,  # noqa: A002 - Circuit's word
        page_size: int | None = None,
    ) -> Listing[Participant]:
        """List who is or was in a conversation: `GET /conversations/{convId}/participants`.

        Of the types REGULAR, MODERATOR, GUEST, FORMER and BOT, which are lists of their own, all
        are read, or the one given. `name` is a part of a name.
        """
        if type is not None and type not in TYPES:
            raise ConfigurationError(f"type is one of {', '.join(TYPES)}, not {type!r}")
        types = TYPES if type is None else (type,)
        return Listing(
            request=self.get(
                "conversations",
                self.id_of(conversation),
                "participants",
                query={
                    "pageSize": self.page_size("participants", page_size),
                    "type": types[0],
                    "name": name,
                },
            ),
            read=ParticipantsReader(conversation=conversation, rule=Roster(types=types)),
            repeats=True,
            moving=True,
        )

    @operation
    def conversation(self, ref: Ref) -> Call[Conversation]:
        """Fetch one: `GET /conversations/{convId}`."""
        return Call(
            request=self.get("conversations", self.id_of(ref)),
            read=Record(
                payload=payloads.Conversation,
                translate=partial(translate.conversation, self.name),
            ),
        )

    @operation
    def message(self, conversation: Ref, id: str) -> Call[Message]:  # noqa: A002
        """Fetch one item: `GET /conversations/messages/{itemId}`.

        The path does not name the conversation, so an item of another one is not found.
        """
        self.id_of(conversation)
        return Call(
            request=self.get("conversations", "messages", id),
            read=Record(payload=payloads.Item, translate=partial(self._item_of, conversation)),
        )

    @operation
    def communities(
        self,
        *,
        sort: str = "ALPHABETICALLY",
        order: str = "ASCENDING",
        include_own: bool = False,
        page_size: int | None = None,
    ) -> Listing[Conversation]:
        """List the communities that can be joined: `GET /conversations/community`.

        `sort` is ALPHABETICALLY, RECENT_ACTIVITY or POPULARITY, `order` ASCENDING or DESCENDING.
        Circuit shows 355 from either end; where there are more than both, the walk delivers
        those and ends with a `PagingError`. `include_own` adds the user's own.
        """
        return Listing(
            request=self.get(
                "conversations",
                "community",
                query={
                    "sort": sort,
                    "order": order,
                    "includeOwn": include_own,
                    "startIndex": 0,
                    "results": self.page_size("communities", page_size),
                },
            ),
            read=Records(
                payload=payloads.Conversation,
                items=None,
                translate=partial(translate.conversation, self.name),
                paging=Communities(),
                blank=EMPTY,
            ),
            repeats=True,
            moving=True,
        )

    @operation
    def conversations_with_label(
        self, label_id: str, *, page_size: int | None = None
    ) -> Listing[Conversation]:
        """List what the user put a label on: `GET /conversations/label/{labelId}`."""
        return Listing(
            request=self.get(
                "conversations",
                "label",
                label_id,
                query={"pageSize": self.page_size("conversations_with_label", page_size)},
            ),
            read=Records(
                payload=payloads.Conversation,
                items="conversationList",
                translate=partial(translate.conversation, self.name),
                paging=BY_LABEL,
                blank=b'{"conversationList":[]}',
            ),
            repeats=True,
            moving=True,
        )

    @property
    def _origin(self) -> str:
        return str(self.base_url.origin())

    def _newest_item(self, conversation: str) -> Request:
        return self.get("conversations", conversation, "items", query={"results": 1})

    def _item_of(self, conversation: Ref, payload: payloads.Item, raw: Any) -> Message:
        if payload.conv_id not in (None, conversation.id):
            raise NotFoundError(
                f"item {payload.item_id} is in another conversation than {conversation}",
                provider=self.name,
                operation="message",
            )
        return translate.message(conversation, self.me, self._origin, payload, raw)


def _people(provider: str, users: list[payloads.User], raw: Any) -> Mapping[Ref, Author]:
    del raw
    return translate.people(provider, users)


def _floor(*bounds: datetime | None) -> int | None:
    """Return where a walk may stop: what was modified before was created before, too."""
    given = [bound for bound in bounds if bound is not None]
    return max(((b - EPOCH) // timedelta(milliseconds=1) for b in given), default=None)


def _sort_key(order: str | None) -> Callable[[Message], Any] | None:
    if order is None:
        return None
    if order == "oldest":
        return lambda m: (_sent(m), m.ref.id)
    # Items of one time stay as they come, the greater id first.
    return lambda m: -_sent(m)


def _sent(message: Message) -> float:
    return message.sent_at.timestamp() if message.sent_at else 0.0
