"""Circuit by Unify, REST API version 2: conversations, communities and calls of a team."""

from conversations_hub.providers.circuit.provider import Circuit
from conversations_hub.providers.circuit.values import (
    BridgeNumber,
    EmailAddress,
    IncomingWebhook,
    JoinDetails,
    Label,
    PhoneNumber,
    PinnedTopic,
    Presence,
    SearchResult,
    SupportInfo,
    User,
    WebHook,
)

__all__ = [
    "BridgeNumber",
    "Circuit",
    "EmailAddress",
    "IncomingWebhook",
    "JoinDetails",
    "Label",
    "PhoneNumber",
    "PinnedTopic",
    "Presence",
    "SearchResult",
    "SupportInfo",
    "User",
    "WebHook",
]
