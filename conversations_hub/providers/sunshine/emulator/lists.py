"""Cuts lists into pages and says, in `meta` and `links`, where the neighbouring pages begin."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from operator import itemgetter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from attrs import evolve, frozen

from conversations_hub.providers.sunshine.emulator.refusals import invalid_page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiohttp import web

    from conversations_hub.providers.sunshine.emulator.switches import SunshineSwitches

Record = dict[str, Any]

CURSOR_LENGTH = 24
BY_ID = itemgetter("id")


@frozen(kw_only=True)
class PageQuery:
    """Which page is asked for; cursors are ids of records and exclusive."""

    after: str | None = None
    before: str | None = None
    size: int

    @classmethod
    def read(cls, query: Mapping[str, str], size: int | None = None) -> PageQuery:
        """Read the `page[...]` parameters; a given size overrules the one asked for."""
        after, before = query.get("page[after]"), query.get("page[before]")
        cursors = [cursor for cursor in (after, before) if cursor is not None]
        if len(cursors) > 1 or any(len(cursor) != CURSOR_LENGTH for cursor in cursors):
            raise invalid_page()
        size = size or _size(query.get("page[size]", "25"))
        return cls(after=after, before=before, size=size)

    @property
    def cursor(self) -> str | None:
        """The one cursor given, if any."""
        return self.after or self.before

    def swapped(self) -> PageQuery:
        """Return the same query for the list in the opposite order."""
        return evolve(self, after=self.before, before=self.after)


def _size(text: str) -> int:
    size = int(text) if re.fullmatch("[0-9]{1,3}", text) else 0
    if not 1 <= size <= 100:
        raise invalid_page()
    return size


@frozen(kw_only=True)
class Window:
    """The records of one page, and whether there are others on either side."""

    records: Sequence[Record]
    earlier: bool
    later: bool
    backwards: bool

    def reversed(self) -> Window:
        """Return the same page of the list in the opposite order."""
        return Window(
            records=self.records[::-1],
            earlier=self.later,
            later=self.earlier,
            backwards=not self.backwards,
        )

    @property
    def more(self) -> bool:
        """Whether the walk goes on in its direction."""
        return self.earlier if self.backwards else self.later

    def cursors(self) -> dict[str, str]:
        """Return the cursors to the neighbouring pages that exist."""
        cursors: dict[str, str] = {}
        if self.records and self.later:
            cursors["afterCursor"] = self.records[-1]["id"]
        if self.records and self.earlier:
            cursors["beforeCursor"] = self.records[0]["id"]
        return cursors


def knows(records: Sequence[Record], cursor: str | None) -> bool:
    """Tell whether the cursor, if any, is the id of one of the records (in id order)."""
    if cursor is None:
        return True
    index = bisect_left(records, cursor, key=BY_ID)
    return index < len(records) and records[index]["id"] == cursor


def cut(records: Sequence[Record], query: PageQuery, *, backwards: bool) -> Window:
    """Cut the page out of records in id order; backwards keeps the end of what is left."""
    start = bisect_right(records, query.after, key=BY_ID) if query.after else 0
    stop = bisect_left(records, query.before, key=BY_ID) if query.before else len(records)
    if backwards:
        start = max(start, stop - query.size)
    else:
        stop = min(stop, start + query.size)
    return Window(
        records=records[start:stop],
        earlier=start > 0,
        later=stop < len(records),
        backwards=backwards,
    )


def forward_window(records: Sequence[Record], query: PageQuery, *, descending: bool) -> Window:
    """Cut a page of an ordinary list, which begins at its first record."""
    backwards = query.before is not None
    if descending:
        return cut(records, query.swapped(), backwards=not backwards).reversed()
    return cut(records, query, backwards=backwards)


def message_window(records: Sequence[Record], query: PageQuery) -> Window:
    """Cut a page of messages, which begin at the newest page and run backwards."""
    return cut(records, query, backwards=query.after is None)


def neighbours(
    request: web.Request, window: Window, query: PageQuery, switches: SunshineSwitches
) -> Record:
    """Return `meta` and `links` of a page; what is not there is left out and not null."""
    more, cursors = window.more, window.cursors()
    if switches.more == "looping" and query.cursor:
        way = "beforeCursor" if window.backwards else "afterCursor"
        more, cursors = True, {way: query.cursor}
    elif switches.more == "cursorless" and more:
        cursors = {}
    if not more and switches.last_page_meta == "absent":
        return {}
    if not more and switches.last_page_meta == "bare":
        return {"meta": {"hasMore": False}}
    links = _links(request, cursors, foreign=switches.foreign_links)
    return {"meta": {"hasMore": more, **cursors}, **({"links": links} if links else {})}


def _links(request: web.Request, cursors: dict[str, str], *, foreign: bool) -> dict[str, str]:
    ways = {"next": ("after", "afterCursor"), "prev": ("before", "beforeCursor")}
    return {
        name: _link(request, f"page[{param}]", cursors[cursor], foreign=foreign)
        for name, (param, cursor) in ways.items()
        if cursor in cursors
    }


def _link(request: web.Request, param: str, cursor: str, *, foreign: bool) -> str:
    host = "elsewhere.example" if foreign else request.host
    kept = [
        (name, value)
        for name, value in request.query.items()
        if name not in ("page[after]", "page[before]")
    ]
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in [*kept, (param, cursor)])
    return f"{request.scheme}://{host}{request.rel_url.raw_path}?{query}"


CLOSED = {"type", "status", "subtypes", "size", "imageAspectRatio", "verification"}
"""Keys whose values come from a list that the vendor may make longer."""

FREE = {"metadata", "info", "raw", "template", "settings"}
"""Keys whose values are whatever somebody put there."""


def novel(value: Any, *, keys: bool, values: bool) -> Any:
    """Return the JSON as a later version of the API might write it."""
    if isinstance(value, list):
        return [novel(item, keys=keys, values=values) for item in value]
    if not isinstance(value, dict):
        return value
    renewed = {key: _novel_member(key, member, keys, values) for key, member in value.items()}
    return {**renewed, "novelty": {"since": "v99"}} if keys else renewed


def _novel_member(key: str, member: Any, keys: bool, values: bool) -> Any:
    if key in FREE:
        return member
    if values and key in CLOSED:
        return ["unheardOf"] if isinstance(member, list) else "unheardOf"
    return novel(member, keys=keys, values=values)
