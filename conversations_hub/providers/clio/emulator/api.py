"""Answers Clio's operations from a store, as version 4 of its API is documented to."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from aiohttp import web

from conversations_hub.emulator.corpus import Corpus
from conversations_hub.emulator.server import Api, ApiError, json_response, refusal
from conversations_hub.providers.clio.emulator import (
    bodies,
    conditions,
    fields,
    files,
    paging,
    webhooks,
)
from conversations_hub.providers.clio.emulator import seed as seeds
from conversations_hub.providers.clio.emulator.limits import RateLimiter
from conversations_hub.providers.clio.emulator.lists import Lists
from conversations_hub.providers.clio.emulator.oauth import ClioOAuth
from conversations_hub.providers.clio.emulator.refusals import (
    ForbiddenError,
    InvalidArgumentError,
    NotFoundError,
    RefusedError,
)
from conversations_hub.providers.clio.emulator.store import Store
from conversations_hub.providers.clio.emulator.switches import ClioSwitches
from conversations_hub.providers.clio.emulator.writes import Writes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from conversations_hub.providers.clio.emulator.bodies import Data
    from conversations_hub.providers.clio.emulator.fields import Record, Resource, Selection
    from conversations_hub.providers.clio.emulator.limits import Allowance

    Handler = Callable[[web.Request], web.Response | Awaitable[web.Response]]

DEFAULT_VERSION = "4.0.13"
VERSIONS = frozenset(f"4.0.{minor}" for minor in range(4, 14))

# About the size of the page that an unknown route really gets (§1).
_NOT_FOUND_PAGE = (
    "<!DOCTYPE html>\n<html><head><title>Page not found</title></head><body>\n"
    + "<p>The page you were looking for doesn't exist.</p>\n" * 450
    + "</body></html>\n"
)
_PROXYS_PAGE = "<html><body><h1>{status} {phrase}</h1></body></html>\n"


class ClioApi(Api):
    """Clio Manage, faked: conversations, their messages and documents, the user and webhooks."""

    name: ClassVar[str] = "clio"
    prefix: ClassVar[str] = "/api/v4"

    def __init__(
        self, *, seed: int = 1, scale: float = 1.0, switches: ClioSwitches | None = None
    ) -> None:
        self.switches: ClioSwitches = switches or ClioSwitches()
        self.store: Store = seeds.seeded(seed, scale)
        self.storage: files.Storage = files.Storage(self.store)
        self.limiter: RateLimiter = RateLimiter()
        self.token: str = seeds.token(seed)
        self.tokens: set[str] = {self.token}
        """Those that work without having been issued."""
        self.oauth: ClioOAuth = ClioOAuth(self, seed)
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
        for method, path, handler in self._handlers():
            answer = self._answering(handler)
            yield _route(method, f"{self.prefix}{path}", answer)
            if not path.endswith("}"):  # an id takes the ending in
                yield _route(method, f"{self.prefix}{path}.json", answer)
        yield web.get(files.PATH, self.storage.serve)
        yield from self.oauth.routes()

    def _handlers(self) -> Iterator[tuple[str, str, Handler]]:
        yield "GET", "/conversations", self._conversations
        yield "GET", "/conversations/{id}", self._conversation
        yield "PATCH", "/conversations/{id}", self._update_conversation
        yield "GET", "/conversation_messages", self._messages
        yield "POST", "/conversation_messages", self._create_message
        yield "GET", "/conversation_messages/{id}", self._message
        yield "GET", "/documents/{id}/download", self._download
        yield "GET", "/users/who_am_i", self._who_am_i
        yield "GET", "/webhooks", self._webhooks
        yield "POST", "/webhooks", self._create_webhook
        yield "GET", "/webhooks/{id}", self._webhook
        yield "PATCH", "/webhooks/{id}", self._update_webhook
        yield "DELETE", "/webhooks/{id}", self._destroy_webhook
        yield "PUT", "/webhooks/{id}/activate", self._activate_webhook

    # Before a request is looked at.

    async def admit(self, request: web.Request) -> None:
        """Check the version, the token, its rate and its permissions, in this order (§12)."""
        if not request.path.startswith(self.prefix):
            return  # storage asks for no token, and OAuth looks itself
        self._check_version(request)
        token = self.bearer(request)
        if not self.limiter.take(token, self.switches.rate_limit, self.switches.rate_window):
            raise self._throttled(request)
        if not self.switches.permitted and "/conversation" in request.path:
            raise _refused(ForbiddenError(), self._counted(request))

    def missing_route(self, request: web.Request, status: int) -> web.Response:
        """Answer with a long page, not with JSON (§1), the same for all."""
        del request, status
        headers = self._identified()
        return web.Response(
            text=_NOT_FOUND_PAGE, status=404, content_type="text/html", headers=headers
        )

    def failure(self, status: int) -> web.Response:
        """Answer in Clio's shape, or with the page of the proxy before it."""
        phrase = HTTPStatus(status).phrase
        if status > 500:
            page = _PROXYS_PAGE.format(status=status, phrase=phrase)
            return web.Response(text=page, status=status, content_type="text/html")
        kind = "RateLimitError" if status == 429 else "InternalServerError"
        return refusal(_error(status, kind, phrase, self._identified()))

    def expired(self, request: web.Request) -> web.Response | None:
        """Refuse a page token (§4)."""
        if "page_token" not in request.query:
            return None
        refused = InvalidArgumentError("page_token is invalid")
        return refusal(_refused(refused, self._identified()))

    def rows(self, body: Any) -> list[Any] | None:
        """Return the data of a list."""
        data = body.get("data") if isinstance(body, dict) else None
        return data if isinstance(data, list) else None

    def repeated(self, request: web.Request, body: Any) -> Any:
        """Let the next page be this one."""
        token = request.query.get("page_token")
        if token is None or self.rows(body) is None or "meta" not in body:
            return None
        address = f"{request.scheme}://{request.host}{request.path}"
        links = {"next": paging.link(address, list(request.query.items()), token)}
        meta = body["meta"]
        return body | {"meta": meta | {"paging": meta.get("paging", {}) | links}}

    def _check_version(self, request: web.Request) -> None:
        version = request.headers.get("X-API-VERSION", DEFAULT_VERSION)
        if version not in VERSIONS:
            message = f"{version} is not a supported API version"
            raise _error(410, "GoneError", message, self._identified())

    def bearer(self, request: web.Request) -> str:
        """Return the token of a request; `ApiError` for one that does not work, or not here."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        works = token in self.tokens or self.oauth.accepts(token)
        if scheme.lower() != "bearer" or not works:
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
            headers["Retry-After"] = conditions.http_date(
                datetime.fromtimestamp(allowance.reset, UTC)
            )
        return _error(429, "RateLimitError", message, headers)

    # Around every answer.

    def _answering(self, handler: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(request: web.Request) -> web.Response:
            if self._proxy_fails():
                return self.failure(502)
            headers = self._counted(request)
            try:
                made = handler(request)
                response = made if isinstance(made, web.Response) else await made
            except RefusedError as refused:
                raise _refused(refused, headers) from refused
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
        return self.limiter.allowance(self.bearer(request), self.switches.rate_limit)

    # The operations.

    def _conversations(self, request: web.Request) -> web.Response:
        return self._lists.conversations(request)

    def _messages(self, request: web.Request) -> web.Response:
        return self._lists.messages(request)

    def _webhooks(self, request: web.Request) -> web.Response:
        return self._lists.webhooks(request)

    def _conversation(self, request: web.Request) -> web.Response:
        return self._show(request, fields.conversation(self.switches), self._found_conversation)

    def _message(self, request: web.Request) -> web.Response:
        return self._show(request, fields.message(self.switches), self._found_message)

    def _webhook(self, request: web.Request) -> web.Response:
        return self._show(request, fields.WEBHOOK, self._found_webhook)

    def _who_am_i(self, request: web.Request) -> web.Response:
        return self._show(request, fields.USER, lambda _: self.store.me)

    async def _update_conversation(self, request: web.Request) -> web.Response:
        resource, change = fields.conversation(self.switches), self._writes.update_conversation
        return await self._update(request, resource, self._found_conversation, change)

    async def _create_message(self, request: web.Request) -> web.Response:
        resource, create = fields.message(self.switches), self._writes.create_message
        return await self._create(request, resource, create)

    async def _create_webhook(self, request: web.Request) -> web.Response:
        create = partial(webhooks.create, self.store)
        return await self._create(request, fields.WEBHOOK, create)

    async def _update_webhook(self, request: web.Request) -> web.Response:
        change = partial(webhooks.update, self.store)
        return await self._update(request, fields.WEBHOOK, self._found_webhook, change)

    def _destroy_webhook(self, request: web.Request) -> web.Response:
        del self.store.webhooks[self._found_webhook(request)["id"]]
        return web.Response(status=204)

    def _activate_webhook(self, request: web.Request) -> web.Response:
        selection = _selection(request, fields.WEBHOOK)
        webhook = self._found_webhook(request)
        webhooks.activate(self.store, webhook, request.headers.get("X-Hook-Secret"))
        return _single(webhook, self._cut(webhook, selection))

    def _download(self, request: web.Request) -> web.Response:
        document = self.store.visible_document(_number(request))
        if document is None:
            raise NotFoundError
        seconds = self.switches.link_seconds
        address = self.storage.address(document, request.url.port, seconds)
        return web.Response(status=303, headers={"Location": address})

    # What the operations are about.

    @property
    def _lists(self) -> Lists:
        return Lists(self.store, self.switches)

    @property
    def _writes(self) -> Writes:
        return Writes(self.store, self.switches)

    def _found_conversation(self, request: web.Request) -> Record:
        number = _number(request)
        self._check_hidden(number)
        return _found(self.store.conversations.get(number))

    def _found_message(self, request: web.Request) -> Record:
        record = _found(self.store.messages.get(_number(request)))
        self._check_hidden(record["conversation"]["id"])
        return record

    def _found_webhook(self, request: web.Request) -> Record:
        return _found(self.store.webhooks.get(_number(request)))

    def _check_hidden(self, conversation: int) -> None:
        if conversation in self.store.hidden:
            raise ForbiddenError if self.switches.hidden == "forbidden" else NotFoundError

    # Single records.

    def _show(
        self, request: web.Request, resource: Resource, find: Callable[[web.Request], Record]
    ) -> web.Response:
        selection = _selection(request, resource)
        record = find(request)
        if conditions.unchanged(request, record):
            return web.Response(status=304, headers=conditions.state(record))
        return _single(record, self._cut(record, selection))

    async def _create(
        self, request: web.Request, resource: Resource, create: Callable[[Data], Record]
    ) -> web.Response:
        selection = _selection(request, resource)
        record = create(await _data(request))
        return _single(record, self._cut(record, selection), 201)

    async def _update(
        self,
        request: web.Request,
        resource: Resource,
        find: Callable[[web.Request], Record],
        change: Callable[[Record, Data], None],
    ) -> web.Response:
        selection = _selection(request, resource)
        record = find(request)
        conditions.check_match(request, record)
        change(record, await _data(request))
        return _single(record, self._cut(record, selection))

    def _cut(self, record: Record, selection: Selection) -> dict[str, Any]:
        return {"data": fields.view(self.switches).project(record, selection)}

    # What tests compare with, and what others do meanwhile.

    def messages_of(self, conversation: str) -> list[dict[str, Any]]:
        """Return every message of a conversation, with all that could be asked of it."""
        everything = fields.message(self.switches).everything
        view = fields.view(self.switches)
        messages = self.store.conversations[int(conversation)]["messages"]
        return [view.project(record, everything) for record in messages]

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


def _route(
    method: str, path: str, answer: Callable[[web.Request], Awaitable[web.Response]]
) -> web.RouteDef:
    # What answers GET answers HEAD.
    return web.get(path, answer) if method == "GET" else web.route(method, path, answer)


def _error(status: int, kind: str, message: str, headers: dict[str, str]) -> ApiError:
    return ApiError(status, {"error": {"type": kind, "message": message}}, headers)


def _refused(refused: RefusedError, headers: dict[str, str]) -> ApiError:
    return _error(refused.status, refused.kind, str(refused), headers)


def _ids(records: Iterable[Record]) -> list[str]:
    return [str(record["id"]) for record in records]


def _number(request: web.Request) -> int:
    text = request.match_info["id"].removesuffix(".json")
    return int(text) if text.isascii() and text.isdecimal() else 0


def _selection(request: web.Request, resource: Resource) -> Selection:
    return fields.parse(request.query.get("fields", ""), resource)


async def _data(request: web.Request) -> Data:
    return bodies.read(request.headers.get("Content-Type", ""), await request.read())


def _found(record: Record | None) -> Record:
    if record is None:
        raise NotFoundError
    return record


def _single(record: Record, body: dict[str, Any], status: int = 200) -> web.Response:
    return json_response(body, status, conditions.state(record))
