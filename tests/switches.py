"""The emulators' switches that are about writing: every position, and what it leads to."""

from typing import Any

from attrs import field, frozen

from conversations_hub import (
    AmbiguousWriteError,
    InvalidRequestError,
    PermissionDeniedError,
    StatusError,
)


@frozen
class Turn:
    """One value of a switch; `error` is what somebody who calls everything then meets."""

    value: Any
    error: type[Exception] | tuple[type[Exception], ...] = field(default=())


# Every switch about writing in every position. The first is the default.
WRITING = {
    "twilio": {
        "limit_status": [403, 400],
        "unknown_parameters": ["ignore", "reject"],
        "clear_with": ["empty", "null"],
        "initializing": ["refuse", "accept"],
        "default_timers": [False, True],
        "long_texts": ["fail", "refuse"],
        "with_participants": ["created", "accepted"],
        "write_answers": ["arrive", Turn("fail", AmbiguousWriteError)],
        "media_content": ["direct", "redirect"],
        "media_name": ["filename", "file_name"],
        "media_seconds": [300, 2],
        "write_rate": [None, 30],
        "retry_after": ["missing", "seconds"],
    },
    "sunshine": {
        "message_limit": [30_000, Turn(0, (InvalidRequestError, AmbiguousWriteError))],
        "captions": ["kept", "split"],
        "metadata_patch": ["merge", "replace"],
        "unknown_fields": ["ignored", "refused"],
        "rejoin": ["refused", "repeated"],
        "second_webhook": ["refused", "added"],
        "media": ["private", "public", "foreign"],
        "upload_limit": [50 * 1024**2, Turn(1, InvalidRequestError)],
        "leeway": [0.0, 60.0],
    },
    "clio": {
        "marks_bump_updated_at": [False, True],
        "patch_ignores": [
            "nothing",
            "read",
            Turn("archived", InvalidRequestError),
            Turn("matter", InvalidRequestError),
        ],
        "reply_receivers": ["added", "refused"],
        "missing_reference": ["not_found", "unprocessable"],
        "link_seconds": [60, 2],
        "token_seconds": [2_592_000, 60.0],
        "rotate_refresh_tokens": [False, True],
    },
    "circuit": {
        "token_seconds": [None, 60.0],
        "expires_in": ["absent", "present"],
        "refresh_tokens": ["none", "lasting", "rotating"],
        "large_is_group": [True, False],
        "update_omitted": ["keep", "clear"],
        "reply_to_reply": ["root", "given", "400"],
        "like_moves_item": [False, True],
        "reply_moves_root": [False, True],
        "duplicate_label": ["same", "400"],
        "moderation_denied": ["403", "401"],
        "upload_place": ["base", "root"],
        "downloads": ["token", "open", "foreign"],
        "most_webhooks": [20, Turn(0, PermissionDeniedError)],
        "most_presence_users": [100, Turn(0, PermissionDeniedError)],
        "largest_file": [100_000_000, Turn(1, StatusError)],
    },
}


def turns(values):
    return [one if isinstance(one, Turn) else Turn(one) for one in values]
