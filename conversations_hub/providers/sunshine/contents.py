"""What a message is to say, as Sunshine takes it, and whether a message says it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conversations_hub.errors import ConfigurationError
from conversations_hub.models import Attachment
from conversations_hub.providers.sunshine.account import given
from conversations_hub.writing import KEY

# What somebody writes; the rest of a content may be added on reception.
WRITTEN = ("text", "htmlText", "actions", "payload")
WORDS = ("text", "htmlText")
PLAIN = {"text", "image", "file"}
# What is taken and not shown again.
UNSEEN = {"markdownText", "userExternalId", "brandId"}


def noted(metadata: Mapping[str, Any] | None, key: str | None) -> dict[str, Any] | None:
    """Return metadata with the key in them, which come back as they are or are refused."""
    if key is not None and not key:
        raise ConfigurationError("an idempotency_key has at least one character")
    if any(not isinstance(name, str) for name in metadata or ()):
        raise ConfigurationError("metadata have texts as keys; others come back as texts")
    if metadata is None and key is None:
        return None
    return {**(metadata or {}), **({} if key is None else {KEY: key})}


def told(thing: Any) -> Mapping[str, Any]:
    """Return what was said of a thing, in the API's own words."""
    raw: Mapping[str, Any] | None = thing.raw
    return {} if raw is None else raw


def content_of(
    text: str | None, html: str | None, file: Attachment | None, more: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the content of a message; empty where there is nothing to say."""
    written = given(text=text or None, htmlText=html or None)
    if file is not None:
        return {**_media(file), **written, **more}
    return {"type": "text", **written, **more} if written or more else {}


def _media(file: Attachment) -> dict[str, Any]:
    image = (file.media_type or "").startswith("image/")
    return given(type="image" if image else "file", mediaUrl=file.url, altText=file.name or None)


def is_sent(body: Mapping[str, Any], message: Mapping[str, Any]) -> bool:
    """Tell whether a message as it came is what a body asked to post."""
    return (
        (message.get("metadata") or {}) == (body.get("metadata") or {})
        and covers(body["author"], message.get("author"))
        and _says(body["content"], message.get("content") or {})
    )


def _says(sent: Mapping[str, Any], got: Mapping[str, Any]) -> bool:
    marked_up = not {"htmlText", "markdownText"}.isdisjoint(sent)
    # A caption may become a message of its own.
    split = "mediaUrl" in sent and not any(got.get(name) for name in WORDS)
    if not covers({k: v for k, v in sent.items() if not (split and k in WORDS)}, got):
        return False
    added = {name for name in WRITTEN if got.get(name) and not sent.get(name)}
    return sent["type"] not in PLAIN or not added - set(WORDS if marked_up else ())


def covers(sent: Any, got: Any) -> bool:
    """Tell whether all that was sent is there; on reception things are added."""
    if isinstance(sent, Mapping):
        return isinstance(got, Mapping) and all(
            covers(value, got.get(name)) for name, value in sent.items() if name not in UNSEEN
        )
    if isinstance(sent, list):
        return isinstance(got, list) and len(sent) == len(got) and all(map(covers, sent, got))
    return bool(sent == got)
