"""Applies what Twilio says of who can be in a conversation, and under which addresses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from conversations_hub.providers.twilio.emulator import errors, limits
from conversations_hub.providers.twilio.emulator.conversation_rules import (
    check_writable,
    dates,
    read_marks,
    revise,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conversations_hub.providers.twilio.emulator.conversation import Conversation, Record
    from conversations_hub.providers.twilio.emulator.store import Store
    from conversations_hub.providers.twilio.emulator.switches import TwilioSwitches

REMOVE = "null"
"""The word that removes a proxy or projected address (section 2)."""

ADDRESS = {
    "sms": re.compile(r"\+[1-9]\d{1,14}"),
    "whatsapp": re.compile(r"whatsapp:\+[1-9]\d{1,14}"),
    "messenger": re.compile(r"messenger:\S+"),
    "rcs": re.compile(r"rcs:\S+"),
    "gbm": re.compile(r"gbm:\S+"),
    "apple": re.compile(r"apple:\S+"),
    "email": re.compile(r"[^@\s:]+@[^@\s:]+"),
}
SHORT_CODE = re.compile(r"\d{3,8}")
PARTS = ("address", "proxy_address", "projected_address")


def channel(address: str) -> str | None:
    """Return the channel that an address belongs to, from its prefix (section 3)."""
    return next((kind for kind, form in ADDRESS.items() if form.fullmatch(address)), None)


def our_channel(address: str) -> str | None:
    """Return the channel of an address of ours, which may be a short code."""
    return "sms" if SHORT_CODE.fullmatch(address) else channel(address)


def bound(participants: Iterable[Record]) -> list[Record]:
    """Return the bindings of those who have one."""
    return [one["messaging_binding"] for one in participants if one["messaging_binding"]]


def is_group(bindings: Iterable[Record]) -> bool:
    """Tell a group MMS: nobody in it has a proxy address (section 5)."""
    return not any(one.get("proxy_address") for one in bindings)


def new_binding(fields: Record) -> Record | None:
    """Take the addresses out of the fields and return the binding that they make."""
    given = {part: fields.pop(part) for part in PARTS if part in fields}
    if not given:
        return None
    address, proxy = given.get("address"), given.get("proxy_address")
    kind = check_address(address) if address is not None or proxy is not None else "sms"
    if proxy is not None:
        check_proxy(kind, address, proxy)
    if "projected_address" in given:
        check_projected(given["projected_address"], address, proxy)
    if address is not None and proxy is None and kind != "sms":
        raise errors.bad_request(
            errors.BINDING_NOT_ALLOWED, f"A proxy address is needed for {kind}"
        )
    return {"type": kind, **given}


def check_address(address: str | None) -> str:
    """Return the channel of somebody's address."""
    kind = None if address is None else channel(address)
    if kind is None:
        raise errors.bad_request(errors.BAD_ADDRESS, f"Invalid messaging binding address {address}")
    return kind


def check_proxy(kind: str, address: str | None, proxy: str) -> None:
    """Refuse a proxy address that is none, or not of this channel."""
    if proxy == address:
        raise errors.bad_request(errors.SAME_ADDRESSES, "Address and proxy address are the same")
    if our_channel(proxy) != kind:
        raise errors.bad_request(
            errors.BAD_PROXY, f"Invalid messaging binding proxy address {proxy}"
        )


def check_projected(projected: str, address: str | None, proxy: str | None) -> None:
    """Refuse a projected address that is none, or beside other addresses."""
    if address is not None or proxy is not None:
        raise errors.bad_request(
            errors.BINDING_NOT_ALLOWED, "A projected address cannot be beside other addresses"
        )
    if our_channel(projected) != "sms":
        raise errors.bad_request(errors.BAD_PROXY, f"Invalid projected address {projected}")


def check_kind(binding: Record, others: list[Record]) -> None:
    """Refuse to mix a group MMS with people who have proxy addresses."""
    if others and binding.get("proxy_address") and is_group(others):
        raise errors.bad_request(errors.NO_PROXY_HERE, "Cannot add a proxy address to a group")
    if others and not binding.get("proxy_address") and not is_group(others):
        raise errors.bad_request(
            errors.NO_PROJECTED_HERE, "Cannot add group addresses beside proxy addresses"
        )


def check_binding(
    store: Store, conversation: Conversation, binding: Record, but: Record | None = None
) -> None:
    """Refuse addresses that do not fit into the conversation or are taken."""
    others = [one for one in conversation.participants if one is not but]
    check_kind(binding, bound(others))
    if binding.get("proxy_address"):
        check_pair(store, binding, but)
        return
    for part in ("address", "projected_address"):
        if binding.get(part) in {one.get(part) for one in bound(others)} - {None}:
            raise errors.conflict(errors.GROUP_ADDRESS_TAKEN, "Participant already exists")
    check_group(store, conversation, [*bound(others), binding])


def check_pair(store: Store, binding: Record, but: Record | None) -> None:
    """Refuse an address and proxy that lead to another live conversation (section 6)."""
    pair = (binding.get("address"), binding["proxy_address"])
    for one in store.conversations.values():
        if one.record["state"] != "closed" and any(
            (other.get("address"), other.get("proxy_address")) == pair
            for other in bound(who for who in one.participants if who is not but)
        ):
            raise errors.conflict(
                errors.PAIR_TAKEN,
                "A binding for this participant and proxy address already exists"
                f" in Conversation {one.sid}",
            )


