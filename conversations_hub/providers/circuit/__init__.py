"""Circuit by Unify, REST API version 2: conversations, communities and calls of a team."""

from conversations_hub.providers.circuit.provider import Circuit

__all__ = ["Circuit"]
