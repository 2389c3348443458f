"""What the four APIs' payloads become: conversations, messages, participants."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from attrs import field

from conversations_hub.construct import model
from conversations_hub.raw import Raw


class ConversationKind(StrEnum):
    """Who a conversation is between."""

    DIRECT = "direct"
    GROUP = "group"
    COMMUNITY = "community"
    UNKNOWN = "unknown"


class ConversationState(StrEnum):
    """Whether a conversation goes on."""

    OPEN = "open"
    INACTIVE = "inactive"
    CLOSED = "closed"
    ARCHIVED = "archived"
    UNKNOWN = "unknown"


class MessageKind(StrEnum):
    """What a message is made of."""

    TEXT = "text"
    MEDIA = "media"
    FORM = "form"
    LOCATION = "location"
    CARD = "card"
    SYSTEM = "system"
    CALL = "call"
    UNKNOWN = "unknown"


class MessageState(StrEnum):
    """What became of a message since it was sent."""

    SENT = "sent"
    EDITED = "edited"
    DELETED = "deleted"


class Direction(StrEnum):
    """Which way a message went, seen from the account the hub acts for."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    SYSTEM = "system"
    UNKNOWN = "unknown"


class Role(StrEnum):
    """What somebody is in a conversation."""

    CUSTOMER = "customer"
    STAFF = "staff"
    BOT = "bot"
    MODERATOR = "moderator"
    GUEST = "guest"
    SYSTEM = "system"
    UNKNOWN = "unknown"


@model
class Ref:
    """Which thing, at which provider: `clio:42`."""

    provider: str
    id: str

    @classmethod
    def parse(cls, text: str) -> Ref:
        """Read the text form back; `ValueError` where there is no provider in it."""
        provider, colon, id_ = text.partition(":") if isinstance(text, str) else ("", "", "")
        if not provider or not colon or not id_:
            raise ValueError(f"{text!r} is not a reference; write PROVIDER:ID, such as clio:42")
        return cls(provider, id_)

    def __str__(self) -> str:
        return f"{self.provider}:{self.id}"


@model(kw_only=True)
class Author:
    """Somebody who wrote or received a message."""

    ref: Ref | None = None
    name: str | None = None
    role: Role = Role.UNKNOWN


@model(kw_only=True)
class Attachment:
    """A file that came with a message; `size` is in bytes."""

    id: str | None = None
    name: str | None = None
    media_type: str | None = None
    size: int | None = None
    url: str | None = None


def _raw() -> Any:
    return field(default=None, eq=False, repr=False)


def _metadata() -> Any:
    return field(factory=dict, hash=False)


@model(kw_only=True)
class Conversation:
    """A conversation; None means that the provider does not say."""

    ref: Ref
    kind: ConversationKind = ConversationKind.UNKNOWN
    state: ConversationState | None = None
    title: str | None = None
    description: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    last_message_at: datetime | None = None
    members: tuple[Ref, ...] | None = None
    metadata: Mapping[str, Any] = _metadata()
    raw: Raw | None = _raw()


@model(kw_only=True)
class Message:
    """A message, a system notice or a call record; None means that the provider does not say."""

    ref: Ref
    conversation: Ref
    kind: MessageKind = MessageKind.UNKNOWN
    direction: Direction = Direction.UNKNOWN
    author: Author | None = None
    recipients: tuple[Author, ...] = ()
    subject: str | None = None
    text: str | None = None
    html: str | None = None
    attachments: tuple[Attachment, ...] = ()
    reply_to: Ref | None = None
    state: MessageState = MessageState.SENT
    sent_at: datetime | None = None
    updated_at: datetime | None = None
    metadata: Mapping[str, Any] = _metadata()
    raw: Raw | None = _raw()


@model(kw_only=True)
class Participant:
    """Somebody in a conversation; None means that the provider does not say."""

    ref: Ref
    conversation: Ref
    user: Ref | None = None
    name: str | None = None
    role: Role = Role.UNKNOWN
    channel: str | None = None
    address: str | None = None
    joined_at: datetime | None = None
    last_read_at: datetime | None = None
    metadata: Mapping[str, Any] = _metadata()
    raw: Raw | None = _raw()
