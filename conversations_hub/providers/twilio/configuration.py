"""An account's configuration, its webhook, and its own addresses; there is one for all services."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta

from conversations_hub.models import Ref
from conversations_hub.provider import operation
from conversations_hub.providers.twilio import evidence, forms, values
from conversations_hub.providers.twilio.account import Account
from conversations_hub.providers.twilio.values import (
    AccountConfiguration,
    AccountWebhook,
    AddressConfiguration,
)
from conversations_hub.reading import nothing
from conversations_hub.recipes import Call, Listing
from conversations_hub.wire import Request, Response
from conversations_hub.writing import gone

# None of these paths has a service in front.
PLACE = ("v1", "Configuration")


class Configuration(Account):
    """What is asked of the account itself."""

    __slots__ = ()

    @operation
    def configuration(self) -> Call[AccountConfiguration]:
        """Fetch the account's configuration: `GET /v1/Configuration`."""
        return Call(request=self.get(*PLACE), read=values.one(self.name, AccountConfiguration))

    @operation
    def update_configuration(
        self,
        *,
        default_chat_service_sid: str | None = None,
        default_messaging_service_sid: str | None = None,
        default_inactive_timer: timedelta | str | None = None,
        default_closed_timer: timedelta | str | None = None,
    ) -> Call[AccountConfiguration]:
        """Change the account's configuration: `POST /v1/Configuration`.

        A timer is a span or its text in ISO 8601, such as `PT10M`.
        """
        form: forms.Form = {
            "DefaultChatServiceSid": default_chat_service_sid,
            "DefaultMessagingServiceSid": default_messaging_service_sid,
            "DefaultInactiveTimer": forms.duration(default_inactive_timer),
            "DefaultClosedTimer": forms.duration(default_closed_timer),
        }
        self._changed(form, "a default")
        return Call(
            request=self._account_post(form),
            read=values.one(self.name, AccountConfiguration),
            reconcile=evidence.became(self.configuration(), form),
        )

    @operation
    def configuration_webhook(self) -> Call[AccountWebhook]:
        """Fetch the account's webhook: `GET /v1/Configuration/Webhooks`."""
        return Call(request=self.get(*PLACE, "Webhooks"), read=self._hook())

    @operation
    def update_configuration_webhook(
        self,
        *,
        method: str | None = None,
        filters: Iterable[str] | None = None,
        pre_webhook_url: str | None = None,
        post_webhook_url: str | None = None,
        target: str | None = None,
    ) -> Call[AccountWebhook]:
        """Change the account's webhook: `POST /v1/Configuration/Webhooks`.

        `method` is GET or POST, `target` webhook or flex, `filters` the events to tell of.
        """
        form: forms.Form = {
            "Method": method,
            "Filters": forms.many(filters),
            "PreWebhookUrl": pre_webhook_url,
            "PostWebhookUrl": post_webhook_url,
            "Target": target,
        }
        self._changed(form, "method=, filters=, a URL or target=")
        return Call(
            request=self._account_post(form, "Webhooks"),
            read=self._hook(),
            reconcile=evidence.became(self.configuration_webhook(), form),
        )

    @operation
    def address_configurations(
        self,
        *,
        type: str | None = None,  # noqa: A002
        page_size: int | None = None,
    ) -> Listing[AddressConfiguration]:
        """List the account's own addresses: `GET /v1/Configuration/Addresses`.

        `type` is sms, whatsapp, messenger, gbm, email, rcs, apple or chat.
        """
        size = self.page_size("address_configurations", page_size)
        request = self.get(*PLACE, "Addresses", query={"Type": type, "PageSize": size})
        return self._things(AddressConfiguration, "address_configurations", request)

    @operation
    def address_configuration(self, id: Ref | str) -> Call[AddressConfiguration]:  # noqa: A002
        """Fetch one of the account's addresses: `GET /v1/Configuration/Addresses/{sid}`."""
        return Call(request=self.get(*PLACE, "Addresses", self._id(id)), read=self._address_value())

    @operation
    def create_address_configuration(
        self,
        type: str,  # noqa: A002
        address: str,
        *,
        friendly_name: str | None = None,
        address_country: str | None = None,
        auto_creation_enabled: bool | None = None,
        auto_creation_type: str | None = None,
        auto_creation_conversation_service_sid: str | None = None,
        auto_creation_webhook_url: str | None = None,
        auto_creation_webhook_method: str | None = None,
        auto_creation_webhook_filters: Iterable[str] | None = None,
        auto_creation_studio_flow_sid: str | None = None,
        auto_creation_studio_retry_count: int | None = None,
    ) -> Call[AddressConfiguration]:
        """Configure one of the account's addresses: `POST /v1/Configuration/Addresses`.

        `type` is as in `address_configurations`, `auto_creation_type` webhook, studio or default.
        """
        form: forms.Form = {
            "Type": type,
            "Address": address,
            "FriendlyName": friendly_name,
            "AddressCountry": address_country,
            "AutoCreation.Enabled": auto_creation_enabled,
            "AutoCreation.Type": auto_creation_type,
            "AutoCreation.ConversationServiceSid": auto_creation_conversation_service_sid,
            "AutoCreation.WebhookUrl": auto_creation_webhook_url,
            "AutoCreation.WebhookMethod": auto_creation_webhook_method,
            "AutoCreation.WebhookFilters": forms.many(auto_creation_webhook_filters),
            "AutoCreation.StudioFlowSid": auto_creation_studio_flow_sid,
            "AutoCreation.StudioRetryCount": auto_creation_studio_retry_count,
        }
        return Call(
            request=self._account_post(form, "Addresses"),
            read=self._address_value(),
            reconcile=evidence.made(self.address_configurations(type=type), form),
        )

    @operation
    def update_address_configuration(
        self,
        id: Ref | str,  # noqa: A002
        *,
        friendly_name: str | None = None,
        auto_creation_enabled: bool | None = None,
        auto_creation_type: str | None = None,
        auto_creation_conversation_service_sid: str | None = None,
        auto_creation_webhook_url: str | None = None,
        auto_creation_webhook_method: str | None = None,
        auto_creation_webhook_filters: Iterable[str] | None = None,
        auto_creation_studio_flow_sid: str | None = None,
        auto_creation_studio_retry_count: int | None = None,
    ) -> Call[AddressConfiguration]:
        """Change an address's configuration: `POST /v1/Configuration/Addresses/{sid}`."""
        form: forms.Form = {
            "FriendlyName": friendly_name,
            "AutoCreation.Enabled": auto_creation_enabled,
            "AutoCreation.Type": auto_creation_type,
            "AutoCreation.ConversationServiceSid": auto_creation_conversation_service_sid,
            "AutoCreation.WebhookUrl": auto_creation_webhook_url,
            "AutoCreation.WebhookMethod": auto_creation_webhook_method,
            "AutoCreation.WebhookFilters": forms.many(auto_creation_webhook_filters),
            "AutoCreation.StudioFlowSid": auto_creation_studio_flow_sid,
            "AutoCreation.StudioRetryCount": auto_creation_studio_retry_count,
        }
        self._changed(form, "friendly_name= or an auto_creation_…=")
        return Call(
            request=self._account_post(form, "Addresses", self._id(id)),
            read=self._address_value(),
            reconcile=evidence.became(self.address_configuration(id), form),
        )

    @operation
    def delete_address_configuration(self, id: Ref | str) -> Call[None]:  # noqa: A002
        """Delete an address's configuration: `DELETE /v1/Configuration/Addresses/{sid}`."""
        return Call(
            request=self.ask("DELETE", *PLACE, "Addresses", self._id(id)),
            read=nothing,
            reconcile=gone(self.address_configuration(id)),
        )

    def _account_post(self, form: forms.Form, *segments: str) -> Request:
        return self.ask("POST", *PLACE, *segments, form=form)

    def _hook(self) -> Callable[[Response], AccountWebhook]:
        return values.one(self.name, AccountWebhook)

    def _address_value(self) -> Callable[[Response], AddressConfiguration]:
        return values.one(self.name, AddressConfiguration)
