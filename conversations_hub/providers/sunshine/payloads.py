"""What we read of Sunshine's answers; everything else stays in `raw`.

Enums are plain text and everything but ids is optional: the published description requires
nearly nothing, and what is not set is left out.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from conversations_hub.reading import ABSENT, Part

# `gc=False`: what comes from JSON is in no cycle, so the garbage collector need not look.

Moment = Annotated[datetime, Meta(tz=True)]


class Conversation(Struct, frozen=True, gc=False, rename="camel"):
    """A conversation; `created_at` came in 2024."""

    id: str
    type: str | None = None
    display_name: str | None = None
    description: str | None = None
    metadata: dict[str, Any] | None = None
    created_at: Moment | None = None
    last_updated_at: Moment | None = None


class Author(Struct, frozen=True, gc=False, rename="camel"):
    """Who wrote a message; only users have an id."""

    type: str | None = None
    subtypes: tuple[str, ...] | None = None
    user_id: str | None = None
    display_name: str | None = None


class Item(Struct, frozen=True, gc=False, rename="camel"):
    """A card of a carousel, or an entry of a list."""

    title: str | None = None
    media_url: str | None = None
    media_type: str | None = None
    alt_text: str | None = None


class Coordinates(Struct, frozen=True, gc=False):
    """A point on the earth."""

    lat: float | None = None
    long: float | None = None


class Place(Struct, frozen=True, gc=False):
    """What a point on the earth is called."""

    name: str | None = None
    address: str | None = None


class Option(Struct, frozen=True, gc=False):
    """A choice in a form."""

    name: str | None = None
    label: str | None = None


class Field(Struct, frozen=True, gc=False):
    """A question of a form, or its answer, which stands under the name of its type."""

    label: str | None = None
    text: str | None = None
    email: str | None = None
    select: list[Option] | None = None


class Action(Struct, frozen=True, gc=False):
    """A button."""

    text: str | None = None


class Content(Struct, frozen=True, gc=False, rename="camel"):
    """What a message says; `type` tells which of the fields there are."""

    type: str | None = None
    text: str | None = None
    text_fallback: str | None = None
    html_text: str | None = None
    attachment_id: str | None = None
    media_url: str | None = None
    media_type: str | None = None
    media_size: int | None = None
    alt_text: str | None = None
    items: list[Item] | None = None
    coordinates: Coordinates | None = None
    location: Place | None = None
    fields: list[Field] | None = None
    actions: list[Action] | None = None


class Activity(Struct, frozen=True, gc=False):
    """What happened, where the system wrote the message: that there is one says it all."""


class Quoted(Struct, frozen=True, gc=False):
    """The message that another one quotes."""

    id: str | None = None


class Quote(Struct, frozen=True, gc=False):
    """What a message quotes; without `message`, something only its channel knows."""

    message: Quoted | None = None


class Message(Struct, frozen=True, gc=False, rename="camel"):
    """A message; a deleted one may have no content, and few people write them all."""

    id: str
    received: Moment | None = None
    author: Part = ABSENT
    content: Content | None = None
    activity: Activity | None = None
    quoted_message: Quote | None = None
    metadata: dict[str, Any] | None = None
    deleted: bool | None = None


class ClientAssociation(Struct, frozen=True, gc=False):
    """A channel over which a participant is reached."""

    type: str | None = None


class Participant(Struct, frozen=True, gc=False, rename="camel"):
    """An end user in a conversation; staff are never listed."""

    id: str
    user_id: str | None = None
    client_associations: list[ClientAssociation] | None = None
    last_read: Moment | None = None


class Uploaded(Struct, frozen=True, gc=False, rename="camel"):
    """Where a file is that was uploaded."""

    media_url: str
    media_type: str | None = None
