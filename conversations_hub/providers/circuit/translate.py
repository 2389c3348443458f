"""Circuit's payloads, in our words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any
from urllib.parse import urljoin

import msgspec

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
from conversations_hub.reading import remembered

# An enum's member is looked up anew each time; here it matters.
SENT = MessageState.SENT
TEXT, MEDIA, FORM = MessageKind.TEXT, MessageKind.MEDIA, MessageKind.FORM

NO_TEXT = payloads.Text()

KINDS = {
    "DIRECT": ConversationKind.DIRECT,
    "GROUP": ConversationKind.GROUP,
    "LARGE": ConversationKind.GROUP,
    "COMMUNITY": ConversationKind.COMMUNITY,
    "OPEN": ConversationKind.COMMUNITY,  # the older name
}
# CREATED is SENT, and so is a state that only the SDK knows: CLUSTERED.
STATES: dict[str | None, MessageState] = {
    "EDITED": MessageState.EDITED,
    "DELETED": MessageState.DELETED,
}
# Circuit does not tell customers from staff; FORMER people have left.
ROLES = {
    "MODERATOR": Role.MODERATOR,
    "GUEST": Role.GUEST,
    "SESSION_GUEST": Role.GUEST,
    "BOT": Role.BOT,
}
at: Callable[[float, tzinfo], datetime] = datetime.fromtimestamp
NOTICES = {"SYSTEM": MessageKind.SYSTEM, "RTC": MessageKind.CALL}
# Without a type it is RICH, as the vendor's own SDK reads it.
MARKUP = (None, "RICH")
CONTENT_TYPES = (*MARKUP, "PLAIN")


def conversation(provider: str, payload: payloads.Conversation, raw: Raw | None) -> Conversation:
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
    conversation: Ref, me: str | None, origin: str, payload: payloads.Item, raw: Raw | None
) -> Message:
    """Translate one item; `origin` is what the URLs of files are relative to."""
    provider, text = conversation.provider, payload.text or NO_TEXT
    type_, form, files = payload.type, text.form_meta_data, payload.attachments
    likes = text.liked_user_ids
    parent = text.parent_id or payload.parent_id or payload.parent_item_id
    kind, direction, author = _sort(
        provider,
        type_,
        text.content_type,
        payload.creator_id,
        me,
        text.is_webhook_message,
        FORM if form is not None else MEDIA if files else TEXT,
    )
    created, updated = payload.creation_time, payload.modification_time
    sent_at = None if created is None else at(created / 1000, UTC)
    words, html = _written(text) if type_ == "TEXT" else _happened(payload)
    return Message(
        ref=Ref(provider, payload.item_id),
        conversation=conversation,
        kind=kind,
        direction=direction,
        author=author,
        subject=text.subject,
        text=words,
        html=html,
        attachments=_attachments(files, origin) if files else (),
        reply_to=Ref(provider, parent) if parent else None,
        state=STATES.get(text.state, SENT),
        sent_at=sent_at,
        updated_at=sent_at if updated == created else moment(updated),
        metadata=_metadata(payload, text) if likes or form is not None or payload.system else {},
        raw=raw,
    )


def participant(
    conversation: Ref, type_: str, payload: payloads.Participant, raw: Raw | None
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
    return at(milliseconds / 1000, UTC)


# The same few people write most of a conversation.
@remembered(4096)
def _sort(  # noqa: PLR0917 - a cache knows arguments by their places
    provider: str,
    type_: str | None,
    content_type: str | None,
    sender: str | None,
    me: str | None,
    is_webhook: bool | None,
    kind: MessageKind,
) -> tuple[MessageKind, Direction, Author | None]:
    """Tell what an item is, which way it went and who wrote it; `kind` is what a text is."""
    author = None
    if sender:
        author = Author(ref=Ref(provider, sender), role=Role.BOT if is_webhook else Role.UNKNOWN)
    if type_ in NOTICES:
        return NOTICES[type_], Direction.SYSTEM, author
    direction = Direction.UNKNOWN
    if type_ != "TEXT":
        return MessageKind.UNKNOWN, direction, author
    if me is not None and sender is not None:
        direction = Direction.OUTBOUND if sender == me else Direction.INBOUND
    return kind if content_type in CONTENT_TYPES else MessageKind.UNKNOWN, direction, author


def _name(person: payloads.Participant | payloads.User) -> str | None:
    parts = filter(None, (person.first_name, person.last_name))
    return person.display_name or " ".join(parts) or None


def _written(text: payloads.Text) -> tuple[str | None, str | None]:
    """Return the plain text and, where there is markup, the markup as it came."""
    content = text.content
    if content is None or text.state == "DELETED":
        return None, None
    return (shown(content), content) if text.content_type in MARKUP else (content, None)


def _happened(payload: payloads.Item) -> tuple[str | None, str | None]:
    """Return in words what is no text."""
    text = payload.text
    if text is not None and text.state == "DELETED":
        return None, None
    if payload.type == "SYSTEM":
        return events.of_system(payload.system or payloads.System()), None
    if payload.type == "RTC":
        return events.of_call(payload.rtc or payloads.Rtc()), None
    return _written(text) if text else (None, None)


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


def _attachments(files: list[payloads.Attachment], origin: str) -> tuple[Attachment, ...]:
    return tuple(
        Attachment(
            id=file.file_id,
            name=file.file_name,
            media_type=file.mime_type,
            size=file.size,
            url=_url(origin, file.url) if file.url else None,
        )
        for file in files
    )


def _url(origin: str, url: str) -> str:
    # Nearly all of them are paths, and joining takes both apart.
    if url.startswith("/") and not url.startswith("//"):
        return origin + url
    return urljoin(origin, url)
