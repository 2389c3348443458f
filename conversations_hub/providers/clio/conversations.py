"""Clio's conversations: lists of them, each of them, and the flags that a user sets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from attrs import evolve

from conversations_hub.errors import ConfigurationError, InvalidRequestError
from conversations_hub.models import (
    Author,
    Conversation,
    ConversationState,
    Participant,
    Ref,
)
from conversations_hub.provider import all_of, between, operation
from conversations_hub.providers.clio import changes, fields, payloads, translate
from conversations_hub.providers.clio.account import (
    BY_ID,
    COUNTED,
    PAGES,
    Account,
    two_ends,
)
from conversations_hub.providers.clio.conditions import (
    NotModified,
    not_modified,
    only_if,
    unless,
)
from conversations_hub.providers.clio.nested import Nested
from conversations_hub.reading import Record, Records
from conversations_hub.recipes import Attempt, Call, Listing, Outcome
from conversations_hub.wire import QueryValue, Request, Response, instant, shifted
from conversations_hub.writing import after

ARCHIVED = {ConversationState.OPEN: False, ConversationState.ARCHIVED: True}
# Whether "since" takes in its own second is not known.
OVERLAP = timedelta(seconds=1)
# By these a conversation may leave the list, and another come in, while the count stays.
CHANGING = (
    "archived",
    "contact_id",
    "for_user",
    "matter_id",
    "read_status",
    "time_entries",
    "updated_since",
)
CONTACT = re.compile(r"contact/(\d+)", re.ASCII)


class Conversations(Account):
    """The operations on conversations."""

    __slots__ = ()

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
        keep = all_of(
            between(lambda c: c.created_at, created_after, created_before),
            between(lambda c: c.updated_at, updated_after, None),
            (lambda c: c.state in {state, None}) if state else None,
        )
        if state is not None and state not in ARCHIVED:
            raise self.unsupported(
                "conversations", f"its conversations are {', '.join(ARCHIVED)}, never {state}"
            )
        query = {
            "archived": ARCHIVED[state] if state else None,
            "contact_id": self._contact(participant),
            "created_since": since(created_after),
            "updated_since": since(updated_after),
            "read_status": read_status,
            "for_user": for_user,
            "matter_id": matter_id,
            "time_entries": time_entries,
            "date": date,
            "ids[]": ids,
        }
        listing = self.conversations_by(BY_ID, query, page_size)
        comes_and_goes = any(query[name] is not None for name in CHANGING)
        return evolve(
            listing, keep=keep, split=None if comes_and_goes else two_ends(listing.request)
        )

    @operation
    def participants(
        self, conversation: Ref, *, page_size: int | None = None
    ) -> Listing[Participant]:
        """List the members, all at once: `GET /conversations/{id}.json`."""
        del page_size
        return Listing(
            request=self._asking("GET", conversation, f"id,{fields.MEMBERSHIPS}"),
            read=Nested(
                payload=payloads.Membership,
                path=("data", "memberships"),
                translate=partial(translate.participant, conversation),
            ),
        )

    @operation
    def conversation(self, ref: Ref) -> Call[Conversation]:
        """Fetch a conversation: `GET /conversations/{id}.json`."""
        return Call(request=self._asking("GET", ref), read=self._conversation)

    @operation
    def show_conversation(
        self,
        ref: Ref,
        *,
        if_none_match: str | None = None,
        if_modified_since: datetime | None = None,
    ) -> Call[Conversation | NotModified]:
        """Fetch a conversation unless it is unchanged: `GET /conversations/{id}.json`.

        The value is `NotModified` where the etag, or the time, is still the right one. An etag
        is found in `raw["etag"]`, its quotes are part of it.
        """
        headers = unless(if_none_match, if_modified_since)
        return Call(
            request=self._asking("GET", ref, headers=headers),
            read=self._conversation,
            recover=not_modified,
        )

    @operation
    def update_conversation(
        self,
        ref: Ref,
        *,
        archived: bool | None = None,
        read: bool | None = None,
        matter: Ref | str | int | None = None,
        if_match: str | None = None,
    ) -> Call[Conversation]:
        """Set what the token's user sees, or the matter: `PATCH /conversations/{id}.json`.

        With the etag of a known version as `if_match`, another version is left as it is: a
        `ConflictError`. A change that Clio accepts and ignores is an `InvalidRequestError`.
        """
        link = None if matter is None else {"id": self.number(matter, "matter")}
        wanted = {"archived": archived, "read": read, "matter": link}
        given = {name: value for name, value in wanted.items() if value is not None}
        if not given:
            raise ConfigurationError(
                "there is nothing to change; give archived=, read= or matter=", provider=self.name
            )
        return self._change(ref, given, if_match)

    @operation
    def archive(self, ref: Ref, *, if_match: str | None = None) -> Call[Conversation]:
        """Archive a conversation for the token's user: `PATCH /conversations/{id}.json`."""
        return self._change(ref, {"archived": True}, if_match)

    @operation
    def unarchive(self, ref: Ref, *, if_match: str | None = None) -> Call[Conversation]:
        """Unarchive a conversation for the token's user: `PATCH /conversations/{id}.json`."""
        return self._change(ref, {"archived": False}, if_match)

    @operation
    def mark_read(
        self,
        conversation: Ref,
        *,
        participant: Ref | str | None = None,
        if_match: str | None = None,
    ) -> Call[None]:
        """Mark all as read, for the token's user: `PATCH /conversations/{id}.json`."""
        if participant is not None:
            raise self.unsupported("mark_read", "it marks as read for the token's user alone")
        marked = self._change(conversation, {"read": True}, if_match)
        return Call(
            request=marked.request,
            read=lambda response: _no_value(marked.read(response)),
            reconcile=lambda attempt: after(
                self._look(conversation, {"read": True}, attempt),
                lambda outcome: Outcome(happened=outcome.happened),
            ),
        )

    def people(
        self, conversation: Ref | None, refs: Sequence[Ref]
    ) -> Iterable[Call[Mapping[Ref, Author]]]:
        """Find a conversation's members among those who wrote and received its first messages."""
        members = [ref for ref in refs if ref.id.startswith("member/")]
        # On the last rung, messages tell of people no more than memberships do.
        if conversation is None or not members or not fields.LADDER[self._ladder.rung]:
            return ()
        query: dict[str, QueryValue] = {
            "conversation_id": self.id_of(conversation),
            "order": BY_ID,
            "limit": self.limits["messages"],
            "fields": fields.at_rung(self._ladder.rung, fields.PEOPLE),
        }
        read: Record[payloads.Addresses, Mapping[Ref, Author]] = Record(
            payload=payloads.Addresses, translate=partial(translate.people, conversation, members)
        )
        request = self.asking("GET", "conversation_messages.json", query=query)
        return (Call(request=request, read=read),)

    def conversations_by(
        self, order: str, query: Mapping[str, Any], page_size: int | None = None
    ) -> Listing[Conversation]:
        """Return the list in one of Clio's own orders."""
        asked = {
            **query,
            "order": order,
            "limit": self.page_size("conversations", page_size),
            "fields": fields.joined(fields.CONVERSATION, self.conversation_fields),
        }
        return Listing(
            request=self.asking("GET", "conversations.json", query=asked),
            read=Records(
                payload=payloads.Conversation,
                items="data",
                translate=partial(translate.conversation, self.name),
                paging=PAGES if order == BY_ID else COUNTED,
            ),
        )

    @property
    def _conversation(self) -> Callable[[Response], Conversation]:
        return Record(
            payload=payloads.Conversation,
            translate=partial(translate.conversation, self.name),
            item="data",
        )

    def _asking(
        self,
        method: str,
        ref: Ref,
        parts: str | None = None,
        *,
        data: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Request:
        whole = fields.joined(fields.CONVERSATION, self.conversation_fields)
        place, query = ("conversations", f"{self.id_of(ref)}.json"), {"fields": parts or whole}
        return self.asking(method, *place, query=query, data=data, headers=headers)

    def _change(
        self, ref: Ref, wanted: Mapping[str, Any], if_match: str | None
    ) -> Call[Conversation]:
        request = self._asking("PATCH", ref, data=wanted, headers=only_if(if_match))

        def read(response: Response) -> Conversation:
            conversation = self._conversation(response)
            if ignored := changes.missing(conversation, wanted):
                raise InvalidRequestError(
                    f"Clio answers yes and leaves {', '.join(ignored)} as it was",
                    provider=self.name,
                    request=request,
                    response=response,
                )
            return conversation

        return Call(request=request, read=read, reconcile=partial(self._look, ref, wanted))

    def _look(self, ref: Ref, wanted: Mapping[str, Any], _: Attempt) -> Call[Outcome[Conversation]]:
        return after(
            self.conversation(ref),
            lambda found: Outcome(happened=changes.stand(found, wanted), value=found),
        )

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
            f"{who!r} is not a contact: give contact/ID; for_user=False lists the user's own",
        )


def since(moment: datetime | None) -> str | None:
    """Write the start of a span of time, a little early."""
    return instant(shifted(moment, -OVERLAP)) if moment else None


def _no_value(_: object) -> None:
    return None
