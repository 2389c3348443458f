"""Keeps attachments, says where they are, and hands them out by the rules of each place."""

from __future__ import annotations

import hashlib
from email.parser import HeaderParser
from itertools import chain
from mimetypes import MimeTypes
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from aiohttp import web
from attrs import field, frozen

from conversations_hub.providers.sunshine.emulator.contents import PRIVATE_MEDIA, PUBLIC_MEDIA

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from conversations_hub.providers.sunshine.emulator.store import Store

Record = dict[str, Any]

FOREIGN_HOST = "localhost"
"""The server's other name, which is another origin for clients."""
PRIVATE_PATH = urlsplit(PRIVATE_MEDIA).path
PUBLIC_PATH = urlsplit(PUBLIC_MEDIA).path
UNKNOWN_TYPE = "application/octet-stream"
_TYPES = MimeTypes()
_SMALL = 43


@frozen(kw_only=True)
class File:
    """An attachment; one that nobody uploaded has invented content."""

    name: str
    media_type: str
    size: int
    data: bytes | None = field(default=None, repr=False)
    conversation: str | None = None
    goes_with_message: bool = False
    """Whether it is deleted with the message that shows it (§2, `for=message`)."""

    def content(self) -> bytes:
        """Return the bytes; invented ones depend on the name alone."""
        if self.data is not None:
            return self.data
        block = hashlib.sha512(self.name.encode()).digest()
        return (block * (self.size // len(block) + 1))[: self.size]


def media_type_of(name: str) -> str:
    """Guess a type by a file's name."""
    return _TYPES.guess_type(name)[0] or UNKNOWN_TYPE


def path_of(url: str) -> str:
    """Return the decoded path under which a file is kept."""
    return unquote(urlsplit(url).path)


def file_name(url: str) -> str:
    """Return the name at the end of an address."""
    return path_of(url).rpartition("/")[2]


def new_path(file_id: str, name: str) -> str:
    """Return where a new file is kept; of a name with folders the last part counts."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return f"{PRIVATE_PATH}/{file_id}/{last if last.strip('.') else 'file'}"


def encoded(path: str) -> str:
    """Return a path as it stands in an address."""
    return quote(path, errors="replace")


def shown(message: Record) -> Iterator[Record]:
    """Return the contents of a message, and of the one that it quotes, that show a file."""
    quoted = (message.get("quotedMessage") or {}).get("message") or {}
    for each in (message, quoted):
        if "mediaUrl" in each.get("content", {}):
            yield each["content"]


def remember_seeded(store: Store) -> None:
    """Keep the files that the seeded messages speak of."""
    messages = chain.from_iterable(map(store.messages, store.conversations))
    for content in chain.from_iterable(map(shown, messages)):
        url = content["mediaUrl"]
        name = file_name(url)
        store.files[path_of(url)] = File(
            name=name,
            media_type=content.get("mediaType", media_type_of(name)),
            size=content.get("mediaSize", _SMALL),
            goes_with_message=url.startswith(PRIVATE_MEDIA),
        )


@frozen(kw_only=True)
class Places:
    """The origins at which a request finds files."""

    own: str
    foreign: str

    @classmethod
    def of(cls, request: web.Request) -> Places:
        """Return the places as the sender of a request knows them."""
        own = f"{request.scheme}://{request.host}"
        return cls(own=own, foreign=f"{request.scheme}://{FOREIGN_HOST}:{request.url.port}")

    def path_at(self, url: str) -> str | None:
        """Return the path of an attachment, unless the address is of somewhere else."""
        roots = [f"{origin}{PRIVATE_PATH}/" for origin in (self.own, self.foreign)]
        return path_of(url) if url.startswith(tuple(roots)) else None

    def uploads(self, media: str) -> str:
        """Return the origin at which attachments are kept."""
        return self.foreign if media == "foreign" else self.own


def placed(message: Record, places: Places, media: str, known: Iterable[str]) -> Record:
    """Return a message whose seeded files are where they can be had."""
    quoted = (message.get("quotedMessage") or {}).get("message")
    if quoted:
        inner = placed(quoted, places, media, known)
        message = {**message, "quotedMessage": {**message["quotedMessage"], "message": inner}}
    url = message.get("content", {}).get("mediaUrl", "")
    origin = _seeded_origin(url, places, media)
    if origin is None or path_of(url) not in known:
        return message
    return {**message, "content": {**message["content"], "mediaUrl": origin + urlsplit(url).path}}


def _seeded_origin(url: str, places: Places, media: str) -> str | None:
    if url.startswith(f"{PRIVATE_MEDIA}/"):
        return places.uploads(media)
    return places.foreign if url.startswith(f"{PUBLIC_MEDIA}/") else None


def is_foreign(request: web.Request) -> bool:
    """Tell whether a request came for the other origin."""
    return request.host.partition(":")[0] == FOREIGN_HOST


def storage_error(status: int, code: str, message: str) -> web.Response:
    """Refuse as pre-signed storage does."""
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return web.Response(status=status, text=body, content_type="application/xml")


@frozen(kw_only=True)
class Part:
    """One part of a form."""

    name: str
    file_name: str | None
    media_type: str | None
    data: bytes


def parts(raw: bytes, content_type: str) -> list[Part]:
    """Read a `multipart/form-data` body; the data stay as they are, byte for byte."""
    boundary = _header(f"Content-Type: {content_type}").get_boundary()
    if not boundary or not content_type.startswith("multipart/form-data"):
        return []
    _, *chunks = (b"\r\n" + raw).split(b"\r\n--" + boundary.encode())
    return [_part(*chunk.partition(b"\r\n\r\n")) for chunk in chunks[:-1]]


def _part(head: bytes, _gap: bytes, data: bytes) -> Part:
    header = _header(head.decode("utf-8", "replace").lstrip())
    return Part(
        name=str(header.get_param("name", "", "content-disposition")),
        file_name=header.get_filename(),
        media_type=header.get("Content-Type"),
        data=data,
    )


def _header(text: str) -> Any:
    return HeaderParser().parsestr(text)
