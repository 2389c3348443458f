"""Reads KEY=VALUE texts as the arguments of an operation, by their types."""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncIterable, Callable, Container, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import click

from conversations_hub.cli.options import date
from conversations_hub.models import Ref
from conversations_hub.providers import PROVIDERS

Method = Callable[..., Any]
SWITCH = {"true": True, "yes": True, "false": False, "no": False}
WORDS: dict[Any, str] = {
    str: "TEXT",
    int: "NUMBER",
    float: "NUMBER",
    bool: "true|false",
    datetime: "DATE",
    Ref: "PROVIDER:ID",
    Path: "FILE",
    Any: "TEXT",
    dict: "JSON",
    Mapping: "JSON",
}


def parameters(method: Method) -> dict[str, Any]:
    """Return an operation's arguments and their types."""
    hints = get_type_hints(method)
    return {name: hints.get(name, Any) for name in list(inspect.signature(method).parameters)[1:]}


def arguments(
    method: Method, given: Iterable[str], accounts: Container[str] = PROVIDERS
) -> dict[str, Any]:
    """Read KEY=VALUE texts as an operation's arguments; what does not fit is named."""
    known, found = parameters(method), dict[str, Any]()
    for text in given:
        key, equals, value = text.partition("=")
        if not equals:
            raise click.UsageError(f"{text!r} is not KEY=VALUE")
        if key not in known:
            raise click.UsageError(f"there is no {key!r}; there are {', '.join(known) or 'none'}")
        try:
            found[key] = read(value, known[key], accounts)
        except ValueError as cause:
            raise click.UsageError(f"{key}: {cause}") from cause
        except click.BadParameter as cause:
            raise click.UsageError(f"{key}: {cause.message}") from cause
    try:
        inspect.signature(method).bind(None, **found)
    except TypeError as cause:
        raise click.UsageError(str(cause)) from cause
    return found


def read(text: str, hint: Any, accounts: Container[str] = PROVIDERS) -> Any:
    """Read a text as a value of a type; `ValueError` says what it should be.

    What could be a plain text, too, is a reference where it begins with an account's name.
    """
    kinds = _kinds(hint)
    if any(map(_is_mapping, kinds)) and text.startswith("{"):
        return _mapping(text, kinds)
    if any(map(_is_list, kinds)):
        return _several(text, kinds, accounts)
    if Ref in kinds:
        named = text.partition(":")[0] in accounts
        return Ref.parse(text) if named or str not in kinds else text
    for fits, reader in READERS:
        if fits(kinds):
            return reader(text, kinds)
    return text


def _switch(text: str, _: Any) -> bool:
    if text.lower() not in SWITCH:
        raise ValueError(f"{text!r} is neither true nor false")
    return SWITCH[text.lower()]


def _word(text: str, kinds: Sequence[Any]) -> str:
    kind: type[StrEnum] = next(filter(_is_enum, kinds))
    known = text in {member.value for member in kind}
    return kind(text) if known or str not in kinds else text


def _several(text: str, kinds: Sequence[Any], accounts: Container[str]) -> list[Any]:
    inner = get_args(next(filter(_is_list, kinds)))[0]
    if not text.startswith("["):
        return [read(one.strip(), inner, accounts) for one in text.split(",") if one.strip()]
    found = [one if isinstance(one, str) else json.dumps(one) for one in _json(text)]
    return [read(one, inner, accounts) for one in found]


def _mapping(text: str, _: Any) -> dict[str, Any]:
    found = _json(text)
    if not isinstance(found, dict):
        raise ValueError("a JSON object is wanted")  # noqa: TRY004 - it is a wrong text
    return found


def _number(text: str, kinds: Sequence[Any]) -> float:
    try:
        whole = int in kinds and (float not in kinds or text.isdecimal())
        return int(text) if whole else float(text)
    except ValueError as cause:
        raise ValueError(f"{text!r} is not a number") from cause


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as cause:
        raise ValueError(f"this is not JSON: {cause}") from cause


def _kinds(hint: Any) -> tuple[Any, ...]:
    """Return the types that a hint allows, besides None."""
    if get_origin(hint) in {Union, UnionType}:
        return tuple(found for one in get_args(hint) for found in _kinds(one))
    return () if hint is NoneType else (hint,)


def _is_enum(kind: Any) -> bool:
    return inspect.isclass(kind) and issubclass(kind, StrEnum)


def _is_list(kind: Any) -> bool:
    origin = get_origin(kind)
    return (
        inspect.isclass(origin) and issubclass(origin, Iterable) and not issubclass(origin, Mapping)
    )


def _is_mapping(kind: Any) -> bool:
    return (get_origin(kind) or kind) in {Mapping, dict}


def _is_text(kind: Any) -> bool:
    return kind in {str, Any}


def _any(fits: Callable[[Any], bool]) -> Callable[[Sequence[Any]], bool]:
    return lambda kinds: any(map(fits, kinds))


# The first that fits is taken, so that what can also be a plain text comes before it.
READERS: tuple[tuple[Callable[[Sequence[Any]], bool], Callable[[str, Any], Any]], ...] = (
    (_any(_is_enum), _word),
    (lambda kinds: datetime in kinds, lambda text, _: date(text)),
    (lambda kinds: bool in kinds, _switch),
    (lambda kinds: Path in kinds, lambda text, _: Path(text)),
    (_any(_is_mapping), _mapping),
    (_any(_is_text), lambda text, _: text),
    (lambda kinds: bool({int, float} & set(kinds)), _number),
)


def placeholder(hint: Any) -> str:
    """Write a type for people."""
    kinds = _kinds(hint)
    for kind in filter(_is_list, kinds):
        if get_origin(kind) is not AsyncIterable:
            return f"[{placeholder(get_args(kind)[0])},…]"
    found = [_shown(kind) for kind in kinds]
    return "|".join(dict.fromkeys(filter(None, found)))


def _shown(kind: Any) -> str:
    if _is_enum(kind):
        return "|".join(member.value for member in kind)
    return WORDS.get(get_origin(kind) or kind, "")
