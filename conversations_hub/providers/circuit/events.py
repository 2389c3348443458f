"""Says in a few words what Circuit's SYSTEM and RTC items only name."""

from __future__ import annotations

from conversations_hub.providers.circuit import payloads

SYSTEM = {
    "CONVERSATION_CREATED": "created the conversation",
    "PARTICIPANT_ADDED": "added participants",
    "PARTICIPANT_REMOVED": "removed participants",
    "PARTICIPANT_HARD_REMOVED": "removed participants for good",
    "CONFERENCE_DETAILS_CHANGED": "changed the conference details",
    "CONVERSATION_MODERATED": "made the conversation moderated",
    "MODERATOR_RIGHTS_GRANTED": "granted moderator rights",
    "MODERATOR_RIGHTS_DROPPED": "withdrew moderator rights",
    "GUEST_ACCESS_ENABLED": "enabled guest access",
    "GUEST_ACCESS_DISABLED": "disabled guest access",
    "AVATAR_CHANGED": "changed the picture",
    "RETENTION_POLICY_CHANGED": "changed the retention policy",
}
CALLS = {
    "STARTED": "a call started",
    "ENDED": "the call ended",
    "MISSED": "missed a call",
    "PARTICIPANT_JOINED": "joined the call",
    "PARTICIPANT_LEFT": "left the call",
    "MOVED": "the call moved",
}
WAYS = {"MOVED_FROM": " here", "MOVED_TO": " to another conversation"}


def of_system(system: payloads.System) -> str | None:
    """Return what its author did to the conversation."""
    old, new = system.old_topic, system.new_topic
    if system.type == "CONVERSATION_RENAMED":
        return " ".join(
            [
                "renamed the conversation",
                *([f"from {old}"] if old else []),
                *([f"to {new}"] if new else []),
            ]
        )
    if system.type == "CONVERSATION_CREATED" and new:
        return f"created the conversation {new}"
    return SYSTEM.get(system.type or "") or _spoken(system.type)


def of_call(rtc: payloads.Rtc) -> str | None:
    """Return what happened in the call."""
    text = CALLS.get(rtc.type or "") or _spoken(rtc.type)
    if rtc.type == "MISSED" and rtc.missed:
        return f"{text}: {_spoken(rtc.missed)}"
    if rtc.type == "MOVED" and rtc.moved:
        return f"{text}{WAYS.get(rtc.moved.direction or '', '')}"
    return text


def _spoken(word: str | None) -> str | None:
    return word.replace("_", " ").lower() if word else None
