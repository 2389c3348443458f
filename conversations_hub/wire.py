"""What goes over the wire, as plain values: a request holds no secrets."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import AsyncIterable, Callable, Container, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import punctuation
from typing import Any
from urllib.parse import parse_qsl, quote, unquote_plus

import msgspec
from attrs import Factory, evolve, field, frozen
from yarl import URL

from conversations_hub.arguments import named
from conversations_hub.errors import ConfigurationError

AUTHORITY = re.compile(r"([a-z][a-z0-9+.-]*:)?//[^/?#]*", re.IGNORECASE)

QueryValue = str | int | bool | None | Iterable[str | int]


def query_text(params: Mapping[str, QueryValue]) -> str:
    """Percent-encode parameters; None is left out, a list is repeated, booleans are lower case."""
    pairs: list[tuple[str, str]] = []
    for name, value in params.items():
        if value is None:
            continue
        if isinstance(value, str | int):
            pairs.append((name, _text(value)))
        else:
            pairs.extend((name, _text(one)) for one in value)
    return "&".join([f"{quoted(name)}={quoted(value)}" for name, value in pairs])


def _text(value: str | int) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def quoted(text: str) -> str:
    """Percent-encode whatever is more than a letter or a digit."""
    return text if text.isalnum() and text.isascii() else quote(text, safe="")


def instant(moment: datetime) -> str:
    """Write a moment as ISO 8601 in UTC with milliseconds and a `Z`."""
    if moment.tzinfo is None:
        raise ConfigurationError(
            f"{moment!r} has no time zone; give an aware datetime, such as datetime.now(UTC)"
        )
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"


def utc(moment: datetime | None) -> datetime | None:
    """Return the moment in UTC, where nearly every one is already."""
    return moment if moment is None or moment.tzinfo is UTC else moment.astimezone(UTC)


def shifted(moment: datetime, by: timedelta) -> datetime:
    """Return the moment moved, or left where there is no further to go."""
    try:
        return (moment + by).astimezone(UTC)
    except OverflowError:
        return moment


def path_segment(text: str) -> str:
    """Percent-encode one path segment, so that an id stays one; `.` and `..` are refused."""
    if text in {"", ".", ".."}:
        raise ConfigurationError(f"{text!r} cannot be an id; take it from a ref")
    return quoted(text)


def _content(thing: Any) -> Any:
    if isinstance(thing, bytearray | memoryview):
        return bytes(thing)
    if isinstance(thing, bytes | Path | AsyncIterable):
        return thing
    raise ConfigurationError(
        f"{named(thing)} is not a file; give a Path, bytes, an async stream of bytes, or "
        "an Upload with its name"
    )


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise ConfigurationError(f"the name of a file must be a string, not {named(value)}")
    return value


def _is_size(_: Any, __: Any, size: Any) -> None:
    if size is not None and not (isinstance(size, int) and size >= 0):
        raise ConfigurationError("the size of a file must be a number of bytes")


def _is_unicode(_: Any, __: Any, name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as cause:
        raise ConfigurationError(
            f"{name!r} has a lone surrogate in it and cannot be sent; give another name="
        ) from cause


def _is_media_type(_: Any, __: Any, name: str) -> None:
    if not (isinstance(name, str) and name.isascii() and name.isprintable()):
        raise ConfigurationError(f"{name!r} is not a media type, such as image/png")


def _own_name(file: Upload) -> str:
    return file.content.name if isinstance(file.content, Path) else "file"


def _told_by_name(file: Upload) -> str:
    return mimetypes.guess_type(file.name)[0] or "application/octet-stream"


def _of_bytes(file: Upload) -> int | None:
    return len(file.content) if isinstance(file.content, bytes) else None


@frozen
class Upload:
    """A file to send: its bytes, its path, or a stream that can be read once.

    The name and media type are told from the path, and the type from the name, where they are
    not given; `size` is in bytes, for a stream whose length is known.
    """

    content: bytes | Path | AsyncIterable[bytes] = field(repr=False, converter=_content)
    name: str = field(
        default=Factory(_own_name, takes_self=True),
        kw_only=True,
        converter=_name,
        validator=_is_unicode,
    )
    media_type: str = field(
        default=Factory(_told_by_name, takes_self=True), kw_only=True, validator=_is_media_type
    )
    size: int | None = field(
        default=Factory(_of_bytes, takes_self=True), kw_only=True, validator=_is_size
    )

    @property
    def is_stream(self) -> bool:
        """Whether it is gone once it was read."""
        return not isinstance(self.content, bytes | Path)


def upload(thing: Any) -> Upload:
    """Return what can be sent as a file; `ConfigurationError` where it cannot."""
    return thing if isinstance(thing, Upload) else Upload(thing)


SEEN_COUNT = "seen_count"
"""What a note calls the number of records on the pages before."""
EXPECTED = "expected"
"""What a note calls the number of records that the list is thought to have."""
TOTAL = "total"
"""What a note calls the number of records that the page before told of."""
SUMS = frozenset({SEEN_COUNT, EXPECTED, TOTAL})


def address(text: str) -> URL:
    """Return the URL of a text that somebody else wrote, byte for byte as far as it can be sent.

    Raises `ValueError` where it is none.
    """
    start = AUTHORITY.match(text)
    head = start[0] if start else ""
    if not head.isprintable() or " " in head:
        raise ValueError("this is not a place")
    # A blank or a line break would end the request's first line.
    url = URL(head + quote(text[len(head) :], safe=punctuation), encoded=True)
    _ = url.host, url.port  # which raise
    return url


def place_of(url: URL) -> str:
    """Return a URL without what may be secret in it, or somebody's number, for people to read."""
    bare = url.with_query(None).with_fragment(None)
    return str(bare.with_user(None) if bare.absolute else bare)


