"""Answers Twilio's write operations: each with its parameters and the rules that it obeys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from conversations_hub.emulator.server import json_response
from conversations_hub.providers.twilio.emulator import (
    account_rules,
    conversation_rules,
    errors,
    forms,
    limits,
    participant_rules,
)
from conversations_hub.providers.twilio.emulator.parameters import (
    ACCOUNT_WEBHOOK,
    ADDRESS,
    CONFIGURATION,
    CONVERSATION,
    MEMBERSHIP,
    MESSAGE,
    MESSAGE_UPDATE,
    NEW_ADDRESS,
    NEW_USER,
    NEW_WEBHOOK,
    PARTICIPANT,
    PARTICIPANT_UPDATE,
    SERVICE,
    SERVICE_CONFIGURATION,
    SERVICE_WEBHOOK,
    USER,
    WEBHOOK,
    WITH_PARTICIPANTS,
)
from conversations_hub.providers.twilio.emulator.reads import (
    found_address,
    found_membership,
    found_participant,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from conversations_hub.providers.twilio.emulator.conversation import Conversation, Record
    from conversations_hub.providers.twilio.emulator.reads import Call

    Reply = Callable[[Call], web.StreamResponse]


def found(act: Callable[[Call], Record]) -> Reply:
    """Answer 200 with what there is now."""
    return lambda call: json_response(act(call))


def created(act: Callable[[Call], Record]) -> Reply:
    """Answer 201 with what is new."""
    return lambda call: json_response(act(call), 201)


def removed(act: Callable[[Call], None]) -> Reply:
    """Answer 204 without a body."""

    def reply(call: Call) -> web.StreamResponse:
        act(call)
        return web.Response(status=204)

    return reply


# Conversations.


def create_conversation(call: Call) -> Record:
    """Begin a conversation."""
    fields = call.fields(CONVERSATION)
    return call.shapes.conversation(
        conversation_rules.create_conversation(
            call.store, call.service, fields, call.shapes.switches
        )
    )


def update_conversation(call: Call) -> Record:
    """Change a conversation."""
    conversation = call.conversation(unique_names=True)
    fields = call.fields(CONVERSATION)
    conversation_rules.update_conversation(call.store, conversation, fields)
    return call.shapes.conversation(conversation)


def remove_conversation(call: Call) -> None:
    """Delete a conversation, closed or not, with its history."""
    call.store.remove_conversation(call.conversation(unique_names=True))


def create_with_participants(call: Call) -> web.StreamResponse:
    """Begin a conversation with people in it, or none of it (section 3)."""
    fields = call.fields(WITH_PARTICIPANTS)
    people = fields.pop("participants", [])
    if len(people) > limits.AT_ONCE:
        raise errors.limit(errors.TOO_MANY_AT_ONCE, f"More than {limits.AT_ONCE} participants")
    switches = call.shapes.switches
    joining = [forms.fields(one, PARTICIPANT, switches) for one in people]
    conversation = conversation_rules.create_conversation(
        call.store, call.service, fields, switches
    )
    try:
        for one in joining:
            participant_rules.add_participant(call.store, conversation, one, switches)
    except errors.RefusedError:
        call.store.remove_conversation(conversation)
        raise
    return ready(call, conversation)


def ready(call: Call, conversation: Conversation) -> web.StreamResponse:
    """Answer that a conversation is there, or that it will be: it is when asked next."""
    body = call.shapes.conversation(conversation)
    if call.shapes.switches.with_participants == "created":
        return json_response(body, 201)
    return json_response(body | {"state": "initializing"}, 202)


# Messages.


def create_message(call: Call) -> Record:
    """Write a message."""
    conversation, fields = call.conversation(), call.fields(MESSAGE)
    return call.shapes.message(
        conversation_rules.create_message(call.store, conversation, fields, call.shapes.switches)
    )


def update_message(call: Call) -> Record:
    """Change a message."""
    conversation, fields = call.conversation(), call.fields(MESSAGE_UPDATE)
    message = call.one(conversation.messages, "message")
    conversation_rules.update_message(
        call.store, conversation, message, fields, call.shapes.switches
    )
    return call.shapes.message(message)


def remove_message(call: Call) -> None:
    """Delete a message."""
    conversation = call.conversation()
    message = call.one(conversation.messages, "message")
    conversation_rules.check_writable(conversation, call.shapes.switches)
    call.store.remove_message(conversation, message["sid"])


# Participants.


def add_participant(call: Call) -> Record:
    """Let somebody in."""
    conversation, fields = call.conversation(), call.fields(PARTICIPANT)
    return call.shapes.participant(
        participant_rules.add_participant(call.store, conversation, fields, call.shapes.switches)
    )


def update_participant(call: Call) -> Record:
    """Change a participant."""
    conversation, participant = found_participant(call)
    fields = call.fields(PARTICIPANT_UPDATE)
    participant_rules.update_participant(
        call.store, conversation, participant, fields, call.shapes.switches
    )
    return call.shapes.participant(participant)


def remove_participant(call: Call) -> None:
    """Take somebody out."""
    conversation, participant = found_participant(call)
    conversation_rules.check_writable(conversation, call.shapes.switches)
    call.store.remove_participant(conversation, participant["sid"])


# Webhooks of one conversation.


def add_webhook(call: Call) -> Record:
    """Add a webhook."""
    conversation, fields = call.conversation(), call.fields(NEW_WEBHOOK, ["Target"])
    return call.shapes.webhook(
        account_rules.add_webhook(call.store, conversation, fields, call.shapes.switches)
    )


def update_webhook(call: Call) -> Record:
    """Change a webhook."""
    conversation, fields = call.conversation(), call.fields(WEBHOOK)
    webhook = call.one(conversation.webhooks, "webhook")
    account_rules.update_webhook(call.store, conversation, webhook, fields, call.shapes.switches)
    return call.shapes.webhook(webhook)


def remove_webhook(call: Call) -> None:
    """Delete a webhook."""
    conversation = call.conversation()
    webhook = call.one(conversation.webhooks, "webhook")
    conversation_rules.check_writable(conversation, call.shapes.switches)
    conversation.webhooks.remove(webhook)


# Users and their conversations.


def add_user(call: Call) -> Record:
    """Add a user."""
    fields = call.fields(NEW_USER, ["Identity"])
    return call.shapes.user(account_rules.add_user(call.store, call.service, fields))


def update_user(call: Call) -> Record:
    """Change a user."""
    user = call.user()
    conversation_rules.revise(user, call.fields(USER), call.store.now)
    return call.shapes.user(user)


def remove_user(call: Call) -> None:
    """Delete a user, who leaves every conversation."""
    call.store.remove_user(call.user())


def update_membership(call: Call) -> Record:
    """Change how far a user has read, and whether they are told."""
    user, conversation, participant = found_membership(call)
    fields = call.fields(MEMBERSHIP)
    conversation_rules.check_writable(conversation, call.shapes.switches)
    conversation_rules.update_membership(call.store, conversation, user, participant, fields)
    return call.shapes.user_conversation(user, conversation, participant)


def remove_membership(call: Call) -> None:
    """Take a user out of a conversation (section 3)."""
    _, conversation, participant = found_membership(call)
    conversation_rules.check_writable(conversation, call.shapes.switches)
    call.store.remove_participant(conversation, participant["sid"])


# The account and its services.


def configure(call: Call) -> Record:
    """Change the account's configuration."""
    account_rules.configure(call.store, call.fields(CONFIGURATION))
    return call.shapes.configuration()


