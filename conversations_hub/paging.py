"""The paging rules: how one page's answer leads to the next request."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import unquote, unquote_plus

from attrs import frozen
from yarl import URL

from conversations_hub.arguments import named
from conversations_hub.errors import CursorExpiredError, PagingError
from conversations_hub.reading import Answer
from conversations_hub.wire import EXPECTED, SEEN_COUNT, Request

MISSING: Any = object()

BEFORE, PASS = "before", "pass"
PASSES = 5
"""So often a list is read that counts its pages and does not say how many records it has."""


def dig(envelope: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """Return what lies at the end of the path, or MISSING."""
    found: Any = envelope
    for name in path:
        if not isinstance(found, Mapping) or name not in found:
            return MISSING
        found = found[name]
    return found


@frozen
class SinglePage:
    """The answer is the whole list."""

    reads: tuple[str, ...] = ()

    def after(self, request: Request, answer: Answer[Any]) -> Request | None:  # noqa: ARG002
        """End here."""
        return None


@frozen(kw_only=True)
class CursorPaging:
    """The answer says whether there is more, and the cursor that leads there.

    `edge` makes a cursor of the last record, for answers that say nothing about paging at all.
    `silent_end` is for APIs that leave the flag out where it would be false.
    """

    param: str
    cursor: tuple[str, ...]
    more: tuple[str, ...]
    edge: Callable[[Any], str] | None = None
    silent_end: bool = False

    @property
    def reads(self) -> tuple[str, ...]:
        """The envelope's names that hold the cursor and the flag."""
        return tuple(dict.fromkeys((self.cursor[0], self.more[0])))

    def after(self, request: Request, answer: Answer[Any]) -> Request | None:
        """Return the request with the cursor set."""
        cursor = dig(answer.envelope, self.cursor)
        more = dig(answer.envelope, self.more)
        if more is MISSING and not self.silent_end:
            if self.edge is None or dig(answer.envelope, self.more[:1]) is not MISSING:
                raise PagingError(f"the answer does not say {'.'.join(self.more)}")
            # Nothing about paging at all: ask on from the last record until there is none.
            more = bool(answer.count)
            cursor = self.edge(answer.records) if answer.records else MISSING
        if more is MISSING:
            more = cursor is not MISSING and bool(answer.count)
        if not _truth(more):
            return None
        if not isinstance(cursor, str) or not cursor:
            raise PagingError(f"there is more, but no {'.'.join(self.cursor)} leads to it")
        return request.with_params({self.param: cursor})


def _truth(more: Any) -> bool:
    """Read a flag that may come as a word."""
    if more in (True, "true"):
        return True
    if more in (False, None, "false"):
        return False
    raise PagingError(f"{named(more)} does not say whether there is more")


