"""Circuit's own things, such as users, labels and webhooks, under Circuit's own names."""

from __future__ import annotations

from datetime import datetime

from attrs import field, frozen

from conversations_hub.providers.circuit.translate import moment
from conversations_hub.raw import Raw
from conversations_hub.values import Words, camel, key_field, raw_field

WORDS = Words(key=camel, moment=moment)


@frozen(kw_only=True)
class EmailAddress:
    """An e-mail address of a user."""

    type: str | None = None
    address: str | None = None


@frozen(kw_only=True)
class PhoneNumber:
    """A phone number of a user."""

    type: str | None = None
    phone_number: str | None = None


@frozen(kw_only=True)
class User:
    """Somebody; `user_type` is REGULAR, GUEST, BOT and others, `user_state` ACTIVE or not."""

    user_id: str
    display_name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    email_address: str | None = None
    secondary_email_address: str | None = None
    email_addresses: tuple[EmailAddress, ...] = ()
    phone_number: str | None = None
    phone_numbers: tuple[PhoneNumber, ...] = ()
    job_title: str | None = None
    company: str | None = None
    department: str | None = None
    locale: str | None = None
    avatar: str | None = None
    avatar_large: str | None = None
    user_type: str | None = None
    user_state: str | None = None
    primary_tenant_id: str | None = None
    secondary_tenant_id: str | None = None
    raw: Raw | None = raw_field()


@frozen(kw_only=True)
class Presence:
    """Whether somebody can be reached: AVAILABLE, OFFLINE, AWAY, BUSY or DND."""

    user_id: str | None = None
    state: str | None = None
    status_message: str | None = None
    location_text: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    mobile: bool | None = None
    poor: bool | None = None
    is_opted_out: bool | None = None
    dnd_until: datetime | None = None
    time_zone_offset: int | None = None
    raw: Raw | None = raw_field()


@frozen(kw_only=True)
class SupportInfo:
    """Whom the users of a tenant ask for help."""

    support_email_address: str | None = None
    support_type: str | None = None
    raw: Raw | None = raw_field()


@frozen(kw_only=True)
class Label:
    """A word that the user puts on conversations."""

    label_id: str
    value: str | None = None
    raw: Raw | None = raw_field()


@frozen(kw_only=True)
class PinnedTopic:
    """A topic that is kept on top of its conversation."""

    conversation_id: str | None = None
    conversation_item_id: str
    pinned_time: datetime | None = None
    raw: Raw | None = raw_field()


@frozen(kw_only=True)
class BridgeNumber:
    """A phone number that leads into a conversation's calls."""

    name: str | None = None
    bridge_number: str | None = None
    country: str | None = None
    locale: str | None = None
    type: str | None = None
    is_most_used: bool | None = None


@frozen(kw_only=True)
class JoinDetails:
    """How to join a conversation's calls; the link and the pin let anybody in."""

    conv_id: str | None = None
    link: str | None = field(default=None, repr=False)
    pin: str | None = field(default=None, repr=False)
    conversation_creator_id: str | None = None
    is_moderation_allowed: bool | None = None
    is_recording_allowed: bool | None = None
    bridge_numbers: tuple[BridgeNumber, ...] = ()
    raw: Raw | None = raw_field()


@frozen(kw_only=True)
class SearchResult:
    """A conversation that a search found, and the items in it where they were asked for."""

    conv_id: str
    item_ids: tuple[str, ...] = ()
    raw: Raw | None = raw_field()


@frozen(kw_only=True)
class WebHook:
    """Where events are sent; whoever knows the URL can send some, too."""

    id: str
    url: str | None = field(default=None, repr=False)
    filter: tuple[str, ...] = ()
    type: str | None = None
    user_id: str | None = None
    creation_time: datetime | None = None
    subscription_ids: tuple[str, ...] = ()
    raw: Raw | None = raw_field()


@frozen(kw_only=True)
class IncomingWebhook:
    """A way into a conversation; whoever knows its id or its URL can write there."""

    webhook_id: str = key_field("webhookId", repr=False)
    url: str | None = field(default=None, repr=False)
    conversation_id: str | None = None
    user_id: str | None = None
    creator_id: str | None = None
    name: str | None = None
    description: str | None = None
    status: str | None = None
    creation_time: datetime | None = None
    modification_time: datetime | None = None
    tenant_id: str | None = None
    raw: Raw | None = raw_field()
