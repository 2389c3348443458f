"""The iterator that users hold: items and pages, checkpoints, errors set aside."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Any, Generic, Self, TypeVar, cast

from attrs import evolve, frozen

from conversations_hub import checkpoint as saving
from conversations_hub.errors import (
    CheckpointError,
    ConfigurationError,
    ProviderError,
    TranslationError,
)
from conversations_hub.fetch import Batch, Fetcher
from conversations_hub.recipes import Page
from conversations_hub.team import Team
from conversations_hub.walk import Walk, is_new, key_of
from conversations_hub.wire import Request

T = TypeVar("T")

SIDE_BY_SIDE = 32
"""How many lists that answer one question are fetched ahead at a time: each holds a page."""


def check_limit(limit: int | None) -> None:
    """Refuse a limit that is not a number of items."""
    if limit is not None and not (isinstance(limit, int) and limit >= 0):
        raise ConfigurationError("limit must be a number of items, or None for all")


@frozen
class Taking(Generic[T]):
    """A page on its way to the consumer, and what is wanted of it."""

    walk: Walk[T]
    batch: Batch[T]
    entries: list[T | TranslationError]

    @property
    def keys(self) -> set[str]:
        """The keys of the wanted entries."""
        return {key_of(entry) for entry in self.entries}

    @property
    def place(self) -> saving.Place:
        """Where a checkpoint goes on, which asks for the page again."""
        place = cast("saving.Place", self.batch.place)
        return evolve(place, had=place.had | ({key_of(e) for e in self.batch.entries} - self.keys))


class Pager(AsyncIterator[T]):
    """The items of one or more lists, page by page, fetched while they are consumed.

    After an error the next step asks for the same page again; only a list's own end ends it.
    A pager is for one consumer at a time. Several lists are read side by side, up to 32 of one
    question, each at least one page ahead.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        teams: Sequence[Team[T]],
        *,
        limit: int | None = None,
        prefetch: int = 1,
        on_error: str = "raise",
        seen: Sequence[Iterable[str]] = (),
    ) -> None:
        check_limit(limit)
        if not (isinstance(prefetch, int) and prefetch >= 0):
            raise ConfigurationError("prefetch must be a number of pages, 0 for none")
        if on_error not in ("raise", "continue"):
            raise ConfigurationError(f"on_error must be 'raise' or 'continue', not {on_error!r}")
        self.errors: list[ProviderError] = []
        self._fetcher = fetcher
        self._teams = teams
        self._team = {walk: team for team in teams for walk in team.walks}
        self._walks = deque(self._team)
        self._left = limit
        self._prefetch = prefetch
        self._on_error = on_error
        # Per question: what is dropped when it comes again, from whichever of its walks.
        for team, before in zip_longest(teams, seen, fillvalue=()):
            if isinstance(team, Team) and team.seen is not None:
                team.seen.update(before)
                for walk in team.walks:
                    edge = walk.next.note.get("seen", ()) if walk.next else ()
                    team.seen.update(walk.had, walk.trail, edge)
        self._arrived = asyncio.Event()
        self._closed = False
        self._page: Taking[T] | None = None
        self._entries: list[T | TranslationError] = []
        self._at = 0
        self._back: deque[Taking[T]] = deque()
        """Pages that come again, since a `collect` that had them did not finish."""
        self._held: list[Taking[T]] | None = None
        """Pages that a running `collect` has taken; they count as taken when it returns."""

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

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __del__(self) -> None:
        # A loop that was left early drops its pager: nothing goes on fetching for it.
        for walk in getattr(self, "_walks", ()):
            walk.cancel()

    async def aclose(self) -> None:
        """Stop fetching for good; a second time does nothing. A checkpoint can still be taken."""
        self._closed = True
        try:
            # Unlike `gather`, this cancels nobody a second time when it is cancelled itself.
            if ending := [task for walk in self._walks if (task := walk.cancel())]:
                await asyncio.wait(ending)
        finally:
            # A task that was cancelled before it began wakes nobody.
            self._arrived.set()

    async def take_page(self) -> Page[T]:
        """Return what is left of this page, or the next one; those without items are passed."""
        items = [await self.__anext__(), *self._rest()]
        batch = cast("Taking[T]", self._page).batch
        return Page(items=tuple(items), next=batch.next, raw=batch.raw)

    def pages(self) -> AsyncIterator[Page[T]]:
        """Iterate pages instead of items, from where the items stopped."""
        return Pages(self)

    async def collect(self, *, limit: int | None) -> list[T]:
        """Return the items that are left in a list: at most `limit`, or all where it is None.

        One that fails or is cancelled has taken nothing: its items come again.
        """
        check_limit(limit)
        found: list[T] = []
        self._entries, self._at = self._entries[self._at :], 0
        self._held = held = (
            [] if self._page is None else [evolve(self._page, entries=self._entries)]
        )
        try:
            while limit is None or len(found) < limit:
                try:
                    found.append(await self.__anext__())
                except StopAsyncIteration:
                    break
                found += self._rest(None if limit is None else limit - len(found))
        except BaseException:
            self._put_back(held)
            raise
        finally:
            self._held = None
        return found

    def _put_back(self, held: list[Taking[T]]) -> None:
        """Let pages come again, without the errors that were raised."""
        if not held:
            return
        told, rest = self._entries[: self._at], self._entries[self._at :]
        *past, last = held
        self._back.appendleft(evolve(last, entries=[*_items(told), *rest]))
        for page in reversed(past):
            self._back.appendleft(evolve(page, entries=[*_items(page.entries)]))
        self._held = None
        self._turn_to(self._back.popleft())

    def _rest(self, most: int | None = None) -> list[T]:
        """Take what is left of this page up to a broken record, at most `most` items."""
        items: list[T] = []
        for entry in self._entries[self._at :][:most]:
            if isinstance(entry, TranslationError):
                break
            items.append(entry)
        self._at += len(items)
        return items

    def checkpoint(self) -> dict[str, Any]:
        """Return where the consumer is, as a JSON-able value for `hub.resume`."""
        untaken = self._untaken()
        waiting = sum(1 for page in untaken for _ in _items(page.entries))
        return saving.write(
            saving.Checkpoint(
                version=saving.VERSION,
                questions=tuple(self._saved(team, untaken) for team in self._teams),
                limit=None if self._left is None else self._left + waiting,
                prefetch=self._prefetch,
                on_error=self._on_error,
            )
        )

    def _saved(self, team: Team[T], untaken: Sequence[Taking[T]]) -> saving.SavedQuestion:
        question = team.listing.question
        if question is None:
            raise CheckpointError("a recipe that no provider's method made cannot be saved")
        seen: set[str] = set()
        if team.seen is not None and team.is_saved_whole:
            seen = team.seen.difference(*(page.keys for page in untaken))
        provider = self._fetcher.provider_of(team.listing)
        first = {page.walk: page for page in reversed(untaken)}
        waiting = {walk for walk in team.walks if walk.ready or walk in first}
        return saving.SavedQuestion(
            provider=question.provider,
            name=question.name,
            arguments=saving.saved_arguments(question.arguments),
            walks=tuple(
                self._saved_walk(
                    walk, provider.fingerprint(request), team.left(walk, waiting), first.get(walk)
                )
                for walk, request in zip(team.readers, team.firsts, strict=True)
            ),
            seen=tuple(sorted(seen)),
            parallel=team.parallel,
        )

    def _untaken(self) -> list[Taking[T]]:
        """Return what is left of pages that came."""
        rest = self._entries[self._at :]
        current = [evolve(self._page, entries=rest)] if self._page else []
        pages = [*(current if self._held is None else self._held), *self._back]
        return [page for page in pages if page.entries]

    def _saved_walk(
        self, walk: Walk[T], first: str, left: Request | None, page: Taking[T] | None
    ) -> saving.SavedWalk:
        place = walk.place(left)
        ahead = next((b for b in walk.ready if isinstance(b, Batch)), None)
        if ahead is not None and ahead.place is not None:
            place = ahead.place
        if page is not None:
            place = page.place
        base = self._fetcher.provider_of(walk.listing).base_url
        return saving.SavedWalk.of(place, base, first=first, window=walk.window)

    async def _advance(self) -> None:
        """Move on to the next page, or say that there is none."""
        if not self._back:
            if self._left == 0:
                await self.aclose()
                raise StopAsyncIteration
            self._forget()
            self._back.append(self._wanted(*await self._next_batch()))
        self._turn_to(self._back.popleft())

    def _turn_to(self, page: Taking[T]) -> None:
        self._page, self._entries, self._at = page, page.entries, 0
        if (held := self._held) is not None:
            # A page without entries has nothing that could come again.
            if held and not held[-1].entries:
                held.pop()
            held.append(evolve(page, batch=evolve(page.batch, items=())))

    def _wanted(self, walk: Walk[T], batch: Batch[T]) -> Taking[T]:
        """Leave out what the consumer had already, and what is beyond the limit."""
        entries = batch.entries
        if (seen := self._team[walk].seen) is not None and walk.listing.sort_key is None:
            entries = [e for e in entries if is_new(e, seen)]
        if self._left is not None:
            entries = _first(entries, self._left)
            self._left -= sum(1 for _ in _items(entries))
        return Taking(walk, batch, entries)

    async def _next_batch(self) -> tuple[Walk[T], Batch[T]]:
        while not self._closed:
            self._arrived.clear()
            walk = next((w for w in self._walks if w.ready), None)
            if walk is None and self._is_alone() and self._idle(self._walks[0]):
                walk = self._walks[0]
                got: Batch[T] | Exception = await self._directly(walk)
            elif walk is not None:
                got = walk.ready.popleft()
                self._walks.remove(walk)
                self._walks.append(walk)
            else:
                self._let_join()
                if not self._go_on(max(1, self._prefetch)):
                    raise StopAsyncIteration
                await self._arrived.wait()
                continue
            if isinstance(got, Batch):
                self._look_ahead(walk, got)
                return walk, got
            self._failed(walk, got)
        raise ConfigurationError("this pager is closed; resume its checkpoint to go on")

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
        if not depth or self._closed or not (self._left is None or self._left > len(batch.entries)):
            return
        if (team := self._team[walk]).parallel is None:
            if not walk.go_on(self._arrived, depth):
                waiting = (w for w in self._walks if self._team[w] is team and not w.is_ahead)
                any(w.go_on(self._arrived, depth) for w in waiting)  # one takes its place
            return
        # Taking its page may free a place, or be what another walk waited for.
        self._let_join()
        for one in team.walks:
            one.go_on(self._arrived, depth)

    def _go_on(self, depth: int) -> bool:
        """Let walks fetch ahead, some of each question; say whether anything more can come."""
        ahead = Counter(self._team[walk] for walk in self._walks if walk.is_ahead)
        for walk in self._walks:
            team = self._team[walk]
            if team.parallel is None and ahead[team] >= SIDE_BY_SIDE:
                continue
            if not walk.is_ahead and walk.go_on(self._arrived, depth):
                ahead[team] += 1
        return bool(ahead)

    def _is_alone(self) -> bool:
        """Return whether one walk reads one list, so that no task is needed."""
        return len(self._walks) == 1 and self._team[self._walks[0]].parallel is None

    def _let_join(self) -> None:
        """Add the walks that can begin now."""
        for team in self._teams:
            for walk in team.joining():
                self._team[walk] = team
                self._walks.append(walk)

    def _forget(self) -> None:
        """Drop walks that are over; a long list that is read in parts has many."""
        for team in self._teams:
            for walk in team.done():
                del self._team[walk]
                self._walks.remove(walk)
            if self._held is None:
                team.over.clear()

    def _failed(self, walk: Walk[T], error: Exception) -> None:
        if self._on_error == "raise" or not isinstance(error, ProviderError):
            raise error
        self.errors.append(error)
        walk.give_up()

    def _set_aside(self, error: TranslationError) -> None:
        if self._on_error == "raise":
            raise error
        self.errors.append(error)


def _items(entries: Iterable[T | TranslationError]) -> Iterator[T]:
    return (entry for entry in entries if not isinstance(entry, TranslationError))


def _first(entries: list[T | TranslationError], limit: int) -> list[T | TranslationError]:
    """Return the first entries, with at most `limit` items."""
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
