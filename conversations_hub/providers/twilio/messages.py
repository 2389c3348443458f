"""Messages: read, written, changed and deleted, and how far they got."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from conversations_hub.errors import ConfigurationError
from conversations_hub.models import Message, Ref
from conversations_hub.provider import between, check_order, operation
from conversations_hub.providers.twilio import evidence, forms, payloads, translate, values
from conversations_hub.providers.twilio.account import PAGES
from conversations_hub.providers.twilio.media import Media
from conversations_hub.providers.twilio.values import Receipt
from conversations_hub.questions import File
from conversations_hub.raw import Raw
from conversations_hub.reading import Record, Records, nothing
from conversations_hub.recipes import Call, Listing, TwoEnds
from conversations_hub.wire import Upload
from conversations_hub.writing import KEY, find, gone, keyed

# What a message is that was told nothing else.
BLANK: forms.Form = {"Author": "system", "Body": "", "Attributes": "{}", "MediaSid": ""}


class Messages(Media):
    """What is asked of a conversation's messages."""

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
        """List messages by index, oldest first: `GET /v1/Conversations/{sid}/Messages`."""
        check_order(order)
        first = self._get(
            "Conversations",
            self.id_of(conversation),
            "Messages",
            query={
                "Order": "desc" if order == "newest" else "asc",
                "PageSize": self.page_size("messages", page_size),
            },
        )
        return Listing(
            request=first,
            read=Records(
                payload=payloads.Message,
                items="messages",
                translate=self._message_of(conversation),
                paging=PAGES,
            ),
            # Dates may be set by whoever writes, so that index and date need not agree.
            keep=between(lambda m: m.sent_at, since, until),
            split=TwoEnds(backwards=first.with_query(Order="desc")),
        )

    @operation
    def message(self, conversation: Ref, id: str) -> Call[Message]:  # noqa: A002
        """Fetch a message: `GET /v1/Conversations/{sid}/Messages/{sid}`."""
        return Call(
            request=self._get("Conversations", self.id_of(conversation), "Messages", id),
            read=self._message_record(conversation),
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
        author: str | None = None,
        subject: str | None = None,
        content_sid: str | None = None,
        content_variables: Mapping[str, Any] | None = None,
        date_created: datetime | None = None,
        date_updated: datetime | None = None,
        webhook_enabled: bool | None = None,
    ) -> Call[Message]:
        """Send a message, as "system" or as an author: `POST /v1/Conversations/{sid}/Messages`.

        A file is uploaded first. A key is kept in the attributes, and so in the metadata.
        `content_sid` is a template, sent in place of text and file; `subject` is not given back.
        """
        self.id_of(conversation)
        if html is not None:
            raise self.unsupported("send", "its messages are plain; give text=")
        if reply_to is not None:
            raise self.unsupported("send", "in place of a reply, say so in text= or metadata=")
        file = self._only(attachments)
        self._check_words(text, file, content_sid)
        form = self._message_form(
            text=text,
            metadata=with_key(metadata, idempotency_key),
            author=author,
            subject=subject,
            date_created=date_created,
            date_updated=date_updated,
        ) | {
            "ContentSid": content_sid,
            "ContentVariables": forms.json_text(content_variables, "content_variables"),
        }
        self.sendable(form=form)
        sent = self._with_file(conversation, form, file, webhook_enabled)
        if idempotency_key is None:
            return sent
        newest = self.messages(conversation, order="newest")
        if date_created is None:
            return keyed(newest, idempotency_key, lambda: sent)
        # Its date does not tell when it was written, so that all are looked at.
        return find(newest, lambda m: m.metadata.get(KEY) == idempotency_key, lambda m: m or sent)

    @operation
    def edit(
        self,
        conversation: Ref,
        id: str,  # noqa: A002
        *,
        text: str | None = None,
        html: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        author: str | None = None,
        subject: str | None = None,
        date_created: datetime | None = None,
        date_updated: datetime | None = None,
        webhook_enabled: bool | None = None,
    ) -> Call[Message]:
        """Change a message: `POST /v1/Conversations/{sid}/Messages/{sid}`.

        New metadata take the place of all there were.
        """
        where = ("Conversations", self.id_of(conversation), "Messages", id)
        if html is not None:
            raise self.unsupported("edit", "its messages are plain; give text=")
        form = self._message_form(
            text=text,
            metadata=metadata,
            author=author,
            subject=subject,
            date_created=date_created,
            date_updated=date_updated,
        )
        self._changed(form, "text=, metadata=, author= or subject=")
        return Call(
            request=self._post(*where, form=form, webhook_enabled=webhook_enabled),
            read=self._message_record(conversation),
            reconcile=evidence.became(self.message(conversation, id), form),
        )

    @operation
    def delete_message(
        self,
        conversation: Ref,
        id: str,  # noqa: A002
        *,
        webhook_enabled: bool | None = None,
    ) -> Call[None]:
        """Delete a message: `DELETE /v1/Conversations/{sid}/Messages/{sid}`."""
        where = ("Conversations", self.id_of(conversation), "Messages", id)
        return Call(
            request=self._delete(*where, webhook_enabled=webhook_enabled),
            read=nothing,
            reconcile=gone(self.message(conversation, id)),
        )

    @operation
    def receipts(
        self, conversation: Ref | str, message: Ref | str, *, page_size: int | None = None
    ) -> Listing[Receipt]:
        """List a message's receipts: `GET /v1/Conversations/{sid}/Messages/{sid}/Receipts`.

        There is one for each recipient outside of chat.
        """
        where = ("Conversations", self._id(conversation), "Messages", self._id(message))
        size = self.page_size("receipts", page_size)
        request = self._get(*where, "Receipts", query={"PageSize": size})
        return self._things(Receipt, "delivery_receipts", request)

    @operation
    def receipt(
        self,
        conversation: Ref | str,
        message: Ref | str,
        id: Ref | str,  # noqa: A002
    ) -> Call[Receipt]:
        """Fetch a receipt: `GET /v1/Conversations/{sid}/Messages/{sid}/Receipts/{sid}`."""
        where = ("Conversations", self._id(conversation), "Messages", self._id(message))
        return Call(
            request=self._get(*where, "Receipts", self._id(id)),
            read=values.one(self.name, Receipt),
        )

    def _check_words(
        self, text: str | None, file: Upload | str | None, content: str | None
    ) -> None:
        if content is None and not text and file is None:
            raise ConfigurationError(
                "there is nothing to send; give text=, a file in attachments=, or content_sid=",
                provider=self.name,
                operation="send",
            )
        if content is not None and (text or file is not None):
            raise ConfigurationError(
                "content_sid= is sent in place of text and file; leave those out",
                provider=self.name,
                operation="send",
            )

    def _message_form(
        self,
        *,
        text: str | None,
        metadata: Mapping[str, Any] | None = None,
        author: str | None = None,
        subject: str | None = None,
        date_created: datetime | None = None,
        date_updated: datetime | None = None,
    ) -> dict[str, Any]:
        return {
            "Author": author,
            "Body": text,
            "Attributes": forms.json_text(metadata),
            "Subject": subject,
            "DateCreated": forms.moment(date_created),
            "DateUpdated": forms.moment(date_updated),
        }

    def _with_file(
        self, where: Ref, form: forms.Form, file: Upload | str | None, hooks: bool | None
    ) -> Call[Message]:
        if isinstance(file, Upload):
            return self._uploaded(
                file, lambda media: self._say(where, {**form, "MediaSid": media.sid}, hooks)
            )
        return self._say(where, {**form, "MediaSid": file}, hooks)

    def _say(self, where: Ref, form: forms.Form, hooks: bool | None) -> Call[Message]:
        newest = self.messages(where, order="newest")
        return Call(
            request=self._post(
                "Conversations", self.id_of(where), "Messages", form=form, webhook_enabled=hooks
            ),
            read=self._message_record(where),
            reconcile=evidence.made(newest, expected(form), newest_first=True),
        )

    def _message_record(self, conversation: Ref) -> Record[payloads.Message, Message]:
        return Record(payload=payloads.Message, translate=self._message_of(conversation))

    def _message_of(self, conversation: Ref) -> Callable[[payloads.Message, Raw | None], Message]:
        return partial(translate.message, conversation, str(self.media).rstrip("/"))


def with_key(metadata: Mapping[str, Any] | None, key: str | None) -> Mapping[str, Any] | None:
    """Return metadata with the key in them, by which the message is found again."""
    if key is None:
        return metadata
    if not key:
        raise ConfigurationError("an idempotency_key has at least one character")
    return {**(metadata or {}), KEY: key}


def expected(form: forms.Form) -> forms.Form:
    """Return what a message says that was written so; a template's words are not known."""
    given = {name: value for name, value in form.items() if value is not None}
    if "ContentSid" in given:
        return {"Author": "system", "Attributes": "{}", **given}
    return {**BLANK, **given}
