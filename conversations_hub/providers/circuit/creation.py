"""How conversations of Circuit begin, and what is said about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import evolve

from conversations_hub.errors import StatusError
from conversations_hub.models import Conversation, ConversationKind, Ref
from conversations_hub.provider import operation
from conversations_hub.providers.circuit.markup import rich, same_words
from conversations_hub.providers.circuit.members import PATHS, Members
from conversations_hub.providers.circuit.messages import Draft, Messages
from conversations_hub.providers.circuit.outcomes import Reconcile, arrived, not_before, surely
from conversations_hub.recipes import Attempt, Call, Outcome
from conversations_hub.wire import QueryValue
from conversations_hub.writing import after

SHOWN_MEMBERS = 8
"""To how many Circuit may cut a conversation's list of participants."""


class Creation(Messages, Members):
    """Conversations, made and described."""

    __slots__ = ()

    @operation
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
        """Create a conversation, by default a group: `POST /conversations/group`.

        A DIRECT one is `POST /conversations/direct` and may be there already; a COMMUNITY is
        `POST /conversations/community`. Participants are users or e-mail addresses. The first
        message is sent once the conversation is there.
        """
        self.refuse_key("create", idempotency_key)
        if metadata:
            raise self.unsupported("create", "Circuit keeps no metadata of conversations")
        people = self.ids_from(participants)
        if text:
            self.sendable(form={"content": rich(text)})  # refuses what is no text
        if kind == ConversationKind.DIRECT:
            return self._direct(people, title, description, text)
        return self._of_several(kind or ConversationKind.GROUP, people, title, description, text)

    @operation
    def update(
        self,
        ref: Ref,
        *,
        title: str | None = None,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Call[Conversation]:
        """Change a conversation's topic or description: `PUT /conversations/group/{convId}`.

        A community has a description, too: `PUT /conversations/community/{convId}`. The kind is
        looked up before. An empty text takes away what is there.
        """
        id_ = self.id_of(ref)
        if metadata:
            raise self.unsupported("update", "Circuit keeps no metadata of conversations")
        if title is None and description is None:
            raise self.unsendable("there is nothing to change; give title= or description=")
        form: dict[str, QueryValue] = {"topic": title, "description": description}
        self.sendable(form=form)  # refuses what is no text before the kind is asked for

        def same(found: Conversation) -> Outcome[Conversation]:
            wishes = ((title, _topic(found)), (description, found.description))
            happened = all(wish is None or wish == (now or "") for wish, now in wishes)
            return Outcome(happened=happened, value=found)

        def write(found: Conversation) -> Call[Conversation]:
            path = self.path_of(found, "update")
            if path == "group" and description is not None:
                raise self.unsupported("update", "a group has a title alone, no description")
            # Nobody says whether Circuit keeps what is left out.
            stays = {"topic": _topic(found), "description": found.description}
            kept = {n: stays[n] if form[n] is None and path != "group" else form[n] for n in form}
            return Call(
                request=self.ask("PUT", "conversations", path, id_, form=kept),
                read=self.one_conversation,
                reconcile=lambda _: after(self.conversation(ref), same),
            )

        return after(self.conversation(ref), write)

    # The parts of the above.

    def _direct(
        self, people: list[str], title: str | None, description: str | None, text: str | None
    ) -> Call[Conversation]:
        if title is not None or description is not None:
            raise self.unsupported("create", "a direct conversation has no title or description")
        if len(people) != 1:
            raise self.unsendable(
                f"a direct conversation takes one of participants=, not {len(people)}"
            )
        name = people[0]

        def existing(error: StatusError) -> Conversation:
            if error.status != 409 or error.response is None:
                raise error
            return self.one_conversation(error.response)

        def is_there(found: Conversation | None) -> Outcome[Conversation]:
            return Outcome(happened=found is not None, value=found)

        request = self.ask("POST", "conversations", "direct", form={"participant": name})
        call = Call(
            request=request,
            read=self.one_conversation,
            recover=existing,
            reconcile=lambda _: after(self.direct_conversation(name), is_there),
        )
        return self._beginning(call, text)

    def _of_several(
        self,
        kind: ConversationKind,
        people: list[str],
        title: str | None,
        description: str | None,
        text: str | None,
    ) -> Call[Conversation]:
        form: dict[str, QueryValue] = {"participants": people, "topic": title}
        if kind == ConversationKind.COMMUNITY:
            if not title:
                raise self.unsendable("a community needs title=")
            form["description"] = description
        elif kind != ConversationKind.GROUP:
            raise self.unsupported("create", "kind is DIRECT, GROUP or COMMUNITY")
        elif description is not None:
            raise self.unsupported("create", "a group has no description; a community has")
        elif not people:
            raise self.unsendable("a group needs participants=")
        call = Call(
            request=self.ask("POST", "conversations", PATHS[kind], form=form),
            read=self.one_conversation,
            reconcile=self._was_made(kind, people, title, description),
        )
        return self._beginning(call, text)

    def _beginning(self, call: Call[Conversation], text: str | None) -> Call[Conversation]:
        """Return the call that also sends a first message, if there is one."""
        if not text:
            return call
        draft = Draft(content=rich(text), text=text)
        made = call.reconcile
        both: Call[Conversation] = after(call, lambda found: self._first_message(found, draft))

        def written(attempt: Attempt, found: Outcome[Conversation]) -> Any:
            if not found or found.value is None:
                return found
            told = self._first_message(found.value, draft).reconcile
            return told(attempt) if told else Outcome(happened=None, value=found.value)

        return evolve(
            both,
            reconcile=None if made is None else lambda a: after(made(a), lambda o: written(a, o)),
        )

    def _first_message(self, conversation: Conversation, draft: Draft) -> Call[Conversation]:
        """Return the second half of a beginning, whose value is the conversation all the same.

        Where its message is not found, only a part was done, which is neither yes nor no.
        """
        sending = self.writing(conversation.ref, draft, None)

        def done(outcome: Outcome[Any]) -> Outcome[Conversation]:
            return Outcome(happened=True if outcome else None, value=conversation)

        sent: Call[Conversation] = after(sending, lambda _: self.conversation(conversation.ref))
        told = sending.reconcile
        return evolve(sent, reconcile=None if told is None else lambda a: after(told(a), done))

    def _was_made(
        self,
        kind: ConversationKind,
        people: list[str],
        title: str | None,
        description: str | None,
    ) -> Reconcile[Conversation]:
        """Look for a conversation of one's own that is new, with this topic and these people."""

        def reconcile(attempt: Attempt) -> Call[Outcome[Conversation]]:
            return self.as_me(
                lambda me: self.found_users(people, lambda ids: look(attempt, me, ids | {me}))
            )

        def look(attempt: Attempt, me: str, ids: frozenset[str]) -> Call[Outcome[Conversation]]:
            def is_new(c: Conversation) -> bool:
                return (
                    arrived(c).get("creatorId") == me
                    and c.ref not in attempt.known
                    and not_before(c.created_at, attempt)
                    and c.kind == kind
                    and same_words(_topic(c), title)
                )

            def is_it(c: Conversation) -> bool:
                said = (_topic(c) or "", c.description or "")
                return said == (title or "", description or "") and _are(c.members, ids)

            return surely(
                self.conversations(created_after=attempt.since),
                lambda c: is_new(c) and is_it(c),
                # Somebody may have come or gone since, or blanks from what was said.
                is_new,
                lambda c: c.created_at,
            )

        return reconcile


def _topic(conversation: Conversation) -> str | None:
    """Return the topic itself, for which a title may be a substitute."""
    topic = arrived(conversation).get("topic")
    return topic if isinstance(topic, str) else None


def _are(members: tuple[Ref, ...] | None, wanted: frozenset[str]) -> bool:
    found = {ref.id for ref in members or ()}
    return found <= wanted and len(found) >= min(len(wanted), SHOWN_MEMBERS)
