"""Clio: messages by id from either end, with a link to the next page."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from attrs import frozen
from emulated import Record
from yarl import URL

from conversations_hub.models import Ref
from conversations_hub.providers import clio

TOKEN = "token"


@frozen(kw_only=True)
class Clio:
    page: Sequence[Record]
    messages: int

    def provider(self, address: str) -> clio.Clio:
        return clio.Clio(token=TOKEN, base_url=f"{address}/api/v4")

    def ref(self, number: int = 0) -> Ref:
        return Ref("clio", str(number + 1))

    def answer(self, url: URL) -> bytes:
        indexes = range(self.messages)
        if url.query.get("order") == "id(desc)":
            indexes = indexes[::-1]
        size, start = int(url.query["limit"]), int(url.query.get("page_token", "0"))
        stop = start + size
        onward = str(url.update_query(page_token=stop))
        paging = {"next": onward} if stop < self.messages else {}
        rows = [self._message(index) for index in indexes[start:stop]]
        return orjson.dumps({"meta": {"paging": paging, "records": self.messages}, "data": rows})

    def _message(self, index: int) -> Record:
        like = self.page[index % len(self.page)]
        return {**like, "id": index + 1, "body": like["body"] and f"{like['body']} {index}"}
