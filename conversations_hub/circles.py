"""Tells when a list goes in circles, however long it is, with a memory that does not grow."""

from __future__ import annotations

from collections import deque
from itertools import islice

from attrs import field, mutable

LATEST = 10_000

FEW = 10
"""So many steps are remembered by a checkpoint."""


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
        self._count += 1
        if self._count == self._next:
            self._far, self._next = step, self._next * 2

    @property
    def last(self) -> tuple[int, ...]:
        """The last few steps, the latest first."""
        return tuple(islice(reversed(self._order), FEW))

    def clear(self) -> None:
        """Forget all of them."""
        self._known.clear()
        self._order.clear()
        self._far, self._count, self._next = None, 0, LATEST
