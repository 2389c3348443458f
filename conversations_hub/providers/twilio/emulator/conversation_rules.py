"""Applies what Twilio says of writing conversations, messages and read marks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from conversations_hub.providers.twilio.emulator import errors, forms, limits

if TYPE_CHECKING:
    from datetime import datetime

    from conversations_hub.providers.twilio.emulator.conversation import Conversation, Record
    from conversations_hub.providers.twilio.emulator.store import Store
    from conversations_hub.providers.twilio.emulator.switches import TwilioSwitches

TIMERS = ("inactive_after", "closed_after")
NOT_RETURNED = ("subject", "content_variables")
"""What a message takes and never shows (section 5)."""
EMAIL = {"email_address": "projected_address", "email_name": "name"}
NARROW = {"sms", "whatsapp"}


def check_writable(conversation: Conversation, switches: TwilioSwitches) -> None:
    """Refuse to write into a conversation that is closed, for good, or not ready yet."""
    state = conversation.record["state"]
    if state == "closed":
        raise errors.bad_request(errors.CLOSED, "Conversation is closed")
    if state == "initializing" and switches.initializing == "refuse":
        raise errors.bad_request(errors.BAD_PARAMETER, "Conversation is initializing")


def check_unique_name(store: Store, service: str, name: str, but: str | None = None) -> None:
    """Refuse a unique name that is taken or could be taken for a SID."""
    if re.fullmatch(r"CH[0-9a-fA-F]{32}", name):
        raise errors.bad_request(errors.UNIQUE_NAME_IS_SID, "Unique name must not look like a SID")
    if any(one.record["unique_name"] == name and one.sid != but for one in store.of(service)):
        raise errors.conflict(
            errors.UNIQUE_NAME_TAKEN, "Conversation with provided unique name already exists"
        )


def revise(record: Record, changes: Record, now: datetime) -> None:
    """Change a record, which was updated now unless the changes say when."""
    record.update({"date_updated": now} | changes)


def dates(fields: Record) -> Record:
    """Let what is created with a date of its own be updated at that date, if at no other."""
    created = fields.get("date_created")
    return {"date_updated": created, **fields} if created else fields


def create_conversation(
    store: Store, service: str, fields: Record, switches: TwilioSwitches
) -> Conversation:
    """Begin a conversation."""
    fields = dict(fields)
    if fields.get("unique_name"):
        check_unique_name(store, service, fields["unique_name"])
    timers = {name: fields.pop(name, None) for name in TIMERS}
    if any(timers.values()) and "state" not in fields:
        raise errors.bad_request(errors.TIMERS_WITHOUT_STATE, "Timers need a state")
    if switches.default_timers and not any(timers.values()):
        timers = default_timers(store)
    bindings = email_binding({}, fields)
    conversation = store.add_conversation(
        service=service, at=store.now, bindings=bindings, timers=tuple(timers.values()),
        **dates(fields),
    )  # fmt: skip
    conversation.timed_from = store.now
    return conversation


def default_timers(store: Store) -> dict[str, Any]:
    """Return the timers of the account's configuration."""
    least = (limits.INACTIVE_TIMER, limits.CLOSED_TIMER)
    names = ("default_inactive_timer", "default_closed_timer")
    given = [store.configuration[name] for name in names]
    return {
        timer: value and forms.duration(minimum)(name, value)
        for timer, name, value, minimum in zip(TIMERS, names, given, least, strict=True)
    }


def email_binding(bindings: Record, fields: Record) -> Record:
    """Take the e-mail address and name out of the fields and return the bindings with them."""
    changes = {key: fields.pop(name) for name, key in EMAIL.items() if name in fields}
    email = {**bindings.get("email", {}), **changes}
    return {"email": email} if any(email.values()) else {}


