"""The lists of Circuit that are not cut by time: a conversation's people, and communities."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Generic, TypeVar

import msgspec
from attrs import evolve, frozen

from conversations_hub.errors import PagingError, TranslationError
from conversations_hub.models import Participant, Ref
from conversations_hub.paging import CursorPaging
from conversations_hub.providers.circuit import payloads, translate
from conversations_hub.providers.circuit.memory import Memory
from conversations_hub.raw import decode
from conversations_hub.reading import Answer, Records
from conversations_hub.recipes import Page
from conversations_hub.wire import Request, Response

T = TypeVar("T")

TYPES = ("REGULAR", "MODERATOR", "GUEST", "FORMER", "BOT")
"""The kinds of participants, each of which is a list of its own."""
PEOPLE = "participantList"
"""Where they stand in an answer."""

BY_POINTER = CursorPaging(
    param="searchPointer", cursor=("searchPointer",), more=("hasMore",), silent_end=True
)
BY_LABEL = CursorPaging(
    param="nextPagePointer", cursor=("nextPagePointer",), more=("hasMore",), silent_end=True
)


@frozen
class Held(Generic[T]):
    """Reads a list that an object holds, or leaves out where it is empty."""

    records: Records[Any, T]

    def __call__(self, request: Request, response: Response) -> Page[T]:
        """Translate what there is."""
        name, around = self.records.items or "", self.records.paging.reads
        return self.records(request, evolve(response, body=_whole(response.body, name, around)))


def _whole(body: bytes, name: str, around: Collection[str]) -> bytes:
    """Return an object with its list; one that says anything else is something else."""
    if name.encode() in body:
        return body
    try:
        found = decode(body.strip() or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body
    if not isinstance(found, dict) or not found.keys() <= {*around}:
        return body
    return msgspec.json.encode(found | {name: []})


@frozen(kw_only=True)
class Roster:
    """Goes through the types of participants, one list after another."""

    types: tuple[str, ...] = TYPES

    @property
    def reads(self) -> tuple[str, ...]:
        """The envelope's names that hold the pointer and the flag."""
        return BY_POINTER.reads

    def after(self, request: Request, answer: Answer[payloads.Participant]) -> Request | None:
        """Return the request for the next page of a type, or the first of the next type."""
        onward = BY_POINTER.after(request, answer) or self._next_type(request)
        if onward is None:
            return None
        # The same person may be found under two types.
        met = [*request.note.get("seen", ()), *(one.user_id for one in answer.records)]
        return onward.with_note(seen=list(dict.fromkeys(met)))

    def _next_type(self, request: Request) -> Request | None:
        later = self.types[self.types.index(request.query["type"]) + 1 :]
        return request.with_query(type=later[0], searchPointer=None) if later else None


@frozen(kw_only=True)
class ParticipantsReader:
    """Reads a page of participants: one object, or as the description has it a list of them."""

    conversation: Ref
    rule: Roster

    def __call__(self, request: Request, response: Response) -> Page[Participant]:
        """Translate the people of a page."""
        type_ = request.query["type"]
        read = Records(
            payload=payloads.Participant,
            items=PEOPLE,
            translate=lambda payload, raw: translate.participant(
                self.conversation, type_, payload, raw
            ),
            paging=self.rule,
        )
        body = _one_object(response.body, self.rule.reads)
        return Held(read)(request, evolve(response, body=body))


def _one_object(body: bytes, around: Collection[str]) -> bytes:
    """Return the page itself of a list of pages; more than one are put together."""
    if not body.lstrip().startswith(b"["):
        return body
    try:
        pages = list(map(bytes, msgspec.json.decode(body, type=list[msgspec.Raw])))
        if len(pages) == 1:
            return pages[0]
        whole = [_whole(page, PEOPLE, around) for page in pages]
        loose = [msgspec.json.decode(page, type=dict[str, Any]) for page in whole]
        people = [one for page in loose for one in page[PEOPLE]]
    except (
        msgspec.MsgspecError,
        UnicodeDecodeError,
        RecursionError,
        LookupError,
        TypeError,
    ) as cause:
        raise TranslationError("the answer is not a list of pages", path="$") from cause
    last = loose[-1] if loose else {}
    return msgspec.json.encode(last | {PEOPLE: people})


LAST_START = 255
MOST = 100
OTHER_ORDER = {"ASCENDING": "DESCENDING", "DESCENDING": "ASCENDING"}


class Rows(Memory, frozen=True, omit_defaults=True, kw_only=True):
    """What a walk through the communities remembers."""

    seen: tuple[str, ...] = ()
    """The rows of this pass."""
    near: tuple[str, ...] | None = None
    """Those of its first end, once it reads from the other."""
    before: tuple[str, ...] = ()
    """Those of the passes before this one."""
    apart: bool = False
    """The two ends did not meet."""


@frozen(kw_only=True)
class Communities:
    """Reads from the start as far as an index may go, then from the other end until both meet.

    That reaches 355 rows from either end. Where the two do not meet, everything that can be
    reached is delivered, and then a `PagingError` says that it is not everything.

    A page begins with the last row of the one before. All the same, one that is joined is no
    longer listed and lets others slip by, and one that moves to where the walk was is passed, with
    no sign of it. So a list of several pages is read again until that brings nothing new.
    """

    reads: tuple[str, ...] = ()

    def after(self, request: Request, answer: Answer[payloads.Conversation]) -> Request | None:
        """Return the request for the next rows from this end, or the first from the other."""
        rows = Rows.of(request)
        if rows.apart:
            raise PagingError(
                f"the first and the last {LAST_START + MOST} communities do not meet: "
                "Circuit cannot list those between; ask with another sort"
            )
        # A row that came twice takes no other's place.
        ids = tuple(dict.fromkeys(one.conv_id for one in answer.records))
        start, results = int(request.query["startIndex"]), int(request.query["results"])
        last = start + answer.count - len(answer.records) + len(ids) - 1
        is_whole = not (rows.seen or rows.before or start)
        # A row of the first end that comes sooner has moved there.
        met = rows.near is not None and not {*ids[-1:]}.isdisjoint(rows.near)
        rows = rows.but(seen=tuple(dict.fromkeys([*rows.seen, *ids])))
        if met or answer.count < results:
            return None if is_whole else _again(request, rows)
        if start < LAST_START:
            return rows.leads(_further(request, last, results))
        if rows.near is not None:
            return rows.but(apart=True).leads(request)
        other = OTHER_ORDER[request.query["order"]]
        return rows.but(near=rows.seen).leads(request, order=other, startIndex=0, results=MOST)


def _further(request: Request, start: int, results: int) -> Request:
    """Return the request from an index on; the last takes all that can be reached."""
    if start < LAST_START:
        return request.with_query(startIndex=start, results=max(results, 2))
    return request.with_query(startIndex=LAST_START, results=MOST)


def _again(request: Request, rows: Rows) -> Request | None:
    """Return the request that begins another pass, unless this one brought nothing."""
    if {*rows.seen} <= {*rows.before}:
        return None
    order = request.query["order"]
    order = OTHER_ORDER[order] if rows.near is not None else order
    known = tuple(dict.fromkeys([*rows.before, *rows.seen]))
    return Rows(before=known).leads(request, order=order, startIndex=0)