def update_account_webhook(call: Call) -> Record:
    """Change the account's webhook."""
    call.store.account_webhook.update(call.fields(ACCOUNT_WEBHOOK))
    return call.shapes.account_webhook()


def add_address(call: Call) -> Record:
    """Configure an address of ours."""
    fields = call.fields(NEW_ADDRESS, ["Type", "Address"])
    return call.shapes.address(account_rules.add_address(call.store, fields))


def update_address(call: Call) -> Record:
    """Change an address of ours."""
    address = found_address(call)
    account_rules.update_address(call.store, address, call.fields(ADDRESS))
    return call.shapes.address(address)


def remove_address(call: Call) -> None:
    """Forget an address of ours."""
    call.store.addresses.remove(found_address(call))


def add_service(call: Call) -> Record:
    """Add a chat service."""
    fields = call.fields(SERVICE, ["FriendlyName"])
    return call.shapes.chat_service(call.store.add_service(**fields, at=call.store.now))


def remove_service(call: Call) -> None:
    """Delete a chat service."""
    account_rules.remove_service(call.store, call.one(call.store.services, "service"))


def configure_service(call: Call) -> Record:
    """Change the configuration of a chat service."""
    service = call.one(call.store.services, "service")
    settings = call.store.service_configurations.setdefault(service["sid"], {})
    settings.update(call.fields(SERVICE_CONFIGURATION))
    return call.shapes.service_configuration(service)


def update_service_webhook(call: Call) -> Record:
    """Change the webhook of a chat service."""
    service = call.one(call.store.services, "service")
    settings = call.store.service_webhooks.setdefault(service["sid"], {})
    settings.update(call.fields(SERVICE_WEBHOOK))
    return call.shapes.service_webhook(service)


# With and without /Services/{service} in front (section 1).
POST_BOTH_FORMS: dict[str, Reply] = {
    "Conversations": created(create_conversation),
    "ConversationWithParticipants": create_with_participants,
    "Conversations/{conversation}": found(update_conversation),
    "Conversations/{conversation}/Messages": created(create_message),
    "Conversations/{conversation}/Messages/{message}": found(update_message),
    "Conversations/{conversation}/Participants": created(add_participant),
    "Conversations/{conversation}/Participants/{participant}": found(update_participant),
    "Conversations/{conversation}/Webhooks": created(add_webhook),
    "Conversations/{conversation}/Webhooks/{webhook}": found(update_webhook),
    "Users": created(add_user),
    "Users/{user}": found(update_user),
    "Users/{user}/Conversations/{conversation}": found(update_membership),
}
POST_ONE_FORM: dict[str, Reply] = {
    "Configuration": found(configure),
    "Configuration/Webhooks": found(update_account_webhook),
    "Configuration/Addresses": created(add_address),
    "Configuration/Addresses/{address}": found(update_address),
    "Services": created(add_service),
    "Services/{service}/Configuration": found(configure_service),
    "Services/{service}/Configuration/Webhooks": found(update_service_webhook),
}
DELETE_BOTH_FORMS: dict[str, Reply] = {
    "Conversations/{conversation}": removed(remove_conversation),
    "Conversations/{conversation}/Messages/{message}": removed(remove_message),
    "Conversations/{conversation}/Participants/{participant}": removed(remove_participant),
    "Conversations/{conversation}/Webhooks/{webhook}": removed(remove_webhook),
    "Users/{user}": removed(remove_user),
    "Users/{user}/Conversations/{conversation}": removed(remove_membership),
}
DELETE_ONE_FORM: dict[str, Reply] = {
    "Configuration/Addresses/{address}": removed(remove_address),
    "Services/{service}": removed(remove_service),
}
