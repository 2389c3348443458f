"""Walks through one list, page by page, and finds its place again."""

from __future__ import annotations

import asyncio
from collections import deque
from hashlib import blake2b
from typing import Any, Generic, Protocol, TypeVar, cast

from attrs import astuple, evolve, field, has, mutable

from conversations_hub.checkpoint import Place
from conversations_hub.circles import Trodden
from conversations_hub.errors import (
    CursorExpiredError,
    PagingError,
    ProviderError,
    TranslationError,
)
from conversations_hub.fetch import Batch, Fetcher, operation_of, placed
from conversations_hub.models import Ref
from conversations_hub.recipes import Listing
from conversations_hub.windows import Window
from conversations_hub.wire import Request

T = TypeVar("T")

TRAIL = 10
"""How many of the last items are remembered, to find the place by."""


def key_of(item: Any) -> str:
    """Return the key of an item: its own or its id, or a digest of a value without one.

    Checkpoints are made of these, so that a value's own words must not be in them.
    """
    ref = getattr(item, "ref", None)
    if isinstance(ref, Ref):
        return str(getattr(item, "key", ref.id))
    # All fields that count in equality, since `repr` leaves out secret ones.
    told = astuple(item, filter=lambda field, _: bool(field.eq)) if has(type(item)) else item
    return blake2b(repr(told).encode(), digest_size=12).hexdigest()


EMPTY = 1000
"""How many pages in a row may be empty before that is an error."""


class Company(Protocol):
    """What a walk must ask the others with whom it shares a list."""

    def arrived(self, walk: Walk[Any], batch: Batch[Any]) -> Batch[Any]:
        """Look at a page, and decide what comes after it: the walk's `next`."""
        ...

    def excuses(self, walk: Walk[Any], error: ProviderError) -> bool:
        """Return whether a refusal only ends this walk, since the others read the rest."""
        ...

    def holds(self, walk: Walk[Any]) -> bool:
        """Return whether a walk has to wait for the others before it goes on."""
        ...


