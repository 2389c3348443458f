"""What a pager saves so that another process can go on: which question, and where it was."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from attrs import field, frozen
from yarl import URL

from conversations_hub import models
from conversations_hub.circles import Way
from conversations_hub.errors import CheckpointError, ConfigurationError
from conversations_hub.models import Ref
from conversations_hub.recipes import Question
from conversations_hub.windows import Window
from conversations_hub.wire import Request

VERSION = 1

Arguments = Mapping[str, Any]


@frozen(kw_only=True)
class SavedWindow:
    """The part of a list that a walk reads, where it is not the whole."""

    lo: int | None = None
    hi: int | None = None
    lost: bool = False

    @classmethod
    def of(cls, window: Window) -> Self:
        """Take of a window what the walk's request does not tell."""
        return cls(lo=window.lo, hi=window.hi, lost=window.lost)

    def window(self) -> Window:
        """Return the window as it was when its walk began."""
        return Window(lo=self.lo, hi=self.hi, lost=self.lost)


@frozen(kw_only=True)
class Place:
    """Where a walk goes on, and what is known of the way to there."""

    request: Request | None
    trail: tuple[str, ...] = ()
    """The last items before it, to find it by if its cursor expires."""
    had: frozenset[str] = frozenset()
    """What was delivered and will come once more."""
    way: Way = field(factory=Way)
    """The requests before it, to which no page leads back."""


@frozen(kw_only=True)
class SavedWalk:
    """One list of the question: its first request, to know it by, and its place."""

    first: str
    next: str | None
    note: Mapping[str, Any] = field(factory=dict)
    taken: tuple[str, ...] = ()
    trail: tuple[str, ...] = ()
    # In words, since not everybody reads numbers of that many digits.
    steps: tuple[str, ...] = ()
    far: str | None = None
    count: int = 0
    window: SavedWindow | None = None

    @classmethod
    def of(cls, place: Place, base: URL, *, first: str, window: Window | None) -> Self:
        """Write down where a walk is."""
        request = place.request
        return cls(
            first=first,
            next=None if request is None else relative(request, base),
            note={} if request is None else request.note,
            taken=tuple(sorted(place.had)),
            trail=place.trail,
            steps=tuple(f"{step:x}" for step in place.way.last),
            far=None if place.way.far is None else f"{place.way.far:x}",
            count=place.way.count,
            window=SavedWindow.of(window) if window else None,
        )

    def place(self, first: Request, base: URL) -> Place:
        """Return where the walk goes on, which asks like the first request."""
        return Place(
            request=absolute(self, first, base),
            trail=self.trail,
            had=frozenset(self.taken),
            way=Way(
                count=max(0, self.count),
                far=None if self.far is None else int(self.far, 16),
                last=tuple(int(step, 16) for step in self.steps),
            ),
        )


@frozen(kw_only=True)
class SavedQuestion:
    """One question to a provider and the lists that answer it."""

    provider: str
    name: str
    arguments: Mapping[str, Any]
    walks: tuple[SavedWalk, ...]
    seen: tuple[str, ...] = ()
    """What several lists may hold in common and was delivered."""
    parallel: int | None = None

    def question(self) -> Question:
        """Return the question as it was asked."""
        arguments = {name: _restored(value) for name, value in self.arguments.items()}
        return Question(provider=self.provider, name=self.name, arguments=arguments)


@frozen(kw_only=True)
class Checkpoint:
    """Everything a pager needs to go on; it holds no secrets."""

    version: int
    questions: tuple[SavedQuestion, ...]
    limit: int | None
    prefetch: int
    on_error: str


def write(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the checkpoint as a JSON-able value."""
    value: dict[str, Any] = _codec().to_json(checkpoint)
    return value


def read(value: Any) -> Checkpoint:
    """Read a checkpoint back; `CheckpointError` where it is none, or of another version."""
    if not isinstance(value, Mapping) or value.get("version") != VERSION:
        raise CheckpointError(f"not a checkpoint of format version {VERSION}; start the walk anew")
    try:
        checkpoint: Checkpoint = _codec().from_json(value, Checkpoint)
    except ConfigurationError as cause:
        raise CheckpointError(
            f"the checkpoint is damaged; start the walk anew ({cause})"
        ) from cause
    if not checkpoint.questions:
        raise CheckpointError("the checkpoint is damaged: it asks nothing")
    return checkpoint


def _codec() -> Any:
    # Imported only when a checkpoint is made, since cattrs takes long to import.
    from conversations_hub import codec  # noqa: PLC0415

    return codec


def saved_arguments(arguments: Arguments) -> dict[str, Any]:
    """Return arguments as JSON values; what is not asked for is left out."""
    return {name: _saved(value) for name, value in arguments.items() if value is not None}


def _saved(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"datetime": value.isoformat()}
    if isinstance(value, Ref):
        return {"Ref": str(value)}
    if isinstance(value, StrEnum):
        return {type(value).__name__: value.value}
    if isinstance(value, str | int | float | bool | None):
        return value
    if isinstance(value, tuple | list | set | frozenset):
        return [_saved(one) for one in value]
    raise CheckpointError(f"{type(value).__name__} arguments cannot be saved in a checkpoint")


def _restored(value: Any) -> Any:
    if isinstance(value, list):
        return [_restored(one) for one in value]
    if not isinstance(value, Mapping):
        return value
    ((kind, text),) = value.items()
    if kind == "datetime":
        return datetime.fromisoformat(text)
    if kind == "Ref":
        return Ref.parse(text)
    enum = getattr(models, kind, None)
    if not (isinstance(enum, type) and issubclass(enum, StrEnum)):
        raise CheckpointError(f"the checkpoint is damaged: {kind} is not the type of an argument")
    return enum(text)


def relative(request: Request, base: URL) -> str:
    """Return where a request asks, below the base URL: a checkpoint outlives hosts and ports."""
    return request.target.removeprefix(base.raw_path.rstrip("/"))


def absolute(walk: SavedWalk, first: Request, base: URL) -> Request | None:
    """Return the request that a saved walk goes on with, on our own origin whatever was saved."""
    if walk.next is None:
        return None
    plain = walk.next.isascii() and walk.next.isprintable()
    if not plain or not walk.next.startswith("/") or "/../" in walk.next or "//" in walk.next[:2]:
        raise CheckpointError("the checkpoint is damaged: its next request is not a path")
    url = URL(f"{base.origin()}{base.raw_path.rstrip('/')}{walk.next}", encoded=True)
    return Request(method=first.method, url=url, headers=first.headers, note=walk.note)
