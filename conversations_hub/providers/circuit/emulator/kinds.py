"""Every kind of content that Circuit documents, one example of each."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING, Any

from conversations_hub.emulator.corpus import HARD_TEXTS

if TYPE_CHECKING:
    from collections.abc import Sequence

Json = dict[str, Any]

CONTENT_LIMIT = 16384
SYSTEM_TYPES = (
    "CONVERSATION_CREATED", "PARTICIPANT_ADDED", "PARTICIPANT_REMOVED", "CONVERSATION_RENAMED",
    "CONFERENCE_DETAILS_CHANGED", "CONVERSATION_MODERATED", "MODERATOR_RIGHTS_GRANTED",
    "MODERATOR_RIGHTS_DROPPED", "GUEST_ACCESS_ENABLED", "GUEST_ACCESS_DISABLED", "AVATAR_CHANGED",
    "RETENTION_POLICY_CHANGED", "PARTICIPANT_HARD_REMOVED",
)  # fmt: skip
MISSED = (
    "UNREACHABLE", "TIMEOUT", "USER_BUSY", "DECLINED", "CANCELED", "INVALID_NUMBER",
    "TEMPORARILY_UNAVAILABLE",
)  # fmt: skip
USER_TYPES = (
    "GUEST", "SUPPORT", "TELEPHONY", "SESSION_GUEST", "MEETING_POINT", "TECHNICAL", "BOT", "XMPP",
)  # fmt: skip
USER_STATES = ("INACTIVE", "SUSPENDED", "DELETED")
PRESENCES: tuple[Json, ...] = (
    {"state": "AVAILABLE", "mobile": False, "isOptedOut": False, "timeZoneOffset": -60},
    {"state": "OFFLINE", "isOptedOut": True},
    {"state": "AWAY", "mobile": True, "poor": True, "timeZoneOffset": 300},
    {
        "state": "BUSY", "statusMessage": "In court until noon", "locationText": "Lisboa",
        "latitude": 38.722, "longitude": -9.139, "mobile": False,
    },
    {"state": "DND", "dndUntil": 1780000000000, "mobile": False},
)  # fmt: skip
FILES: tuple[Json, ...] = (
    {"fileName": "photo.jpg", "mimeType": "image/jpeg", "size": 183_402},
    {"fileName": "Verträge & Entwürfe (2).pdf", "mimeType": "application/pdf", "size": 88_120},
    {"fileName": "empty.txt", "mimeType": "text/plain", "size": 0},
    {"fileName": "voice.ogg", "mimeType": "audio/ogg", "size": 45_001},
    {"fileName": "unnamed", "size": 12},
)
THUMBNAIL: Json = {"fileName": "photo_thumbnail.jpg", "mimeType": "image/jpeg", "size": 4_096}
FORM: Json = {
    "id": "visit",
    "controls": [
        {"type": "LABEL", "text": "When does it suit you?"},
        {
            "type": "RADIO",
            "name": "choice",
            "options": [{"text": "Morning", "value": "a"}, {"text": "Évening", "value": "b"}],
        },
        {"type": "BUTTON", "text": "Send", "action": "submit"},
    ],
}


def rich(text: str) -> str:
    """Return plain text as the markup that shows it."""
    return escape(text, quote=False).replace("\r\n", "<br>").replace("\n", "<br>")


def with_entities(markup: str) -> str:
    """Return markup with its emoji as decimal entities, as Circuit's own clients send them."""
    return "".join(f"&#{ord(char)};" if ord(char) > 0xFFFF else char for char in markup)


def mention(user: Json) -> str:
    """Return the markup that names a user."""
    name = rich(user.get("displayName", "somebody"))
    return f'<span class="mention" abbr="{user["userId"]}">@{name}</span>'


def hard_texts() -> list[Json]:
    """Return the texts that are hard to carry, in markup, with entities and plain."""
    return [
        text
        for hard in HARD_TEXTS
        for text in (
            {"contentType": "RICH", "content": rich(hard)},
            {"contentType": "RICH", "content": with_entities(rich(hard))},
            {"contentType": "PLAIN", "content": hard},
        )
    ]


def texts(user: Json) -> list[Json]:
    """Return one text of every other kind."""
    return [*_markup(user), *_extras(), *_limits()]


def _markup(user: Json) -> list[Json]:
    contents = (
        "<b>bold</b> and <i>italic</i>, <i><b>both</b></i><br>second line<br/>third",
        "before<hr/>after<ul><li>one</li><li>two</li></ul><ol><li>first</li></ol>end",
        'See <a href="https://example.org/a?x=1&amp;y=2">the page</a> &amp; tell me',
        'A <span class="rich-text-highlight">marked</span> word',
        f"Hello {mention(user)}, please look &#128526;",
        'Fine <img class="emoticon-icon emoticon-icon-smile" abbr=":)"> thanks',
        'Old form <img src="/emoticons/wink.png" abbr=";)" class="emoticon-icon"/>',
        "||::$$privateData={&quot;by&quot;:&quot;bot&quot;,&quot;n&quot;:1}::||Visible <b>part</b>",
    )
    kinds = [{"contentType": "RICH", "content": content} for content in contents]
    return [*kinds, {"content": "no <b>content</b> type"}, {"content": "plain words, no type"}]


