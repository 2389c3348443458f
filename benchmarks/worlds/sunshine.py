"""Sunshine Conversations: messages newest page first, a hundred at a time."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from attrs import frozen
from emulated import Record
from yarl import URL

from conversations_hub.models import Ref
from conversations_hub.providers import sunshine

APP, KEY, SECRET = "5f0000000000000000000001", "app_key", "secret"
SIZE = 100


@frozen(kw_only=True)
class Sunshine:
    page: Sequence[Record]
    messages: int

    def provider(self, address: str) -> sunshine.Sunshine:
        return sunshine.Sunshine(app_id=APP, key_id=KEY, secret=SECRET, base_url=address)

    def ref(self, number: int = 0) -> Ref:
        return Ref("sunshine", f"{number:024x}")

    def answer(self, url: URL) -> bytes:
        before = url.query.get("page[before]")
        stop = int(before, 16) if before else self.messages
        start = max(0, stop - SIZE)
        meta = {"hasMore": start > 0}
        if start:
            meta["beforeCursor"] = f"{start:024x}"
        rows = [self._message(index) for index in range(start, stop)]
        return orjson.dumps({"messages": rows, "meta": meta})

    def _message(self, index: int) -> Record:
        return {**self.page[index % len(self.page)], "id": f"{index:024x}"}
