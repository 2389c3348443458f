"""Files, which are kept at a host of their own: the Media Content Service."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from yarl import URL

from conversations_hub.errors import ConfigurationError
from conversations_hub.models import Attachment
from conversations_hub.provider import operation
from conversations_hub.providers.twilio import values
from conversations_hub.providers.twilio.configuration import Configuration
from conversations_hub.providers.twilio.values import MediaFile
from conversations_hub.questions import File
from conversations_hub.recipes import Call
from conversations_hub.wire import QueryValue, Request, Upload, upload
from conversations_hub.writing import after

R = TypeVar("R")

SID = re.compile(r"ME[0-9a-fA-F]{32}")


class Media(Configuration):
    """Puts files where messages can have them, and finds them again."""

    __slots__ = ()

    @operation
    def upload_media(self, file: File) -> Call[MediaFile]:
        """Upload a file: `POST /v1/Services/{sid}/Media`.

        A file is a `Path`, bytes, an async stream or an `Upload`; nobody sees it before its
        `attachment` is sent. Without `service_sid`, the account's default service is asked for.
        """
        return self._uploaded(upload(file), lambda found: found)

    @operation
    def media_file(self, id: str) -> Call[MediaFile]:  # noqa: A002
        """Fetch a file's description: `GET /v1/Services/{sid}/Media/{sid}`."""
        return self._in_service(
            lambda service: Call(
                request=Request(url=self._media_at(service, id)),
                read=values.one(self.name, MediaFile),
            )
        )

    def address(self, attachment: Attachment) -> Request | Call[Request]:
        """Return where a file's bytes are; the default service has to be asked for first."""
        sid = attachment.id
        if attachment.url or not sid:
            return super().address(attachment)
        if self.service_sid:
            return Request(url=self._media_at(self.service_sid, sid, "Content"))
        return self._in_default_service(
            lambda service: Request(url=self._media_at(service, sid, "Content"))
        )

    def _only(self, attachments: Iterable[File]) -> Upload | str | None:
        """Return the one file that a message may have: to upload, or the SID of one there."""
        things = self.files(attachments)
        if len(things) > 1:
            raise self.unsupported("send", "a message has one file; send one message for each")
        if not things:
            return None
        thing = things[0]
        if not isinstance(thing, Attachment):
            return thing
        found = SID.search(thing.id or thing.url or "")
        if found is None:
            raise ConfigurationError(
                f"{thing.name or 'the attachment'} is not a file at Twilio; read it with "
                "hub.download(...) and send its bytes",
                provider=self.name,
                operation="send",
            )
        return found[0]

    def _uploaded(self, file: Upload, then: Callable[[MediaFile], R | Call[R]]) -> Call[R]:
        """Upload a file and go on with what it is then."""

        def put(service: str) -> Call[R]:
            request = Request(
                method="POST",
                url=self._media_at(service, query={"Filename": file.name}),
                headers={"Content-Type": file.media_type},
                file=file,
            )
            read = values.one(self.name, MediaFile)
            return after(Call(request=request, read=read, prepares=True), then)

        return self._in_service(put)

    def _media_at(
        self, service: str, *segments: str, query: dict[str, QueryValue] | None = None
    ) -> URL:
        return self.url("v1", "Services", service, "Media", *segments, query=query, base=self.media)

    def _in_service(self, then: Callable[[str], Call[R]]) -> Call[R]:
        return then(self.service_sid) if self.service_sid else self._in_default_service(then)

    def _in_default_service(self, then: Callable[[str], R | Call[R]]) -> Call[R]:
        """Ask which service messages belong to that name none."""

        def named(service: str | None) -> R | Call[R]:
            if service is None:
                raise ConfigurationError(
                    "the account has no default chat service; set service_sid", provider=self.name
                )
            return then(service)

        return after(self.configuration(), lambda found: named(found.default_chat_service_sid))
