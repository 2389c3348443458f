"""Sunshine Conversations, API version 2: Zendesk messaging, formerly Smooch."""

from conversations_hub.providers.sunshine.provider import Sunshine

__all__ = ["Sunshine"]
