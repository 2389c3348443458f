"""Twilio: messages by index from either end, one message, and conversations by day."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import orjson
from attrs import frozen
from emulated import Record
from yarl import URL

from conversations_hub.models import Ref
from conversations_hub.providers import twilio

ACCOUNT, TOKEN = "AC" + "0" * 32, "token"
BEGINNING = datetime(2025, 1, 1, tzinfo=UTC)


# Slots and what is made of the fields do not go together in the attrs releases that we allow.
@frozen(kw_only=True, slots=False)
class Twilio:
    """`size` makes pages of so many messages, whatever the client asks for.

    A conversation begins on each of the `days`, counted from the beginning.
    """

    page: Sequence[Record]
    messages: int
    size: int | None = None
    conversation: Record | None = None
    days: Sequence[int] = ()

    def provider(self, address: str) -> twilio.Twilio:
        return twilio.Twilio(account_sid=ACCOUNT, auth_token=TOKEN, base_url=address)

    def ref(self, number: int = 0) -> Ref:
        return Ref("twilio", f"CH{number:032x}")

    def answer(self, url: URL) -> bytes:
        match url.path.split("/")[2:]:
            case ["Conversations"]:
                return self._conversations(url)
            case ["Conversations", sid, "Messages"]:
                return self._messages(url, sid)
            case ["Conversations", sid, "Messages", message]:
                return orjson.dumps(self._message(sid, int(message.removeprefix("IM"), 16)))
        raise LookupError(url)

    def _messages(self, url: URL, sid: str) -> bytes:
        indexes = range(self.messages)
        if url.query.get("Order") == "desc":
            indexes = indexes[::-1]
        size = self.size or int(url.query["PageSize"])
        return _page(
            url,
            "messages",
            [self._message(sid, i) for i in _cut(url, indexes, size)],
            size,
            len(indexes),
        )

    def _message(self, sid: str, index: int) -> Record:
        like = self.page[index % len(self.page)]
        return {
            **like,
            "sid": f"IM{index:032x}",
            "index": index,
            "conversation_sid": sid,
            "body": like["body"] and f"{like['body']} {index}",
        }

    def _conversations(self, url: URL) -> bytes:
        """Return a page of those between two days, which both count; the newest comes first."""
        first, last = url.query.get("StartDate", ""), url.query.get("EndDate", "9")
        start = bisect_left(self._created, first[:10])
        stop = bisect_right(self._created, f"{last[:10]}T24")
        numbers = range(start, stop)[::-1]
        size = int(url.query["PageSize"])
        rows = [self._conversation(number) for number in _cut(url, numbers, size)]
        return _page(url, "conversations", rows, size, len(numbers))

    def _conversation(self, number: int) -> Record:
        what = {"sid": self.ref(number).id, "date_created": self._created[number]}
        return {**(self.conversation or {}), **what}

    @cached_property
    def _created(self) -> list[str]:
        moments = (
            BEGINNING + timedelta(days=day, seconds=number % 86_400)
            for number, day in enumerate(self.days)
        )
        return sorted(f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in moments)


def _number(url: URL) -> int:
    return int(url.query.get("Page", "0"))


def _cut(url: URL, all_of_them: Sequence[int], size: int) -> Sequence[int]:
    start = _number(url) * size
    return all_of_them[start : start + size]


def _page(url: URL, key: str, rows: list[Any], size: int, total: int) -> bytes:
    number = _number(url)
    more = (number + 1) * size < total
    onward = url.update_query(Page=number + 1, PageToken=f"P{number + 1}")
    meta = {
        "page": number,
        "page_size": size,
        "first_page_url": str(url.with_query(PageSize=size, Page=0)),
        "previous_page_url": None,
        "url": str(url),
        "next_page_url": str(onward) if more else None,
        "key": key,
    }
    return orjson.dumps({key: rows, "meta": meta})
