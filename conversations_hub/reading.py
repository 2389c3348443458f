"""From an answer's bytes to models: typed payloads where all is well, else record by record."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache, wraps
from typing import Any, Generic, Protocol, TypeVar, cast

import msgspec
from attrs import evolve, field, frozen

from conversations_hub.errors import TranslationError
from conversations_hub.raw import Raw, Source, decode
from conversations_hub.recipes import Page
from conversations_hub.wire import Request, Response

P = TypeVar("P")
T = TypeVar("T")

# A part of a payload that is left as it is, to be read by `part`.
Part = msgspec.Raw
ABSENT = Part(b"null")

MEDIA_TYPE = re.compile(r"[a-z]{1,20}/[a-z0-9.+-]{1,60}(?=;|\s|$)", re.IGNORECASE)

LONG = 10_000
"""What has more characters than this is not worth remembering."""

# What a translation may stumble over in a payload whose types are right.
STUMBLES = (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError)


@frozen(kw_only=True)
class Answer(Generic[P]):
    """What a paging rule may look at: what lies around the records, and those that could be read.

    `count` is how many records there were, readable or not.
    """

    envelope: Mapping[str, Any] = field(factory=dict)
    records: Sequence[P] = ()
    count: int = 0


class Paging(Protocol):
    """A rule: this page's request and answer in, the next request out."""

    @property
    def reads(self) -> tuple[str, ...]:
        """The top-level names of the envelope that the rule looks at."""
        ...

    def after(self, request: Request, answer: Answer[Any]) -> Request | None:
        """Return what continues the list, or None at its end."""
        ...


@frozen(kw_only=True)
class Records(Generic[P, T]):
    """Reads one page of a listing.

    `items` is the name the records stand under, None where the answer itself is the list.
    `blank` is what an empty answer stands for, where the API may send one.
    `arrange` puts a page's items in order, where the API promises none inside a page.
    """

    payload: type[P]
    items: str | None
    translate: Callable[[P, Raw | None], T]
    paging: Paging
    blank: bytes | None = None
    arrange: Callable[[Sequence[T]], Sequence[T]] | None = None

    def __call__(self, request: Request, response: Response) -> Page[T]:
        """Translate every record and find the next request."""
        body = response.body
        if self.blank is not None and not body.strip():
            body = self.blank
        answer, items, broken = self.taken(response, body)
        if self.arrange is not None:
            items = tuple(self.arrange(items))
        return Page(
            items=items,
            next=self.paging.after(request, answer),
            raw=Raw(Source(body)) if self.items else None,
            broken=broken,
        )

    def taken(
        self, response: Response, body: bytes
    ) -> tuple[Answer[P], tuple[T, ...], tuple[tuple[int, TranslationError], ...]]:
        """Take from an answer's body what came, its translations, and what could not be read."""
        # What is raised while another error is handled would show that error's variables, too.
        with suppress(msgspec.MsgspecError, RecursionError, TranslationError, *STUMBLES):
            answer = self._decode(body, self.payload)
            translate, records = self.translate, answer.records
            if response.keep_raw:
                source = Source(body, (self.items,) if self.items else ())
                items = tuple([translate(p, Raw(source, i)) for i, p in enumerate(records)])
            else:
                items = tuple([translate(p, None) for p in records])
            return answer, items, ()
        return self._one_by_one(response, body)

    def _decode(self, body: bytes, payload: Any) -> Answer[Any]:
        page = _page_decoder(payload, self.items, self.paging.reads).decode(body)
        if self.items is None:
            return Answer(records=page, count=len(page))
        records = getattr(page, self.items)
        envelope = {
            name: value
            for name in self.paging.reads
            if (value := getattr(page, name)) is not msgspec.UNSET
        }
        return Answer(envelope=envelope, records=records, count=len(records))

    def _one_by_one(
        self, response: Response, body: bytes
    ) -> tuple[Answer[P], tuple[T, ...], tuple[tuple[int, TranslationError], ...]]:
        """Take what can be taken: one broken record does not take its neighbours along."""
        source = Source(body, (self.items,) if self.items else ())
        apart = None
        with suppress(msgspec.MsgspecError, RecursionError, *STUMBLES):
            apart = self._decode(body, Part)
        if apart is None:
            apart = self._loose(response, body)
        records: list[P] = []
        items: list[T] = []
        broken: list[tuple[int, TranslationError]] = []
        for index, one in enumerate(apart.records):
            at = f"{self.items or ''}[{index}]"
            try:
                if isinstance(one, Part):
                    record = part(bytes(one), self.payload, at)
                else:
                    record = convert(one, self.payload, at)
                kept = Raw(source, index) if response.keep_raw else None
                items.append(translated(self.translate, record, kept, at))
                records.append(record)
            except TranslationError as error:
                broken.append((len(items), error))
        return evolve(apart, records=records), tuple(items), tuple(broken)

    def _loose(self, response: Response, body: bytes) -> Answer[Any]:
        whole = decoded(response, body)
        if self.items is None:
            if not isinstance(whole, list):
                raise TranslationError("the answer is not a list", path="$")
            return Answer(records=whole, count=len(whole))
        if not isinstance(whole, dict) or not isinstance(whole.get(self.items), list):
            raise TranslationError(f"the answer has no list {self.items!r}", path=self.items)
        return Answer(envelope=whole, records=whole[self.items], count=len(whole[self.items]))


