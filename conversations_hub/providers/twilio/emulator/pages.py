"""Cuts a list into Twilio's pages: the meta block and the tokens that lead from page to page."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from attrs import evolve, frozen

from conversations_hub.providers.twilio.emulator import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from conversations_hub.providers.twilio.emulator.switches import TwilioSwitches

    # Where a row stands in its list: a time in ms or an index, then the SID.
    Rank = tuple[int, str]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
GENERIC = "https://conversations.twilio.com"
FOREIGN = "https://conversations.example.org"

# PT: the page begins after the row. PB: it ends before the row, for going back. PE: it is empty,
# and the next one begins after the row.
TOKEN = re.compile(r"(PT|PB|PE)([a-z]+)_([^_]+)_([A-Z]{2}[0-9a-f]{32})")


def millis(moment: datetime) -> int:
    """Return a time as milliseconds since 1970."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def iso(moment: datetime, timespec: str = "seconds") -> str:
    """Write a time as Twilio does, cutting off what is finer."""
    return moment.isoformat(timespec=timespec).replace("+00:00", "Z")


@frozen(kw_only=True)
class Rows:
    """A list to be paged: its rows, their order, and the page sizes that Twilio has for it."""

    key: str
    rows: Sequence[Any]
    rank: Callable[[Any], Rank]
    by_time: bool = True
    descending: bool = False
    label: str = "all"
    """The filter or order that a token belongs to."""
    maximum: int = 50
    default: int = 50

    def ordered(self) -> list[Any]:
        """Return the rows in their order."""
        return sorted(self.rows, key=self.rank, reverse=self.descending)

    def count(self, rank: Rank, *, inclusive: bool) -> int:
        """Count the rows before a rank, or up to it; the row itself may be gone."""
        here = [self.rank(row) for row in self.rows]
        before = sum(one > rank if self.descending else one < rank for one in here)
        return before + (inclusive and rank in here)

    def token(self, kind: str, row: Any) -> str:
        """Name a row in a token, for lists by time in the form that was seen (section 4)."""
        number, sid = self.rank(row)
        time = EPOCH + timedelta(milliseconds=number)
        mark = iso(time, "milliseconds") if self.by_time else number
        return f"{kind}{self.label}_{mark}_{sid}"

    def read(self, token: str) -> tuple[str, Rank]:
        """Return a token's kind and the rank in it, refusing the tokens of other lists."""
        match = TOKEN.fullmatch(token)
        number = self._number(match[3]) if match and match[2] == self.label else None
        if match is None or number is None:
            raise errors.RefusedError(400, errors.BAD_PAGE_TOKEN, "Invalid page token")
        return match[1], (number, match[4])

    def _number(self, mark: str) -> int | None:
        try:
            return millis(datetime.fromisoformat(mark)) if self.by_time else int(mark)
        except (TypeError, ValueError):
            return None


@frozen(kw_only=True)
class Ask:
    """Which page of a list is asked for, and under which address."""

    origin: str
    path: str
    filters: Mapping[str, str]
    size: int
    page: int
    token: str | None

    def url(self, page: int, token: str | None = None, *, origin: str = "", path: str = "") -> str:
        """Write the address of a page: the filters, then the place in the list (section 4)."""
        query = {**self.filters, "PageSize": self.size, "Page": page}
        if token is not None:
            query["PageToken"] = token
        pairs = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in query.items())
        return f"{origin or self.origin}{path or self.path}?{pairs}"


def ask(
    rows: Rows, origin: str, path: str, query: Mapping[str, str], filters: Mapping[str, str]
) -> Ask:
    """Read which page is asked for."""
    return Ask(
        origin=origin,
        path=path,
        filters=filters,
        size=integer(query, "PageSize", rows.default, least=1),
        page=integer(query, "Page", 0, least=0),
        token=query.get("PageToken"),
    )


def integer(query: Mapping[str, str], name: str, default: int, *, least: int) -> int:
    """Read a whole number from the query."""
    value = query.get(name)
    if value is None:
        return default
    if not value.isascii() or not value.isdigit() or int(value) < least:
        raise errors.bad_parameter(name, value)
    return int(value)


def fitted(asked: Ask, rows: Rows, switches: TwilioSwitches) -> Ask:
    """Refuse or correct what Twilio's documents do not settle about page arguments (section 4)."""
    if asked.size > rows.maximum:
        if switches.page_size_above_cap == "reject":
            raise errors.bad_parameter("PageSize", str(asked.size))
        asked = evolve(asked, size=rows.maximum)
    if asked.page and asked.token is None and switches.reject_page_without_token:
        raise errors.RefusedError(400, errors.NO_PAGE_TOKEN, "Page token is missing")
    return asked


def window(rows: Rows, asked: Ask, size: int) -> tuple[int, int]:
    """Return where the page starts and ends in the ordered rows."""
    if asked.token is None:
        return 0, size
    kind, rank = rows.read(asked.token)
    if kind == "PB":
        end = rows.count(rank, inclusive=False)
        return max(0, end - size), end
    start = rows.count(rank, inclusive=True)
    return start, start if kind == "PE" else start + size


def page(rows: Rows, asked: Ask, switches: TwilioSwitches) -> tuple[list[Any], dict[str, Any]]:
    """Return the rows of a page and its meta block."""
    asked = fitted(asked, rows, switches)
    size = max(1, asked.size // 2) if switches.short_pages else asked.size
    ordered = rows.ordered()
    start, end = window(rows, asked, size)
    meta = {
        "page": asked.page,
        "page_size": asked.size,
        "first_page_url": asked.url(0),
        "previous_page_url": previous_url(rows, asked, ordered[start : start + 1], start),
        "url": asked.url(asked.page, asked.token),
        "next_page_url": None,
        "key": rows.key,
    }
    if end < len(ordered):
        token = next_token(rows, asked, ordered[:end], switches)
        meta["next_page_url"] = next_url(asked, token, switches)
    return ordered[start:end], meta


def next_token(rows: Rows, asked: Ask, before: list[Any], switches: TwilioSwitches) -> str | None:
    """Return the token of the page that begins after these rows."""
    if asked.token is not None and asked.token.startswith("PE"):
        return asked.token.replace("PE", "PT", 1)
    kind = "PE" if switches.empty_middle_page and asked.token is None else "PT"
    return rows.token(kind, before[-1]) if before else None


def previous_url(rows: Rows, asked: Ask, first: list[Any], start: int) -> str | None:
    """Return the way back from a page that begins with this row."""
    if not start or not first:
        return None
    return asked.url(max(0, asked.page - 1), rows.token("PB", first[0]))


def next_url(asked: Ask, token: str | None, switches: TwilioSwitches) -> str:
    """Return the address of the next page, or what a hostile Twilio says it is."""
    page = asked.page + 1
    match switches.next_page_url:
        case "generic":
            return asked.url(page, token, origin=GENERIC)
        case "foreign":
            return asked.url(page, token, origin=FOREIGN)
        case "path":
            return asked.url(page, token, path="/v1/Credentials")
        case "loop":
            return asked.url(asked.page, asked.token)
        case _:
            return asked.url(page, token)
