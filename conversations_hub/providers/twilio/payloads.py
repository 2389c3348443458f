"""What we read of Twilio's answers; everything else stays in `raw`.

Enums are plain text and what Twilio does not promise is optional: the published description
calls nearly every field nullable.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

# `gc=False`: what comes from JSON is in no cycle, so the garbage collector need not look.

Moment = Annotated[datetime, Meta(tz=True)]


class Conversation(Struct, frozen=True, gc=False):
    """A conversation, as `GET /v1/Conversations` lists it."""

    sid: str
    friendly_name: str | None = None
    state: str | None = None
    attributes: str | None = None
    date_created: Moment | None = None
    date_updated: Moment | None = None


# Written out, for a subclass would not rename what it inherits.
class ParticipantConversation(Struct, frozen=True, gc=False, rename="conversation_{}".format):
    """The same, as `GET /v1/ParticipantConversations` spells it."""

    sid: str
    friendly_name: str | None = None
    state: str | None = None
    attributes: str | None = None
    date_created: Moment | None = None
    date_updated: Moment | None = None


class Media(Struct, frozen=True, gc=False):
    """A file of a message."""

    sid: str | None = None
    filename: str | None = None
    content_type: str | None = None
    size: int | None = None


class Message(Struct, frozen=True, gc=False):
    """A message of a conversation; `body` is null where it is only media."""

    sid: str
    conversation_sid: str | None = None
    author: str | None = None
    participant_sid: str | None = None
    body: str | None = None
    media: list[Media] | None = None
    content_sid: str | None = None
    attributes: str | None = None
    chat_service_sid: str | None = None
    date_created: Moment | None = None
    date_updated: Moment | None = None


class Binding(Struct, frozen=True, gc=False):
    """How a participant outside of chat is reached; its keys may be absent or null."""

    type: str | None = None
    address: str | None = None
    projected_address: str | None = None
    name: str | None = None


class Participant(Struct, frozen=True, gc=False):
    """A participant of a conversation; `messaging_binding` is null for chat."""

    sid: str
    conversation_sid: str | None = None
    identity: str | None = None
    messaging_binding: Binding | None = None
    attributes: str | None = None
    last_read_timestamp: Moment | None = None
    date_created: Moment | None = None
