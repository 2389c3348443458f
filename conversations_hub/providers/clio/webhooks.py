"""Clio's webhooks: subscriptions to what happens to contacts, matters and the like.

There are none for conversations, whose changes have to be looked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from conversations_hub.errors import ConfigurationError, TranslationError
from conversations_hub.models import Ref
from conversations_hub.provider import all_of, between, check_order, operation
from conversations_hub.providers.clio import fields as parts
from conversations_hub.providers.clio.account import (
    BY_ID,
    COUNTED,
    NEWEST,
    PAGES,
    Account,
)
from conversations_hub.providers.clio.conditions import (
    NotModified,
    not_modified,
    only_if,
    unless,
)
from conversations_hub.providers.clio.conversations import since
from conversations_hub.providers.clio.newer import newer
from conversations_hub.providers.clio.values import WORDS, Webhook
from conversations_hub.recipes import Attempt, Call, Listing, Outcome
from conversations_hub.values import value, values
from conversations_hub.wire import Request, Response, instant
from conversations_hub.writing import compared, gone

WEBHOOK = value(Webhook, WORDS, "data")
WEBHOOKS = values(Webhook, WORDS, "data", PAGES)
FROM_THE_NEWEST = values(Webhook, WORDS, "data", COUNTED)


class Webhooks(Account):
    """The operations on webhooks."""

    __slots__ = ()

    @operation
    def webhooks(
        self,
        *,
        created_after: datetime | None = None,
        updated_after: datetime | None = None,
        ids: Sequence[int | str] | None = None,
        order: str | None = None,
        page_size: int | None = None,
    ) -> Listing[Webhook]:
        """List the user's webhooks, the oldest first: `GET /webhooks.json`."""
        check_order(order)
        query = {
            "created_since": since(created_after),
            "updated_since": since(updated_after),
            "ids[]": ids,
            "order": NEWEST if order == "newest" else BY_ID,
            "limit": self.page_size("webhooks", page_size),
            "fields": parts.WEBHOOK,
        }
        return Listing(
            request=self.asking("GET", "webhooks.json", query=query),
            read=FROM_THE_NEWEST if order == "newest" else WEBHOOKS,
            keep=all_of(
                between(lambda w: w.created_at, created_after, None),
                between(lambda w: w.updated_at, updated_after, None),
            ),
            repeats=order == "newest",
            moving=order == "newest",
        )

    @operation
    def webhook(self, webhook: Ref | str | int) -> Call[Webhook]:
        """Fetch a webhook: `GET /webhooks/{id}.json`."""
        return Call(request=self._webhook("GET", webhook), read=WEBHOOK)

    @operation
    def show_webhook(
        self,
        webhook: Ref | str | int,
        *,
        if_none_match: str | None = None,
        if_modified_since: datetime | None = None,
    ) -> Call[Webhook | NotModified]:
        """Fetch a webhook unless it is unchanged: `GET /webhooks/{id}.json`.

        The value is `NotModified` where the etag, or the time, is still the right one.
        """
        headers = unless(if_none_match, if_modified_since)
        request = self._webhook("GET", webhook, headers=headers)
        return Call(request=request, read=WEBHOOK, recover=not_modified)

    @operation
    def create_webhook(
        self,
        *,
        url: str,
        model: str,
        fields: str,
        events: Iterable[str] | None = None,
        expires_at: datetime | None = None,
    ) -> Call[Webhook]:
        """Subscribe to a model's events: `POST /webhooks.json`.

        `url` is of HTTPS. `model` is activity, bill, calendar_entry, clio_payments_payment,
        communication, contact, document, folder, matter or task; `events` are created, updated,
        deleted, and of matters matter_opened, matter_pended and matter_closed. It lives for three
        days, 31 at most, and is pending until its address has confirmed it.
        """
        wanted = _given(url, model, fields, events, expires_at)
        data = _body(wanted)
        self.sendable(json=data)
        return self.newest(
            "webhooks.json", "id", lambda newest: self._webhook_created(data, wanted, newest)
        )

    @operation
    def update_webhook(
        self,
        webhook: Ref | str | int,
        *,
        url: str | None = None,
        model: str | None = None,
        fields: str | None = None,
        events: Iterable[str] | None = None,
        expires_at: datetime | None = None,
        if_match: str | None = None,
    ) -> Call[Webhook]:
        """Change a webhook, or extend its life: `PATCH /webhooks/{id}.json`.

        With the etag of a known version as `if_match`, another version is left as it is: a
        `ConflictError`.
        """
        wanted = _given(url, model, fields, events, expires_at)
        if not wanted:
            raise ConfigurationError(
                "there is nothing to change; give url=, model=, fields=, events= or expires_at=",
                provider=self.name,
            )
        headers = only_if(if_match)
        return Call(
            request=self._webhook("PATCH", webhook, data=_body(wanted), headers=headers),
            read=WEBHOOK,
            reconcile=compared(self.webhook(webhook), lambda found: _is_as(found, wanted)),
        )

    @operation
    def delete_webhook(self, webhook: Ref | str | int) -> Call[None]:
        """Delete a webhook: `DELETE /webhooks/{id}.json`."""
        request = self.asking("DELETE", "webhooks", f"{self.number(webhook, 'webhook')}.json")
        return Call(request=request, read=_deleted, reconcile=gone(self.webhook(webhook)))

    def _webhook(
        self,
        method: str,
        webhook: Ref | str | int,
        *,
        data: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Request:
        place = ("webhooks", f"{self.number(webhook, 'webhook')}.json")
        query = {"fields": parts.WEBHOOK}
        return self.asking(method, *place, query=query, data=data, headers=headers)

    def _webhook_created(
        self, data: Mapping[str, Any], wanted: Mapping[str, Any], newest: int
    ) -> Call[Webhook]:
        query = {"fields": parts.WEBHOOK}
        return Call(
            request=self.asking("POST", "webhooks.json", query=query, data=data),
            read=WEBHOOK,
            reconcile=partial(self._webhook_found, wanted, newest),
        )

    def _webhook_found(
        self, wanted: Mapping[str, Any], newest: int, _: Attempt
    ) -> Call[Outcome[Webhook]]:
        """Look for a webhook that is newer than those that were there before, and the same.

        One of the same address and model may be it too, with what Clio made of the rest.
        """
        alike = {name: wanted[name] for name in ("url", "model")}

        def judged(found: Sequence[Webhook]) -> Outcome[Webhook]:
            same = [one for one in found if _is_as(one, wanted)]
            if not found:
                return Outcome(happened=False)
            return Outcome(happened=True if same else None, value=[*same, *found][0])

        return newer(
            self.webhooks(order="newest"),
            _number,
            newest,
            lambda w: _is_as(w, alike),
            judged,
        )


def _number(webhook: Webhook) -> int:
    try:
        return int(webhook.id)
    except ValueError as cause:
        raise TranslationError("a webhook's id is no number", path="data[].id") from cause


def _given(
    url: str | None,
    model: str | None,
    fields: str | None,
    events: Iterable[str] | None,
    expires_at: datetime | None,
) -> dict[str, Any]:
    """Return what was said of a webhook."""
    said = {
        "url": url,
        "model": model,
        "fields": fields,
        "events": [events] if isinstance(events, str) else None if events is None else [*events],
        "expires_at": expires_at,
    }
    return {name: value for name, value in said.items() if value is not None}


def _deleted(response: Response) -> None:
    """Read the empty answer; one with words in it comes from somebody else, such as a proxy."""
    if response.body.strip():
        raise TranslationError(f"HTTP {response.status} has a body where there is none", path="$")


def _body(wanted: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: instant(value) if isinstance(value, datetime) else value
        for name, value in wanted.items()
    }


def _is_as(webhook: Webhook, wanted: Mapping[str, Any]) -> bool:
    """Compare a webhook with what it was to become; the events may come in another order."""
    return all(_same(getattr(webhook, name), value) for name, value in wanted.items())


def _same(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, datetime):  # Clio's times have whole seconds
        return isinstance(found, datetime) and abs(found - wanted) < timedelta(seconds=1)
    return bool(set(found) == set(wanted) if isinstance(wanted, list) else found == wanted)