def _extras() -> list[Json]:
    preview = {
        "type": "LINK",
        "title": "An example",
        "srcURL": "https://example.org/",
        "imageURI": "/previews/example.png",
    }
    link = '<a href="https://example.org/">https://example.org/</a>'
    return [
        {"contentType": "RICH", "subject": "Plan & <scope>", "content": "With a subject"},
        {"contentType": "RICH", "subject": "Only a subject"},
        {"contentType": "PLAIN", "content": ""},
        {"contentType": "RICH", "content": link, "preview": preview},
        {"contentType": "RICH", "content": link, "preview": {"type": "LINK"}},
        {"contentType": "RICH", "content": "Choose", "formMetaData": json.dumps(FORM)},
        {"contentType": "RICH", "content": "<b>Build 81</b> passed", "isWebhookMessage": True},
        # Only the SDK knows this state.
        {"contentType": "RICH", "content": "clustered", "state": "CLUSTERED"},
    ]


def _limits() -> list[Json]:
    longest = ("A very long body. " * CONTENT_LIMIT)[:CONTENT_LIMIT]
    return [
        {"contentType": "PLAIN", "content": longest},
        {"contentType": "RICH", "subject": "s" * 255, "content": "x"},
    ]


def file_sets() -> list[list[Json]]:
    """Return attachments as they come: alone, several at once, with a thumbnail, ten."""
    singles = [[dict(file)] for file in FILES]
    ten = [{**FILES[0], "fileName": f"photo {number}.jpg"} for number in range(10)]
    return [*singles, [dict(FILES[0]), THUMBNAIL], [dict(file) for file in FILES], ten]


def system_items(user_ids: Sequence[str]) -> list[Json]:
    """Return one system payload of every type, and the variations of those with members."""
    some, one = list(user_ids[:2]), list(user_ids[:1])
    members: dict[str, Json] = {
        "PARTICIPANT_ADDED": {"affectedParticipants": some},
        "PARTICIPANT_REMOVED": {"affectedParticipants": one},
        "PARTICIPANT_HARD_REMOVED": {"affectedParticipants": one},
        "MODERATOR_RIGHTS_GRANTED": {"affectedParticipants": one},
        "MODERATOR_RIGHTS_DROPPED": {"affectedParticipants": one},
        "CONVERSATION_RENAMED": {"oldTopic": "A", "newTopic": "B & <C>"},
    }
    payloads = [{"type": kind} | members.get(kind, {}) for kind in SYSTEM_TYPES]
    return [
        *payloads,
        {"type": "CONVERSATION_RENAMED", "newTopic": "first topic"},
        {"type": "CONVERSATION_RENAMED", "oldTopic": "last topic"},
    ]


def rtc_items(user: Json, other: Json, conv_id: str) -> list[Json]:
    """Return one call payload of every type, reason, direction and kind of participant."""
    caller = _speaker(user)
    return [
        {"type": "STARTED", "rtcParticipants": [caller]},
        {"type": "STARTED"},
        {"type": "PARTICIPANT_JOINED", "rtcParticipants": [_speaker(other)]},
        {"type": "PARTICIPANT_LEFT", "rtcParticipants": [_speaker(other)]},
        *({"type": "MISSED", "missed": why, "rtcParticipants": [caller]} for why in MISSED),
        *(
            {"type": "MOVED", "moved": {"direction": way, "conversationId": conv_id}}
            for way in ("MOVED_FROM", "MOVED_TO")
        ),
        *_endings(user, other),
    ]


def _endings(user: Json, other: Json) -> list[Json]:
    everybody = [_speaker(user), *_outsiders(other)]
    return [
        {"type": "ENDED", "ended": {"duration": 61000, "maxNumberOfAttendees": 3}},
        {
            "type": "ENDED",
            "ended": {
                "duration": 3_605_000,
                "maxNumberOfAttendees": len(everybody),
                "pickFromParticipant": other["userId"],
            },
            "rtcParticipants": everybody,
        },
        {"type": "ENDED"},
    ]


def _speaker(user: Json) -> Json:
    speaker = {"type": "USER", "userId": user["userId"]}
    return speaker | ({"displayName": user["displayName"]} if "displayName" in user else {})


def _outsiders(other: Json) -> list[Json]:
    number = {"phoneNumber": "+15550001234", "fullyQualifiedNumber": "+1 (555) 000-1234"}
    return [
        {"type": "EXTERNAL", "displayName": "Visitor"},
        {"type": "TELEPHONY", **number},
        # The description leaves its type open.
        {"type": "TELEPHONY", **number, "resolvedUser": _speaker(other)},
        {"type": "SESSION_GUEST", "userId": other["userId"], "displayName": "Guest"},
        {"type": "MEETING_POINT", "displayName": "Room 4"},
        {"type": "VOICE_MAIL"},
        {"type": "TEST_CALL"},
    ]
