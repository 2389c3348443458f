"""The rules of conversations: who takes part, who is in control and what has been read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conversations_hub.providers.sunshine.emulator.bodies import (
    ACTIVITY,
    CONTROL,
    CONVERSATION,
    CONVERSION,
    DOWNLOAD,
    HANDOVER,
    LEAVING,
    NEW_CONVERSATION,
    PARTICIPANT,
)
from conversations_hub.providers.sunshine.emulator.posting import author_of, named_user
from conversations_hub.providers.sunshine.emulator.refusals import (
    bad_request,
    forbidden,
    missing,
    not_found,
)

if TYPE_CHECKING:
    from conversations_hub.providers.sunshine.emulator.ask import Ask

Record = dict[str, Any]

MOST_PARTICIPANTS = 10
ACTIVE, PENDING = "activeSwitchboardIntegration", "pendingSwitchboardIntegration"
DATASET = "1234567890123456"


def patched(record: Record, changes: Record, metadata: str) -> None:
    """Change a record: null takes a field away, and metadata are merged or replaced."""
    for name, value in changes.items():
        if value is None:
            record.pop(name, None)
        elif name == "metadata" and metadata == "merge":
            record[name] = {**(record.get(name) or {}), **value}
        else:
            record[name] = value


def create(ask: Ask) -> Record:
    """Begin a conversation; a personal one has exactly one participant."""
    body = ask.read(NEW_CONVERSATION)
    kind, names = body.pop("type"), body.pop("participants", [])
    if kind == "personal" and len(names) != 1:
        raise bad_request("A personal conversation must have exactly 1 participant")
    if len(names) > MOST_PARTICIPANTS:
        raise bad_request("Too many participants")
    users = [named_user(ask, each)["id"] for each in names]
    fields = {name: value for name, value in body.items() if value is not None}
    now = ask.store.now()
    conversation = ask.store.create_conversation(kind, dict.fromkeys(users), at=now, **fields)
    return {"conversation": conversation}


def update(ask: Ask) -> Record:
    """Change how a conversation looks, and nothing else."""
    conversation = ask.conversation()
    patched(conversation, ask.read(CONVERSATION), ask.switches.metadata_patch)
    return {"conversation": conversation}


def delete(ask: Ask) -> Record:
    """Delete a conversation with what is in it, unless it is the default."""
    conversation = ask.conversation()
    if conversation["isDefault"]:
        why = "cannot be deleted because it is the default."
        raise bad_request(f"Conversation {conversation['id']} {why}")
    ask.store.delete_conversation(conversation["id"])
    return {}


def _group(ask: Ask) -> str:
    conversation = ask.conversation()
    if conversation["type"] != "sdkGroup":
        raise bad_request("Participants of a personal conversation do not change")
    return str(conversation["id"])


def join(ask: Ask) -> Record:
    """Let a user into a group."""
    group = _group(ask)
    user = named_user(ask, ask.read(PARTICIPANT))
    members = ask.store.participants(group)
    same = next((member for member in members if member["userId"] == user["id"]), None)
    if same is not None and ask.switches.rejoin == "repeated":
        return {"participant": same}
    if same is not None:
        raise bad_request("User is already a member of the conversation")
    if len(members) >= MOST_PARTICIPANTS:
        raise bad_request("Too many participants")
    return {"participant": ask.store.join(group, user["id"], at=ask.store.now())}


def leave(ask: Ask) -> Record:
    """Let a participant out of a group."""
    group = _group(ask)
    body = ask.read(LEAVING)
    if len(body) != 1:
        raise bad_request("Exactly one of userId, userExternalId and participantId is required")
    if not ask.store.leave(group, _leaving(ask, group, body)):
        raise not_found("User is not a member of the conversation")
    return {}


def _leaving(ask: Ask, group: str, body: Record) -> str:
    if "participantId" not in body:
        return str(named_user(ask, body)["id"])
    members = ask.store.participants(group)
    return next((each["userId"] for each in members if each["id"] == body["participantId"]), "")


def be_active(ask: Ask) -> Record:
    """Note what somebody has read; typing leaves no trace in what can be asked for."""
    conversation = ask.conversation()
    body = ask.read(ACTIVITY)
    author = author_of(ask, conversation, body["author"])
    is_read, is_user = body["type"] == "conversation:read", author["type"] == "user"
    if is_user and not is_read:
        raise bad_request("A user can only send conversation:read")
    if is_read and is_user:
        ask.store.read_by_user(conversation["id"], author["userId"])
    elif is_read:
        ask.store.read_by_business(conversation["id"], at=ask.store.now())
    return {}


def pass_control(ask: Ask) -> Record:
    """Put a switchboard integration in control; it may have been already."""
    conversation = ask.conversation()
    target = _target(ask, conversation, ask.read(HANDOVER)["switchboardIntegration"])
    conversation[ACTIVE] = target
    conversation.pop(PENDING, None)
    return {}


def offer_control(ask: Ask) -> Record:
    """Offer control to a switchboard integration, and to no other any longer."""
    conversation = ask.conversation()
    target = _target(ask, conversation, ask.read(HANDOVER)["switchboardIntegration"])
    if target["id"] == _id(conversation, ACTIVE):
        raise bad_request("Control cannot be offered to the active switchboard integration")
    conversation[PENDING] = target
    return {}


def accept_control(ask: Ask) -> Record:
    """Give control to the integration to which it was offered."""
    conversation = ask.conversation()
    ask.read(CONTROL)
    _check_turn(ask, conversation, PENDING)
    if not conversation.get(PENDING):
        raise bad_request("There is no pending switchboard integration")
    conversation[ACTIVE] = conversation.pop(PENDING)
    return {}


def release_control(ask: Ask) -> Record:
    """Take control from everybody."""
    conversation = ask.conversation()
    ask.read(CONTROL, optional=True)
    _check_turn(ask, conversation, ACTIVE)
    for state in (ACTIVE, PENDING):
        conversation.pop(state, None)
    return {}


def _check_turn(ask: Ask, conversation: Record, state: str) -> None:
    turn = (conversation.get(state) or {}).get("integrationId")
    if ask.integration_id is not None and turn != ask.integration_id:
        raise forbidden()


def _id(conversation: Record, state: str) -> str | None:
    return (conversation.get(state) or {}).get("id")


def _target(ask: Ask, conversation: Record, name: str) -> Record:
    """Find by id, else by name, else by type, which may fit several."""
    if name == "next":
        return _next(ask, conversation)
    for key in ("id", "name", "integrationType"):
        fitting = [each for each in ask.store.switchboard if each[key] == name]
        if len(fitting) > 1:
            raise bad_request(f"More than one switchboard integration is called {name}")
        if fitting:
            return fitting[0]
    raise missing("switchboard_integration")


def _next(ask: Ask, conversation: Record) -> Record:
    board = ask.store.switchboard
    places = [each["id"] for each in board]
    active = _id(conversation, ACTIVE)
    place = places.index(active) + 1 if active in places else 0
    if place == len(board):
        raise bad_request("There is no next switchboard integration")
    return board[place]


def download(ask: Ask) -> Record:
    """Answer with what stands behind a channel's reference: something, in no fixed form."""
    ask.conversation()
    body = ask.read(DOWNLOAD)
    if body["userId"] not in ask.store.users:
        raise missing("user")
    reference = body.get("apple", {}).get("interactiveDataRef", {})
    return {"bid": reference["bid"], "data": {"version": "1.0"}} if reference else {}


def convert(ask: Ask) -> Record:
    """Count conversion events, of one channel at a time."""
    ask.conversation()
    body = ask.read(CONVERSION)
    if len(body) != 1:
        raise bad_request("Exactly one of messenger, instagram and whatsapp is required")
    [channel] = body.values()
    received = len(channel["payload"]["data"])
    return {"conversionEvents": {"datasetId": DATASET, "eventsReceived": received}}
