"""Twilio Conversations, version 1: SMS, WhatsApp and chat."""

from conversations_hub.providers.twilio.provider import Twilio
from conversations_hub.providers.twilio.values import (
    AccountConfiguration,
    AccountWebhook,
    AddressConfiguration,
    MediaFile,
    ParticipantConversation,
    Receipt,
    User,
    UserConversation,
    Webhook,
)

__all__ = [
    "AccountConfiguration",
    "AccountWebhook",
    "AddressConfiguration",
    "MediaFile",
    "ParticipantConversation",
    "Receipt",
    "Twilio",
    "User",
    "UserConversation",
    "Webhook",
]
