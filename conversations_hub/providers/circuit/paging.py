"""How Circuit's lists are cut by time, and how a walk through one loses nothing.

A page is asked for with `modTime`; the answer has no link, no total and no flag. Nobody says
whether a row at that very millisecond is on the page, in which order rows come, or what happens
to rows that are changed in the meantime. The rules here hold for every answer to that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Self

from attrs import frozen

from conversations_hub.errors import PagingError
from conversations_hub.providers.circuit.memory import Memory
from conversations_hub.wire import Request, instant

Row = tuple[int, str]
"""What paging sees of a row: when it was modified, in epoch milliseconds, and its id."""

MOST = 100
"""The largest page."""
PASSES = 5
"""So often a list is caught up with; one that changes faster cannot be read."""

RESULTS = re.compile(r"(?:^|&)results=(\d+)")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Place(Memory, frozen=True, omit_defaults=True, kw_only=True):
    """Where a walk is."""

    size: int = 0
    """How many rows were wished for; the request may ask for more."""
    bound: int | None = None
    """Every row above has been delivered; of those at this millisecond, `seen`."""
    seen: tuple[str, ...] = ()
    inclusive: bool = False
    """The server was caught returning rows at `modTime` itself."""
    other_end: bool = False
    """The request reads the rows at `bound` from the other side."""
    later: bool = False
    """It is not the first page of its pass."""
    top: int | None = None
    """The newest time of this pass; a change after its first page lies at or above."""
    topped: tuple[str, ...] = ()
    """The rows at `top`."""
    caught_up: int = 0
    """How many passes came before this one."""
    mark: int | None = None
    """The `top` of the pass before: all that lies below has been delivered."""
    marked: tuple[str, ...] = ()
    """The rows at `mark` that have been delivered."""
    fresh: bool = False
    """This pass brought something."""
    # What a list with a hidden order remembers; see `hidden_order`.
    order: str | None = None
    step: str | None = None
    page: str = ""
    ends: tuple[Row, ...] = ()
    lowest: Row | None = None
    edge: tuple[str, ...] = ()
    keys: tuple[int, ...] = ()
    again: int = 0

    @classmethod
    def of(cls, request: Request) -> Self:
        """Read a request's note, or begin a walk."""
        place = super().of(request)
        return place if place.size else place.but(size=results(request))


def results(request: Request) -> int:
    """Return how many rows make a full page."""
    found = RESULTS.search(request.url.raw_query_string)
    if found is None:
        raise PagingError("the request does not say how many rows it asks for")
    return int(found[1])


def text(milliseconds: int) -> str:
    """Write epoch milliseconds as `modTime` takes them."""
    return instant(EPOCH + timedelta(milliseconds=milliseconds))


