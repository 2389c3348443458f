"""How to find out what became of Circuit's writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from conversations_hub.errors import PagingError
from conversations_hub.models import Conversation, Message
from conversations_hub.providers.circuit.paging import EPOCH
from conversations_hub.recipes import Attempt, Call, Listing, Outcome
from conversations_hub.wire import Request, Response
from conversations_hub.writing import after, find, found_again

T = TypeVar("T")
R = TypeVar("R")

Reconcile = Callable[[Attempt], Call[Outcome[T]]]


def found_in(listing: Listing[T], wanted: Callable[[T, Attempt], bool]) -> Reconcile[T]:
    """Return how to find out whether something was made: it is in a list."""

    def reconcile(attempt: Attempt) -> Call[Outcome[T]]:
        return find(listing, lambda one: wanted(one, attempt), found_again)

    return reconcile


def held(listing: Listing[T], wanted: Callable[[T], bool], *, there: bool = True) -> Reconcile[Any]:
    """Return how to find out whether something is in a list now, or no longer is."""

    def reconcile(_: Attempt) -> Call[Outcome[Any]]:
        return find(listing, wanted, lambda one: Outcome(happened=(one is not None) is there))

    return reconcile


def surely(
    listing: Listing[T],
    same: Callable[[T], bool],
    similar: Callable[[T], bool],
    moment: Callable[[T], datetime | None],
) -> Call[Outcome[T]]:
    """Look for what was made; what is only similar may be it, so that nobody can tell.

    The first of several belongs to the first of several writes: whoever takes another one would
    leave nothing to a later write.
    """

    def judged(found: tuple[T, ...]) -> Outcome[T]:
        sure = [one for one in found if same(one)]
        those = sorted(sure or filter(similar, found), key=lambda one: moment(one) or EPOCH)
        if not those:
            return Outcome(happened=False)
        return Outcome(happened=True if sure else None, value=those[0])

    return collected(listing, judged)


def untold(read: Call[T]) -> Reconcile[T]:
    """Return what there is to find out where the API shows nothing of a write."""

    def reconcile(_: Attempt) -> Call[Outcome[T]]:
        return after(read, lambda value: Outcome(happened=None, value=value))

    return reconcile


def collected(listing: Listing[T], then: Callable[[tuple[T, ...]], R | Call[R]]) -> Call[R]:
    """Read a list to its end; `then` says what follows from it."""

    def step(request: Request, before: tuple[T, ...], asked: frozenset[bytes]) -> Call[R]:
        def read(response: Response) -> R | Call[R]:
            page = listing.read(request, response)
            if page.broken:
                raise page.broken[0][1]
            items = (*before, *page.items)
            if page.next is None:
                return then(items)
            if page.next.key in asked:
                raise PagingError(f"the list goes in circles: {page.next.place}")
            return step(page.next, items, asked | {page.next.key})

        return Call(request=request, read=read)

    return step(listing.request, (), frozenset({listing.request.key}))


def arrived(thing: Conversation | Message) -> Mapping[str, Any]:
    """Return what arrived of a thing, under Circuit's names."""
    return {} if thing.raw is None else thing.raw


def not_before(moment: datetime | None, attempt: Attempt) -> bool:
    """Tell whether something may be of this attempt, by its time."""
    return moment is None or moment >= attempt.since
