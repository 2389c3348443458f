"""Sunshine Conversations, put together from its families of operations."""

from __future__ import annotations

from attrs import frozen

from conversations_hub.providers.sunshine.apps import Apps
from conversations_hub.providers.sunshine.integrations import Integrations
from conversations_hub.providers.sunshine.participants import Participants
from conversations_hub.providers.sunshine.switchboard import Switchboard
from conversations_hub.providers.sunshine.users import Users
from conversations_hub.providers.sunshine.webhooks import Webhooks


@frozen(kw_only=True)
class Sunshine(Switchboard, Participants, Users, Integrations, Webhooks, Apps):
    """An app of Sunshine Conversations, API version 2.

    `users` are ids or external ids: conversations can only be listed user by user. A Zendesk
    account has `base_url="https://{subdomain}.zendesk.com/sc"`.
    """
