"""Webhooks: where the events of an integration are sent."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from conversations_hub.provider import operation
from conversations_hub.providers.sunshine import values
from conversations_hub.providers.sunshine.account import Account, given, several
from conversations_hub.providers.sunshine.contents import covers, told
from conversations_hub.providers.sunshine.gains import gaining
from conversations_hub.providers.sunshine.values import Webhook
from conversations_hub.reading import nothing
from conversations_hub.recipes import Call, Listing
from conversations_hub.writing import compared, gone


class Webhooks(Account):
    """Operations on webhooks; for a key of one integration, its id may be `me`."""

    __slots__ = ()

    @operation
    def webhooks(self, integration: str) -> Listing[Webhook]:
        """List an integration's webhooks: `GET /integrations/{integrationId}/webhooks`."""
        return Listing(
            request=self._get("integrations", integration, "webhooks"),
            read=values.many(self.name, Webhook, "webhooks"),
        )

    @operation
    def webhook(self, integration: str, id: str) -> Call[Webhook]:  # noqa: A002
        """Fetch a webhook: `GET /integrations/{integrationId}/webhooks/{webhookId}`."""
        return Call(
            request=self._get("integrations", integration, "webhooks", id),
            read=values.one(self.name, Webhook, "webhook"),
        )

    @operation
    def create_webhook(
        self,
        integration: str,
        target: str,
        triggers: Iterable[str],
        *,
        include_full_user: bool | None = None,
        include_full_source: bool | None = None,
    ) -> Call[Webhook]:
        """Create a webhook: `POST /integrations/{integrationId}/webhooks`.

        `triggers` are such as `conversation:message`, or `*`. The webhooks are read before.
        """
        body = {
            "target": target,
            "triggers": several(triggers, "triggers"),
            **given(includeFullUser=include_full_user, includeFullSource=include_full_source),
        }
        request = self._change("POST", "integrations", integration, "webhooks", json=body)
        return gaining(
            self.webhooks(integration),
            lambda webhook: webhook.target == target,
            Call(request=request, read=values.one(self.name, Webhook, "webhook")),
        )

    @operation
    def update_webhook(
        self,
        integration: str,
        id: str,  # noqa: A002
        *,
        target: str | None = None,
        triggers: Iterable[str] | None = None,
        include_full_user: bool | None = None,
        include_full_source: bool | None = None,
    ) -> Call[Webhook]:
        """Change a webhook: `PATCH /integrations/{integrationId}/webhooks/{webhookId}`.

        What is None stays.
        """
        body = given(
            target=target,
            triggers=None if triggers is None else several(triggers, "triggers"),
            includeFullUser=include_full_user,
            includeFullSource=include_full_source,
        )
        request = self._patch("integrations", integration, "webhooks", id, json=body)
        sent = msgspec.json.decode(request.body or b"{}")
        return Call(
            request=request,
            read=values.one(self.name, Webhook, "webhook"),
            reconcile=compared(self.webhook(integration, id), lambda w: covers(sent, told(w))),
        )

    @operation
    def delete_webhook(self, integration: str, id: str) -> Call[None]:  # noqa: A002
        """Delete a webhook: `DELETE /integrations/{integrationId}/webhooks/{webhookId}`."""
        return Call(
            request=self._change("DELETE", "integrations", integration, "webhooks", id),
            read=nothing,
            reconcile=gone(self.webhook(integration, id)),
        )
