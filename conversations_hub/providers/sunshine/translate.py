"""Sunshine's payloads, in our words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from conversations_hub.html_text import plain
from conversations_hub.models import (
    Attachment,
    Author,
    Conversation,
    ConversationKind,
    Direction,
    Message,
    MessageKind,
    MessageState,
    Participant,
    Ref,
    Role,
)
from conversations_hub.providers.sunshine import payloads
from conversations_hub.raw import Raw
from conversations_hub.reading import part, remembered
from conversations_hub.wire import utc

# An enum's member is looked up anew each time; here it matters.
NOTICE, UNKNOWN = MessageKind.SYSTEM, MessageKind.UNKNOWN
SYSTEM = Direction.SYSTEM
SENT, DELETED = MessageState.SENT, MessageState.DELETED

CONVERSATION_KINDS = {
    "personal": ConversationKind.DIRECT,
    "sdkGroup": ConversationKind.GROUP,
}
# There is no type for e-mail: it arrives as text and files.
MESSAGE_KINDS = {
    "text": MessageKind.TEXT,
    "image": MessageKind.MEDIA,
    "file": MessageKind.MEDIA,
    "carousel": MessageKind.CARD,
    "list": MessageKind.CARD,
    "template": MessageKind.CARD,
    "location": MessageKind.LOCATION,
    "form": MessageKind.FORM,
    "formResponse": MessageKind.FORM,
}
DIRECTIONS = {"user": Direction.INBOUND, "business": Direction.OUTBOUND}
ROLES = {"user": Role.CUSTOMER, "business": Role.STAFF}
SUBTYPE_ROLES = {"AI": Role.BOT, "bot": Role.BOT, "agent": Role.STAFF}
# Client types that are the names of carriers; the others name the channel itself.
CHANNELS = {"mailgun": "email", "messagebird": "sms", "twilio": "sms"}

# Where Zendesk's Agent Workspace writes who of the staff it was.
AGENT = "__zendesk_msg.agent.id"
NO_AUTHOR = payloads.Author()
NO_CONTENT = payloads.Content()


def conversation(provider: str, payload: payloads.Conversation, raw: Raw | None) -> Conversation:
    """Translate one conversation."""
    created, updated = utc(payload.created_at), utc(payload.last_updated_at)
    return Conversation(
        ref=Ref(provider, payload.id),
        kind=CONVERSATION_KINDS.get(payload.type or "", ConversationKind.UNKNOWN),
        title=payload.display_name,
        description=payload.description,
        created_at=created,
        updated_at=updated,
        # It is the time of the last message, or of creation where there is none yet.
        last_message_at=updated if updated != created else None,
        metadata=payload.metadata or {},
        raw=raw,
    )


def message(conversation: Ref, payload: payloads.Message, raw: Raw | None) -> Message:
    """Translate one message."""
    provider, metadata = conversation.provider, payload.metadata
    content = payload.content or NO_CONTENT
    type_, text = content.type, content.text
    direction, author = _sender(
        provider,
        bytes(payload.author),
        _agent(metadata) if metadata else None,
        payload.activity is not None,
    )
    deleted, quote = payload.deleted is True, payload.quoted_message
    files = content.media_url or content.items
    return Message(
        ref=Ref(provider, payload.id),
        conversation=conversation,
        kind=NOTICE if direction is SYSTEM else MESSAGE_KINDS.get(type_ or "", UNKNOWN),
        direction=direction,
        author=author,
        text=None if deleted else text or _shown(content),
        html=None if deleted else content.html_text,
        attachments=_attachments(content) if files and not deleted else (),
        reply_to=_quoted(provider, quote) if quote else None,
        state=DELETED if deleted else SENT,
        sent_at=utc(payload.received),
        metadata=metadata or {},
        raw=raw,
    )


def participant(conversation: Ref, payload: payloads.Participant, raw: Raw | None) -> Participant:
    """Translate one participant: an end user, whose name only the user's own record tells."""
    # The client that was used last comes first.
    client = next(iter(payload.client_associations or ()), None)
    channel = client.type if client else None
    return Participant(
        ref=Ref(conversation.provider, payload.id),
        conversation=conversation,
        user=Ref(conversation.provider, payload.user_id) if payload.user_id else None,
        role=Role.CUSTOMER,
        channel=CHANNELS.get(channel, channel) if channel else None,
        last_read_at=utc(payload.last_read),
        raw=raw,
    )


def _agent(metadata: Mapping[str, Any]) -> str | None:
    agent = metadata.get(AGENT)
    return str(agent) if agent else None


# The same few people write most of a conversation.
@remembered(4096)
def _sender(
    provider: str, told: bytes, agent: str | None, happened: bool
) -> tuple[Direction, Author | None]:
    """Tell who wrote a message and which way it went; by the system where something happened."""
    found: payloads.Author | None = part(told, payloads.Author | None, "author")
    author = found or NO_AUTHOR
    ref = _author_ref(provider, author, agent)
    direction, role = DIRECTIONS.get(author.type or "", Direction.UNKNOWN), _role(author)
    if happened or "activity" in (author.subtypes or ()):
        direction, role = SYSTEM, Role.SYSTEM
    return direction, Author(ref=ref, name=author.display_name, role=role) if found else None


def _author_ref(provider: str, author: payloads.Author, agent: str | None) -> Ref | None:
    """Return whom an author can be known by; those of the business have no id of their own."""
    if author.user_id:
        return Ref(provider, author.user_id)
    if author.type != "business":
        return None
    return Ref(provider, agent or author.display_name or "business")


def _role(author: payloads.Author) -> Role:
    for subtype in author.subtypes or ():
        if subtype in SUBTYPE_ROLES:
            return SUBTYPE_ROLES[subtype]
    return ROLES.get(author.type or "", Role.UNKNOWN)


def _quoted(provider: str, quote: payloads.Quote) -> Ref | None:
    """Return the quoted message, unless it is known by its channel's id alone."""
    return Ref(provider, quote.message.id) if quote.message and quote.message.id else None


def _shown(content: payloads.Content) -> str | None:
    """Return in words what a message without text shows; empty only where it says so."""
    return (
        content.text_fallback
        or (plain(content.html_text) if content.html_text else None)
        or _lines(item.title for item in content.items or ())
        or _place(content)
        or _lines(_answer(field) for field in content.fields or ())
        or _lines(action.text for action in content.actions or ())
        or content.text
    )


def _lines(lines: Iterable[str | None]) -> str:
    return "\n".join(filter(None, lines))


def _place(content: payloads.Content) -> str:
    """Return what a place is called, or else its coordinates."""
    place, point = content.location, content.coordinates
    called = _lines((place.name, place.address)) if place else ""
    return called or (f"{point.lat}, {point.long}" if point else "")


def _answer(field: payloads.Field) -> str | None:
    """Return a line of a form, as Sunshine writes its own fallback."""
    chosen = ", ".join(option.label or option.name or "" for option in field.select or ())
    answer = field.text or field.email or chosen
    return f"{field.label}: {answer}" if answer else field.label


def _attachments(content: payloads.Content) -> tuple[Attachment, ...]:
    if content.media_url:
        file = Attachment(
            id=content.attachment_id,
            # Unless somebody described the file, this is its name.
            name=content.alt_text,
            media_type=content.media_type,
            size=content.media_size,
            url=content.media_url,
        )
        return (file,)
    return tuple(
        Attachment(name=item.alt_text, media_type=item.media_type, url=item.media_url)
        for item in content.items or ()
        if item.media_url
    )
