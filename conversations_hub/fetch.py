"""The only loops that wait: they ask for pages and hand out items."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast

from attrs import evolve, field, frozen, mutable

from conversations_hub import checkpoint as saving
from conversations_hub.errors import (
    CheckpointError,
    ConfigurationError,
    PagingError,
    ProviderError,
    StatusError,
    TranslationError,
)
from conversations_hub.models import Author, Message, Participant, Ref
from conversations_hub.people import Directory, named, nameless
from conversations_hub.provider import Provider
from conversations_hub.raw import Raw
from conversations_hub.recipes import Call, Listing, Page, Question, Recipe
from conversations_hub.transport import Transport
from conversations_hub.wire import Request, Response

T = TypeVar("T")

log: logging.Logger = logging.getLogger("conversations_hub.fetch")


@frozen(kw_only=True)
class Batch(Generic[T]):
    """What one answer brought: items and, in their places, the records that could not be read."""

    request: Request
    entries: list[T | TranslationError]
    next: Request | None
    raw: Raw | None


@mutable(kw_only=True)
class Fetcher:
    """Answers recipes for a hub's providers."""

    transport: Transport
    providers: Mapping[str, Provider]
    directory: Directory | None = None

    def provider_of(self, recipe: Recipe) -> Provider:
        """Return the provider that a recipe came from."""
        name = recipe.question.provider if recipe.question else ""
        if name not in self.providers:
            raise ConfigurationError(
                f"this hub has no provider {name!r}; it has {', '.join(self.providers) or 'none'}"
            )
        return self.providers[name]

    async def run(self, call: Call[T]) -> T:
        """Ask, read, and go on with the next call until there is a value."""
        provider, operation = self.provider_of(call), _operation(call)
        while True:
            _, response = await self._send(provider, call.request, operation)
            try:
                found = call.read(response)
            except (TranslationError, PagingError) as error:
                raise _placed(error, provider, operation)  # noqa: B904 - the same error
            if not isinstance(found, Call):
                return found
            call = found

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
        return Batch(request=request, entries=entries, next=onward, raw=page.raw)

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
        except StatusError as error:
            if error.transient:
                raise
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
    ready: deque[Batch[T] | Exception] = field(factory=deque, init=False)
    task: asyncio.Task[None] | None = field(default=None, init=False)
    _gave_up: Request | None = field(default=None, init=False)
    _asked: set[int] = field(factory=set, init=False)
    _gathered: list[T | TranslationError] = field(factory=list, init=False)

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
                PagingError(f"the list goes in circles: {request.url} comes again"),
                self.fetcher.provider_of(self.listing),
                _operation(self.listing),
            )
        batch = await self.fetcher.batch(self.listing, request)
        self._asked.add(asked)
        self.next = batch.next
        return batch

    async def _whole(self) -> Batch[T]:
        """Read to the end before the first item, since the API cannot give the order."""
        first, raw = self.listing.request, None
        seen = {key_of(e) for e in self._gathered}
        while self.next is not None:
            batch = await self._page()
            raw = batch.raw
            self._gathered += (
                [e for e in batch.entries if _is_new(e, seen)]
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
        # A list that is put in order was not delivered before it was read to its end.
        return self.listing.request if onward and self.listing.sort_key else onward

    def cancel(self) -> asyncio.Task[None] | None:
        """Stop fetching ahead; return the task that is ending."""
        task, self.task = self.task, None
        if task is None or task.done() or task.get_loop().is_closed():
            return None
        task.cancel()
        return task


def _is_new(entry: Any, seen: set[str]) -> bool:
    """Remember an item and say whether it came for the first time; errors always count as new."""
    if isinstance(entry, TranslationError):
        return True
    key = key_of(entry)
    if key in seen:
        return False
    seen.add(key)
    return True


class Pager(AsyncIterator[T]):
    """The items of one or more lists, page by page, fetched while they are consumed.

    After an error the next step asks for the same page again; only a list's own end ends it.
    A pager is for one consumer at a time. Several lists are read side by side, each at least
    one page ahead.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        questions: Sequence[Sequence[Walk[T]]],
        *,
        limit: int | None = None,
        prefetch: int = 1,
        on_error: str = "raise",
        seen: Sequence[Iterable[str]] = (),
    ) -> None:
        if limit is not None and not (isinstance(limit, int) and limit >= 0):
            raise ConfigurationError("limit is a number of items, or None for all")
        if prefetch < 0:
            raise ConfigurationError("prefetch is a number of pages, 0 for none")
        if on_error not in {"raise", "continue"}:
            raise ConfigurationError(f"on_error is 'raise' or 'continue', not {on_error!r}")
        self.errors: list[ProviderError] = []
        self._fetcher = fetcher
        self._questions = questions
        self._walks = deque(walk for walks in questions for walk in walks)
        self._left = limit
        self._prefetch = prefetch
        self._on_error = on_error
        # What is dropped when it comes again: across the lists of one question.
        self._seen: dict[int, set[str]] = {}
        for index, walks in enumerate(questions):
            if len(walks) > 1 or any(walk.listing.repeats for walk in walks):
                before = set(seen[index]) if index < len(seen) else set()
                for walk in walks:
                    before.update(walk.next.note.get("seen", ()) if walk.next else ())
                self._seen.update((id(walk), before) for walk in walks)
        self._arrived = asyncio.Event()
        self._walk: Walk[T] | None = None
        self._batch: Batch[T] | None = None
        self._entries: list[T | TranslationError] = []
        self._at = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while True:
            at = self._at
            if at < len(self._entries):
                self._at = at + 1
                entry = self._entries[at]
                if not isinstance(entry, TranslationError):
                    return entry
                self._set_aside(entry)
            else:
                await self._advance()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        # A loop that was left early drops its pager: nothing goes on fetching for it.
        for walk in getattr(self, "_walks", ()):
            walk.cancel()

    async def aclose(self) -> None:
        """Stop fetching; a second time does nothing."""
        ending = [task for walk in self._walks if (task := walk.cancel())]
        await asyncio.gather(*ending, return_exceptions=True)

    async def take_page(self) -> Page[T]:
        """Return what is left of this page, or the next one; those without items are passed."""
        items = [await self.__anext__()]
        for entry in self._entries[self._at :]:
            if isinstance(entry, TranslationError):
                break
            items.append(entry)
        self._at += len(items) - 1
        batch = cast("Batch[T]", self._batch)
        return Page(items=tuple(items), next=batch.next, raw=batch.raw)

    def pages(self) -> AsyncIterator[Page[T]]:
        """Iterate pages instead of items, from where the items stopped."""
        return Pages(self)

    async def collect(self, *, limit: int | None) -> list[T]:
        """Return the items that are left in a list: at most `limit`, or all where it is None."""
        found: list[T] = []
        while limit is None or len(found) < limit:
            try:
                found.append(await self.__anext__())
            except StopAsyncIteration:
                break
        return found

    def checkpoint(self) -> dict[str, Any]:
        """Return where the consumer is, as a JSON-able value for `hub.resume`."""
        rest = self._entries[self._at :]
        waiting = sum(not isinstance(e, TranslationError) for e in rest)
        return saving.write(
            saving.Checkpoint(
                version=saving.VERSION,
                questions=tuple(self._saved(walks) for walks in self._questions),
                limit=None if self._left is None else self._left + waiting,
                prefetch=self._prefetch,
                on_error=self._on_error,
            )
        )

    def _saved(self, walks: Sequence[Walk[T]]) -> saving.SavedQuestion:
        question = walks[0].listing.question
        if question is None:
            raise CheckpointError("a recipe that no provider's method made cannot be saved")
        seen: set[str] = set()
        if len(walks) > 1 or walks[0].listing.moving:
            untaken = {key_of(e) for e in self._entries[self._at :]}
            seen = self._seen[id(walks[0])] - untaken
        return saving.SavedQuestion(
            provider=question.provider,
            name=question.name,
            arguments=saving.saved_arguments(question.arguments),
            walks=tuple(self._saved_walk(walk) for walk in walks),
            seen=tuple(sorted(seen)),
        )

    def _saved_walk(self, walk: Walk[T]) -> saving.SavedWalk:
        provider = self._fetcher.provider_of(walk.listing)
        taken: set[str] = walk.taken
        request = walk.onward
        ahead = next((b for b in walk.ready if isinstance(b, Batch)), None)
        if ahead is not None:
            request = ahead.request
        if walk is self._walk and self._batch is not None and self._at < len(self._entries):
            request = self._batch.request
            rest = {key_of(e) for e in self._entries[self._at :]}
            taken = walk.taken | ({key_of(e) for e in self._batch.entries} - rest)
        return saving.SavedWalk(
            first=provider.fingerprint(walk.listing.request),
            next=None if request is None else saving.relative(request, provider.base_url),
            note={} if request is None else request.note,
            taken=tuple(sorted(taken)),
        )

    async def _advance(self) -> None:
        """Move on to the next page, or say that there is none."""
        if self._left == 0:
            await self.aclose()
            raise StopAsyncIteration
        walk, batch = await self._next_batch()
        entries = batch.entries
        if walk.taken:
            entries = [e for e in entries if key_of(e) not in walk.taken]
            # Newer rows may have pushed some of them off this page and onto the next.
            walk.taken -= {key_of(e) for e in batch.entries}
        if (seen := self._seen.get(id(walk))) is not None and walk.listing.sort_key is None:
            entries = [e for e in entries if _is_new(e, seen)]
        if self._left is not None:
            entries = _first(entries, self._left)
            self._left -= sum(not isinstance(e, TranslationError) for e in entries)
        self._walk, self._batch, self._entries, self._at = walk, batch, entries, 0

    async def _next_batch(self) -> tuple[Walk[T], Batch[T]]:
        while True:
            self._arrived.clear()
            walk = next((w for w in self._walks if w.ready), None)
            if walk is None and len(self._walks) == 1 and self._idle(self._walks[0]):
                walk = self._walks[0]
                got: Batch[T] | Exception = await self._directly(walk)
            elif walk is not None:
                got = walk.ready.popleft()
                self._walks.remove(walk)
                self._walks.append(walk)
            else:
                depth = max(1, self._prefetch)
                coming = [w.go_on(self._arrived, depth) for w in self._walks]
                if not any(coming):
                    raise StopAsyncIteration
                await self._arrived.wait()
                continue
            if isinstance(got, Batch):
                self._look_ahead(walk, got)
                return walk, got
            self._failed(walk, got)

    def _idle(self, walk: Walk[T]) -> bool:
        return walk.next is not None and (walk.task is None or walk.task.done())

    async def _directly(self, walk: Walk[T]) -> Batch[T] | Exception:
        """Fetch without a task: a list of one page needs none."""
        try:
            return await walk.step()
        except ProviderError as error:
            return error

    def _look_ahead(self, walk: Walk[T], batch: Batch[T]) -> None:
        depth = self._prefetch if len(self._walks) == 1 else max(1, self._prefetch)
        if depth and (self._left is None or self._left > len(batch.entries)):
            walk.go_on(self._arrived, depth)

    def _failed(self, walk: Walk[T], error: Exception) -> None:
        if self._on_error == "raise" or not isinstance(error, ProviderError):
            raise error
        self.errors.append(error)
        walk.give_up()

    def _set_aside(self, error: TranslationError) -> None:
        if self._on_error == "raise":
            raise error
        self.errors.append(error)


def _first(entries: list[T | TranslationError], limit: int) -> list[T | TranslationError]:
    """Return the entries up to so many items."""
    kept: list[T | TranslationError] = []
    for entry in entries:
        if limit == 0:
            break
        kept.append(entry)
        limit -= not isinstance(entry, TranslationError)
    return kept


class Pages(AsyncIterator[Page[T]]):
    """The pages of a pager."""

    def __init__(self, pager: Pager[T]) -> None:
        self._pager = pager

    async def __anext__(self) -> Page[T]:
        return await self._pager.take_page()
