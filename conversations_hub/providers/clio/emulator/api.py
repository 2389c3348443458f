"""Answers Clio's read operations from a store, as version 4 of its API is documented to."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING, Any, ClassVar

from aiohttp import web
from attrs import frozen

from conversations_hub.emulator.corpus import Corpus
from conversations_hub.emulator.server import Api, ApiError, json_response
from conversations_hub.providers.clio.emulator import fields, filters, paging
from conversations_hub.providers.clio.emulator import seed as seeds
from conversations_hub.providers.clio.emulator.limits import RateLimiter
from conversations_hub.providers.clio.emulator.store import Store
from conversations_hub.providers.clio.emulator.switches import ClioSwitches

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from conversations_hub.providers.clio.emulator.fields import Record, Resource
    from conversations_hub.providers.clio.emulator.limits import Allowance

    Handler = Callable[[web.Request], web.Response]

DEFAULT_VERSION = "4.0.13"
VERSIONS = frozenset(f"4.0.{minor}" for minor in range(4, 14))

# About the size of the page that an unknown route really gets (§1).
_NOT_FOUND_PAGE = (
    "<!DOCTYPE html>\n<html><head><title>Page not found</title></head><body>\n"
    + "<p>The page you were looking for doesn't exist.</p>\n" * 450
    + "</body></html>\n"
)
_BAD_GATEWAY_PAGE = "<html><body><h1>502 Bad Gateway</h1></body></html>\n"


@frozen(kw_only=True)
class Index:
    """One list: what it may be asked, and which records it has."""

    resource: Resource
    orders: tuple[str, ...]
    find: Callable[[filters.Arguments], list[Record]]


class ClioApi(Api):
    """Clio Manage, faked: conversations, their messages, the user and webhooks."""

    name: ClassVar[str] = "clio"
    prefix: ClassVar[str] = "/api/v4"

    def __init__(
        self, *, seed: int = 1, scale: float = 1.0, switches: ClioSwitches | None = None
    ) -> None:
        self.switches: ClioSwitches = switches or ClioSwitches()
        self.store: Store = seeds.seeded(seed, scale)
        self.limiter: RateLimiter = RateLimiter()
        self.token: str = seeds.token(seed)
        self.tokens: set[str] = {self.token}
        self._request_ids = Corpus(seed, "clio/requests")
        self._served = 0

    @property
    def settings(self) -> dict[str, Any]:
        """A token, and a contact who can be written to."""
        return {"token": self.token, "receiver_id": next(iter(self.store.contacts))}

    @property
    def arguments(self) -> dict[str, Any]:
        """What the provider's class takes."""
        return {"token": self.token}

    def routes(self) -> Iterator[web.RouteDef]:
        """Every path answers with and without `.json` (§1)."""
        for path, handler in self._handlers():
            answer = self._answering(handler)
            yield web.get(f"{self.prefix}{path}", answer)
            if not path.endswith("}"):  # an id takes the ending in
                yield web.get(f"{self.prefix}{path}.json", answer)

    def _handlers(self) -> Iterator[tuple[str, Handler]]:
        yield "/conversations", self._conversations
        yield "/conversations/{id}", self._conversation
        yield "/conversation_messages", self._messages
        yield "/conversation_messages/{id}", self._message
        yield "/users/who_am_i", self._who_am_i
        yield "/webhooks", self._webhooks
        yield "/webhooks/{id}", self._webhook

    # Before a request is looked at.

    async def admit(self, request: web.Request) -> None:
        """Check the version, the token, its rate and its permissions, in this order (§12)."""
        self._check_version(request)
        token = self._bearer(request)
        if not self.limiter.take(token, self.switches.rate_limit, self.switches.rate_window):
            raise self._throttled(request)
        if not self.switches.permitted and "/conversation" in request.path:
            raise self._forbidden(request)

    def missing_route(self, request: web.Request) -> web.Response:  # noqa: ARG002 - the same for all
        """Answer with a long page, not with JSON (§1)."""
        headers = self._identified()
        return web.Response(
            text=_NOT_FOUND_PAGE, status=404, content_type="text/html", headers=headers
        )

    def _check_version(self, request: web.Request) -> None:
        version = request.headers.get("X-API-VERSION", DEFAULT_VERSION)
        if version not in VERSIONS:
            message = f"{version} is not a supported API version"
            raise _error(410, "GoneError", message, self._identified())

    def _bearer(self, request: web.Request) -> str:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or token not in self.tokens:
            headers = self._identified() | {"Cache-Control": "no-cache"}
            raise _error(401, "UnauthorizedError", "User is not authorized", headers)
        return token

    def _throttled(self, request: web.Request) -> ApiError:
        allowance = self._allowance(request)
        message = f"Rate limit of {allowance.limit} exceeded. Retry in {allowance.wait} seconds."
        headers = self._counted(request)
        if self.switches.retry_after == "seconds":
            headers["Retry-After"] = str(allowance.wait)
        elif self.switches.retry_after == "date":
            headers["Retry-After"] = _http_date(datetime.fromtimestamp(allowance.reset, UTC))
        return _error(429, "RateLimitError", message, headers)

    def _forbidden(self, request: web.Request) -> ApiError:
        message = "User is forbidden from taking that action"
        return _error(403, "ForbiddenError", message, self._counted(request))

    # Around every answer.

    def _answering(self, handler: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(request: web.Request) -> web.Response:
            if self._proxy_fails():
                return web.Response(text=_BAD_GATEWAY_PAGE, status=502, content_type="text/html")
            headers = self._counted(request)
            try:
                response = handler(request)
            except fields.InvalidFieldError as error:
                raise _error(400, "ArgumentError", str(error), headers) from error
            except filters.InvalidArgumentError as error:
                raise _error(422, "ArgumentError", str(error), headers) from error
            version = request.headers.get("X-API-VERSION", DEFAULT_VERSION)
            response.headers.update(headers | {"X-API-VERSION": version})
            return response

        return answer

    def _proxy_fails(self) -> bool:
        self._served += 1
        every = self.switches.bad_gateway_every
        return bool(every) and self._served % every == 0

    def _identified(self) -> dict[str, str]:
        return {"X-Request-Id": self._request_ids.uuid()}

    def _counted(self, request: web.Request) -> dict[str, str]:
        return self._identified() | self._allowance(request).headers

    def _allowance(self, request: web.Request) -> Allowance:
        return self.limiter.allowance(self._bearer(request), self.switches.rate_limit)

    # The operations.

    def _conversations(self, request: web.Request) -> web.Response:
        def find(arguments: filters.Arguments) -> list[Record]:
            predicates = filters.conversation_filters(arguments, self.switches.since)
            return filters.kept(self.store.visible_conversations(), predicates)

        resource = fields.conversation(self.switches)
        orders = filters.CONVERSATION_ORDERS
        return self._index(request, Index(resource=resource, orders=orders, find=find))

    def _messages(self, request: web.Request) -> web.Response:
        def find(arguments: filters.Arguments) -> list[Record]:
            conversation = self._conversation_id(arguments)
            # The times are those of the conversation, says the description (§5).
            times = [*filters.by_time(arguments, self.switches.since)]
            predicates = [*filters.by_ids(arguments), *filters.by_body(arguments)]
            self._check_hidden(request, conversation)
            records = self.store.visible_messages(conversation)
            if not records or not all(passes(records[0]["conversation"]) for passes in times):
                return []
            return filters.kept(records, predicates)

        resource = fields.message(self.switches)
        orders = filters.MESSAGE_ORDERS
        return self._index(request, Index(resource=resource, orders=orders, find=find))

    def _webhooks(self, request: web.Request) -> web.Response:
        def find(arguments: filters.Arguments) -> list[Record]:
            times = filters.by_time(arguments, self.switches.since)
            predicates = [*filters.by_ids(arguments), *times]
            return filters.kept(list(self.store.webhooks.values()), predicates)

        orders = filters.WEBHOOK_ORDERS
        return self._index(request, Index(resource=fields.WEBHOOK, orders=orders, find=find))

    def _conversation(self, request: web.Request) -> web.Response:
        def find() -> Record | None:
            number = _number(request)
            self._check_hidden(request, number)
            return None if number in self.store.hidden else self.store.conversations.get(number)

        return self._show(request, fields.conversation(self.switches), find)

    def _message(self, request: web.Request) -> web.Response:
        def find() -> Record | None:
            record = self.store.messages.get(_number(request))
            conversation = record["conversation"]["id"] if record else 0
            self._check_hidden(request, conversation)
            return None if conversation in self.store.hidden else record

        return self._show(request, fields.message(self.switches), find)

    def _webhook(self, request: web.Request) -> web.Response:
        return self._show(
            request, fields.WEBHOOK, lambda: self.store.webhooks.get(_number(request))
        )

    def _who_am_i(self, request: web.Request) -> web.Response:
        return self._show(request, fields.USER, lambda: self.store.me)

    def _conversation_id(self, arguments: filters.Arguments) -> int:
        if arguments.text("conversation_id") == "null":
            return 0  # accepted, and no message is without a conversation (§5)
        conversation = arguments.integer("conversation_id")
        if conversation is None:
            raise filters.InvalidArgumentError("conversation_id is required")
        return conversation

    def _check_hidden(self, request: web.Request, conversation: int) -> None:
        if conversation in self.store.hidden and self.switches.hidden == "forbidden":
            raise self._forbidden(request)

    # Lists and single records.

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

    def _show(
        self, request: web.Request, resource: Resource, find: Callable[[], Record | None]
    ) -> web.Response:
        selection = fields.parse(request.query.get("fields", ""), resource)
        record = find()
        if record is None:
            raise _error(404, "NotFoundError", "Record not found", self._counted(request))
        state = {"ETag": record["etag"], "Last-Modified": _http_date(record["updated_at"])}
        if _unchanged(request, record):
            return web.Response(status=304, headers=state)
        data = fields.view(self.switches).project(record, selection)
        return json_response({"data": data}, headers=state)

    # What tests compare with, and what others do meanwhile.

    def conversation_ids(self) -> list[str]:
        """Return the conversations that the token may see, by id."""
        return _ids(self.store.visible_conversations())

    def message_ids(self, conversation: str) -> list[str]:
        """Return the messages by id."""
        return _ids(self.store.visible_messages(int(conversation)))

    def participant_ids(self, conversation: str) -> list[str]:
        """Return the memberships in the order served."""
        return _ids(self.store.conversations[int(conversation)]["memberships"])

    def add_conversation(self) -> str:
        """Let a contact write to the user; a conversation is born with its first message."""
        contact = self.store.contacts[self.settings["receiver_id"]]
        record = self.store.add_conversation(self.store.corpus.topic(), [self.store.me, contact])
        self.store.add_message(
            record["id"], contact, self.store.corpus.text(), at=record["created_at"]
        )
        return str(record["id"])

    def add_message(self, conversation: str) -> str:
        """Let one of the members write."""
        memberships = self.store.conversations[int(conversation)]["memberships"]
        message = self.store.add_message(
            int(conversation),
            self.store.corpus.random.choice(memberships)["member"],
            self.store.corpus.text(),
            bump=self.switches.message_bumps_updated_at,
        )
        return str(message["id"])

    def edit_message(self, conversation: str, message: str) -> None:
        """Do nothing: Clio's messages stay as they were sent."""

    def remove_message(self, conversation: str, message: str) -> None:
        """Do nothing: Clio's messages stay."""


def _error(status: int, kind: str, message: str, headers: dict[str, str]) -> ApiError:
    return ApiError(status, {"error": {"type": kind, "message": message}}, headers)


def _ids(records: Iterable[Record]) -> list[str]:
    return [str(record["id"]) for record in records]


def _number(request: web.Request) -> int:
    text = request.match_info["id"].removesuffix(".json")
    return int(text) if text.isascii() and text.isdecimal() else 0


def _pairs(request: web.Request) -> list[tuple[str, str]]:
    return list(request.query.items())


def _http_date(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def _unchanged(request: web.Request, record: Record) -> bool:
    etags = request.headers.get("If-None-Match")
    if etags is not None:
        wanted = {each.strip().removeprefix("W/") for each in etags.split(",")}
        return bool(wanted & {"*", record["etag"]})
    try:
        since = parsedate_to_datetime(request.headers.get("If-Modified-Since", ""))
    except ValueError:
        return False
    return bool(record["updated_at"] <= since.replace(tzinfo=since.tzinfo or UTC))
