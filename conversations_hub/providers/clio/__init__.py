"""Clio Manage, version 4: the internal messages of a law firm."""

from conversations_hub.providers.clio.provider import Clio

__all__ = ["Clio"]
