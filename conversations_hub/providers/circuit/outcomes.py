"""How to find out what became of Circuit's writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from conversations_hub.models import Conversation, Message
from conversations_hub.providers.circuit.paging import EPOCH
from conversations_hub.recipes import Attempt, Call, Listing, Outcome
from conversations_hub.writing import after, find, found_again, gather

T = TypeVar("T")

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

    def judged(found: Sequence[T]) -> Outcome[T]:
        sure = [one for one in found if same(one)]
        those = sorted(sure or filter(similar, found), key=lambda one: moment(one) or EPOCH)
        if not those:
            return Outcome(happened=False)
        return Outcome(happened=True if sure else None, value=those[0])

    return gather(listing, lambda one: same(one) or similar(one), judged)


def untold(read: Call[T]) -> Reconcile[T]:
    """Return what there is to find out where the API shows nothing of a write."""

    def reconcile(_: Attempt) -> Call[Outcome[T]]:
        return after(read, lambda value: Outcome(happened=None, value=value))

    return reconcile


def arrived(thing: Conversation | Message) -> Mapping[str, Any]:
    """Return what arrived of a thing, under Circuit's names."""
    return {} if thing.raw is None else thing.raw


def not_before(moment: datetime | None, attempt: Attempt) -> bool:
    """Tell whether something may be of this attempt, by its time."""
    return moment is None or moment >= attempt.since
