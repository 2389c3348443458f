"""Compares a conversation with what it was to become.

Clio has been seen to answer yes to a change and to ignore it; and what is asked for may be null,
or hidden from the token.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conversations_hub.models import Conversation


def stand(conversation: Conversation, wanted: Mapping[str, Any]) -> bool | None:
    """Return whether every change stands; None where Clio does not tell."""
    verdicts = {_stands(conversation.raw or {}, name, value) for name, value in wanted.items()}
    return False if False in verdicts else None if None in verdicts else True


def missing(conversation: Conversation, wanted: Mapping[str, Any]) -> list[str]:
    """Return the names of what was left as it was."""
    raw: Mapping[str, Any] = conversation.raw or {}
    return [name for name, value in wanted.items() if _stands(raw, name, value) is False]


def _stands(raw: Mapping[str, Any], name: str, value: Any) -> bool | None:
    found = raw.get(name)
    if name == "matter" and isinstance(found, Mapping):
        found, value = found.get("id"), value["id"]
    elif name == "matter":
        return False if name in raw else None
    return None if found is None else bool(found == value)
