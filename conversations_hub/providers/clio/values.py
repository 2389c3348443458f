"""Clio's own things that are no conversations: users and webhooks."""

from __future__ import annotations

from datetime import datetime

from attrs import field, frozen

from conversations_hub.raw import Raw
from conversations_hub.values import Words, raw_field

WORDS = Words()


@frozen(kw_only=True)
class User:
    """A user of the firm; None is what Clio does not say."""

    id: str
    etag: str | None = None
    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    initials: str | None = None
    email: str | None = None
    phone_number: str | None = None
    time_zone: str | None = None
    enabled: bool | None = None
    account_owner: bool | None = None
    clio_connect: bool | None = None
    court_rules_default_attendee: bool | None = None
    default_calendar_id: str | None = None
    subscription_type: str | None = None
    roles: tuple[str, ...] = ()
    rate: float | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    raw: Raw | None = raw_field()


@frozen(kw_only=True)
class Webhook:
    """A subscription to what happens to things of one model; `status` is Clio's word."""

    id: str
    etag: str | None = None
    url: str | None = None
    fields: str | None = None
    shared_secret: str | None = field(default=None, repr=False)
    model: str | None = None
    status: str | None = None
    events: tuple[str, ...] = ()
    expires_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    raw: Raw | None = raw_field()
