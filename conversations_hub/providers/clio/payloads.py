"""What we read of Clio's answers; everything else stays in `raw`.

Clio promises no field but the id: what was asked for may be null, and what the token may not
see comes as `{"redacted": true}` in place of its fields.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from conversations_hub.reading import ABSENT, Part

# `gc=False`: what comes from JSON is in no cycle, so the garbage collector need not look.

# With an offset, always: a time without one could be anybody's.
Moment = Annotated[datetime, Meta(tz=True)]


class Person(Struct, frozen=True, gc=False):
    """A user of the firm or a contact."""

    id: int | None = None
    type: str | None = None
    name: str | None = None
    identifier: str | None = None


class Somebody(Person, frozen=True, gc=False):
    """Who a membership is of: it tells the id and hardly ever more."""

    secondary_identifier: str | None = None


class Membership(Struct, frozen=True, gc=False):
    """Somebody's place in a conversation."""

    id: int
    member: Somebody | None = None
    created_at: Moment | None = None


class Member(Struct, frozen=True, gc=False):
    """As much of a membership as a conversation needs."""

    member: Person | None = None


class Matter(Struct, frozen=True, gc=False):
    """The case that a conversation belongs to."""

    id: int | None = None
    display_number: str | None = None
    description: str | None = None
    redacted: bool | None = None


class LastMessage(Struct, frozen=True, gc=False):
    """As much of a conversation's last message as tells when it was."""

    created_at: Moment | None = None


class Conversation(Struct, frozen=True, gc=False):
    """A conversation."""

    id: int
    subject: str | None = None
    archived: bool | None = None
    created_at: Moment | None = None
    updated_at: Moment | None = None
    matter: Matter | None = None
    last_message: LastMessage | None = None
    memberships: list[Member] | None = None


class Document(Struct, frozen=True, gc=False):
    """A file of a message, which has one at most."""

    id: int | None = None
    name: str | None = None
    filename: str | None = None
    content_type: str | None = None
    size: int | None = None


class Thread(Struct, frozen=True, gc=False):
    """The conversation, as its message tells of it."""

    id: int | None = None
    subject: str | None = None


class Message(Struct, frozen=True, gc=False):
    """A message of a conversation; what it has in common with its neighbours is read once."""

    id: int
    body: str | None = None
    created_at: Moment | None = None
    updated_at: Moment | None = None
    sender: Part = ABSENT
    receivers: Part = ABSENT
    document: Document | None = None
    conversation: Part = ABSENT


class Address(Struct, frozen=True, gc=False):
    """From whom and to whom a message went, and nothing else of it."""

    sender: Person | None = None
    receivers: list[Person] | None = None


class Addresses(Struct, frozen=True, gc=False):
    """A page of messages, read for the people in it."""

    data: list[Address]


class Numbered(Struct, frozen=True, gc=False):
    """Anything, of which only its number is looked at."""

    id: int


class Numbers(Struct, frozen=True, gc=False):
    """A page of anything, read for the numbers."""

    data: list[Numbered]


class Circle(Struct, frozen=True, gc=False):
    """As much of a conversation as a reply has to repeat."""

    subject: str | None = None
    memberships: list[Member] | None = None


class Line(Struct, frozen=True, gc=False):
    """As much of a message as tells who is in its conversation, and what comes after it."""

    id: int
    sender: Person | None = None
    receivers: tuple[Person, ...] | None = None


class Lines(Struct, frozen=True, gc=False):
    """A page of messages, read for what comes after them."""

    data: list[Line]


class Sent(Struct, frozen=True, gc=False):
    """A message that was just sent, read for the conversation that it began."""

    conversation: Numbered
