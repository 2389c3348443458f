"""The walks that answer one question together: who reads what, and when all has been read."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any, Generic, TypeVar, cast

from attrs import evolve, field, mutable

from conversations_hub.errors import ConfigurationError, ProviderError, UnsupportedError
from conversations_hub.fetch import Batch, Fetcher, operation_of
from conversations_hub.recipes import Listing, TwoEnds, Windows
from conversations_hub.walk import Walk, key_of
from conversations_hub.windows import Span, Window, beginning, cuts
from conversations_hub.wire import TOTAL, Request

T = TypeVar("T")

MOST = 1000
"""The most places of a list that can be read at a time."""


@mutable(kw_only=True, eq=False)
class Team(Generic[T]):
    """Walks through the lists that answer a question, each through its own."""

    listing: Listing[T]
    walks: list[Walk[T]]
    parallel: int | None = None
    seen: set[str] | None = field(default=None, init=False)
    """The keys of what was delivered, where several walks may find the same."""
    over: list[Walk[T]] = field(factory=list, init=False)
    """Walks that are over, while a checkpoint may still need their pages."""

    def __attrs_post_init__(self) -> None:
        several = self.parallel is not None or len(self.walks) > 1
        if several or any(walk.listing.repeats for walk in self.walks):
            self.seen = set()

    @property
    def is_saved_whole(self) -> bool:
        """Whether a checkpoint must take along what was delivered."""
        return len(self.walks) > 1 or (self.listing.moving and self.listing.repeats)

    @property
    def firsts(self) -> list[Request]:
        """The first requests, by which a checkpoint knows the walks."""
        return [walk.listing.request for walk in self.walks]

    def recall(self) -> None:
        """Remember what the walks of a resumed checkpoint had read last."""

    def joining(self) -> list[Walk[T]]:
        """Return further walks that can begin now."""
        return []

    @property
    def readers(self) -> list[Walk[T]]:
        """The walks that deliver items."""
        return self.walks

    def left(self, walk: Walk[T], untaken: Container[Walk[T]]) -> Request | None:
        """Return the request that a checkpoint goes on with, if pages of some walks are untaken."""
        del untaken
        return walk.onward

    def done(self) -> list[Walk[T]]:
        """Take out the walks that are over and return them, where new ones take their place."""
        return []


@mutable(kw_only=True, eq=False)
class Ends(Team[T]):
    """Two walks that come towards each other: when one meets what the other read, all is read.

    What a walk meets again itself, as rows that moved, is no meeting: each has its own memory.
    """

    split: TwoEnds
    _read: list[set[str]] = field(init=False)
    _met: bool = field(default=False, init=False)
    _unasked: Request | None = field(default=None, init=False)
    """What the first walk would have asked next when they met."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self._read = [set(), set()]
        for walk in self.walks:
            walk.company = self

    def recall(self) -> None:
        """Count the last items before a checkpoint as read; the other walk will meet them."""
        self._read = [set(walk.trail) for walk in self.walks]

    @property
    def is_saved_whole(self) -> bool:
        """Whether a checkpoint must take along what was delivered."""
        return True

    def arrived(self, walk: Walk[Any], batch: Batch[Any]) -> Batch[Any]:
        """End both walks where they meet, or where one has read all there is."""
        me = self.walks.index(walk)
        if me and not self._counts(walk, batch):
            # What it has of this page is no place to meet, not after a checkpoint either.
            walk.next, walk.trail = None, ()
            return batch
        keys = {key_of(item) for item in batch.items}
        self._read[me] |= keys
        if self._met or keys & self._read[1 - me] or (walk.next is None and not me):
            self._unasked = self._unasked if self._met else self.walks[0].next
            self._met, walk.next = True, None
            self.walks[1 - me].stop()
        return batch

    def left(self, walk: Walk[T], untaken: Container[Walk[T]]) -> Request | None:
        """Let the first walk go on until the other's pages are taken, which may end at its wall."""
        if walk is self.walks[0] and walk.onward is None and self.walks[1] in untaken:
            return self._unasked
        return walk.onward

    def excuses(self, walk: Walk[Any], error: ProviderError) -> bool:
        """Return whether a refusal only means that the other end can be read no further."""
        wall = self.split.wall
        return walk is self.walks[1] and wall is not None and type(error) is wall

    def holds(self, walk: Walk[Any]) -> bool:
        """Hold neither back."""
        del walk
        return False

    def _counts(self, walk: Walk[Any], batch: Batch[Any]) -> bool:
        """Return whether a page from the other end begins where the one before it ended.

        Where pages are counted, rows that are gone let others move up and past the walk. Then
        what lies between has to be read from this end.
        """
        if self.split.total is None or batch.raw is None:
            return True
        total, before = self.split.total(batch.raw), batch.request.note.get(TOTAL, 0)
        if walk.next is not None:
            walk.next = walk.next.with_note(**walk.next.note, **{TOTAL: total})
        return total is not None and not (isinstance(before, int) and total < before)


