"""Who takes part in Circuit's conversations, and who moderates them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from attrs import evolve

from conversations_hub.errors import ConfigurationError, StatusError
from conversations_hub.models import Conversation, ConversationKind, Participant, Ref
from conversations_hub.provider import operation
from conversations_hub.providers.circuit.conversations import NOT_READABLE, Conversations
from conversations_hub.providers.circuit.lists import TYPES, ParticipantsReader, Roster
from conversations_hub.providers.circuit.outcomes import Reconcile, arrived
from conversations_hub.providers.circuit.users import Users
from conversations_hub.reading import nothing
from conversations_hub.recipes import Attempt, Call, Listing, Outcome
from conversations_hub.wire import QueryValue, Request, Response
from conversations_hub.writing import after, find, gather

R = TypeVar("R")

PRESENT = tuple(type_ for type_ in TYPES if type_ != "FORMER")
PATHS = {ConversationKind.GROUP: "group", ConversationKind.COMMUNITY: "community"}
"""Circuit's writes are split by the kind of a conversation."""


class Members(Users, Conversations):
    """Participants and moderators."""

    __slots__ = ()

    @operation
    def participants(
        self,
        conversation: Ref,
        *,
        name: str | None = None,
        type: str | None = None,  # noqa: A002 - Circuit's word
        page_size: int | None = None,
    ) -> Listing[Participant]:
        """List who is or was in a conversation: `GET /conversations/{convId}/participants`.

        Of the types REGULAR, MODERATOR, GUEST, FORMER and BOT, which are lists of their own, all
        are read, or the one given. `name` is a part of a name.
        """
        if type is not None and type not in TYPES:
            raise ConfigurationError(f"type is one of {', '.join(TYPES)}, not {type!r}")
        types = TYPES if type is None else (type,)
        return self.roster(conversation, types, name=name, page_size=page_size)

    @operation
    def add_participant(self, conversation: Ref, who: Ref | str) -> Call[Participant]:
        """Add a user: `POST /conversations/group/{convId}/participants`.

        Into a community: `POST /conversations/community/{convId}/participants`. A text is a
        user's id or e-mail address. The kind and the user are looked up before.
        """
        name = self.id_from(who)

        def write(path: str) -> Call[Participant]:
            return self.found_user(name, lambda id_, shown: post(path, id_, shown))

        def post(path: str, id_: str, shown: str | None) -> Call[Participant]:
            there = self._member(conversation, id_, shown)

            def read(response: Response) -> Call[Participant]:
                self.one_conversation(response)
                return after(there, lambda one: one or _unlisted(conversation, id_))

            return Call(
                request=self._adding(path, conversation, [id_]),
                read=read,
                reconcile=lambda _: after(
                    there, lambda one: Outcome(happened=one is not None, value=one)
                ),
            )

        return self.by_kind(conversation, "add_participant", write)

    @operation
    def remove_participant(self, conversation: Ref, who: Ref | str) -> Call[None]:
        """Remove a user: `DELETE /conversations/group/{convId}/participants`.

        Out of a community: `DELETE /conversations/community/{convId}/participants`. A text is a
        user's id or e-mail address; one's own leaves. The kind is looked up before.
        """
        name = self.id_from(who)

        def write(path: str) -> Call[None]:
            return Call(
                request=self._removing(path, conversation, [name]),
                read=nothing,
                reconcile=self._are_gone(conversation, [name]),
            )

        return self.by_kind(conversation, "remove_participant", write)

    @operation
    def add_participants(
        self, conversation: Ref | str, participants: Iterable[Ref | str]
    ) -> Call[Conversation]:
        """Add several users at once: `POST /conversations/group/{convId}/participants`.

        Into a community: `POST /conversations/community/{convId}/participants`.
        """
        where, names = self.ref_from(conversation), self._somebody(participants)
        return self.by_kind(
            where,
            "add_participants",
            lambda path: Call(
                request=self._adding(path, where, names),
                read=self.one_conversation,
                reconcile=self._are_there(where, names, PRESENT),
            ),
        )

    @operation
    def remove_participants(
        self, conversation: Ref | str, participants: Iterable[Ref | str]
    ) -> Call[Conversation]:
        """Remove several users at once: `DELETE /conversations/group/{convId}/participants`.

        Out of a community: `DELETE /conversations/community/{convId}/participants`.
        """
        where, names = self.ref_from(conversation), self._somebody(participants)
        return self.by_kind(
            where,
            "remove_participants",
            lambda path: Call(
                request=self._removing(path, where, names),
                read=self.one_conversation,
                reconcile=self._are_gone(where, names),
            ),
        )

    @operation
    def join_community(self, conversation: Ref | str) -> Call[Conversation]:
        """Join a community: `POST /conversations/community/{convId}/join`."""
        where = self.ref_from(conversation)

        def judged(found: Conversation, me: str) -> Any:
            if Ref(self.name, me) in (found.members or ()):
                return Outcome(happened=True, value=found)
            there = self._member(where, me, None)
            return after(there, lambda one: Outcome(happened=one is not None, value=found))

        def reconcile(_: Attempt) -> Call[Outcome[Conversation]]:
            return self.as_me(look)

        def look(me: str) -> Call[Outcome[Conversation]]:
            # Nobody says whether those who are not in it can read it.
            read = after(self.conversation(where), lambda found: judged(found, me))
            return evolve(read, recover=_never_in)

        return Call(
            request=self.ask("POST", "conversations", "community", where.id, "join"),
            read=self.one_conversation,
            reconcile=reconcile,
        )

    @operation
    def add_moderators(
        self, conversation: Ref | str, moderators: Iterable[Ref | str]
    ) -> Call[None]:
        """Make participants moderators: `POST /conversations/{convId}/moderators`."""
        return self._set_moderators("POST", self.ref_from(conversation), moderators)

    @operation
    def remove_moderators(
        self, conversation: Ref | str, moderators: Iterable[Ref | str]
    ) -> Call[None]:
        """Make moderators ordinary participants: `DELETE /conversations/{convId}/moderators`."""
        return self._set_moderators("DELETE", self.ref_from(conversation), moderators)

    @operation
    def moderate_conversation(self, conversation: Ref | str) -> Call[None]:
        """Let only moderators decide who is in it: `POST /conversations/moderate/{convId}`.

        Raises `PermissionDeniedError` where this user may not.
        """
        return self._moderate("moderate", self.ref_from(conversation), on=True)

    @operation
    def unmoderate_conversation(self, conversation: Ref | str) -> Call[None]:
        """Let everybody decide again: `POST /conversations/unmoderate/{convId}`.

        Raises `PermissionDeniedError` where this user may not.
        """
        return self._moderate("unmoderate", self.ref_from(conversation), on=False)

    # What the parts share.

    def by_kind(self, conversation: Ref, question: str, write: Callable[[str], Call[R]]) -> Call[R]:
        """Look the kind of a conversation up, and go on with what stands for it in paths."""
        return after(
            self.conversation(conversation), lambda found: write(self.path_of(found, question))
        )

    def path_of(self, found: Conversation, question: str) -> str:
        """Return what stands for a conversation's kind in paths; one of two people has none."""
        if found.kind not in PATHS:
            raise self.unsupported(
                question, f"{found.ref} is {found.kind}; create a group with these people"
            )
        return PATHS[found.kind]

    def roster(
        self,
        conversation: Ref,
        types: tuple[str, ...] = PRESENT,
        *,
        name: str | None = None,
        page_size: int | None = None,
    ) -> Listing[Participant]:
        """List the participants of some types."""
        query: dict[str, QueryValue] = {
            "pageSize": self.page_size("participants", page_size),
            "type": types[0],
            "name": name,
        }
        return Listing(
            request=self.get(
                "conversations", self.id_of(conversation), "participants", query=query
            ),
            read=ParticipantsReader(conversation=conversation, rule=Roster(types=types)),
            repeats=True,
            moving=True,
        )

    def _somebody(self, people: Iterable[Ref | str]) -> list[str]:
        """Return the ids of people, of whom there must be one at least."""
        names = self.ids_from(people)
        if not names:
            raise self.unsendable("nobody is named; give one user or more")
        return names

    def _adding(self, path: str, conversation: Ref, names: list[str]) -> Request:
        place = ("conversations", path, conversation.id, "participants")
        return self.ask("POST", *place, form={"participants": names})

    def _removing(self, path: str, conversation: Ref, names: list[str]) -> Request:
        place = ("conversations", path, conversation.id, "participants")
        return self.ask("DELETE", *place, query={"participants": names})

    def _member(self, conversation: Ref, id_: str, name: str | None) -> Call[Participant | None]:
        """Find somebody in a roster, by a name first, which is quick in a large one."""

        def by_id(found: Participant | None) -> Call[Participant | None] | Participant | None:
            if found is not None or name is None:
                return found
            return self._member(conversation, id_, None)

        return find(self.roster(conversation, name=name), lambda one: one.ref.id == id_, by_id)

    def _are_there(
        self, where: Ref, names: list[str], types: tuple[str, ...], *, there: bool = True
    ) -> Reconcile[Any]:
        """Return how to find out whether all of these are of some types, or none is."""

        def judged(wanted: frozenset[str], found: Sequence[Participant]) -> Outcome[Any]:
            ids = {one.ref.id for one in found}
            return Outcome(happened=wanted <= ids if there else wanted.isdisjoint(ids))

        def look(wanted: frozenset[str]) -> Call[Outcome[Any]]:
            roster = self.roster(where, types)
            return gather(roster, _anybody, lambda found: judged(wanted, found), whole=True)

        return lambda _: self.found_users(names, look)

    def _are_gone(self, where: Ref, names: list[str]) -> Reconcile[Any]:
        """Do the same for who was shown out; who left may no longer read who is there."""

        def look(ids: frozenset[str], me: str) -> Call[Outcome[Any]]:
            def judged(found: Sequence[Participant]) -> Outcome[Any]:
                return Outcome(happened=ids.isdisjoint(one.ref.id for one in found))

            read = gather(self.roster(where), _anybody, judged, whole=True)
            return evolve(read, recover=_left) if me in ids else read

        return lambda _: self.as_me(lambda me: self.found_users(names, lambda ids: look(ids, me)))

    def _set_moderators(
        self, method: str, where: Ref, moderators: Iterable[Ref | str]
    ) -> Call[None]:
        names = self._somebody(moderators)
        # DELETE has a body here, too.
        return Call(
            request=self.ask(
                method, "conversations", where.id, "moderators", form={"moderators": names}
            ),
            read=nothing,
            reconcile=self._are_there(where, names, ("MODERATOR",), there=method == "POST"),
        )

    def _moderate(self, verb: str, where: Ref, *, on: bool) -> Call[None]:
        def judged(found: Conversation) -> Outcome[None]:
            return Outcome(happened=bool(arrived(found).get("isModerated")) is on)

        return Call(
            request=self.ask("POST", "conversations", verb, where.id),
            read=nothing,
            reconcile=lambda _: after(self.conversation(where), judged),
        )


def _unlisted(conversation: Ref, id_: str) -> Participant:
    user = Ref(conversation.provider, id_)
    return Participant(ref=user, conversation=conversation, user=user)


def _left(error: StatusError) -> Outcome[Any]:
    return _unreadable(error, happened=True)


def _never_in(error: StatusError) -> Outcome[Any]:
    return _unreadable(error, happened=False)


def _unreadable(error: StatusError, *, happened: bool) -> Outcome[Any]:
    """Return what it tells that a conversation cannot be read."""
    if error.status not in NOT_READABLE:
        raise error
    return Outcome(happened=happened)


def _anybody(_: Participant) -> bool:
    return True
