"""What happens in a hub, as events: plain values without secrets, words of messages or queries."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from inspect import iscoroutinefunction
from typing import Any, Literal, TypeAlias

from attrs import frozen

from conversations_hub.errors import ConfigurationError

# What stands between the digits of a phone number, quoted or not, maybe more than once.
BETWEEN = r"(?:[-.()\ ]|%(?:25)*(?:20|28|29|2D|2E|2F))"
# A segment of a path that somebody could be reached by. Digits alone are an id, but for those after
# a scheme, those that begin as no number does, and those of a user, whom nobody asks for by number.
REACHED_BY = re.compile(
    rf"""
    (?<=/)(?<!://)  # within the path
    (?:
        [^/]* (?: @ | %(?:25)*40 | (?:\+|%(?:25)*2B)\d ) [^/]*
        |
        (?: [a-z]+(?::|%(?:25)*3A) | (?=0) | (?=\d*{BETWEEN}) | (?<=/users/) )
        (?:{BETWEEN}*\d){{7,20}} {BETWEEN}* (?=/|$)
    )
    """,
    re.IGNORECASE | re.VERBOSE,
)


@frozen(kw_only=True)
class Event:
    """Something that happens while a hub carries out what it was asked."""

    provider: str | None
    """The account's name in the hub; None for a file that lies elsewhere."""
    operation: str
    call: int = 0
    """The same number for all that one call does; 0 where nobody watched when it began."""


@frozen(kw_only=True)
class CallBegan(Event):
    """A call begins: one operation, or the next page of a list."""

    within: int = 0
    """The call that this one is a part of, such as the page whose people are looked up."""


@frozen(kw_only=True)
class CallEnded(Event):
    """A call is over, with everything that it took."""

    within: int = 0
    seconds: float
    requests: int
    error: str | None = None
    """The class of what it raised."""


@frozen(kw_only=True)
class RequestEvent(Event):
    """One attempt to get an answer."""

    number: int
    """Which request of the call it is, from 1."""
    attempt: int
    """Which attempt at the same thing it is, from 1."""
    method: str
    url: str
    """Without user, query and fragment; addresses of people and secrets in its path are masked."""
    sent: int | None = None
    """The bytes of the body, where there is one and they are known."""


@frozen(kw_only=True)
class RequestBegan(RequestEvent):
    """A request goes out, after all waiting for a turn."""


@frozen(kw_only=True)
class RequestEnded(RequestEvent):
    """A request was answered, or there is no answer."""

    seconds: float
    status: int | None = None
    received: int | None = None
    """The bytes of the answer's body, if it came; None for a download, whose body comes later."""
    request_id: str | None = None
    """The provider's own id of the request, for its support."""
    http_version: str | None = None
    error: str | None = None
    """The class of what went wrong on the way; a refusal is an answer and has a status alone."""


@frozen(kw_only=True)
class Retrying(Event):
    """A request has failed and will be sent again."""

    attempt: int
    """Which attempt has failed."""
    seconds: float
    """How long until the next one."""
    error: str
    status: int | None = None


@frozen(kw_only=True)
class Paused(Event):
    """An account is not asked for a while: it refused (429), or its rate is used up."""

    seconds: float
    why: Literal["refusal", "rate"]


@frozen(kw_only=True)
class PageRead(Event):
    """A page of a list has come."""

    items: int
    broken: int
    """The records that could not be read."""
    last: bool


Observer: TypeAlias = Callable[[Event], object]
"""A function that is called with every event, where it happens; what it raises is only logged."""


def observers_of(given: Observer | Iterable[Observer] | None) -> tuple[Observer, ...]:
    """Return the observers, of which there may be one, several or none."""
    if given is None:
        return ()
    several: tuple[Any, ...] = (
        tuple(given) if isinstance(given, Iterable) and not callable(given) else (given,)
    )
    for one in several:
        if not callable(one) or iscoroutinefunction(one) or iscoroutinefunction(one.__call__):
            raise ConfigurationError(
                f"an observer must be a plain function of an event, not {type(one).__name__}"
                f"{' that is async' if callable(one) else ''}"
            )
    return several


def masked(url: str) -> str:
    """Return an address without the people in its path."""
    return REACHED_BY.sub("***", url)
