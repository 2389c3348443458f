"""Twilio Conversations as one provider: all that can be asked of it."""

from __future__ import annotations

from attrs import frozen

from conversations_hub.providers.twilio.beginnings import Beginnings
from conversations_hub.providers.twilio.users import Users
from conversations_hub.providers.twilio.webhooks import Webhooks


@frozen(kw_only=True)
class Twilio(Beginnings, Users, Webhooks):
    """An account at Twilio Conversations, version 1; the API key is used where both are given."""
