"""Twilio's payloads, in our words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from conversations_hub.models import (
    Attachment,
    Author,
    Conversation,
    ConversationKind,
    ConversationState,
    Direction,
    Message,
    MessageKind,
    MessageState,
    Participant,
    Ref,
    Role,
)
from conversations_hub.providers.twilio import payloads
from conversations_hub.raw import Raw
from conversations_hub.reading import remembered
from conversations_hub.wire import utc

# An enum's member is looked up anew each time; here it matters.
SENT, EDITED = MessageState.SENT, MessageState.EDITED
TEXT, MEDIA = MessageKind.TEXT, MessageKind.MEDIA

# What null stands for in place of a binding.
CHAT = payloads.Binding(type="chat")

STATES = {
    "active": ConversationState.OPEN,
    "inactive": ConversationState.INACTIVE,
    "closed": ConversationState.CLOSED,
    # "initializing" has no counterpart: it is neither open nor over.
}

# A phone number, or a channel's prefix before an address: `whatsapp:+1555…`.
ADDRESS = re.compile(r"\+\d{4,}|(whatsapp|rcs|messenger|sms|gbm|apple):.+", re.IGNORECASE)


def conversation(
    provider: str,
    payload: payloads.Conversation | payloads.ParticipantConversation,
    raw: Raw | None,
) -> Conversation:
    """Translate one conversation."""
    return Conversation(
        ref=Ref(provider, payload.sid),
        # Participants can be added at any time.
        kind=ConversationKind.GROUP,
        state=STATES.get(payload.state, ConversationState.UNKNOWN) if payload.state else None,
        title=payload.friendly_name,
        created_at=utc(payload.date_created),
        updated_at=utc(payload.date_updated),
        metadata=attributes(payload.attributes),
        raw=raw,
    )


def message(conversation: Ref, media: str, payload: payloads.Message, raw: Raw | None) -> Message:
    """Translate one message; its files are below the URL `media`."""
    provider, where = conversation.provider, payload.conversation_sid
    created, updated = payload.date_created, payload.date_updated
    sent_at, untouched = utc(created), updated == created or updated is None
    direction, author = _sender(provider, payload.author, payload.participant_sid)
    body, files, attached = payload.body, payload.media, payload.attributes
    return Message(
        ref=Ref(provider, payload.sid),
        conversation=conversation if where == conversation.id else _where(conversation, where),
        kind=TEXT if body and not files else _kind(payload),
        direction=direction,
        author=author,
        text=body,
        attachments=_attachments(payload, media) if files else (),
        state=SENT if untouched else EDITED,
        sent_at=sent_at,
        updated_at=sent_at if untouched and updated else utc(updated),
        metadata={} if attached == "{}" else attributes(attached),
        raw=raw,
    )


def participant(conversation: Ref, payload: payloads.Participant, raw: Raw | None) -> Participant:
    """Translate one participant."""
    binding = payload.messaging_binding or CHAT
    identity = payload.identity
    return Participant(
        ref=Ref(conversation.provider, payload.sid),
        conversation=_where(conversation, payload.conversation_sid),
        user=Ref(conversation.provider, identity) if identity else None,
        name=binding.name or identity,
        role=_role(identity, binding),
        channel=binding.type.lower() if binding.type else None,
        address=binding.address or binding.projected_address or identity,
        joined_at=utc(payload.date_created),
        last_read_at=utc(payload.last_read_timestamp),
        metadata=attributes(payload.attributes),
        raw=raw,
    )


def attributes(text: str | None) -> Mapping[str, Any]:
    """Read the JSON that a user attached; what is no object stays in `raw` alone."""
    if not text:
        return {}
    try:
        value = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _where(asked: Ref, sid: str | None) -> Ref:
    """Return the conversation by its SID; it may have been asked for by its unique name."""
    return asked if sid is None else Ref(asked.provider, sid)


def _kind(payload: payloads.Message) -> MessageKind:
    if payload.media:
        return MEDIA
    # A content template sends its words without repeating them in the body.
    if payload.content_sid and not payload.body:
        return MessageKind.CARD
    return MessageKind.UNKNOWN if payload.body is None else TEXT


def _role(identity: str | None, binding: payloads.Binding) -> Role:
    """Tell who is outside: those with an address of their own; chat users are agents."""
    if binding.address:
        # Whoever has both may be an agent with a phone or a customer who chats.
        return Role.UNKNOWN if identity else Role.CUSTOMER
    return Role.STAFF if identity or binding.projected_address else Role.UNKNOWN


# The same few people write most of a conversation.
@remembered(4096)
def _sender(
    provider: str, author: str | None, participant: str | None
) -> tuple[Direction, Author | None]:
    direction, role = _side(author, participant)
    if author is None and participant is None:
        return direction, None
    ref = Ref(provider, participant) if participant else None
    return direction, Author(ref=ref, name=author, role=role)


def _side(author: str | None, participant: str | None) -> tuple[Direction, Role]:
    """Tell from the message alone which way it went; an e-mail may be an address or a name."""
    if author == "system" and participant is None:
        return Direction.OUTBOUND, Role.SYSTEM
    if author is None:
        return Direction.UNKNOWN, Role.UNKNOWN
    if ADDRESS.fullmatch(author) or ("@" in author and participant is None):
        return Direction.INBOUND, Role.CUSTOMER
    if participant is not None and "@" not in author:
        return Direction.OUTBOUND, Role.STAFF
    return Direction.UNKNOWN, Role.UNKNOWN


def _attachments(payload: payloads.Message, media: str) -> tuple[Attachment, ...]:
    return tuple(
        Attachment(
            id=file.sid,
            name=file.filename,
            media_type=file.content_type,
            size=file.size,
            url=_content(media, payload.chat_service_sid, file.sid),
        )
        for file in payload.media or ()
    )


def _content(media: str, service: str | None, file: str | None) -> str | None:
    """Return where a file's bytes are, which takes the service that default messages lack."""
    if service is None or file is None:
        return None
    return f"{media}/v1/Services/{service}/Media/{file}/Content"
