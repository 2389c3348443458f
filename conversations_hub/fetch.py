"""The only loops that wait: they ask, read, and ask on."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar, cast

from attrs import evolve, field, frozen, mutable

from conversations_hub.errors import (
    AmbiguousWriteError,
    ConfigurationError,
    CursorExpiredError,
    NotFoundError,
    PagingError,
    ProviderError,
    ServerError,
    StatusError,
    TranslationError,
    TransportError,
)
from conversations_hub.models import Author, Message, Participant, Ref
from conversations_hub.people import Directory, named, nameless
from conversations_hub.provider import Provider
from conversations_hub.raw import Raw
from conversations_hub.recipes import Attempt, Call, Listing, Outcome, Page, Question, Recipe
from conversations_hub.transport import Transport
from conversations_hub.wire import Request, Response

T = TypeVar("T")

TRAIL = 10
"""So many items are remembered to find a place by."""

REMEMBERED = 1000
"""So many things are remembered that were written."""

log: logging.Logger = logging.getLogger("conversations_hub.fetch")


@frozen(kw_only=True)
class Batch(Generic[T]):
    """What one answer brought: items and, in their places, the records that could not be read."""

    request: Request
    entries: list[T | TranslationError]
    next: Request | None
    raw: Raw | None
    items: tuple[T, ...] = ()
    """All that could be read, wanted or not."""
    trail: tuple[str, ...] = ()
    """The last items of the pages before."""


@frozen(kw_only=True)
class Write:
    """One request of a call, and when it was made."""

    call: Call[Any]
    attempt: Attempt

    def reconciling(self, patience: float) -> Call[Outcome[Any]] | None:
        """Return the call that finds out what became of it."""
        if self.call.reconcile is None:
            return None
        return evolve(
            self.call.reconcile(self.attempt),
            question=self.call.question,
            runner=self.call.runner,
            attempt=self.attempt,
            patience=patience,
        )


@mutable
class Known:
    """What a hub has written so far, but not what an attempt turned out to have written."""

    written: Mapping[Ref, int | None]
    attempt: int | None = None

    def __contains__(self, ref: object) -> bool:
        return isinstance(ref, Ref) and self.written.get(ref, self.attempt) != self.attempt


@mutable(kw_only=True)
class Fetcher:
    """Answers recipes for a hub's providers."""

    transport: Transport
    providers: Mapping[str, Provider]
    directory: Directory | None = None
    _written: dict[Ref, int | None] = field(factory=dict, init=False)
    """What this hub wrote lately, and which attempt turned out to have written it."""
    _under_way: dict[str, set[asyncio.Future[None]]] = field(factory=dict, init=False)
    """The calls that wait for an answer, by provider."""

    def provider_of(self, recipe: Recipe) -> Provider:
        """Return the provider that a recipe came from."""
        name = recipe.question.provider if recipe.question else ""
        if name not in self.providers:
            raise ConfigurationError(
                f"this hub has no provider {name!r}; it has {', '.join(self.providers) or 'none'}"
            )
        return self.providers[name]

    async def run(self, call: Call[T]) -> T:
        """Ask, read, and go on with the next call until there is a value.

        A write whose fate is unknown, or after which something fails, is an
        `AmbiguousWriteError`.
        """
        if call.attempt is not None:
            return await self._looked(call, call.attempt)
        # Who looks for what became of a write must know of all the others.
        done = asyncio.get_running_loop().create_future()
        under_way = self._under_way.setdefault(self.provider_of(call).name, set())
        under_way.add(done)
        try:
            return await self._answered(call)
        finally:
            under_way.discard(done)
            done.set_result(None)

    async def _looked(self, call: Call[T], attempt: Attempt) -> T:
        """Look for what became of a write, again while it may still be carried out."""
        pauses = _looks(call.patience)
        while True:
            found = await self._answered(call)
            if not isinstance(found, Outcome):
                return found
            if found.happened is False:
                pause = next(pauses, None)
                if pause is None:
                    return found
                await asyncio.sleep(pause)
            elif found.happened is None or await self._is_its_own(found, call, attempt):
                return found

    async def _is_its_own(self, found: Outcome[Any], call: Call[Any], attempt: Attempt) -> bool:
        """Tell whether what was found is not what another write is just being told of."""
        ref = getattr(found.value, "ref", None)
        if not isinstance(ref, Ref) or ref in attempt.known:
            return True  # nothing, or what was there before
        under_way = self._under_way.get(self.provider_of(call).name)
        if under_way:
            await asyncio.wait(set(under_way))
        if ref in attempt.known:
            return False
        self._remember(found.value, attempt)
        return True

    async def _answered(self, call: Call[T]) -> T:
        provider, operation = self.provider_of(call), _operation(call)
        written: Write | None = None
        while True:
            step = Write(call=call, attempt=self._attempt(provider))
            try:
                found, done = await self._step(provider, call, operation)
            except ProviderError as error:
                fate = self._fate(step, written, error)
                if fate is error:
                    raise
                raise fate from error
            if done and call.request.is_write and not call.prepares:
                written = step
            if not isinstance(found, Call):
                if written is not None:
                    self._remember(found, None)
                return found
            call = evolve(found, question=call.question, runner=call.runner)

    async def _step(
        self, provider: Provider, call: Call[T], operation: str
    ) -> tuple[T | Call[T], bool]:
        """Ask once; a refusal may be an answer, too, but then nothing was done."""
        try:
            try:
                _, response = await self._send(provider, call.request, operation)
            except StatusError as error:
                if call.recover is None:
                    raise
                return call.recover(error), False
            return call.read(response), True
        except (TranslationError, PagingError) as error:
            raise _placed(error, provider, operation)  # noqa: B904 - the same error

    def _remember(self, found: Any, attempt: Attempt | None) -> None:
        """Remember what was written, or found to have been by whom."""
        made = found.value if isinstance(found, Outcome) else found
        if isinstance(ref := getattr(made, "ref", None), Ref):
            self._written[ref] = None if attempt is None else id(attempt)
            if len(self._written) > REMEMBERED:
                del self._written[next(iter(self._written))]

    def _attempt(self, provider: Provider) -> Attempt:
        now, give_or_take = self.transport.now(provider)
        known = Known(self._written)
        attempt = Attempt(since=now - give_or_take, known=known)
        known.attempt = id(attempt)
        return attempt

    def _patience(self, error: ProviderError) -> float:
        """Return how long a provider may still be at work; as long again as we had waited."""
        busy = error.status == 504 or (isinstance(error, TransportError) and error.timed_out)
        return self.transport.timeout if busy else 0.0

    def _fate(self, step: Write, written: Write | None, error: ProviderError) -> ProviderError:
        """Return what to tell of an error: after a write, it is not known to have failed."""
        if isinstance(error, AmbiguousWriteError):
            return error
        unsure = step.call.request.is_write and not step.call.prepares and _may_be_done(error)
        if written is None and not unsure:
            return error
        last = step if unsure else written
        if last is None:
            return error
        return AmbiguousWriteError(
            f"{'it may have been done' if unsure else 'a part of it was done'}: {error.args[0]}; "
            f"{'await error.reconcile' if last.call.reconcile else 'read it back'} to find out "
            "before you repeat it",
            provider=error.provider,
            operation=error.operation,
            cause=error,
            reconcile=last.reconciling(self._patience(error)),
        )

    async def batch(self, listing: Listing[T], request: Request) -> Batch[T]:
        """Ask for one page and read it."""
        provider, operation = self.provider_of(listing), _operation(listing)
        request, response = await self._send(provider, request, operation)
        try:
            page = listing.read(request, response)
        except (TranslationError, PagingError) as error:
            raise _placed(error, provider, operation)  # noqa: B904 - the same error
        onward = page.next
        if listing.enough is not None and page.items and listing.enough(page.items):
            onward = None
        items = await self._with_names(provider, page.items) if self.directory else page.items
        entries = _entries(items, page, listing)
        for _, broken in page.broken:
            _placed(broken, provider, operation)
        return Batch(request=request, entries=entries, next=onward, raw=page.raw, items=page.items)

    async def _send(
        self, provider: Provider, request: Request, operation: str
    ) -> tuple[Request, Response]:
        while True:
            try:
                return request, await self.transport.send(provider, request, operation)
            except StatusError as error:
                other = provider.instead(request, error)
                if other is None:
                    raise
                request = other

    async def _named_people(self, call: Call[Mapping[Ref, Author]]) -> Mapping[Ref, Author]:
        """Look people up; who may not be looked up has no name, which keeps nothing from anyone."""
        try:
            return await self.run(call)
        except (StatusError, TranslationError) as error:
            if error.transient:
                raise
            if not isinstance(error, NotFoundError):  # which says that nobody is known there
                log.warning("no names: %s", error)
            return {}

    async def _with_names(self, provider: Provider, items: tuple[T, ...]) -> tuple[T, ...]:
        directory = self.directory
        if directory is None:
            return items
        if refs := directory.unknown(nameless(items)):
            found: dict[Ref, Author] = {}
            asking = Question(provider=provider.name, name="people")
            for call in provider.people(_conversation(items), refs):
                found.update(await self._named_people(evolve(call, question=asking)))
            directory.learn([*refs, *found], found)
        return tuple(named(item, directory) for item in items)


