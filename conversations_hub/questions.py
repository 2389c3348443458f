"""The questions that mean the same at every provider; who does not answer one says so."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from conversations_hub.errors import UnsupportedError
from conversations_hub.models import (
    Attachment,
    Conversation,
    ConversationKind,
    ConversationState,
    Message,
    Participant,
    Ref,
)
from conversations_hub.recipes import Call, Listing
from conversations_hub.wire import Upload

File = Path | bytes | AsyncIterable[bytes] | Upload | Attachment
"""What can be sent along with a message."""

# ruff: noqa: ARG002 - the arguments are for those who answer


class Questions:
    """What can be asked; a provider answers what its API can say."""

    __slots__ = ()

    nearest: ClassVar[Mapping[str, str]] = {}
    """What comes nearest to a question that the API cannot be asked."""

    def unsupported(self, question: str, nearest: str = "") -> UnsupportedError:
        """Return the error for what the API cannot do, with the nearest thing that it can."""
        hint = nearest or self.nearest.get(question, "")
        return UnsupportedError(
            f"{type(self).__name__}'s API cannot do this{f'; {hint}' if hint else ''}",
            provider=getattr(self, "name", None),
            operation=question,
        )

    def conversations(
        self,
        *,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        updated_after: datetime | None = None,
        state: ConversationState | None = None,
        participant: Ref | str | None = None,
        page_size: int | None = None,
    ) -> Listing[Conversation]:
        """List conversations."""
        raise self.unsupported("conversations")

    def messages(
        self,
        conversation: Ref,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        order: str | None = None,
        page_size: int | None = None,
    ) -> Listing[Message]:
        """List the messages of a conversation."""
        raise self.unsupported("messages")

    def participants(
        self, conversation: Ref, *, page_size: int | None = None
    ) -> Listing[Participant]:
        """List the participants of a conversation."""
        raise self.unsupported("participants")

    def conversation(self, ref: Ref) -> Call[Conversation]:
        """Fetch one conversation."""
        raise self.unsupported("conversation")

    def message(self, conversation: Ref, id: str) -> Call[Message]:  # noqa: A002
        """Fetch one message."""
        raise self.unsupported("message")

    def send(
        self,
        conversation: Ref,
        text: str | None = None,
        *,
        html: str | None = None,
        attachments: Iterable[File] = (),
        reply_to: Ref | str | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Call[Message]:
        """Send a message: plain text or markup, files, a reply to another message.

        A file is a `Path`, bytes, an async stream, an `Upload`, or an `Attachment` that the
        provider has already.
        """
        raise self.unsupported("send")

    def edit(
        self,
        conversation: Ref,
        id: str,  # noqa: A002
        *,
        text: str | None = None,
        html: str | None = None,
    ) -> Call[Message]:
        """Change the text of a message."""
        raise self.unsupported("edit")

    def delete_message(self, conversation: Ref, id: str) -> Call[None]:  # noqa: A002
        """Delete a message."""
        raise self.unsupported("delete_message")

    def create(
        self,
        *,
        title: str | None = None,
        description: str | None = None,
        kind: ConversationKind | None = None,
        participants: Iterable[Ref | str] = (),
        text: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Call[Conversation]:
        """Create a conversation; `text` is its first message."""
        raise self.unsupported("create")

    def update(
        self,
        ref: Ref,
        *,
        title: str | None = None,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Call[Conversation]:
        """Change a conversation's title, description or metadata; what is None stays."""
        raise self.unsupported("update")

    def archive(self, ref: Ref) -> Call[Conversation]:
        """Archive a conversation."""
        raise self.unsupported("archive")

    def unarchive(self, ref: Ref) -> Call[Conversation]:
        """Take a conversation out of the archive."""
        raise self.unsupported("unarchive")

    def close(self, ref: Ref) -> Call[Conversation]:
        """Close a conversation."""
        raise self.unsupported("close")

    def delete(self, ref: Ref) -> Call[None]:
        """Delete a conversation with all that is in it."""
        raise self.unsupported("delete")

    def add_participant(self, conversation: Ref, who: Ref | str) -> Call[Participant]:
        """Add a participant: the ref of a user, or a text that the provider knows people by."""
        raise self.unsupported("add_participant")

    def remove_participant(self, conversation: Ref, who: Ref | str) -> Call[None]:
        """Remove a participant: the ref of a user or participant, or a text as when adding."""
        raise self.unsupported("remove_participant")

    def mark_read(self, conversation: Ref, *, participant: Ref | str | None = None) -> Call[None]:
        """Mark everything as read, for the account itself or for a participant."""
        raise self.unsupported("mark_read")


SHARED: tuple[str, ...] = tuple(
    name
    for name, member in vars(Questions).items()
    if callable(member) and not name.startswith("_") and name != "unsupported"
)
