"""The rules of the app itself, its integrations, keys, webhooks and attachments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conversations_hub.providers.sunshine.emulator.bodies import (
    APP,
    ATTACHMENT,
    KEY,
    NEW_WEBHOOK,
    WEBHOOK,
)
from conversations_hub.providers.sunshine.emulator.files import (
    encoded,
    media_type_of,
    parts,
)
from conversations_hub.providers.sunshine.emulator.refusals import (
    bad_request,
    invalid_query,
    not_found,
    too_large,
)
from conversations_hub.providers.sunshine.emulator.shapes import (
    Shape,
    anything,
    array,
    either,
    text,
)
from conversations_hub.providers.sunshine.emulator.talks import patched

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conversations_hub.providers.sunshine.emulator.ask import Ask
    from conversations_hub.providers.sunshine.emulator.files import Part
    from conversations_hub.providers.sunshine.emulator.shapes import Reading

Record = dict[str, Any]

MOST_WEBHOOKS = 10
MOST_KEYS = 10

_TOKENS = ("pageAccessToken", "appId", "appSecret")
REQUIRED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("android", "ios", "line", "unity", "web", "whatsapp"), ()),
    "apple": ("businessId", "apiSecret", "mspId"),
    "custom": ("webhooks",),
    "instagram": _TOKENS,
    "mailgun": ("apiKey", "domain", "incomingAddress"),
    "messagebird": ("accessKey", "signingKey", "originator"),
    "messenger": _TOKENS,
    "telegram": ("token",),
    "twilio": ("accountSid", "authToken"),
    "twitter": (
        *("tier", "consumerKey", "consumerSecret"),
        *("accessTokenKey", "accessTokenSecret"),
    ),
    "viber": ("token",),
}
"""What an integration of a type cannot do without."""
SECRET = {
    *("accessKey", "accessTokenKey", "accessTokenSecret", "apiKey", "apiSecret", "appSecret"),
    *("authToken", "certificate", "clientEmail", "consumerKey", "consumerSecret"),
    *("defaultResponderId", "password", "privateKey", "projectId", "serverKey", "signingKey"),
    *("token",),
}
"""What an integration takes and does not show again."""
FIXED = {"id", "type", "status", "webhooks"}


def update_app(ask: Ask) -> Record:
    """Change the app; several conversations for each user cannot be taken back."""
    app = ask.store.app
    body = ask.read(APP)
    settings = body.pop("settings", {})
    if app["settings"]["multiConvoEnabled"] and not settings.get("multiConvoEnabled", True):
        raise bad_request("settings.multiConvoEnabled cannot be disabled")
    app["settings"].update(settings)
    patched(app, body, ask.switches.metadata_patch)
    return {"app": {name: value for name, value in app.items() if name != "subdomain"}}


def delete_app(ask: Ask) -> Record:
    """Delete the app, after which nothing is found in it."""
    ask.store.closed = True
    return {}


def add_integration(ask: Ask) -> Record:
    """Connect a channel; a custom one comes with its webhook."""
    body = ask.read(_new_integration)
    kind, webhooks = body.pop("type"), body.pop("webhooks", [])
    if kind == "custom":
        _check_webhooks(ask)
    now = ask.store.now()
    fields = {name: value for name, value in body.items() if name not in SECRET | FIXED}
    integration = ask.store.add_integration(kind, at=now, **fields)
    for webhook in webhooks if kind == "custom" else ():
        ask.store.add_webhook(integration["id"], at=now, **webhook)
    return {"integration": integration}


def _new_integration(value: Any, path: str, reading: Reading) -> Record:
    """Read an integration: what it needs depends on its type, and the rest is its own."""
    body: Record = anything(value, path, reading)
    kind = body.get("type") if isinstance(body, dict) else None
    if not isinstance(kind, str) or kind not in REQUIRED:
        reading.problems.append("Invalid integration type")
        return {}
    for name in REQUIRED[kind]:
        if name not in body:
            reading.note(name, "is required")
    read = {
        name: shape(body[name], name, reading) for name, shape in _SHAPES.items() if name in body
    }
    return {**body, **read}


_SHAPES: dict[str, Shape] = {
    "displayName": either(text(1, 100)),
    "webhooks": array(NEW_WEBHOOK, 1, 1),
}


def update_integration(ask: Ask) -> Record:
    """Change an integration; null takes a field away."""
    integration = ask.integration()
    body = ask.read(_integration)
    changes = {name: value for name, value in body.items() if name not in SECRET | FIXED}
    patched(integration, changes, "replace")
    return {"integration": integration}


def _integration(value: Any, path: str, reading: Reading) -> Record:
    body: Record = anything(value, path, reading)
    if isinstance(body, dict) and "displayName" in body:
        _SHAPES["displayName"](body["displayName"], "displayName", reading)
    return body


def delete_integration(ask: Ask) -> Record:
    """Disconnect a channel, unless it was configured elsewhere."""
    integration_id = ask.integration()["id"]
    if integration_id in ask.store.managed:
        raise bad_request("SDK integrations configured on Admin Center cannot be deleted")
    ask.store.delete_integration(integration_id)
    return {}


def add_key(ask: Ask) -> Record:
    """Make a key for a custom integration, which may have ten."""
    integration = _custom(ask)
    name = ask.read(KEY)["displayName"]
    if len(ask.store.keys[integration["id"]]) >= MOST_KEYS:
        raise bad_request(f"An integration is limited to {MOST_KEYS} keys")
    return {"key": ask.store.add_key(integration["id"], name, at=ask.store.now())}


def list_keys(ask: Ask) -> Record:
    """List the keys of an integration, secrets included."""
    return {"keys": ask.store.keys[ask.integration()["id"]]}


def show_key(ask: Ask) -> Record:
    """Show a key."""
    return {"key": _member(ask.store.keys[ask.integration()["id"]], ask.ids["key_id"])}


def delete_key(ask: Ask) -> Record:
    """Delete a key, which opens nothing from then on."""
    keys = ask.store.keys[ask.integration()["id"]]
    keys.remove(_member(keys, ask.ids["key_id"]))
    return {}


def add_webhook(ask: Ask) -> Record:
    """Have events sent somewhere."""
    integration = _custom(ask)
    body = ask.read(NEW_WEBHOOK)
    if ask.store.webhooks[integration["id"]] and ask.switches.second_webhook == "refused":
        raise bad_request("The integration has a webhook")
    _check_webhooks(ask)
    return {"webhook": ask.store.add_webhook(integration["id"], at=ask.store.now(), **body)}


def _check_webhooks(ask: Ask) -> None:
    ids = {webhook["id"] for each in ask.store.webhooks.values() for webhook in each}
    # The seeded ones are many, to fill pages of integrations; they do not count.
    if len(ids - ask.store.seeded) >= MOST_WEBHOOKS:
        raise bad_request(f"An app is limited to {MOST_WEBHOOKS} webhooks")


def update_webhook(ask: Ask) -> Record:
    """Change a webhook; its secret stays."""
    webhook = _webhook(ask)
    webhook.update(ask.read(WEBHOOK))
    return {"webhook": webhook}


def delete_webhook(ask: Ask) -> Record:
    """Send events there no more."""
    webhook = _webhook(ask)
    ask.store.webhooks[ask.integration()["id"]].remove(webhook)
    return {}


def _webhook(ask: Ask) -> Record:
    return _member(ask.store.webhooks[ask.integration()["id"]], ask.ids["webhook_id"])


def _custom(ask: Ask) -> Record:
    integration = ask.integration()
    if integration["type"] != "custom":
        raise bad_request("Only a custom integration has webhooks and keys")
    return integration


def _member(records: Sequence[Record], wanted: str) -> Record:
    found = next((each for each in records if each["id"] == wanted), None)
    if found is None:
        raise not_found()
    return found


def upload(ask: Ask) -> Record:
    """Keep a file, and say where messages can refer to it."""
    conversation = ask.query.get("conversationId")
    if conversation is not None:
        ask.store.find_conversation(conversation)
    if ask.query.get("access") != "public" or ask.query.get("for", "message") != "message":
        raise invalid_query()
    part = _source(ask)
    name = part.file_name or "file"
    media_type = part.media_type or media_type_of(name)
    path = ask.store.add_file(
        name,
        at=ask.store.now(),
        media_type=media_type,
        size=len(part.data),
        data=part.data,
        conversation=conversation,
        goes_with_message="for" in ask.query,
    )
    url = ask.places.uploads(ask.switches.media) + encoded(path)
    return {"attachment": {"mediaUrl": url, "mediaType": media_type}}


def _source(ask: Ask) -> Part:
    found = [part for part in parts(ask.raw, ask.content_type) if part.name == "source"]
    if len(found) != 1:
        raise bad_request("A multipart/form-data body with one part named source is required")
    if len(found[0].data) > ask.switches.upload_limit:
        raise too_large()
    return found[0]


def remove_attachment(ask: Ask) -> Record:
    """Delete a file of ours."""
    url = ask.read(ATTACHMENT)["mediaUrl"]
    path = ask.places.path_at(url)
    if path is None:
        raise bad_request(f"Unsupported media URL for attachment deletion: {url}")
    if ask.store.files.pop(path, None) is None:
        raise not_found("Attachment not found")
    return {}
