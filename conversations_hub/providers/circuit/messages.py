"""Circuit's messages: the items of conversations, and what the user writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
from attrs import frozen

from conversations_hub.errors import NotFoundError
from conversations_hub.models import Author, Direction, Message, MessageState, Ref
from conversations_hub.paging import SinglePage
from conversations_hub.provider import between, check_order, operation
from conversations_hub.providers.circuit import payloads, translate
from conversations_hub.providers.circuit.conversations import floor
from conversations_hub.providers.circuit.files import Files, Uploads
from conversations_hub.providers.circuit.markup import rich, same_words, shown
from conversations_hub.providers.circuit.outcomes import Reconcile, arrived, not_before, surely
from conversations_hub.providers.circuit.paging import TimePaging
from conversations_hub.providers.circuit.reader import EMPTY, TimeReader
from conversations_hub.providers.circuit.windows import Times, beginning
from conversations_hub.questions import File
from conversations_hub.raw import Raw
from conversations_hub.reading import Record, Records, nothing
from conversations_hub.recipes import Attempt, Call, Listing, Outcome
from conversations_hub.wire import QueryValue
from conversations_hub.writing import after, gone

FORM = "form"


@frozen(kw_only=True)
class Draft:
    """What is to be written; None for what is not."""

    content: str | None = None
    text: str | None = None
    """What a reader is to see."""
    is_markup: bool = False
    subject: str | None = None
    form: str | None = None

    @property
    def fields(self) -> dict[str, QueryValue]:
        """The fields of the form."""
        return {"content": self.content, "subject": self.subject, "formMetaData": self.form}

    def is_in(self, message: Message) -> bool:
        """Tell whether a message says this; what a sanitizer does to blanks does not count."""
        if self.is_markup and message.html != self.content:
            said = same_words(self.text, message.text)
        else:
            said = (message.text or "") == (self.text or "")
        return said and _decoded(_form_of(message)) == _decoded(self.form)

    def may_be_in(self, message: Message) -> bool:
        """Tell whether a message may say this, as it was changed since or on its way."""
        if self.is_markup or message.state is not MessageState.SENT:
            return True
        return same_words(self.text, message.text)

    def is_about(self, message: Message) -> bool:
        """Tell whether a message has the subject; answers have none of their own."""
        return message.reply_to is not None or (message.subject or "") == (self.subject or "")


class Messages(Uploads):
    """Messages, read and written."""

    __slots__ = ()

    @operation
    def messages(
        self,
        conversation: Ref,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        order: str | None = None,
        page_size: int | None = None,
    ) -> Listing[Message]:
        """List items, the last modified first: `GET /conversations/{convId}/items`.

        An edited message has moved to the top. In the order of sending, a conversation is read
        to its end before the first item comes.
        """
        check_order(order)
        where = ("conversations", self.id_of(conversation))
        query = {"results": self.page_size("messages", page_size)}
        first, rule = self.get(*where, "items", query=query), TimePaging(floor=floor(since))
        return Listing(
            request=first,
            read=TimeReader(
                payload=payloads.Item,
                translate=partial(translate.message, conversation, self.me, self.origin),
                rule=rule,
            ),
            keep=between(lambda m: m.sent_at, since, until),
            repeats=True,
            split=Times(first=first, rule=rule, scout=beginning(self.get(*where))),
            sort_key=_sort_key(order),
        )

    @operation
    def message(self, conversation: Ref, id: str) -> Call[Message]:  # noqa: A002
        """Fetch one item: `GET /conversations/messages/{itemId}`.

        The path does not name the conversation, so an item of another one is not found.
        """
        self.id_of(conversation)
        return Call(request=self.get("conversations", "messages", id), read=self._one(conversation))

    @operation
    def flagged_messages(self, conversation: Ref | None = None) -> Listing[Message]:
        """List the messages that the user flagged: `GET /conversations/messages/flag`.

        Of one conversation: `GET /conversations/{convId}/messages/flag`.
        """
        where = () if conversation is None else (self.id_of(conversation),)
        return Listing(
            request=self.get("conversations", *where, "messages", "flag"),
            read=Records(
                payload=payloads.Item,
                items=None,
                translate=partial(self._item, conversation),
                paging=SinglePage(),
                blank=EMPTY,
            ),
        )

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
    ) -> Call[Message]:
        """Send a message: `POST /conversations/{convId}/messages`.

        An answer is `POST /conversations/{convId}/messages/{itemId}` below the root of its
        thread, which is looked up. `metadata` takes a form alone: `{"form": {…}}`. Files are
        sent before. Of `html`, Circuit keeps what it allows.
        """
        self.id_of(conversation)
        self.refuse_key("send", idempotency_key)
        draft = self._draft("send", text, html, subject, metadata)
        files = self.files_from("send", attachments)
        if not draft.content and not files:
            raise self.unsendable("there is nothing to send; give text=, html= or attachments=")
        self.sendable(form=draft.fields)  # refuses what is no text before anything is sent

        def write(root: str | None) -> Call[Message]:
            return self.with_files(files, partial(self.writing, conversation, draft, root))

        if reply_to is None:
            return write(None)
        answered = self.message(conversation, self.id_from(reply_to))
        return after(answered, lambda m: write((m.reply_to or m.ref).id))

    @operation
    def edit(
        self,
        conversation: Ref,
        id: str,  # noqa: A002
        *,
        text: str | None = None,
        html: str | None = None,
        subject: str | None = None,
        attachments: Iterable[File] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Call[Message]:
        """Change one's own message: `PUT /conversations/{convId}/messages/{itemId}`.

        Nobody says whether Circuit keeps what an edit leaves out, so the message is read before
        and all that stays is sent again. `attachments` takes the place of those it has.
        """
        self.id_of(conversation)
        change = self._draft("edit", text, html, subject, metadata)
        if not any(value is not None for value in change.fields.values()) and attachments is None:
            raise self.unsendable("there is nothing to change; give text= or html=")
        self.sendable(form=change.fields)
        wanted = None if attachments is None else self.files_from("edit", attachments)

        def write(old: Message) -> Call[Message]:
            files = self.files_from("edit", old.attachments) if wanted is None else wanted
            return self.with_files(files, partial(put, _merged(change, old)))

        def put(draft: Draft, files: Files) -> Call[Message]:
            # An empty list cannot be told from none; an empty text takes the last file away.
            attached = {"attachments": ""} if wanted == [] else _attached(files)
            return Call(
                request=self.ask(
                    "PUT", *self._place(conversation, id), form=draft.fields | attached
                ),
                read=self._one(conversation),
                reconcile=self._was_edited(
                    conversation, id, draft, None if wanted is None else files
                ),
            )

        return after(self.message(conversation, id), write)

    @operation
    def delete_message(self, conversation: Ref, id: str) -> Call[None]:  # noqa: A002
        """Delete one's own message: `DELETE /conversations/{convId}/messages/{itemId}`.

        It stays in its place, without its words.
        """
        return Call(
            request=self.ask("DELETE", *self._place(conversation, id)),
            read=nothing,
            reconcile=gone(
                self.message(conversation, id), lambda m: m.state is MessageState.DELETED
            ),
        )

    # What the parts share.

    def writing(
        self, conversation: Ref, draft: Draft, root: str | None, files: Files = ()
    ) -> Call[Message]:
        """Return the request that writes a message, below the root of a thread if there is one."""
        place = self._place(conversation, root)
        return Call(
            request=self.ask("POST", *place, form=draft.fields | _attached(files)),
            read=self._one(conversation),
            reconcile=self._was_sent(conversation, draft, root, files),
        )

    def _was_sent(
        self, conversation: Ref, draft: Draft, root: str | None, files: Files
    ) -> Reconcile[Message]:
        """Look for a message of one's own, that is new, with these words and these files."""

        def reconcile(attempt: Attempt) -> Call[Outcome[Message]]:
            return self.as_me(lambda me: look(attempt, Author(ref=Ref(self.name, me))))

        def look(attempt: Attempt, me: Author) -> Call[Outcome[Message]]:
            def is_new(m: Message) -> bool:
                return (
                    m.author == me
                    and m.direction is not Direction.SYSTEM
                    and m.ref not in attempt.known
                    and not_before(m.sent_at, attempt)
                    and (m.reply_to.id if m.reply_to else None) == root
                )

            return surely(
                self.messages(conversation, since=attempt.since),
                lambda m: is_new(m) and draft.is_in(m) and draft.is_about(m) and _are_in(files, m),
                lambda m: is_new(m) and draft.may_be_in(m),
                lambda m: m.sent_at,
            )

        return reconcile

    def _was_edited(
        self, conversation: Ref, id_: str, draft: Draft, files: Files | None
    ) -> Reconcile[Message]:
        """Compare a message with what it was to become; `files` are None where they stay."""

        def reconcile(attempt: Attempt) -> Call[Outcome[Message]]:
            return after(self.message(conversation, id_), lambda m: judged(m, attempt))

        def judged(m: Message, attempt: Attempt) -> Outcome[Message]:
            is_new = not_before(m.updated_at, attempt)
            if files is not None and not (is_new and _are_in(files, m)):
                return Outcome(happened=False, value=m)
            if draft.is_in(m) and draft.is_about(m):
                return Outcome(happened=True, value=m)
            changed = is_new and m.state is not MessageState.SENT
            return Outcome(happened=None if changed else False, value=m)

        return reconcile

    def _draft(
        self,
        question: str,
        text: str | None,
        html: str | None,
        subject: str | None,
        metadata: Mapping[str, Any] | None,
    ) -> Draft:
        form = self._form(question, metadata or {})
        if html is None:
            content = rich(text) if text is not None else None
            return Draft(content=content, text=text, subject=subject, form=form)
        if text is not None and text != shown(html):
            raise self.unsupported(
                question, "a message has one content: give text=, or html= and no text"
            )
        return Draft(content=html, text=shown(html), is_markup=True, subject=subject, form=form)

    def _form(self, question: str, metadata: Mapping[str, Any]) -> str | None:
        if set(metadata) - {FORM}:
            raise self.unsupported(
                question, 'Circuit keeps nothing with a message but a form: metadata={"form": …}'
            )
        try:
            return msgspec.json.encode(metadata[FORM]).decode() if metadata else None
        except (TypeError, ValueError) as cause:
            raise self.unsendable(f"the form is not JSON: {cause}") from cause

    def _place(self, conversation: Ref, item: str | None) -> tuple[str, ...]:
        path = ("conversations", self.id_of(conversation), "messages")
        return path if item is None else (*path, item)

    def _one(self, conversation: Ref) -> Record[payloads.Item, Message]:
        def read(payload: payloads.Item, raw: Raw | None) -> Message:
            if payload.conv_id not in (None, conversation.id):
                raise NotFoundError(
                    f"item {payload.item_id} is in another conversation than {conversation}",
                    provider=self.name,
                    operation="message",
                )
            return self._item(conversation, payload, raw)

        return Record(payload=payloads.Item, translate=read)

    def _item(self, asked: Ref | None, payload: payloads.Item, raw: Raw | None) -> Message:
        """Translate an item, which says itself where it is."""
        told = payload.conv_id or (asked.id if asked else "")
        return translate.message(Ref(self.name, told), self.me, self.origin, payload, raw)


