"""Applies what Twilio says of users, webhooks and the account's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conversations_hub.providers.twilio.emulator import errors, limits
from conversations_hub.providers.twilio.emulator.conversation_rules import check_writable, revise
from conversations_hub.providers.twilio.emulator.store import by_sid

if TYPE_CHECKING:
    from conversations_hub.providers.twilio.emulator.conversation import Conversation, Record
    from conversations_hub.providers.twilio.emulator.store import Store
    from conversations_hub.providers.twilio.emulator.switches import TwilioSwitches

# What each kind of webhook has in its configuration (section 5).
HOOKED: Record = {"url": None, "method": "post", "filters": []}
WEBHOOK: dict[str, Record] = {"webhook": HOOKED, "trigger": HOOKED, "studio": {"flow_sid": None}}

AUTO_CREATION: dict[str, tuple[str, ...]] = {
    "default": (),
    "webhook": ("webhook_url", "webhook_method", "webhook_filters"),
    "studio": ("studio_flow_sid", "studio_retry_count"),
}


def add_user(store: Store, service: str, fields: Record) -> Record:
    """Add a user whose identity is new in the service."""
    if store.user(service, fields["identity"]) is not None:
        raise errors.conflict(errors.USER_EXISTS, "User already exists")
    return store.add_user(service=service, at=store.now, **fields)


def add_webhook(
    store: Store, conversation: Conversation, fields: Record, switches: TwilioSwitches
) -> Record:
    """Add a webhook to a conversation."""
    check_writable(conversation, switches)
    if len(conversation.webhooks) >= limits.WEBHOOKS:
        raise errors.limit(errors.TOO_MANY_WEBHOOKS, f"Conversation has {limits.WEBHOOKS} webhooks")
    target = fields["target"]
    return store.add_webhook(
        conversation, target, configured(target, WEBHOOK[target], fields), at=store.now
    )


def configured(target: str, before: Record, fields: Record) -> Record:
    """Return the configuration of a webhook; the keywords of a trigger are its filters."""
    given = dict(fields)
    if target == "trigger":
        given["filters"] = given.pop("triggers", before.get("filters"))
    return before | {name: given[name] for name in WEBHOOK[target] if name in given}


def update_webhook(
    store: Store,
    conversation: Conversation,
    webhook: Record,
    fields: Record,
    switches: TwilioSwitches,
) -> None:
    """Change what a webhook of a conversation does."""
    check_writable(conversation, switches)
    changed = configured(webhook["target"], webhook["configuration"], fields)
    revise(webhook, {"configuration": changed}, store.now)


def configure(store: Store, fields: Record) -> None:
    """Change the account's configuration, for what is created from now on."""
    service = fields.get("default_chat_service_sid", store.default_service)
    if by_sid(store.services, service) is None:
        raise errors.bad_parameter("DefaultChatServiceSid", service)
    store.configuration.update(fields)
    store.default_service = service
    store.messaging_service = store.configuration["default_messaging_service_sid"]


def auto_creation(store: Store, before: Record, fields: Record) -> Record:
    """Take what to do with messages to an address out of the fields and return all of it."""
    names = [name for name in fields if name.startswith("auto_")]
    given = {name.removeprefix("auto_"): fields.pop(name) for name in names}
    service = given.get("conversation_service_sid")
    if service is not None and by_sid(store.services, service) is None:
        raise errors.bad_parameter("AutoCreation.ConversationServiceSid", service)
    changed = before | given
    kept = ("enabled", "type", "conversation_service_sid", *AUTO_CREATION[changed["type"]])
    return {name: changed[name] for name in kept if name in changed}


def add_address(store: Store, fields: Record) -> Record:
    """Configure one of our addresses, once."""
    fields = dict(fields)
    kind, address = fields.pop("type"), fields.pop("address")
    if any(one["address"] == address for one in store.addresses):
        raise errors.conflict(errors.CONFLICT, f"Address {address} is configured already")
    creation = auto_creation(store, {"enabled": False, "type": "default"}, fields)
    return store.add_address(kind, address, at=store.now, auto_creation=creation, **fields)


def update_address(store: Store, address: Record, fields: Record) -> None:
    """Change what one of our addresses does."""
    fields = dict(fields)
    creation = auto_creation(store, address["auto_creation"], fields)
    revise(address, {**fields, "auto_creation": creation}, store.now)


def remove_service(store: Store, service: Record) -> None:
    """Delete a chat service, but not the one that everything without a service goes to."""
    if service["sid"] == store.default_service:
        raise errors.bad_request(errors.BAD_PARAMETER, "The default service cannot be deleted")
    store.remove_service(service)
