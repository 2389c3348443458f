"""Sends files to Circuit, so that messages can have them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar
from urllib.parse import quote

from attrs import evolve
from yarl import URL

from conversations_hub.errors import InvalidRequestError, StatusError
from conversations_hub.models import Attachment
from conversations_hub.provider import operation
from conversations_hub.providers.circuit import payloads
from conversations_hub.providers.circuit.account import Account
from conversations_hub.questions import File
from conversations_hub.reading import Record
from conversations_hub.recipes import Call
from conversations_hub.wire import Request, Response, Upload, upload

R = TypeVar("R")

Sendable = Attachment | Upload
Files = tuple[payloads.Uploaded, ...]

UPLOADED = Record(payload=list[payloads.Uploaded], translate=lambda files, _: files[0])
NO_SUCH_PLACE = (404, 405)


class Uploads(Account):
    """Files on their way in; the published description leaves them out."""

    __slots__ = ()

    @operation
    def upload_file(self, file: File) -> Call[Attachment]:
        """Upload a file for a message: `POST /fileapi`.

        It is a `Path`, bytes, an async stream of bytes or an `Upload`. Nobody sees it before a
        message has it. The attachment's id is for sending alone: once a message has the file,
        its attachment has another.
        """
        sent = upload(file)
        return self._upload(
            sent,
            lambda found: Attachment(
                id=found.attachment_id, name=sent.name, media_type=sent.media_type, size=sent.size
            ),
        )

    def files_from(self, question: str, things: Iterable[File]) -> list[Sendable]:
        """Return what messages can have: files, and attachments that Circuit has already."""
        files = self.files(things)
        if any(isinstance(one, Attachment) and not one.id for one in files):
            raise self.unsupported(
                question, "an attachment without an id cannot be used again; give the file"
            )
        return files

    def with_files(
        self, files: Sequence[Sendable], then: Callable[[Files], Call[R]], ready: Files = ()
    ) -> Call[R]:
        """Send those files that Circuit does not have yet, one by one, and go on with all."""
        if not files:
            return then(ready)
        first, *others = files
        if isinstance(first, Attachment):
            found = payloads.Uploaded(attachment_id=first.id or "")
            return self.with_files(others, then, (*ready, found))
        return self._upload(first, lambda found: self.with_files(others, then, (*ready, found)))

    def _upload(self, file: Upload, then: Callable[[payloads.Uploaded], R | Call[R]]) -> Call[R]:
        """Send a file to where the base URL leads or, where that is no place for it, to the root.

        A stream can be sent once, so that the place is found out before.
        """
        first, other = self.base_url, self.base_url.origin()

        def read(response: Response) -> R | Call[R]:
            return then(UPLOADED(response))

        def elsewhere(error: StatusError) -> Call[R]:
            if error.status not in NO_SUCH_PLACE:
                raise error
            return Call(request=self._sending(file, other), read=read, prepares=True)

        def judged(error: StatusError) -> Call[R]:
            if isinstance(error, InvalidRequestError) and error.status not in NO_SUCH_PLACE:
                return Call(request=self._sending(file, first), read=read, prepares=True)
            return elsewhere(error)

        if file.is_stream:
            place = self._at(first)
            sent = Call(request=self._sending(file, first), read=read, prepares=True)
            return Call(request=place, read=lambda _: sent, recover=judged, prepares=True)
        request = self._sending(file, first)
        return Call(request=request, read=read, recover=elsewhere, prepares=True)

    def _at(self, base: URL) -> Request:
        return Request(method="POST", url=self.url("fileapi", base=base))

    def _sending(self, file: Upload, base: URL) -> Request:
        disposition = f"attachment; {_named(file.name)}"
        headers = {"Content-Type": file.media_type, "Content-Disposition": disposition}
        return evolve(self._at(base), file=file, headers=headers)


def _named(name: str) -> str:
    """Write a file's name as a header's parameter, in the extended form where it needs that."""
    if name.isascii() and name.isprintable() and not {'"', "\\"} & set(name):
        return f'filename="{name}"'
    return f"filename*=UTF-8''{quote(name, safe='')}"
