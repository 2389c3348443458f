"""What no source settles about Circuit, to be answered either way."""

from __future__ import annotations

from typing import Literal

from attrs import frozen


@frozen(kw_only=True)
class CircuitSwitches:
    """How the emulator behaves where Circuit's documentation is silent."""

    boundary: Literal["exclusive", "inclusive"] = "exclusive"
    """Whether a row modified exactly at `modTime` is left out or returned."""
    page_order: Literal["asc", "desc"] = "asc"
    """The order inside a page of a time listing."""
    after: Literal["nearest", "newest"] = "nearest"
    """Which rows an AFTER page holds when more match than fit."""
    conversation_sort: Literal["modification", "last_item"] = "modification"
    """What `GET /conversations` filters and sorts by; no field shows the last item's time."""
    participants_reply: Literal["object", "list"] = "object"
    """A participants page as public code knows it, or as the description declares it."""
    truncate_participants: bool = False
    """Whether a conversation's `participants` ends after eight ids."""
    empty_list: Literal["array", "body", "204", "absent"] = "array"
    """What an empty list is: `[]`, 200 with no body, 204, or left out of the object it is in."""
    webhook_types: Literal["dotted", "camel"] = "dotted"
    """The names of events: `CONVERSATION.ADD_ITEM`, or `itemAdded` of older servers."""
    last_pointer: Literal["absent", "present"] = "absent"
    """Whether a last page has a pointer and a false `hasMore`, or neither."""
    has_more: Literal["bool", "text"] = "bool"
    """The type of `hasMore`, which the description does not give."""
    missing_direct: Literal["body", "204", "404"] = "body"
    """The answer for a peer without a direct conversation: an empty 200, 204 or 404."""
    regular_includes_moderators: bool = False
    """Whether moderators are also found among the REGULAR participants."""
    large_is_group: bool = True
    """Whether the paths of groups also take conversations of type LARGE."""
    update_omitted: Literal["keep", "clear"] = "keep"
    """What PUT does to the fields of a message that it does not name."""
    reply_to_reply: Literal["root", "given", "400"] = "root"
    """Where a reply to a reply goes: below the thread's root, below the reply, or nowhere."""
    like_moves_item: bool = False
    """Whether a like moves the item's modification time."""
    reply_moves_root: bool = False
    """Whether a reply moves the modification time of its thread's root."""
    duplicate_label: Literal["same", "400"] = "same"
    """What adding a label that exists does; no 400 is declared."""
    moderation_denied: Literal["403", "401"] = "403"
    """The status for moderating without the right to; both are documented to mean it."""
    upload_place: Literal["base", "root"] = "base"
    """Whether files are sent to `fileapi` below the base path or at the host's root."""
    downloads: Literal["token", "open", "foreign"] = "token"
    """Whether a file's address asks for the token, for nothing, or is signed on another host."""
    most_webhooks: int = 20
    """So many webhooks one user may have; no number is documented."""
    most_presence_users: int = 100
    """So many users one presence webhook may follow; no number is documented."""
    largest_file: int = 100_000_000
    """The limit in bytes that the vendor's client keeps; the server's is not documented."""
    token_seconds: float | None = None
    """How long an issued token works; None is until it is revoked. It is set app by app."""
    expires_in: Literal["absent", "present"] = "absent"
    """Whether the answer tells how long a token works, where it does not for ever."""
    refresh_tokens: Literal["none", "lasting", "rotating"] = "none"
    """What a code brings besides the access token; a rotating one is replaced at each use."""