@mutable(kw_only=True, eq=False)
class Crew(Team[T]):
    """Walks that each read a window of the list; one that is done takes a part of the longest left.

    It begins with one walk from the newest item on, whose first page shows how much there may be.
    """

    fetcher: Fetcher
    split: Windows
    _scout: Walk[Any] | None = field(default=None, init=False)
    _is_scouting: bool = field(default=False, init=False)
    _found: int | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        for walk in self.walks:
            walk.company = self
        if (scout := self.split.scout) is not None and self.walks:
            asked = evolve(scout, question=self.listing.question)
            self._scout = Walk(
                fetcher=self.fetcher, listing=asked, next=asked.request, company=self
            )

    @property
    def is_saved_whole(self) -> bool:
        """Whether a checkpoint must take along what was delivered."""
        return True

    @property
    def readers(self) -> list[Walk[T]]:
        """The walks that deliver items."""
        return [walk for walk in (*self.over, *self.walks) if walk is not self._scout]

    @property
    def firsts(self) -> list[Request]:
        """The first requests, by which a checkpoint knows the walks: for all, that of the list."""
        return [self.listing.request for _ in self.readers]

    def joining(self) -> list[Walk[T]]:
        """Return further walks, as far as places are free and there is enough to read."""
        # A page that nobody has taken holds its place, so that a slow reader holds the walks back.
        idle = (self.parallel or 1) - sum(not walk.is_over for walk in self.walks)
        if not self._is_scouting and self._scout is not None and idle > 0:
            self._is_scouting = True
            self.walks.append(self._scout)
            return [self._scout]
        at_work = [walk for walk in self.walks if walk.goes_on and walk is not self._scout]
        spans = {walk: span for walk in at_work if (span := self._span(walk.window))}
        shares = cuts(list(spans.values()), idle)
        found = [
            self._below(walk, border)
            for walk, borders in zip(spans, shares, strict=True)
            # From the bottom up: each takes what is left below its own border.
            for border in reversed(borders)
        ]
        self.walks.extend(found)
        return found

    def done(self) -> list[Walk[T]]:
        """Take out the walks that are over and return them."""
        over = [walk for walk in self.walks if walk.is_over]
        self.walks[:] = [walk for walk in self.walks if walk not in over]
        self.over.extend(over)
        return over

    def arrived(self, walk: Walk[Any], batch: Batch[Any]) -> Batch[Any]:
        """Note how far a walk has come, and end it at its border."""
        window, onward = walk.window, batch.next
        if window is None:
            self._found = next(iter(batch.items), None)
            return evolve(batch, entries=[])
        if onward is not None and not self.split.waits(onward):
            window.moved(self.split.reached(batch.items, onward, window.at))
            if window.is_read:
                onward = self.split.after_all(onward)
        if onward is None or self.split.waits(onward):
            window.pace = 0  # there is nothing left to share
            # What changed meanwhile moved to the top: no other walk has to look for it.
            onward = onward if window.hi is None else None
        walk.next = onward
        if self._scout is not None and not any(w.next for w in self.walks if w is not self._scout):
            self._scout.stop()
        return batch

    def excuses(self, walk: Walk[Any], error: ProviderError) -> bool:
        """Return whether the refusal is only the scout's, without whom the others go on."""
        del error
        return walk is self._scout

    def holds(self, walk: Walk[Any]) -> bool:
        """Catch up with changes only when all that may change has been taken."""
        if walk.next is None or walk is self._scout or not self.split.waits(walk.next):
            return False
        return any(not other.is_over for other in self.readers if other is not walk)

    def _span(self, window: Window | None) -> Span | None:
        """Return what a walk has left, as far as that can be told."""
        if window is None or window.lost or not window.pace:
            return None
        if (bottom := window.lo) is None:
            if self._scout is not None and self._scout.next is not None:
                return None  # it will be known soon
            known = [b for b in (self._found, self.split.bottom) if b is not None]
            bottom = max((b for b in known if b < window.at), default=None)
        return None if bottom is None else Span(top=window.at, bottom=bottom, pace=window.pace)

    def _below(self, walk: Walk[T], border: int) -> Walk[T]:
        """Return a walk that takes over what is below a border."""
        window = cast("Window", walk.window)
        part, window.lo = Window(lo=window.lo, hi=border), border
        found = _reader(self.fetcher, self.listing, self.split, part, walk.next)
        found.company = self
        return found


