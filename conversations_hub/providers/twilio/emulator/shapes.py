"""Gives stored records the shape of Twilio's answers: dates as text, links, what the form adds."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from attrs import frozen

from conversations_hub.providers.twilio.emulator.pages import iso

if TYPE_CHECKING:
    from conversations_hub.providers.twilio.emulator.conversation import Conversation, Record
    from conversations_hub.providers.twilio.emulator.store import Store
    from conversations_hub.providers.twilio.emulator.switches import TwilioSwitches

BINDING_KEYS = ("type", "address", "proxy_address", "projected_address", "name", "level")
ZERO_DELIVERY: dict[str, int | str] = {
    "total": 0,
    "sent": "none",
    "delivered": "none",
    "read": "none",
    "failed": "none",
    "undelivered": "none",
}


@frozen(kw_only=True)
class Shapes:
    """Writes answers for one request: under which host, in which form, with which switches."""

    origin: str
    service: str | None
    """The chat service in the path; None in the short form."""
    store: Store
    switches: TwilioSwitches

    @property
    def root(self) -> str:
        """Return what every address of this form begins with."""
        return f"{self.origin}/v1" + (f"/Services/{self.service}" if self.service else "")

    def _at(self, *segments: str) -> str:
        return "/".join([self.root, *(quote(segment, safe="") for segment in segments)])

    def dated(self, record: Record) -> Record:
        """Write the dates in a record as text."""
        timespec = self.switches.dates
        return {
            name: iso(value, timespec) if isinstance(value, datetime) else value
            for name, value in record.items()
        }

    def _record(self, record: Record) -> Record:
        dated = self.dated(record)
        if self.switches.extra_fields:
            dated["invented_field"] = {"since": "tomorrow", "values": [1, None, "x"]}
        return dated

    def _scoped(self, record: Record) -> Record:
        """Add the service to what lacks it in the short form (section 1)."""
        shaped = self._record(record)
        return shaped | {"chat_service_sid": self.service} if self.service else shaped

    def _state(self, conversation: Conversation) -> str:
        return "archived" if self.switches.unknown_enums else str(conversation.record["state"])

    def conversation(self, conversation: Conversation) -> Record:
        """Write a conversation."""
        url = self._at("Conversations", conversation.sid)
        return self._record(conversation.record) | {
            "state": self._state(conversation),
            "timers": self.dated(conversation.timers),
            "url": url,
            "links": {
                "participants": f"{url}/Participants",
                "messages": f"{url}/Messages",
                "webhooks": f"{url}/Webhooks",
                "export": f"{url}/Export",
            },
        }

    def message(self, record: Record) -> Record:
        """Write a message."""
        url = self._at("Conversations", record["conversation_sid"], "Messages", record["sid"])
        shaped = self._scoped(record) | {
            "url": url,
            "links": {
                "delivery_receipts": f"{url}/Receipts",
                "channel_metadata": f"{url}/ChannelMetadata",
            },
        }
        never_edited = record["date_updated"] == record["date_created"]
        if never_edited and self.switches.date_updated == "edited":
            shaped["date_updated"] = None
        if shaped["delivery"] is None and self.switches.chat_delivery == "zero":
            shaped["delivery"] = ZERO_DELIVERY
        return shaped

    def receipt(self, record: Record) -> Record:
        """Write a delivery receipt."""
        url = self._at(
            "Conversations", record["conversation_sid"], "Messages", record["message_sid"],
            "Receipts", record["sid"],
        )  # fmt: skip
        status = "queued" if self.switches.unknown_enums else record["status"]
        return self._scoped(record) | {"status": status, "url": url}

    def participant(self, record: Record) -> Record:
        """Write a participant."""
        url = self._at("Conversations", record["conversation_sid"], "Participants", record["sid"])
        binding = self._binding(record["messaging_binding"])
        return self._scoped(record) | {"messaging_binding": binding, "url": url}

    def _binding(self, binding: Record | None) -> Record | None:
        if binding is None or self.switches.binding_keys == "none":
            return binding and {}
        if self.switches.binding_keys == "all":
            binding = self._full_binding(binding)
        return binding | {"type": "telepathy"} if self.switches.unknown_enums else binding

    def _full_binding(self, binding: Record) -> Record:
        return {name: binding.get(name) for name in BINDING_KEYS}

    def webhook(self, record: Record) -> Record:
        """Write a webhook of one conversation."""
        url = self._at("Conversations", record["conversation_sid"], "Webhooks", record["sid"])
        target = "carrier-pigeon" if self.switches.unknown_enums else record["target"]
        return self._scoped(record) | {"target": target, "url": url}

    def user(self, record: Record) -> Record:
        """Write a user."""
        url = self._at("Users", record["sid"])
        links = {"user_conversations": f"{url}/Conversations"}
        return self._record(record) | {"url": url, "links": links}

    def listed_user(self, record: Record) -> Record:
        """Write a user as lists do: whether they can be reached is not said (section 5)."""
        return self.user(record) | {"is_online": None, "is_notifiable": None}

    def _membership(self, conversation: Conversation, participant: Record) -> Record:
        record = conversation.record
        return {
            "account_sid": record["account_sid"],
            "chat_service_sid": record["chat_service_sid"],
            "conversation_sid": conversation.sid,
            "participant_sid": participant["sid"],
            "links": {
                "participant": self._at(
                    "Conversations", conversation.sid, "Participants", participant["sid"]
                ),
                "conversation": self._at("Conversations", conversation.sid),
            },
        }

    def _told(self, conversation: Conversation) -> Record:
        """Return what memberships say about the conversation."""
        record = conversation.record
        return {
            "friendly_name": record["friendly_name"],
            "unique_name": record["unique_name"],
            "attributes": record["attributes"],
            "timers": self.dated(conversation.timers),
            "created_by": conversation.created_by,
            "date_created": record["date_created"],
            "date_updated": record["date_updated"],
        }

    def user_conversation(
        self, user: Record, conversation: Conversation, participant: Record
    ) -> Record:
        """Write a conversation as one of its users has it."""
        horizon = participant["last_read_message_index"]
        mine = {
            "conversation_state": self._state(conversation),
            "user_sid": user["sid"],
            "unread_messages_count": conversation.unread(horizon),
            "last_read_message_index": horizon,
            "notification_level": "muted" if user["sid"] in conversation.muted else "default",
            "url": self._at("Users", user["sid"], "Conversations", conversation.sid),
        }
        return self._record(
            self._membership(conversation, participant) | self._told(conversation) | mine
        )

    def participant_conversation(self, conversation: Conversation, participant: Record) -> Record:
        """Write a conversation as one of its participants has it."""
        identity = participant["identity"]
        user = None if identity is None else self.store.user(conversation.service, identity)
        binding = participant["messaging_binding"]
        told = {f"conversation_{name}": value for name, value in self._told(conversation).items()}
        theirs = {
            "conversation_state": self._state(conversation),
            "participant_user_sid": user and user["sid"],
            "participant_identity": identity,
            "participant_messaging_binding": binding and self._full_binding(binding),
        }
        return self._record(self._membership(conversation, participant) | told | theirs)

    def address(self, record: Record) -> Record:
        """Write an address configuration."""
        url = self._at("Configuration", "Addresses", record["sid"])
        return self._record(record) | {"url": url}

    def configuration(self) -> Record:
        """Write the account's configuration."""
        url = self._at("Configuration")
        service = self._at("Services", self.store.default_service, "Configuration")
        links = {"service": service, "webhooks": f"{url}/Webhooks"}
        return self._record(self.store.configuration) | {"url": url, "links": links}

    def account_webhook(self) -> Record:
        """Write the account's webhook."""
        url = self._at("Configuration", "Webhooks")
        return self._record(self.store.account_webhook) | {"url": url}

    def chat_service(self, record: Record) -> Record:
        """Write a chat service."""
        url = f"{self.origin}/v1/Services/{record['sid']}"
        links = {
            "conversations": f"{url}/Conversations",
            "users": f"{url}/Users",
            "participant_conversations": f"{url}/ParticipantConversations",
            "configuration": f"{url}/Configuration",
        }
        return self._record(record) | {"url": url, "links": links}

    def service_configuration(self, record: Record) -> Record:
        """Write the configuration of a chat service."""
        url = f"{self.origin}/v1/Services/{record['sid']}/Configuration"
        return self._record(
            {
                "chat_service_sid": record["sid"],
                "default_conversation_creator_role_sid": None,
                "default_conversation_role_sid": self.store.member_role,
                "default_chat_service_role_sid": self.store.member_role,
                "reachability_enabled": False,
                **self.store.service_configurations.get(record["sid"], {}),
                "url": url,
                "links": {"webhooks": f"{url}/Webhooks"},
            }
        )

    def service_webhook(self, record: Record) -> Record:
        """Write the webhook of a chat service, of which nothing is set at first (section 3)."""
        return self._record(
            {
                "account_sid": record["account_sid"],
                "chat_service_sid": record["sid"],
                "pre_webhook_url": None,
                "post_webhook_url": None,
                "filters": None,
                "method": None,
                **self.store.service_webhooks.get(record["sid"], {}),
                "url": f"{self.origin}/v1/Services/{record['sid']}/Configuration/Webhooks",
            }
        )
