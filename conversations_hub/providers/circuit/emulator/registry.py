"""Decides which webhooks the caller may have, and what is posted through incoming ones."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from attrs import frozen

from conversations_hub.providers.circuit.emulator.records import (
    Exhausted,
    Json,
    Missing,
    Refusal,
    wire,
)
from conversations_hub.providers.circuit.emulator.sanitizer import sanitized
from conversations_hub.providers.circuit.emulator.store import UUID, Store

if TYPE_CHECKING:
    from conversations_hub.providers.circuit.emulator.switches import CircuitSwitches

FILTERS = (
    "CONVERSATION.CREATE", "CONVERSATION.UPDATE", "CONVERSATION.ADD_ITEM",
    "CONVERSATION.UPDATE_ITEM", "USER.INCOMING_CALL", "USER.USER_UPDATED",
    "USER.USER_SETTING_UPDATED", "USER.SUBMIT_FORM_DATA",
)  # fmt: skip
PRESENCE = "USER.USER_PRESENCE_CHANGE"
MARKDOWN = (
    (re.compile(r"\*([^*\n]+)\*"), r"<b>\1</b>"),
    (re.compile(r"_([^_\n]+)_"), r"<i>\1</i>"),
)


@frozen
class Registry:
    """The caller's webhooks, in both directions."""

    store: Store
    switches: CircuitSwitches

    def hook(self, hook_id: str) -> Json:
        """Return one webhook."""
        if not UUID.fullmatch(hook_id):
            raise Refusal("The data format of the given id does not match a UUID.")
        if hook_id not in self.store.webhooks:
            raise Missing("The webHook does not exist.")
        return self.store.webhooks[hook_id]

    def register(self, url: str, filters: list[str]) -> Json:
        """Send these events to an address."""
        return self._add(url, filter=self._judged(filters))

    def follow(self, url: str, user_ids: list[str]) -> Json:
        """Send the presence of these users to an address."""
        return self._add(url, filter=[PRESENCE], subscriptionIds=self._followed(user_ids))

    def change(self, hook_id: str, url: str | None, filters: list[str] | None) -> Json:
        """Change the address, the events or both."""
        hook = self.hook(hook_id)
        return self._change(hook, url, wire(filter=filters and self._judged(filters)))

    def change_presence(self, hook_id: str, url: str | None, user_ids: list[str] | None) -> Json:
        """Change the address, the users or both."""
        hook = self.hook(hook_id)
        if PRESENCE not in hook.get("filter", ()):
            raise Missing("The webHook does not exist.")
        return self._change(hook, url, wire(subscriptionIds=user_ids and self._followed(user_ids)))

    def forget(self, hook_id: str) -> None:
        """Remove one webhook."""
        del self.store.webhooks[self.hook(hook_id)["id"]]

    def forget_all(self) -> None:
        """Remove every webhook of the caller."""
        self.store.webhooks.clear()

    # Incoming ones.

    def open(
        self, conv_id: str, name: str | None, user_id: str | None, description: str | None
    ) -> Json:
        """Let whoever knows the address write into a conversation."""
        conversation = self.store.conversation(conv_id)
        author = user_id or self.store.me
        if author not in conversation["participants"]:
            raise Refusal("The user is no participant of the conversation.")
        now, hook_id = self.store.clock.stamp(), self.store.corpus.uuid()
        hook = wire(
            webhookId=hook_id, name=name, description=description, status="ENABLED",
            userId=author, creatorId=self.store.me, conversationId=conv_id,
            tenantId=self.store.tenant, creationTime=now, modificationTime=now,
        )  # fmt: skip
        self.store.incoming_webhooks[hook_id] = hook
        return hook

    def close(self, hook_id: str) -> None:
        """Remove an incoming webhook."""
        if self.store.incoming_webhooks.pop(hook_id, None) is None:
            raise Missing("Could not find webhook")

    def post(self, hook_id: str, content: str, subject: str | None) -> None:
        """Write as the user of an incoming webhook."""
        hook = self.store.incoming_webhooks.get(hook_id)
        if hook is None or hook["status"] != "ENABLED":
            raise Refusal("The webhook does not exist or is disabled.")
        author, conv_id = hook["userId"], hook["conversationId"]
        if author not in self.store.conversations[conv_id]["participants"]:
            raise Refusal("The user is no participant of the conversation.")
        text = wire(contentType="RICH", subject=subject or None, content=sanitized(content))
        text["isWebhookMessage"] = True
        self.store.add_text(conv_id, author, text, self.store.clock.stamp())

    # The parts of the above.

    def _add(self, url: str, **rest: list[str]) -> Json:
        self._check_url(url)
        if len(self.store.webhooks) >= self.switches.most_webhooks:
            raise Exhausted("The maximum number of allowed webHook is reached")
        hook_id = self.store.corpus.uuid()
        hook = {"id": hook_id, "url": url, "type": "MANUAL", "userId": self.store.me}
        created = {"creationTime": self.store.clock.stamp()}
        self.store.webhooks[hook_id] = hook | created | rest
        return self.store.webhooks[hook_id]

    def _change(self, hook: Json, url: str | None, changes: Json) -> Json:
        if not url and not any(changes.values()):
            raise Refusal("No input parameter is provided.")
        if url:
            self._check_url(url)
        hook.update(changes | wire(url=url or None))
        return hook

    def _check_url(self, url: str) -> None:
        try:
            parts = urlsplit(url)
        except ValueError:
            raise Refusal("The URL is invalid.") from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Refusal("The URL is invalid.")

    def _judged(self, filters: list[str]) -> list[str]:
        if not set(filters) <= set(FILTERS):
            raise Refusal("The event filter is invalid or unsupported.")
        return filters

    def _followed(self, user_ids: list[str]) -> list[str]:
        if len(user_ids) > self.switches.most_presence_users:
            raise Exhausted("The maximum number of allowed userIds is reached")
        if not all(UUID.fullmatch(one) and self.store.user(one) for one in user_ids):
            raise Refusal("One or more userIds are invalid.")
        return user_ids


def posted(text: str, markdown: bool, url: str, name: str) -> str:
    """Return the content of what is posted through an incoming webhook, its file as a link."""
    for pattern, markup in MARKDOWN if markdown else ():
        text = pattern.sub(markup, text)
    link = f'<a href="{escape(url)}">{escape(name or url)}</a>' if url else ""
    return "<br>".join(filter(None, (text, link)))
