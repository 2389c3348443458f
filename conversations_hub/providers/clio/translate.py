"""Clio's payloads, in our words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from conversations_hub.models import (
    Attachment,
    Author,
    Conversation,
    ConversationKind,
    ConversationState,
    Direction,
    Message,
    MessageKind,
    Participant,
    Ref,
    Role,
)
from conversations_hub.providers.clio import payloads
from conversations_hub.raw import Raw
from conversations_hub.reading import part, remembered
from conversations_hub.wire import utc

# An enum's member is looked up anew each time; here it matters.
TEXT, MEDIA = MessageKind.TEXT, MessageKind.MEDIA

# Users and contacts are numbered apart, so the id alone is nobody's.
STAFF = ("user", Role.STAFF, Direction.OUTBOUND)
CUSTOMER = ("contact", Role.CUSTOMER, Direction.INBOUND)
TYPES: dict[str, tuple[str, Role, Direction]] = {
    "User": STAFF,
    "Person": CUSTOMER,
    "Company": CUSTOMER,
}
# Whose type is not told, as in nearly every membership.
SOMEBODY = ("member", Role.UNKNOWN, Direction.UNKNOWN)


def conversation(provider: str, payload: payloads.Conversation, raw: Raw | None) -> Conversation:
    """Translate one conversation."""
    last, ref = payload.last_message, Ref(provider, str(payload.id))
    return Conversation(
        ref=ref,
        kind=_kind(payload.memberships),
        state=_state(payload.archived),
        title=payload.subject,
        created_at=utc(payload.created_at),
        updated_at=utc(payload.updated_at),
        last_message_at=utc(last.created_at) if last else None,
        members=_members(ref, payload.memberships),
        metadata=_metadata(payload.matter),
        raw=raw,
    )


def message(conversation: Ref, payload: payloads.Message, raw: Raw | None) -> Message:
    """Translate one message; whether its body is plain or HTML, Clio does not say."""
    provider, document = conversation.provider, payload.document
    created, updated = payload.created_at, payload.updated_at
    sent_at = utc(created)
    place, subject, direction, sender, receivers = _around(
        provider,
        conversation.id,
        bytes(payload.conversation),
        bytes(payload.sender),
        bytes(payload.receivers),
    )
    return Message(
        ref=Ref(provider, str(payload.id)),
        conversation=place,
        kind=MEDIA if document else TEXT,
        direction=direction,
        author=sender,
        recipients=receivers,
        subject=subject,
        text=payload.body,
        attachments=(_attachment(document),) if document else (),
        sent_at=sent_at,
        updated_at=sent_at if updated == created else utc(updated),
        raw=raw,
    )


def participant(conversation: Ref, payload: payloads.Membership, raw: Raw | None) -> Participant:
    """Translate one membership."""
    person = payload.member or payloads.Somebody()
    who = author(conversation.provider, conversation.id, person)
    return Participant(
        ref=Ref(conversation.provider, str(payload.id)),
        conversation=conversation,
        user=who.ref,
        name=who.name,
        role=who.role,
        address=person.secondary_identifier,
        joined_at=utc(payload.created_at),
        raw=raw,
    )


# The same few people write and receive most of a conversation.
@remembered(4096)
def author(provider: str, conversation: str, person: payloads.Person) -> Author:
    """Translate a person; without a type, the number means somebody in this conversation alone."""
    sort, role, _ = _type(person)
    place = f"{sort}/{conversation}" if role is Role.UNKNOWN else sort
    return Author(
        ref=None if person.id is None else Ref(provider, f"{place}/{person.id}"),
        name=person.name or person.identifier,
        role=role,
    )


def people(
    conversation: Ref,
    members: Sequence[Ref],
    payload: payloads.Addresses,
    raw: Raw | None,  # noqa: ARG001 - what every translation gets
) -> Mapping[Ref, Author]:
    """Find in a conversation's messages who its members are.

    A number that is a user's and a contact's in the same conversation tells nothing.
    """
    known: dict[str, dict[Role, Author]] = {}
    for line in payload.data:
        for person in filter(None, (line.sender, *(line.receivers or ()))):
            if person.id is not None and person.type in TYPES:
                who = author(conversation.provider, conversation.id, person)
                same = known.setdefault(f"member/{conversation.id}/{person.id}", {})
                same[who.role] = who if who.name else same.get(who.role, who)
    found = {ref: tuple(known.get(ref.id, {}).values()) for ref in members}
    return {ref: whos[0] for ref, whos in found.items() if len(whos) == 1}


# Most messages of a conversation go from the same few people to the same few others.
@remembered(512)
def _around(
    provider: str, asked: str, thread: bytes, sender: bytes, receivers: bytes
) -> tuple[Ref, str | None, Direction, Author | None, tuple[Author, ...]]:
    """Translate what a message has in common with its neighbours."""
    where: payloads.Thread | None = part(thread, payloads.Thread | None, "conversation")
    place = str(where.id) if where and where.id else asked
    one: payloads.Person | None = part(sender, payloads.Person | None, "sender")
    others: list[payloads.Person] | None = part(
        receivers, list[payloads.Person] | None, "receivers"
    )
    return (
        Ref(provider, place),
        where.subject if where else None,
        _type(one)[2],
        author(provider, place, one) if one else None,
        tuple([author(provider, place, other) for other in others or ()]),
    )


def _type(person: payloads.Person | None) -> tuple[str, Role, Direction]:
    return TYPES.get(person.type or "", SOMEBODY) if person else SOMEBODY


def _members(conversation: Ref, members: list[payloads.Member] | None) -> tuple[Ref, ...] | None:
    if members is None:
        return None
    provider, place = conversation.provider, conversation.id
    refs = (author(provider, place, one.member).ref for one in members if one.member)
    return tuple([ref for ref in refs if ref])


def _kind(members: list[payloads.Member] | None) -> ConversationKind:
    """Tell by the members, who come all at once."""
    if members is None or len(members) < 2:
        return ConversationKind.UNKNOWN
    return ConversationKind.DIRECT if len(members) == 2 else ConversationKind.GROUP


def _state(archived: bool | None) -> ConversationState | None:
    if archived is None:
        return None
    return ConversationState.ARCHIVED if archived else ConversationState.OPEN


def _metadata(matter: payloads.Matter | None) -> Mapping[str, Any]:
    """Return what is told of the matter; of a redacted one, that there is one."""
    if matter is None:
        return {}
    facts = {
        "id": matter.id,
        "display_number": matter.display_number,
        "description": matter.description,
        "redacted": matter.redacted,
    }
    return {"matter": {name: fact for name, fact in facts.items() if fact is not None}}


def _attachment(document: payloads.Document) -> Attachment:
    return Attachment(
        id=None if document.id is None else str(document.id),
        name=document.filename or document.name,
        media_type=document.content_type,
        size=document.size,
    )
