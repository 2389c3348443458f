"""Tells when a list goes in circles, however long it is, with a memory that does not grow."""

from __future__ import annotations

from collections import deque
from itertools import islice

from attrs import field, mutable

LATEST = 10_000

MANY = 1000
"""How many steps a checkpoint remembers."""


@mutable
class Trodden:
    """The steps of a walk, by what is known of each.

    The latest are all remembered; of those before, one is, twice as far on each time (Brent's
    algorithm), which any circle comes back to in the end.
    """

    _known: set[int] = field(factory=set, init=False)
    _order: deque[int] = field(factory=deque, init=False)
    _far: int | None = field(default=None, init=False)
    count: int = field(default=0, init=False)
    _next: int = field(default=LATEST, init=False)

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
        self.count += 1
        if self.count == self._next:
            self._far, self._next = step, self._next * 2

    def first(self, count: int) -> tuple[int, ...]:
        """Return the latest of the first so many steps, in turn."""
        end = max(0, len(self._order) - (self.count - count))
        return tuple(islice(self._order, max(0, end - MANY), end))
