"""Takes files in and hands them out again, on its own host or on another."""

from __future__ import annotations

from email.message import Message
from random import Random
from typing import TYPE_CHECKING
from urllib.parse import quote

from aiohttp import web
from attrs import frozen

from conversations_hub.emulator.server import json_response
from conversations_hub.providers.circuit.emulator import search
from conversations_hub.providers.circuit.emulator.arguments import denied, invalid, query_of
from conversations_hub.providers.circuit.emulator.handlers import PREFIXES, Handlers

if TYPE_CHECKING:
    from collections.abc import Iterable

FOREIGN_HOST = "localhost"


@frozen
class Files(Handlers):
    """The handlers of files, which the description leaves out (circuit.md, section 2)."""

    def routes(self) -> Iterable[web.RouteDef]:
        """Yield the places of uploads and downloads."""
        for place in ("", *PREFIXES):
            yield web.post(f"{place}/fileapi", self._upload)
        yield web.get("/fileapi", self.reading(self._download))
        yield web.get("/files/{fileId}", self.reading(self._download_signed))

    async def _upload(self, request: web.Request) -> web.Response:
        place = "root" if request.path == "/fileapi" else "base"
        if place != self.switches.upload_place:
            return web.Response(status=404)
        data = await request.read()
        if len(data) > self.switches.largest_file:
            raise denied(413, "The file is too large.")
        name = _file_name(request.headers.get("Content-Disposition", ""))
        return json_response([self.store.upload(name, request.content_type, data)])

    def _download(self, request: web.Request) -> web.Response:
        return self._sent(query_of(request).required("fileid"))

    def _download_signed(self, request: web.Request) -> web.Response:
        """Serve a file as storage with signed addresses does, which takes no other credentials."""
        file_id = request.match_info["fileId"]
        if request.url.host != FOREIGN_HOST:
            raise denied(404, "Not found.")
        if "Authorization" in request.headers:
            raise denied(400, "Only one way to authenticate is allowed.")
        if request.query.get("signature") != self.api.signature(file_id):
            raise denied(403, "The signature does not match.")
        return self._sent(file_id)

    def _sent(self, file_id: str) -> web.Response:
        file = search.attachment(self.store, file_id)
        if file is None:
            raise denied(404, "The file does not exist.")
        data = self.store.contents.get(file_id)
        name = quote(file["fileName"], safe="")
        return web.Response(
            body=Random(file_id).randbytes(file["size"]) if data is None else data,
            content_type=file.get("mimeType", "application/octet-stream"),
            headers={"Content-Disposition": f"attachment; filename*=UTF-8''{name}"},
        )


def _file_name(disposition: str) -> str:
    header = Message()
    header["Content-Disposition"] = disposition
    name = header.get_filename()
    if not name:
        raise invalid("Content-Disposition: a filename is required.")
    return name
