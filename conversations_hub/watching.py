"""Tells a hub's observers, and the log, of what happens: whose call it is and how long it takes."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from inspect import iscoroutine
from itertools import count
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import asdict, define, field

from conversations_hub import journal
from conversations_hub.errors import ProviderError
from conversations_hub.observing import (
    CallBegan,
    CallEnded,
    Event,
    Observer,
    PageRead,
    Paused,
    RequestBegan,
    RequestEnded,
    Retrying,
    masked,
)

if TYPE_CHECKING:
    from conversations_hub.provider import Provider
    from conversations_hub.wire import Request

T = TypeVar("T")

ID = re.compile(r"[!-~]{1,200}")
UNWATCHED: AbstractContextManager[None] = nullcontext()

log: logging.Logger = logging.getLogger("conversations_hub.watching")


@define(eq=False)
class Calling:
    """A call that is under way."""

    number: int
    provider: str | None = None
    operation: str = ""
    requests: int = 0


@define(eq=False)
class Seen:
    """What is known so far of the answer."""

    status: int | None = None
    received: int | None = None
    request_id: str | None = None
    http_version: str | None = None


@define(eq=False)
class Asking:
    """A request that is under way."""

    provider: Provider | None
    seen: Seen = field(factory=Seen)


CALLING: ContextVar[Calling | None] = ContextVar("conversations_hub_calling", default=None)
ASKING: ContextVar[Asking | None] = ContextVar("conversations_hub_asking", default=None)
NUMBERS = count(1)


@define(eq=False)
class Watch:
    """Tells of everything that happens in a hub; where nobody listens, it costs next to nothing."""

    observers: tuple[Observer, ...] = ()
    _failed: set[int] = field(factory=set, init=False)

    def call(self, provider: str | None, operation: str) -> AbstractContextManager[None]:
        """Watch a call; what happens within, in this task or in those it starts, is part of it."""
        if self.observers or journal.log.isEnabledFor(logging.DEBUG):
            return self._call(provider, operation)
        return UNWATCHED

    def request(
        self, provider: Provider | None, request: Request, operation: str, attempt: int
    ) -> AbstractContextManager[None]:
        """Watch a request, from when it goes out until it is answered."""
        if self.observers or journal.log.isEnabledFor(logging.DEBUG):
            return self._request(provider, request, operation, attempt)
        return UNWATCHED

    def answered(
        self, status: int, headers: Mapping[str, str], version: tuple[int, int] | None
    ) -> Seen | None:
        """Note the head of the answer to the present request, if it is watched."""
        if (asking := ASKING.get()) is None:
            return None
        seen, provider = asking.seen, asking.provider
        seen.status = status
        seen.http_version = ".".join(map(str, version)) if version else None
        told = headers.get(provider.request_id_header) if provider else None
        # A server may answer anything, even the credentials it was just sent.
        if provider and told and ID.fullmatch(told) and provider.redact(told) == told:
            seen.request_id = told
        return seen

    def retrying(self, error: ProviderError, operation: str, attempt: int, seconds: float) -> None:
        """Tell that a request is sent again."""
        self._happened(
            Retrying,
            provider=error.provider,
            operation=operation,
            attempt=attempt,
            seconds=seconds,
            error=type(error).__name__,
            status=error.status,
        )

    def refused(self, error: ProviderError, operation: str, seconds: float) -> None:
        """Tell that an account rests, since it answered 429."""
        self._happened(
            Paused, provider=error.provider, operation=operation, seconds=seconds, why="refusal"
        )

    def waited(self, seconds: float) -> None:
        """Tell how long the present call has waited for its turn."""
        if (calling := CALLING.get()) is not None:
            self._happened(
                Paused,
                provider=calling.provider,
                operation=calling.operation,
                seconds=seconds,
                why="rate",
            )

    def page(self, provider: str, operation: str, *, items: int, broken: int, last: bool) -> None:
        """Tell that a page has come."""
        if self.observers or broken or journal.log.isEnabledFor(logging.DEBUG):
            self._happened(
                PageRead,
                provider=provider,
                operation=operation,
                items=items,
                broken=broken,
                last=last,
            )

    def _happened(self, kind: type[Event], **said: Any) -> None:
        self.tell(kind(call=_number(), **said))

    def tell(self, event: Event) -> None:
        """Tell every observer of an event; one that fails is logged once."""
        journal.write(event)
        # The first to hear of a beginning is the last to hear of the end, so that they nest.
        ends = isinstance(event, CallEnded | RequestEnded)
        for observer in reversed(self.observers) if ends else self.observers:
            try:
                _tell(observer, event)
            except Exception:  # An observer is anybody's, and no reason for a call to fail.
                if id(observer) not in self._failed:
                    self._failed.add(id(observer))
                    log.warning("an observer fails; this is told once", exc_info=True)

    @contextmanager
    def _call(self, provider: str | None, operation: str) -> Iterator[None]:
        outer, calling = _number(), Calling(next(NUMBERS), provider, operation)
        event = CallBegan(provider=provider, operation=operation, call=calling.number, within=outer)
        begun, error = perf_counter(), None
        with _within(CALLING, calling):
            try:
                self.tell(event)
                yield
            except BaseException as cause:
                error = type(cause).__name__
                raise
            finally:
                self.tell(
                    CallEnded(
                        provider=provider,
                        operation=operation,
                        call=calling.number,
                        within=outer,
                        seconds=perf_counter() - begun,
                        requests=calling.requests,
                        error=error,
                    )
                )

    @contextmanager
    def _request(
        self, provider: Provider | None, request: Request, operation: str, attempt: int
    ) -> Iterator[None]:
        calling = CALLING.get() or Calling(next(NUMBERS))
        calling.requests += 1
        # What lies elsewhere may be known by an address that is secret; and whoever redirects may
        # put what it was just shown into one of ours.
        url = provider.redact(request.place) if provider else str(request.url.origin())
        began = RequestBegan(
            provider=provider.name if provider else None,
            operation=operation,
            call=calling.number,
            number=calling.requests,
            attempt=attempt,
            method=request.method,
            url=masked(url),
            sent=_size(request),
        )
        asking = Asking(provider)
        begun, error = perf_counter(), None
        with _within(ASKING, asking):
            try:
                self.tell(began)
                yield
            except BaseException as cause:
                error = type(cause).__name__.strip("_")
                raise
            finally:
                self.tell(
                    RequestEnded(
                        **asdict(began, recurse=False),
                        seconds=perf_counter() - begun,
                        error=error,
                        **asdict(asking.seen),
                    )
                )


def _size(request: Request) -> int | None:
    if request.file is not None:
        return request.file.size
    return None if request.body is None else len(request.body)


def _tell(observer: Observer, event: Event) -> None:
    if iscoroutine(given := observer(event)):
        given.close()
        raise TypeError("an observer is a plain function; nobody awaits what it returns")


def _number() -> int:
    calling = CALLING.get()
    return calling.number if calling else 0


@contextmanager
def _within(variable: ContextVar[T], value: T) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        # An abandoned coroutine is closed in another context.
        with suppress(ValueError):
            variable.reset(token)
