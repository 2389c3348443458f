"""What we read of Circuit's answers; everything else stays in `raw`.

Circuit leaves out what is null or empty, so that nothing but the ids is sure to be there. Times
are epoch milliseconds.
"""

from __future__ import annotations

from msgspec import Struct

# `gc=False`: what comes from JSON is in no cycle, so the garbage collector need not look.


class Conversation(Struct, frozen=True, gc=False, rename="camel"):
    """A conversation; `participants` may be cut short and is no roster."""

    conv_id: str
    type: str | None = None
    topic: str | None = None
    topic_placeholder: str | None = None
    description: str | None = None
    participants: list[str] | None = None
    creation_time: int | None = None
    modification_time: int | None = None


class Text(Struct, frozen=True, gc=False, rename="camel"):
    """What somebody wrote; a deleted text keeps nothing but its place in the thread."""

    state: str | None = None
    parent_id: str | None = None
    content_type: str | None = None
    subject: str | None = None
    content: str | None = None
    liked_user_ids: list[str] | None = None
    form_meta_data: str | None = None
    is_webhook_message: bool | None = None


class System(Struct, frozen=True, gc=False, rename="camel"):
    """What happened to the conversation."""

    type: str | None = None
    old_topic: str | None = None
    new_topic: str | None = None
    affected_participants: list[str] | None = None


class Moved(Struct, frozen=True, gc=False, rename="camel"):
    """Where a call went."""

    direction: str | None = None


class Rtc(Struct, frozen=True, gc=False, rename="camel"):
    """What happened in a call."""

    type: str | None = None
    missed: str | None = None
    moved: Moved | None = None


class Attachment(Struct, frozen=True, gc=False, rename="camel"):
    """A file of an item; its URL is relative to the host."""

    file_id: str | None = None
    file_name: str | None = None
    mime_type: str | None = None
    size: int | None = None
    url: str | None = None


class Item(Struct, frozen=True, gc=False, rename="camel"):
    """An item of a conversation: one of `text`, `system` and `rtc`, as its type says."""

    item_id: str
    conv_id: str | None = None
    type: str | None = None
    creator_id: str | None = None
    creation_time: int | None = None
    modification_time: int | None = None
    text: Text | None = None
    system: System | None = None
    rtc: Rtc | None = None
    attachments: list[Attachment] | None = None
    # Where other shapes than REST's name the thread.
    parent_id: str | None = None
    parent_item_id: str | None = None


class Participant(Struct, frozen=True, gc=False, rename="camel"):
    """Somebody in a conversation, or somebody who left it."""

    user_id: str
    type: str | None = None
    display_name: str | None = None
    first_name: str | None = None
    last_name: str | None = None


class User(Struct, frozen=True, gc=False, rename="camel"):
    """Somebody, as `GET /users/list` knows them."""

    user_id: str
    display_name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    user_type: str | None = None


class Uploaded(Struct, frozen=True, gc=False, rename="camel"):
    """A file that was sent in: under which id it is attached, and which it has from then on."""

    attachment_id: str
    file_id: str | None = None