def _conversation(items: Sequence[Any]) -> Ref | None:
    first = items[0] if items else None
    return first.conversation if isinstance(first, Message | Participant) else None


def _looks(patience: float) -> Iterator[float]:
    """Yield the pauses between looks: few, growing, and no longer than the patience in all."""
    if patience:
        yield from (patience / 15 * 2**n for n in range(4))
    yield 0.0


def _may_be_done(error: ProviderError) -> bool:
    """Tell whether a write that ended so may have been carried out."""
    if isinstance(error, TransportError):
        return error.sent
    return isinstance(error, ServerError | TranslationError | PagingError)


def _operation(recipe: Recipe) -> str:
    return recipe.question.name if recipe.question else "?"


def _placed(error: ProviderError, provider: Provider, operation: str) -> ProviderError:
    """Say which provider and which operation an error that a pure function raised belongs to."""
    error.provider, error.operation = provider.name, operation
    return error


def _entries(items: Iterable[T], page: Page[T], listing: Listing[T]) -> list[T | TranslationError]:
    """Put broken records in their places among the items that are wanted."""
    entries: list[T | TranslationError] = list(items)
    for place, error in reversed(page.broken):
        entries.insert(place, error)
    if (keep := listing.keep) is None:
        return entries
    return [e for e in entries if isinstance(e, TranslationError) or keep(e)]


