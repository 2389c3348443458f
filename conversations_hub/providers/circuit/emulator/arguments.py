"""Reads and judges the arguments of a query or a body, and says no in Circuit's shape."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from attrs import frozen

from conversations_hub.emulator.server import ApiError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from aiohttp import web

LONGEST = 2048
FORM = "application/x-www-form-urlencoded"
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def invalid(*reasons: str) -> ApiError:
    """Return the 400 that a third-party client recorded."""
    description = "the request contains invalid data"
    body = {
        "errorCode": "400",
        "errorDescription": description,
        "validationErrors": list(reasons),
    }
    return ApiError(400, body)


def denied(status: int, description: str) -> ApiError:
    """Return any other error; the description declares no body for them."""
    return ApiError(status, {"errorCode": str(status), "errorDescription": description})


@frozen
class Arguments:
    """A query or a form, validated as the description declares its fields."""

    values: Mapping[str, list[str]]

    def text(self, name: str, longest: int = LONGEST) -> str | None:
        """Return a text, or nothing if it was not sent."""
        value = self._first(name)
        if value is not None and len(value) > longest:
            raise invalid(f"{name}: longer than {longest} characters.")
        return value

    def required(self, name: str) -> str:
        """Return a text that must be there."""
        value = self.text(name)
        if not value:
            raise invalid(f"{name} is required.")
        return value

    def choice(self, name: str, options: Collection[str], default: str) -> str:
        """Return one of the declared values."""
        value = self._first(name)
        if value is None:
            return default
        if value not in options:
            raise invalid(f"{name}: must be one of {', '.join(options)}.")
        return value

    def flag(self, name: str) -> bool:
        """Return a boolean; false if it was not sent."""
        return self.choice(name, ("true", "false"), "false") == "true"

    def number(self, name: str, low: int, high: int, default: int | None) -> int:
        """Return a number in its declared range; without a default it must be there."""
        value = self._first(name)
        if value is None and default is not None:
            return default
        if value is None or not re.fullmatch(r"-?\d{1,9}", value, re.ASCII):
            raise invalid(f"{name}: a number is required.")
        if not low <= int(value) <= high:
            raise invalid(f"{name}: must be between {low} and {high}.")
        return int(value)

    def several(self, name: str, longest: int = LONGEST) -> list[str]:
        """Return a list that must be there and hold something."""
        values = self.listed(name, longest)
        if not values:
            raise invalid(f"{name} is required.")
        return values

    def listed(self, name: str, longest: int = LONGEST) -> list[str] | None:
        """Return a list, or nothing if it was not sent.

        Repeated keys are documented; vendor samples and generated clients separate by commas, and
        some send a JSON list (circuit.md, section 1).
        """
        if name not in self.values:
            return None
        values = [one for value in self.values[name] for one in _split(value)]
        if any(len(one) > longest for one in values):
            raise invalid(f"{name}: longer than {longest} characters.")
        return values

    def instant(self, name: str) -> int | None:
        """Return a date-time as epoch milliseconds; finer digits are cut off."""
        value = self._first(name)
        if value is None:
            return None
        wrong = invalid(f"{name}: not a date-time.")
        if not INSTANT.fullmatch(value):
            raise wrong
        try:
            return (datetime.fromisoformat(value) - UNIX_EPOCH) // timedelta(milliseconds=1)
        except ValueError:
            raise wrong from None

    def _first(self, name: str) -> str | None:
        return next(iter(self.values.get(name, ())), None)


def query_of(request: web.Request) -> Arguments:
    """Return the arguments of a query."""
    return Arguments({name: request.query.getall(name) for name in request.query})


def body_of(kind: str, data: bytes) -> Arguments:
    """Return the arguments of a body: a form, or the JSON object that vendor samples send.

    Some samples send either of them with no useful Content-Type (circuit.md, section 1).
    """
    try:
        text = data.decode()
        if kind == "application/json" or (kind != FORM and text.lstrip().startswith("{")):
            arguments = _of_json(text)
        else:
            arguments = parse_qs(text, keep_blank_values=True, errors="strict")
        "".join(chain.from_iterable(arguments.values())).encode()
    except (ValueError, RecursionError):
        raise invalid("The body cannot be read.") from None
    return Arguments(arguments)


def _of_json(text: str) -> dict[str, list[str]]:
    body = json.loads(text) if text.strip() else {}
    if not isinstance(body, dict):
        raise invalid("The body must be a JSON object.")
    return {
        name: [_worded(name, one) for one in (value if isinstance(value, list) else [value])]
        for name, value in body.items()
        if value is not None
    }


def _worded(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, bool | int | float):
        raise invalid(f"{name}: a text is required.")
    return json.dumps(value)


def _split(value: str) -> list[str]:
    if value.startswith("["):
        try:
            return [one for one in json.loads(value) if isinstance(one, str)]
        except ValueError:
            raise invalid("A list cannot be read.") from None
    return [one for part in value.split(",") if (one := part.strip())]
