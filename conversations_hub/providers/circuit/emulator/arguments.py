"""Reads and judges the arguments of a request, and says no in Circuit's shape."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from attrs import frozen

from conversations_hub.emulator.server import ApiError

if TYPE_CHECKING:
    from collections.abc import Collection

    from multidict import MultiMapping

LONGEST = 2048
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
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
    """A query, validated as the description declares its parameters."""

    query: MultiMapping[str]

    def text(self, name: str) -> str | None:
        """Return a text, or nothing if it was not sent."""
        value = self.query.get(name)
        if value is not None and len(value) > LONGEST:
            raise invalid(f"{name}: longer than {LONGEST} characters.")
        return value

    def required(self, name: str) -> str:
        """Return a text that must be there."""
        value = self.text(name)
        if not value:
            raise invalid(f"{name} is required.")
        return value

    def choice(self, name: str, options: Collection[str], default: str) -> str:
        """Return one of the declared values."""
        value = self.query.get(name, default)
        if value not in options:
            raise invalid(f"{name}: must be one of {', '.join(options)}.")
        return value

    def flag(self, name: str) -> bool:
        """Return a boolean; false if it was not sent."""
        return self.choice(name, ("true", "false"), "false") == "true"

    def number(self, name: str, low: int, high: int, default: int | None) -> int:
        """Return a number in its declared range; without a default it must be there."""
        value = self.query.get(name)
        if value is None and default is not None:
            return default
        if value is None or not re.fullmatch(r"-?\d{1,9}", value, re.ASCII):
            raise invalid(f"{name}: a number is required.")
        if not low <= int(value) <= high:
            raise invalid(f"{name}: must be between {low} and {high}.")
        return int(value)

    def several(self, name: str) -> list[str]:
        """Return a list sent as repeated keys, or separated by commas as a vendor sample does."""
        values = [one for value in self.query.getall(name, []) for one in value.split(",") if one]
        if not values:
            raise invalid(f"{name} is required.")
        return values

    def instant(self, name: str) -> int | None:
        """Return a date-time as epoch milliseconds; finer digits are cut off."""
        value = self.query.get(name)
        if value is None:
            return None
        wrong = invalid(f"{name}: not a date-time.")
        if not INSTANT.fullmatch(value):
            raise wrong
        try:
            return (datetime.fromisoformat(value) - UNIX_EPOCH) // timedelta(milliseconds=1)
        except ValueError:
            raise wrong from None
