"""What all handlers share: whom they answer for, and how answers and refusals are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web
from attrs import frozen

from conversations_hub.emulator.server import ApiError, json_response
from conversations_hub.providers.circuit.emulator.arguments import (
    Arguments,
    body_of,
    denied,
    invalid,
)
from conversations_hub.providers.circuit.emulator.records import (
    Exhausted,
    Json,
    Missing,
    NotPermitted,
    Refusal,
)
from conversations_hub.providers.circuit.emulator.store import Store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from conversations_hub.providers.circuit.emulator.api import CircuitApi
    from conversations_hub.providers.circuit.emulator.switches import CircuitSwitches

    Handler = Callable[[web.Request], Any]
    Writer = Callable[[web.Request, Arguments], Any]
    Answering = Callable[[web.Request], Awaitable[web.Response]]

PREFIXES = ("/rest/v2", "/rest")
"""The documented one, and the one without version that vendor samples use."""
TRUNCATED = 8
STATUSES: dict[type[Refusal], int] = {Missing: 404, Exhausted: 403}


@frozen
class Handlers:
    """The handlers of one group of operations."""

    api: CircuitApi

    @property
    def store(self) -> Store:
        """Return what the answers are made of."""
        return self.api.store

    @property
    def switches(self) -> CircuitSwitches:
        """Return how the API behaves at the moment."""
        return self.api.switches

    def at_both(
        self, verb: Callable[..., web.RouteDef], path: str, answer: Answering
    ) -> Iterable[web.RouteDef]:
        """Yield the routes of one operation, below either prefix."""
        for prefix in PREFIXES:
            yield verb(prefix + path, answer)

    def reading(self, handler: Handler) -> Answering:
        """Serve a handler that looks at the path and the query."""

        async def answer(request: web.Request) -> web.Response:
            return self._answer(lambda: handler(request))

        return answer

    def writing(self, handler: Writer, status: int = 200) -> Answering:
        """Serve a handler that also looks at the body."""

        async def answer(request: web.Request) -> web.Response:
            fields = body_of(request.content_type, await request.read())
            return self._answer(lambda: handler(request, fields), status)

        return answer

    def nothing(self) -> web.Response:
        """Answer an empty list."""
        if self.switches.empty_list in {"array", "absent"}:
            return json_response([])
        return web.Response(status=204 if self.switches.empty_list == "204" else 200)

    def conversation(self, request: web.Request) -> Json:
        """Return the conversation that the path names."""
        return self.store.conversation(request.match_info["convId"])

    def existing_user(self, name: str) -> Json:
        """Return a user whose absence is a 404."""
        user = self.store.user(name)
        if user is None:
            raise Missing("The user does not exist.")
        return user

    def shown(self, conversation: Json) -> Json:
        """Return a conversation as it is sent."""
        if not self.switches.truncate_participants:
            return conversation
        return conversation | {"participants": conversation["participants"][:TRUNCATED]}

    def all_shown(self, conversations: Iterable[Json]) -> list[Json]:
        """Return conversations as they are sent."""
        return [self.shown(conversation) for conversation in conversations]

    def item_shown(self, request: web.Request, item: Json) -> Json:
        """Return an item as it is sent."""
        if self.switches.downloads != "foreign" or "attachments" not in item:
            return item
        files = [
            file | {"url": self.api.foreign_url(request, file["fileId"])}
            for file in item["attachments"]
        ]
        return item | {"attachments": files}

    def items_shown(self, request: web.Request, items: Iterable[Json]) -> list[Json]:
        """Return items as they are sent."""
        return [self.item_shown(request, item) for item in items]

    def incoming_shown(self, request: web.Request, hook: Json) -> Json:
        """Return an incoming webhook as it is sent, with the address to post to."""
        root = f"{request.url.origin()}{self.api.prefix}/webhooks/incoming"
        return hook | {"url": f"{root}/{hook['webhookId']}"}

    def _answer(self, handler: Callable[[], Any], status: int = 200) -> web.Response:
        try:
            body = handler()
        except Refusal as refusal:
            raise self._refused(refusal) from refusal
        if isinstance(body, web.Response):
            return body
        if body is None:
            return web.Response(status=status)
        return self.nothing() if body == [] else json_response(body, status)

    def _refused(self, refusal: Refusal) -> ApiError:
        if isinstance(refusal, NotPermitted):
            return denied(int(self.switches.moderation_denied), str(refusal))
        status = STATUSES.get(type(refusal))
        return denied(status, str(refusal)) if status else invalid(str(refusal))