@frozen(kw_only=True)
class PageTokenPaging:
    """The answer holds a link to the next page, which is taken apart and never followed.

    An answer does not get to decide where credentials are sent: the link must lead to our own
    base URL (or to one of the provider's own `hosts`) and to the same path, and must have a
    token. That alone is taken over, or with `whole_query` all that stands beside it.
    """

    link: tuple[str, ...]
    token: str
    whole_query: bool = False
    hosts: re.Pattern[str] | None = None
    silent_end: bool = False
    """The API leaves the link out at the end; where not, a missing link is an error."""
    total: tuple[str, ...] | None = None
    """Where the answer may say how many records the list has."""
    size: str | None = None
    """The parameter that says how many records make a full page."""
    counted: bool = False
    """Pages are counted from a top that moves: where records go away, others slip by."""

    @property
    def reads(self) -> tuple[str, ...]:
        """The envelope's names that hold the link and the total."""
        return tuple(dict.fromkeys((self.link[0], *(self.total or ())[:1])))

    def after(self, request: Request, answer: Answer[Any]) -> Request | None:
        """Return the request with the link's token in place."""
        link = dig(answer.envelope, self.link)
        seen = (_noted(request, SEEN_COUNT) or 0) + answer.count
        expected = self._expected(request, answer, link)
        if link is MISSING or link is None:
            self._ended(request, answer, link, seen, expected)
            return self._again(request, seen)
        if not isinstance(link, str):
            raise PagingError(f"{'.'.join(self.link)} is not a link")
        onward = request.with_raw_query(self._with(request, self._query(request, link)))
        if self.total is None:
            return onward
        known = {} if expected is None else {EXPECTED: expected}
        kept = {name: request.note[name] for name in (BEFORE, PASS) if name in request.note}
        return onward.with_note(**kept, **{SEEN_COUNT: seen}, **known)

    def _expected(self, request: Request, answer: Answer[Any], link: Any) -> int | None:
        """Return how many records the walk is to come by, as far as it is told.

        A list may grow behind the walk. What is no more than the page's own number is no total,
        unless it is the last page.
        """
        before = _noted(request, EXPECTED)
        total = dig(answer.envelope, self.total or ())
        if not isinstance(total, int) or (
            total <= answer.count and link is not MISSING and link is not None
        ):
            return before
        if before is None or (self.counted and total >= before):
            return total
        if self.counted:
            raise CursorExpiredError(
                "records went away while they were counted, and others may have slipped by; start "
                "the walk anew"
            )
        return min(total, before)

    def _ended(
        self,
        request: Request,
        answer: Answer[Any],
        link: Any,
        seen: int,
        expected: int | None,
    ) -> None:
        """Doubt an end that the answer itself does not bear out."""
        if link is MISSING and not self.silent_end:
            raise PagingError(f"the answer does not say {'.'.join(self.link)}")
        if self.total is None or self.size is None or answer.count < self._full(request):
            return
        if dig(answer.envelope, self.link[:-1]) is MISSING:
            raise PagingError("a full page does not say whether there is more")
        if expected is not None and expected > seen:
            raise PagingError(f"the list ends after {seen} of {expected} records")

    def _again(self, request: Request, seen: int) -> Request | None:
        """Return the first request, where only another pass can tell that no record slipped by.

        It comes by as many where none went away, and else delivers those that slipped by.
        """
        if not self.counted or SEEN_COUNT not in request.note or EXPECTED in request.note:
            return None
        passes = (_noted(request, PASS) or 0) + 1
        if _noted(request, BEFORE) == seen:
            return None
        if passes >= PASSES:
            raise PagingError("the list changes faster than it can be read; start the walk anew")
        return request.with_query(**{self.token: None}).with_note(**{BEFORE: seen, PASS: passes})

    def _full(self, request: Request) -> int:
        size = request.query.get(self.size or "", "")
        return int(size) if size.isdigit() else 1

    def _query(self, request: Request, link: str) -> str:
        if not link.isascii() or not link.isprintable() or " " in link:
            raise PagingError("the next link is not a URL")
        url, ours = URL(), None
        with suppress(ValueError):  # which quotes the link, and is to be behind no error of ours
            url = URL(link, encoded=True)
            ours = _origin(url) == _origin(request.url) or self._theirs(url)
        if ours is None:
            raise PagingError("the next link is not a URL")
        if not ours or url.user or url.password:
            raise PagingError(
                f"the next link leads to {str(url.host)[:100]}, not to {request.url.host}"
            )
        if not _same_path(request.url.raw_path, url.raw_path):
            raise PagingError(f"the next link leads to {url.raw_path[:200]}, another list")
        return url.raw_query_string

    def _theirs(self, url: URL) -> bool:
        return bool(
            self.hosts
            and url.scheme == "https"
            and url.port == 443
            and self.hosts.fullmatch(url.host or "")
        )

    def _with(self, request: Request, query: str) -> str:
        """Take over the link's query, or put its token into our own, byte for byte."""
        pairs = (part.partition("=") for part in query.split("&"))
        token = next((value for key, _, value in pairs if unquote_plus(key) == self.token), "")
        if not token:
            raise PagingError(f"the next link has no {self.token}")
        if self.whole_query:
            return query
        ours = request.raw_query_without({self.token})
        return "&".join(filter(None, [ours, f"{self.token}={token}"]))


def _noted(request: Request, name: str) -> int | None:
    """Return a number of the walk's memory, which a checkpoint may have brought."""
    number = request.note.get(name)
    if number is None or isinstance(number, int):
        return number
    raise PagingError("the walk's memory is damaged; start the walk anew")


def _origin(url: URL) -> tuple[str, str | None, int | None]:
    return url.scheme, url.host, url.port


def _same_path(ours: str, theirs: str) -> bool:
    """Compare paths, however quoted; behind a gateway ours has a prefix that nobody else knows."""
    ours, theirs = unquote(ours), unquote(theirs)
    return ours == theirs or (len(theirs) > 1 and ours.endswith(theirs))
