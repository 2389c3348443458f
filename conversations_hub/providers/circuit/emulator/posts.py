"""Decides what the caller may write, change and mark in a conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from conversations_hub.providers.circuit.emulator.records import Json, Refusal, wire
from conversations_hub.providers.circuit.emulator.sanitizer import sanitized
from conversations_hub.providers.circuit.emulator.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conversations_hub.providers.circuit.emulator.switches import CircuitSwitches

MOST_FILES = 10


@frozen(kw_only=True)
class Draft:
    """What the caller sent of a message; nothing for what was not sent."""

    content: str | None = None
    subject: str | None = None
    form: str | None = None
    attachments: list[str] | None = None

    @property
    def text(self) -> Json:
        """Return the fields that were sent; an empty one becomes null."""
        content = sanitized(self.content) if self.content else None
        fields = {
            "content": (self.content, content),
            "subject": (self.subject, self.subject or None),
            "formMetaData": (self.form, self.form or None),
        }
        return {name: value for name, (sent, value) in fields.items() if sent is not None}


@frozen
class Posts:
    """Messages as the caller writes them."""

    store: Store
    switches: CircuitSwitches

    def write(self, conv_id: str, draft: Draft, parent_id: str | None = None) -> Json:
        """Write a message, or a reply."""
        self.store.conversation(conv_id)
        root = self._root(conv_id, parent_id) if parent_id else None
        files = self._files(draft.attachments or (), [])
        if not draft.content and not files:
            raise Refusal("content is required unless an attachment is added.")
        text = wire(parentId=root, contentType="RICH", **draft.text)
        now = self.store.clock.stamp()
        item = self.store.add_text(conv_id, self.store.me, text, now, files)
        if root and self.switches.reply_moves_root:
            self.store.items[conv_id][root]["modificationTime"] = now
        return item

    def edit(self, conv_id: str, item_id: str, draft: Draft) -> Json:
        """Change one's own message."""
        item = self._own(conv_id, item_id)
        old = item.get("attachments", [])
        sent = [] if self._clears and draft.attachments is None else draft.attachments
        files = old if sent is None else self._files(sent, old)
        if draft.content == "" and not files:
            raise Refusal("content is required unless an attachment is added.")
        self.store.edit_text(item_id, self._changes(draft), self._now(item))
        self.store.attach(item, files)
        return item

    def delete(self, conv_id: str, item_id: str) -> Json:
        """Delete one's own message; the item stays."""
        item = self._own(conv_id, item_id)
        return self.store.delete_text(item_id, self._now(item))

    def like(self, conv_id: str, item_id: str, like: bool) -> None:
        """Like a message, or no longer."""
        item = self.store.item_of(conv_id, item_id)
        self.store.set_like(item_id, self.store.me, like)
        if self.switches.like_moves_item:
            item["modificationTime"] = self._now(item)

    def flag(self, conv_id: str, item_id: str, flag: bool) -> None:
        """Bookmark an item, or no longer; nothing says that it must have been one."""
        self.store.item_of(conv_id, item_id)
        if flag or item_id in self.store.flags:
            self.store.set_flag(item_id, flag)

    def pin(self, conv_id: str, item_id: str, pin: bool) -> Json:
        """Pin a topic, or no longer."""
        self.store.item_of(conv_id, item_id)
        if not pin:
            self.store.unpin(conv_id, item_id)
        elif item_id not in self.store.pins[conv_id]:
            self.store.pin(conv_id, item_id, self.store.clock.stamp())
        return self.store.conversation(conv_id)

    @property
    def _clears(self) -> bool:
        return self.switches.update_omitted == "clear"

    def _changes(self, draft: Draft) -> Json:
        blank = dict.fromkeys(("content", "subject", "formMetaData")) if self._clears else {}
        # Whoever wrote it plain: what is written now is markup.
        kind = {"contentType": "RICH"} if draft.content else {}
        return blank | draft.text | kind

    def _now(self, item: Json) -> int:
        return self.store.clock.stamp(item["modificationTime"])

    def _own(self, conv_id: str, item_id: str) -> Json:
        item = self.store.item_of(conv_id, item_id)
        if item.get("creatorId") != self.store.me:
            raise Refusal("The user is not the creator of the item.")
        return item

    def _root(self, conv_id: str, parent_id: str) -> str:
        parent = self.store.item_of(conv_id, parent_id)
        if parent["type"] != "TEXT":
            raise Refusal("The parent item is not a text item.")
        root = self.store.parent_id(parent)
        if root and self.switches.reply_to_reply == "400":
            raise Refusal("The parent item is a reply.")
        return root if root and self.switches.reply_to_reply == "root" else parent_id

    def _files(self, ids: Iterable[str], old: list[Json]) -> list[Json]:
        """Return uploaded files by attachment id; those an item has already by file id too."""
        wanted = list(dict.fromkeys(ids))
        if len(wanted) > MOST_FILES:
            raise Refusal(f"No more than {MOST_FILES} attachments.")
        known = {file["fileId"]: file for file in old}
        for attachment_id, file in self.store.uploads.items():
            known[attachment_id] = known.get(file["fileId"], file)
        if not known.keys() >= set(wanted):
            raise Refusal("An attachment does not exist.")
        return [known[one] for one in wanted]
