"""Circuit as a whole: an account, and all that can be asked in its name."""

from __future__ import annotations

from attrs import frozen

from conversations_hub.providers.circuit.creation import Creation
from conversations_hub.providers.circuit.marks import Marks
from conversations_hub.providers.circuit.webhooks import Webhooks


@frozen(kw_only=True)
class Circuit(Creation, Marks, Webhooks):
    """A user of Circuit, REST API version 2; `me` is that user's id, to tell one's own messages."""