def _attached(files: Files) -> dict[str, QueryValue]:
    return {"attachments": [file.attachment_id for file in files]} if files else {}


def _are_in(files: Files, message: Message) -> bool:
    """Tell whether a message has these files; one that was not sent now may have another id."""
    sent = {file.file_id for file in files if file.file_id}
    there = {file.id for file in message.attachments}
    return sent <= there and bool(files or not there)


def _merged(change: Draft, old: Message) -> Draft:
    """Return the whole message as it is to become."""
    # What was written plain is markup once it is sent again.
    content = rich(old.text) if old.html is None and old.text is not None else old.html
    stays = Draft(content=content, text=old.text, is_markup=old.html is not None)
    words = stays if change.content is None else change
    return Draft(
        content=words.content,
        text=words.text,
        is_markup=words.is_markup,
        subject=old.subject if change.subject is None else change.subject,
        form=_form_of(old) if change.form is None else change.form,
    )


def _form_of(message: Message) -> str | None:
    """Return the description of a form as Circuit keeps it: JSON in a text."""
    text = arrived(message).get("text")
    found = text.get("formMetaData") if isinstance(text, Mapping) else None
    return found if isinstance(found, str) else None


def _decoded(form: str | None) -> Any:
    return None if form is None else [translate.form(form)]


def _sort_key(order: str | None) -> Callable[[Message], Any] | None:
    if order is None:
        return None
    if order == "oldest":
        return lambda m: (_sent(m), m.ref.id)
    # Items of one time stay as they come, the greater id first.
    return lambda m: -_sent(m)


def _sent(message: Message) -> float:
    return message.sent_at.timestamp() if message.sent_at else 0.0
