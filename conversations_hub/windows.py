"""How a list is cut into windows that are read side by side: decisions, without any waiting."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import pairwise

from attrs import Factory, field, frozen, mutable

START = sys.maxsize
"""Where a walk from the newest on begins: above everything."""
WORTH = 2.5
"""How many pages a window must have left to be worth a cut, which costs about one more."""


@mutable(kw_only=True)
class Window:
    """The part of a list that one walk reads, from the top down."""

    lo: int | None = None
    """The border below; None for all there is."""
    hi: int | None = None
    """The border above; None from the newest on."""
    at: int = field(default=Factory(lambda self: self.begins, takes_self=True))
    """All from here up to the border above has been read."""
    pace: int = 0
    """How far the last page led; 0 before there was one."""
    lost: bool = False
    """It cannot be told how far the walk has come: it reads on until its list ends."""

    @property
    def begins(self) -> int:
        """Where its walk begins."""
        return START if self.hi is None else self.hi

    def moved(self, reach: tuple[int, int] | None) -> None:
        """Note from where to where a page led; None where that cannot be told any more."""
        if reach is None or self.lost:
            self.lost, self.lo = True, None
            return
        top, bottom = reach
        if bottom < self.at:
            self.at, self.pace = bottom, max(top - bottom, 1)

    @property
    def is_read(self) -> bool:
        """Whether all above the border has been read."""
        return self.lo is not None and self.at <= self.lo


@frozen(kw_only=True)
class Span:
    """What is left of a window: two borders, and how far one page is likely to lead."""

    top: int
    bottom: int
    pace: int

    @property
    def pages(self) -> float:
        """How many pages are likely to be left."""
        return (self.top - self.bottom) / self.pace

    def cut(self, pieces: int) -> list[int]:
        """Return the borders between equal pieces, from the top down."""
        step = (self.top - self.bottom) / pieces
        borders = {self.top - round(step * number) for number in range(1, pieces)}
        return sorted((b for b in borders if self.bottom < b < self.top), reverse=True)


def cuts(spans: Sequence[Span], idle: int) -> list[list[int]]:
    """Return where each span is to be cut, so that so many more walks have something to read.

    Whoever is idle goes where most pages are left to one walk: by the last page's measure, since
    a list may be crowded in one place and all but empty in another.
    """
    pieces = [1] * len(spans)
    for _ in range(idle):
        left = [span.pages / count for span, count in zip(spans, pieces, strict=True)]
        longest = max(range(len(spans)), key=left.__getitem__, default=None)
        if longest is None or left[longest] < WORTH:
            break
        pieces[longest] += 1
    return [span.cut(count) for span, count in zip(spans, pieces, strict=True)]


def beginning(extent: tuple[int, int] | None, places: int) -> list[Window]:
    """Return the windows to begin with: equal ones, or one where nobody knows how far it goes.

    The topmost and the lowest have no end, so that the extent may be a guess.
    """
    borders: list[int] = []
    if extent is not None:
        bottom, top = extent
        borders = Span(top=top, bottom=bottom, pace=1).cut(places)
    ends: list[int | None] = [None, *borders, None]
    return [Window(hi=hi, lo=lo) for hi, lo in pairwise(ends)]