def update_conversation(store: Store, conversation: Conversation, fields: Record) -> None:
    """Change a conversation that is not closed, which nothing opens again."""
    if conversation.record["state"] == "closed":
        raise errors.bad_request(errors.CLOSED, "Conversation is closed")
    fields = dict(fields)
    if fields.get("unique_name"):
        check_unique_name(store, conversation.service, fields["unique_name"], but=conversation.sid)
    timers = {name: fields.pop(name) for name in TIMERS if name in fields}
    if timers or fields.get("state", conversation.record["state"]) != conversation.record["state"]:
        conversation.timed_from = store.now
    for name, after in timers.items():
        setattr(conversation, name, after)
    fields["bindings"] = email_binding(conversation.record["bindings"], fields)
    revise(conversation.record, fields, store.now)


def create_message(
    store: Store, conversation: Conversation, fields: Record, switches: TwilioSwitches
) -> Record:
    """Write a message, if a template is given with nothing else in it (section 3)."""
    check_writable(conversation, switches)
    fields = shown(fields)
    media = fields.pop("media_sid", None)
    if fields.get("content_sid"):
        media, fields["body"] = None, None
    check_length(conversation, fields, switches)
    if media is not None:
        fields["media"] = [attachment(store, conversation, media)]
    message = store.add_message(conversation, at=store.now, **dates(fields))
    if media is not None:
        claim(store, media, message)
    fail_narrow(store, conversation, message)
    return message


def shown(fields: Record) -> Record:
    """Return what a message goes on to show."""
    return {name: value for name, value in fields.items() if name not in NOT_RETURNED}


def is_long(message: Record) -> bool:
    """Tell whether a body is too long for SMS and WhatsApp."""
    return len(message.get("body") or "") > limits.SMS_BODY


def check_length(conversation: Conversation, fields: Record, switches: TwilioSwitches) -> None:
    """Refuse what is too long for somebody who would receive it, if it is not only to fail."""
    recipients = conversation.recipients(fields.get("author", "system"))
    narrow = any(one["messaging_binding"].get("type") in NARROW for one in recipients)
    if switches.long_texts == "refuse" and narrow and is_long(fields):
        raise errors.bad_request(errors.BODY_TOO_LONG, f"Body exceeds {limits.SMS_BODY} characters")


def fail_narrow(store: Store, conversation: Conversation, message: Record) -> None:
    """Fail to deliver what is too long."""
    kinds = {
        one["sid"]: one["messaging_binding"].get("type")
        for one in conversation.recipients(message["author"])
    }
    for receipt in conversation.receipts.get(message["sid"], ()) if is_long(message) else ():
        if kinds[receipt["participant_sid"]] in NARROW:
            code = errors.BODY_TOO_LONG
            store.set_receipt(conversation, receipt, "failed", error_code=code, at=store.now)


def attachment(store: Store, conversation: Conversation, sid: str) -> Record:
    """Return what a message says of an uploaded file of the same service."""
    file = store.uploads.get(sid)
    if file is None or file["service_sid"] != conversation.service:
        raise errors.bad_parameter("MediaSid", sid)
    return {name: file[name] for name in ("sid", "size", "content_type", "filename")}


def claim(store: Store, media: str, message: Record) -> None:
    """Note in a file which message it is in."""
    store.uploads[media].update(
        channel_sid=message["conversation_sid"],
        message_sid=message["sid"],
        author=message["author"],
        date_updated=store.now,
    )


def update_message(
    store: Store,
    conversation: Conversation,
    message: Record,
    fields: Record,
    switches: TwilioSwitches,
) -> None:
    """Change a message."""
    check_writable(conversation, switches)
    fields = shown(fields)
    if "author" in fields:
        fields["participant_sid"] = conversation.author_sid(fields["author"])
    revise(message, fields, store.now)


def read_marks(fields: Record, now: datetime) -> Record:
    """Return the fields with the time of reading that belongs to a new index."""
    if "last_read_message_index" not in fields:
        return fields
    unread = fields["last_read_message_index"] is None
    return {"last_read_timestamp": None if unread else now, **fields}


def update_membership(
    store: Store, conversation: Conversation, user: Record, participant: Record, fields: Record
) -> None:
    """Change how far a user has read and whether they are told of messages."""
    fields = dict(fields)
    level = fields.pop("notification_level", None)
    if level == "muted":
        conversation.muted.add(user["sid"])
    elif level == "default":
        conversation.muted.discard(user["sid"])
    if fields:
        revise(participant, read_marks(fields, store.now), store.now)
