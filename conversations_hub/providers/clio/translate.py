"""Clio's payloads, in our words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from conversations_hub.construct import constructor
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

new_author = constructor(Author)
new_message = constructor(Message)
new_ref = constructor(Ref)

# Users and contacts are numbered apart, so the id alone is nobody's.
STAFF = ("user", Role.STAFF, Direction.OUTBOUND)
CUSTOMER = ("contact", Role.CUSTOMER, Direction.INBOUND)
TYPES = {"User": STAFF, "Person": CUSTOMER, "Company": CUSTOMER}
# Whose type is not told, as in nearly every membership.
SOMEBODY = ("member", Role.UNKNOWN, Direction.UNKNOWN)


def conversation(provider: str, payload: payloads.Conversation, raw: Raw) -> Conversation:
    """Translate one conversation."""
    last, ref = payload.last_message, Ref(provider, str(payload.id))
    return Conversation(
        ref=ref,
        kind=_kind(payload.memberships),
        state=_state(payload.archived),
        title=payload.subject,
        created_at=_utc(payload.created_at),
        updated_at=_utc(payload.updated_at),
        last_message_at=_utc(last.created_at) if last else None,
        members=_members(ref, payload.memberships),
        metadata=_metadata(payload.matter),
        raw=raw,
    )


def message(conversation: Ref, payload: payloads.Message, raw: Raw) -> Message:
    """Translate one message; whether its body is plain or HTML, Clio does not say."""
    provider = conversation.provider
    sender, thread, document = payload.sender, payload.conversation, payload.document
    if thread and thread.id:
        conversation = new_ref(provider, str(thread.id))
    return new_message(
        ref=new_ref(provider, str(payload.id)),
        conversation=conversation,
        kind=MessageKind.MEDIA if document else MessageKind.TEXT,
        direction=TYPES.get(sender.type or "", SOMEBODY)[2] if sender else Direction.UNKNOWN,
        author=author(conversation, sender) if sender else None,
        recipients=tuple([author(conversation, one) for one in payload.receivers or ()]),
        subject=thread.subject if thread else None,
        text=payload.body,
        attachments=(_attachment(document),) if document else (),
        sent_at=_utc(payload.created_at),
        updated_at=_utc(payload.updated_at),
        raw=raw,
    )


def participant(conversation: Ref, payload: payloads.Membership, raw: Raw) -> Participant:
    """Translate one membership."""
    person = payload.member or payloads.Person()
    who = author(conversation, person)
    return Participant(
        ref=Ref(conversation.provider, str(payload.id)),
        conversation=conversation,
        user=who.ref,
        name=who.name,
        role=who.role,
        address=person.secondary_identifier,
        joined_at=_utc(payload.created_at),
        raw=raw,
    )


def author(conversation: Ref, person: payloads.Person) -> Author:
    """Translate a person; without a type, the number means somebody in this conversation alone."""
    sort, role, _ = TYPES.get(person.type or "", SOMEBODY)
    place = f"{sort}/{conversation.id}" if role is Role.UNKNOWN else sort
    return new_author(
        ref=None if person.id is None else new_ref(conversation.provider, f"{place}/{person.id}"),
        name=person.name or person.identifier,
        role=role,
    )


def people(
    conversation: Ref,
    members: Sequence[Ref],
    payload: payloads.Addresses,
    raw: Raw,  # noqa: ARG001 - what every translation gets
) -> Mapping[Ref, Author]:
    """Find in a conversation's messages who its members are.

    A number that is a user's and a contact's in the same conversation tells nothing.
    """
    known: dict[str, dict[Role, Author]] = {}
    for line in payload.data:
        for person in filter(None, (line.sender, *(line.receivers or ()))):
            if person.id is not None and person.type in TYPES:
                who = author(conversation, person)
                same = known.setdefault(f"member/{conversation.id}/{person.id}", {})
                same[who.role] = who if who.name else same.get(who.role, who)
    found = {ref: tuple(known.get(ref.id, {}).values()) for ref in members}
    return {ref: whos[0] for ref, whos in found.items() if len(whos) == 1}


def _members(conversation: Ref, members: list[payloads.Member] | None) -> tuple[Ref, ...] | None:
    if members is None:
        return None
    refs = (author(conversation, one.member).ref for one in members if one.member)
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


def _utc(moment: datetime | None) -> datetime | None:
    """Clio writes times in the user's own zone."""
    return moment.astimezone(UTC) if moment else None
