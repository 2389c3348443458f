"""Messages: read newest first, posted, deleted, and what else belongs to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from operator import lt
from typing import Any

import msgspec

from conversations_hub.errors import ConfigurationError, TranslationError
from conversations_hub.models import Attachment, Message, MessageState, Ref
from conversations_hub.paging import SinglePage
from conversations_hub.provider import between, check_order, operation
from conversations_hub.providers.sunshine import payloads, translate, values
from conversations_hub.providers.sunshine.account import USER_ID, given
from conversations_hub.providers.sunshine.attachments import Attachments
from conversations_hub.providers.sunshine.contents import content_of, is_sent, noted
from conversations_hub.providers.sunshine.paging import BACKWARDS
from conversations_hub.questions import File
from conversations_hub.raw import Raw
from conversations_hub.reading import Record, Records, nothing
from conversations_hub.recipes import Attempt, Call, Listing, Outcome
from conversations_hub.values import value
from conversations_hub.wire import Response, Upload
from conversations_hub.writing import after, find, keyed, sent_message

LONG_AGO = datetime.min.replace(tzinfo=UTC)

Sender = Ref | str | Mapping[str, Any] | None
"""Who writes: nobody in particular of the business, somebody by display name, or a user."""


class Messages(Attachments):
    """Operations on the messages of a conversation."""

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
        """List messages, newest first: `GET /conversations/{conversationId}/messages`.

        For the oldest first all are read before the first one comes. `page_size` has no effect:
        pages of messages have 100.
        """
        check_order(order)
        self.page_size("messages", page_size)
        return Listing(
            request=self._get("conversations", self.id_of(conversation), "messages"),
            read=Records(
                payload=payloads.Message,
                items="messages",
                translate=partial(translate.message, conversation),
                paging=BACKWARDS,
                # Which page comes next is documented, and the order inside a page is not.
                arrange=_newest_first,
            ),
            keep=between(lambda m: m.sent_at, since, until),
            enough=_all_before(since) if since else None,
            sort_key=_age if order == "oldest" else None,
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
        author: Sender = None,
        content: Mapping[str, Any] | None = None,
        destination: str | None = None,
        override: Mapping[str, Any] | None = None,
        schema: str | None = None,
    ) -> Call[Message]:
        """Post a message: `POST /conversations/{conversationId}/messages`.

        `author` is a display name of the business, a user's ref, or the API's own object.
        `content` is more of it in the API's own words: `{"actions": [...]}`, or with a `type`
        a carousel, list, form, location or template. `destination` is an integration's id, or
        a type such as `whatsapp`; `none` delivers it nowhere. `override` and a `schema` of
        `whatsapp` are the channels' own. The file is uploaded first, if it is not yet.
        """
        if reply_to is not None:
            raise self.unsupported(
                "send", "a reply cannot be told, quotes can only be read; quote in the text"
            )
        file = self._file(attachments)
        frame = given(
            author=self._author(author),
            metadata=noted(metadata, idempotency_key) or None,
            destination=_destination(destination),
            override=override,
            schema=schema,
        )
        call = self._sending(
            conversation, frame, file, lambda shown: content_of(text, html, shown, content or {})
        )
        if idempotency_key is None:
            return call
        return keyed(self.messages(conversation), idempotency_key, lambda: call)

    @operation
    def delete_message(self, conversation: Ref, id: str) -> Call[None]:  # noqa: A002
        """Delete a message: `DELETE /conversations/{conversationId}/messages/{messageId}`."""

        def reconcile(_: Attempt) -> Call[Outcome[None]]:
            return find(
                self.messages(conversation),
                lambda m: m.ref.id == id,
                lambda m: Outcome(happened=m is None or not _is_left(m)),
            )

        path = ("conversations", self.id_of(conversation), "messages", id)
        return Call(request=self._change("DELETE", *path), read=nothing, reconcile=reconcile)

    @operation
    def delete_messages(self, conversation: Ref) -> Call[None]:
        """Delete all messages: `DELETE /conversations/{conversationId}/messages`."""
        listing = self.messages(conversation)

        def reconcile(attempt: Attempt) -> Call[Outcome[None]]:
            def look(left: Message | None) -> Outcome[None] | Call[Outcome[None]]:
                if left is None:
                    return Outcome(happened=True)
                # One that may have come later says nothing.
                return find(
                    listing,
                    lambda m: _is_left(m) and _was_there(m, attempt),
                    lambda m: Outcome(happened=None if m is None else False),
                )

            return find(listing, _is_left, look)

        path = ("conversations", self.id_of(conversation), "messages")
        return Call(request=self._change("DELETE", *path), read=nothing, reconcile=reconcile)

    @operation
    def download_message_ref(
        self, conversation: Ref, user: Ref | str, reference: Mapping[str, str]
    ) -> Call[Mapping[str, Any]]:
        """Fetch what an Apple message refers to: `POST /conversations/{conversationId}/download`.

        `reference` is the `interactiveDataRef`: `url`, `bid`, `key`, `signature` and `owner`.
        """
        body = {"userId": self._key(user), "apple": {"interactiveDataRef": dict(reference)}}
        return Call(
            request=self._change(
                "POST", "conversations", self.id_of(conversation), "download", json=body
            ),
            read=Record(payload=dict[str, Any], translate=_as_it_is),
            prepares=True,
        )

    @operation
    def post_conversion_events(
        self, conversation: Ref, channel: str, events: Iterable[Mapping[str, Any]]
    ) -> Call[values.ConversionEvents]:
        """Report events to Meta: `POST /conversations/{conversationId}/conversionEvents`.

        `channel` is `messenger`, `instagram` or `whatsapp`; an event has Meta's own form.
        """
        body = {channel: {"payload": {"data": list(events)}}}
        return Call(
            request=self._change(
                "POST", "conversations", self.id_of(conversation), "conversionEvents", json=body
            ),
            read=value(values.ConversionEvents, values.WORDS, "conversionEvents"),
        )

    def _file(self, attachments: Iterable[File]) -> Attachment | Upload | None:
        files = self.files(attachments)
        if len(files) > 1:
            raise self.unsupported("send", "a message has one file; send one message for each")
        if not files:
            return None
        if not isinstance(files[0], Attachment):
            return files[0]
        if not files[0].url:
            raise ConfigurationError(
                "this attachment has no address to show it from; send the file",
                provider=self.name,
                operation="send",
            )
        return files[0]

    def _author(self, author: Sender) -> dict[str, Any]:
        if isinstance(author, Ref):
            return {"type": "user", "userId": self.id_of(author)}
        if isinstance(author, Mapping):
            return dict(author)
        return given(type="business", displayName=author)

    def _sending(
        self,
        conversation: Ref,
        frame: Mapping[str, Any],
        file: Attachment | Upload | None,
        showing: Callable[[Attachment | None], Mapping[str, Any]],
    ) -> Call[Message]:
        """Return the call that posts a message, after the upload of its file."""

        def post(shown: Attachment | None) -> Call[Message]:
            return self._post(conversation, frame, showing(shown))

        if not isinstance(file, Upload):
            return post(file)
        # What cannot be sent is found out before anything is uploaded.
        post(Attachment(name=file.name, media_type=file.media_type))
        return after(self._upload(file, conversation), post)

    def _post(
        self, conversation: Ref, frame: Mapping[str, Any], content: Mapping[str, Any]
    ) -> Call[Message]:
        if not content:
            raise ConfigurationError(
                "there is nothing to send; give text, html, a file in attachments, or content",
                provider=self.name,
                operation="send",
            )
        path = ("conversations", self.id_of(conversation), "messages")
        request = self._change("POST", *path, json={**frame, "content": content})
        sent = msgspec.json.decode(request.body or b"{}")
        return Call(
            request=request,
            read=partial(_posted, conversation, content.get("mediaUrl")),
            reconcile=sent_message(
                self.messages(conversation), lambda m: m.raw is not None and is_sent(sent, m.raw)
            ),
        )


def _posted(conversation: Ref, url: str | None, response: Response) -> Message:
    """Read the answer to a post: of several messages, the one that shows the file."""
    records = Records(
        payload=payloads.Message,
        items="messages",
        translate=partial(translate.message, conversation),
        paging=SinglePage(),
    )
    _, found, broken = records.taken(response, response.body)
    if broken:
        raise broken[0][1]
    if not found:
        raise TranslationError("the answer has no message", path="messages")
    showing = (m for m in found if url and any(a.url == url for a in m.attachments))
    return next(showing, found[0])


def _destination(name: str | None) -> dict[str, str] | None:
    if name is None:
        return None
    return {"integrationId" if USER_ID.fullmatch(name) else "integrationType": name}


def _as_it_is(payload: Mapping[str, Any], raw: Raw | None) -> Mapping[str, Any]:
    del raw
    return payload


def _is_left(message: Message) -> bool:
    return message.state is not MessageState.DELETED


def _was_there(message: Message, attempt: Attempt) -> bool:
    """Tell whether a message was there before an attempt was made."""
    return message.sent_at is not None and message.sent_at < attempt.since


def _newest_first(page: Sequence[Message]) -> Sequence[Message]:
    """Put a page's messages in order: most pages begin with their oldest one, and are."""
    ages = [(message.sent_at or LONG_AGO, message.ref.id) for message in page]
    if all(map(lt, ages, ages[1:])):
        return page[::-1]
    return sorted(page, key=_age, reverse=True)


def _age(message: Message) -> tuple[datetime, str]:
    return message.sent_at or LONG_AGO, message.ref.id


def _all_before(moment: datetime) -> Callable[[Sequence[Message]], bool]:
    """Return whether a page's messages are all older, as those of later pages then are."""
    return lambda page: all(m.sent_at is not None and m.sent_at < moment for m in page)
