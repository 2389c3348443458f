"""Recipes: what to ask a provider and how to read its answer, as values that send nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Generator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from attrs import evolve, field, frozen

from conversations_hub.errors import ConfigurationError, StatusError, TranslationError
from conversations_hub.models import Ref
from conversations_hub.raw import Raw
from conversations_hub.wire import Request, Response

if TYPE_CHECKING:
    from conversations_hub.pager import Pager

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@frozen(kw_only=True)
class Page(Generic[T_co]):
    """A part of a list, and the request that continues it.

    `broken` holds, with their places among the items, the records that could not be read.
    """

    items: tuple[T_co, ...]
    next: Request | None = None
    raw: Raw | None = field(default=None, eq=False, repr=False)
    broken: tuple[tuple[int, TranslationError], ...] = ()


class Reader(Protocol[T_co]):
    """Reads one answer of a listing; a pure function of the two."""

    def __call__(self, request: Request, response: Response) -> Page[T_co]:
        """Return the answer's items and what continues the list."""
        ...


class Runner(Protocol):
    """What a hub lends to its providers' recipes."""

    def run(self, call: Call[T]) -> Awaitable[T]:
        """Carry out a call."""
        ...

    def iterate(self, listing: Listing[T]) -> Pager[T]:
        """Go through a listing."""
        ...


@frozen(kw_only=True)
class Question:
    """Which method of which provider gave a recipe, and what it was asked."""

    provider: str
    name: str
    # Among them are people's words, and secrets of webhooks.
    arguments: Mapping[str, Any] = field(factory=dict, repr=False)


@frozen(kw_only=True, eq=False)
class Recipe:
    """What a `Call` and a `Listing` have in common; each is itself alone, equal to no other."""

    request: Request
    question: Question | None = field(default=None, kw_only=True)
    runner: Runner | None = field(default=None, eq=False, repr=False, kw_only=True)

    def _lent(self) -> Runner:
        if self.runner is None:
            raise ConfigurationError(
                "this recipe comes from a provider on its own; put the provider into a "
                "ConversationsHub and ask hub[...], or hand the recipe to hub.run or hub.iterate",
                provider=self.question.provider if self.question else None,
                operation=self.question.name if self.question else None,
            )
        return self.runner


@frozen(kw_only=True)
class Attempt:
    """A write that may have happened: not before `since`, a time by the provider's own clock.

    `known` holds what this hub's other writes made, so none of it is this one's. Both are evaluated
    when the provider answers: by then the hub knows more, such as the provider's clock.
    """

    _since: datetime | Callable[[], datetime] = field(alias="since")
    known: Container[Ref] = frozenset()

    @property
    def since(self) -> datetime:
        """The time before which it was not made."""
        return self._since if isinstance(self._since, datetime) else self._since()


@frozen(kw_only=True)
class Outcome(Generic[T_co]):
    """What became of a write; `happened` is None where reading back cannot tell."""

    happened: bool | None
    value: T_co | None = None

    def __bool__(self) -> bool:
        return self.happened is True


@frozen(kw_only=True, eq=False)
class Call(Recipe, Generic[T]):
    """A recipe for one operation: its answer is read to a value, or to the next `Call`."""

    read: Callable[[Response], T | Call[T]]
    recover: Callable[[StatusError], T | Call[T]] | None = None
    """Return the value that a refusal stands for, where it is an answer, too; else raise it."""
    reconcile: Callable[[Attempt], Call[Outcome[T]]] | None = None
    """How to find out what became of this request, if its fate is unknown."""
    prepares: bool = False
    """Whether this request alone changes nothing that anyone sees, such as an upload."""
    made: tuple[Ref, ...] = ()
    """What the requests before it wrote."""
    patience: float = 0.0
    """How many seconds to ask again for, while the outcome is that it did not happen."""
    attempt: Attempt | None = None
    """The write whose fate this call finds out."""

    def __await__(self) -> Generator[Any, None, T]:
        return self._lent().run(self).__await__()


@frozen(kw_only=True)
class TwoEnds:
    """The list can be read from its other end, too, in the same order backwards."""

    backwards: Request
    total: Callable[[Raw], int | None] | None = None
    """Read how many records the list has, where pages from the other end are counted.

    Where there are fewer than a page before, rows have moved up and one may have been passed.
    """
    wall: type[StatusError] | None = None
    """The error that the other end gives where it can be read no further."""


class Windows(Protocol):
    """A list whose items each have a number, the greatest first, so that parts can be asked for.

    A border is a number, too. What lies at a border itself may be found on both sides of it.
    """

    @property
    def bottom(self) -> int:
        """About the lowest number of any list; what lies below is found as well, but slower."""
        ...

    @property
    def extent(self) -> tuple[int, int] | None:
        """The range that the question itself gives for the list; an estimate will do."""
        ...

    @property
    def scout(self) -> Listing[int] | None:
        """A listing whose one item is the number where this list begins."""
        ...

    def part(self, lo: int | None, hi: int, like: Request) -> Request:
        """Return the request for what lies between two borders, in the manner of `like`."""
        ...

    def reached(self, items: Sequence[Any], onward: Request, before: int) -> tuple[int, int] | None:
        """Return from where to where a page led, all above being read; None where unknown."""
        ...

    def after_all(self, onward: Request) -> Request | None:
        """Return what the topmost walk asks in place of what lies below its border."""
        ...

    def waits(self, onward: Request) -> bool:
        """Return whether a request is for what changed while all the others were under way."""
        ...


@frozen(kw_only=True, eq=False)
class Listing(Recipe, Generic[T]):
    """A recipe for one collection."""

    read: Reader[T]
    keep: Callable[[T], bool] | None = None
    """Which items the caller asked for, where the API cannot be told."""
    enough: Callable[[Sequence[T]], bool] | None = None
    """Whether, after these items of a page, no later page can hold one that is wanted."""
    repeats: bool = False
    """The API may show an item again, so whoever reads drops what came before."""
    moving: bool = False
    """Rows may also move between pages, so that a checkpoint takes along what was delivered."""
    sort_key: Callable[[T], Any] | None = None
    """The order the API cannot give: the list is read to its end, then put in order."""
    beside: tuple[Listing[T], ...] = ()
    """Further lists that together with this one answer the question; read side by side."""
    split: TwoEnds | Windows | None = None
    """How several places of it can be read at a time, where the API has a way."""

    def __aiter__(self) -> Pager[T]:
        return self._lent().iterate(self)

    @property
    def parts(self) -> tuple[Listing[T], ...]:
        """The listings to read: this one alone, and those beside it."""
        return (evolve(self, beside=()), *self.beside) if self.beside else (self,)
