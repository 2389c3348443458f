"""Writes events to the standard log."""

from __future__ import annotations

import logging
from typing import Any

from attrs import fields

from conversations_hub.observing import (
    CallEnded,
    Event,
    PageRead,
    Paused,
    RequestEnded,
    Retrying,
)

PREFIX = "hub_"
"""Keeps the names of our extras apart from a log record's own."""

log: logging.Logger = logging.getLogger("conversations_hub.events")


def write(event: Event) -> None:
    """Log an event, if anybody wants to read of it."""
    if (level := level_of(event)) and log.isEnabledFor(level):
        log.log(level, "%s", line_of(event), extra=extras_of(event))


def level_of(event: Event) -> int:
    """Return the level of an event; 0 for a beginning, since its end says it all."""
    match event:
        case PageRead(broken=broken) if broken:
            return logging.WARNING
        case Retrying() | Paused(why="refusal"):
            return logging.INFO
        case CallEnded() | RequestEnded() | PageRead() | Paused():
            return logging.DEBUG
        case _:
            return 0


def line_of(event: Event) -> str:
    """Return what a person reads."""
    where = ".".join(filter(None, [event.provider, event.operation]))
    match event:
        case CallEnded():
            end = f"raised {event.error}" if event.error else "done"
            told = f"{end} after {event.seconds:.3f} s, requests: {event.requests}"
        case RequestEnded():
            end = event.error or str(event.status)
            told = f"{event.method} {event.url}: {end} after {event.seconds:.3f} s"
        case Retrying():
            end = f"{event.error} ({event.status})" if event.status else event.error
            told = f"attempt {event.attempt} ended with {end}; the next in {event.seconds:.3f} s"
        case Paused():
            why = "it refuses more requests" if event.why == "refusal" else "its rate is used up"
            told = f"the account is not asked for {event.seconds:.3f} s, since {why}"
        case PageRead():
            broken = f", {event.broken} that cannot be read" if event.broken else ""
            told = f"a page of {event.items} items{broken}{', the last' if event.last else ''}"
        case _:
            told = type(event).__name__
    return f"{where}: {told}"


def extras_of(event: Event) -> dict[str, Any]:
    """Return what a program reads: all that the event says, by prefixed names."""
    said = {f"{PREFIX}{f.name}": getattr(event, f.name) for f in fields(type(event))}
    return {f"{PREFIX}event": type(event).__name__} | said
