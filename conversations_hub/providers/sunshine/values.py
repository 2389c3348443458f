"""Sunshine's own things: users, clients, integrations, webhooks, keys, the app."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from attrs import field, frozen

from conversations_hub import values
from conversations_hub.raw import Raw
from conversations_hub.reading import Paging, Record, Records
from conversations_hub.values import Words, camel, raw_field

WORDS = Words(key=camel)


def _mapping() -> Any:
    return field(factory=dict, hash=False)


@frozen(kw_only=True)
class Thing(values.Thing):
    """What those have that can be asked for again."""

    id: str


T = TypeVar("T", bound=Thing)


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
class User(Thing):
    """An end user."""

    external_id: str | None = None
    zendesk_id: str | None = None
    brand_id: str | None = None
    authenticated: bool | None = None
    signed_up_at: datetime | None = None
    to_be_retained: bool | None = None
    profile: Profile = Profile()
    metadata: Mapping[str, Any] = _mapping()
    identities: tuple[Identity, ...] = ()


@frozen(kw_only=True)
class Client(Thing):
    """A channel over which a user is reached; what the channel itself says is `raw["raw"]`."""

    type: str | None = None
    status: str | None = None
    integration_id: str | None = None
    external_id: str | None = None
    last_seen: datetime | None = None
    linked_at: datetime | None = None
    display_name: str | None = None
    avatar_url: str | None = None
    info: Mapping[str, Any] = _mapping()


@frozen(kw_only=True)
class Webhook(Thing):
    """Where events are sent; the receiver knows them by the secret."""

    version: str | None = None
    target: str | None = None
    triggers: tuple[str, ...] = ()
    secret: str | None = field(default=None, repr=False)
    include_full_user: bool | None = None
    include_full_source: bool | None = None


@frozen(kw_only=True)
class Integration(Thing):
    """A channel of the app; what only channels of its type have stays in `raw`."""

    type: str | None = None
    status: str | None = None
    display_name: str | None = None
    webhooks: tuple[Webhook, ...] = ()


@frozen(kw_only=True)
class IntegrationKey(Thing):
    """An API key of a custom integration."""

    display_name: str | None = None
    secret: str | None = field(default=None, repr=False)


@frozen(kw_only=True)
class App(Thing):
    """The app itself."""

    display_name: str | None = None
    subdomain: str | None = None
    settings: Mapping[str, Any] = _mapping()
    metadata: Mapping[str, Any] = _mapping()


@frozen(kw_only=True)
class ConversionEvents:
    """How many conversion events were taken, and into which data set."""

    dataset_id: str | None = None
    events_received: int | None = None
    raw: Raw | None = raw_field()


def one(provider: str, kind: type[T], item: str) -> Record[dict[str, Any], T]:
    """Return what reads one thing; `item` is the name it stands under in the answer."""
    return values.value(kind, WORDS, item, provider)


def many(
    provider: str, kind: type[T], items: str, paging: Paging | None = None
) -> Records[dict[str, Any], T]:
    """Return what reads a list of things."""
    return values.values(kind, WORDS, items, paging, provider=provider)
