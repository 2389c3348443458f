"""Answers Clio's lists: which records there are, cut into pages and down to their fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

from conversations_hub.emulator.server import json_response
from conversations_hub.providers.clio.emulator import fields, filters, paging
from conversations_hub.providers.clio.emulator.refusals import ForbiddenError, InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from conversations_hub.providers.clio.emulator.fields import Record, Resource
    from conversations_hub.providers.clio.emulator.store import Store
    from conversations_hub.providers.clio.emulator.switches import ClioSwitches


@frozen(kw_only=True)
class Index:
    """One list: what it may be asked, and which records it has."""

    resource: Resource
    orders: tuple[str, ...]
    find: Callable[[filters.Arguments], list[Record]]


@frozen
class Lists:
    """The operations that return lists."""

    store: Store
    switches: ClioSwitches

    def conversations(self, request: web.Request) -> web.Response:
        """List the conversations that the user may see."""

        def find(arguments: filters.Arguments) -> list[Record]:
            predicates = filters.conversation_filters(arguments, self.switches.since)
            return filters.kept(self.store.visible_conversations(), predicates)

        resource = fields.conversation(self.switches)
        orders = filters.CONVERSATION_ORDERS
        return self._index(request, Index(resource=resource, orders=orders, find=find))

    def messages(self, request: web.Request) -> web.Response:
        """List the messages of one conversation."""

        def find(arguments: filters.Arguments) -> list[Record]:
            conversation = _conversation_id(arguments)
            # The times are those of the conversation, says the description (§5).
            times = [*filters.by_time(arguments, self.switches.since)]
            predicates = [*filters.by_ids(arguments), *filters.by_body(arguments)]
            if conversation in self.store.hidden and self.switches.hidden == "forbidden":
                raise ForbiddenError
            records = self.store.visible_messages(conversation)
            if not records or not all(passes(records[0]["conversation"]) for passes in times):
                return []
            return filters.kept(records, predicates)

        resource = fields.message(self.switches)
        orders = filters.MESSAGE_ORDERS
        return self._index(request, Index(resource=resource, orders=orders, find=find))

    def webhooks(self, request: web.Request) -> web.Response:
        """List the user's webhooks."""

        def find(arguments: filters.Arguments) -> list[Record]:
            times = filters.by_time(arguments, self.switches.since)
            predicates = [*filters.by_ids(arguments), *times]
            return filters.kept(list(self.store.webhooks.values()), predicates)

        orders = filters.WEBHOOK_ORDERS
        return self._index(request, Index(resource=fields.WEBHOOK, orders=orders, find=find))

    def _index(self, request: web.Request, index: Index) -> web.Response:
        selection = fields.parse(request.query.get("fields", ""), index.resource)
        view = fields.view(self.switches)
        arguments = filters.Arguments(_pairs(request), view.zone)
        order = arguments.order(index.orders)
        records = filters.ordered(index.find(arguments), order)
        page = paging.page(records, arguments, self.switches, order)
        data = [view.project(record, selection) for record in page.records]
        return json_response(self._meta(request, page) | {"data": data})

    def _meta(self, request: web.Request, page: paging.Page) -> dict[str, Any]:
        last = page.next is None
        if self.switches.meta == "missing" or (self.switches.meta == "last_missing" and last):
            return {}
        links = {"previous": page.previous, "next": page.next}
        addresses = {
            name: self._link(request, name, token) if token else None
            for name, token in links.items()
            if token or self.switches.page_end == "null"
        }
        count = page.total if self.switches.records == "total" else len(page.records)
        return {"meta": {"paging": addresses, "records": count}}

    def _link(self, request: web.Request, name: str, token: str) -> str:
        leads = self.switches.next_link if name == "next" else "own"
        origin = f"{request.scheme}://{request.host}"
        if leads == "foreign":
            origin = "https://app.clio.invalid"
        again = request.query.get("page_token")
        return paging.link(
            f"{origin}{request.path}", _pairs(request), again if leads == "loop" else token
        )


def _pairs(request: web.Request) -> list[tuple[str, str]]:
    return list(request.query.items())


def _conversation_id(arguments: filters.Arguments) -> int:
    if arguments.text("conversation_id") == "null":
        return 0  # accepted, and no message is without a conversation (§5)
    conversation = arguments.integer("conversation_id")
    if conversation is None:
        raise InvalidArgumentError("conversation_id is required")
    return conversation
