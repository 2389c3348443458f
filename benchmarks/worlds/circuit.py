"""Circuit: items cut by the time of their modification, newest first, and their conversation."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property

import orjson
from attrs import field, frozen
from emulated import Record
from yarl import URL

from conversations_hub.models import Ref
from conversations_hub.providers import circuit

TOKEN = "token"
BEGINNING, SPAN = 1_735_689_600_000, 31_536_000_000  # 2025, in milliseconds
# The newest sixteenth of the time then holds 28 % of the items, so that sixteen windows of the
# same width are read no faster than 3.6 times.
SKEW = 2.2


def evenly(count: int) -> list[int]:
    """Return times with the same distance between them, the oldest first."""
    return [BEGINNING + SPAN * index // count for index in range(count)]


def skewed(count: int) -> list[int]:
    """Return times that lie the closer together the newer they are."""
    return sorted(
        BEGINNING + SPAN - int(SPAN * (place / count) ** SKEW) for place in range(1, count + 1)
    )


# Slots and what is made of the fields do not go together in the attrs releases that we allow.
@frozen(kw_only=True, slots=False)
class Circuit:
    """Who changes `times` changes how the messages lie in time."""

    page: Sequence[Record]
    messages: int
    conversation: Record | None = None
    times: Sequence[int] = field()

    @times.default
    def _evenly(self) -> Sequence[int]:
        return evenly(self.messages)

    def provider(self, address: str) -> circuit.Circuit:
        return circuit.Circuit(token=TOKEN, base_url=f"{address}/rest/v2")

    def ref(self, number: int = 0) -> Ref:
        return Ref("circuit", f"{number:08x}-0000-4000-8000-000000000000")

    def answer(self, url: URL) -> bytes:
        match url.path.split("/")[3:]:
            case ["conversations", _, "items"]:
                return self._items(url)
            case ["conversations", "byIds"]:
                return orjson.dumps([self._conversation])
            case ["conversations", _]:
                return orjson.dumps(self._conversation)
        raise LookupError(url)

    def _items(self, url: URL) -> bytes:
        """Return the items nearest to a moment on one side of it, without those of the moment."""
        size, moment = int(url.query["results"]), url.query.get("modTime")
        if url.query.get("direction") == "AFTER" and moment:
            start = bisect_right(self.times, _milliseconds(moment))
            stop = min(start + size, len(self.times))
        else:
            stop = bisect_left(self.times, _milliseconds(moment)) if moment else len(self.times)
            start = max(0, stop - size)
        return b"[" + b",".join(self._rows[start:stop][::-1]) + b"]"

    @cached_property
    def _rows(self) -> list[bytes]:
        return [orjson.dumps(self._item(*row)) for row in enumerate(self.times)]

    def _item(self, index: int, time: int) -> Record:
        return {
            **self.page[index % len(self.page)],
            "itemId": f"{index:08x}-1000-4000-8000-000000000000",
            "creationTime": time,
            "modificationTime": time,
        }

    @property
    def _conversation(self) -> Record:
        times = {"creationTime": self.times[0], "modificationTime": self.times[-1]}
        return {**(self.conversation or {}), "convId": self.ref().id, **times}


def _milliseconds(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1000)
