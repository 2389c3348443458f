"""Compares a record with the conditions in a request's headers (§8)."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING

from conversations_hub.providers.clio.emulator.refusals import PreconditionFailedError

if TYPE_CHECKING:
    from aiohttp import web

    from conversations_hub.providers.clio.emulator.fields import Record


def state(record: Record) -> dict[str, str]:
    """Return the headers that tell one version of a record from another."""
    return {"ETag": record["etag"], "Last-Modified": http_date(record["updated_at"])}


def http_date(moment: datetime) -> str:
    """Write a time as headers have it."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def unchanged(request: web.Request, record: Record) -> bool:
    """Tell whether the client has the record as it is."""
    etags = request.headers.get("If-None-Match")
    if etags is not None:
        return _matches(etags, record)
    try:
        since = parsedate_to_datetime(request.headers.get("If-Modified-Since", ""))
    except ValueError:
        return False
    return bool(record["updated_at"] <= since.replace(tzinfo=since.tzinfo or UTC))


def check_match(request: web.Request, record: Record) -> None:
    """Refuse a change to another version than the client knows."""
    etags = request.headers.get("If-Match")
    if etags is not None and not _matches(etags, record):
        raise PreconditionFailedError(f"The record has changed, its ETag is {record['etag']}")


def _matches(etags: str, record: Record) -> bool:
    wanted = {each.strip().removeprefix("W/") for each in etags.split(",")}
    return bool(wanted & {"*", record["etag"]})
