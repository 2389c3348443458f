"""Participants: who is in a conversation, what they have read, and that somebody types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from attrs import evolve

from conversations_hub.errors import NotFoundError, StatusError
from conversations_hub.models import Conversation, Participant, Ref
from conversations_hub.provider import operation
from conversations_hub.providers.sunshine import payloads, translate
from conversations_hub.providers.sunshine.account import given
from conversations_hub.providers.sunshine.contents import told
from conversations_hub.providers.sunshine.conversations import Conversations
from conversations_hub.providers.sunshine.paging import FORWARDS
from conversations_hub.reading import Record, Records, nothing
from conversations_hub.recipes import Attempt, Call, Listing, Outcome
from conversations_hub.values import iso
from conversations_hub.wire import Request
from conversations_hub.writing import after, find, found_again

BUSINESS = {"type": "business"}
READ = "conversation:read"


class Participants(Conversations):
    """Operations on the participants of a conversation, and on what they do."""

    __slots__ = ()

    @operation
    def participants(
        self, conversation: Ref, *, page_size: int | None = None
    ) -> Listing[Participant]:
        """List end users: `GET /conversations/{conversationId}/participants`."""
        return Listing(
            request=self._get(
                "conversations",
                self.id_of(conversation),
                "participants",
                query={FORWARDS.size: self.page_size("participants", page_size)},
            ),
            read=Records(
                payload=payloads.Participant,
                items="participants",
                translate=partial(translate.participant, conversation),
                paging=FORWARDS,
            ),
            # In which order they come, nobody says.
            repeats=True,
            moving=True,
        )

    @operation
    def add_participant(
        self, conversation: Ref, who: Ref | str, *, subscribe_sdk_client: bool = False
    ) -> Call[Participant]:
        """Add a user to a group: `POST /conversations/{conversationId}/join`.

        A ref is a user; a text is an id, or else an external id. `subscribe_sdk_client` has the
        user's app notified at once.
        """

        def join(external: bool) -> Call[Participant]:
            named = self._named(who, external=external)

            def reconcile(_: Attempt) -> Call[Outcome[Participant]]:
                return find(
                    self.participants(conversation), lambda p: _is_named(p, named), found_again
                )

            body = {**named, "subscribeSDKClient": subscribe_sdk_client}
            return Call(
                request=self._in(conversation, "join", body),
                read=Record(
                    payload=payloads.Participant,
                    translate=partial(translate.participant, conversation),
                    item="participant",
                ),
                reconcile=reconcile,
            )

        return self._either([who], join)

    @operation
    def remove_participant(self, conversation: Ref, who: Ref | str) -> Call[None]:
        """Remove a participant from a group: `POST /conversations/{conversationId}/leave`.

        A ref is a user or a participant; a text is a user's id, or else an external id.
        """
        id_ = self._key(who)
        if not isinstance(who, Ref):
            return self._either(
                [who],
                lambda external: self._leave(
                    conversation,
                    self._named(who, external=external),
                    lambda p: id_ in {_user_of(p), _external_of(p)},
                ),
            )

        def is_meant(participant: Participant) -> bool:
            return id_ in {participant.ref.id, _user_of(participant)}

        def recover(error: StatusError) -> Call[None]:
            if not isinstance(error, NotFoundError):
                raise error
            return self._leave(conversation, {"participantId": id_}, is_meant)

        return evolve(self._leave(conversation, {"userId": id_}, is_meant), recover=recover)

    @operation
    def mark_read(self, conversation: Ref, *, participant: Ref | str | None = None) -> Call[None]:
        """Mark all as read, for the business: `POST /conversations/{conversationId}/activity`.

        A `participant` is a user or a participant, by ref, id or external id; for one given by
        ref, the list of participants is read first.
        """
        if participant is None:
            return self._read_by_business(conversation)
        if isinstance(participant, Ref):
            id_ = self.id_of(participant)
            return find(
                self.participants(conversation),
                lambda p: id_ in {p.ref.id, _user_of(p)},
                lambda p: self._read_by(conversation, {"userId": (p and _user_of(p)) or id_}),
            )
        return self._either(
            [participant],
            lambda external: self._read_by(
                conversation, self._named(participant, external=external)
            ),
        )

    @operation
    def start_typing(self, conversation: Ref, *, author: str | None = None) -> Call[None]:
        """Show that the business is typing: `POST /conversations/{conversationId}/activity`.

        `author` is the display name of who does. It leaves no trace that could be read back.
        """
        return self._act(conversation, "typing:start", given(**BUSINESS, displayName=author))

    @operation
    def stop_typing(self, conversation: Ref, *, author: str | None = None) -> Call[None]:
        """Show that nobody is typing any more: `POST /conversations/{conversationId}/activity`."""
        return self._act(conversation, "typing:stop", given(**BUSINESS, displayName=author))

    def _in(self, conversation: Ref, action: str, body: Mapping[str, Any]) -> Request:
        path = ("conversations", self.id_of(conversation), action)
        return self._change("POST", *path, json=body)

    def _act(self, conversation: Ref, kind: str, author: Mapping[str, Any]) -> Call[None]:
        body = {"author": author, "type": kind}
        return Call(request=self._in(conversation, "activity", body), read=nothing)

    def _leave(
        self,
        conversation: Ref,
        named: Mapping[str, str],
        is_meant: Callable[[Participant], bool],
    ) -> Call[None]:
        def reconcile(_: Attempt) -> Call[Outcome[None]]:
            return find(
                self.participants(conversation), is_meant, lambda p: Outcome(happened=p is None)
            )

        request = self._in(conversation, "leave", named)
        return Call(request=request, read=nothing, reconcile=reconcile)

    def _read_by_business(self, conversation: Ref) -> Call[None]:
        def reconcile(attempt: Attempt) -> Call[Outcome[None]]:
            return after(
                self.conversation(conversation),
                lambda c: Outcome(happened=_is_read(c, attempt)),
            )

        return evolve(self._act(conversation, READ, BUSINESS), reconcile=reconcile)

    def _read_by(self, conversation: Ref, named: Mapping[str, str]) -> Call[None]:
        def reconcile(attempt: Attempt) -> Call[Outcome[None]]:
            return find(
                self.participants(conversation),
                lambda p: _is_named(p, named),
                lambda p: Outcome(happened=False if p is None else _has_read(p, attempt)),
            )

        return evolve(self._act(conversation, READ, {"type": "user", **named}), reconcile=reconcile)


def _user_of(participant: Participant) -> str | None:
    return participant.user.id if participant.user is not None else None


def _external_of(participant: Participant) -> str | None:
    name: str | None = told(participant).get("userExternalId")
    return name


def _is_named(participant: Participant, named: Mapping[str, str]) -> bool:
    """Tell whether a body names this participant."""
    if "userId" in named:
        return named["userId"] == _user_of(participant)
    return named["userExternalId"] == _external_of(participant)


def _is_read(conversation: Conversation, attempt: Attempt) -> bool:
    last = told(conversation).get("businessLastRead")
    return last is not None and iso(last) >= attempt.since


def _has_read(participant: Participant, attempt: Attempt) -> bool | None:
    last = participant.last_read_at
    unread = told(participant).get("unreadCount")
    if unread == 0 or (last is not None and last >= attempt.since):
        return True
    return None if unread is None else False
