"""Finds what is newer than what was there before a write, in lists whose ids only grow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from conversations_hub.errors import PagingError, TranslationError
from conversations_hub.recipes import Call, Listing
from conversations_hub.wire import Request, Response

T = TypeVar("T")
R = TypeVar("R")


def newer(
    listing: Listing[T],
    number: Callable[[T], int],
    newest: int,
    wanted: Callable[[T], bool],
    then: Callable[[Sequence[T]], R | Call[R]],
) -> Call[R]:
    """Go on with all that is newer and wanted, the oldest first.

    The first of several equal ones belongs to the first of several writes: whoever takes another
    one would leave nothing to a later write. `listing` has the newest first. Where nothing is
    found, a record that cannot be read might be the one, and raises.
    """

    def step(
        request: Request,
        before: tuple[T, ...],
        broken: tuple[TranslationError, ...],
        asked: frozenset[bytes],
    ) -> Call[R]:
        def read(response: Response) -> R | Call[R]:
            page = listing.read(request, response)
            late = [one for one in page.items if number(one) > newest]
            found = (*before, *filter(wanted, late))
            errors = (*broken, *(error for _, error in page.broken))
            if page.next is None or len(late) < len(page.items):
                if errors and not found:
                    raise errors[0]
                return then(sorted(found, key=number))
            if page.next.key in asked:
                raise PagingError(f"the list goes in circles: {page.next.place}")
            return step(page.next, found, errors, asked | {page.next.key})

        return Call(request=request, read=read)

    return step(listing.request, (), (), frozenset({listing.request.key}))
