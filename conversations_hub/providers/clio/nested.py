"""Reads a list that stands inside the one thing an answer holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from attrs import frozen

from conversations_hub.errors import TranslationError
from conversations_hub.paging import dig
from conversations_hub.raw import Raw, Source
from conversations_hub.reading import convert, decoded, translated
from conversations_hub.recipes import Page
from conversations_hub.wire import Request, Response

P = TypeVar("P")
T = TypeVar("T")


@frozen(kw_only=True)
class Nested(Generic[P, T]):
    """Reads the list at the end of `path`, whole, for it has no pages."""

    payload: type[P]
    path: tuple[str, ...]
    translate: Callable[[P, Raw | None], T]

    def __call__(self, request: Request, response: Response) -> Page[T]:  # noqa: ARG002
        """Translate every record; a broken one does not take its neighbours along."""
        items: list[T] = []
        broken: list[tuple[int, TranslationError]] = []
        source, place = Source(response.body, self.path), ".".join(self.path)
        for index, value in enumerate(self._found(response)):
            at = f"{place}[{index}]"
            try:
                record = convert(value, self.payload, at)
                kept = Raw(source, index) if response.keep_raw else None
                items.append(translated(self.translate, record, kept, at))
            except TranslationError as error:
                broken.append((len(items), error))
        return Page(items=tuple(items), raw=Raw(Source(response.body)), broken=tuple(broken))

    def _found(self, response: Response) -> list[Any]:
        found = dig(decoded(response, response.body), self.path)
        if not isinstance(found, list):
            place = ".".join(self.path)
            # Null is "not told", which is not the same as nobody.
            raise TranslationError(f"the answer has no list {place!r}", path=place)
        return found
