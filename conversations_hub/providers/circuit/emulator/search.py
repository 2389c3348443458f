"""Finds conversations, items and files, and sorts communities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from conversations_hub.providers.circuit.emulator.records import Json
    from conversations_hub.providers.circuit.emulator.store import Store

SCOPES = (
    "FILES", "PEOPLE", "MEMBERS", "MESSAGES", "SENTBY", "ALL", "CONVERSATIONS", "LABEL", "FILTER",
)  # fmt: skip
MOST = 100

COMMUNITY_SORTS: dict[str, Callable[[Store, Json], tuple[Any, str]]] = {
    "ALPHABETICALLY": lambda _, one: (one.get("topic", "").casefold(), one["convId"]),
    "RECENT_ACTIVITY": lambda store, one: (store.activity(one["convId"]), one["convId"]),
    "POPULARITY": lambda _, one: (len(one["participants"]), one["convId"]),
}


def named(person: Json, term: str) -> bool:
    """Whether a name or the e-mail address contains the term."""
    return _within(term, person.get("displayName"), person.get("emailAddress"))


def attachment(store: Store, file_id: str) -> Json | None:
    """Return the attachment that a file id belongs to, of the caller's conversations."""
    for conversation in store.mine():
        for item in store.items[conversation["convId"]].values():
            for file in item.get("attachments", []):
                if file["fileId"] == file_id:
                    found: Json = file
                    return found
    return None


def conversations(store: Store, term: str, scope: str, deep: bool) -> list[Json]:
    """Return what matches, newest first; item ids only where items were asked for."""
    results: list[Json] = []
    left = MOST
    for conversation in sorted(store.mine(), key=lambda one: -one["modificationTime"]):
        item_ids = _items(store, conversation["convId"], term, scope)
        if not item_ids and not _matches(store, conversation, term, scope):
            continue
        shown = item_ids[:left] if deep else []
        left -= len(shown)
        results.append({"convId": conversation["convId"], "itemIds": shown})
    return results[:MOST]


def _within(term: str, *texts: str | None) -> bool:
    return any(term.casefold() in text.casefold() for text in texts if text)


def _asks(scope: str, *scopes: str) -> bool:
    # What FILTER does is not documented.
    return scope in (*scopes, "ALL", "FILTER")


def _items(store: Store, conv_id: str, term: str, scope: str) -> list[str]:
    found = store.items[conv_id].values()
    return [item["itemId"] for item in found if _item_matches(store, item, term, scope)]


def _item_matches(store: Store, item: Json, term: str, scope: str) -> bool:
    text, files = item.get("text", {}), item.get("attachments", [])
    author = store.users.get(item.get("creatorId", ""), {})
    return (
        (_asks(scope, "MESSAGES") and _within(term, text.get("content"), text.get("subject")))
        or (_asks(scope, "FILES") and _within(term, *(file["fileName"] for file in files)))
        or (scope == "SENTBY" and named(author, term))
    )


def _matches(store: Store, conversation: Json, term: str, scope: str) -> bool:
    topics = conversation.get("topic"), conversation.get("topicPlaceholder")
    members = [store.users[one] for one in conversation["participants"]]
    return (
        (_asks(scope, "CONVERSATIONS") and _within(term, *topics))
        or (_asks(scope, "PEOPLE", "MEMBERS") and any(named(one, term) for one in members))
        or (_asks(scope, "LABEL") and _labelled(store, conversation["convId"], term))
    )


def _labelled(store: Store, conv_id: str, term: str) -> bool:
    return any(
        conv_id in store.labelled[label_id] and _within(term, label["value"])
        for label_id, label in store.labels.items()
    )
