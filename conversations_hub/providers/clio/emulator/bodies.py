"""Reads the body of a write, in each of its three content types, and checks what it holds."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

from attrs import frozen

from conversations_hub.providers.clio.emulator import forms
from conversations_hub.providers.clio.emulator.refusals import InvalidArgumentError, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_NUMBER = re.compile(r"-?\d{1,18}\Z", re.ASCII)
_JSON = "application/json"


@frozen
class Data:
    """The members of one object in a body; those that nobody reads are silently ignored (§7)."""

    values: Mapping[str, Any]
    texts: bool
    """Whether numbers and flags may be written as text, as forms must."""
    path: str = ""

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def require(self, *names: str) -> None:
        """Refuse a body without these members."""
        for name in names:
            if self.values.get(name) is None:
                raise InvalidArgumentError(f"{self.path}{name} is required")

    def text(self, name: str) -> str:
        """Return a text."""
        value = self.values[name]
        return value if isinstance(value, str) else self._wrong(name, "a string")

    def choice(self, name: str, allowed: Sequence[str]) -> str:
        """Return one of the allowed words."""
        value = self.text(name)
        return value if value in allowed else self._wrong(name, f"one of {', '.join(allowed)}")

    def choices(self, name: str, allowed: Sequence[str]) -> list[str]:
        """Return some of the allowed words."""
        values = self.values[name]
        if not isinstance(values, list) or not all(each in allowed for each in values):
            self._wrong(name, f"a list of {', '.join(allowed)}")
        return list(values)

    def flag(self, name: str) -> bool:
        """Return true or false."""
        value = self.values[name]
        if self.texts and value in {"true", "false"}:
            return bool(value == "true")
        return value if isinstance(value, bool) else self._wrong(name, "true or false")

    def number(self, name: str) -> int:
        """Return a number."""
        value = self.values[name]
        if self.texts and isinstance(value, str) and _NUMBER.match(value):
            return int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        return self._wrong(name, "an integer")

    def moment(self, name: str) -> datetime:
        """Return a time."""
        try:
            moment = datetime.fromisoformat(self.text(name))
        except ValueError:
            return self._wrong(name, "an ISO-8601 timestamp")
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def part(self, name: str) -> Data | None:
        """Return an object inside of this one, if it is there."""
        if name not in self.values:
            return None
        value = self.values[name]
        if not isinstance(value, dict):
            self._wrong(name, "an object")
        return Data(value, self.texts, f"{self.path}{name}.")

    def parts(self, name: str) -> list[Data]:
        """Return a list of objects."""
        values = self.values[name]
        if not isinstance(values, list) or not all(isinstance(each, dict) for each in values):
            self._wrong(name, "a list of objects")
        return [
            Data(value, self.texts, f"{self.path}{name}[{index}].")
            for index, value in enumerate(values)
        ]

    def _wrong(self, name: str, wanted: str) -> NoReturn:
        raise InvalidArgumentError(f"{self.path}{name} must be {wanted}")


def read(content_type: str, body: bytes) -> Data:
    """Return what a body has under `data`."""
    kind = content_type.partition(";")[0].strip().lower()
    values = _values(kind, content_type, body).get("data")
    if not isinstance(values, dict):
        raise InvalidArgumentError("data must be an object")
    return Data(values, kind != _JSON)


def _values(kind: str, content_type: str, body: bytes) -> dict[str, Any]:
    try:
        values = _decoded(kind, content_type, body) if body else {}
        json.dumps(values, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"The body could not be read: {error}") from error
    if not isinstance(values, dict):
        raise UnreadableError("The body is not an object")
    return values


def _decoded(kind: str, content_type: str, body: bytes) -> Any:
    if kind == _JSON:
        return json.loads(body.decode(), parse_constant=_no_constant)
    if kind == "application/x-www-form-urlencoded":
        return forms.urlencoded(body)
    if kind == "multipart/form-data":
        return forms.multipart(content_type, body)
    raise ValueError(f"{kind or 'nothing'} is not a supported content type")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
