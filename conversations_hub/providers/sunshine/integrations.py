"""Integrations: the channels of an app, and the keys of its custom ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from conversations_hub.provider import operation
from conversations_hub.providers.sunshine import values
from conversations_hub.providers.sunshine.account import Account, given, several
from conversations_hub.providers.sunshine.contents import covers, told
from conversations_hub.providers.sunshine.gains import gaining
from conversations_hub.providers.sunshine.paging import VALUES
from conversations_hub.providers.sunshine.values import Integration, IntegrationKey
from conversations_hub.reading import nothing
from conversations_hub.recipes import Call, Listing, Outcome
from conversations_hub.writing import after, gone


class Integrations(Account):
    """Operations on integrations and their keys."""

    __slots__ = ()

    @operation
    def integrations(
        self, *, types: Iterable[str] | None = None, page_size: int | None = None
    ) -> Listing[Integration]:
        """List the app's integrations: `GET /integrations`.

        `types` are such as `custom` or `whatsapp`; without any they are all listed.
        """
        size = self.page_size("integrations", page_size)
        wanted = None if types is None else ",".join(several(types, "types"))
        return Listing(
            request=self._get("integrations", query={"filter[types]": wanted, VALUES.size: size}),
            read=values.many(self.name, Integration, "integrations", VALUES),
            repeats=True,
            moving=True,
        )

    @operation
    def integration(self, id: str) -> Call[Integration]:  # noqa: A002
        """Fetch an integration: `GET /integrations/{integrationId}`."""
        return Call(
            request=self._get("integrations", id),
            read=values.one(self.name, Integration, "integration"),
        )

    @operation
    def create_integration(
        self,
        type: str,  # noqa: A002
        *,
        display_name: str | None = None,
        webhooks: Iterable[Mapping[str, Any]] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> Call[Integration]:
        """Connect a channel: `POST /integrations`.

        A `custom` one has one webhook, with `target` and `triggers`. `settings` are those of the
        type, in the API's own words. The integrations of the type are read before.
        """
        hooks = None if webhooks is None else list(webhooks)
        body = {
            "type": type,
            **given(displayName=display_name, webhooks=hooks),
            **(settings or {}),
        }
        request = self._change("POST", "integrations", json=body)
        return gaining(
            self.integrations(types=[type]),
            lambda i: display_name is None or i.display_name == display_name,
            Call(request=request, read=values.one(self.name, Integration, "integration")),
        )

    @operation
    def update_integration(
        self,
        id: str,  # noqa: A002
        *,
        display_name: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> Call[Integration]:
        """Change an integration: `PATCH /integrations/{integrationId}`.

        `settings` are those of its type, in the API's own words; what is secret among them is
        not shown again.
        """
        body = {**given(displayName=display_name), **(settings or {})}
        request = self._patch("integrations", id, json=body)
        sent = msgspec.json.decode(request.body or b"{}")
        return Call(
            request=request,
            read=values.one(self.name, Integration, "integration"),
            reconcile=lambda _: after(
                self.integration(id), lambda i: Outcome(happened=_has(i, sent), value=i)
            ),
        )

    @operation
    def delete_integration(self, id: str) -> Call[None]:  # noqa: A002
        """Disconnect a channel: `DELETE /integrations/{integrationId}`."""
        return Call(
            request=self._change("DELETE", "integrations", id),
            read=nothing,
            reconcile=gone(self.integration(id)),
        )

    @operation
    def integration_keys(self, integration: str) -> Listing[IntegrationKey]:
        """List the keys of a custom integration: `GET /integrations/{integrationId}/keys`."""
        return Listing(
            request=self._get("integrations", integration, "keys"),
            read=values.many(self.name, IntegrationKey, "keys"),
        )

    @operation
    def integration_key(self, integration: str, id: str) -> Call[IntegrationKey]:  # noqa: A002
        """Fetch a key: `GET /integrations/{integrationId}/keys/{keyId}`."""
        return Call(
            request=self._get("integrations", integration, "keys", id),
            read=values.one(self.name, IntegrationKey, "key"),
        )

    @operation
    def create_integration_key(self, integration: str, display_name: str) -> Call[IntegrationKey]:
        """Create a key: `POST /integrations/{integrationId}/keys`.

        The keys are read before.
        """
        path = ("integrations", integration, "keys")
        return gaining(
            self.integration_keys(integration),
            lambda key: key.display_name == display_name,
            Call(
                request=self._change("POST", *path, json={"displayName": display_name}),
                read=values.one(self.name, IntegrationKey, "key"),
            ),
        )

    @operation
    def delete_integration_key(self, integration: str, id: str) -> Call[None]:  # noqa: A002
        """Delete a key: `DELETE /integrations/{integrationId}/keys/{keyId}`."""
        return Call(
            request=self._change("DELETE", "integrations", integration, "keys", id),
            read=nothing,
            reconcile=gone(self.integration_key(integration, id)),
        )


def _has(integration: Integration, sent: Mapping[str, Any]) -> bool | None:
    """Tell whether an integration is as it was to become, as far as it shows."""
    raw = told(integration)
    shown = {name: sent[name] for name in sent if name == "displayName" or name in raw}
    if not covers(shown, raw):
        return False
    return True if shown == sent else None
