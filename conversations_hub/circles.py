"""Tells when a list goes in circles, however long it is, with a memory that does not grow."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Self

from attrs import field, frozen, mutable

LATEST = 10_000
FEW = 50
"""So many of the latest steps are remembered by a checkpoint."""
FIRST_FAR = 16


@frozen
class Way:
    """What a checkpoint remembers of the steps before it."""

    count: int = 0
    far: int | None = None
    last: tuple[int, ...] = ()
    """The latest first."""


@mutable
class Trodden:
    """The steps of a walk, by what is known of each.

    The latest are all remembered; of those before, one is, twice as far on each time (Brent's
    algorithm), which any circle comes back to in the end.
    """

    _known: set[int] = field(factory=set, init=False)
    _order: deque[int] = field(factory=deque, init=False)
    _far: int | None = field(default=None, init=False)
    _count: int = field(default=0, init=False)
    _next: int = field(default=FIRST_FAR, init=False)

    @classmethod
    def after(cls, way: Way) -> Self:
        """Return the steps that a checkpoint remembers."""
        trodden = cls()
        for step in reversed(way.last):
            trodden.add(step)
        trodden._far, trodden._count, trodden._next = way.far, way.count, FIRST_FAR
        while trodden._next <= way.count:
            trodden._next *= 2
        return trodden

    def __contains__(self, step: int) -> bool:
        return step in self._known or step == self._far

    def add(self, step: int) -> None:
        """Remember a step; one that is taken again is no further step."""
        if step in self:
            return
        self._known.add(step)
        self._order.append(step)
        if len(self._order) > LATEST:
            self._known.discard(self._order.popleft())
        self._count += 1
        if self._count == self._next:
            self._far, self._next = step, self._next * 2

    @property
    def way(self) -> Way:
        """What a checkpoint is to remember."""
        return Way(self._count, self._far, tuple(islice(reversed(self._order), FEW)))