def check_parallel(parallel: Any) -> None:
    """Refuse what is no number of places."""
    if parallel is None:
        return
    if not isinstance(parallel, int) or isinstance(parallel, bool) or not 1 <= parallel <= MOST:
        raise ConfigurationError(
            f"parallel must be a number of pages to read at a time, 1 to {MOST}"
        )


def team_of(fetcher: Fetcher, listing: Listing[T], parallel: int | None) -> Team[T]:
    """Return the team that reads a listing, at up to `parallel` places at a time."""
    check_parallel(parallel)
    if parallel is None or parallel == 1:
        parts = [_of(part, listing) for part in listing.parts]
        walks = [Walk(fetcher=fetcher, listing=part, next=part.request) for part in parts]
        return Team(listing=listing, walks=walks)
    listing = _splittable(fetcher, listing)
    if isinstance(listing.split, TwoEnds):
        back = evolve(listing, request=listing.split.backwards)
        walks = [Walk(fetcher=fetcher, listing=one, next=one.request) for one in (listing, back)]
        return Ends(listing=listing, walks=walks, parallel=parallel, split=listing.split)
    split = cast("Windows", listing.split)
    windows = beginning(split.extent, parallel)
    walks = [_reader(fetcher, listing, split, window) for window in windows]
    return Crew(listing=listing, walks=walks, parallel=parallel, split=split, fetcher=fetcher)


def _of(part: Listing[T], whole: Listing[T]) -> Listing[T]:
    """Return a part that knows which question it helps to answer."""
    return part if part.question is whole.question else evolve(part, question=whole.question)


def _reader(
    fetcher: Fetcher,
    listing: Listing[T],
    split: Windows,
    window: Window,
    like: Request | None = None,
) -> Walk[T]:
    """Return the walk through a window of a list, which asks in the manner of `like`."""
    first = listing.request
    if window.hi is not None:
        first = split.part(window.lo, window.hi, like or first)
    # Windows overlap, so what came before must be dropped.
    part = evolve(listing, request=first, repeats=True)
    return Walk(fetcher=fetcher, listing=part, next=first, window=window)


def _splittable(fetcher: Fetcher, listing: Listing[T]) -> Listing[T]:
    """Return a listing that can be read from several places, or say why it cannot."""
    provider, operation = fetcher.provider_of(listing), operation_of(listing)
    asked = listing.question.arguments if listing.question else {}
    if listing.sort_key is not None or asked.get("order") is not None:
        raise ConfigurationError(
            "from several places items come in no order; leave out order= or parallel=",
            provider=provider.name,
            operation=operation,
        )
    if listing.split is None or listing.beside:
        raise UnsupportedError(
            f"{type(provider).__name__}'s API gives this list, at least with these filters, only "
            "page by page; leave parallel= out",
            provider=provider.name,
            operation=operation,
        )
    return listing


def resumed(
    fetcher: Fetcher, listing: Listing[T], parallel: int | None, windows: Sequence[Window | None]
) -> Team[T]:
    """Return the team that goes on where a checkpoint was taken, its walks yet to be placed."""
    team = team_of(fetcher, listing, parallel)
    if not isinstance(team, Crew):
        return team
    walks = []
    for window in windows:
        if window is None:
            raise ConfigurationError("a walk does not say which part of the list it reads")
        walks.append(_reader(fetcher, team.listing, team.split, window))
    return evolve(team, walks=walks)
