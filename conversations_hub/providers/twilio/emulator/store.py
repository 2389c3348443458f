"""Keeps Twilio's records in the words of its API, and changes them with its side effects."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from conversations_hub.emulator.corpus import EPOCH, Corpus
from conversations_hub.providers.twilio.emulator.conversation import Conversation, Record, delivery

if TYPE_CHECKING:
    from collections.abc import Iterable

Timers = tuple[timedelta | None, timedelta | None]

# What a new resource has unless it is said otherwise (section 10).
CONVERSATION: Record = {
    "friendly_name": None,
    "unique_name": None,
    "attributes": "{}",
    "state": "active",
    "bindings": {},
}
MESSAGE: Record = {"body": None, "media": None, "attributes": "{}", "content_sid": None}
PARTICIPANT: Record = {"messaging_binding": None, "attributes": "{}", "role_sid": None}
USER: Record = {
    "friendly_name": None,
    "attributes": "{}",
    "is_online": None,
    "is_notifiable": None,
}
ADDRESS: Record = {
    "friendly_name": None,
    "address_country": None,
    "auto_creation": {"enabled": False, "type": "default"},
}

CHANNEL_SIDS = {"whatsapp": "WA"}


def by_sid(records: Iterable[Record], sid: str) -> Record | None:
    """Return the record with this SID."""
    return next((record for record in records if record["sid"] == sid), None)


class Store:
    """An account's conversations, users and configuration."""

    def __init__(self, seed: int) -> None:
        self.corpus: Corpus = Corpus(seed, "twilio/store")
        self.now: datetime = EPOCH
        self.account_sid: str = self.sid("AC")
        self.auth_token: str = self.corpus.hex(32)
        self.key_sid: str = self.sid("SK")
        self.key_secret: str = self.corpus.hex(32)
        self.messaging_service: str = self.sid("MG")
        self.member_role: str = self.sid("RL")
        self.conversations: dict[str, Conversation] = {}
        self.users: list[Record] = []
        self.addresses: list[Record] = []
        self.services: list[Record] = []
        self.service_configurations: dict[str, Record] = {}
        self.service_webhooks: dict[str, Record] = {}
        self.uploads: dict[str, Record] = {}
        """Media by SID, and what is in them; those of the seed are invented when asked for."""
        self.contents: dict[str, bytes] = {}
        self.default_service: Any = self.add_service("Default Conversations Service", at=EPOCH)[
            "sid"
        ]
        self.configuration: Record = {
            "account_sid": self.account_sid,
            "default_chat_service_sid": self.default_service,
            "default_messaging_service_sid": self.messaging_service,
            "default_inactive_timer": None,
            "default_closed_timer": None,
        }
        self.account_webhook: Record = {
            "account_sid": self.account_sid,
            "pre_webhook_url": None,
            "post_webhook_url": None,
            "method": "POST",
            "filters": [],
            "target": "webhook",
        }

    # Identifiers and time.

    def sid(self, kind: str) -> str:
        """Return a new SID."""
        return kind + self.corpus.hex(32)

    def tick(self) -> datetime:
        """Let some time pass, or none, and return the time; timers that ran out take effect."""
        self.now += self.corpus.pause(timedelta(minutes=5))
        self.expire()
        return self.now

    def catch_up(self) -> None:
        """Set the clock to the real time, or 1 ms on if it is there; timers take effect."""
        real = datetime.now(UTC)
        real -= timedelta(microseconds=real.microsecond % 1000)
        self.now = max(self.now + timedelta(milliseconds=1), real)
        self.expire()

    def expire(self) -> None:
        """Change the states of conversations whose timers have run out."""
        for conversation in self.conversations.values():
            if conversation.inactive_after or conversation.closed_after:
                self._expire(conversation)

    def _expire(self, conversation: Conversation) -> None:
        for date, state in (("date_inactive", "inactive"), ("date_closed", "closed")):
            due = conversation.timers.get(date)
            if due is not None and due <= self.now:
                conversation.record.update(state=state, date_updated=due)

    def _stamp(self, at: datetime | None) -> datetime:
        stamp = self.tick() if at is None else at
        self.now = max(self.now, stamp)
        return stamp

    def _dated(self, kind: str, at: datetime | None) -> Record:
        stamp = self._stamp(at)
        return {
            "sid": self.sid(kind),
            "account_sid": self.account_sid,
            "date_created": stamp,
            "date_updated": stamp,
        }

    # Finding things.

    def conversation(self, service: str, name: str, *, unique_names: bool) -> Conversation | None:
        """Return the conversation of a service by its SID, or by its unique name if allowed."""
        found = self.conversations.get(name)
        if found is None and unique_names:
            found = next(
                (one for one in self.of(service) if one.record["unique_name"] == name),
                None,
            )
        return found if found is not None and found.service == service else None

    def of(self, service: str) -> list[Conversation]:
        """Return the conversations of a service."""
        return [one for one in self.conversations.values() if one.service == service]

    def user(self, service: str, name: str) -> Record | None:
        """Return the user of a service by SID or identity, which knows upper and lower case."""
        users = (user for user in self.users if user["chat_service_sid"] == service)
        return next((user for user in users if name in (user["sid"], user["identity"])), None)

    def memberships(
        self, service: str, *, identity: str | None = None, address: str | None = None
    ) -> list[tuple[Conversation, Record]]:
        """Return the conversations that a person is in, with who they are there."""
        return [
            (conversation, participant)
            for conversation in self.of(service)
            for participant in conversation.participants
            if (identity is not None and participant["identity"] == identity)
            or (
                address is not None
                and (participant["messaging_binding"] or {}).get("address") == address
            )
        ]

    # Changing conversations.

    def add_conversation(
        self,
        *,
        service: str | None = None,
        created_by: str = "system",
        timers: Timers = (None, None),
        at: datetime | None = None,
        **fields: Any,
    ) -> Conversation:
        """Begin a conversation; the timers are those until it is inactive and until it closes."""
        record = self._dated("CH", at) | {
            "chat_service_sid": service or self.default_service,
            "messaging_service_sid": self.messaging_service,
        }
        record |= CONVERSATION | fields
        conversation = Conversation(record, created_by, record["date_created"], *timers)
        self.conversations[conversation.sid] = conversation
        return conversation

    def update_conversation(
        self, conversation: Conversation, *, at: datetime | None = None, **changes: Any
    ) -> None:
        """Change fields of a conversation."""
        conversation.record.update(changes, date_updated=self._stamp(at))

    def remove_conversation(self, conversation: Conversation) -> None:
        """Delete a conversation and everything in it."""
        del self.conversations[conversation.sid]
        self._forget_media(conversation.messages)

    def _forget_media(self, messages: list[Record]) -> None:
        for file in (file for message in messages for file in message["media"] or ()):
            self.uploads.pop(file["sid"], None)
            self.contents.pop(file["sid"], None)

    # Changing messages.

    def add_message(
        self,
        conversation: Conversation,
        *,
        author: str = "system",
        at: datetime | None = None,
        **fields: Any,
    ) -> Record:
        """Append a message, with a receipt for everybody who gets it outside the chat."""
        record = self._dated("IM", at) | {
            "conversation_sid": conversation.sid,
            "index": conversation.next_index,
            "author": author,
            "participant_sid": conversation.author_sid(author),
        }
        record |= MESSAGE | fields
        conversation.next_index += 1
        conversation.messages.append(record)
        conversation.active_at = max(conversation.active_at, record["date_created"])
        self._wake(conversation, record["date_created"])
        self._add_receipts(conversation, record)
        return record

    def edit_message(
        self, conversation: Conversation, sid: str, *, at: datetime | None = None, **changes: Any
    ) -> None:
        """Change fields of a message."""
        self._message(conversation, sid).update(changes, date_updated=self._stamp(at))

    def remove_message(self, conversation: Conversation, sid: str) -> None:
        """Delete a message; its index stays unused."""
        message = self._message(conversation, sid)
        conversation.messages.remove(message)
        self._forget_media([message])
        conversation.receipts.pop(sid, None)

    def set_receipt(
        self,
        conversation: Conversation,
        receipt: Record,
        status: str,
        *,
        error_code: int = 0,
        at: datetime | None = None,
    ) -> None:
        """Record how far a message has got with one recipient."""
        receipt.update(status=status, error_code=error_code, date_updated=self._stamp(at))
        message = self._message(conversation, receipt["message_sid"])
        message["delivery"] = delivery(conversation.receipts[message["sid"]])

    def _add_receipts(self, conversation: Conversation, message: Record) -> None:
        receipts = [
            self._dated("DY", min(self.now, message["date_created"]))
            | {
                "date_updated": None,
                "conversation_sid": conversation.sid,
                "message_sid": message["sid"],
                "channel_message_sid": self._channel_message_sid(participant, message),
                "participant_sid": participant["sid"],
                "status": "sent",
                "error_code": 0,
            }
            for participant in conversation.recipients(message["author"])
        ]
        if receipts:
            conversation.receipts[message["sid"]] = receipts
        message["delivery"] = delivery(receipts)

    def _channel_message_sid(self, participant: Record, message: Record) -> str:
        plain = "MM" if message["media"] else "SM"
        return self.sid(CHANNEL_SIDS.get(participant["messaging_binding"].get("type"), plain))

    def _message(self, conversation: Conversation, sid: str) -> Record:
        return next(one for one in conversation.messages if one["sid"] == sid)

    def _wake(self, conversation: Conversation, stamp: datetime) -> None:
        """Make an inactive conversation active again (section 10)."""
        if conversation.record["state"] == "inactive":
            stamp = max(stamp, conversation.record["date_updated"])
            conversation.record.update(state="active", date_updated=stamp)

    # Changing participants and users.

    def add_participant(
        self,
        conversation: Conversation,
        *,
        identity: str | None = None,
        at: datetime | None = None,
        **fields: Any,
    ) -> Record:
        """Let somebody in; a new identity becomes a user of the service."""
        record = self._dated("MB", at) | {
            "conversation_sid": conversation.sid,
            "identity": identity,
            "last_read_message_index": None,
            "last_read_timestamp": None,
        }
        record |= PARTICIPANT | fields
        if identity is not None and self.user(conversation.service, identity) is None:
            self.add_user(identity, service=conversation.service, at=record["date_created"])
        self._wake(conversation, record["date_created"])
        conversation.participants.append(record)
        return record

    def mark_read(
        self, participant: Record, index: int | None, *, at: datetime | None = None
    ) -> None:
        """Move a participant's read horizon."""
        stamp = self._stamp(at)
        participant.update(
            last_read_message_index=index, last_read_timestamp=stamp, date_updated=stamp
        )

    def remove_participant(self, conversation: Conversation, sid: str) -> None:
        """Take somebody out; their messages go on naming them."""
        gone = by_sid(conversation.participants, sid)
        user = gone and self.user(conversation.service, gone["identity"] or "")
        if user:
            conversation.muted.discard(user["sid"])
        conversation.participants[:] = [
            one for one in conversation.participants if one["sid"] != sid
        ]

    def add_user(
        self,
        identity: str,
        *,
        service: str | None = None,
        at: datetime | None = None,
        **fields: Any,
    ) -> Record:
        """Add a user to a service."""
        record = self._dated("US", at) | {
            "chat_service_sid": service or self.default_service,
            "identity": identity,
            "role_sid": self.member_role,
        }
        record |= USER | fields
        self.users.append(record)
        return record

    def remove_user(self, user: Record) -> None:
        """Delete a user; they leave the conversations of the service."""
        self.users.remove(user)
        for conversation, participant in self.memberships(
            user["chat_service_sid"], identity=user["identity"]
        ):
            self.remove_participant(conversation, participant["sid"])

    # Changing configuration.

    def add_service(self, friendly_name: str, *, at: datetime | None = None) -> Record:
        """Add a chat service to the account."""
        record = self._dated("IS", at) | {"friendly_name": friendly_name}
        self.services.append(record)
        return record

    def remove_service(self, service: Record) -> None:
        """Delete a chat service with its conversations and users."""
        for conversation in self.of(service["sid"]):
            self.remove_conversation(conversation)
        self.users = [one for one in self.users if one["chat_service_sid"] != service["sid"]]
        self.services.remove(service)

    def add_webhook(
        self,
        conversation: Conversation,
        target: str,
        configuration: Record,
        *,
        at: datetime | None = None,
    ) -> Record:
        """Add a webhook to one conversation."""
        record = self._dated("WH", at) | {
            "conversation_sid": conversation.sid,
            "target": target,
            "configuration": configuration,
        }
        conversation.webhooks.append(record)
        return record

    def add_address(
        self, kind: str, address: str, *, at: datetime | None = None, **fields: Any
    ) -> Record:
        """Configure one of the account's own addresses."""
        record = self._dated("IG", at) | {"type": kind, "address": address}
        record |= ADDRESS | fields
        self.addresses.append(record)
        return record
