"""Reads bodies by rules: what is known is kept, and what is wrong with it is collected."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field

Record = dict[str, Any]


@define
class Reading:
    """How strictly a body is read, and what is wrong with it so far."""

    strict: bool
    """Whether a field that is not documented is wrong, too."""
    problems: list[str] = field(factory=list, init=False)

    def note(self, path: str, problem: str) -> None:
        """Note a problem with the field at a path."""
        self.problems.append(f"{path or 'The body'} {problem}")


Shape = Callable[[Any, str, Reading], Any]
"""A rule: takes a value, its path and the reading, and returns what is kept of the value."""


def either(shape: Shape) -> Shape:
    """Return the rule of something that may also be null."""
    return lambda value, path, reading: None if value is None else shape(value, path, reading)


def _simple(test: Callable[[Any], bool], complaint: str) -> Shape:
    def read(value: Any, path: str, reading: Reading) -> Any:
        if not test(value):
            reading.note(path, complaint)
        return value

    return read


def text(least: int = 0, most: int | None = None, pattern: str = r"(?s).*") -> Shape:
    """Return the rule of a text between two lengths that has a pattern."""
    found = re.compile(pattern).fullmatch

    def read(value: Any, path: str, reading: Reading) -> Any:
        if not isinstance(value, str):
            reading.note(path, "must be a string")
        elif len(value) < least or (most is not None and len(value) > most):
            reading.note(path, f"must have {least} to {most or 'any number of'} characters")
        elif not found(value):
            reading.note(path, "has not the right format")
        return value

    return read


def web_address(most: int = 2048) -> Shape:
    """Return the rule of an absolute address."""
    return text(1, most, r"https?://[^\s/]+(/\S*)?")


def one_of(*words: str) -> Shape:
    """Return the rule of a word out of a list."""
    return _simple(lambda value: value in words, f"must be one of: {', '.join(words)}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


flag: Shape = _simple(lambda value: isinstance(value, bool), "must be a boolean")
number: Shape = _simple(_is_number, "must be a number")
anything: Shape = _simple(lambda value: isinstance(value, dict), "must be an object")


def integer(least: int | None = None, most: int | None = None) -> Shape:
    """Return the rule of a whole number between two others."""

    def fits(value: Any) -> bool:
        return (
            _is_number(value)
            and (isinstance(value, int) or value.is_integer())
            and (least is None or value >= least)
            and (most is None or value <= most)
        )

    return _simple(fits, "must be an integer within its bounds")


def array(shape: Shape, least: int = 0, most: int | None = None) -> Shape:
    """Return the rule of a list of things that have a rule themselves."""

    def read(value: Any, path: str, reading: Reading) -> Any:
        if not isinstance(value, list):
            reading.note(path, "must be an array")
            return value
        if len(value) < least or (most is not None and len(value) > most):
            reading.note(path, f"must have {least} to {most or 'any number of'} items")
        return [shape(item, f"{path}[{n}]", reading) for n, item in enumerate(value)]

    return read


def record(members: Mapping[str, Shape]) -> Shape:
    """Return the rule of an object; names that end in a star are required."""
    shapes = {name.rstrip("*"): shape for name, shape in members.items()}
    required = [name.rstrip("*") for name in members if name.endswith("*")]

    def read(value: Any, path: str, reading: Reading) -> Any:
        if not isinstance(value, dict):
            reading.note(path, "must be an object")
            return {}
        for name in required:
            if name not in value:
                reading.note(_below(path, name), "is required")
        if reading.strict:
            for name in value.keys() - shapes.keys():
                reading.note(_below(path, name), "is not allowed")
        return {
            name: shapes[name](member, _below(path, name), reading)
            for name, member in value.items()
            if name in shapes
        }

    return read


def typed(kinds: Mapping[str, Shape]) -> Shape:
    """Return the rule of an object whose `type` says which rule it has."""

    def read(value: Any, path: str, reading: Reading) -> Any:
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(kind, str) or kind not in kinds:
            reading.note(_below(path, "type"), f"must be one of: {', '.join(kinds)}")
            return {}
        return kinds[kind](value, path, reading)

    return read


def metadata(owner: str) -> Shape:
    """Return the rule of custom properties: flat, and not more than 4096 bytes."""

    def read(value: Any, path: str, reading: Reading) -> Any:
        if not isinstance(value, dict):
            reading.note(path, "must be an object")
        elif not all(isinstance(each, str | int | float) for each in value.values()):
            reading.note(path, "must be flat: strings, numbers and booleans")
        elif len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()) > 4096:
            reading.problems.append(f"{owner} metadata is limited to 4096 bytes in size.")
        return value

    return either(read)


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
