"""Writes values the way Twilio's forms want them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from conversations_hub.errors import ConfigurationError
from conversations_hub.wire import instant

Form = Mapping[str, Any]
"""The fields of a form by their names, dots included; None is not sent."""


def hooks(enabled: bool | None) -> Mapping[str, str]:
    """Return the header that says whether a write fires webhooks; by itself it does not."""
    return {} if enabled is None else {"X-Twilio-Webhook-Enabled": str(enabled).lower()}


def moment(when: datetime | None) -> str | None:
    """Write a moment in ISO 8601, in UTC."""
    return None if when is None else instant(when)


def duration(span: timedelta | str | None) -> str | None:
    """Write a span in whole seconds of ISO 8601; a text is one already."""
    return f"PT{int(span.total_seconds())}S" if isinstance(span, timedelta) else span


def json_text(given: Mapping[str, Any] | None, name: str = "metadata") -> str | None:
    """Write a mapping as JSON; what would not come back as it is is refused."""
    if given is None:
        return None
    try:
        text = msgspec.json.encode(dict(given))
        same = msgspec.json.decode(text) == given
    except (TypeError, ValueError, OverflowError, RecursionError) as cause:
        raise ConfigurationError(f"{name} cannot be written as JSON: {cause}") from cause
    if not same:
        raise ConfigurationError(
            f"{name} would not come back as it is; only texts as keys, and texts, finite numbers, "
            "true, false, None, lists and mappings are JSON"
        )
    return text.decode()


def many(given: Iterable[str] | None) -> tuple[str, ...] | None:
    """Return the values of a repeated field; none at all are one empty value, which clears it."""
    if given is None:
        return None
    return (given,) if isinstance(given, str) else tuple(given) or ("",)