def key_of(item: Any) -> str:
    """Return what an item is known by: its id, or for small values the value itself."""
    ref = getattr(item, "ref", None)
    return ref.id if isinstance(ref, Ref) else repr(item)


@mutable(kw_only=True, eq=False)
class Walk(Generic[T]):
    """One list on its way: the request that is next and the pages that came ahead of need."""

    fetcher: Fetcher
    listing: Listing[T]
    next: Request | None
    taken: set[str] = field(factory=set)
    """Items that the consumer had before a checkpoint was saved and that will come once more."""
    trail: tuple[str, ...] = ()
    """The last items of the pages before `next`: where to go on from if its cursor expires."""
    ready: deque[Batch[T] | Exception] = field(factory=deque, init=False)
    task: asyncio.Task[None] | None = field(default=None, init=False)
    _gave_up: Request | None = field(default=None, init=False)
    _asked: set[int] = field(factory=set, init=False)
    _gathered: list[T | TranslationError] = field(factory=list, init=False)
    _expired: CursorExpiredError | None = field(default=None, init=False)
    """Why the list is read once more from its start, up to the trail."""
    _place: Request | None = field(default=None, init=False)
    """The request whose cursor expired, until its place is found: where a checkpoint goes on."""
    _met: bool = field(default=False, init=False)

    async def step(self) -> Batch[T]:
        """Return the next page; after an error the next step asks for the same page again."""
        if self.listing.sort_key is not None:
            return await self._whole()
        return await self._page()

    async def _page(self) -> Batch[T]:
        request = cast("Request", self.next)
        asked = hash(request.key)
        if asked in self._asked:
            raise _placed(
                PagingError(f"the list goes in circles: a page of {request.place} comes again"),
                self.fetcher.provider_of(self.listing),
                _operation(self.listing),
            )
        try:
            batch = await self.fetcher.batch(self.listing, request)
        except CursorExpiredError as error:
            self._start_anew(error)
            return await self._page()
        if self._place is not None:
            batch = self._caught_up(batch, self._place)
        keys = [key_of(item) for item in batch.items[-TRAIL:]]
        trail, self.trail = self.trail, (*self.trail, *keys)[-TRAIL:]
        self._asked.add(asked)
        self.next = batch.next
        return evolve(batch, trail=trail)

    def _start_anew(self, error: CursorExpiredError) -> None:
        """Go back to the first page, once, to find the place by the items before it."""
        if self._expired is not None or not self.trail:
            raise error
        self._expired, self._met = error, False
        self._asked.clear()
        self._place, self.next = self.next, self.listing.request

    def _caught_up(self, batch: Batch[T], place: Request) -> Batch[T]:
        """Leave out what was delivered before the cursor expired.

        Where items may repeat, whoever reads drops them. Else the list is in an order that
        lasts, so that all up to the trail has been there.
        """
        keys = [key_of(item) for item in batch.items]
        last = max((n for n, key in enumerate(keys) if key in self.trail), default=None)
        if self.listing.repeats or (keys and last is None and self._met):
            self._place = None
            return batch
        if last is None and batch.next is None:
            raise cast("CursorExpiredError", self._expired)
        self._met = self._met or last is not None
        there = len(keys) if last is None else last + 1
        before = set(keys[:there])
        after = [e for e in batch.entries if self._met and _is_after(e, before)]
        return evolve(batch, request=place, entries=after, items=batch.items[there:])

    async def _whole(self) -> Batch[T]:
        """Read to the end before the first item, since the API cannot give the order."""
        first, raw = self.listing.request, None
        seen = {key_of(e) for e in self._gathered}
        while self.next is not None:
            batch = await self._page()
            raw = batch.raw
            self._gathered += (
                [e for e in batch.entries if is_new(e, seen)]
                if self.listing.repeats
                else batch.entries
            )
        errors = [e for e in self._gathered if isinstance(e, TranslationError)]
        items = [e for e in self._gathered if not isinstance(e, TranslationError)]
        if (key := self.listing.sort_key) is not None:
            items.sort(key=key)
        self._gathered = []
        return Batch(request=first, entries=[*errors, *items], next=None, raw=raw)

    def go_on(self, arrived: asyncio.Event, depth: int) -> bool:
        """Fetch ahead in the background; say whether anything more can come."""
        running = self.task is not None and not self.task.done()
        failed = bool(self.ready) and isinstance(self.ready[-1], Exception)
        if not running and not failed and self.next is not None and len(self.ready) < depth:
            self.task = asyncio.create_task(self._fill(arrived, depth))
            running = True
        return running or bool(self.ready)

    async def _fill(self, arrived: asyncio.Event, depth: int) -> None:
        try:
            while self.next is not None and len(self.ready) < depth:
                self.ready.append(await self.step())
                arrived.set()
        except Exception as error:  # noqa: BLE001 - handed to the consumer, whatever it is
            self.ready.append(error)
        finally:
            arrived.set()

    def give_up(self) -> None:
        """Read no further; a checkpoint goes on where this stopped."""
        self._gave_up, self.next = self.next, None
        self.ready.clear()

    @property
    def onward(self) -> Request | None:
        """What a checkpoint goes on with, as far as pages were asked for."""
        onward = self.next or self._gave_up
        if onward and self._place:
            onward = self._place
        # A list that is put in order was not delivered before it was read to its end.
        return self.listing.request if onward and self.listing.sort_key else onward

    def cancel(self) -> asyncio.Task[None] | None:
        """Stop fetching ahead; return the task that is ending."""
        task, self.task = self.task, None
        if task is None or task.done() or task.get_loop().is_closed():
            return None
        task.cancel()
        return task


def _is_after(entry: Any, before: set[str]) -> bool:
    """Say whether an entry is not among those before; an error is rather told twice than not."""
    return isinstance(entry, TranslationError) or key_of(entry) not in before


def is_new(entry: Any, seen: set[str]) -> bool:
    """Remember an item and say whether it came for the first time; errors always count as new."""
    if isinstance(entry, TranslationError):
        return True
    key = key_of(entry)
    if key in seen:
        return False
    seen.add(key)
    return True
