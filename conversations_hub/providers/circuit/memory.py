"""What walks through Circuit's lists remember from page to page: it rides in a request's note."""

from __future__ import annotations

from typing import Any, Self

import msgspec

from conversations_hub.errors import PagingError
from conversations_hub.wire import QueryValue, Request


class Memory(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A walk's memory; what a checkpoint brings is checked."""

    @classmethod
    def of(cls, request: Request) -> Self:
        """Read a request's note, or begin a walk."""
        try:
            return msgspec.convert(dict(request.note), cls)
        except msgspec.ValidationError as cause:
            raise PagingError(f"the walk's memory is damaged: {cause}") from cause

    def but(self, **changes: Any) -> Self:
        """Return the memory with these changes."""
        return msgspec.structs.replace(self, **changes)

    def leads(self, request: Request, **query: QueryValue) -> Request:
        """Return the request with this query and this memory as its note."""
        return request.with_params(query).with_note(**msgspec.to_builtins(self))
