"""What is allowed in a webhook, and how one comes to life (§10)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from conversations_hub.providers.clio.emulator.refusals import InvalidArgumentError

if TYPE_CHECKING:
    from datetime import datetime

    from conversations_hub.providers.clio.emulator.bodies import Data
    from conversations_hub.providers.clio.emulator.fields import Record
    from conversations_hub.providers.clio.emulator.store import Store

_LIFE = timedelta(days=3)
_LONGEST_LIFE = timedelta(days=31)
_LONGEST_FIELDS = 1000

_RECORD_EVENTS = ("created", "updated", "deleted")
_EVENTS = dict.fromkeys(
    ("activity", "bill", "calendar_entry", "communication", "contact", "document", "folder"),
    _RECORD_EVENTS,
) | {
    "clio_payments_payment": ("created", "updated"),
    "matter": (*_RECORD_EVENTS, "matter_opened", "matter_pended", "matter_closed"),
    "task": _RECORD_EVENTS,
}


def create(store: Store, data: Data) -> Record:
    """Subscribe to the events of a model; nothing is delivered before the handshake."""
    data.require("url", "model", "fields")
    changes = _changes(store, data, data.choice("model", tuple(_EVENTS)))
    changes.setdefault("events", list(_EVENTS[changes["model"]][:3]))
    changes.setdefault("expires_at", store.tick() + _LIFE)
    return store.add_webhook(**changes)


def update(store: Store, webhook: Record, data: Data) -> None:
    """Change a webhook; another address has its own handshake to make."""
    model = data.choice("model", tuple(_EVENTS)) if "model" in data else webhook["model"]
    changes = _changes(store, data, model)
    after = webhook | changes
    _check_events(after["events"], model)
    if after["url"] != webhook["url"]:
        changes["status"] = "pending"
    if after != webhook:
        store.change_webhook(webhook, changes)


def activate(store: Store, webhook: Record, secret: str | None) -> None:
    """Finish the handshake with the secret that the webhook's address was sent."""
    if secret != webhook["shared_secret"]:
        raise InvalidArgumentError("X-Hook-Secret does not belong to the webhook")
    if webhook["status"] != "enabled":
        store.change_webhook(webhook, {"status": "enabled"})


def _changes(store: Store, data: Data, model: str) -> dict[str, Any]:
    changes: dict[str, Any] = {"model": model}
    if "url" in data:
        changes["url"] = _url(data)
    if "fields" in data:
        changes["fields"] = _fields(data)
    if "events" in data:
        changes["events"] = data.choices("events", _EVENTS[model])
    if "expires_at" in data:
        changes["expires_at"] = _expiry(data, store.clock())
    return changes


def _url(data: Data) -> str:
    url = data.text("url")
    if urlsplit(url).scheme != "https" or not urlsplit(url).netloc:
        raise InvalidArgumentError("url must use https")
    return url


def _fields(data: Data) -> str:
    text = data.text("fields")
    if len(text) > _LONGEST_FIELDS:
        raise InvalidArgumentError(f"fields must not exceed {_LONGEST_FIELDS} characters")
    return text


def _check_events(events: list[str], model: str) -> None:
    if not set(events) <= set(_EVENTS[model]):
        raise InvalidArgumentError(f"events must be a list of {', '.join(_EVENTS[model])}")


def _expiry(data: Data, now: datetime) -> datetime:
    expires = data.moment("expires_at")
    if not now < expires <= now + _LONGEST_LIFE:
        raise InvalidArgumentError("expires_at must be within the next 31 days")
    return expires
