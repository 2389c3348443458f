"""Puts Circuit's API together: who may ask, which paths there are, what tests compare with."""

from __future__ import annotations

from hashlib import sha256
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from aiohttp import web

from conversations_hub.emulator.corpus import Corpus
from conversations_hub.emulator.server import Api, refusal
from conversations_hub.providers.circuit.emulator.arguments import denied, invalid
from conversations_hub.providers.circuit.emulator.files import Files
from conversations_hub.providers.circuit.emulator.hooks import Hooks
from conversations_hub.providers.circuit.emulator.kinds import rich
from conversations_hub.providers.circuit.emulator.oauth import CircuitOAuth
from conversations_hub.providers.circuit.emulator.paging import Pointers
from conversations_hub.providers.circuit.emulator.reads import Reads, newest_first
from conversations_hub.providers.circuit.emulator.records import Json
from conversations_hub.providers.circuit.emulator.seed import seeded
from conversations_hub.providers.circuit.emulator.store import ROLES, Store
from conversations_hub.providers.circuit.emulator.switches import CircuitSwitches
from conversations_hub.providers.circuit.emulator.writes import Writes

if TYPE_CHECKING:
    from collections.abc import Iterable

POINTERS = ("searchPointer", "nextPagePointer")
LISTS = ("participantList", "conversationList")
UNGUARDED = {
    ("POST", "/webhooks/incoming/{webhookId}"),
    ("GET", "/files/{fileId}"),
    ("GET", "/oauth/authorize"),
    ("POST", "/oauth/token"),
}
"""Whoever knows these addresses may use them, and OAuth looks itself."""
EVENTS = {
    "CONVERSATION.ADD_ITEM": ("itemAdded", "item"),
    "CONVERSATION.UPDATE_ITEM": ("itemUpdated", "item"),
    "CONVERSATION.CREATE": ("conversationCreated", "conversation"),
    "CONVERSATION.UPDATE": ("conversationUpdated", "conversation"),
}


