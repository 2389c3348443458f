"""Serves the bytes of documents from short-lived addresses on another origin, as storage does."""

from __future__ import annotations

import hashlib
import hmac
import time
from io import BytesIO
from typing import TYPE_CHECKING
from urllib.parse import quote

from aiohttp import web
from attrs import mutable

if TYPE_CHECKING:
    from collections.abc import Callable

    from conversations_hub.providers.clio.emulator.fields import Record
    from conversations_hub.providers.clio.emulator.store import Store

PATH = "/storage/{id}/{name}"

_UNSTATED_SIZE = 512


def content(store: Store, document: Record) -> bytes:
    """Invent the bytes of a document: the same seed, the same bytes."""
    size = _UNSTATED_SIZE if document["size"] is None else document["size"]
    return hashlib.shake_128(f"{store.seed}/{document['id']}".encode()).digest(size)


@mutable
class Storage:
    """Hands out signed addresses and serves who has one; it knows no tokens and wants none."""

    store: Store
    clock: Callable[[], float] = time.time

    def address(self, document: Record, port: int | None, seconds: int) -> str:
        """Return where a document can be had for some seconds."""
        expires = str(int(self.clock()) + seconds)
        place = f"/storage/{document['id']}/{quote(document['filename'])}"
        signature = self._signature(str(document["id"]), expires)
        return f"http://localhost:{port}{place}?expires={expires}&signature={signature}"

    async def serve(self, request: web.Request) -> web.Response:
        """Send a document, if the address is good."""
        if "Authorization" in request.headers:
            return _refusal(400, "InvalidArgument", "Only one auth mechanism allowed")
        number, expires = request.match_info["id"], request.query.get("expires", "")
        if request.query.get("signature") != self._signature(number, expires):
            return _refusal(403, "SignatureDoesNotMatch", "The signature does not match")
        if int(expires) < self.clock():
            return _refusal(403, "AccessDenied", "Request has expired")
        return self._file(self.store.documents[int(number)])

    def _file(self, document: Record) -> web.Response:
        name = quote(document["filename"])
        headers = {
            "Content-Type": document["content_type"] or "binary/octet-stream",
            "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
        }
        # As a stream, since storage sends files as they are and not compressed.
        return web.Response(body=BytesIO(content(self.store, document)), headers=headers)

    def _signature(self, number: str, expires: str) -> str:
        key = f"clio/storage/{self.store.seed}".encode()
        return hmac.new(key, f"{number}/{expires}".encode(), hashlib.sha256).hexdigest()


def _refusal(status: int, code: str, message: str) -> web.Response:
    text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return web.Response(text=text, status=status, content_type="application/xml")
