"""Holds arguments against their types, so that a wrong one is named where it was given."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from conversations_hub.errors import ConfigurationError

WORDS: Mapping[Any, str] = {
    str: "a string",
    bool: "True or False",
    int: "a number",
    Mapping: "a mapping",
    Iterable: "a list",
    datetime: "an aware datetime, such as datetime.now(UTC)",
}


def kinds(method: Callable[..., Any]) -> dict[str, Any]:
    """Return the types of a method's arguments, as far as they can be told."""
    try:
        hints = get_type_hints(method)
    except NameError:  # imported for the type checker alone
        return {}
    return {name: hints[name] for name in inspect.signature(method).parameters if name in hints}


def surely(hint: Any) -> frozenset[type]:
    """Return the classes whose own instances fit for sure, so that nothing more is looked at."""
    kinds = (get_origin(kind) or kind for kind in _choices(hint) if not _is_list(kind))
    return frozenset(kind for kind in kinds if inspect.isclass(kind) and kind is not datetime)


def check(name: str, given: Any, hint: Any) -> None:
    """Raise `ConfigurationError` where what was given is not of its type."""
    if _fits(given, hint):
        return
    choices = _choices(hint)
    lists = [one for one in choices if _is_list(one)]
    if lists and isinstance(given, Collection) and not _is_one(given):
        (inner,) = get_args(lists[0])[:1]
        wrong = next(one for one in given if not _fits(one, inner))
        raise ConfigurationError(
            f"{name} must be a list, each {_words(inner)}, and {named(wrong)} is in it"
        )
    remedy = ""
    if lists and _fits(given, get_args(lists[0])[0]):
        remedy = "; put it into one"
    elif str in choices and hasattr(given, "id"):
        remedy = "; of a ref, give its id"
    elif isinstance(given, str) and any(_called(one) == "Ref" for one in choices):
        remedy = "; Ref.parse reads its text"
    raise ConfigurationError(f"{name} must be {_words(hint)}, not {named(given)}{remedy}")


def _fits(given: Any, hint: Any) -> bool:
    return any(_is_of(given, one) for one in _choices(hint))


def _is_of(given: Any, kind: Any) -> bool:
    """Tell whether a thing is of a type; what has words of its own for it elsewhere, passes."""
    origin = get_origin(kind) or kind
    if not inspect.isclass(origin) or origin in {Any, Path}:
        return True
    if _is_list(kind):
        if isinstance(given, str):  # one alone, of what texts can name
            return _fits(given, get_args(kind)[0])
        return isinstance(given, Iterable) and not _is_one(given) and _holds(given, kind)
    if isinstance(given, bool):
        return origin is bool
    if isinstance(given, datetime):
        return origin is datetime and given.tzinfo is not None
    return isinstance(given, str if issubclass(origin, Enum) else origin)


def _holds(given: Iterable[Any], kind: Any) -> bool:
    # What can be read only once is read where it is used.
    inner = get_args(kind)[0]
    return not isinstance(given, Collection) or all(_fits(one, inner) for one in given)


def _is_one(given: Any) -> bool:
    return isinstance(given, str | bytes | bytearray | Mapping)


def _is_list(kind: Any) -> bool:
    origin = get_origin(kind)
    return (
        inspect.isclass(origin)
        and issubclass(origin, Iterable)
        and not issubclass(origin, Mapping)
        and Path not in _choices(get_args(kind)[0])
    )


def _choices(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in {Union, UnionType} else (hint,)


def _words(hint: Any) -> str:
    """Write a type for people."""
    return " or ".join(dict.fromkeys(_word(one) for one in _choices(hint) if one is not NoneType))


def _word(kind: Any) -> str:
    return "a list" if _is_list(kind) else WORDS.get(get_origin(kind) or kind) or _a(_called(kind))


def _called(kind: Any) -> str:
    return str(getattr(kind, "__name__", kind))


def named(thing: Any) -> str:
    """Write what a thing is for people, without its words, which may be secret."""
    return "None" if thing is None else _a(type(thing).__name__)


def _a(name: str) -> str:
    return f"{'an' if name[0] in 'AEIOaeio' else 'a'} {name}"


def check_time(**given: Any) -> None:
    """Refuse what is no time in seconds."""
    for name, value in given.items():
        if not (isinstance(value, int | float) and value > 0):
            raise ConfigurationError(f"{name} must be a time in seconds, not {value!r}")


def check_number(least: int, **given: Any) -> None:
    """Refuse what is no number from the least."""
    for name, value in given.items():
        if not (isinstance(value, int) and value >= least):
            raise ConfigurationError(f"{name} must be a number from {least}, not {value!r}")
