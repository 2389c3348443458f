"""The only loops that wait: they ask, read, and ask on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar, cast

from attrs import evolve, field, frozen, mutable

from conversations_hub.checkpoint import Place
from conversations_hub.errors import (
    ConfigurationError,
    CursorExpiredError,
    HubError,
    NotFoundError,
    PagingError,
    ProviderError,
    StatusError,
    TranslationError,
)
from conversations_hub.fates import Memory, Write, explain, fate_of, looks
from conversations_hub.models import Author, Message, Participant, Ref
from conversations_hub.people import Directory, named, nameless
from conversations_hub.provider import Provider
from conversations_hub.raw import Raw
from conversations_hub.recipes import Attempt, Call, Listing, Outcome, Page, Question, Recipe
from conversations_hub.transport import Transport
from conversations_hub.watching import Watch
from conversations_hub.wire import Request, Response

T = TypeVar("T")

log: logging.Logger = logging.getLogger("conversations_hub.fetch")


@frozen(kw_only=True)
class Batch(Generic[T]):
    """What one answer brought: items, and in their places errors for unreadable records."""

    request: Request
    entries: list[T | TranslationError]
    next: Request | None
    raw: Raw | None
    items: tuple[T, ...] = ()
    """All that could be read, wanted or not."""
    place: Place | None = None
    """Where a checkpoint goes on, as long as nothing of it is taken."""


@mutable(kw_only=True)
class Fetcher:
    """Answers recipes for a hub's providers."""

    transport: Transport
    providers: Mapping[str, Provider]
    directory: Directory | None = None
    keep_raw: bool = True
    watch: Watch = field(factory=Watch)
    _memory: Memory = field(factory=Memory, init=False)

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
        provider, operation = self.provider_of(call), operation_of(call)
        with self.watch.call(provider.name, operation):
            if call.attempt is not None:
                found = await self._looked(provider, call, operation, call.attempt)
            else:
                found = await self._answered(provider, call, operation)
        return found if self.keep_raw else _bare(found)

    async def _looked(
        self, provider: Provider, call: Call[T], operation: str, attempt: Attempt
    ) -> T:
        """Look for what became of a write, again while it may still be carried out."""
        name, pauses = provider.name, looks(call.patience)
        while True:
            before = self._memory.known_to(attempt)
            found = await self._answered(provider, call, operation)
            if not isinstance(found, Outcome):
                return found
            # What is looked for under its own name was changed, and is nobody's to claim.
            if found.happened is not False and (
                not Write(call=call, attempt=attempt).wrote(found.value)
                or await self._memory.claimed(found, attempt, before, name)
            ):
                return found
            if found.happened is False:
                pause = next(pauses, None)
                if pause is None:
                    return found
                await self.transport.pause(pause)

    async def _answered(self, provider: Provider, call: Call[T], operation: str) -> T:
        while not call.request.is_write:
            found, _ = await self._step(provider, call, operation)
            if not isinstance(found, Call):
                return found
            call = _onward(call, found)
        writing = self._memory.begun(provider.name)
        try:
            return await self._written(provider, call, operation)
        finally:
            self._memory.ended(provider.name, writing)

    async def _written(self, provider: Provider, call: Call[T], operation: str) -> T:
        written: Write | None = None
        made: list[Ref] = []
        while True:
            step = Write(call=call, attempt=self._memory.attempt(self.transport.now(provider)))
            try:
                found, done = await self._step(provider, call, operation)
            except HubError as error:
                fate, last = fate_of(
                    step,
                    written,
                    error,
                    timeout=self.transport.timeout,
                    read_lag=provider.read_lag,
                )
                self._memory.remember(*made, owner=last)
                if fate is error:
                    raise
                raise fate from error
            except asyncio.CancelledError as error:
                self._memory.remember(*made)
                explain(error, step, written)
                raise
            if done and step.is_seen:
                written = step
            if not isinstance(found, Call):
                self._memory.remember(*made)
                if written is not None and written.wrote(found):
                    self._memory.remember(found)
                return found
            made += found.made
            call = _onward(call, found)

    async def _step(
        self, provider: Provider, call: Call[T], operation: str
    ) -> tuple[T | Call[T], bool]:
        """Ask once; a refusal may be an answer, too, but then nothing was written."""
        try:
            try:
                _, response = await self._send(provider, call.request, operation)
            except StatusError as error:
                if call.recover is None:
                    raise
                return call.recover(error), False
            try:
                return call.read(response), True
            except (ConfigurationError, NotFoundError) as error:
                if not call.request.is_write or call.prepares:
                    raise
                # It said yes, which is not taken back because of what the yes leads to.
                raise TranslationError(f"the answer is of no use: {error.args[0]}") from error
        except (TranslationError, PagingError, CursorExpiredError) as error:
            raise placed(error, provider, operation)  # noqa: B904 - the same error

    async def batch(self, listing: Listing[T], request: Request) -> Batch[T]:
        """Ask for one page and read it."""
        provider, operation = self.provider_of(listing), operation_of(listing)
        with self.watch.call(provider.name, operation):
            return await self._batch(provider, listing, request, operation)

    async def _batch(
        self, provider: Provider, listing: Listing[T], request: Request, operation: str
    ) -> Batch[T]:
        request, response = await self._send(provider, request, operation)
        if not self.keep_raw:
            response = evolve(response, keep_raw=False)
        try:
            page = listing.read(request, response)
        except (TranslationError, PagingError, CursorExpiredError) as error:
            raise placed(error, provider, operation)  # noqa: B904 - the same error
        onward = page.next
        if listing.enough is not None and page.items and listing.enough(page.items):
            onward = None
        items = await self._with_names(provider, page.items) if self.directory else page.items
        entries = _entries(items, page, listing)
        for _, broken in page.broken:
            placed(broken, provider, operation)
        self.watch.page(
            provider.name,
            operation,
            items=len(page.items),
            broken=len(page.broken),
            last=onward is None,
        )
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
        """Look people up; where that fails, they stay without a name, and nothing else is lost."""
        try:
            return await self.run(call)
        except (StatusError, TranslationError) as error:
            if error.transient:
                raise
            if not isinstance(error, NotFoundError):  # which says that nobody is known there
                # Not what it says, in which there may be words of people.
                log.warning(
                    "%s: no names, since looking them up raised %s",
                    error.provider,
                    type(error).__name__,
                    extra={"hub_provider": error.provider, "hub_status": error.status},
                )
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


