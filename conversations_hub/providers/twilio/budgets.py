"""Which of Twilio's budgets of writes a request takes from (Conversations, "Limits")."""

from __future__ import annotations

from conversations_hub.wire import Request

SERVICE = "writes"


def budget_of(request: Request) -> str | None:
    """Return the name of a write's budget; reads are not counted, and files are elsewhere.

    Each conversation has one for what is written in it; the service has one for the rest, such as
    conversations that begin and end.
    """
    if not request.is_write or request.file is not None:
        return None
    parts = request.url.raw_parts
    if "Conversations" not in parts:
        return SERVICE
    _, *below = parts[parts.index("Conversations") :]
    if not below or (len(below) == 1 and request.method == "DELETE"):
        return SERVICE
    return f"{SERVICE} of {below[0]}"
