"""What becomes of a write: whether it is known, how to find out, and what was written so far."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Iterator
from datetime import datetime
from typing import Any

from attrs import evolve, field, frozen, mutable

from conversations_hub.errors import (
    UNDER_WAY,
    AmbiguousWriteError,
    HubError,
    PagingError,
    ServerError,
    StatusError,
    TooLargeError,
    TranslationError,
    TransportError,
)
from conversations_hub.models import Ref
from conversations_hub.recipes import Attempt, Call, Outcome
from conversations_hub.writing import after

DONE_OR_NOT = {101, 302, 303, 408}
"""Statuses after which a write may have been done: upgrades, redirects, time-outs."""

REMEMBERED = 1000
"""How many of the things that were written are remembered."""


@frozen(kw_only=True)
class Write:
    """One request of a call, and when it was made."""

    call: Call[Any]
    attempt: Attempt

    @property
    def is_seen(self) -> bool:
        """Whether anybody sees what it changes."""
        return self.call.request.is_write and not self.call.prepares

    def wrote(self, found: Any) -> bool:
        """Tell whether it wrote what was found; what it changed was there before."""
        ref = getattr(found, "ref", None)
        places = self.call.request.url.parts
        return isinstance(ref, Ref) and not {ref.id, f"{ref.id}.json"} & set(places)

    def reconciling(self, patience: float, *, partly: bool) -> Call[Outcome[Any]] | None:
        """Return the call that finds out what became of it; done in part is neither yes nor no."""
        if self.call.reconcile is None:
            return None
        looking = self.call.reconcile(self.attempt)
        return evolve(
            after(looking, _in_part) if partly else looking,
            question=self.call.question,
            runner=self.call.runner,
            attempt=self.attempt,
            patience=patience,
        )


def fate_of(
    step: Write, written: Write | None, error: HubError, *, timeout: float, read_lag: float
) -> tuple[HubError, Attempt | None]:
    """Return what to tell of an error, and which attempt is left to be found out about.

    After a write, it is not known to have failed. A provider that may still be at work is given
    as long again as we had waited, and one whose reads lag behind as long as they may.
    """
    unsure = step.is_seen and _may_be_done(error)
    last = step if unsure else written
    if last is None or isinstance(error, AmbiguousWriteError):
        return error, None
    timed_out = isinstance(error, TransportError) and error.timed_out
    fate = AmbiguousWriteError(
        f"{'it may have been done' if unsure else 'a part of it was done'}: {error.args[0]}; "
        f"{'await error.reconcile' if last.call.reconcile else 'read it back'} to find out "
        "before you repeat it",
        provider=error.provider,
        operation=error.operation,
        cause=error,
        reconcile=last.reconciling(
            max(read_lag, timeout if timed_out or error.status == 504 else 0.0),
            # What failed surely was a write, too, so that not all was done.
            partly=step.call.request.is_write and not unsure,
        ),
    )
    return fate, last.attempt


def explain(error: asyncio.CancelledError, step: Write, written: Write | None) -> None:
    """Say in a note what a cancelled call may have written."""
    notes: list[str] = getattr(error, "__notes__", [])
    sent = UNDER_WAY in notes
    if sent:
        notes.remove(UNDER_WAY)
    unsure = sent and step.is_seen
    if unsure or written is not None:
        error.add_note(
            f"{'it may have been done' if unsure else 'a part of it was done'}; "
            "read it back to find out before you repeat it"
        )


def _in_part(outcome: Outcome[Any]) -> Outcome[Any]:
    return evolve(outcome, happened=None) if outcome else outcome


def _may_be_done(error: HubError) -> bool:
    """Tell whether a write that ended so may have been carried out."""
    if isinstance(error, TransportError):
        return error.sent
    if isinstance(error, StatusError) and error.status in DONE_OR_NOT:
        return True
    return isinstance(error, ServerError | TranslationError | PagingError | TooLargeError)


def looks(patience: float) -> Iterator[float]:
    """Yield the pauses between looks: few, growing, and no longer than the patience in all."""
    if patience:
        yield from (patience / 15 * 2**n for n in range(4))


@mutable(eq=False)
class Known:
    """What a hub has written so far, but for what one attempt turned out to have written."""

    written: dict[Ref, Container[Ref] | None]

    def __contains__(self, ref: object) -> bool:
        return isinstance(ref, Ref) and self.written.get(ref, self) is not self


@mutable
class Memory:
    """What a hub wrote lately, and which of its writes wait for an answer."""

    _written: dict[Ref, Container[Ref] | None] = field(factory=dict, init=False)
    """With the attempt that turned out to have written it, if somebody had to look."""
    _calls: dict[str, set[asyncio.Future[None]]] = field(factory=dict, init=False)

    def attempt(self, now: Callable[[], datetime]) -> Attempt:
        """Return what is known of a write that is made now, by a clock yet to be compared."""
        return Attempt(since=now, known=Known(self._written))

    def begun(self, provider: str) -> asyncio.Future[None]:
        """Note that somebody writes: who looks for what became of another write waits for that."""
        writing = asyncio.get_running_loop().create_future()
        self._calls.setdefault(provider, set()).add(writing)
        return writing

    def ended(self, provider: str, writing: asyncio.Future[None]) -> None:
        """Let them go on."""
        self._calls[provider].discard(writing)
        writing.set_result(None)

    def remember(self, *found: Any, owner: Attempt | None = None) -> None:
        """Remember what was written, as far as it is known by refs, and by which attempt."""
        for one in found:
            ref = one if isinstance(one, Ref) else getattr(one, "ref", None)
            if isinstance(ref, Ref):
                self._written[ref] = owner.known if owner else None
                if len(self._written) > REMEMBERED:
                    del self._written[next(iter(self._written))]

    def known_to(self, attempt: Attempt) -> frozenset[Ref]:
        """Return what is known at this moment of what was written otherwise."""
        return frozenset(ref for ref in self._written if ref in attempt.known)

    async def claimed(
        self, found: Outcome[Any], attempt: Attempt, before: frozenset[Ref], provider: str
    ) -> bool:
        """Tell whether what was found is not what another write is just being told of.

        `before` is what was known when the look began.
        """
        ref = getattr(found.value, "ref", None)
        if not isinstance(ref, Ref) or ref in before:
            return True  # nothing, or what was there before
        if calls := set(self._calls.get(provider, ())):
            await asyncio.wait(calls)
        if ref in attempt.known:
            return False
        if found:
            self.remember(found.value, owner=attempt)
        return True
