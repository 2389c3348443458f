"""Where Clio keeps conversations, and how it pages them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar

from attrs import Factory, evolve, field, frozen
from yarl import URL

from conversations_hub.errors import ConfigurationError, StatusError
from conversations_hub.models import (
    Author,
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
    name_field,
    operation,
    secret_field,
)
from conversations_hub.providers.clio import fields, payloads, refusals, translate
from conversations_hub.providers.clio.nested import Nested
from conversations_hub.reading import Record, Records
from conversations_hub.recipes import Call, Listing
from conversations_hub.wire import Request, Response, instant, shifted

HOSTS = {region: f"{region}.app.clio.com" for region in ("eu", "ca", "au")} | {"us": "app.clio.com"}
# Behind a gateway, links still name Clio's own host.
PAGES = PageTokenPaging(
    link=("meta", "paging", "next"),
    token="page_token",  # noqa: S106 - the parameter's name
    hosts=re.compile(r"((eu|ca|au)\.)?app\.clio\.com"),
    silent_end=True,
    total=("meta", "records"),
    size="limit",
)
# Only said aloud does this order page without end: the default and every other one stop at
# 10,000 records, and rows move between their pages.
BY_ID = "id(asc)"
NEWEST = "id(desc)"
ARCHIVED = {ConversationState.OPEN: False, ConversationState.ARCHIVED: True}
# Whether "since" takes in its own second is not known.
OVERLAP = timedelta(seconds=1)
CONTACT = re.compile(r"contact/(\d+)", re.ASCII)


def _region(value: str) -> str:
    if value not in HOSTS:
        raise ConfigurationError(f"region {value!r} is none of Clio's: us, eu, ca, au")
    return value


def _host(self: Clio) -> URL:
    return URL(f"https://{HOSTS[self.region]}/api/v4")


@frozen(kw_only=True)
class Clio(Provider):
    """A user's account at Clio Manage; tokens are of one region and unknown in the others.

    `conversation_fields` and `message_fields` are asked for besides what the models need, and
    found in `raw`. `api_version` pins a minor version such as `4.0.9`.
    """

    env: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "token": ("CLIO_ACCESS_TOKEN", "CLIO_TOKEN"),
        "region": ("CLIO_REGION",),
        "base_url": ("CLIO_BASE_URL",),
    }
    limits: ClassVar[Mapping[str, int]] = {"conversations": 200, "messages": 200}

    name: str = name_field("clio")
    token: str = secret_field()
    region: str = field(default="us", converter=_region)
    conversation_fields: tuple[str, ...] = field(default=(), converter=fields.extra)
    message_fields: tuple[str, ...] = field(default=(), converter=fields.extra)
    api_version: str | None = None
    base_url: URL = base_url_field(Factory(_host, takes_self=True))
    # One for the provider and its copies in hubs.
    _ladder: fields.Ladder = field(factory=fields.Ladder, init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if not self.token:
            raise ConfigurationError("Clio needs a token", provider=self.name)

    def auth_headers(self) -> Mapping[str, str]:
        """Prove who asks with the access token."""
        return {"Authorization": f"Bearer {self.token}"}

    def problem(self, request: Request, response: Response) -> Problem:
        """Read Clio's error body, whatever shape it has."""
        return refusals.problem(request, response, self._added)

    def instead(self, request: Request, error: StatusError) -> Request | None:
        """Ask for less of people where Clio does not know their fields.

        A field that the caller added is the caller's to take out.
        """
        asked = request.query.get("fields", "")
        rung = fields.rung_of(asked)
        name = refusals.refused_field(error)
        if request.method != "GET" or rung is None or name is None or name in self._added:
            return None
        if rung == len(fields.LADDER) - 1:
            self._ladder.rung = 0  # it was not for the fields of people
            return None
        self._ladder.rung = max(rung + 1, self._ladder.rung)
        return request.with_query(fields=fields.at_rung(self._ladder.rung, asked))

    def people(
        self, conversation: Ref | None, refs: Sequence[Ref]
    ) -> Iterable[Call[Mapping[Ref, Author]]]:
        """Find a conversation's members among those who wrote and received its first messages."""
        members = [ref for ref in refs if ref.id.startswith("member/")]
        # On the last rung, messages tell of people no more than memberships do.
        if conversation is None or not members or not fields.LADDER[self._ladder.rung]:
            return ()
        query = {
            "conversation_id": self.id_of(conversation),
            "order": BY_ID,
            "limit": self.limits["messages"],
            "fields": fields.at_rung(self._ladder.rung, fields.PEOPLE),
        }
        read: Record[payloads.Addresses, Mapping[Ref, Author]] = Record(
            payload=payloads.Addresses, translate=partial(translate.people, conversation, members)
        )
        return (Call(request=self._get("conversation_messages.json", query=query), read=read),)

    def fingerprint(self, request: Request) -> str:
        """Know a list whatever of people's fields were asked for."""
        return super().fingerprint(request.with_query(fields=None))

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
        read_status: bool | None = None,
        for_user: bool | None = None,
        matter_id: int | str | None = None,
        time_entries: bool | None = None,
        date: str | None = None,
        ids: Sequence[int | str] | None = None,
    ) -> Listing[Conversation]:
        """List conversations by id, the oldest first: `GET /conversations.json`.

        A participant is a contact, as a ref (`clio:contact/77`) or by the id alone. `matter_id`
        may be `"null"`: of no matter. `date` is the day of creation (`2026-02-03`). `for_user`
        tells those of the user's groups (true) from the user's own (false).
        """
        keep = both(
            between(lambda c: c.created_at, created_after, created_before),
            between(lambda c: c.updated_at, updated_after, None),
            (lambda c: c.state in {state, None}) if state else None,
        )
        if state is not None and state not in ARCHIVED:
            raise self.unsupported(
                "conversations", f"its conversations are {', '.join(ARCHIVED)}, never {state}"
            )
        return Listing(
            request=self._get(
                "conversations.json",
                query={
                    "archived": ARCHIVED[state] if state else None,
                    "contact_id": self._contact(participant),
                    "created_since": _since(created_after),
                    "updated_since": _since(updated_after),
                    "read_status": read_status,
                    "for_user": for_user,
                    "matter_id": matter_id,
                    "time_entries": time_entries,
                    "date": date,
                    "ids[]": ids,
                    "order": BY_ID,
                    "limit": self.page_size("conversations", page_size),
                    "fields": fields.joined(fields.CONVERSATION, self.conversation_fields),
                },
            ),
            read=Records(
                payload=payloads.Conversation,
                items="data",
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
        query: str | None = None,
        ids: Sequence[int | str] | None = None,
    ) -> Listing[Message]:
        """List messages by id, the oldest first: `GET /conversation_messages.json`.

        `query` searches the bodies; `*` in it stands for anything.
        """
        check_order(order)
        return Listing(
            request=self._get(
                "conversation_messages.json",
                query={
                    "conversation_id": self.id_of(conversation),
                    "query": query,
                    "ids[]": ids,
                    "order": NEWEST if order == "newest" else BY_ID,
                    "limit": self.page_size("messages", page_size),
                    "fields": self._message_fields(),
                },
            ),
            read=Records(
                payload=payloads.Message,
                items="data",
                translate=partial(translate.message, conversation),
                paging=PAGES,
            ),
            # The API's own "since" is about the conversation, not about its messages.
            keep=between(lambda m: m.sent_at, since, until),
            # From the newest, pages are counted from a top that moves.
            repeats=order == "newest",
            moving=order == "newest",
        )

    @operation
    def participants(
        self, conversation: Ref, *, page_size: int | None = None
    ) -> Listing[Participant]:
        """List the members, all at once: `GET /conversations/{id}.json`."""
        del page_size
        return Listing(
            request=self._get(
                "conversations",
                f"{self.id_of(conversation)}.json",
                query={"fields": f"id,{fields.MEMBERSHIPS}"},
            ),
            read=Nested(
                payload=payloads.Membership,
                path=("data", "memberships"),
                translate=partial(translate.participant, conversation),
            ),
        )

    @operation
    def conversation(self, ref: Ref) -> Call[Conversation]:
        """Fetch one: `GET /conversations/{id}.json`."""
        return Call(
            request=self._get(
                "conversations",
                f"{self.id_of(ref)}.json",
                query={"fields": fields.joined(fields.CONVERSATION, self.conversation_fields)},
            ),
            read=Record(
                payload=payloads.Conversation,
                translate=partial(translate.conversation, self.name),
                item="data",
            ),
        )

    @operation
    def message(self, conversation: Ref, id: str) -> Call[Message]:  # noqa: A002
        """Fetch one, in whatever conversation it is: `GET /conversation_messages/{id}.json`."""
        self.id_of(conversation)
        return Call(
            request=self._get(
                "conversation_messages", f"{id}.json", query={"fields": self._message_fields()}
            ),
            read=Record(
                payload=payloads.Message,
                translate=partial(translate.message, conversation),
                item="data",
            ),
        )

    @property
    def _added(self) -> frozenset[str]:
        """The names that only the caller asks for."""
        ours = fields.names([fields.CONVERSATION, fields.MESSAGE])
        return fields.names([*self.conversation_fields, *self.message_fields]) - ours

    def _message_fields(self) -> str:
        asked = fields.joined(fields.MESSAGE, self.message_fields)
        return fields.at_rung(self._ladder.rung, asked)

    def _contact(self, participant: Ref | str | None) -> str | None:
        """Return the contact to ask for; who is no contact cannot be asked for."""
        if participant is None:
            return None
        who = self.id_of(participant) if isinstance(participant, Ref) else participant
        if isinstance(participant, str) and who.isdecimal():
            return who
        if found := CONTACT.fullmatch(who):
            return found[1]
        raise self.unsupported(
            "conversations",
            f"{who!r} is no contact: give contact/ID; for_user=False lists the user's own",
        )

    def _get(self, *segments: str, query: Mapping[str, Any]) -> Request:
        request = self.get(*segments, query=query)
        if self.api_version is None:
            return request
        return evolve(request, headers={"X-API-VERSION": self.api_version})


def _since(moment: datetime | None) -> str | None:
    return instant(shifted(moment, -OVERLAP)) if moment else None