def origin_of(url: URL) -> URL:
    """Return the scheme, host and port of a URL, which may be written in several ways."""
    return URL(str(url.origin()))


@frozen(kw_only=True)
class Request:
    """One HTTP request without credentials.

    `file` is the body where it is a file, alone or as the multipart field `part`. `note` is what
    a paging rule must remember from page to page. It is never sent.
    """

    method: str = "GET"
    url: URL = field(repr=place_of)
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes | None = field(default=None, repr=False)
    file: Upload | None = field(default=None, repr=False)
    part: str | None = None
    note: Mapping[str, Any] = field(factory=dict)

    @classmethod
    def of(cls, text: str) -> Request:
        """Return a GET for an address that was given whole, as it was given."""
        try:
            url = address(text)
        except ValueError:
            url = URL()
        if url.scheme not in {"http", "https"} or not url.host:
            raise ConfigurationError(f"{text[:100]!r} is not an http(s) address")
        return cls(url=url)

    @property
    def is_write(self) -> bool:
        """Whether it may change something, so that it is not simply sent again."""
        return self.method not in {"GET", "HEAD"}

    @property
    def target(self) -> str:
        """The raw path and query, as it goes over the wire."""
        return self.url.raw_path_qs

    @property
    def place(self) -> str:
        """The URL without what may be secret in it, for people to read."""
        return place_of(self.url)

    @property
    def query(self) -> dict[str, str]:
        """The decoded query; of a repeated name, the last value."""
        return dict(parse_qsl(self.url.raw_query_string, keep_blank_values=True))

    def with_query(self, **params: QueryValue) -> Request:
        """Return the request with these parameters set, or taken out where they are None."""
        return self.with_params(params)

    def with_params(self, params: Mapping[str, QueryValue]) -> Request:
        """Do the same for names that are no Python words; the others keep their very bytes."""
        kept = self.raw_query_without(params)
        return self.with_raw_query("&".join(filter(None, [kept, query_text(params)])))

    def raw_query_without(self, names: Container[str]) -> str:
        """Return the query, byte for byte, but for the parameters of these names."""
        kept = [
            part
            for part in self.url.raw_query_string.split("&")
            if part and unquote_plus(part.partition("=")[0]) not in names
        ]
        return "&".join(kept)

    def with_raw_query(self, query: str) -> Request:
        """Return the request with this query, already encoded, byte for byte."""
        text = str(self.url.with_query(None)) + (f"?{query}" if query else "")
        return evolve(self, url=URL(text, encoded=True))

    def with_note(self, **note: Any) -> Request:
        """Return the request with this note in place of its own."""
        return evolve(self, note=note)

    @property
    def key(self) -> bytes:
        """What tells two steps of one walk apart: where they ask, and what is remembered.

        Sums grow even where a walk goes in circles.
        """
        note = {name: value for name, value in self.note.items() if name not in SUMS}
        return self.target.encode() + msgspec.json.encode(note, order="sorted")


@frozen(kw_only=True)
class Response:
    """One HTTP answer, read to its end."""

    status: int
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    keep_raw: bool = True
    """Whether what is read from it holds on to its bytes."""

    def header(self, name: str) -> str | None:
        """Return a header whatever its case."""
        if (found := self.headers.get(name)) is not None:
            return found
        wanted = name.lower()
        return next((v for k, v in self.headers.items() if k.lower() == wanted), None)


def purged(response: Response, clean: Callable[[str], str]) -> Response:
    """Return an answer with its texts made clean, in plain types that can be pickled."""
    return evolve(
        response,
        # One character for each byte, so that the others stay as they are.
        body=clean(response.body.decode("latin-1")).encode("latin-1"),
        headers={name: clean(value) for name, value in response.headers.items()},
    )
