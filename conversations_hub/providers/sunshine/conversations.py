"""Conversations: listed user by user, begun, changed and deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
from attrs import evolve

from conversations_hub.errors import ConfigurationError
from conversations_hub.models import (
    Conversation,
    ConversationKind,
    ConversationState,
    Message,
    Ref,
)
from conversations_hub.provider import all_of, between, operation
from conversations_hub.providers.sunshine import payloads, translate
from conversations_hub.providers.sunshine.account import (
    BY_EXTERNAL_ID,
    BY_ID,
    USER_ID,
    given,
    several,
)
from conversations_hub.providers.sunshine.contents import content_of, noted, told
from conversations_hub.providers.sunshine.messages import Messages
from conversations_hub.providers.sunshine.paging import FORWARDS
from conversations_hub.reading import Record, Records, nothing
from conversations_hub.recipes import Attempt, Call, Listing, Outcome
from conversations_hub.writing import KEY, after, find, gone

KINDS = {ConversationKind.DIRECT: "personal", ConversationKind.GROUP: "sdkGroup"}


class Conversations(Messages):
    """Operations on conversations."""

    __slots__ = ()

    @operation
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
        """List the conversations of the users side by side: `GET /conversations`.

        `participant` is one user instead: a ref, an id or an external id.
        """
        if state is not None:
            raise self.unsupported("conversations", "its conversations have no state; leave it out")
        keep = all_of(
            between(lambda c: c.created_at, created_after, created_before),
            between(lambda c: c.updated_at, updated_after, None),
        )
        first, *others = (self._of_user(u, keep, page_size) for u in self._chosen(participant))
        return evolve(first, beside=tuple(others))

    @operation
    def conversation(self, ref: Ref) -> Call[Conversation]:
        """Fetch a conversation: `GET /conversations/{conversationId}`."""
        return Call(
            request=self._get("conversations", self.id_of(ref)), read=self._read_conversation()
        )

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
        icon_url: str | None = None,
        subscribe_sdk_client: bool = False,
    ) -> Call[Conversation]:
        """Create a conversation: `POST /conversations`.

        Between the business and one participant it is direct, else a group, unless `kind` says
        so. A `text` is posted next, and the conversation read again. The key is looked for among
        the conversations of the first participant.
        """
        people = several(participants, "participants")
        if idempotency_key is not None and not people:
            raise self.unsupported(
                "create", "without participants the key cannot be looked up; name one"
            )
        fields = given(
            type=self._kind(kind, people),
            displayName=title,
            description=description,
            iconUrl=icon_url,
            metadata=noted(metadata, idempotency_key),
        )
        start = self._either(
            people,
            lambda external: self._begin(
                {**fields, "participants": self._members(people, subscribe_sdk_client, external)},
                people,
                text,
                idempotency_key,
            ),
        )
        if idempotency_key is None:
            return start
        return find(
            self._of_user(self._key(people[0])),
            lambda c: c.metadata.get(KEY) == idempotency_key,
            lambda found: start if found is None else self._resumed(found, text, idempotency_key),
        )

    @operation
    def update(
        self,
        ref: Ref,
        *,
        title: str | None = None,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        icon_url: str | None = None,
    ) -> Call[Conversation]:
        """Change a conversation: `PATCH /conversations/{conversationId}`.

        Whether metadata that are not named stay, the API does not say.
        """
        changes = given(
            displayName=title,
            description=description,
            iconUrl=icon_url,
            metadata=noted(metadata, None),
        )
        request = self._patch("conversations", self.id_of(ref), json=changes)
        wanted = msgspec.json.decode(request.body or b"{}")
        return Call(
            request=request,
            read=self._read_conversation(),
            reconcile=lambda _: after(
                self.conversation(ref), lambda c: Outcome(happened=_became(c, wanted), value=c)
            ),
        )

    @operation
    def delete(self, ref: Ref) -> Call[None]:
        """Delete a conversation with its messages: `DELETE /conversations/{conversationId}`.

        A user's default conversation, the first one, cannot be deleted.
        """
        return Call(
            request=self._change("DELETE", "conversations", self.id_of(ref)),
            read=nothing,
            reconcile=gone(self.conversation(ref)),
        )

    def _chosen(self, participant: Ref | str | None) -> tuple[str, ...]:
        """Return whose conversations are meant."""
        if participant is not None:
            return (self._key(participant),)
        if not self.users:
            raise ConfigurationError(
                "the API lists conversations user by user: ask with participant=, or build "
                f"{type(self).__name__} with users=, ids or external ids (SUNSHINE_USERS)",
                provider=self.name,
                operation="conversations",
            )
        return self.users

    def _of_user(
        self,
        user: str,
        keep: Callable[[Conversation], bool] | None = None,
        page_size: int | None = None,
    ) -> Listing[Conversation]:
        return Listing(
            request=self._get(
                "conversations",
                query={
                    BY_ID if USER_ID.fullmatch(user) else BY_EXTERNAL_ID: user,
                    FORWARDS.size: self.page_size("conversations", page_size),
                },
            ),
            read=Records(
                payload=payloads.Conversation,
                items="conversations",
                translate=partial(translate.conversation, self.name),
                paging=FORWARDS,
            ),
            keep=keep,
            repeats=True,
            moving=True,
        )

    def _read_conversation(self) -> Record[payloads.Conversation, Conversation]:
        return Record(
            payload=payloads.Conversation,
            translate=partial(translate.conversation, self.name),
            item="conversation",
        )

    def _kind(self, kind: ConversationKind | None, people: list[Ref | str]) -> str:
        if kind is None:
            kind = ConversationKind.DIRECT if len(people) == 1 else ConversationKind.GROUP
        if kind not in KINDS:
            raise self.unsupported("create", "its conversations are direct or groups")
        return KINDS[kind]

    def _members(
        self, people: Iterable[Ref | str], subscribe: bool, external: bool
    ) -> list[dict[str, Any]]:
        told = {"subscribeSDKClient": subscribe}
        return [{**self._named(who, external=external), **told} for who in people]

    def _begin(
        self,
        body: Mapping[str, Any],
        people: list[Ref | str],
        text: str | None,
        key: str | None,
    ) -> Call[Conversation]:
        """Return the call that begins a conversation and posts its first message."""
        request = self._change("POST", "conversations", json=body)
        sent = msgspec.json.decode(request.body or b"{}")
        begun = Call(request=request, read=self._read_conversation())

        def reconcile(attempt: Attempt) -> Call[Outcome[Conversation]]:
            if not people:
                return self._untold()
            listing = self._of_user(self._key(people[0]))

            def same(c: Conversation) -> bool:
                return c.ref not in attempt.known and _has(c, sent) and _is_alike(c, sent)

            def told(c: Conversation | None) -> Outcome[Conversation] | Call[Outcome[Conversation]]:
                # Without its first message it is but a part of what was asked for.
                if c is not None:
                    return Outcome(happened=None if text else True, value=c)
                # Of what does not say when it was begun, nobody can tell.
                return find(
                    listing,
                    lambda c: c.created_at is None and same(c),
                    lambda c: Outcome(happened=False if c is None else None, value=c),
                )

            return find(listing, lambda c: _is_new(c, attempt) and same(c), told)

        if not text:
            return evolve(begun, reconcile=reconcile)
        # A text that cannot be sent is found out before there is a conversation.
        self.sendable(json={"text": text})
        both_steps: Call[Conversation] = after(begun, lambda c: self._opened(c, text, key))
        return evolve(both_steps, reconcile=reconcile)

    def _opened(self, conversation: Conversation, text: str, key: str | None) -> Call[Conversation]:
        """Return the call that posts the first message and reads the conversation again."""
        frame = given(author=self._author(None), metadata=noted(None, key))
        post = self._post(conversation.ref, frame, content_of(text, None, None, {}))
        look = post.reconcile

        def reconcile(attempt: Attempt) -> Call[Outcome[Conversation]]:
            if look is None:
                return self._untold()
            return after(look(attempt), lambda outcome: self._part(conversation, outcome))

        posted: Call[Conversation] = after(post, lambda _: self.conversation(conversation.ref))
        return evolve(posted, reconcile=reconcile)

    def _part(
        self, conversation: Conversation, message: Outcome[Message]
    ) -> Call[Outcome[Conversation]]:
        happened = message.happened or None
        return after(
            self.conversation(conversation.ref), lambda c: Outcome(happened=happened, value=c)
        )

    def _resumed(
        self, conversation: Conversation, text: str | None, key: str | None
    ) -> Conversation | Call[Conversation]:
        """Return the conversation that has the key, and post what is missing of it."""
        if not text:
            return conversation
        return find(
            self.messages(conversation.ref),
            lambda m: m.metadata.get(KEY) == key,
            lambda m: conversation if m else self._opened(conversation, text, key),
        )

    def _untold(self) -> Call[Outcome[Any]]:
        """Return the outcome of what cannot be read back: a group of nobody is in no list."""
        unknown: Outcome[Any] = Outcome(happened=None)
        return Call(request=self._get(), read=lambda _: unknown, recover=lambda _: unknown)


def _is_new(conversation: Conversation, attempt: Attempt) -> bool:
    """Tell whether a conversation may have come of an attempt."""
    created = conversation.created_at
    return created is not None and created >= attempt.since


def _became(conversation: Conversation, wanted: Mapping[str, Any]) -> bool | None:
    """Tell whether a conversation was changed as wanted; no metadata may clear them, or nothing."""
    if not _has(conversation, wanted):
        return False
    return None if wanted.get("metadata") == {} and conversation.metadata else True


def _has(conversation: Conversation, wanted: Mapping[str, Any]) -> bool:
    """Tell whether a conversation says what a body wants it to; of metadata there may be more."""
    raw = told(conversation)
    metadata = wanted.get("metadata") or {}
    words = wanted.keys() & {"type", "displayName", "description", "iconUrl"}
    return all(raw.get(name) == wanted[name] for name in words) and all(
        conversation.metadata.get(name) == value for name, value in metadata.items()
    )


def _is_alike(conversation: Conversation, wanted: Mapping[str, Any]) -> bool:
    """Tell whether a conversation says no more than a body wanted."""
    raw = told(conversation)
    silent = {"displayName", "description", "iconUrl"} - wanted.keys()
    return not any(raw.get(name) for name in silent) and (
        conversation.metadata.keys() == (wanted.get("metadata") or {}).keys()
    )
