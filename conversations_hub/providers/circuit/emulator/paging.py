"""Cuts pages: by modification time, and by pointers the server remembers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import field, frozen, mutable

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from conversations_hub.emulator.corpus import Corpus
    from conversations_hub.providers.circuit.emulator.switches import CircuitSwitches

Row = dict[str, Any]

REMEMBERED = 1000
"""So many pointers are kept; older ones have expired."""


@frozen(kw_only=True)
class Window:
    """What a time listing asks for: so many rows on one side of a millisecond."""

    edge: int
    backward: bool
    results: int

    def page(
        self,
        rows: Iterable[Row],
        stamp: Callable[[Row], tuple[int, str]],
        switches: CircuitSwitches,
    ) -> list[Row]:
        """Return the rows of one page."""
        inclusive = switches.boundary == "inclusive"
        matching = [row for row in rows if self._holds(stamp(row)[0], inclusive)]
        matching.sort(key=stamp)
        oldest = not self.backward and switches.after == "nearest"
        page = matching[: self.results] if oldest else matching[-self.results :]
        return page if switches.page_order == "asc" else page[::-1]

    def _holds(self, time: int, inclusive: bool) -> bool:
        if time == self.edge:
            return inclusive
        return (time < self.edge) == self.backward


@mutable
class Pointers:
    """Remembers how far each search was read, as the server does."""

    corpus: Corpus
    _rest: dict[str, tuple[Hashable, list[Row]]] = field(factory=dict, init=False)

    def resume(self, search: Hashable, pointer: str) -> list[Row] | None:
        """Return what is left of a search, or nothing for a pointer that is not its own."""
        owner, rest = self._rest.get(pointer, (None, []))
        return rest if owner == search else None

    def keep(self, search: Hashable, rest: list[Row]) -> str:
        """Return a pointer to what is left of a search."""
        pointer = self.corpus.uuid()
        self._rest[pointer] = (search, rest)
        if len(self._rest) > REMEMBERED:
            del self._rest[next(iter(self._rest))]
        return pointer
