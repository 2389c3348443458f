"""What can be written into a request's body and headers, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from conversations_hub.errors import ConfigurationError


def checked(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what can be sent as JSON; half a surrogate pair cannot."""
    try:
        msgspec.json.encode(data)
    except UnicodeEncodeError as cause:
        raise ConfigurationError(
            "there is half a surrogate pair in this text, which is no Unicode"
        ) from cause
    except (TypeError, ValueError, OverflowError, RecursionError) as cause:
        raise ConfigurationError(f"this is no JSON: {cause}") from cause
    return data


def header(name: str, value: str | None) -> dict[str, str]:
    """Return a header, or none where there is no value."""
    if value is None:
        return {}
    if not (value and value.isascii() and value.isprintable()):
        raise ConfigurationError(f"{value!r} cannot stand in the header {name}")
    return {name: value}


def squeezed(text: str | None) -> str:
    """Return a text without the blanks that might be taken from it or put into it on the way."""
    return " ".join((text or "").split())
