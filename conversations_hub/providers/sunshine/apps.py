"""The app itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from conversations_hub.provider import operation
from conversations_hub.providers.sunshine import values
from conversations_hub.providers.sunshine.account import Account, given
from conversations_hub.providers.sunshine.contents import covers, told
from conversations_hub.providers.sunshine.values import App
from conversations_hub.reading import nothing
from conversations_hub.recipes import Call
from conversations_hub.writing import compared, gone


class Apps(Account):
    """Operations on the app."""

    __slots__ = ()

    @operation
    def app(self) -> Call[App]:
        """Fetch the app: `GET /v2/apps/{appId}`."""
        return Call(request=self._get(), read=values.one(self.name, App, "app"))

    @operation
    def update_app(
        self,
        *,
        display_name: str | None = None,
        settings: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Call[App]:
        """Change the app: `PATCH /v2/apps/{appId}`.

        `settings` are in the API's own words, such as `maskCreditCardNumbers`.
        """
        body = given(displayName=display_name, settings=settings, metadata=metadata)
        request = self._patch(json=body)
        sent = msgspec.json.decode(request.body or b"{}")
        return Call(
            request=request,
            read=values.one(self.name, App, "app"),
            reconcile=compared(self.app(), lambda app: covers(sent, told(app))),
        )

    @operation
    def delete_app(self) -> Call[None]:
        """Delete the app with all that is in it: `DELETE /v2/apps/{appId}`."""
        return Call(request=self._change("DELETE"), read=nothing, reconcile=gone(self.app()))
