"""Names people whom a payload knows only by id: looks them up in batches, and remembers."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

from attrs import evolve, field, mutable

from conversations_hub.models import Author, Message, Participant, Ref, Role

T = TypeVar("T")

MOST = 50_000
"""How many are remembered before expired ones are dropped."""


@mutable
class Directory:
    """Who is behind a ref, for as long as `ttl` seconds; an unknown ref is remembered as such."""

    ttl: float = 900.0
    _known: dict[Ref, tuple[float, Author | None]] = field(factory=dict, init=False)

    def unknown(self, refs: Iterable[Ref]) -> list[Ref]:
        """Return the refs to look up, each once."""
        now = time.monotonic()
        return [r for r in dict.fromkeys(refs) if self._known.get(r, (0.0, None))[0] <= now]

    def learn(self, asked: Iterable[Ref], found: Mapping[Ref, Author]) -> None:
        """Remember what was found, and what was asked for and not found."""
        until = time.monotonic() + self.ttl
        if len(self._known) > MOST:
            now = time.monotonic()
            self._known = {ref: known for ref, known in self._known.items() if known[0] > now}
        for ref in asked:
            self._known[ref] = (until, found.get(ref))

    def get(self, ref: Ref | None) -> Author | None:
        """Return whom a ref stands for, as far as is known."""
        return self._known[ref][1] if ref in self._known else None


def nameless(items: Sequence[Any]) -> list[Ref]:
    """Return the refs of people in these items who have no name yet."""
    return [ref for item in items for ref in _refs(item)]


def _refs(item: Any) -> list[Ref]:
    if isinstance(item, Participant):
        return [item.user] if item.user and item.name is None else []
    if isinstance(item, Message):
        people = (item.author, *item.recipients)
        return [p.ref for p in people if p is not None and p.ref and p.name is None]
    return []


def named(item: T, directory: Directory) -> T:
    """Return the item with the names that the directory knows."""
    if isinstance(item, Participant) and item.name is None:
        who = directory.get(item.user)
        if who is not None:
            role = who.role if item.role is Role.UNKNOWN else item.role
            return cast("T", evolve(item, user=who.ref, name=who.name, role=role))
    if isinstance(item, Message) and _refs(item):
        return cast(
            "T",
            evolve(
                item,
                author=_named(item.author, directory) if item.author else None,
                recipients=tuple(_named(r, directory) for r in item.recipients),
            ),
        )
    return item


def _named(author: Author, directory: Directory) -> Author:
    who = directory.get(author.ref) if author.name is None else None
    if who is None:
        return author
    role = who.role if author.role is Role.UNKNOWN else author.role
    return Author(ref=who.ref, name=who.name, role=role)
