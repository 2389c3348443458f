"""Serves the Media Content Service: files that come in, go into messages and out again."""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import TYPE_CHECKING

from aiohttp import web

from conversations_hub.emulator.server import json_response
from conversations_hub.providers.twilio.emulator.store import by_sid

if TYPE_CHECKING:
    from collections.abc import Callable

    from conversations_hub.providers.twilio.emulator.conversation import Record
    from conversations_hub.providers.twilio.emulator.reads import Call
    from conversations_hub.providers.twilio.emulator.store import Store

    Reply = Callable[[Call], web.StreamResponse]

TEMPORARY = "/temporary-media/"
"""Where temporary addresses begin, on a host that is not the API's."""


def upload(call: Call) -> web.StreamResponse:
    """Keep the body of a request as a file."""
    store, sid = call.store, call.store.sid("ME")
    store.uploads[sid] = {
        "sid": sid,
        "account_sid": store.account_sid,
        "service_sid": call.service,
        "channel_sid": None,
        "message_sid": None,
        "size": len(call.body),
        "content_type": call.request.headers.get("Content-Type", "application/octet-stream"),
        "filename": call.request.query.get("Filename"),
        "author": None,
        "date_created": store.now,
        "date_updated": store.now,
    }
    store.contents[sid] = call.body
    return json_response(shape(call, store.uploads[sid]), 201)


def metadata(call: Call) -> web.StreamResponse:
    """Say what a file is and where its bytes are."""
    return json_response(shape(call, file_of(call)))


def content(call: Call) -> web.StreamResponse:
    """Return the bytes of a file, or lead to them (section 8)."""
    file = file_of(call)
    if call.shapes.switches.media_content == "redirect":
        return web.Response(status=307, headers={"Location": temporary_url(call, file)})
    return bytes_response(call.store, file)


def shape(call: Call, file: Record) -> Record:
    """Write a file's metadata, with a temporary address that is new each time."""
    url = f"{call.shapes.root}/Media/{file['sid']}"
    links = {"content": f"{url}/Content", "content_direct_temporary": temporary_url(call, file)}
    named = {
        call.shapes.switches.media_name if key == "filename" else key: value
        for key, value in file.items()
    }
    return call.shapes.dated(named) | {"url": url, "links": links}


def file_of(call: Call) -> Record:
    """Return the file in the path, if it belongs to the service."""
    found = find(call.store, call.named("media"))
    if found is None or found["service_sid"] != call.service:
        raise call.missing()
    return found


def find(store: Store, sid: str) -> Record | None:
    """Return an uploaded file, or one that came with a message of the seed."""
    if sid in store.uploads:
        return store.uploads[sid]
    for conversation in store.conversations.values():
        for message in conversation.messages:
            file = by_sid(message["media"] or (), sid)
            if file is not None:
                return seeded(file, message, conversation.service)
    return None


def seeded(file: Record, message: Record, service: str) -> Record:
    """Return the metadata of a file that came with a message."""
    return {
        **file,
        "account_sid": message["account_sid"],
        "service_sid": service,
        "channel_sid": message["conversation_sid"],
        "message_sid": message["sid"],
        "author": message["author"],
        "date_created": message["date_created"],
        "date_updated": message["date_created"],
    }


def bytes_of(store: Store, file: Record) -> bytes:
    """Return what is in a file; that of a file of the seed follows from its SID."""
    if file["sid"] in store.contents:
        return store.contents[file["sid"]]
    block, size = hashlib.sha256(file["sid"].encode()).digest(), int(file["size"])
    return (block * (size // len(block) + 1))[:size]


def bytes_response(store: Store, file: Record) -> web.Response:
    """Answer with a file."""
    return web.Response(
        body=bytes_of(store, file), headers={"Content-Type": str(file["content_type"])}
    )


# Temporary addresses: signed, for a while, and for whoever has them.


def signature(store: Store, sid: str, expires: int) -> str:
    """Sign the address of a file."""
    return hmac.new(store.key_secret.encode(), f"{sid}{expires}".encode(), "sha256").hexdigest()


def temporary_url(call: Call, file: Record) -> str:
    """Return where the bytes are for a while: the same server under another name."""
    sid, expires = file["sid"], int(time.time()) + call.shapes.switches.media_seconds
    signed = signature(call.store, sid, expires)
    port = call.request.url.port
    return f"http://localhost:{port}{TEMPORARY}{sid}?Expires={expires}&Signature={signed}"


def temporary(store: Store, request: web.Request) -> web.StreamResponse:
    """Answer a temporary address as storage does, which takes no credentials (section 8)."""
    if "Authorization" in request.headers:
        return denied(400, "InvalidArgument", "Only one auth mechanism allowed")
    sid, expires = request.match_info["media"], request.query.get("Expires", "")
    known = expires.isascii() and expires.isdigit() and signature(store, sid, int(expires))
    if not known or not hmac.compare_digest(known, request.query.get("Signature", "")):
        return denied(403, "SignatureDoesNotMatch", "The signature does not match")
    if int(expires) < time.time():
        return denied(403, "AccessDenied", "Request has expired")
    file = find(store, sid)
    return bytes_response(store, file) if file else denied(404, "NoSuchKey", "There is no such key")


def denied(status: int, code: str, message: str) -> web.Response:
    """Refuse in the shape of storage, which knows nothing of Twilio's."""
    text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return web.Response(status=status, text=text, content_type="application/xml")


ROUTES: dict[tuple[str, str], Reply] = {
    ("POST", "Services/{service}/Media"): upload,
    ("GET", "Services/{service}/Media/{media}"): metadata,
    ("GET", "Services/{service}/Media/{media}/Content"): content,
}
