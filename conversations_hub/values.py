"""Reads a provider's own things, such as labels and receipts, declared once as attrs classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache, partial
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

import attrs
import msgspec
from attrs import evolve, field, frozen
from msgspec import Meta

from conversations_hub.errors import TranslationError
from conversations_hub.models import Ref
from conversations_hub.paging import SinglePage
from conversations_hub.raw import Raw
from conversations_hub.reading import STUMBLES, Paging, Record, Records

T = TypeVar("T")

Payload = Mapping[str, Any]

OURS = {"ref", "raw"}
"""Fields that are not read from a payload, whatever new ones a provider may have."""


def plain(name: str) -> str:
    """Spell a field's name as it is; a last underscore only keeps it apart from a keyword."""
    return name.rstrip("_")


def camel(name: str) -> str:
    """Spell a field's name as `camelCase`."""
    first, *others = plain(name).split("_")
    return first + "".join(map(str.capitalize, others))


def iso(value: Any) -> datetime:
    """Read a moment in ISO 8601."""
    moment: datetime = msgspec.convert(value, Annotated[datetime, Meta(tz=True)])
    return moment.astimezone(UTC)


def raw_field() -> Any:
    """Return the field of a value that keeps the payload as it arrived."""
    return field(default=None, eq=False, repr=False)


def key_field(key: str, **options: Any) -> Any:
    """Return a field whose name in the payload cannot be told from its own."""
    return field(metadata={"key": key}, **options)


@frozen(kw_only=True)
class Words:
    """How a provider spells names and moments."""

    key: Callable[[str], str] = plain
    moment: Callable[[Any], datetime | None] = iso


@frozen(kw_only=True)
class Thing:
    """What can be asked for again: the ref that its provider knows it by, and its payload.

    What stands inside of something else has no ref.
    """

    known_by: ClassVar[str] = "id"

    ref: Ref | None = field(default=None, eq=False)
    raw: Raw | None = raw_field()


def value(
    kind: type[T], words: Words, item: str | None = None, provider: str | None = None
) -> Record[dict[str, Any], T]:
    """Return what reads one thing; `item` is the name it stands under in the answer.

    A `Thing` of a `provider` gets its ref.
    """
    translate = partial(_translate, kind, words, provider)
    return Record(payload=dict[str, Any], translate=translate, item=item)


def values(
    kind: type[T],
    words: Words,
    items: str | None,
    paging: Paging | None = None,
    *,
    blank: bytes | None = None,
    provider: str | None = None,
) -> Records[dict[str, Any], T]:
    """Return what reads a list of things; `items` is the name it stands under, if any."""
    return Records(
        payload=dict[str, Any],
        items=items,
        translate=partial(_translate, kind, words, provider),
        paging=paging or SinglePage(),
        blank=blank,
    )


def _translate(
    kind: type[T], words: Words, provider: str | None, payload: Payload, raw: Raw | None
) -> T:
    built = _built(kind, words, payload, "", raw)
    if provider is None or not isinstance(built, Thing):
        return built
    return evolve(built, ref=Ref(provider, getattr(built, built.known_by)))


@cache
def _fields(kind: Any) -> Mapping[str, tuple[str | None, Any, bool]]:
    """Return, by field, the key that was given for it, its type and whether it must be there."""
    types = get_type_hints(kind)
    return {
        f.name: (f.metadata.get("key"), types[f.name], f.default is attrs.NOTHING)
        for f in attrs.fields(kind)
    }


def _built(kind: type[T], words: Words, payload: Payload, at: str, raw: Raw | None = None) -> T:
    found: dict[str, Any] = {}
    for name, (key, type_, needed) in _fields(cast("Any", kind)).items():
        if name == "raw":
            found[name] = raw
        if name in OURS:
            continue
        key = key or words.key(name)  # noqa: PLW2901 - the key itself
        place = f"{at}.{key}" if at else key
        if payload.get(key) is not None:
            found[name] = _read(payload[key], type_, words, place)
        elif needed:
            raise TranslationError(f"there is no {place}", path=place)
    return kind(**found)


def _read(value: Any, type_: Any, words: Words, at: str) -> Any:
    """Read a value as its field's type; what is not as it should be names the place."""
    if get_origin(type_) in {Union, UnionType}:
        choices = [one for one in get_args(type_) if one is not NoneType]
        type_ = choices[0] if len(choices) == 1 else Union[tuple(choices)]  # noqa: UP007
    try:
        if attrs.has(type_):
            return _built(type_, words, msgspec.convert(value, dict[str, Any]), at)
        if get_origin(type_) is tuple:
            inner = get_args(type_)[0]
            items = msgspec.convert(value, list[Any])
            return tuple(_read(v, inner, words, f"{at}[{i}]") for i, v in enumerate(items))
        if type_ is datetime:
            return words.moment(value)
        if type_ is str and isinstance(value, int) and not isinstance(value, bool):
            return str(value)  # an id, which is a text everywhere here
        return msgspec.convert(value, type_)
    except (msgspec.ValidationError, *STUMBLES) as cause:
        raise TranslationError(f"{at} is not what it should be: {cause}", path=at) from cause