@frozen(kw_only=True)
class Record(Generic[P, T]):
    """Reads one thing; `item` is the name it stands under, None where it is the answer itself."""

    payload: type[P]
    translate: Callable[[P, Raw | None], T]
    item: str | None = None

    def __call__(self, response: Response) -> T:
        """Translate the record; `TranslationError` names the place that cannot be read."""
        whole = decoded(response, response.body)
        path: tuple[str, ...] = ()
        if self.item is not None:
            if not isinstance(whole, dict) or self.item not in whole:
                raise TranslationError(f"the answer has no {self.item!r}", path=self.item)
            whole, path = whole[self.item], (self.item,)
        record = convert(whole, self.payload, self.item or "$")
        return translated(
            self.translate, record, Raw(Source(response.body, path)), self.item or "$"
        )


def nothing(response: Response) -> None:
    """Read an answer that says no more than yes; what is no JSON came from somebody else."""
    if response.body.strip():
        decoded(response, response.body)


def translated(translate: Callable[[P, Raw | None], T], record: P, raw: Raw | None, at: str) -> T:
    """Translate one record; what it stumbles over becomes a `TranslationError` with the place."""
    try:
        return translate(record, raw)
    except TranslationError as error:
        if error.path is None or at == "$":
            raise
        raise TranslationError(f"{error.args[0]}, in {at}", path=f"{at}.{error.path}") from error
    except STUMBLES as cause:
        raise TranslationError(f"{type(cause).__name__} at {at}", path=at) from cause


def remembered(most: int) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Remember what comes again and again, as `lru_cache` does; of what is long, the last alone.

    Whoever answers may make each of them as long as a page.
    """

    def of(read: Callable[..., T]) -> Callable[..., T]:
        @lru_cache(maxsize=most)
        @wraps(read)
        def anew(*told: Any) -> T:
            if sum(len(one if isinstance(one, str | bytes) else repr(one)) for one in told) > LONG:
                anew.cache_clear()
            return read(*told)

        return anew

    return of


def convert(value: Any, payload: type[P], at: str) -> P:
    """Read a decoded value as a payload, or say which field is not as it should be."""
    if isinstance(value, dict) and (names := _parts(cast("Hashable", payload)) & value.keys()):
        value = {**value, **{name: _left(value[name], f"{at}.{name}") for name in names}}
    try:
        return msgspec.convert(value, payload)
    except msgspec.ValidationError as cause:
        what, _, where = str(cause).partition(" - at `$")
        path = at + where.rstrip("`")
        raise TranslationError(f"{what} at {path}", path=path) from cause


def part(body: bytes, payload: Any, at: str) -> Any:
    """Read the bytes of a `Part` or a record, with patience where there is something wrong.

    What comes again and again is best remembered by its bytes: then it is read and translated
    once.
    """
    try:
        return _decoder(payload).decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        value = decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as cause:
        raise TranslationError(f"no JSON at {at}", path=at) from cause
    return convert(value, payload, at)


def _left(value: Any, at: str) -> Part:
    """Return a decoded value as a part: msgspec makes none of it."""
    try:
        return Part(json.dumps(value, allow_nan=False).encode())
    except ValueError as cause:
        raise TranslationError(f"a number beyond all bounds at {at}", path=at) from cause


@lru_cache(maxsize=256)
def _parts(payload: Any) -> frozenset[str]:
    """Return the names of a payload's parts."""
    if not (isinstance(payload, type) and issubclass(payload, msgspec.Struct)):
        return frozenset()
    fields = msgspec.structs.fields(payload)
    return frozenset(field.encode_name for field in fields if field.type is Part)


@lru_cache(maxsize=256)
def _decoder(payload: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(payload)


def decoded(response: Response, body: bytes) -> Any:
    """Decode JSON, or say what came instead; the answer's words are not repeated."""
    try:
        return decode(body)
    except RecursionError as cause:
        raise TranslationError("the answer is nested too deeply to be read", path="$") from cause
    except (msgspec.DecodeError, UnicodeDecodeError) as cause:
        what = "an empty body" if not body.strip() else f"{len(body)} bytes of {_kind(response)}"
        raise TranslationError(
            f"HTTP {response.status} brought {what}, not JSON; check base_url and any proxy",
            path="$",
        ) from cause


def _kind(response: Response) -> str:
    """Return the media type without what stands beside it, which may be anything."""
    told = response.header("Content-Type")
    if told is None:
        return "no content type"
    found = MEDIA_TYPE.match(told)
    return found[0] if found else "an unknown type"


@lru_cache(maxsize=256)
def _page_decoder(
    payload: Any, items: str | None, reads: tuple[str, ...]
) -> msgspec.json.Decoder[Any]:
    if items is None:
        return msgspec.json.Decoder(list[payload])
    around: Iterable[tuple[str, Any, Any]] = (
        (name, Any | msgspec.UnsetType, msgspec.UNSET) for name in reads
    )
    page = msgspec.defstruct("Page", [(items, list[payload]), *around])
    return msgspec.json.Decoder(page)
