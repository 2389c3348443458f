"""Finds what is newer than what was there before a write, in lists whose ids only grow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from conversations_hub.recipes import Call, Listing
from conversations_hub.writing import gather

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
    one would leave nothing to a later write. `listing` has the newest first.
    """
    return gather(
        listing,
        lambda one: number(one) > newest and wanted(one),
        lambda found: then(sorted(found, key=number)),
        enough=lambda page, _: any(number(one) <= newest for one in page),
    )
