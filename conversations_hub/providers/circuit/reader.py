"""Reads the lists that are cut by time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

from attrs import frozen

from conversations_hub.errors import TranslationError
from conversations_hub.models import Conversation, Message
from conversations_hub.paging import SinglePage
from conversations_hub.providers.circuit.hidden_order import HiddenOrder
from conversations_hub.providers.circuit.paging import Place, Row, TimePaging
from conversations_hub.raw import Raw
from conversations_hub.reading import Records, decoded
from conversations_hub.recipes import Page
from conversations_hub.wire import Request, Response

P = TypeVar("P")
T = TypeVar("T", Conversation, Message)

EMPTY = b"[]"


@frozen(kw_only=True)
class TimeReader(Generic[P, T]):
    """Reads a page of a list that is cut by time, or the answer to a question on the way."""

    payload: type[P]
    translate: Callable[[P, Raw], T]
    rule: TimePaging

    def __call__(self, request: Request, response: Response) -> Page[T]:
        """Deliver what is new, the newest first; an answer to a question delivers nothing."""
        place, rule = Place.of(request), self.rule
        if place.step is not None and isinstance(rule, HiddenOrder):
            rows = _rows(response)
            return Page(items=(), next=rule.learned(request, _timed(rows), len(rows)))
        page = Records(
            payload=self.payload,
            items=None,
            translate=self.translate,
            paging=SinglePage(),
            blank=EMPTY,
        )(request, response)
        if page.broken:
            rows = _rows(response)
            good, broken = _apart(rows, page.broken)
        else:
            rows = good = [_row(item) for item in page.items]
            broken = []
        order = sorted(range(len(good)), key=lambda i: good[i], reverse=True)
        items = tuple(page.items[i] for i in order if rule.wants(place, good[i]))
        return Page(
            items=items,
            next=rule.after(request, _timed(rows), len(rows)),
            broken=tuple((len(items), e) for row, e in broken if rule.wants(place, row)),
        )


# A row whose time is not known is on no side of anything.
UNTIMED = -1
LATEST = 253_402_300_800_000  # the year 10000


def _timed(rows: Sequence[Row]) -> Sequence[Row]:
    return [row for row in rows if row[0] != UNTIMED]


def _row(item: Conversation | Message) -> Row:
    created = item.sent_at if isinstance(item, Message) else item.created_at
    return _milliseconds(item.updated_at or created), item.ref.id


def _milliseconds(moment: datetime | None) -> int:
    return UNTIMED if moment is None else round(moment.timestamp() * 1000)


def _rows(response: Response) -> list[Row]:
    """Read of every record when it was modified, and its id, whatever else is wrong with it."""
    body = decoded(response, response.body if response.body.strip() else EMPTY)
    if not isinstance(body, list):
        raise TranslationError("the answer is not a list", path="$")
    return [_loose(record) if isinstance(record, dict) else (UNTIMED, "") for record in body]


def _loose(record: dict[str, Any]) -> Row:
    time: Any = record.get("modificationTime") or record.get("creationTime")
    id_ = record.get("itemId") or record.get("convId")
    known = isinstance(time, int) and 0 <= time < LATEST
    return int(time) if known else UNTIMED, id_ if isinstance(id_, str) else ""


def _apart(
    rows: Sequence[Row], broken: Sequence[tuple[int, TranslationError]]
) -> tuple[list[Row], list[tuple[Row, TranslationError]]]:
    """Tell the rows that could be read from those that could not."""
    # An error's place counts the good records before it.
    at = {place + number: error for number, (place, error) in enumerate(broken)}
    good = [row for index, row in enumerate(rows) if index not in at]
    return good, [(rows[index], error) for index, error in at.items()]
