"""Clio Manage, version 4: the internal messages of a law firm."""

from conversations_hub.providers.clio.conditions import NotModified
from conversations_hub.providers.clio.provider import Clio
from conversations_hub.providers.clio.values import User, Webhook

__all__ = ["Clio", "NotModified", "User", "Webhook"]