@mutable(kw_only=True, eq=False)
class Walk(Generic[T]):
    """The reading of one list: the request that is next, and the pages fetched ahead."""

    fetcher: Fetcher
    listing: Listing[T]
    next: Request | None
    company: Company | None = field(default=None, repr=False)
    window: Window | None = None
    """The part of the list it reads, where others read the rest of it."""
    trail: tuple[str, ...] = ()
    """The last items of the pages before `next`: where to go on from if its cursor expires."""
    had: frozenset[str] = frozenset()
    """Items that were delivered and will come again, on a page that is asked for again."""
    ready: deque[Batch[T] | Exception] = field(factory=deque, init=False)
    task: asyncio.Task[None] | None = field(default=None, init=False)
    _gave_up: Request | None = field(default=None, init=False)
    _asked: Trodden = field(factory=Trodden, init=False)
    _empty: int = field(default=0, init=False)
    """How many pages in a row had nothing on them."""
    _astray: bool = field(default=False, init=False)
    """Whether the page that is next was read before, and led back to an earlier one."""
    _gathered: list[T | TranslationError] = field(factory=list, init=False)
    _expired: CursorExpiredError | None = field(default=None, init=False)
    """Why the list is read once more from its start."""
    _sought: Place | None = field(default=None, init=False)
    """The place whose cursor expired, until a page comes that has it."""

    def go_on_at(self, place: Place) -> None:
        """Go on where a checkpoint was taken."""
        self.next, self.trail, self.had = place.request, place.trail, place.had
        self._asked = Trodden.after(place.way)

    def place(self, request: Request | None) -> Place:
        """Return where a checkpoint goes on, if this is the walk's next request."""
        if self._sought is not None:
            return self._sought
        if self.listing.sort_key is not None:
            # Nothing of it was delivered before it was read to its end.
            return Place(request=request and self.listing.request, had=self.had)
        return Place(request=request, trail=self.trail, had=self.had, way=self._asked.way)

    async def step(self) -> Batch[T]:
        """Return the next page; after an error the next step asks for the same page again."""
        if self.listing.sort_key is not None:
            return await self._whole()
        return await self._page()

    async def _page(self) -> Batch[T]:
        request = cast("Request", self.next)
        self._doubt(request)
        try:
            batch = await self.fetcher.batch(self.listing, request)
        except CursorExpiredError as error:
            self._start_anew(error)
            return await self._page()
        except ProviderError as error:
            if self.company is None or not self.company.excuses(self, error):
                raise
            batch = Batch(request=request, entries=[], next=None, raw=None)
        empty = not (batch.items or batch.entries)
        batch = _each_once(batch)
        if self._sought is not None:
            batch = self._behind(self._sought, batch)
        place = self.place(request)
        batch = self._without_had(batch)
        self.trail = (*self.trail, *map(key_of, batch.items[-TRAIL:]))[-TRAIL:]
        for asked in {_step(request), _step(batch.request)}:
            self._asked.add(asked)
        self._empty = self._empty + 1 if empty else 0
        self.next = batch.next
        if self.company is not None:
            batch = self.company.arrived(self, batch)
        # Up to here, the envelope may have been looked at.
        raw = batch.raw if self.fetcher.keep_raw else None
        batch = evolve(batch, next=self.next, place=place, raw=raw)
        if self.next is not None and _step(self.next) in self._asked:
            self._turn_back(request, batch)
        return batch

    def _doubt(self, request: Request) -> None:
        """Raise what is odd about a page, once; the next step asks for it all the same."""
        if self._astray:
            self._astray = False
            raise self._stuck(f"the list goes in circles: a page of {request.place} comes again")
        if self._empty >= EMPTY:
            self._empty = 0
            raise self._stuck(
                f"{EMPTY:,} pages in a row were empty, and still there are more; ask on, "
                f"if that can be: {request.place}"
            )

    def _turn_back(self, request: Request, batch: Batch[T]) -> None:
        """Let the next step say that a page leads astray, and the one after it ask for it again."""
        self._astray = True
        self.next = request
        if self.listing.sort_key is None:
            self.had |= {key_of(item) for item in batch.items}

    def _stuck(self, why: str) -> ProviderError:
        provider, operation = self.fetcher.provider_of(self.listing), operation_of(self.listing)
        return placed(PagingError(why), provider, operation)

    def _start_anew(self, error: CursorExpiredError) -> None:
        """Go back to the first page, once.

        Where a checkpoint takes along all that was delivered, whoever reads drops it. Else the
        list is in an order that lasts, so that the place can be found by the items before it.
        """
        if self._expired is not None or not self.trail:
            raise error
        self._expired = error
        moves = self.listing.moving and self.listing.repeats
        if self.company is None and self.listing.sort_key is None and not moves:
            self._sought = self.place(self.next)
        self._asked = Trodden()
        self.next = self.listing.request

    def _behind(self, sought: Place, batch: Batch[T]) -> Batch[T]:
        """Leave out what comes before the first known item near the place.

        From there on, whatever was not delivered is new.
        """
        known = sought.had.union(sought.trail)
        keys = [key_of(item) for item in batch.items]
        first = next((n for n, key in enumerate(keys) if key in known), None)
        if first is None:
            if batch.next is None:
                raise cast("CursorExpiredError", self._expired)
            return evolve(batch, entries=[], items=())
        self._sought, self.had = None, known.union(keys[:first])
        return batch

    def _without_had(self, batch: Batch[T]) -> Batch[T]:
        """Leave out what was delivered, which comes again only once."""
        # A list that is put in order is delivered, and so looked through, as a whole.
        if not self.had or self.listing.sort_key is not None:
            return batch
        entries = [e for e in batch.entries if key_of(e) not in self.had]
        self.had -= {key_of(e) for e in (*batch.items, *batch.entries)}
        return evolve(batch, entries=entries)

    async def _whole(self) -> Batch[T]:
        """Read to the end before the first item, since the API cannot give the order."""
        raw, place = None, self.place(self.next)
        seen = {key_of(e) for e in self._gathered}
        while self.next is not None:
            batch = await self._page()
            raw = batch.raw
            self._gathered += [e for e in batch.entries if is_new(e, seen)]
        wanted = [e for e in self._gathered if key_of(e) not in self.had]
        errors = [e for e in wanted if isinstance(e, TranslationError)]
        items = [e for e in wanted if not isinstance(e, TranslationError)]
        if (key := self.listing.sort_key) is not None:
            items.sort(key=key)
        self._gathered = []
        return Batch(
            request=self.listing.request,
            entries=[*errors, *items],
            next=None,
            raw=raw,
            place=place,
        )

    def go_on(self, arrived: asyncio.Event, depth: int) -> bool:
        """Fetch ahead in the background; say whether anything more can come."""
        running = self.task is not None and not self.task.done()
        failed = bool(self.ready) and isinstance(self.ready[-1], Exception)
        if not running and not failed and self.goes_on and len(self.ready) < depth:
            self.task = asyncio.create_task(self._fill(arrived, depth))
            running = True
        return running or bool(self.ready)

    async def _fill(self, arrived: asyncio.Event, depth: int) -> None:
        try:
            while self.goes_on and len(self.ready) < depth:
                self.ready.append(await self.step())
                arrived.set()
        except Exception as error:  # noqa: BLE001 - handed to the consumer, whatever it is
            self.ready.append(error)
        finally:
            arrived.set()

    @property
    def goes_on(self) -> bool:
        """Whether there is a page to ask for now."""
        return self.next is not None and not (self.company and self.company.holds(self))

    @property
    def is_over(self) -> bool:
        """Whether every page has been asked for, and taken."""
        return self.onward is None and not self.is_ahead

    @property
    def is_ahead(self) -> bool:
        """Whether there is a page, or one on its way, that nobody has taken."""
        return bool(self.ready) or (self.task is not None and not self.task.done())

    def stop(self) -> None:
        """Read no further, not even what was asked for: others have it."""
        self.next = None
        if self.task is not None:
            self.task.cancel()

    def give_up(self) -> None:
        """Read no further; a checkpoint goes on where this stopped."""
        self._gave_up, self.next = self.next, None
        self.ready.clear()

    @property
    def onward(self) -> Request | None:
        """What a checkpoint goes on with, as far as pages were asked for."""
        return self.next or self._gave_up

    def cancel(self) -> asyncio.Task[None] | None:
        """Stop fetching ahead; return the task that is ending."""
        task = self.task
        if task is None or task.done() or task.get_loop().is_closed():
            return None
        if not task.cancelling():
            task.cancel()
        return task


def _each_once(batch: Batch[T]) -> Batch[T]:
    """Leave out what is on a page twice."""
    items: tuple[Any, ...] = batch.items
    try:
        known = {item.ref.id for item in items}
    except AttributeError:
        known = {key_of(item) for item in items}
    if len(known) == len(items):
        return batch
    seen: set[str] = set()
    entries = [e for e in batch.entries if is_new(e, seen)]
    return evolve(batch, entries=entries, items=tuple({key_of(one): one for one in items}.values()))


def _step(request: Request) -> int:
    """Return a number that a request is known by, in another process, too."""
    return int.from_bytes(blake2b(request.key, digest_size=8).digest())


def is_new(entry: Any, seen: set[str]) -> bool:
    """Remember an item and say whether it came for the first time; errors always count as new."""
    if isinstance(entry, TranslationError):
        return True
    key = key_of(entry)
    if key in seen:
        return False
    seen.add(key)
    return True