@frozen(kw_only=True)
class TimePaging:
    """Walks from the newest row to the oldest, then catches up with what changed meanwhile.

    The next page begins one millisecond too late, so that rows which share the oldest time come
    whole whether the server compares with `<` or `<=`; those seen before are dropped. Where more
    rows share a millisecond than fit on the largest page they are read from both ends. Unless
    the two ends are seen to meet, rows between them may have been missed, and the walk ends with
    a `PagingError`: we would rather stop than skip.

    A change moves its row to the top, out of the way of a walk that has not yet come to it. So a
    walk of several pages reads again from the top down to where it began, until that took one
    page alone, or brought nothing.

    `floor` is a time in milliseconds below which nothing is wanted.
    """

    floor: int | None = None

    def after(self, request: Request, rows: Sequence[Row], count: int) -> Request | None:
        """Return the request for what comes after this page of `count` rows, readable or not."""
        place = Place.of(request)
        if place.other_end:
            return self._past_the_tie(request, place, rows, count)
        place = self.taken(place, rows)
        if count < results(request):
            return self.ended(request, place)
        lowest, _ = lowest_of(rows)
        return self.onward(request, place, lowest, _ids_at(rows, lowest))

    def wants(self, place: Place, row: Row) -> bool:
        """Return whether a row of a page is to be delivered, as far as this place can tell."""
        return self.wanted(place, [row])[0]

    def wanted(self, place: Place, rows: Sequence[Row]) -> list[bool]:
        """Return that for each of a page's rows.

        A row above the bound came before. One below the mark of an earlier pass did, too.
        """
        bound, mark, seen, marked = place.bound, place.mark, place.seen, place.marked
        if bound is None:
            below = [True] * len(rows)
        else:
            below = [time < bound or (time == bound and id_ not in seen) for time, id_ in rows]
        if place.other_end:
            return [new and row[0] == bound for new, row in zip(below, rows, strict=True)]
        if mark is None:
            return below
        return [
            new and (row[0] > mark or (row[0] == mark and row[1] not in marked))
            for new, row in zip(below, rows, strict=True)
        ]

    def taken(self, place: Place, rows: Sequence[Row]) -> Place:
        """Remember of a page what later ones need to know."""
        times = [time for time, _ in rows]
        asked = _mod_time(place)
        top, topped = place.top, place.topped
        if not place.later and times:
            top = max(times)
        if top is not None:
            topped = tuple(dict.fromkeys([*topped, *_ids_at(rows, top)]))
        return place.but(
            top=top,
            topped=topped,
            inclusive=place.inclusive or (asked is not None and asked in times),
            fresh=place.fresh or any(self.wanted(place, rows)),
        )

    def onward(
        self, request: Request, place: Place, lowest: int, ids: Iterable[str]
    ) -> Request | None:
        """Return the request for the next page, after a full one that goes down to `lowest`."""
        bottom = max((m for m in (self.floor, place.mark) if m is not None), default=None)
        if bottom is not None and lowest < bottom:
            return self.ended(request, place)
        if place.bound is not None and lowest >= place.bound:
            return self.stuck(request, place, ids)
        return self.before(request, place.but(bound=lowest, seen=tuple(ids), later=True, again=0))

    def before(self, request: Request, place: Place, *, most: bool = False) -> Request:
        """Return the request for the page below a bound, which overlaps by one row at least."""
        size = MOST if most else max(place.size, 2)
        asked = _mod_time(place)
        when = None if asked is None else text(asked)
        return place.leads(request, direction=None, modTime=when, results=size)

    def stuck(self, request: Request, place: Place, ids: Iterable[str]) -> Request:
        """Return the request for more of the rows at a bound, which filled the page."""
        bound = place.bound or 0
        place = place.but(seen=tuple(dict.fromkeys([*place.seen, *ids])))
        found_out = place.inclusive and request.query.get("modTime") != text(bound)
        if found_out or results(request) < MOST:
            return self.before(request, place, most=True)
        asked = bound - (not place.inclusive)
        place = place.but(other_end=True)
        return place.leads(request, direction="AFTER", modTime=text(asked), results=MOST)

    def _past_the_tie(
        self, request: Request, place: Place, rows: Sequence[Row], count: int
    ) -> Request | None:
        """Go on below a millisecond if the pages from its two ends were seen to meet.

        They hold a row in common, and this page is not full, so that it holds every row from
        there on, or has rows that the other has not, so that nothing lies between. A full page
        without may only repeat what the other picked.
        """
        tied, before = set(_ids_at(rows, place.bound)), set(place.seen)
        if not tied & before or (count >= MOST and not tied - before):
            raise PagingError(
                f"{len(before | tied)} rows or more were modified at {text(place.bound or 0)}, "
                "more than Circuit can list: some may be missing"
            )
        lower = (place.bound or 0) - 1
        bottom = max((m for m in (self.floor, place.mark) if m is not None), default=lower)
        place = place.but(
            other_end=False, seen=(), bound=lower, fresh=place.fresh or bool(tied - before)
        )
        return self.ended(request, place) if lower < bottom else self.before(request, place)

    def ended(self, request: Request, place: Place) -> Request | None:
        """Return the first request of another pass, if rows may have moved during this one."""
        if not place.later or (place.caught_up and not self.moved(place)):
            return None
        if place.caught_up >= PASSES:
            raise PagingError("the list changes faster than it can be read; start the walk anew")
        return self.before(request, self.catching_up(place), most=True)

    def moved(self, place: Place) -> bool:
        """Return whether rows moved since the pass before, as they may have during this one."""
        return place.fresh

    def catching_up(self, place: Place) -> Place:
        """Return where another pass begins."""
        return Place(
            size=place.size,
            inclusive=place.inclusive,
            caught_up=place.caught_up + 1,
            mark=place.top,
            marked=place.topped,
        )


def _mod_time(place: Place) -> int | None:
    """Return the `modTime` of a place's request, in milliseconds."""
    if place.bound is None or place.other_end:
        return None
    return place.bound + (not place.inclusive)


def lowest_of(rows: Sequence[Row]) -> Row:
    """Return the oldest row; a full page without one that tells its time cannot be passed."""
    if not rows:
        raise PagingError("no row of a full page says when it was modified")
    return min(rows)


def _ids_at(rows: Iterable[Row], time: int | None) -> tuple[str, ...]:
    return tuple(id_ for at, id_ in rows if at == time)
