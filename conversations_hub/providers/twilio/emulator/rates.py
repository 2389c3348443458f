"""Knows what Twilio counts together: writes to a service, and writes to a conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conversations_hub.providers.twilio.emulator.reads import Call

WINDOW = 1.0
"""Seconds in which there may be so many actions."""

# Section 6; reads are not counted, and of other writes nothing is said.
PER_SERVICE = {
    ("POST", "Conversations"),
    ("POST", "ConversationWithParticipants"),
    ("DELETE", "Conversations/{conversation}"),
    ("POST", "Users"),
    ("POST", "Users/{user}"),
    ("DELETE", "Users/{user}"),
}
PER_CONVERSATION = {
    ("POST", "Conversations/{conversation}"),
    ("POST", "Conversations/{conversation}/Messages"),
    ("POST", "Conversations/{conversation}/Messages/{message}"),
    ("DELETE", "Conversations/{conversation}/Messages/{message}"),
    ("POST", "Conversations/{conversation}/Participants"),
    ("POST", "Conversations/{conversation}/Participants/{participant}"),
    ("DELETE", "Conversations/{conversation}/Participants/{participant}"),
}


def counted_with(call: Call, path: str) -> tuple[str, str] | None:
    """Return what a request is counted together with; None if it is not counted."""
    method = call.request.method
    action = method, path.removeprefix("/v1/").removeprefix("Services/{service}/")
    if action in PER_SERVICE:
        return "service", call.service
    if action in PER_CONVERSATION:
        name = call.named("conversation")
        found = call.store.conversation(call.service, name, unique_names=True)
        return "conversation", found.sid if found else name
    return None