def _onward(call: Call[T], then: Call[T]) -> Call[T]:
    """Return the next call, which is part of the same question."""
    return evolve(then, question=call.question, runner=call.runner)


def _bare(found: T) -> T:
    """Return what was found without its payload."""
    thing: Any = found
    if isinstance(thing, Outcome):
        return cast("T", evolve(thing, value=_bare(thing.value)))
    return cast("T", evolve(thing, raw=None)) if getattr(thing, "raw", None) is not None else found


def _conversation(items: Sequence[Any]) -> Ref | None:
    first = items[0] if items else None
    return first.conversation if isinstance(first, Message | Participant) else None


def operation_of(recipe: Recipe) -> str:
    """Return the name of a recipe's question."""
    return recipe.question.name if recipe.question else "?"


def placed(error: ProviderError, provider: Provider, operation: str) -> ProviderError:
    """Say which provider and which operation an error that a pure function raised belongs to.

    The frames of what read an answer have people's words among their variables, and are left out.
    An answer may name a place or a type as it likes, such as by what it was just shown.
    """
    error.provider, error.operation = provider.name, operation
    error.args = (provider.redact(error.args[0]),)
    one: BaseException | None = error
    while one is not None:
        one.__traceback__, one = None, one.__cause__
    return error


def _entries(items: Iterable[T], page: Page[T], listing: Listing[T]) -> list[T | TranslationError]:
    """Put broken records in their places among the items that are wanted."""
    entries: list[T | TranslationError] = list(items)
    for place, error in reversed(page.broken):
        entries.insert(place, error)
    if (keep := listing.keep) is None:
        return entries
    return [e for e in entries if isinstance(e, TranslationError) or keep(e)]