def group(bindings: Iterable[Record]) -> set[str]:
    """Return the addresses in a group MMS."""
    return {one.get("address") or one.get("projected_address") or "" for one in bindings}


def check_group(store: Store, conversation: Conversation, bindings: list[Record]) -> None:
    """Refuse a group of the same people as another live one."""
    wanted = group(bindings)
    for one in store.conversations.values():
        theirs = bound(one.participants)
        if one is conversation or one.record["state"] == "closed" or not is_group(theirs):
            continue
        if len(wanted) > 1 and group(theirs) == wanted:
            raise errors.conflict(
                errors.GROUP_EXISTS, f"Group conversation already exists: {one.sid}"
            )


def check_identity(store: Store, conversation: Conversation, identity: str) -> None:
    """Refuse somebody who is in, or in too many conversations."""
    if any(one["identity"] == identity for one in conversation.participants):
        raise errors.conflict(errors.IDENTITY_TAKEN, "Participant already exists")
    theirs = store.memberships(conversation.service, identity=identity)
    live = sum(one.record["state"] in {"active", "inactive"} for one, _ in theirs)
    if live >= limits.CONVERSATIONS:
        raise errors.limit(
            errors.TOO_MANY_CONVERSATIONS, f"User is in {limits.CONVERSATIONS} conversations"
        )


def check_room(conversation: Conversation) -> None:
    """Refuse one participant too many."""
    if len(conversation.participants) >= limits.PARTICIPANTS:
        raise errors.limit(
            errors.TOO_MANY_PARTICIPANTS, f"Conversation has {limits.PARTICIPANTS} participants"
        )


def check_room_outside(conversation: Conversation, binding: Record) -> None:
    """Refuse one participant outside the chat too many."""
    outside = bound(conversation.participants)
    most = limits.OUTSIDE_GROUP if is_group([*outside, binding]) else limits.OUTSIDE
    if len(outside) >= most:
        raise errors.limit(
            errors.TOO_MANY_OUTSIDE, f"Conversation has {most} participants outside the chat"
        )


def add_participant(
    store: Store, conversation: Conversation, fields: Record, switches: TwilioSwitches
) -> Record:
    """Let somebody in."""
    check_writable(conversation, switches)
    fields = dict(fields)
    binding, identity = new_binding(fields), fields.get("identity")
    if binding is None and identity is None:
        raise errors.bad_request(errors.BAD_PARAMETER, "Identity or an address is required")
    if identity is not None and binding and set(binding) == {"type", "address"}:
        raise errors.bad_request(errors.BINDING_NOT_ALLOWED, "A proxy address is needed")
    if binding is not None:
        check_binding(store, conversation, binding)
        check_room_outside(conversation, binding)
    if identity is not None:
        check_identity(store, conversation, identity)
    check_room(conversation)
    # Outsiders of a group MMS have no role (section 5).
    outsider = binding is not None and set(binding) == {"type", "address"}
    fields.setdefault("role_sid", None if outsider else store.member_role)
    return store.add_participant(
        conversation, at=store.now, messaging_binding=binding, **dates(fields)
    )


def changed_binding(participant: Record, fields: Record) -> Record | None:
    """Take the addresses out of the fields and return the binding that it becomes."""
    binding = dict(participant["messaging_binding"] or {})
    for part in ("proxy_address", "projected_address"):
        value = fields.pop(part, None)
        if value == REMOVE:
            binding.pop(part, None)
        elif value is not None:
            binding = with_part(binding, part, value)
    return binding if set(binding) - {"type"} else None


def with_part(binding: Record, part: str, value: str) -> Record:
    """Return a binding with a new proxy or projected address."""
    address = binding.get("address")
    if part == "proxy_address":
        if address is None:
            raise errors.bad_request(errors.NO_PROXY_HERE, "Participant has no address")
        check_proxy(binding["type"], address, value)
    elif address is not None:
        raise errors.bad_request(errors.NO_PROJECTED_HERE, "Participant has an address")
    else:
        check_projected(value, None, None)
    return {"type": "sms", **binding, part: value}


def update_participant(
    store: Store,
    conversation: Conversation,
    participant: Record,
    fields: Record,
    switches: TwilioSwitches,
) -> None:
    """Change somebody's role, addresses, name or read mark."""
    check_writable(conversation, switches)
    fields = read_marks(dict(fields), store.now)
    binding = changed_binding(participant, fields)
    before = participant["messaging_binding"] or {}
    if binding is not None and not binding.items() <= before.items():
        check_binding(store, conversation, binding, but=participant)
        if not before:
            check_room_outside(conversation, binding)
    identity = fields.get("identity")
    if identity is not None and identity != participant["identity"]:
        check_identity(store, conversation, identity)
        if store.user(conversation.service, identity) is None:
            store.add_user(identity, service=conversation.service, at=store.now)
    revise(participant, {**fields, "messaging_binding": binding}, store.now)
