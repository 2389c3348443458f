"""Asks for a thing unless it is as it was known, and changes it only if it is."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

from attrs import frozen

from conversations_hub.errors import ConfigurationError, StatusError
from conversations_hub.providers.clio import texts


@frozen(kw_only=True)
class NotModified:
    """The answer that a thing is still as the caller knows it; it is false in an `if`."""

    etag: str | None = None

    def __bool__(self) -> bool:
        return False


def unless(etag: str | None, since: datetime | None) -> dict[str, str]:
    """Return the headers that ask for a thing only where it is another than this one."""
    if since is not None and (not isinstance(since, datetime) or since.tzinfo is None):
        raise ConfigurationError(f"{since!r} is not an aware datetime; give datetime.now(UTC)")
    moment = format_datetime(since.astimezone(UTC), usegmt=True) if since else None
    return texts.header("If-None-Match", etag) | texts.header("If-Modified-Since", moment)


def only_if(etag: str | None) -> dict[str, str]:
    """Return the header that changes a thing only where it is still this one."""
    return texts.header("If-Match", etag)


def not_modified(error: StatusError) -> NotModified:
    """Read a 304; any other refusal remains one."""
    if error.status != 304 or error.response is None:
        raise error
    return NotModified(etag=error.response.header("ETag"))
