"""Answers requests as Sunshine Conversations, API version 2, does."""

from __future__ import annotations

import math
import time
from base64 import urlsafe_b64encode
from collections import deque
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from aiohttp import web

from conversations_hub.emulator.corpus import Corpus
from conversations_hub.emulator.server import Api, json_response, refusal
from conversations_hub.providers.sunshine.emulator.ask import Ask
from conversations_hub.providers.sunshine.emulator.contents import Scene
from conversations_hub.providers.sunshine.emulator.credentials import Key
from conversations_hub.providers.sunshine.emulator.files import (
    PRIVATE_PATH,
    PUBLIC_PATH,
    Places,
    is_foreign,
    path_of,
    placed,
    storage_error,
)
from conversations_hub.providers.sunshine.emulator.lists import (
    PageQuery,
    forward_window,
    knows,
    message_window,
    neighbours,
    novel,
)
from conversations_hub.providers.sunshine.emulator.refusals import (
    bad_request,
    failed,
    forbidden,
    invalid_page,
    invalid_query,
    missing,
    not_found,
    too_many,
    unauthorized,
)
from conversations_hub.providers.sunshine.emulator.seed import fill
from conversations_hub.providers.sunshine.emulator.store import Store, newest_first, stamp
from conversations_hub.providers.sunshine.emulator.switches import SunshineSwitches
from conversations_hub.providers.sunshine.emulator.writes import OPERATIONS, Operation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from random import Random

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

Record = dict[str, Any]


