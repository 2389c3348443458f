"""How Circuit's lists that are cut by time are read in several places at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import msgspec
from attrs import frozen

from conversations_hub.errors import TranslationError
from conversations_hub.providers.circuit.paging import EPOCH, Place, TimePaging, text
from conversations_hub.reading import decoded
from conversations_hub.recipes import Listing, Page
from conversations_hub.windows import START
from conversations_hub.wire import Request, Response

BEGINNING = (datetime(2013, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)
"""There was no Circuit before."""


@frozen(kw_only=True)
class Times:
    """Windows of `modTime`: a border is a millisecond, whose rows are read on both sides of it.

    The numbers are those of the order that a walk has found: of modification or of activity. A
    change moves its row to the top, out of any window. So the walk from the newest on catches up
    when all others are done, however short its own part was.
    """

    first: Request
    rule: TimePaging
    scout: Listing[int]
    # Borders that lie in the server's future would let changes pass by, so that the walk from the
    # newest on has to see a page first.
    extent: None = None

    @property
    def bottom(self) -> int:
        """Where a list begins, as long as nothing is known of it."""
        return BEGINNING if self.rule.floor is None else self.rule.floor

    def part(self, lo: int | None, hi: int, like: Request) -> Request:
        """Return the request for what lies below a border, with what is known of the server."""
        del lo
        known = Place.of(like)
        place = Place(
            size=known.size or Place.of(self.first).size,
            bound=hi,
            inclusive=known.inclusive,
            order=known.order,
        )
        return self.rule.before(self.first, place)

    def reached(self, items: Sequence[Any], onward: Request, before: int) -> tuple[int, int] | None:
        """Return how far the walk's own memory says that it came: not by items, which may lie.

        A walk that finds that it was wrong about the order begins again at the top.
        """
        del items
        place = Place.of(onward)
        if place.bound is None:
            return (before, before) if before == START else None
        top = place.top if before == START and place.top is not None else before
        return max(top, place.bound + 1), place.bound + 1

    def after_all(self, onward: Request) -> Request:
        """Return the request that begins to catch up."""
        place = Place.of(onward)
        return self.rule.before(self.first, self.rule.catching_up(place), most=True)

    def waits(self, onward: Request) -> bool:
        """Return whether a request catches up."""
        return bool(onward.note.get("caught_up"))


def beginning(request: Request) -> Listing[int]:
    """Return what finds out when the thing that a request is for was created."""
    return Listing(request=request, read=partial(_earliest, "creationTime"))


def oldest(first: Request) -> Listing[int]:
    """Return what finds a list's oldest row, on a server that gives the nearest after a time."""
    asked = first.with_query(direction="AFTER", modTime=text(0), results=1)
    return Listing(request=asked, read=partial(_earliest, "modificationTime"))


def _earliest(name: str, request: Request, response: Response) -> Page[int]:
    """Read a time, if it is told: whoever asks can do without."""
    del request
    try:
        found = decoded(response, response.body)
        things = msgspec.convert(
            found if isinstance(found, list) else [found], list[dict[str, Any]]
        )
    except (TranslationError, msgspec.ValidationError):
        things = []
    times = [thing.get(name) for thing in things]
    return Page(items=tuple(sorted(time for time in times if isinstance(time, int))))
