"""Begins conversations: first the conversation, then who is in it, then its first words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from attrs import evolve, frozen

from conversations_hub.errors import ConfigurationError, ConflictError, StatusError
from conversations_hub.models import (
    Conversation,
    ConversationKind,
    ConversationState,
    Message,
    Participant,
    Ref,
)
from conversations_hub.provider import operation
from conversations_hub.providers.twilio import evidence, forms
from conversations_hub.providers.twilio.conversations import Conversations
from conversations_hub.providers.twilio.messages import expected, with_key
from conversations_hub.providers.twilio.participants import is_address, is_known
from conversations_hub.recipes import Attempt, Call, Outcome
from conversations_hub.writing import KEY, after, find

# What a conversation is that was told nothing else.
BLANK: forms.Form = {"FriendlyName": "", "UniqueName": "", "Attributes": "{}"}
NAME_TAKEN: set[str | None] = {"50353", None}
# Somebody of this identity, or of this address in a group text, is in already.
IN_ALREADY = {"50433", "50437"}
PAIR_TAKEN = "50416"

Look = Callable[[Attempt], Call[Outcome[Conversation]]]


@frozen(kw_only=True)
class Plan:
    """What a conversation is to begin with."""

    people: tuple[Ref | str, ...]
    words: forms.Form | None
    proxy_address: str | None
    key: str | None
    webhook_enabled: bool | None

    @property
    def is_more(self) -> bool:
        """Whether the conversation alone is not all."""
        return bool(self.people) or self.words is not None


class Beginnings(Conversations):
    """What begins a conversation."""

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
        unique_name: str | None = None,
        state: ConversationState | str | None = None,
        messaging_service_sid: str | None = None,
        timers_inactive: timedelta | str | None = None,
        timers_closed: timedelta | str | None = None,
        bindings_email_address: str | None = None,
        bindings_email_name: str | None = None,
        date_created: datetime | None = None,
        date_updated: datetime | None = None,
        author: str | None = None,
        proxy_address: str | None = None,
        webhook_enabled: bool | None = None,
    ) -> Call[Conversation]:
        """Create a conversation: `POST /v1/Conversations`.

        Each participant and the first words take a request of their own. A key is the unique name:
        a conversation that has it is taken, and what it lacks is added. `proxy_address` is the
        address of ours for those participants who are addresses, `author` who says the first
        words. Timers want a state.
        """
        self._refuse_description("create", description)
        if isinstance(participants, str):
            raise ConfigurationError(
                "participants= must be a list of people; put the one into a list",
                provider=self.name,
            )
        if kind not in {None, ConversationKind.GROUP}:
            raise self.unsupported("create", "every conversation is a group; leave out kind=")
        form = self._conversation_form(
            title=title,
            metadata=metadata,
            unique_name=self._one_name(unique_name, idempotency_key),
            state=state,
            messaging_service_sid=messaging_service_sid,
            timers=(timers_inactive, timers_closed),
            email=(bindings_email_address, bindings_email_name),
            dates=(date_created, date_updated),
        )
        plan = Plan(
            people=tuple(participants),
            words=self._first_words(text, author, idempotency_key),
            proxy_address=proxy_address,
            key=idempotency_key,
            webhook_enabled=webhook_enabled,
        )
        for who in plan.people:
            self._named(who, proxy_address)  # refused before anything is asked
        return self._begin(form, plan)

    def _one_name(self, unique_name: str | None, key: str | None) -> str | None:
        if key is not None and unique_name not in {None, key}:
            raise ConfigurationError(
                "the idempotency_key is the unique name; give one of them", provider=self.name
            )
        with_key(None, key)
        return unique_name if key is None else key

    def _first_words(
        self, text: str | None, author: str | None, key: str | None
    ) -> forms.Form | None:
        if not text:
            return None
        form = self._message_form(text=text, author=author, metadata=with_key(None, key))
        self.sendable(form=form)
        return form

    def _begin(self, form: forms.Form, plan: Plan) -> Call[Conversation]:
        request = self._post("Conversations", form=form, webhook_enabled=plan.webhook_enabled)

        def taken(error: StatusError) -> Call[Conversation]:
            if plan.key is None or not isinstance(error, ConflictError):
                raise error
            if error.code not in NAME_TAKEN:
                raise error
            return after(self.conversation(Ref(self.name, plan.key)), partial(self._rest, plan))

        alone = Call(request=request, read=self._conversation_record())
        begun: Call[Conversation] = after(alone, lambda there: self._go_on(there, plan))
        return evolve(begun, recover=taken, reconcile=self._begun(form, plan))

    def _begun(self, form: forms.Form, plan: Plan) -> Look:
        """Return how to find a conversation of which nobody has heard, and who alone is not all."""
        given = {name: value for name, value in form.items() if value is not None}
        name = given.get("UniqueName")

        def partly(outcome: Outcome[Conversation]) -> Outcome[Conversation]:
            unfinished = bool(outcome.happened) and plan.is_more
            return evolve(outcome, happened=None) if unfinished else outcome

        def reconcile(attempt: Attempt) -> Call[Outcome[Conversation]]:
            if name is not None:
                known = self.conversation(Ref(self.name, name))
                return after(evidence.named(known, given)(attempt), partly)
            since = datetime.fromisoformat(given.get("DateCreated", attempt.since.isoformat()))
            listed = self.conversations(created_after=since)
            look = evidence.made(listed, {**BLANK, **given}, newest_first=True)
            return after(look(attempt), partly)

        return reconcile

    def _rest(self, plan: Plan, there: Conversation) -> Conversation | Call[Conversation]:
        """Add what a conversation lacks that was there already; a closed one takes nothing."""
        return there if there.state is ConversationState.CLOSED else self._go_on(there, plan)

    def _go_on(self, there: Conversation, plan: Plan) -> Conversation | Call[Conversation]:
        return self._let_in(there.ref, plan, plan.people) if plan.is_more else there

    def _let_in(self, where: Ref, plan: Plan, people: tuple[Ref | str, ...]) -> Call[Conversation]:
        """Let everybody in, one after the other, and then say the first words."""
        if not people:
            return self._speak(where, plan)
        first, others = people[0], people[1:]
        proxied = isinstance(first, str) and is_address(first, plan.proxy_address)
        call = self.add_participant(
            where,
            first,
            proxy_address=plan.proxy_address if proxied else None,
            webhook_enabled=plan.webhook_enabled,
        )

        def in_already(error: StatusError) -> Call[Conversation]:
            if plan.key is None or not _is_in(error, where):
                raise error
            return self._let_in(where, plan, others)

        joined: Call[Conversation] = after(call, lambda _: self._let_in(where, plan, others))
        return evolve(joined, recover=in_already, reconcile=self._look(where, plan))

    def _speak(self, where: Ref, plan: Plan) -> Call[Conversation]:
        """Say the first words, unless they are there already, and read what became of it all."""
        words, done = plan.words, self.conversation(where)
        if words is None:
            return done
        saying = self._say(where, words, plan.webhook_enabled)
        said: Call[Conversation] = after(saying, lambda _: done)
        said = evolve(said, reconcile=self._look(where, plan))
        if plan.key is None:
            return said
        return find(
            self.messages(where),
            lambda m: m.metadata.get(KEY) == plan.key,
            lambda found: said if found is None else done,
        )

    def _look(self, where: Ref, plan: Plan) -> Look:
        """Return how to find out whether all is there that a conversation was to begin with."""
        words = expected(plan.words or {})

        def told(found: Participant | Message | None, then: Callable[[], Any]) -> Any:
            if found is not None:
                return then()
            return self._as_it_is(where, happened=None)

        def people(left: tuple[Ref | str, ...]) -> Call[Outcome[Conversation]]:
            if not left:
                return spoken()
            wanted = partial(is_known, self._id(left[0]))
            onward = partial(people, left[1:])
            return find(self.participants(where), wanted, partial(told, then=onward))

        def spoken() -> Call[Outcome[Conversation]]:
            done = partial(self._as_it_is, where, happened=True)
            if plan.words is None:
                return done()
            same = partial(_says, words)
            return find(self.messages(where), same, partial(told, then=done))

        return lambda _: people(plan.people)

    def _as_it_is(self, where: Ref, *, happened: bool | None) -> Call[Outcome[Conversation]]:
        return after(
            self.conversation(where), lambda found: Outcome(happened=happened, value=found)
        )


def _says(words: forms.Form, message: Message) -> bool:
    return evidence.shows(words, message.raw) is not False


def _is_in(error: StatusError, where: Ref) -> bool:
    """Tell whether somebody was not let in for they are in; a pair may be bound elsewhere."""
    if not isinstance(error, ConflictError):
        return False
    here = error.code == PAIR_TAKEN and where.id in str(error.args[0])
    return error.code in IN_ALREADY or here