class SunshineApi(Api):
    """One app of Sunshine Conversations, as a key of scope `app` sees it."""

    name: ClassVar[str] = "sunshine"
    prefix: ClassVar[str] = "/sc"

    def __init__(
        self, *, seed: int = 1, scale: float = 1.0, switches: SunshineSwitches | None = None
    ) -> None:
        self.switches: SunshineSwitches = switches or SunshineSwitches()
        corpus = Corpus(seed, "sunshine/credentials")
        self.app_id: str = corpus.hex(24)
        secret = urlsafe_b64encode(corpus.random.randbytes(64)).decode().rstrip("=")
        self.key: Key = Key(id=f"app_{corpus.hex(24)}", secret=secret)
        self.clock: Callable[[], float] = time.time
        """What signed tokens are judged by."""
        self.store: Store = Store(_app(self.app_id), Corpus(seed, "sunshine/store"))
        fill(self.store, Corpus(seed, "sunshine/seed"), scale)
        self._corpus = Corpus(seed, "sunshine/later")
        self._answered: deque[float] = deque()

    @property
    def settings(self) -> dict[str, Any]:
        """What a client needs besides the base URL; the users reach every conversation."""
        return {
            "app_id": self.app_id,
            "key_id": self.key.id,
            "secret": self.key.secret,
            "user_ids": list(self.store.users),
        }

    @property
    def arguments(self) -> dict[str, Any]:
        """The same as the provider class takes them."""
        settings = self.settings
        users = settings.pop("user_ids")
        return {**settings, "users": users}

    def routes(self) -> Iterable[web.RouteDef]:
        """Return the paths; legacy hosts have them without the prefix."""
        paths: dict[str, Handler] = {
            "": self._show_app,
            "/conversations": self._list_conversations,
            "/conversations/{conversation_id}": self._show_conversation,
            "/conversations/{conversation_id}/participants": self._list_participants,
            "/conversations/{conversation_id}/messages": self._list_messages,
            "/users": self._find_users,
            "/users/{user_key}": self._show_user,
            "/users/{user_key}/clients": self._list_clients,
            "/integrations": self._list_integrations,
            "/integrations/{integration_id}": self._show_integration,
            "/integrations/{integration_id}/webhooks": self._list_webhooks,
            "/integrations/{integration_id}/webhooks/{webhook_id}": self._show_webhook,
        }
        operations = [
            *(("GET", path, handler) for path, handler in paths.items()),
            *((each.method, each.path, self._handler(each)) for each in OPERATIONS),
        ]
        return [
            *(
                web.route(method, f"{prefix}/v2/apps/{{app_id}}{path}", handler)
                for prefix in (self.prefix, "")
                for method, path, handler in operations
            ),
            web.get(f"{PRIVATE_PATH}/{{file_id}}/{{name}}", self._download),
            web.get(f"{PUBLIC_PATH}/{{name}}", self._download),
        ]

    async def admit(self, request: web.Request) -> None:
        """Check the key, then the rate, then the app, then how far the key reaches."""
        if "app_id" not in request.match_info:
            return  # files have their own rules
        key = self._key_of(request)
        if key is None:
            raise unauthorized()
        self._count_request()
        if request.match_info["app_id"] != self.app_id or self.store.closed:
            raise missing("app")
        if key.integration is not None and not _is_in_reach(request, key.integration):
            raise forbidden()

    def missing_route(self, request: web.Request, status: int) -> web.Response:
        """Answer a path that is not there; strangers learn nothing."""
        del status
        error = unauthorized() if self._key_of(request) is None else not_found()
        return json_response(error.body, error.status)

    def failure(self, status: int) -> web.Response:
        """Answer in the shape of all errors; only the status is known of these (§5)."""
        if status == 429:
            return refusal(too_many(None))
        phrase = HTTPStatus(status).phrase
        return refusal(failed(status, phrase.lower().replace(" ", "_"), phrase))

    def expired(self, request: web.Request) -> web.Response | None:
        """Refuse a cursor as one of no record."""
        if not {"page[after]", "page[before]"} & request.query.keys():
            return None
        return refusal(not_found() if request.path.endswith("/messages") else invalid_page())

    def rows(self, body: Any) -> list[Any] | None:
        """Return the one list that an answer holds."""
        lists = body.values() if isinstance(body, dict) else ()
        return next((each for each in lists if isinstance(each, list)), None)

    def repeated(self, request: web.Request, body: Any) -> Any:
        """Send back the cursor that came."""
        way = "beforeCursor" if "page[before]" in request.query else "afterCursor"
        cursor = request.query.get("page[before]") or request.query.get("page[after]")
        if cursor is None or not self.rows(body):
            return None
        return body | {"meta": {"hasMore": True, way: cursor}}

    def vanish(self, request: web.Request, random: Random) -> bool:
        """Delete a message of the conversation whose messages are asked for."""
        conversation = request.match_info.get("conversation_id", "")
        if conversation not in self.store.conversations or not request.path.endswith("/messages"):
            return False
        left = [each["id"] for each in self.store.messages(conversation) if "deleted" not in each]
        if left:
            self.store.delete_message(conversation, random.choice(left))
        return bool(left)

    def conversation_ids(self) -> list[str]:
        """Return the ids of all conversations that somebody takes part in, by id."""
        store = self.store
        return sorted(each for each in store.conversations if store.participants(each))

    def message_ids(self, conversation: str) -> list[str]:
        """Return the ids of the messages, newest first."""
        return [message["id"] for message in newest_first(self._messages(conversation))]

    def participant_ids(self, conversation: str) -> list[str]:
        """Return the ids of the participants as they are listed."""
        ids = [participant["id"] for participant in self.store.participants(conversation)]
        return ids[::-1] if self.switches.list_order == "desc" else ids

    def messages_of(self, conversation: str) -> list[Record]:
        """Return the messages as they are stored, placeholders of deleted ones included."""
        return list(self.store.messages(conversation))

    def add_conversation(self) -> str:
        """Create a personal conversation for some user."""
        user_id = self._corpus.random.choice(list(self.store.users))
        conversation_id: str = self.store.create_conversation("personal", [user_id])["id"]
        return conversation_id

    def add_message(self, conversation: str) -> str:
        """Let one of the participants, or else the business, write something."""
        members = [each["userId"] for each in self.store.participants(conversation)]
        user = self.store.users[self._corpus.random.choice(members)] if members else {}
        scene = Scene(corpus=self._corpus, user=user, integrations={})
        content = {"type": "text", "text": scene.text}
        parts = scene.by_user(content) if members else scene.by_business(content)
        message_id: str = self.store.post_message(conversation, parts)["id"]
        return message_id

    def edit_message(self, conversation: str, message: str) -> None:
        """Do nothing: messages do not change."""

    def remove_message(self, conversation: str, message: str) -> None:
        """Delete a message."""
        self.store.delete_message(conversation, message)

    async def _show_app(self, _request: web.Request) -> web.Response:
        return self._answer({"app": self.store.app})

    async def _list_conversations(self, request: web.Request) -> web.Response:
        user = self._filtered_user(request)
        return self._page(request, "conversations", self.store.conversations_of(user["id"]))

    async def _show_conversation(self, request: web.Request) -> web.Response:
        return self._answer({"conversation": self._conversation(request)})

    async def _list_participants(self, request: web.Request) -> web.Response:
        conversation = self._conversation(request)
        return self._page(request, "participants", self.store.participants(conversation["id"]))

    async def _list_messages(self, request: web.Request) -> web.Response:
        messages = self._messages(self._conversation(request)["id"])
        if self.switches.read_lag:
            shown = stamp(datetime.now(UTC) - timedelta(seconds=self.switches.read_lag))
            messages = [message for message in messages if message["received"] <= shown]
        query = PageQuery.read(request.query, self.switches.message_page)
        if not self._admits(messages, query.cursor):
            raise not_found()
        window = message_window(messages, query)
        ordered = window.records[:: 1 if self.switches.message_order == "asc" else -1]
        places, media = Places.of(request), self.switches.media
        records = [placed(each, places, media, self.store.files) for each in ordered]
        body = {"messages": records, **neighbours(request, window, query, self.switches)}
        return self._answer(body)

    async def _find_users(self, request: web.Request) -> web.Response:
        email = request.query.get("filter[identities.email]")
        if not email:
            raise invalid_query()
        return self._answer(
            {"users": self.store.users_by_email(email, request.query.get("brandId"))}
        )

    async def _show_user(self, request: web.Request) -> web.Response:
        return self._answer({"user": self._user(request)})

    async def _list_clients(self, request: web.Request) -> web.Response:
        user = self._user(request)
        return self._page(request, "clients", self.store.clients_of(user["id"]))

    async def _list_integrations(self, request: web.Request) -> web.Response:
        types = request.query.get("filter[types]")
        kept = [
            integration
            for integration in self.store.integrations.values()
            if types is None or integration["type"] in types.split(",")
        ]
        return self._page(request, "integrations", kept)

    async def _show_integration(self, request: web.Request) -> web.Response:
        return self._answer({"integration": (await self._ask(request)).integration()})

    async def _list_webhooks(self, request: web.Request) -> web.Response:
        integration = (await self._ask(request)).integration()
        return self._answer({"webhooks": self.store.webhooks[integration["id"]]})

    async def _show_webhook(self, request: web.Request) -> web.Response:
        webhooks = self.store.webhooks[(await self._ask(request)).integration()["id"]]
        wanted = request.match_info["webhook_id"]
        webhook = next((each for each in webhooks if each["id"] == wanted), None)
        if webhook is None:
            raise not_found()
        return self._answer({"webhook": webhook})

    async def _download(self, request: web.Request) -> web.Response:
        foreign, key = is_foreign(request), self._key_of(request)
        if foreign and "Authorization" in request.headers:
            return storage_error(400, "InvalidArgument", "Only one auth mechanism allowed")
        path = path_of(request.raw_path)
        open_to_all = self.switches.media == "public" or path.startswith(PUBLIC_PATH)
        if not foreign and not open_to_all and key is None:
            raise unauthorized()
        file = self.store.files.get(path)
        if file is None:
            return storage_error(404, "NoSuchKey", "The specified key does not exist.")
        return web.Response(body=file.content(), headers={"Content-Type": file.media_type})

    def _handler(self, operation: Operation) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            return self._answer(operation.rule(await self._ask(request)), operation.status)

        return handle

    async def _ask(self, request: web.Request) -> Ask:
        key = self._key_of(request)
        return Ask(
            store=self.store,
            switches=self.switches,
            ids=request.match_info,
            query=request.query,
            raw=await request.read(),
            content_type=request.headers.get("Content-Type", ""),
            places=Places.of(request),
            integration_id=key.integration if key else None,
        )

    def _key_of(self, request: web.Request) -> Key | None:
        header = request.headers.get("Authorization", "")
        made = (
            Key(id=key["id"], secret=key["secret"], integration=integration_id)
            for integration_id, keys in self.store.keys.items()
            for key in keys
        )
        now, leeway = self.clock(), self.switches.leeway
        return next((key for key in (self.key, *made) if key.opens(header, now, leeway)), None)

    def _page(self, request: web.Request, key: str, records: Sequence[Record]) -> web.Response:
        query = PageQuery.read(request.query)
        if not self._admits(records, query.cursor):
            generic = self.switches.unknown_cursor == "generic"
            raise bad_request("Bad request") if generic else invalid_page()
        descending = self.switches.list_order == "desc"
        window = forward_window(records, query, descending=descending)
        body = {key: window.records, **neighbours(request, window, query, self.switches)}
        return self._answer(body)

    def _admits(self, records: Sequence[Record], cursor: str | None) -> bool:
        return self.switches.unknown_cursor == "position" or knows(records, cursor)

    def _answer(self, body: Record, status: int = 200) -> web.Response:
        keys, values = self.switches.unknown_keys, self.switches.unknown_values
        if keys or values:
            body = novel(body, keys=keys, values=values)
        return json_response(body, status)

    def _messages(self, conversation_id: str) -> Sequence[Record]:
        messages = self.store.messages(conversation_id)
        if self.switches.deleted == "removed":
            return [message for message in messages if not message.get("deleted")]
        if self.switches.deleted == "emptied":
            return [_emptied(message) for message in messages]
        return messages

    def _conversation(self, request: web.Request) -> Record:
        return self.store.find_conversation(request.match_info["conversation_id"])

    def _user(self, request: web.Request) -> Record:
        return self.store.find_user(request.match_info["user_key"], request.query.get("brandId"))

    def _filtered_user(self, request: web.Request) -> Record:
        user_id = request.query.get("filter[userId]")
        external_id = request.query.get("filter[userExternalId]")
        if (user_id is None) == (external_id is None):
            raise invalid_query()
        user = (
            self.store.user_by_external_id(external_id)
            if external_id is not None
            else self.store.users.get(user_id or "")
        )
        if user is None:
            raise missing("user")
        return user

    def _count_request(self) -> None:
        limit, window = self.switches.rate_limit, self.switches.rate_window
        if limit is None:
            return
        now = time.monotonic()
        while self._answered and self._answered[0] <= now - window:
            self._answered.popleft()
        if len(self._answered) >= limit:
            wait = self._answered[0] + window - now if self._answered else window
            raise too_many(math.ceil(wait) if self.switches.retry_after else None)
        self._answered.append(now)


def _app(app_id: str) -> Record:
    settings = {
        "appLocalizationEnabled": True,
        "echoPostback": False,
        "maskCreditCardNumbers": True,
        "multiConvoEnabled": True,
        "useAnimalNames": False,
    }
    return {"id": app_id, "displayName": "Acme", "subdomain": "acme", "settings": settings}


def _emptied(message: Record) -> Record:
    return (
        {**message, "content": {"type": "text", "text": ""}} if message.get("deleted") else message
    )


def _is_in_reach(request: web.Request, integration_id: str) -> bool:
    """Tell whether an integration's key may call this; of webhooks, its own (§1)."""
    route = request.match_info.route.resource
    path = route.canonical.partition("{app_id}")[2] if route else ""
    if "/webhooks" in path:
        return request.match_info["integration_id"] in ("me", integration_id)
    return path != "" and not path.startswith("/integrations")
