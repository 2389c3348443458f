"""Writing: a reply, or the message with which a conversation begins.

Clio has one operation for both, and wants to be told of a reply, too, to whom it goes and what it
is about. That is read first, together with the number that what is written will exceed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from attrs import evolve

from conversations_hub.errors import ConfigurationError
from conversations_hub.models import Conversation, ConversationKind, Message, Ref
from conversations_hub.provider import operation
from conversations_hub.providers.clio import addressees, drafts, fields, payloads, texts
from conversations_hub.providers.clio.account import NEWEST, NUMBERS
from conversations_hub.providers.clio.conversations import Conversations
from conversations_hub.providers.clio.drafts import Draft
from conversations_hub.providers.clio.messages import Messages
from conversations_hub.providers.clio.newer import newer
from conversations_hub.providers.clio.users import Users
from conversations_hub.questions import File
from conversations_hub.reading import Record
from conversations_hub.recipes import Attempt, Call, Outcome
from conversations_hub.wire import QueryValue, Request, Response
from conversations_hub.writing import find

T = TypeVar("T")

CIRCLE: Record[payloads.Circle, payloads.Circle] = Record(
    payload=payloads.Circle, translate=lambda circle, _: circle, item="data"
)
LINES: Record[payloads.Lines, list[payloads.Line]] = Record(
    payload=payloads.Lines, translate=lambda page, _: page.data
)
BEGUN: Record[payloads.Sent, int] = Record(
    payload=payloads.Sent, translate=lambda sent, _: sent.conversation.id, item="data"
)
NO_KEY = (
    "it has no place for an idempotency_key; leave it out, and before you send again, look "
    "whether the message is there: messages(ref, order='newest')"
)


class Letters(Messages, Conversations, Users):
    """The operations that send messages."""

    __slots__ = ()

    @operation
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
        subject: str | None = None,
        receivers: Iterable[Ref | str] | None = None,
        matter: Ref | str | int | None = None,
        document_version: Ref | str | int | None = None,
    ) -> Call[Message]:
        """Reply in a conversation: `POST /conversation_messages.json`.

        `receivers` are `user/ID` and `contact/ID`, by default all members but the token's user;
        `subject` is by default the conversation's. An attachment is a document that Clio has.
        """
        self._refuse("send", html, metadata, idempotency_key)
        if reply_to is not None:
            raise self.unsupported("send", "reply_to: a conversation has no threads")
        draft = self._draft("send", text, attachments, document_version, matter)
        self.sendable(json={"subject": subject})
        draft = evolve(draft, subject=subject, receivers=self._people(receivers or ()))
        place = self.number(conversation, "conversation")
        if subject is not None and draft.receivers:
            return self._posted_after(place, draft)
        return self._reply(place, draft)

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
        attachments: Iterable[File] = (),
        matter: Ref | str | int | None = None,
        document_version: Ref | str | int | None = None,
    ) -> Call[Conversation]:
        """Create a conversation with its first message: `POST /conversation_messages.json`.

        The title is the subject. Participants are `user/ID` and `contact/ID`, besides the
        token's user.
        """
        self._refuse("create", None, metadata, idempotency_key)
        if description is not None:
            raise self.unsupported(
                "create", "description: a conversation has a title alone, its subject"
            )
        draft = self._draft("create", text, attachments, document_version, matter)
        self.sendable(json={"title": title})
        draft = evolve(draft, subject=title, receivers=self._people(participants))
        needed = {"title": title, "participants": draft.receivers}
        if missing := [f"{name}=" for name, value in needed.items() if not value]:
            raise ConfigurationError(
                f"a conversation begins with a message to somebody; give {' and '.join(missing)}",
                provider=self.name,
            )
        self._check_kind(kind, draft)
        # A field that the caller added and Clio does not know is refused here, before the write.
        asked = fields.joined("id", self.conversation_fields)
        return self.newest("conversations.json", asked, partial(self._begun, draft))

    # What is refused before anything is asked.

    def _refuse(
        self,
        question: str,
        html: str | None,
        metadata: Mapping[str, Any] | None,
        key: str | None,
    ) -> None:
        if html is not None:
            raise self.unsupported(
                question, "html: it does not say what is markup; text= goes as it is"
            )
        if metadata:
            raise self.unsupported(
                question, "metadata: it keeps no data of yours; matter= links a matter"
            )
        if key is not None:
            raise self.unsupported(question, NO_KEY)

    def _draft(
        self,
        question: str,
        text: str | None,
        attachments: Iterable[File],
        version: Ref | str | int | None,
        matter: Ref | str | int | None,
    ) -> Draft:
        document = drafts.document_of(self.files(attachments), partial(self.unsupported, question))
        if not text and document is None:
            raise ConfigurationError("there is nothing to send; give text=", provider=self.name)
        if version is not None and document is None:
            raise ConfigurationError("document_version= is of an attachment", provider=self.name)
        self.sendable(json={"text": text})
        return Draft(
            body=text or "",
            document=document,
            version=None if version is None else self.number(version, "document version"),
            matter=None if matter is None else self.number(matter, "matter"),
        )

    def _people(self, people: Iterable[Ref | str]) -> tuple[str, ...]:
        given = [people] if isinstance(people, Ref | str) else people
        ids = (self.id_of(who) if isinstance(who, Ref) else str(who) for who in given)
        return tuple(dict.fromkeys(map(addressees.named, ids)))

    def _check_kind(self, kind: ConversationKind | None, draft: Draft) -> None:
        direct = len(draft.receivers) == 1
        found = ConversationKind.DIRECT if direct else ConversationKind.GROUP
        if kind not in {None, found}:
            raise self.unsupported(
                "create", f"with {len(draft.receivers)} other people, it is {found}; leave kind out"
            )

    # A reply, step by step.

    def _reply(self, place: int, draft: Draft) -> Call[Message]:
        """Read what a reply repeats: the subject, and the members where nobody is named."""
        query = {"fields": "id,subject,memberships{id,member}"}

        def read(circle: payloads.Circle) -> Call[Message]:
            subject = draft.subject if draft.subject is not None else circle.subject
            whole = evolve(draft, subject=subject or "")
            if whole.receivers:
                return self._posted_after(place, whole)
            people = [one.member for one in circle.memberships or () if one.member]
            return self.identified(lambda me: self._to_members(place, whole, people, me))

        request = self.asking("GET", "conversations", f"{place}.json", query=query)
        return Call(request=request, read=lambda response: read(CIRCLE(response)))

    def _to_members(
        self, place: int, draft: Draft, people: Sequence[payloads.Person], me: int
    ) -> Call[Message]:
        """Find in the newest messages what the members are, users or contacts."""

        def read(newest: int, lines: Sequence[payloads.Line]) -> Call[Message]:
            sure, unsure = addressees.of_members(people, addressees.told(lines), me)
            return self._asked_about(unsure, sure, place, draft, newest)

        return self._newest_lines(place, self.limits["messages"], read)

    def _asked_about(
        self, unsure: Sequence[int], sure: Sequence[str], place: int, draft: Draft, newest: int
    ) -> Call[Message]:
        """Ask of each number whether it is a contact's; if none has it here, it is a user's."""
        if not unsure:
            return self._posted(place, evolve(draft, receivers=self._somebody(sure)), newest)
        number, *others = unsure
        query: dict[str, QueryValue] = {
            "ids[]": [place],
            "contact_id": number,
            "limit": 1,
            "fields": "id",
        }

        def read(response: Response) -> Call[Message]:
            found = addressees.CONTACT if place in NUMBERS(response) else addressees.USER
            return self._asked_about(others, [*sure, f"{found}/{number}"], place, draft, newest)

        return Call(request=self.asking("GET", "conversations.json", query=query), read=read)

    def _somebody(self, people: Sequence[str]) -> tuple[str, ...]:
        if not people:
            raise ConfigurationError(
                "nobody else is in this conversation; give receivers=", provider=self.name
            )
        return tuple(people)

    def _posted_after(self, place: int, draft: Draft) -> Call[Message]:
        return self._newest_lines(place, 1, lambda newest, _: self._posted(place, draft, newest))

    def _newest_lines(
        self, place: int, size: int, then: Callable[[int, Sequence[payloads.Line]], Call[Message]]
    ) -> Call[Message]:
        """Go on with the newest messages, and the number that the next one will exceed.

        They are asked for all that the answer to the write is asked for of people, so that what
        Clio does not know is refused before the write.
        """
        query: dict[str, QueryValue] = {
            "conversation_id": place,
            "order": NEWEST,
            "limit": size,
            "fields": self.message_parts("id", fields.PEOPLE),
        }

        def read(response: Response) -> Call[Message]:
            lines = LINES(response)
            return then(max((line.id for line in lines), default=0), lines)

        return Call(
            request=self.asking("GET", "conversation_messages.json", query=query), read=read
        )

    def _posted(self, place: int, draft: Draft, newest: int) -> Call[Message]:
        conversation = Ref(self.name, str(place))
        return Call(
            request=self._posting(draft.data(place), self.message_parts(fields.MESSAGE)),
            read=self.read_message(conversation),
            reconcile=partial(self._found, conversation, draft, newest),
        )

    def _posting(self, data: Mapping[str, Any], asked: str) -> Request:
        query = {"fields": asked}
        return self.asking("POST", "conversation_messages.json", query=query, data=data)

    def _found(
        self, conversation: Ref, draft: Draft, newest: int, attempt: Attempt
    ) -> Call[Outcome[Message]]:
        """Look among the messages that came since for this one of the token's user."""

        def look(me: int) -> Call[Outcome[Message]]:
            def judged(found: Sequence[Message]) -> Outcome[Message]:
                sure = [one for one in found if draft.is_sure(one, me)]
                return _outcome(sure or found, sure=bool(sure))

            return newer(
                self.messages(conversation, order="newest"),
                _number,
                newest,
                lambda m: m.ref not in attempt.known and draft.may_be(m, me),
                judged,
            )

        return self.identified(look)

    # A conversation's beginning, step by step.

    def _begun(self, draft: Draft, newest: int) -> Call[Conversation]:
        def read(response: Response) -> Call[Conversation]:
            ref = Ref(self.name, str(BEGUN(response)))
            return evolve(self.conversation(ref), made=(ref,))

        return Call(
            request=self._posting(draft.data(), "id,conversation{id}"),
            read=read,
            reconcile=lambda attempt: self.identified(
                lambda me: self._found_begun(draft, newest, attempt, me)
            ),
        )

    def _found_begun(
        self, draft: Draft, newest: int, attempt: Attempt, me: int
    ) -> Call[Outcome[Conversation]]:
        """Look among the conversations that came since for one that begins with this message."""
        title = texts.squeezed(draft.subject)
        return newer(
            self.conversations_by(NEWEST, {}),
            _number,
            newest,
            lambda c: c.ref not in attempt.known and texts.squeezed(c.title) == title,
            lambda found: self._begins_with(draft, me, found),
        )

    def _begins_with(
        self,
        draft: Draft,
        me: int,
        found: Sequence[Conversation],
        unsure: tuple[Conversation, ...] = (),
    ) -> Outcome[Conversation] | Call[Outcome[Conversation]]:
        """Read how these begin, one after the other."""
        if not found:
            return _outcome(unsure, sure=False)
        one, *others = found

        def judged(first: Message | None) -> Outcome[Conversation] | Call[Outcome[Conversation]]:
            if first is None or not draft.may_be(first, me):
                return self._begins_with(draft, me, others, unsure)
            if one.title == draft.subject and draft.is_sure(first, me):
                return _outcome([one], sure=True)
            return self._begins_with(draft, me, others, (*unsure, one))

        return find(self.messages(one.ref, page_size=1), lambda _: True, judged)


def _number(thing: Conversation | Message) -> int:
    return int(thing.ref.id)


def _outcome(found: Sequence[T], *, sure: bool) -> Outcome[T]:
    """Return the outcome; what might be something else as well is told as such."""
    if not found:
        return Outcome(happened=False)
    return Outcome(happened=True if sure else None, value=found[0])
