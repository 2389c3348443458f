"""What nobody knows for sure about Clio, as switches; and faults that it is said to have."""

from __future__ import annotations

from typing import Literal

from attrs import frozen


@frozen(kw_only=True)
class ClioSwitches:
    """How the emulator behaves; the defaults are what is documented or most likely."""

    rate_limit: int = 50_000
    """Requests per token and window; the documented 50 would throttle ordinary use."""
    rate_window: float = 60.0
    """Seconds in a window."""
    token_seconds: float = 2_592_000
    """How long an issued token works; older documentation said 604,800."""
    rotate_refresh_tokens: bool = False
    """Whether a refresh brings a new refresh token, and the old one used again ends them all."""
    retry_after: Literal["seconds", "date", "missing"] = "seconds"
    """What the Retry-After of a 429 holds."""
    records: Literal["total", "page"] = "total"
    """What `meta.records` counts."""
    meta: Literal["present", "last_missing", "missing"] = "present"
    """Whether lists come with `meta`: always, except on the last page, never."""
    page_end: Literal["absent", "null"] = "absent"
    """What `meta.paging` says where there is no next or previous page."""
    next_link: Literal["own", "foreign", "loop"] = "own"
    """Where `next` leads: to the next page, to another host, to the same page again."""
    default_order: Literal["offset", "cursor"] = "offset"
    """Which paging a list without an `order` gets."""
    depth: int = 10_000
    """How many records offset paging reaches."""
    member_defaults: Literal["id_etag", "typed"] = "id_etag"
    """What a participant named without braces holds; typed adds `type` and `name`."""
    rejected_participant_fields: Literal["none", "identifiers", "all"] = "none"
    """Which fields in the braces of `sender` and `receivers` are not valid."""
    redacted_matters: bool = True
    """Whether some matters come as `{"redacted": true}`."""
    null_senders: bool = True
    """Whether some messages have a null `sender`."""
    since: Literal["strict", "inclusive"] = "strict"
    """Whether `created_since` and `updated_since` leave out the very second they name."""
    offset: str = "-05:00"
    """The offset of the timestamps: `±HH:MM` or `Z`."""
    fractions: bool = False
    """Whether timestamps have milliseconds."""
    hidden: Literal["not_found", "forbidden"] = "not_found"
    """How a conversation that the token may not see is answered: 404 or 403."""
    permitted: bool = True
    """Whether the token has the permission for conversations."""
    message_bumps_updated_at: bool = True
    """Whether a new message moves the `updated_at` of its conversation."""
    marks_bump_updated_at: bool = False
    """Whether reading and archiving move the `updated_at` of the conversation."""
    patch_ignores: Literal["nothing", "read", "archived", "matter"] = "nothing"
    """What a PATCH of a conversation answers with 200 and yet leaves as it is."""
    reply_receivers: Literal["added", "refused"] = "added"
    """What becomes of a reply's receivers from outside: new members, or a 422."""
    missing_reference: Literal["not_found", "unprocessable"] = "not_found"
    """How a body that refers to a record that is not there is answered: 404 or 422."""
    link_seconds: int = 60
    """How long the address lives that a download is redirected to."""
    bad_gateway_every: int = 0
    """Every so many requests a proxy answers with a 502 in HTML; 0 is never."""
