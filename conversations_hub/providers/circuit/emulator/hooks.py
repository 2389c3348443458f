"""Answers what registers, changes, removes and uses webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from attrs import frozen

from conversations_hub.providers.circuit.emulator.arguments import Arguments, invalid, query_of
from conversations_hub.providers.circuit.emulator.handlers import Handlers
from conversations_hub.providers.circuit.emulator.kinds import CONTENT_LIMIT
from conversations_hub.providers.circuit.emulator.registry import Registry, posted
from conversations_hub.providers.circuit.emulator.writes import SEVERAL, SUBJECT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conversations_hub.providers.circuit.emulator.records import Json


@frozen
class Hooks(Handlers):
    """The handlers of webhooks."""

    @property
    def registry(self) -> Registry:
        """Return the rules."""
        return Registry(self.store, self.switches)

    def routes(self) -> Iterable[web.RouteDef]:
        """Yield the paths, literals before templates."""
        table = (
            (web.post, "/webhooks/presence", self._follow, 201),
            (web.put, "/webhooks/presence/{id}", self._change_presence, 200),
            (web.post, "/webhooks/incoming/create/{conversationId}", self._open, 200),
            (web.post, "/webhooks/incoming/{webhookId}", self._post, 200),
            (web.delete, "/webhooks/incoming/{webhookId}", self._close, 200),
            (web.post, "/webhooks", self._register, 201),
            (web.delete, "/webhooks", self._forget_all, 204),
            (web.put, "/webhooks/{id}", self._change, 200),
            (web.delete, "/webhooks/{id}", self._forget, 204),
        )
        for verb, path, handler, status in table:
            yield from self.at_both(verb, path, self.writing(handler, status))

    def _register(self, _: web.Request, fields: Arguments) -> Json:
        return self.registry.register(fields.required("url"), fields.several("filter"))

    def _follow(self, _: web.Request, fields: Arguments) -> Json:
        user_ids = fields.several("userIds", SEVERAL)
        return self.registry.follow(fields.required("url"), user_ids)

    def _change(self, request: web.Request, fields: Arguments) -> Json:
        url, filters = fields.text("url"), fields.listed("filter")
        return self.registry.change(request.match_info["id"], url, filters)

    def _change_presence(self, request: web.Request, fields: Arguments) -> Json:
        url, user_ids = fields.text("url"), fields.listed("userIds", SEVERAL)
        return self.registry.change_presence(request.match_info["id"], url, user_ids)

    def _forget(self, request: web.Request, _: Arguments) -> None:
        self.registry.forget(request.match_info["id"])

    def _forget_all(self, _: web.Request, __: Arguments) -> None:
        self.registry.forget_all()

    def _open(self, request: web.Request, _: Arguments) -> Json:
        query, conv_id = query_of(request), request.match_info["conversationId"]
        name, user_id, description = map(query.text, ("name", "userId", "description"))
        return self.incoming_shown(request, self.registry.open(conv_id, name, user_id, description))

    def _close(self, request: web.Request, _: Arguments) -> None:
        self.registry.close(request.match_info["webhookId"])

    def _post(self, request: web.Request, fields: Arguments) -> None:
        url, name = fields.text("fileURL") or "", fields.text("filename") or ""
        text, markdown = fields.text("text", CONTENT_LIMIT) or "", fields.flag("markdown")
        content = posted(text, markdown, url, name)
        if not content:
            raise invalid("text is required.")
        hook_id = request.match_info["webhookId"]
        self.registry.post(hook_id, content, fields.text("subject", SUBJECT))
