"""One async API over the conversations of Clio, Circuit, Sunshine Conversations and Twilio."""

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

from conversations_hub.budget import Rate
from conversations_hub.bulk import Bulk, Result
from conversations_hub.download import Download
from conversations_hub.errors import (
    AmbiguousWriteError,
    AuthenticationError,
    CheckpointError,
    ConfigurationError,
    ConflictError,
    CursorExpiredError,
    HubError,
    InvalidRequestError,
    NotFoundError,
    PagingError,
    PermissionDeniedError,
    ProviderError,
    RateLimitError,
    ServerError,
    StatusError,
    TooLargeError,
    TranslationError,
    TransportError,
    UnsupportedError,
)
from conversations_hub.hub import ConversationsHub
from conversations_hub.models import (
    Attachment,
    Author,
    Conversation,
    ConversationKind,
    ConversationState,
    Direction,
    Message,
    MessageKind,
    MessageState,
    Participant,
    Ref,
    Role,
)
from conversations_hub.observing import Event, Observer
from conversations_hub.pager import Pager
from conversations_hub.provider import Provider
from conversations_hub.providers import PROVIDERS
from conversations_hub.recipes import Call, Listing, Outcome, Page
from conversations_hub.secret import Secret
from conversations_hub.stores import FileStore, MemoryStore
from conversations_hub.tokens import Token, TokenSource, TokenStore
from conversations_hub.wire import Upload

if TYPE_CHECKING:
    from conversations_hub.providers.circuit import Circuit
    from conversations_hub.providers.clio import Clio
    from conversations_hub.providers.sunshine import Sunshine
    from conversations_hub.providers.twilio import Twilio

__all__ = [
    "AmbiguousWriteError",
    "Attachment",
    "AuthenticationError",
    "Author",
    "Bulk",
    "Call",
    "CheckpointError",
    "Circuit",
    "Clio",
    "ConfigurationError",
    "ConflictError",
    "Conversation",
    "ConversationKind",
    "ConversationState",
    "ConversationsHub",
    "CursorExpiredError",
    "Direction",
    "Download",
    "Event",
    "FileStore",
    "HubError",
    "InvalidRequestError",
    "Listing",
    "MemoryStore",
    "Message",
    "MessageKind",
    "MessageState",
    "NotFoundError",
    "Observer",
    "Outcome",
    "Page",
    "Pager",
    "PagingError",
    "Participant",
    "PermissionDeniedError",
    "Provider",
    "ProviderError",
    "Rate",
    "RateLimitError",
    "Ref",
    "Result",
    "Role",
    "Secret",
    "ServerError",
    "StatusError",
    "Sunshine",
    "Token",
    "TokenSource",
    "TokenStore",
    "TooLargeError",
    "TranslationError",
    "TransportError",
    "Twilio",
    "UnsupportedError",
    "Upload",
]

# An application that wants the log configures a handler.
logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    """Import a provider's class when it is first asked for."""
    place = next((place for place in PROVIDERS.values() if place.endswith(f":{name}")), None)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(place.partition(":")[0]), name)
