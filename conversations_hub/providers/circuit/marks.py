"""What a user of Circuit marks for themselves or for others: favorites, labels, likes, pins."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from conversations_hub import values
from conversations_hub.models import Conversation, Message, Ref
from conversations_hub.provider import operation
from conversations_hub.providers.circuit.conversations import Conversations
from conversations_hub.providers.circuit.messages import Messages
from conversations_hub.providers.circuit.outcomes import Reconcile, found_in, held, untold
from conversations_hub.providers.circuit.paging import EPOCH
from conversations_hub.providers.circuit.reader import EMPTY
from conversations_hub.providers.circuit.values import WORDS, Label, PinnedTopic
from conversations_hub.reading import nothing
from conversations_hub.recipes import Attempt, Call, Listing, Outcome
from conversations_hub.wire import Response
from conversations_hub.writing import after, find

LABEL = values.value(Label, WORDS)
LABELS = values.values(Label, WORDS, None, blank=EMPTY)
PINS = values.values(PinnedTopic, WORDS, None, blank=EMPTY)


class Marks(Messages, Conversations):
    """Marks on conversations and messages."""

    __slots__ = ()

    # Conversations.

    @operation
    def archive(self, ref: Ref) -> Call[Conversation]:
        """Mute a conversation for this user: `POST /conversations/{convId}/archive`.

        Nothing can read whether it is, so that `reconcile` cannot tell; it does no harm to ask
        again.
        """
        return self._archive("POST", ref)

    @operation
    def unarchive(self, ref: Ref) -> Call[Conversation]:
        """Unmute a conversation for this user: `DELETE /conversations/{convId}/archive`.

        One that is not archived is refused with 400.
        """
        return self._archive("DELETE", ref)

    @operation
    def add_favorite(self, conversation: Ref | str) -> Call[None]:
        """Add a conversation to the favorites: `POST /conversations/{convId}/favorite`."""
        return self._favor("POST", self.ref_from(conversation))

    @operation
    def remove_favorite(self, conversation: Ref | str) -> Call[None]:
        """Remove a conversation from the favorites: `DELETE /conversations/{convId}/favorite`."""
        return self._favor("DELETE", self.ref_from(conversation))

    @operation
    def labels(self) -> Listing[Label]:
        """List the user's labels: `GET /users/labels`."""
        return Listing(request=self.get("users", "labels"), read=LABELS)

    @operation
    def create_label(self, label: str) -> Call[Label]:
        """Create a label: `POST /users/labels`."""
        return Call(
            request=self.ask("POST", "users", "labels", form={"label": label}),
            read=LABEL,
            reconcile=found_in(self.labels(), lambda one, _: one.value == label),
        )

    @operation
    def delete_label(self, label: str) -> Call[Label]:
        """Delete a label, by its id or its value: `DELETE /users/labels/{labelId}`."""
        return Call(
            request=self.ask("DELETE", "users", "labels", label),
            read=LABEL,
            reconcile=held(
                self.labels(), lambda one: label in (one.label_id, one.value), there=False
            ),
        )

    @operation
    def assign_label(self, conversation: Ref | str, label: str) -> Call[Label]:
        """Put a label on a conversation, by its value: `POST /conversations/{convId}/label`.

        One that is not there yet is made.
        """
        id_ = self.id_from(conversation)

        def on_it(found: Label | None) -> Outcome[Label] | Call[Outcome[Label]]:
            if found is None:
                return Outcome(happened=False)
            return find(
                self.conversations_with_label(found.label_id),
                lambda one: one.ref.id == id_,
                lambda one: Outcome(happened=one is not None, value=found),
            )

        return Call(
            request=self.ask("POST", "conversations", id_, "label", form={"label": label}),
            read=LABEL,
            reconcile=lambda _: find(self.labels(), lambda one: one.value == label, on_it),
        )

    @operation
    def unassign_label(self, conversation: Ref | str, label_id: str) -> Call[Label]:
        """Take a label off a conversation: `DELETE /conversations/{convId}/label/{labelId}`."""
        id_ = self.id_from(conversation)
        return Call(
            request=self.ask("DELETE", "conversations", id_, "label", label_id),
            read=LABEL,
            reconcile=held(
                self.conversations_with_label(label_id), lambda one: one.ref.id == id_, there=False
            ),
        )

    # Messages.

    @operation
    def like_message(self, conversation: Ref | str, id: str) -> Call[None]:  # noqa: A002
        """Like a message: `POST /conversations/{convId}/messages/{itemId}/like`."""
        return self._like("POST", self.ref_from(conversation), id)

    @operation
    def unlike_message(self, conversation: Ref | str, id: str) -> Call[None]:  # noqa: A002
        """Take a like back: `DELETE /conversations/{convId}/messages/{itemId}/like`."""
        return self._like("DELETE", self.ref_from(conversation), id)

    @operation
    def flag_message(
        self,
        conversation: Ref | str,
        id: str,  # noqa: A002
        *,
        item_creation_time: datetime | None = None,
        parent_id: Ref | str | None = None,
    ) -> Call[None]:
        """Flag a message for the user: `POST /conversations/{convId}/messages/{itemId}/flag`."""
        # The description wants a text; payloads have their times in epoch milliseconds.
        at = None if item_creation_time is None else self._milliseconds(item_creation_time)
        fields = {
            "itemCreationTime": at,
            "parentId": None if parent_id is None else self.id_from(parent_id),
        }
        return self._flag("POST", self.ref_from(conversation), id, fields)

    @operation
    def unflag_message(self, conversation: Ref | str, id: str) -> Call[None]:  # noqa: A002
        """Remove a flag: `DELETE /conversations/{convId}/messages/{itemId}/flag`."""
        return self._flag("DELETE", self.ref_from(conversation), id, None)

    @operation
    def pinned_topics(self, conversation: Ref | str) -> Listing[PinnedTopic]:
        """List the pinned topics: `GET /conversations/{convId}/pins`."""
        id_ = self.id_from(conversation)
        return Listing(request=self.get("conversations", id_, "pins"), read=PINS)

    @operation
    def pin_topic(self, conversation: Ref | str, item_id: Ref | str) -> Call[Conversation]:
        """Pin a topic: `POST /conversations/{convId}/pins/{itemId}`.

        A topic is a message that answers no other.
        """
        return self._pin("POST", self.ref_from(conversation), self.id_from(item_id))

    @operation
    def unpin_topic(self, conversation: Ref | str, item_id: Ref | str) -> Call[Conversation]:
        """Unpin a topic: `DELETE /conversations/{convId}/pins/{itemId}`."""
        return self._pin("DELETE", self.ref_from(conversation), self.id_from(item_id))

    # The parts of the above.

    def _archive(self, method: str, ref: Ref) -> Call[Conversation]:
        """Read the conversation first, which archiving does not change."""
        read = self.conversation(ref)

        def write(conversation: Conversation) -> Call[Conversation]:
            def done(response: Response) -> Conversation:
                nothing(response)
                return conversation

            return Call(
                request=self.ask(method, "conversations", ref.id, "archive"),
                read=done,
                reconcile=untold(read),
            )

        return after(read, write)

    def _favor(self, method: str, ref: Ref) -> Call[None]:
        return Call(
            request=self.ask(method, "conversations", ref.id, "favorite"),
            read=nothing,
            reconcile=held(self.favorites(), lambda one: one == ref, there=method == "POST"),
        )

    def _like(self, method: str, ref: Ref, id_: str) -> Call[None]:
        return Call(
            request=self.ask(method, "conversations", ref.id, "messages", id_, "like"),
            read=nothing,
            reconcile=self._liked(ref, id_, like=method == "POST"),
        )

    def _liked(self, ref: Ref, id_: str, *, like: bool) -> Reconcile[None]:
        def judged(m: Message, me: str) -> Outcome[None]:
            return Outcome(happened=(me in m.metadata.get("likes", ())) is like)

        def reconcile(_: Attempt) -> Call[Outcome[None]]:
            return self.as_me(lambda me: after(self.message(ref, id_), lambda m: judged(m, me)))

        return reconcile

    def _flag(self, method: str, ref: Ref, id_: str, form: dict[str, Any] | None) -> Call[None]:
        return Call(
            request=self.ask(method, "conversations", ref.id, "messages", id_, "flag", form=form),
            read=nothing,
            reconcile=held(
                self.flagged_messages(ref), lambda m: m.ref.id == id_, there=method == "POST"
            ),
        )

    def _milliseconds(self, moment: datetime) -> str:
        if moment.tzinfo is None:
            raise self.unsendable(f"{moment!r} is not an aware datetime; give datetime.now(UTC)")
        return str(round((moment - EPOCH).total_seconds() * 1000))

    def _pin(self, method: str, ref: Ref, item_id: str) -> Call[Conversation]:
        return Call(
            request=self.ask(method, "conversations", ref.id, "pins", item_id),
            read=self.one_conversation,
            reconcile=held(
                self.pinned_topics(ref),
                lambda one: one.conversation_item_id == item_id,
                there=method == "POST",
            ),
        )
