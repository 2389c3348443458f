"""Twilio Conversations, version 1: SMS, WhatsApp and chat."""

from conversations_hub.providers.twilio.provider import Twilio

__all__ = ["Twilio"]
