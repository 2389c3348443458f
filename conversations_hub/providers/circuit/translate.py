"""Circuit's payloads, in our words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urljoin

import msgspec

from conversations_hub.construct import constructor
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
from conversations_hub.providers.circuit import events, payloads
from conversations_hub.providers.circuit.markup import shown
from conversations_hub.raw import Raw

_new_attachment = constructor(Attachment)
_new_message = constructor(Message)
_new_ref = constructor(Ref)

# An enum's member is looked up anew each time; here it matters.
SENT = MessageState.SENT
TEXT, MEDIA = MessageKind.TEXT, MessageKind.MEDIA
INBOUND, OUTBOUND, UNKNOWN = Direction.INBOUND, Direction.OUTBOUND, Direction.UNKNOWN

NO_TEXT = payloads.Text()

KINDS = {
    "DIRECT": ConversationKind.DIRECT,
    "GROUP": ConversationKind.GROUP,
    "LARGE": ConversationKind.GROUP,
    "COMMUNITY": ConversationKind.COMMUNITY,
    "OPEN": ConversationKind.COMMUNITY,  # the older name
}
# CREATED is SENT, and so is a state that only the SDK knows: CLUSTERED.
STATES = {"EDITED": MessageState.EDITED, "DELETED": MessageState.DELETED}
# Circuit does not tell customers from staff; FORMER people have left.
ROLES = {
    "MODERATOR": Role.MODERATOR,
    "GUEST": Role.GUEST,
    "SESSION_GUEST": Role.GUEST,
    "BOT": Role.BOT,
}
# Without a type it is RICH, as the vendor's own SDK reads it.
MARKUP = (None, "RICH")
CONTENT_TYPES = (*MARKUP, "PLAIN")


def conversation(provider: str, payload: payloads.Conversation, raw: Raw) -> Conversation:
    """Translate one conversation; whether it is archived can only be written, not read."""
    members = payload.participants
    return Conversation(
        ref=Ref(provider, payload.conv_id),
        kind=KINDS.get(payload.type or "", ConversationKind.UNKNOWN),
        # A topic that was never set or emptied again has a substitute of first names.
        title=payload.topic or payload.topic_placeholder or None,
        description=payload.description,
        created_at=moment(payload.creation_time),
        updated_at=moment(payload.modification_time),
        members=None if members is None else tuple(Ref(provider, one) for one in members),
        raw=raw,
    )


def message(
    conversation: Ref, me: str | None, origin: str, payload: payloads.Item, raw: Raw
) -> Message:
    """Translate one item; `origin` is what the URLs of files are relative to."""
    provider, text = conversation.provider, payload.text or NO_TEXT
    sender, deleted = payload.creator_id, text.state == "DELETED"
    created, updated = payload.creation_time, payload.modification_time
    sent_at = moment(created)
    parent = text.parent_id or payload.parent_id or payload.parent_item_id
    words, html = (None, None) if deleted else _words(payload, text)
    return _new_message(
        ref=_new_ref(provider, payload.item_id),
        conversation=conversation,
        kind=_kind(payload, text),
        direction=_direction(payload.type, sender, me),
        author=_author(provider, sender, text.is_webhook_message) if sender else None,
        subject=text.subject,
        text=words,
        html=html,
        attachments=_attachments(payload, origin) if payload.attachments else (),
        reply_to=_new_ref(provider, parent) if parent else None,
        state=STATES.get(text.state or "", SENT),
        sent_at=sent_at,
        updated_at=sent_at if updated == created else moment(updated),
        metadata=_metadata(payload, text),
        raw=raw,
    )


def participant(
    conversation: Ref, type_: str, payload: payloads.Participant, raw: Raw
) -> Participant:
    """Translate one participant; `type_` is what was asked for."""
    user = Ref(conversation.provider, payload.user_id)
    return Participant(
        ref=user,
        conversation=conversation,
        user=user,
        name=_name(payload),
        role=ROLES.get(payload.type or type_, Role.UNKNOWN),
        raw=raw,
    )


def people(provider: str, users: list[payloads.User]) -> Mapping[Ref, Author]:
    """Translate what a lookup found."""
    refs = {Ref(provider, user.user_id): user for user in users}
    return {
        ref: Author(ref=ref, name=_name(user), role=ROLES.get(user.user_type or "", Role.UNKNOWN))
        for ref, user in refs.items()
    }


def moment(milliseconds: int | None) -> datetime | None:
    """Read epoch milliseconds."""
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


# The same few people write most of a conversation.
@lru_cache(maxsize=4096)
def _author(provider: str, sender: str, is_webhook: bool | None) -> Author:
    return Author(ref=Ref(provider, sender), role=Role.BOT if is_webhook else Role.UNKNOWN)


def _name(person: payloads.Participant | payloads.User) -> str | None:
    parts = filter(None, (person.first_name, person.last_name))
    return person.display_name or " ".join(parts) or None


def _kind(payload: payloads.Item, text: payloads.Text) -> MessageKind:
    if payload.type == "SYSTEM":
        return MessageKind.SYSTEM
    if payload.type == "RTC":
        return MessageKind.CALL
    if payload.type != "TEXT" or text.content_type not in CONTENT_TYPES:
        return MessageKind.UNKNOWN
    if text.form_meta_data is not None:
        return MessageKind.FORM
    return MEDIA if payload.attachments else TEXT


def _direction(type_: str | None, sender: str | None, me: str | None) -> Direction:
    if type_ in ("SYSTEM", "RTC"):
        return Direction.SYSTEM
    if type_ != "TEXT" or me is None or sender is None:
        return UNKNOWN
    return OUTBOUND if sender == me else INBOUND


def _words(payload: payloads.Item, text: payloads.Text) -> tuple[str | None, str | None]:
    """Return the plain text and, where there is markup, the markup as it came."""
    if payload.type == "SYSTEM":
        return events.of_system(payload.system or payloads.System()), None
    if payload.type == "RTC":
        return events.of_call(payload.rtc or payloads.Rtc()), None
    content = text.content
    if content is None or text.content_type not in MARKUP:
        return content, None
    return shown(content), content


def _metadata(payload: payloads.Item, text: payloads.Text) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    if text.liked_user_ids:
        found["likes"] = text.liked_user_ids
    if text.form_meta_data is not None:
        found["form"] = form(text.form_meta_data)
    if payload.system is not None and payload.system.affected_participants:
        found["affected"] = payload.system.affected_participants
    return found


def form(text: str) -> Any:
    """Read a form's description, which comes as JSON inside of JSON."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text


def _attachments(payload: payloads.Item, origin: str) -> tuple[Attachment, ...]:
    return tuple(
        _new_attachment(
            id=file.file_id,
            name=file.file_name,
            media_type=file.mime_type,
            size=file.size,
            url=_url(origin, file.url) if file.url else None,
        )
        for file in payload.attachments or ()
    )


def _url(origin: str, url: str) -> str:
    # Nearly all of them are paths, and joining takes both apart.
    if url.startswith("/") and not url.startswith("//"):
        return origin + url
    return urljoin(origin, url)
