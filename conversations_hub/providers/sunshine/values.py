"""Sunshine's own things: users, clients, integrations, webhooks, keys, the app."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import field, frozen

from conversations_hub.raw import Raw
from conversations_hub.values import Words, camel, raw_field

WORDS = Words(key=camel)


def _mapping() -> Any:
    return field(factory=dict, hash=False)


@frozen(kw_only=True)
class Profile:
    """What is known of somebody."""

    given_name: str | None = None
    surname: str | None = None
    email: str | None = None
    avatar_url: str | None = None
    locale: str | None = None


@frozen(kw_only=True)
class Identity:
    """An address by which somebody is known, such as an e-mail."""

    type: str | None = None
    value: str | None = None
    verification: str | None = None


@frozen(kw_only=True)
class User:
    """An end user."""

    id: str
    external_id: str | None = None
    zendesk_id: str | None = None
    brand_id: str | None = None
    authenticated: bool | None = None
    signed_up_at: datetime | None = None
    to_be_retained: bool | None = None
    profile: Profile = Profile()
    metadata: Mapping[str, Any] = _mapping()
    identities: tuple[Identity, ...] = ()
    raw: Raw | None = raw_field()


@frozen(kw_only=True)
class Client:
    """A channel over which a user is reached; what the channel itself says is `raw["raw"]`."""

    id: str
    type: str | None = None
    status: str | None = None
    integration_id: str | None = None
    external_id: str | None = None
    last_seen: datetime | None = None
    linked_at: datetime | None = None
    display_name: str | None = None
    avatar_url: str | None = None
    info: Mapping[str, Any] = _mapping()
    raw: Raw | None = raw_field()


@frozen(kw_only=True)
class Webhook:
    """Where events are sent; the receiver knows them by the secret."""

    id: str
    version: str | None = None
    target: str | None = None
    triggers: tuple[str, ...] = ()
    secret: str | None = field(default=None, repr=False)
    include_full_user: bool | None = None
    include_full_source: bool | None = None
    raw: Raw | None = raw_field()


@frozen(kw_only=True)
class Integration:
    """A channel of the app; what only channels of its type have stays in `raw`."""

    id: str
    type: str | None = None
    status: str | None = None
    display_name: str | None = None
    webhooks: tuple[Webhook, ...] = ()
    raw: Raw | None = raw_field()


@frozen(kw_only=True)
class IntegrationKey:
    """An API key of a custom integration."""

    id: str
    display_name: str | None = None
    secret: str | None = field(default=None, repr=False)
    raw: Raw | None = raw_field()


@frozen(kw_only=True)
class App:
    """The app itself."""

    id: str
    display_name: str | None = None
    subdomain: str | None = None
    settings: Mapping[str, Any] = _mapping()
    metadata: Mapping[str, Any] = _mapping()
    raw: Raw | None = raw_field()


@frozen(kw_only=True)
class ConversionEvents:
    """How many conversion events were taken, and into which data set."""

    dataset_id: str | None = None
    events_received: int | None = None
    raw: Raw | None = raw_field()
