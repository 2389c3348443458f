"""Cuts lists into pages: by cursor without end, by offset down to a depth (§4)."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_left, bisect_right
from operator import itemgetter
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from attrs import frozen

from conversations_hub.providers.clio.emulator.refusals import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conversations_hub.providers.clio.emulator.fields import Record
    from conversations_hub.providers.clio.emulator.filters import Arguments
    from conversations_hub.providers.clio.emulator.switches import ClioSwitches

Position = dict[str, int]

_KINDS = ("after", "before", "offset")


@frozen(kw_only=True)
class Page:
    """Some records of a list, and the tokens of the pages beside them."""

    records: list[Record]
    total: int
    next: str | None
    previous: str | None


def page(
    records: list[Record], arguments: Arguments, switches: ClioSwitches, order: str | None
) -> Page:
    """Return the page that the arguments ask for."""
    limit = arguments.limit()
    position = read_token(arguments.text("page_token"))
    implied = order is None and switches.default_order == "cursor"
    cursor = (order == "id(asc)" or implied) and arguments.text("offset") is None
    if position and cursor == ("offset" in position):
        raise InvalidArgumentError("page_token does not belong to this query")
    if cursor:
        return _cursor_page(records, position, limit)
    first = position["offset"] if position else arguments.integer("offset") or 0
    return _offset_page(records, first, limit, switches.depth)


def _cursor_page(records: list[Record], position: Position, limit: int) -> Page:
    if "before" in position:
        end = bisect_left(records, position["before"], key=itemgetter("id"))
        start = max(0, end - limit)
    else:
        start = bisect_right(records, position.get("after", 0), key=itemgetter("id"))
        end = min(start + limit, len(records))
    return Page(
        records=records[start:end],
        total=len(records),
        next=token("after", records[end - 1]["id"]) if end < len(records) and end else None,
        previous=token("before", records[start]["id"]) if 0 < start < len(records) else None,
    )


def _offset_page(records: list[Record], first: int, limit: int, depth: int) -> Page:
    if first < 0:
        raise InvalidArgumentError("offset must not be negative")
    if first >= depth:
        raise InvalidArgumentError("page_token is now out of bounds and cannot be used.")
    end = first + limit
    return Page(
        records=records[first:end],
        total=len(records),
        next=token("offset", end) if end < len(records) else None,
        previous=token("offset", max(0, first - limit)) if first else None,
    )


def token(kind: str, value: int) -> str:
    """Hide a position."""
    return urlsafe_b64encode(json.dumps({kind: value}).encode()).decode().rstrip("=")


def read_token(text: str | None) -> Position:
    """Find a position again; nothing for no token."""
    if text is None:
        return {}
    try:
        position = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        ((kind, value),) = position.items()
    except (ValueError, AttributeError):
        raise InvalidArgumentError("page_token is invalid") from None
    if kind not in _KINDS or not isinstance(value, int):
        raise InvalidArgumentError("page_token is invalid")
    return {kind: value}


def link(address: str, query: Sequence[tuple[str, str]], page_token: str | None) -> str:
    """Write the address of another page: the same query, sorted and fully percent-encoded."""
    pairs = [(name, value) for name, value in query if name != "page_token"]
    if page_token is not None:
        pairs.append(("page_token", page_token))
    return f"{address}?{urlencode(sorted(pairs), quote_via=quote, safe='')}"