class CircuitApi(Api):
    """Circuit's REST API version 2, as one user of one tenant sees it."""

    name: ClassVar[str] = "circuit"
    prefix: ClassVar[str] = "/rest/v2"

    def __init__(
        self, *, seed: int = 1, scale: float = 1.0, switches: CircuitSwitches | None = None
    ) -> None:
        self.switches: CircuitSwitches = switches or CircuitSwitches()
        self.store: Store = seeded(seed, scale)
        self._corpus = Corpus(seed, "circuit/api")
        self._token = self._corpus.hex(32)
        self.oauth: CircuitOAuth = CircuitOAuth(self, seed)
        self._reads = Reads(self, pointers=Pointers(self._corpus))

    @property
    def settings(self) -> dict[str, Any]:
        """Return the token, and whom conversations can be held with, the caller first."""
        user_ids = [
            user_id
            for user_id, user in self.store.users.items()
            if (user["userType"], user["userState"]) == ("REGULAR", "ACTIVE")
        ]
        return {"token": self._token, "user_ids": user_ids}

    @property
    def arguments(self) -> dict[str, Any]:
        """Return the token alone."""
        return {"token": self._token}

    def routes(self) -> Iterable[web.RouteDef]:
        """List the operations, below the documented prefix and the one without version."""
        for part in (self._reads, Writes(self), Hooks(self), Files(self)):
            yield from part.routes()
        yield from self.oauth.routes()

    async def admit(self, request: web.Request) -> None:
        """Ask for the token as a Bearer."""
        if self._unguarded(request):
            return
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        works = token == self._token or self.oauth.accepts(token)
        if kind.casefold() != "bearer" or not works:
            raise denied(401, "Invalid Token Error")

    def missing_route(self, request: web.Request, status: int) -> web.Response:
        """Answer without a body; the description is silent about such requests."""
        del request
        return web.Response(status=status)

    def failure(self, status: int) -> web.Response:
        """Answer in the one shape of errors that is known."""
        return refusal(denied(status, HTTPStatus(status).phrase))

    def expired(self, request: web.Request) -> web.Response | None:
        """Refuse a pointer; lists by time have none."""
        if not set(POINTERS) & request.query.keys():
            return None
        return refusal(invalid("The pointer is unknown or has expired."))

    def rows(self, body: Any) -> list[Any] | None:
        """Return the list that an answer is, or holds."""
        if isinstance(body, dict):
            return next((body[name] for name in LISTS if name in body), None)
        if not isinstance(body, list):
            return None
        inside = self.rows(body[0]) if len(body) == 1 and isinstance(body[0], dict) else None
        return body if inside is None else inside

    def repeated(self, request: web.Request, body: Any) -> Any:
        """Send back the pointer that came; lists by time have none."""
        known = {name: request.query[name] for name in POINTERS if name in request.query}
        if not known or not isinstance(body, dict):
            return None
        return body | known | {"hasMore": True}

    def conversation_ids(self) -> list[str]:
        """Return the caller's conversations, last modified first."""
        mine = sorted(self.store.mine(), key=newest_first, reverse=True)
        return [conversation["convId"] for conversation in mine]

    def message_ids(self, conversation: str) -> list[str]:
        """Return a conversation's items, last modified first."""
        items = self.store.items[conversation].values()
        return [item["itemId"] for item in sorted(items, key=newest_first, reverse=True)]

    def participant_ids(self, conversation: str) -> list[str]:
        """Return the roster as walks through the types find it."""
        walks = (self._reads.of_type(conversation, role) for role in ROLES)
        return list(dict.fromkeys(user_id for walk in walks for user_id in walk))

    def messages_of(self, conversation: str) -> list[Json]:
        """Return a conversation's items as the store keeps them, deleted ones included."""
        return list(self.store.items[conversation].values())

    def add_conversation(self) -> str:
        """Let somebody start a group with the caller."""
        peers = self._corpus.random.sample(self.settings["user_ids"][1:], 3)
        roster = {one: self.store.role(one) for one in (*peers, self.store.me)}
        topic = self._corpus.topic()
        made = self.store.create_conversation("GROUP", peers[0], roster, topic=topic)
        conv_id: str = made["convId"]
        return conv_id

    def add_message(self, conversation: str) -> str:
        """Let the participants write in turns."""
        members = self.store.conversations[conversation]["participants"]
        author = members[len(self.store.items[conversation]) % len(members)]
        text = {"contentType": "RICH", "content": rich(self._corpus.text())}
        item_id: str = self.store.add_text(conversation, author, text)["itemId"]
        return item_id

    def edit_message(self, conversation: str, message: str) -> None:
        """Let the author change a text; `Refusal` for anything else."""
        del conversation
        self.store.edit_text(message, {"content": rich(self._corpus.text())})

    def remove_message(self, conversation: str, message: str) -> None:
        """Let the author delete a text; `Refusal` for anything else."""
        del conversation
        self.store.delete_text(message)

    def event(self, kind: str, record: Json) -> Json:
        """Return what a webhook is sent about an item or a conversation."""
        older_name, member = EVENTS[kind]
        dotted = self.switches.webhook_types == "dotted"
        return {"type": kind if dotted else older_name, member: record}

    def signature(self, file_id: str) -> str:
        """Return what makes the address of a file on another host a secret."""
        return sha256(f"{self._token}/{file_id}".encode()).hexdigest()[:32]

    def foreign_url(self, request: web.Request, file_id: str) -> str:
        """Return the address of a file on another host: this port under another name."""
        query = f"signature={self.signature(file_id)}"
        return f"http://localhost:{request.url.port}/files/{file_id}?{query}"

    def _unguarded(self, request: web.Request) -> bool:
        resource = request.match_info.route.resource
        path = resource.canonical.removeprefix(self.prefix) if resource else ""
        if self.switches.downloads == "open" and (request.method, path) == ("GET", "/fileapi"):
            return True
        return (request.method, path.removeprefix("/rest")) in UNGUARDED
