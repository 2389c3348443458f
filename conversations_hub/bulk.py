"""Carries out many recipes at a time: bounded workers share one source, and none runs ahead."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
)
from contextlib import asynccontextmanager
from functools import partial
from math import inf
from typing import Any, Generic, Literal, Self, TypedDict, TypeVar

from attrs import define, field, frozen

from conversations_hub.errors import ConfigurationError, HubError

K = TypeVar("K")
V = TypeVar("V")

CLOSED = "this bulk is closed; ask for the rest anew"
AHEAD = 4
"""How many things for each worker may be taken ahead of their results being consumed."""


@frozen(kw_only=True)
class Result(Generic[K, V]):
    """What became of one thing: its value, or the error in its place.

    Of a list that broke off there are both, with what came before the error.
    """

    key: K
    value: V | None = None
    error: HubError | None = None


class Options(TypedDict, total=False):
    """How many are done at a time, and what becomes of them."""

    concurrency: int | None
    """How many at a time; by default, as many as the hub has connections."""
    per_provider: int | None
    """How many of those at one provider."""
    ordered: bool
    """Whether results come in the order of the things, instead of as they are ready."""
    on_error: Literal["raise", "continue"]
    """Whether an error is in its result ("continue", the default) or ends everything."""
    progress: Callable[[Bulk[Any, Any]], None] | None
    """Called with the bulk, and so with its counts, for each result that is handed out."""


@frozen(kw_only=True)
class Job(Generic[K, V]):
    """One thing to do, and at whose provider."""

    key: K
    provider: str
    do: Callable[[], Awaitable[Result[K, V]]]
    at_most: float = inf
    """More than so many at this provider would only wait for one another."""


@define(kw_only=True, eq=False)
class Pool(Generic[K, V]):
    """The source, the workers, and what they have brought.

    It does not know who waits for it, so that it ends with whoever does.
    """

    things: AsyncIterable[Any] | Iterable[Any]
    job_of: Callable[[Any], Job[K, V]]
    concurrency: int
    per_provider: int
    ordered: bool
    fail_fast: bool
    results: deque[Result[K, V]] = field(factory=deque, init=False)
    failure: BaseException | None = field(default=None, init=False)
    broken: Exception | None = field(default=None, init=False)
    """What ended the source before its end."""
    stopped: bool = field(default=False, init=False)
    """Whether a task was cancelled, by whomever: its result will never come."""
    arrived: asyncio.Event = field(factory=asyncio.Event, init=False)
    _room: asyncio.Event = field(factory=asyncio.Event, init=False)
    _tasks: set[asyncio.Task[None]] = field(factory=set, init=False)
    _waiting: dict[str, deque[tuple[int, Job[K, V]]]] = field(factory=dict, init=False)
    _running: Counter[str] = field(factory=Counter, init=False)
    _early: dict[int, Result[K, V]] = field(factory=dict, init=False)
    _taken: int = field(default=0, init=False)
    _given: int = field(default=0, init=False)
    _next: int = field(default=0, init=False)
    _fed: bool = field(default=False, init=False)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self._fed and self._taken == self._given

    def start(self) -> None:
        """Begin to take things."""
        self._spawn(self._feed())

    def give(self) -> Result[K, V]:
        """Hand out the next result, which makes room for another thing."""
        self._given += 1
        self._room.set()
        return self.results.popleft()

    def take_back(self, results: list[Result[K, V]]) -> None:
        """Let results come again, before the others."""
        self._given -= len(results)
        self.results.extendleft(reversed(results))

    def cancel(self) -> list[asyncio.Task[None]]:
        """Stop everything; what was stopped can be waited for."""
        # The event loop may be closed before this is garbage-collected.
        ending = [task for task in self._tasks if not task.get_loop().is_closed()]
        for task in ending:
            # A second time would break off its own cleaning up.
            if not task.cancelling():
                task.cancel()
        return ending

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            self.stopped = True
            self.arrived.set()

    async def _feed(self) -> None:
        """Take things, as far ahead as there is room; each finds a worker, or waits for one."""
        try:
            async with _closing(self.things):
                if isinstance(self.things, AsyncIterable):
                    async for thing in self.things:
                        await self._take(thing)
                else:
                    for thing in self.things:
                        await self._take(thing)
        except Exception as error:  # noqa: BLE001 - it is raised behind the last result
            self.broken = error
        self._fed = True
        self.arrived.set()

    async def _take(self, thing: Any) -> None:
        try:
            job = self.job_of(thing)
        except HubError as error:
            job = Job(key=thing, provider="", do=partial(_refused, error))
        self._waiting.setdefault(job.provider, deque()).append((self._taken, job))
        self._taken += 1
        if self._running.total() < self.concurrency and (found := self._choose()) is not None:
            self._spawn(self._work(*found))
        while self._taken - self._given >= AHEAD * self.concurrency:
            self._room.clear()
            await self._room.wait()

    def _choose(self) -> tuple[int, Job[K, V]] | None:
        """Return the next job: of the provider that has the fewest workers now."""
        able = [
            name
            for name, jobs in self._waiting.items()
            if self._running[name] < min(self.per_provider, jobs[0][1].at_most)
        ]
        if not able:
            return None
        name = min(able, key=self._running.__getitem__)
        self._running[name] += 1
        found = self._waiting[name].popleft()
        # There may be thousands of providers, and few with something to do.
        if not self._waiting[name]:
            del self._waiting[name]
        return found

    async def _work(self, place: int, job: Job[K, V]) -> None:
        """Do one job after another, until there is none left."""
        found: tuple[int, Job[K, V]] | None = (place, job)
        while found is not None:
            place, job = found
            result: Result[K, V] = Result(key=job.key)
            try:
                result = await job.do()
            except HubError as error:
                result = Result(key=job.key, error=error)
            except Exception as error:  # noqa: BLE001 - it is raised where the results are taken
                self.failure = error
            if self.fail_fast and result.error is not None:
                self.failure = result.error
            self._running[job.provider] -= 1
            if not self._running[job.provider]:
                del self._running[job.provider]
            self._deliver(place, result)
            found = self._choose()

    def _deliver(self, place: int, result: Result[K, V]) -> None:
        if not self.ordered:
            self.results.append(result)
        else:
            self._early[place] = result
            while self._next in self._early:
                self.results.append(self._early.pop(self._next))
                self._next += 1
        self.arrived.set()


class Bulk(AsyncIterator[Result[K, V]]):
    """The results of many things that are done at a time, as they come or in the input's order.

    `done` and `failed` count those that were handed out. Leaving early stops everything.
    """

    def __init__(
        self, pool: Pool[K, V], progress: Callable[[Bulk[K, V]], None] | None = None
    ) -> None:
        self.done: int = 0
        self.failed: int = 0
        self._pool = pool
        self._progress = progress
        self._started = False
        self._closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Result[K, V]:
        pool = self._pool
        if self._closed and pool.failure is None:
            raise ConfigurationError(CLOSED)
        if not self._started:
            self._started = True
            pool.start()
        while pool.failure is None and not pool.results:
            if pool.is_over:
                raise pool.broken or StopAsyncIteration
            if pool.stopped:
                await self.aclose()
                raise ConfigurationError(CLOSED)
            pool.arrived.clear()
            await pool.arrived.wait()
        if pool.failure is not None:
            await self.aclose()
            raise pool.failure
        return self._counted(pool.give())

    def _counted(self, result: Result[K, V]) -> Result[K, V]:
        self.done += 1
        self.failed += result.error is not None
        try:
            if self._progress is not None:
                self._progress(self)
        except BaseException:
            self._take_back([result])
            raise
        return result

    def _take_back(self, results: list[Result[K, V]]) -> None:
        """Let results that did not reach the consumer come again."""
        self._pool.take_back(results)
        self.done -= len(results)
        self.failed -= sum(result.error is not None for result in results)

    async def collect(self) -> list[Result[K, V]]:
        """Return all results that are left; one that is cancelled has taken none."""
        found: list[Result[K, V]] = []
        try:
            async for result in self:
                found.append(result)  # noqa: PERF401 - what was found must not be lost
        except BaseException:
            self._take_back(found)
            raise
        return found

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __del__(self) -> None:
        # A loop that was left early drops its bulk: nothing goes on working for it.
        self._pool.cancel()

    async def aclose(self) -> None:
        """Stop everything for good; a second time does nothing."""
        self._closed = True
        if ending := self._pool.cancel():
            await asyncio.wait(ending)


@asynccontextmanager
async def _closing(source: Any) -> AsyncIterator[None]:
    """Let a source that is left early clean up now, not when it is garbage-collected."""
    try:
        yield
    finally:
        if hasattr(source, "aclose"):
            await source.aclose()
        elif isinstance(source, Generator):
            source.close()


async def _refused(error: HubError) -> Result[Any, Any]:
    raise error


def pooled(
    things: AsyncIterable[Any] | Iterable[Any],
    job_of: Callable[[Any], Job[K, V]],
    most: int,
    *,
    concurrency: int | None = None,
    per_provider: int | None = None,
    ordered: bool = False,
    on_error: str = "continue",
    progress: Callable[[Bulk[Any, Any]], None] | None = None,
) -> Bulk[K, V]:
    """Return the bulk of these things; nothing begins before its first step."""
    workers = most if concurrency is None else concurrency
    each = workers if per_provider is None else per_provider
    if not all(isinstance(n, int) and n >= 1 for n in (workers, each)):
        raise ConfigurationError("concurrency and per_provider must be numbers from 1")
    if on_error not in ("raise", "continue"):
        raise ConfigurationError(f"on_error must be 'raise' or 'continue', not {on_error!r}")
    if progress is not None and not callable(progress):
        raise ConfigurationError(f"progress must be a function of the bulk, not {progress!r}")
    pool = Pool(
        things=things,
        job_of=job_of,
        concurrency=workers,
        per_provider=each,
        ordered=ordered,
        fail_fast=on_error == "raise",
    )
    return Bulk(pool, progress)
