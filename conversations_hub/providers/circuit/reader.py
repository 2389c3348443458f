"""Reads the lists that are cut by time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Generic, TypeVar

from attrs import frozen

from conversations_hub.errors import TranslationError
from conversations_hub.models import Conversation, Message
from conversations_hub.paging import SinglePage
from conversations_hub.providers.circuit import payloads
from conversations_hub.providers.circuit.hidden_order import HiddenOrder, without_answer
from conversations_hub.providers.circuit.paging import Place, Row, TimePaging
from conversations_hub.raw import Raw
from conversations_hub.reading import Records, decoded
from conversations_hub.recipes import Page
from conversations_hub.wire import Request, Response

P = TypeVar("P", payloads.Conversation, payloads.Item)
T = TypeVar("T", Conversation, Message)

EMPTY = b"[]"


@frozen(kw_only=True)
class TimeReader(Generic[P, T]):
    """Reads a page of a list that is cut by time, or the answer to a question on the way."""

    payload: type[P]
    translate: Callable[[P, Raw | None], T]
    rule: TimePaging

    def __call__(self, request: Request, response: Response) -> Page[T]:
        """Deliver what is new, the newest first; an answer to a question delivers nothing."""
        place, rule = Place.of(request), self.rule
        body = response.body if response.body.strip() else EMPTY
        if place.step is not None and isinstance(rule, HiddenOrder):
            again = without_answer(rule.listing, request)
            if again is None or not _are_conversations(response, body):
                rows = _rows(response, body)
                return Page(items=(), next=rule.learned(request, _timed(rows), len(rows)))
            # The question was refused, and the page was asked for instead.
            request, place = again, Place.of(again)
        records = Records(
            payload=self.payload, items=None, translate=self.translate, paging=SinglePage()
        )
        answer, found, broken = records.taken(response, body)
        good = _read(answer.records)
        rows = _rows(response, body) if broken else good
        wanted = rule.wanted(place, good)
        order = sorted(range(len(good)), key=good.__getitem__, reverse=True)
        items = tuple([found[i] for i in order if wanted[i]])
        return Page(
            items=items,
            next=rule.after(request, _timed(rows), len(rows)),
            broken=tuple(
                # An error's place counts the good records before it.
                (len(items), error)
                for number, (index, error) in enumerate(broken)
                if rule.wants(place, rows[index + number])
            ),
        )


# A row whose time is not known is on no side of anything.
UNTIMED = -1
LATEST = 253_402_300_800_000  # the year 10000


def _timed(rows: Sequence[Row]) -> Sequence[Row]:
    return [row for row in rows if row[0] != UNTIMED]


TOLD: Mapping[type, Callable[[Any], tuple[int | None, int | None, str]]] = {
    payloads.Item: attrgetter("modification_time", "creation_time", "item_id"),
    payloads.Conversation: attrgetter("modification_time", "creation_time", "conv_id"),
}


def _read(records: Sequence[payloads.Conversation | payloads.Item]) -> list[Row]:
    if not records:
        return []
    return [
        (modified if modified is not None else UNTIMED if created is None else created, id_)
        for modified, created, id_ in map(TOLD[type(records[0])], records)
    ]


def _rows(response: Response, body: bytes) -> list[Row]:
    """Read of every record when it was modified, and its id, whatever else is wrong with it."""
    records = decoded(response, body)
    if not isinstance(records, list):
        raise TranslationError("the answer is not a list", path="$")
    return [_loose(record) if isinstance(record, dict) else (UNTIMED, "") for record in records]


def _are_conversations(response: Response, body: bytes) -> bool:
    records = decoded(response, body)
    kinds = [r.keys() for r in records if isinstance(r, dict)] if isinstance(records, list) else []
    return any("convId" in names and "itemId" not in names for names in kinds)


def _loose(record: dict[str, Any]) -> Row:
    time: Any = record.get("modificationTime") or record.get("creationTime")
    id_ = record.get("itemId") or record.get("convId")
    known = isinstance(time, int) and 0 <= time < LATEST
    return int(time) if known else UNTIMED, id_ if isinstance(id_, str) else ""
