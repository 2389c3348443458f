"""Tells what a list has gained by a write, where nothing in it tells the new from the old."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from attrs import evolve

from conversations_hub.errors import PagingError
from conversations_hub.providers.sunshine.values import Thing
from conversations_hub.recipes import Attempt, Call, Listing, Outcome
from conversations_hub.wire import Request, Response
from conversations_hub.writing import find, found_again

T = TypeVar("T", bound=Thing)
R = TypeVar("R")


def gaining(listing: Listing[T], same: Callable[[T], bool], write: Call[T]) -> Call[T]:
    """Return the write, before which the list is read, so that its outcome can be told."""

    def after(before: frozenset[str]) -> Call[T]:
        def reconcile(attempt: Attempt) -> Call[Outcome[T]]:
            def is_it(one: T) -> bool:
                return one.id not in before and not is_known(one, attempt) and same(one)

            return find(listing, is_it, found_again)

        return evolve(write, reconcile=reconcile)

    return _ids(listing, after)


def is_known(one: Thing, attempt: Attempt) -> bool:
    """Tell whether this hub has written a thing otherwise."""
    return one.ref is not None and one.ref in attempt.known


def _ids(listing: Listing[T], then: Callable[[frozenset[str]], Call[R]]) -> Call[R]:
    """Read a list to its end; `then` says what follows from its ids."""

    def step(request: Request, ids: frozenset[str], asked: frozenset[bytes]) -> Call[R]:
        def read(response: Response) -> Call[R]:
            page = listing.read(request, response)
            seen = ids | {one.id for one in page.items}
            if page.next is None:
                return then(seen)
            if page.next.key in asked:
                raise PagingError(f"the list goes in circles: {page.next.place}")
            return step(page.next, seen, asked | {page.next.key})

        return Call(request=request, read=read)

    return step(listing.request, frozenset(), frozenset({listing.request.key}))
