"""How Sunshine's lists go on: forwards, except for messages."""

from __future__ import annotations

from typing import Any

from attrs import evolve, frozen

from conversations_hub.paging import CursorPaging
from conversations_hub.reading import Answer
from conversations_hub.wire import Request


@frozen(kw_only=True)
class ForwardPaging(CursorPaging):
    """The same, but for a page that is not full the end may go without saying.

    One of the published answers is such a list without `meta`.
    """

    size: str

    def after(self, request: Request, answer: Answer[Any]) -> Request | None:
        """Return the request with the cursor set."""
        silent = answer.envelope.get(self.more[0]) is None
        if silent and answer.count < int(request.query[self.size]):
            return None
        return super().after(request, answer)


FORWARDS = ForwardPaging(
    param="page[after]",
    cursor=("meta", "afterCursor"),
    more=("meta", "hasMore"),
    edge=lambda records: records[-1].id,
    size="page[size]",
)
# The same for records that are read without a payload's type.
VALUES = evolve(FORWARDS, edge=lambda records: records[-1]["id"])
# Messages begin with their newest page, and `links.next` would lead away from the others.
BACKWARDS = CursorPaging(
    param="page[before]",
    cursor=("meta", "beforeCursor"),
    more=("meta", "hasMore"),
    # A cursor is the id of a record, and ids grow with time.
    edge=lambda records: min(record.id for record in records),
)
