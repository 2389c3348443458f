"""Where Twilio Conversations keeps things, and how it pages them."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar

from attrs import Factory, evolve, frozen
from yarl import URL

from conversations_hub.errors import ConfigurationError, CursorExpiredError
from conversations_hub.models import (
    Conversation,
    ConversationState,
    Message,
    Participant,
    Ref,
)
from conversations_hub.paging import PageTokenPaging
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
from conversations_hub.providers.twilio import payloads, translate
from conversations_hub.raw import Raw
from conversations_hub.reading import Record, Records
from conversations_hub.recipes import Call, Listing
from conversations_hub.wire import Request, Response, shifted

# With an edge or region configured, links may still name the generic host.
PAGES = PageTokenPaging(
    link=("meta", "next_page_url"),
    token="PageToken",  # noqa: S106 - the parameter's name
    whole_query=True,
    hosts=re.compile(r"conversations(\.[a-z0-9-]+){0,2}\.twilio\.com"),
)
STATES = {state: word for word, state in translate.STATES.items()}
# Without a date filter the list is in order of activity, and rows move between pages while
# it is read. With one it is in order of creation.
FROM_THE_START = "1970-01-01T00:00:00Z"
# Some answers have no code; what else was asked, Twilio has accepted on the first page.
BAD_PAGE_CODES: set[str | None] = {"20001", "21481", "70002", None}
HOME = "us1"
PARTICIPANT = re.compile(r"MB[0-9a-f]{32}")


def _host(self: Twilio) -> URL:
    if self.region not in {None, "", HOME} and not self.edge:
        raise ConfigurationError(
            f"region {self.region!r} needs an edge too, such as edge='dublin' for 'ie1'",
            provider=self.name,
        )
    place = f".{self.edge}.{self.region or HOME}" if self.edge else ""
    return URL(f"https://conversations{place}.twilio.com")


@frozen(kw_only=True)
class Twilio(Provider):
    """An account at Twilio Conversations, version 1; the API key is used where both are given."""

    env: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "account_sid": ("TWILIO_ACCOUNT_SID",),
        "auth_token": ("TWILIO_AUTH_TOKEN",),
        "api_key_sid": ("TWILIO_API_KEY_SID", "TWILIO_API_KEY"),
        "api_key_secret": ("TWILIO_API_KEY_SECRET", "TWILIO_API_SECRET"),
        "service_sid": ("TWILIO_CHAT_SERVICE_SID", "TWILIO_CONVERSATIONS_SERVICE_SID"),
        "region": ("TWILIO_REGION",),
        "edge": ("TWILIO_EDGE",),
        "base_url": ("TWILIO_CONVERSATIONS_BASE_URL",),
    }
    limits: ClassVar[Mapping[str, int]] = {
        "conversations": 100,
        "conversations of a participant": 50,
        "messages": 100,
        "participants": 100,
    }

    name: str = name_field("twilio")
    account_sid: str
    auth_token: str | None = secret_field(None)
    api_key_sid: str | None = None
    api_key_secret: str | None = secret_field(None)
    service_sid: str | None = None
    region: str | None = None
    edge: str | None = None
    base_url: URL = base_url_field(Factory(_host, takes_self=True))

    def __attrs_post_init__(self) -> None:
        if not self.auth_token and not (self.api_key_sid and self.api_key_secret):
            raise ConfigurationError(
                "Twilio needs an auth_token, or an api_key_sid and its api_key_secret",
                provider=self.name,
            )

    def auth_headers(self) -> Mapping[str, str]:
        """Prove who asks with HTTP Basic."""
        user, secret = self.account_sid, self.auth_token
        if self.api_key_sid and self.api_key_secret:
            user, secret = self.api_key_sid, self.api_key_secret
        pair = b64encode(f"{user}:{secret}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}

    def problem(self, request: Request, response: Response) -> Problem:
        """Read Twilio's own error body, or RFC 9457's."""
        body = json_object(response)
        code = str(body["code"]) if body.get("code") is not None else None
        refused = response.status == 400 and code in BAD_PAGE_CODES
        lost = refused and "PageToken" in request.query
        return Problem(
            message=str(body.get("message") or body.get("detail") or body.get("title") or ""),
            code=code,
            request_id=response.header("Twilio-Request-Id"),
            kind=CursorExpiredError if lost else None,
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
        """List conversations, the newest first: `GET /v1/Conversations`.

        Those of a participant come from `GET /v1/ParticipantConversations`: a ref or a plain
        name is an identity; a phone number or a prefixed address (`whatsapp:+1…`) an address;
        an e-mail address may be either.
        """
        keep = both(
            between(lambda c: c.created_at, created_after, created_before),
            between(lambda c: c.updated_at, updated_after, None),
        )
        if state is not None and state not in STATES:
            raise self.unsupported(
                "conversations", f"its conversations are {', '.join(STATES)}, never {state}"
            )
        if participant is not None:
            return self._of_participant(participant, state, keep, page_size)
        return Listing(
            request=self._get(
                "Conversations",
                query={
                    "StartDate": _day(created_after, "T00:00:00Z") or FROM_THE_START,
                    "EndDate": _day(created_before, "T23:59:59Z", timedelta(seconds=1)),
                    "State": STATES[state] if state else None,
                    "PageSize": self.page_size("conversations", page_size),
                },
            ),
            read=Records(
                payload=payloads.Conversation,
                items="conversations",
                translate=partial(translate.conversation, self.name),
                paging=PAGES,
            ),
            keep=keep,
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
        """List messages by index, oldest first: `GET /v1/Conversations/{sid}/Messages`."""
        check_order(order)
        return Listing(
            request=self._get(
                "Conversations",
                self.id_of(conversation),
                "Messages",
                query={
                    "Order": "desc" if order == "newest" else "asc",
                    "PageSize": self.page_size("messages", page_size),
                },
            ),
            read=Records(
                payload=payloads.Message,
                items="messages",
                translate=self._message_of(conversation),
                paging=PAGES,
            ),
            # Dates may be set by whoever writes, so that index and date need not agree.
            keep=between(lambda m: m.sent_at, since, until),
        )

    @operation
    def participants(
        self, conversation: Ref, *, page_size: int | None = None
    ) -> Listing[Participant]:
        """List participants: `GET /v1/Conversations/{sid}/Participants`."""
        return Listing(
            request=self._get(
                "Conversations",
                self.id_of(conversation),
                "Participants",
                query={"PageSize": self.page_size("participants", page_size)},
            ),
            read=Records(
                payload=payloads.Participant,
                items="participants",
                translate=partial(translate.participant, conversation),
                paging=PAGES,
            ),
            # In which order they come, nobody says.
            repeats=True,
            moving=True,
        )

    @operation
    def conversation(self, ref: Ref) -> Call[Conversation]:
        """Fetch one by its SID or unique name: `GET /v1/Conversations/{sid}`."""
        return Call(
            request=self._get("Conversations", self.id_of(ref)),
            read=Record(
                payload=payloads.Conversation,
                translate=partial(translate.conversation, self.name),
            ),
        )

    @operation
    def message(self, conversation: Ref, id: str) -> Call[Message]:  # noqa: A002
        """Fetch one: `GET /v1/Conversations/{sid}/Messages/{sid}`."""
        return Call(
            request=self._get("Conversations", self.id_of(conversation), "Messages", id),
            read=Record(payload=payloads.Message, translate=self._message_of(conversation)),
        )

    def _of_participant(
        self,
        participant: Ref | str,
        state: ConversationState | None,
        keep: Any,
        page_size: int | None,
    ) -> Listing[Conversation]:
        who = self.id_of(participant) if isinstance(participant, Ref) else participant
        if PARTICIPANT.fullmatch(who):
            raise self.unsupported(
                "conversations", "a participant is in one alone; give its `user` or `address`"
            )
        size = self.page_size("conversations of a participant", page_size)
        first, *others = (
            Listing(
                request=self._get("ParticipantConversations", query={name: who, "PageSize": size}),
                read=Records(
                    payload=payloads.ParticipantConversation,
                    items="conversations",
                    translate=partial(translate.conversation, self.name),
                    paging=PAGES,
                ),
                keep=both(keep, (lambda c: c.state is state) if state else None),
                # The order is not documented: a row may come again on a later page.
                repeats=True,
                moving=True,
            )
            for name in _names_of(participant)
        )
        return evolve(first, beside=tuple(others))

    def _message_of(self, conversation: Ref) -> Callable[[payloads.Message, Raw], Message]:
        return partial(translate.message, conversation, self.region or HOME)

    def _get(self, *segments: str, query: Mapping[str, Any] | None = None) -> Request:
        service = ("Services", self.service_sid) if self.service_sid else ()
        return self.get("v1", *service, *segments, query=query)


def _names_of(participant: Ref | str) -> tuple[str, ...]:
    """Return what somebody's name may be to Twilio."""
    if isinstance(participant, str) and translate.ADDRESS.fullmatch(participant):
        return ("Address",)
    if isinstance(participant, str) and "@" in participant:
        return ("Identity", "Address")
    return ("Identity",)


def _day(moment: datetime | None, time: str, later: timedelta = timedelta()) -> str | None:
    """Return the UTC day of a moment: the filters want whole days."""
    return f"{shifted(moment, later).date()}{time}" if moment else None
