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

    unknown_cursor: Literal["refused", "generic", "position"] = "refused"
    """`generic`: refused as a bad request, without saying that it is about the page. `position`: a
    cursor of no record still says where to go on, as ids are ordered."""

    read_lag: float = field(default=0.0, validator=validators.ge(0))
    """For how many seconds a list does not show a new message."""

    deleted: Literal["placeholder", "emptied", "removed"] = "placeholder"
    """A deleted message has no content, an empty text, or is not in the list any more."""

    message_limit: int = field(default=30_000, validator=validators.ge(0))
    """Messages that a conversation holds before 423; deleted ones do not count."""

    captions: Literal["kept", "split"] = "kept"
    """`split`: a file posted with a text becomes two messages; an answer may hold several."""

    metadata_patch: Literal["merge", "replace"] = "merge"
    """What a PATCH does with the metadata that it does not name."""

    unknown_fields: Literal["ignored", "refused"] = "ignored"
    """What becomes of a field in a body that is not documented, or in answers only."""

    rejoin: Literal["refused", "repeated"] = "refused"
    """Whether a user who joins again is refused (400) or shown the same participant (201)."""

    second_webhook: Literal["refused", "added"] = "refused"
    """What becomes of a second webhook for a custom integration, which is said to have one."""

    media: Literal["private", "public", "foreign"] = "private"
    """`private`: downloads need the key. `foreign`: on another host that refuses any key."""

    upload_limit: int = field(default=50 * 1024**2, validator=validators.ge(0))
    """Bytes of an attachment before 413."""

    foreign_links: bool = False
    """Whether `links` lead to another host."""

    unknown_keys: bool = False
    """Whether every object has a key that is in no documentation."""

    unknown_values: bool = False
    """Whether every type, subtype and status is a word that is in no documentation."""

    leeway: float = 0.0
    """How many seconds late or early a signed token may be by the server's clock."""

    rate_limit: int | None = field(default=None, validator=validators.optional(validators.ge(0)))
    """Requests answered in a window before 429; the provider publishes no number."""

    rate_window: float = 60.0
    """Seconds in which `rate_limit` counts."""

    retry_after: bool = True
    """Whether a 429 says when to come back."""
