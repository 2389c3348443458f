"""Webhooks of one conversation: whom Twilio tells what happens in it."""

from __future__ import annotations

from collections.abc import Iterable

from conversations_hub.models import Ref
from conversations_hub.provider import operation
from conversations_hub.providers.twilio import evidence, forms, values
from conversations_hub.providers.twilio.account import Account
from conversations_hub.providers.twilio.values import Webhook
from conversations_hub.reading import nothing
from conversations_hub.recipes import Call, Listing
from conversations_hub.writing import gone


class Webhooks(Account):
    """What is asked of a conversation's webhooks, of which there are five at most."""

    __slots__ = ()

    @operation
    def webhooks(
        self, conversation: Ref | str, *, page_size: int | None = None
    ) -> Listing[Webhook]:
        """List a conversation's webhooks: `GET /v1/Conversations/{sid}/Webhooks`."""
        size = self.page_size("webhooks", page_size)
        request = self._get(*self._hooks(conversation), query={"PageSize": size})
        return self._things(Webhook, "webhooks", request)

    @operation
    def webhook(
        self,
        conversation: Ref | str,
        id: Ref | str,  # noqa: A002
    ) -> Call[Webhook]:
        """Fetch a webhook: `GET /v1/Conversations/{sid}/Webhooks/{sid}`."""
        return Call(
            request=self._get(*self._hooks(conversation), self._id(id)),
            read=values.one(self.name, Webhook),
        )

    @operation
    def create_webhook(
        self,
        conversation: Ref | str,
        target: str = "webhook",
        *,
        url: str | None = None,
        method: str | None = None,
        filters: Iterable[str] | None = None,
        triggers: Iterable[str] | None = None,
        flow_sid: str | None = None,
        replay_after: int | None = None,
    ) -> Call[Webhook]:
        """Create a webhook for a conversation: `POST /v1/Conversations/{sid}/Webhooks`.

        `target` is webhook (with `url`, `filters`), trigger (with `url`, `triggers`: keywords) or
        studio (with `flow_sid`); `method` is get or post; `replay_after` a message's index, from
        which on what was there before is told, too.
        """
        form: forms.Form = {
            "Target": target,
            **_configuration(url, method, filters, triggers, flow_sid),
            "Configuration.ReplayAfter": replay_after,
        }
        return Call(
            request=self._post(*self._hooks(conversation), form=form),
            read=values.one(self.name, Webhook),
            reconcile=evidence.made(self.webhooks(conversation), form),
        )

    @operation
    def update_webhook(
        self,
        conversation: Ref | str,
        id: Ref | str,  # noqa: A002
        *,
        url: str | None = None,
        method: str | None = None,
        filters: Iterable[str] | None = None,
        triggers: Iterable[str] | None = None,
        flow_sid: str | None = None,
    ) -> Call[Webhook]:
        """Change a webhook: `POST /v1/Conversations/{sid}/Webhooks/{sid}`."""
        form = _configuration(url, method, filters, triggers, flow_sid)
        self._changed(form, "url=, method=, filters=, triggers= or flow_sid=")
        return Call(
            request=self._post(*self._hooks(conversation), self._id(id), form=form),
            read=values.one(self.name, Webhook),
            reconcile=evidence.became(self.webhook(conversation, id), form),
        )

    @operation
    def delete_webhook(
        self,
        conversation: Ref | str,
        id: Ref | str,  # noqa: A002
    ) -> Call[None]:
        """Delete a webhook: `DELETE /v1/Conversations/{sid}/Webhooks/{sid}`."""
        return Call(
            request=self._delete(*self._hooks(conversation), self._id(id)),
            read=nothing,
            reconcile=gone(self.webhook(conversation, id)),
        )

    def _hooks(self, conversation: Ref | str) -> tuple[str, ...]:
        return ("Conversations", self._id(conversation), "Webhooks")


def _configuration(
    url: str | None,
    method: str | None,
    filters: Iterable[str] | None,
    triggers: Iterable[str] | None,
    flow_sid: str | None,
) -> forms.Form:
    return {
        "Configuration.Url": url,
        "Configuration.Method": method,
        "Configuration.Filters": forms.many(filters),
        "Configuration.Triggers": forms.many(triggers),
        "Configuration.FlowSid": flow_sid,
    }
