"""Decides how long to wait before asking again; whoever asks does the waiting."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conversations_hub.errors import ProviderError
    from conversations_hub.wire import Response

# In seconds; who asks for more than a day is asked again after one.
LONGEST = 86_400.0


def seconds_to_wait(header: str | None, now: datetime | None = None) -> float | None:
    """Read a `Retry-After` header: seconds, or a date (RFC 9110, section 10.2.3)."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max(0.0, (moment - (now or datetime.now(UTC))).total_seconds()), LONGEST)


def told_to_wait(response: Response) -> float | None:
    """Return how many seconds an answer asks to wait; a date is by the clock of its own `Date`."""
    date = response.header("Date")
    try:
        now = parsedate_to_datetime(date) if date else None
    except (ValueError, OverflowError):
        now = None
    if now is not None and now.tzinfo is None:
        now = now.replace(tzinfo=UTC)
    return seconds_to_wait(response.header("Retry-After"), now)


def pauses(longest: float = 20.0) -> Iterator[float]:
    """Yield growing pauses in seconds, spread at random so that many callers do not meet again."""
    # Imported by whoever has to wait anyway.
    import backoff  # noqa: PLC0415

    growing = backoff.expo(base=2, factor=0.5, max_value=longest)
    growing.send(None)
    for pause in growing:
        yield backoff.full_jitter(pause or 0.0)


def pause_after(error: ProviderError, planned: float | None) -> float | None:
    """Return how long to wait before the next attempt; None where waiting cannot help.

    Without a `planned` pause there are to be no more.

    What the server asks for is a least: a spread is added to it and never taken from it.
    """
    if planned is None or not error.transient:
        return None
    if error.retry_after is None:
        return planned
    return spread(error.retry_after, planned)


def spread(pause: float, most: float = 1.0) -> float:
    """Return a pause, or up to a second more, so that those who wait for the same do not meet."""
    return pause + random.uniform(0.0, min(1.0, most))  # noqa: S311 - no secret
