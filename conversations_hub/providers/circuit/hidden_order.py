"""Reads a list of conversations that may be in an order none of their fields shows.

The documentation says that `GET /conversations` goes by a conversation's own modification time.
There are signs that it goes by activity: by the newest item, too. Then the oldest modification
time of a page lies far below its last row, and a walk that went on from there would skip most
of the list. So the walk asks, before it goes on, until it knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from attrs import frozen

from conversations_hub.errors import PagingError
from conversations_hub.providers.circuit.paging import (
    MOST,
    Place,
    Row,
    TimePaging,
    lowest_of,
    results,
    text,
)
from conversations_hub.wire import Request

MODIFICATION, ACTIVITY = "modification", "activity"
PROBE, VERDICT = "probe", "verdict"
RETRIES = 3
"""So often a page is asked for again that brought nothing, as its rows were on the move."""


@frozen(kw_only=True)
class HiddenOrder(TimePaging):
    """Walks by modification time or by activity, whichever the server turns out to go by.

    After a full page it asks for the newest item of the page's oldest row. Where there is no
    item that is newer than the row itself, going on from it is right in either order. Where there
    is one, the list is asked for what lies below that row: sorted by modification it must hold
    the row, sorted by activity it cannot. From then on it is known. By activity, the rows at
    both ends of a page are asked for their newest items, and the older of the two leads on.

    `listing` is the list's first request; `items` makes the one for a conversation's newest item.
    """

    listing: Request
    items: Callable[[str], Request]

    def after(self, request: Request, rows: Sequence[Row], count: int) -> Request | None:
        """Return the request for what comes after this page, or for what must be known first."""
        place = Place.of(request)
        if place.order == MODIFICATION:
            if place.other_end or not _contradicted(place, rows):
                return super().after(request, rows, count)
            # What was skipped on the way down is not known: begin at the top.
            return self.before(request, Place(size=place.size, order=ACTIVITY))
        place = self._noted(place, rows)
        if count < results(request):
            return self.ended(request, place)
        lowest = lowest_of(rows)
        place = place.but(
            ends=tuple(dict.fromkeys((rows[0], rows[-1]))),
            lowest=lowest,
            edge=tuple(id_ for time, id_ in rows if time == lowest[0]),
            page=request.url.raw_query_string,
        )
        return self._probe(place)

    def wanted(self, place: Place, rows: Sequence[Row]) -> list[bool]:
        """Return which rows are to be delivered: by activity, only their ids can tell."""
        if place.order == MODIFICATION:
            return super().wanted(place, rows)
        seen = frozenset(place.seen)
        return [id_ not in seen for _, id_ in rows]

    def learned(self, request: Request, rows: Sequence[Row], count: int) -> Request | None:
        """Return what follows from the answer to a question on the way."""
        place = Place.of(request)
        if place.step == VERDICT:
            return self._judged(place, rows, count)
        time, _ = _asked_for(place)
        key = max([time, *(at for at, _ in rows)])
        if place.order == ACTIVITY:
            return self._by_activity(place.but(keys=(*place.keys, key)))
        # One millisecond above its own is within what two pages overlap by.
        if key <= time + 1:
            return self._on(place, key)
        return place.but(step=VERDICT).leads(
            self.listing, direction="BEFORE", modTime=text(time + 1), results=MOST
        )

    def stuck(self, request: Request, place: Place, ids: Iterable[str]) -> Request:
        """Ask for a page again that did not lead on, and doubt what was thought of the order."""
        if place.order == MODIFICATION:
            return super().stuck(request, place, ids)
        if place.again >= RETRIES:
            raise PagingError(
                f"the conversations at {text(place.bound or 0)} do not lead on: too many of them "
                "share the millisecond, or they change faster than they can be read"
            )
        place = place.but(order=None, again=place.again + 1)
        return self.before(request, place, most=True)

    def moved(self, place: Place) -> bool:
        """Return whether rows moved; where the order is not known yet, that is not either."""
        newer = (place.top or 0) > (place.mark or 0)
        return place.fresh or place.order is None or (place.order == ACTIVITY and newer)

    def catching_up(self, place: Place) -> Place:
        """Return where another pass begins; without an order only ids tell what was delivered."""
        again = super().catching_up(place).but(order=place.order)
        return again if place.order == MODIFICATION else again.but(seen=place.seen)

    def _noted(self, place: Place, rows: Sequence[Row]) -> Place:
        ids = [*place.seen, *(id_ for _, id_ in rows)]
        again = 0 if any(self.wanted(place, rows)) else place.again
        return self.taken(place, rows).but(seen=tuple(dict.fromkeys(ids)), again=again)

    def _probe(self, place: Place) -> Request:
        """Return the request for the newest item of the next row to ask for."""
        return place.but(step=PROBE).leads(self.items(_asked_for(place)[1]))

    def _judged(self, place: Place, rows: Sequence[Row], count: int) -> Request | None:
        """Tell the order from what lies below a row: by modification, the row itself."""
        time, id_ = _asked_for(place)
        if any(one == id_ for _, one in rows):
            return self._on(place.but(order=MODIFICATION), time)
        if count >= MOST and all(time <= at <= time + 1 for at, _ in rows):
            raise PagingError(
                f"{count} conversations or more were modified at {text(time)}: "
                "that hides in which order Circuit lists them"
            )
        return self._probe(place.but(order=ACTIVITY))

    def _by_activity(self, place: Place) -> Request | None:
        """Go on from the older end of a page, once both are known."""
        if len(place.keys) < len(place.ends):
            return self._probe(place)
        if not place.later:
            place = place.but(top=max(*place.keys, place.top or 0))
        return self._on(place, min(place.keys))

    def _on(self, place: Place, lowest: int) -> Request | None:
        """Go on with the list itself."""
        request = self.listing.with_raw_query(place.page)
        ids = place.edge if place.order == MODIFICATION else place.seen
        return self.onward(request, _answered(place), lowest, ids)


def without_answer(listing: Request, question: Request) -> Request | None:
    """Return the page again whose row cannot be asked for: whoever left a conversation may not.

    Where it stays in the list all the same, the refusal stands.
    """
    if question.note.get("step") != PROBE:
        return None
    place = Place.of(question)
    if place.again >= RETRIES:
        return None
    return _answered(place).but(again=place.again + 1).leads(listing.with_raw_query(place.page))


def _answered(place: Place) -> Place:
    """Forget what was asked on the way."""
    return place.but(step=None, page="", ends=(), lowest=None, edge=(), keys=())


def _contradicted(place: Place, rows: Sequence[Row]) -> bool:
    """Return whether a row was modified after the bound that it should lie below."""
    return place.bound is not None and any(time > place.bound + 1 for time, _ in rows)


def _asked_for(place: Place) -> Row:
    """Return the row whose newest item is asked for."""
    if place.order == ACTIVITY:
        return place.ends[len(place.keys)]
    return place.lowest or (0, "")
