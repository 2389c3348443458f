"""What is uncertain about Sunshine Conversations, or hostile, and can be turned either way."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen, validators


@frozen(kw_only=True)
class SunshineSwitches:
    """How the faked API behaves where the documentation leaves room."""

    message_page: int = field(default=100, validator=validators.ge(1))
    """Messages on a page; always 100 with the provider."""

    message_order: Literal["asc", "desc"] = "asc"
    """Order inside a page of messages; which page comes next is not affected."""

    list_order: Literal["asc", "desc"] = "asc"
    """Order by id of conversations, participants, clients and integrations."""

    last_page_meta: Literal["full", "bare", "absent"] = "full"
    """`bare`: `hasMore` alone and no links. `absent`: neither `meta` nor `links`."""

    more: Literal["honest", "cursorless", "looping"] = "honest"
    """`cursorless`: more, but no cursor to it. `looping`: the cursor sent comes back."""

    unknown_cursor: Literal["refused", "position"] = "refused"
    """`position`: a cursor of no record still says where to go on, as ids are ordered."""

    deleted: Literal["placeholder", "emptied", "removed"] = "placeholder"
    """A deleted message has no content, an empty text, or is not in the list any more."""

    foreign_links: bool = False
    """Whether `links` lead to another host."""

    unknown_keys: bool = False
    """Whether every object has a key that is in no documentation."""

    unknown_values: bool = False
    """Whether every type, subtype and status is a word that is in no documentation."""

    rate_limit: int | None = field(default=None, validator=validators.optional(validators.ge(0)))
    """Requests answered in a window before 429; the provider publishes no number."""

    rate_window: float = 60.0
    """Seconds in which `rate_limit` counts."""

    retry_after: bool = True
    """Whether a 429 says when to come back."""
