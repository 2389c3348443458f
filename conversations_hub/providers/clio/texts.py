"""Texts on their way into headers, and texts that were changed on their way."""

from __future__ import annotations

from conversations_hub.errors import ConfigurationError


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
