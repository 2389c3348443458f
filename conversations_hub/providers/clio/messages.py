"""Clio's messages, which are read here; they are written in `letters`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from attrs import evolve

from conversations_hub.models import Message, Ref
from conversations_hub.provider import between, check_order, operation
from conversations_hub.providers.clio import fields, payloads, translate
from conversations_hub.providers.clio.account import (
    BY_ID,
    COUNTED,
    NEWEST,
    PAGES,
    Account,
    two_ends,
)
from conversations_hub.providers.clio.conditions import NotModified, not_modified, unless
from conversations_hub.reading import Record, Records
from conversations_hub.recipes import Call, Listing


class Messages(Account):
    """The operations that read messages."""

    __slots__ = ()

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
        asked = {
            "conversation_id": self.id_of(conversation),
            "query": query,
            "ids[]": ids,
            "order": NEWEST if order == "newest" else BY_ID,
            "limit": self.page_size("messages", page_size),
            "fields": self.message_parts(fields.MESSAGE),
        }
        first = self.asking("GET", "conversation_messages.json", query=asked)
        return Listing(
            request=first,
            read=Records(
                payload=payloads.Message,
                items="data",
                translate=partial(translate.message, conversation),
                paging=COUNTED if order == "newest" else PAGES,
            ),
            # The API's own "since" is about the conversation, not about its messages.
            keep=between(lambda m: m.sent_at, since, until),
            # What is written meanwhile moves the pages.
            repeats=order == "newest",
            moving=order == "newest",
            # What is searched may be written anew, and the count stays.
            split=None if query else two_ends(first),
        )

    @operation
    def message(self, conversation: Ref, id: str) -> Call[Message]:  # noqa: A002
        """Fetch a message by its id alone: `GET /conversation_messages/{id}.json`."""
        return self._shown(conversation, id, {})

    @operation
    def show_message(
        self,
        conversation: Ref,
        id: str,  # noqa: A002
        *,
        if_none_match: str | None = None,
        if_modified_since: datetime | None = None,
    ) -> Call[Message | NotModified]:
        """Fetch a message unless it is unchanged: `GET /conversation_messages/{id}.json`.

        The value is `NotModified` where the etag, or the time, is still the right one.
        """
        asked: Call[Any] = self._shown(conversation, id, unless(if_none_match, if_modified_since))
        return evolve(asked, recover=not_modified)

    def read_message(self, conversation: Ref) -> Record[payloads.Message, Message]:
        """Return what reads the message in an answer."""
        return Record(
            payload=payloads.Message,
            translate=partial(translate.message, conversation),
            item="data",
        )

    def _shown(self, conversation: Ref, number: str, headers: Mapping[str, str]) -> Call[Message]:
        self.id_of(conversation)
        request = self.asking(
            "GET",
            "conversation_messages",
            f"{number}.json",
            query={"fields": self.message_parts(fields.MESSAGE)},
            headers=headers,
        )
        return Call(request=request, read=self.read_message(conversation))
