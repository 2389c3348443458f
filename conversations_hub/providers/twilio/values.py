"""Twilio's own things, in its own words; everything else stays in `raw`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from attrs import field, frozen

from conversations_hub import values
from conversations_hub.models import Attachment
from conversations_hub.providers.twilio import translate
from conversations_hub.reading import Paging, Record, Records
from conversations_hub.values import Words

WORDS = Words()


@frozen(kw_only=True)
class Thing(values.Thing):
    """What Twilio knows by a SID."""

    known_by: ClassVar[str] = "sid"


T = TypeVar("T", bound=Thing)


@frozen(kw_only=True)
class User(Thing):
    """Somebody who chats; a participant's `user` is the `identity`."""

    sid: str
    identity: str
    chat_service_sid: str | None = None
    friendly_name: str | None = None
    role_sid: str | None = None
    attributes: str | None = None
    is_online: bool | None = None
    is_notifiable: bool | None = None
    date_created: datetime | None = None
    date_updated: datetime | None = None

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The attributes, where they are a JSON object."""
        return translate.attributes(self.attributes)


@frozen(kw_only=True)
class UserConversation(Thing):
    """A conversation as one of its users has it; its ref is the conversation's."""

    known_by: ClassVar[str] = "conversation_sid"

    conversation_sid: str
    user_sid: str | None = None
    participant_sid: str | None = None
    chat_service_sid: str | None = None
    friendly_name: str | None = None
    unique_name: str | None = None
    conversation_state: str | None = None
    attributes: str | None = None
    created_by: str | None = None
    unread_messages_count: int | None = None
    last_read_message_index: int | None = None
    notification_level: str | None = None
    date_created: datetime | None = None
    date_updated: datetime | None = None


@frozen(kw_only=True)
class Binding:
    """How a participant outside of chat is reached."""

    type_: str | None = None
    address: str | None = None
    proxy_address: str | None = None
    projected_address: str | None = None
    name: str | None = None
    level: str | None = None


@frozen(kw_only=True)
class ParticipantConversation(Thing):
    """A conversation, and who somebody is in it; its ref is the conversation's."""

    known_by: ClassVar[str] = "conversation_sid"

    conversation_sid: str
    participant_sid: str | None = None
    participant_user_sid: str | None = None
    participant_identity: str | None = None
    participant_messaging_binding: Binding | None = None
    chat_service_sid: str | None = None
    conversation_friendly_name: str | None = None
    conversation_unique_name: str | None = None
    conversation_state: str | None = None
    conversation_attributes: str | None = None
    conversation_created_by: str | None = None
    conversation_date_created: datetime | None = None
    conversation_date_updated: datetime | None = None

    @property
    def key(self) -> str:
        """Tell apart several participants of one conversation, at other addresses of ours."""
        return f"{self.conversation_sid}/{self.participant_sid}"


@frozen(kw_only=True)
class Receipt(Thing):
    """How far a message has got with one recipient; an `error_code` of 0 is none."""

    sid: str
    status: str | None = None
    error_code: int | None = None
    conversation_sid: str | None = None
    message_sid: str | None = None
    participant_sid: str | None = None
    channel_message_sid: str | None = None
    date_created: datetime | None = None
    date_updated: datetime | None = None


@frozen(kw_only=True)
class WebhookConfiguration:
    """Where a webhook leads; the keywords of a trigger may come under `filters`."""

    url: str | None = None
    method: str | None = None
    filters: tuple[str, ...] | None = None
    triggers: tuple[str, ...] | None = None
    flow_sid: str | None = None


@frozen(kw_only=True)
class Webhook(Thing):
    """What is told of one conversation to somebody else."""

    sid: str
    conversation_sid: str | None = None
    target: str | None = None
    configuration: WebhookConfiguration | None = None
    date_created: datetime | None = None
    date_updated: datetime | None = None


@frozen(kw_only=True)
class AccountConfiguration(Thing):
    """What an account's conversations have unless it is said otherwise; timers in ISO 8601."""

    known_by: ClassVar[str] = "account_sid"

    account_sid: str
    default_chat_service_sid: str | None = None
    default_messaging_service_sid: str | None = None
    default_inactive_timer: str | None = None
    default_closed_timer: str | None = None


@frozen(kw_only=True)
class AccountWebhook(Thing):
    """What is told of all conversations of an account."""

    known_by: ClassVar[str] = "account_sid"

    account_sid: str
    method: str | None = None
    filters: tuple[str, ...] | None = None
    pre_webhook_url: str | None = None
    post_webhook_url: str | None = None
    target: str | None = None


@frozen(kw_only=True)
class AutoCreation:
    """What a message to one of our addresses begins."""

    enabled: bool | None = None
    type_: str | None = None
    conversation_service_sid: str | None = None
    webhook_url: str | None = None
    webhook_method: str | None = None
    webhook_filters: tuple[str, ...] | None = None
    studio_flow_sid: str | None = None
    studio_retry_count: int | None = None


@frozen(kw_only=True)
class AddressConfiguration(Thing):
    """One of the account's own addresses."""

    sid: str
    type_: str | None = None
    address: str | None = None
    friendly_name: str | None = None
    address_country: str | None = None
    auto_creation: AutoCreation | None = None
    date_created: datetime | None = None
    date_updated: datetime | None = None


@frozen(kw_only=True)
class MediaLinks:
    """Where a file's bytes are; the temporary place takes no credentials."""

    content: str | None = None
    content_direct_temporary: str | None = None


@frozen(kw_only=True)
class MediaFile(Thing):
    """A file at the Media Content Service; `size` is in bytes."""

    sid: str
    service_sid: str | None = None
    channel_sid: str | None = None
    message_sid: str | None = None
    author: str | None = None
    # The documentation says `file_name`, payloads say `filename`.
    filename: str | None = None
    file_name: str | None = field(default=None, repr=False)
    content_type: str | None = None
    size: int | None = None
    links: MediaLinks | None = None
    date_created: datetime | None = None
    date_updated: datetime | None = None

    @property
    def attachment(self) -> Attachment:
        """The file, to be sent with a message or downloaded."""
        return Attachment(
            id=self.sid,
            name=self.filename or self.file_name,
            media_type=self.content_type,
            size=self.size,
        )


def one(provider: str, kind: type[T]) -> Record[dict[str, Any], T]:
    """Return what reads one thing."""
    return values.value(kind, WORDS, provider=provider)


def many(provider: str, kind: type[T], items: str, paging: Paging) -> Records[dict[str, Any], T]:
    """Return what reads a list of things."""
    return values.values(kind, WORDS, items, paging, provider=provider)
