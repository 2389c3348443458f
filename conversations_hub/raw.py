"""Keeps a payload as it arrived: a page's bytes and a place in them, decoded when looked at."""

from __future__ import annotations

import json
from abc import ABCMeta
from collections.abc import Iterator, KeysView, Mapping
from copy import deepcopy
from typing import Any, cast

import msgspec


def decode(body: bytes) -> Any:
    """Decode JSON; what is no Unicode in it, such as half an emoji, becomes U+FFFD."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as cause:
        try:
            return _whole(json.loads(body.decode("utf-8", "replace"), parse_int=_number))
        except ValueError:
            raise cause from None


def _number(digits: str) -> float:
    """Read a whole number; one that Python refuses is beyond all bounds, as 1e999 is."""
    try:
        return int(digits)
    except ValueError:
        return float(digits)


def _whole(value: Any) -> Any:
    """Replace the surrogates that stand alone in a decoded value's texts."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_whole(one) for one in value]
    if isinstance(value, dict):
        return {_whole(key): _whole(one) for key, one in value.items()}
    return value


class Source:
    """The bytes of one answer and the path to what its records sit in.

    Where there never were such bytes, or they can only be read with patience, `found` is it.
    """

    __slots__ = ("_body", "_found", "_path")

    def __init__(self, body: bytes, path: tuple[str | int, ...] = (), found: Any = None) -> None:
        self._body = body
        self._path = path
        self._found = found

    def find(self) -> Any:
        """Decode the answer, once for all the records that share it."""
        if self._found is None:
            found = decode(self._body)
            for step in self._path:
                found = found[step]
            self._found = found
        return self._found

    def cut(self, index: int | None) -> Source:
        """Return a source of one record's bytes alone; of its own, where it has no others."""
        path = self._path if index is None else (*self._path, index)
        if not path:
            return self
        body = self._body
        try:
            for step in path:
                parts = _MEMBERS if isinstance(step, str) else _ITEMS
                body = bytes(parts.decode(body)[step])
        except (msgspec.DecodeError, UnicodeDecodeError):
            found = self.find()
            return Source(b"", found=found if index is None else found[index])
        return Source(body)

    def __reduce__(self) -> tuple[Any, ...]:
        return Source, (self._body, self._path, None if self._body else self._found)


_MEMBERS: msgspec.json.Decoder[Any] = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ITEMS: msgspec.json.Decoder[Any] = msgspec.json.Decoder(list[msgspec.Raw])


class _BuiltInC(type(msgspec.Struct), ABCMeta):  # type: ignore[misc]
    """Of a Struct and of a Mapping at once."""


class Raw(Mapping[str, Any], msgspec.Struct, metaclass=_BuiltInC, gc=False, eq=False):
    """A record of an answer, read-only and complete.

    It shares the bytes of its page with its neighbours; a pickled one takes only its own along.
    """

    _source: Source
    _index: int | None = None
    _found: dict[str, Any] | None = None

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> Raw:
        """Wrap a payload that is already decoded."""
        return cls(Source(b"", found=deepcopy(dict(payload))))

    def _payload(self) -> dict[str, Any]:
        if self._found is None:
            found = self._source.find()
            self._found = found if self._index is None else found[self._index]
        return cast("dict[str, Any]", self._found)

    def __getitem__(self, key: str) -> Any:
        return (self._found or self._payload())[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._payload())

    def __len__(self) -> int:
        return len(self._payload())

    def keys(self) -> KeysView[str]:
        """Return the keys; `dict(raw)` begins with them."""
        return self._payload().keys()

    def alone(self) -> Raw:
        """Return the record without its neighbours, whose page it then no longer holds on to."""
        return Raw(self._source.cut(self._index))

    def __repr__(self) -> str:
        return "Raw(...)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # Of a Struct, rich would show what `repr` keeps to itself.
        return []

    def __reduce__(self) -> tuple[Any, ...]:
        return Raw, (self._source.cut(self._index),)
