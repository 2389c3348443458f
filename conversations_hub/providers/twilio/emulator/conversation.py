"""Keeps one conversation with everything in it, and says what follows from that."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from attrs import define, field

if TYPE_CHECKING:
    from collections.abc import Iterator

Record = dict[str, Any]
"""One resource under its wire names; dates are `datetime`, `url` and `links` are left out."""

# What a receipt's status says about the steps before it.
REACHED = {
    "sent": {"sent"},
    "delivered": {"sent", "delivered"},
    "read": {"sent", "delivered", "read"},
    "failed": {"failed"},
    "undelivered": {"sent", "undelivered"},
}


@define(eq=False)
class Conversation:
    """One conversation with everything in it."""

    record: Record
    created_by: str
    active_at: datetime
    """When the latest message came; until then, when the conversation was created."""
    inactive_after: timedelta | None = None
    closed_after: timedelta | None = None
    timed_from: datetime | None = None
    """When the timers were last set, or the conversation was made active by hand."""
    next_index: int = 0
    messages: list[Record] = field(factory=list)
    participants: list[Record] = field(factory=list)
    webhooks: list[Record] = field(factory=list)
    receipts: dict[str, list[Record]] = field(factory=dict)
    muted: set[str] = field(factory=set)
    """Users, by SID, whose notification level is `muted`."""

    @property
    def sid(self) -> str:
        """Return the conversation's SID."""
        return str(self.record["sid"])

    @property
    def service(self) -> str:
        """Return the SID of its chat service."""
        return str(self.record["chat_service_sid"])

    @property
    def timers(self) -> dict[str, datetime]:
        """Return when the state will change, counted from the last activity (section 10)."""
        state, dates = self.record["state"], {}
        begin = max(self.active_at, self.timed_from or self.active_at)
        if self.inactive_after is not None and state == "active":
            dates["date_inactive"] = begin + self.inactive_after
        if self.closed_after is not None and state in {"active", "inactive"}:
            dates["date_closed"] = begin + self.closed_after
        return dates

    def author_sid(self, author: str) -> str | None:
        """Return the participant who writes under this name."""
        return next((who["sid"] for who in self.participants if author in addresses(who)), None)

    def recipients(self, author: str) -> Iterator[Record]:
        """Yield the participants outside the chat who receive what the author writes."""
        for participant in self.participants:
            if participant["messaging_binding"] and author not in addresses(participant):
                yield participant

    def unread(self, horizon: int | None) -> int | None:
        """Count the messages after the last read one; null where nothing was read."""
        if horizon is None:
            return None
        return sum(int(message["index"]) > horizon for message in self.messages)


def addresses(participant: Record) -> set[str]:
    """Return the names under which a participant writes."""
    binding = participant["messaging_binding"] or {}
    names = {participant["identity"], binding.get("address"), binding.get("projected_address")}
    return {name for name in names if name}


def delivery(receipts: list[Record]) -> Record | None:
    """Sum up the receipts of one message; null when nobody outside the chat receives it."""
    if not receipts:
        return None
    summary: Record = {"total": len(receipts)}
    for step in ("sent", "delivered", "read", "failed", "undelivered"):
        count = sum(step in REACHED[receipt["status"]] for receipt in receipts)
        summary[step] = "none" if not count else "all" if count == len(receipts) else "some"
    return summary
