"""Finds what was written: a message by its key, or what became of a write nobody answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from attrs import evolve

from conversations_hub.errors import NotFoundError, PagingError, StatusError, TranslationError
from conversations_hub.models import Message, Ref
from conversations_hub.recipes import Attempt, Call, Listing, Outcome
from conversations_hub.wire import Request, Response

T = TypeVar("T")
R = TypeVar("R")

KEY = "idempotency_key"
"""The name under which a caller's key stands in a message's metadata."""

LOOKBACK = timedelta(hours=24)
"""How far back a key is looked for."""


def find(
    listing: Listing[T],
    wanted: Callable[[T], bool],
    then: Callable[[T | None], R | Call[R]],
    *,
    enough: Callable[[Sequence[T], Response], bool] | None = None,
) -> Call[R]:
    """Look through a list for one item, page by page; `then` says what follows from it.

    `enough` tells from a page's items that no later page can hold it. A record that cannot be
    read might be the one, and raises.
    """

    def step(request: Request, asked: frozenset[bytes]) -> Call[R]:
        def read(response: Response) -> R | Call[R]:
            page = listing.read(request, response)
            found = next((item for item in page.items if wanted(item)), None)
            if found is not None:
                return then(found)
            if page.broken:
                raise page.broken[0][1]
            if page.next is None or (enough is not None and enough(page.items, response)):
                return then(None)
            if page.next.key in asked:
                raise PagingError(f"the list goes in circles: {page.next.place}")
            return step(page.next, asked | {page.next.key})

        return Call(request=request, read=read)

    return step(listing.request, frozenset({listing.request.key}))


def gather(
    listing: Listing[T],
    wanted: Callable[[T], bool],
    then: Callable[[Sequence[T]], R | Call[R]],
    *,
    enough: Callable[[Sequence[T], Response], bool] | None = None,
    whole: bool = False,
) -> Call[R]:
    """Look through a list for all that is wanted; `then` says what follows from it.

    Where nothing is found, or the `whole` list counts, a record that cannot be read raises.
    """

    def step(
        request: Request,
        before: tuple[T, ...],
        broken: tuple[TranslationError, ...],
        asked: frozenset[bytes],
    ) -> Call[R]:
        def read(response: Response) -> R | Call[R]:
            page = listing.read(request, response)
            found = (*before, *filter(wanted, page.items))
            errors = (*broken, *(error for _, error in page.broken))
            if page.next is None or (enough is not None and enough(page.items, response)):
                if errors and (whole or not found):
                    raise errors[0]
                return then(found)
            if page.next.key in asked:
                raise PagingError(f"the list goes in circles: {page.next.place}")
            return step(page.next, found, errors, asked | {page.next.key})

        return Call(request=request, read=read)

    return step(listing.request, (), (), frozenset({listing.request.key}))


def found_again(value: T | None) -> Outcome[T]:
    """Return the outcome of a write whose result was found, or not."""
    return Outcome(happened=value is not None, value=value)


def sent_message(
    listing: Listing[Message], same: Callable[[Message], bool]
) -> Callable[[Attempt], Call[Outcome[Message]]]:
    """Return how to find out whether a message was sent; `listing` has the newest first.

    The oldest of several equal ones belongs to the first of several writes: whoever takes another
    would leave nothing to a later one.
    """

    def reconcile(attempt: Attempt) -> Call[Outcome[Message]]:
        def wanted(m: Message) -> bool:
            return m.ref not in attempt.known and not _before(m, attempt.since) and same(m)

        return gather(
            listing,
            wanted,
            # In the meantime, others may have turned out to be somebody's.
            lambda found: found_again(next(filter(wanted, reversed(found)), None)),
            enough=lambda page, _: bool(page) and all(_before(m, attempt.since) for m in page),
        )

    return reconcile


def keyed(listing: Listing[Message], key: str, send: Callable[[], Call[Message]]) -> Call[Message]:
    """Return the message that has the key already, or send it.

    Messages of the last 24 hours by the provider's own clock are looked at, newest first.
    """

    def enough(page: Sequence[Message], response: Response) -> bool:
        start = server_time(response) - LOOKBACK
        return bool(page) and all(_before(m, start) for m in page)

    return find(
        listing,
        lambda m: m.metadata.get(KEY) == key,
        lambda found: send() if found is None else found,
        enough=enough,
    )


def server_time(response: Response) -> datetime:
    """Return when an answer was given, by the provider's own clock, else by ours."""
    now = datetime.now(UTC)
    try:
        date = parsedate_to_datetime(response.header("Date") or "")
    except (ValueError, OverflowError):
        return now
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def compared(read: Call[T], same: Callable[[T], bool]) -> Callable[[Attempt], Call[Outcome[T]]]:
    """Return how to find out whether a thing is now as it was to become."""

    def reconcile(_: Attempt) -> Call[Outcome[T]]:
        return after(read, lambda value: Outcome(happened=same(value), value=value))

    return reconcile


def gone(
    read: Call[Any], deleted: Callable[[Any], bool] = lambda _: False
) -> Callable[[Attempt], Call[Outcome[None]]]:
    """Return how to find out whether a thing was deleted: it is not found, or says so."""

    def missing(error: StatusError) -> Outcome[None]:
        if isinstance(error, NotFoundError):
            return Outcome(happened=True)
        raise error

    def reconcile(_: Attempt) -> Call[Outcome[None]]:
        looked: Call[Outcome[None]] = after(read, lambda value: Outcome(happened=deleted(value)))
        return evolve(looked, recover=missing)

    return reconcile


def after(call: Call[T], then: Callable[[T], R | Call[R]]) -> Call[R]:
    """Return the call whose value, once it is there, leads on to another value or call.

    How to find out what became of it is left to the caller, for it is about another value.
    """

    def step(value: T | Call[T]) -> R | Call[R]:
        return after(value, then) if isinstance(value, Call) else then(value)

    def read(response: Response) -> R | Call[R]:
        value = call.read(response)
        onward = step(value)
        ref = getattr(value, "ref", None)
        if isinstance(onward, Call) and isinstance(ref, Ref) and call.request.is_write:
            return evolve(onward, made=(*onward.made, ref))
        return onward

    recover = call.recover
    return Call(
        request=call.request,
        read=read,
        recover=None if recover is None else lambda error: step(recover(error)),
        prepares=call.prepares,
        made=call.made,
    )


def _before(message: Message, moment: datetime) -> bool:
    return message.sent_at is not None and message.sent_at < moment
