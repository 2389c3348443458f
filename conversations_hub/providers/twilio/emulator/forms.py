"""Reads the form bodies of Twilio's requests and the values in them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from attrs import frozen

from conversations_hub.providers.twilio.emulator import errors, limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from conversations_hub.providers.twilio.emulator.switches import TwilioSwitches

    # Takes the name of a parameter, for the refusal, and its value.
    Reader = Callable[[str, str], Any]
    Pairs = list[tuple[str, str]]

FORM = "application/x-www-form-urlencoded"
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)")
DURATION = re.compile(
    r"P(?=.)(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?=.)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?"
)
LONGEST = timedelta(days=3650)
KEPT = object()


@frozen
class Field:
    """One parameter: what it is called in the store, and how its value is read."""

    target: str
    read: Reader
    cleared: Any = KEPT
    """What it is set to by the word that clears, if it can be cleared."""
    many: bool = False
    """Whether the parameter is repeated, once for each value; one empty value is an empty list."""


Table = dict[str, Field]


def pairs(content_type: str, body: bytes) -> Pairs:
    """Return the parameters of a body, which has to be a form."""
    if not body:
        return []
    if content_type != FORM:
        raise errors.bad_request(errors.BAD_PARAMETER, f"The body is {content_type}, not {FORM}")
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError as error:
        raise errors.bad_request(errors.BAD_PARAMETER, "The body is not UTF-8") from error


def fields(
    given: Pairs, table: Table, switches: TwilioSwitches, required: Iterable[str] = ()
) -> dict[str, Any]:
    """Return what a form says under the names of the store; what it does not say is absent."""
    values: dict[str, list[str]] = {}
    for name, value in given:
        values.setdefault(name, []).append(value)
    for name in required:
        if not any(values.get(name, ())):
            raise errors.bad_request(errors.BAD_PARAMETER, f"Missing required parameter {name}")
    unknown = [name for name in values if name not in table]
    if unknown and switches.unknown_parameters == "reject":
        raise errors.bad_parameter(unknown[0], values[unknown[0]][0])
    word = "" if switches.clear_with == "empty" else "null"
    return {
        table[name].target: value_of(name, found, table[name], word)
        for name, found in values.items()
        if name in table
    }


def value_of(name: str, values: list[str], field: Field, word: str) -> Any:
    """Read the values that one parameter has; of a single one the last counts."""
    if field.many:
        return [] if values == [""] else [field.read(name, value) for value in values]
    value = values[-1]
    if field.cleared is not KEPT and value == word:
        return field.cleared
    return field.read(name, value)


def flattened(name: str, value: str) -> Pairs:
    """Return the parameters in a participant that is written as JSON (section 3)."""
    try:
        given = json.loads(value)
    except ValueError as error:
        raise errors.bad_parameter(name, value) from error
    if not isinstance(given, dict):
        raise errors.bad_parameter(name, value)
    return [(wire_name(key), str(one)) for key, one in leaves(given) if one is not None]


def leaves(given: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, Any]]:
    """Yield what is in an object and in the objects in it, under names with dots."""
    for key, value in given.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{before}{key}.")
        else:
            yield before + key, value


def wire_name(key: str) -> str:
    """Write `messaging_binding.proxy_address` as `MessagingBinding.ProxyAddress`."""
    return ".".join(re.sub(r"(?:^|_)(\w)", lambda m: m[1].upper(), one) for one in key.split("."))


# Readers.


def text(longest: int, least: int = 0) -> Reader:
    """Read text of so many characters."""

    def read(name: str, value: str) -> str:
        if not least <= len(value) <= longest:
            raise errors.bad_request(
                errors.BAD_PARAMETER, f"{name} has to have {least} to {longest} characters"
            )
        return value

    return read


def octets(longest: int) -> Reader:
    """Read text of so many bytes."""

    def read(name: str, value: str) -> str:
        if len(value.encode()) > longest:
            raise errors.bad_request(errors.BAD_PARAMETER, f"{name} is longer than {longest} bytes")
        return value

    return read


def attributes(longest: int = limits.ATTRIBUTES) -> Reader:
    """Read text that is JSON and keep it as it is written; empty, it is `{}` again."""
    short = octets(longest)

    def read(name: str, value: str) -> Any:
        value = value or "{}"
        try:
            # Numbers stay text: Python minds how long they are.
            json.loads(value, parse_constant=no_constant, parse_int=str, parse_float=str)
        except (ValueError, RecursionError) as error:
            raise errors.bad_request(errors.BAD_PARAMETER, f"{name} is not JSON") from error
        return short(name, value)

    return read


def no_constant(word: str) -> None:
    """Refuse NaN and Infinity, which are not JSON."""
    raise ValueError(word)


def matching(pattern: str) -> Reader:
    """Read text of a form."""
    wanted = re.compile(pattern)

    def read(name: str, value: str) -> str:
        if not wanted.fullmatch(value):
            raise errors.bad_parameter(name, value)
        return value

    return read


def sid(kind: str) -> Reader:
    """Read a SID."""
    return matching(f"{kind}[0-9a-fA-F]{{32}}")


url: Reader = matching(r"https?://[^\s/]+\S*")
plain: Reader = text(1_000_000)


def one_of(*values: str) -> Reader:
    """Read one of these words, in any case, and write it as it is here."""
    known = {value.casefold(): value for value in values}

    def read(name: str, value: str) -> str:
        if value.casefold() not in known:
            raise errors.bad_parameter(name, value)
        return known[value.casefold()]

    return read


def boolean(name: str, value: str) -> bool:
    """Read true or false."""
    return bool(one_of("true", "false")(name, value) == "true")


def integer(name: str, value: str) -> int:
    """Read a whole number."""
    return int(matching(r"[0-9]{1,9}")(name, value))


def horizon(name: str, value: str) -> int | None:
    """Read the index of a message, or null for none."""
    return None if value in {"", "null"} else integer(name, value)


def date(name: str, value: str) -> datetime:
    """Read a date in UTC."""
    if not DATE.fullmatch(value):
        raise errors.bad_parameter(name, value)
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise errors.bad_parameter(name, value) from error


def duration(least: timedelta) -> Reader:
    """Read an ISO 8601 duration of so much time at least."""

    def read(name: str, value: str) -> timedelta:
        match = DURATION.fullmatch(value)
        numbers = match.groupdict("0") if match else {}
        found = timedelta(**{unit: min(int(n[:9]), 10**8) for unit, n in numbers.items()})
        if not least <= found <= LONGEST:
            raise errors.bad_parameter(name, value)
        return found

    return read


def duration_text(least: timedelta) -> Reader:
    """Read a duration and keep it as it is written."""
    checked = duration(least)

    def read(name: str, value: str) -> str:
        checked(name, value)
        return value

    return read
