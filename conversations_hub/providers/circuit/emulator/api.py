"""Answers Circuit's read operations from a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from aiohttp import web

from conversations_hub.emulator.corpus import Corpus
from conversations_hub.emulator.server import Api, json_response
from conversations_hub.providers.circuit.emulator import search
from conversations_hub.providers.circuit.emulator.arguments import (
    EMAIL,
    UUID,
    Arguments,
    denied,
    invalid,
)
from conversations_hub.providers.circuit.emulator.kinds import rich
from conversations_hub.providers.circuit.emulator.paging import Pointers, Window
from conversations_hub.providers.circuit.emulator.seed import seeded
from conversations_hub.providers.circuit.emulator.store import ROLES, Json, Refusal, Store, wire
from conversations_hub.providers.circuit.emulator.switches import CircuitSwitches

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    Handler = Callable[[web.Request], Any]

TRUNCATED = 8
BRIEF = (
    "userId", "displayName", "firstName", "lastName", "emailAddress", "userType", "userState",
    "avatar",
)  # fmt: skip
EVENTS = {
    "CONVERSATION.ADD_ITEM": ("itemAdded", "item"),
    "CONVERSATION.UPDATE_ITEM": ("itemUpdated", "item"),
    "CONVERSATION.CREATE": ("conversationCreated", "conversation"),
    "CONVERSATION.UPDATE": ("conversationUpdated", "conversation"),
}


def newest_first(record: Json) -> tuple[int, str]:
    """Return the key that orders conversations and items, to be sorted in reverse."""
    return record["modificationTime"], record.get("itemId") or record["convId"]


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
        self._pointers = Pointers(self._corpus)

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
        """List the read operations, below the documented prefix and the one without version."""
        reads: dict[str, Handler] = {
            "/conversations": self._list_conversations,
            "/conversations/byIds": self._list_by_ids,
            "/conversations/community": self._list_communities,
            "/conversations/conversationdetails": self._list_details,
            "/conversations/direct": self._show_direct,
            "/conversations/favorite": self._list_favorites,
            "/conversations/label/{labelId}": self._list_by_label,
            "/conversations/messages/flag": self._list_flagged,
            "/conversations/messages/{itemId}": self._show_item,
            "/conversations/resolveinvitetoken": self._resolve_invitation,
            "/conversations/search": self._search,
            "/conversations/{convId}": self._show_conversation,
            "/conversations/{convId}/conversationdetails": self._show_details,
            "/conversations/{convId}/items": self._list_items,
            "/conversations/{convId}/messages/flag": self._list_flagged_here,
            "/conversations/{convId}/participants": self._list_participants,
            "/conversations/{convId}/pins": self._list_pins,
            "/users": self._search_users,
            "/users/labels": self._list_labels,
            "/users/list": self._list_users,
            "/users/presence": self._list_presences,
            "/users/profile": self._show_profile,
            "/users/supportinfo": self._show_support,
            "/users/{id}": self._show_user,
            "/users/{id}/presence": self._show_presence,
            "/users/{id}/getUserByEmail": self._show_user_by_email,
            "/webhooks": self._list_webhooks,
            "/webhooks/incoming/user/{userId}": self._list_incoming_webhooks,
            "/webhooks/{id}": self._show_webhook,
        }
        for prefix in (self.prefix, "/rest"):
            for path, handler in reads.items():
                yield web.get(prefix + path, self._answering(handler))
        yield web.get("/fileapi", self._answering(self._download))

    async def admit(self, request: web.Request) -> None:
        """Ask for the token as a Bearer."""
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.casefold() != "bearer" or token != self._token:
            raise denied(401, "Invalid Token Error")

    def missing_route(self, request: web.Request) -> web.Response:
        """Answer without a body; the description is silent about such requests."""
        error = request.match_info.http_exception
        return web.Response(status=error.status if error else 404)

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
        walks = (self._of_type(conversation, role) for role in ROLES)
        return list(dict.fromkeys(user_id for walk in walks for user_id in walk))

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

    # Conversations.

    def _list_conversations(self, request: web.Request) -> list[Json]:
        def stamp(conversation: Json) -> tuple[int, str]:
            conv_id = conversation["convId"]
            if self.switches.conversation_sort == "last_item":
                return self.store.activity(conv_id), conv_id
            return newest_first(conversation)

        window = self._window(Arguments(request.query))
        return self._shown(window.page(self.store.mine(), stamp, self.switches))

    def _list_by_ids(self, request: web.Request) -> list[Json]:
        mine = {one["convId"]: one for one in self.store.mine()}
        wanted = dict.fromkeys(Arguments(request.query).several("convIds"))
        return self._shown(mine[conv_id] for conv_id in wanted if conv_id in mine)

    def _list_communities(self, request: web.Request) -> list[Json]:
        arguments = Arguments(request.query)
        order = arguments.choice("order", ("ASCENDING", "DESCENDING"), "ASCENDING")
        sort = arguments.choice("sort", tuple(search.COMMUNITY_SORTS), "ALPHABETICALLY")
        start = arguments.number("startIndex", 0, 255, 0)
        results = arguments.number("results", 1, 100, 25)
        found = self.store.communities(arguments.flag("includeOwn"))
        key = search.COMMUNITY_SORTS[sort]
        found.sort(key=lambda one: key(self.store, one), reverse=order == "DESCENDING")
        return self._shown(found[start : start + results])

    def _list_details(self, request: web.Request) -> list[Json]:
        wanted = Arguments(request.query).several("convIds")
        return [self._details(request, conv_id) for conv_id in wanted]

    def _show_direct(self, request: web.Request) -> Json | web.Response:
        user = self._user(Arguments(request.query).required("participant"))
        if user is None:
            raise invalid("The user does not exist.")
        if user["userId"] == self.store.me:
            raise invalid("The user is the same who initiates the request.")
        found = self.store.direct(user["userId"])
        if found is not None:
            return self._show(found)
        if self.switches.missing_direct == "404":
            raise denied(404, "The conversation does not exist.")
        return web.Response(status=204 if self.switches.missing_direct == "204" else 200)

    def _list_favorites(self, _: web.Request) -> list[str]:
        return list(self.store.favorites)

    def _list_by_label(self, request: web.Request) -> Json:
        arguments, label_id = Arguments(request.query), request.match_info["labelId"]
        size = arguments.number("pageSize", 1, 100, 25)
        if label_id not in self.store.labels:
            raise invalid("The label does not exist.")

        def rows() -> list[Json]:
            labelled = self.store.labelled[label_id]
            mine = [one for one in self.store.mine() if one["convId"] in labelled]
            return sorted(mine, key=newest_first, reverse=True)

        pointer = arguments.text("nextPagePointer")
        page, end = self._pointed(("label", label_id), pointer, size, rows)
        return {"conversationList": self._shown(page)} | wire(
            hasMore=end["hasMore"], nextPagePointer=end["pointer"]
        )

    def _resolve_invitation(self, request: web.Request) -> Json:
        token = Arguments(request.query).required("token")
        conv_id = self.store.invitations.get(token)
        if conv_id is None or not self.store.takes_part(conv_id):
            raise denied(404, "The token does not exist.")
        return self._show(self.store.conversations[conv_id])

    def _search(self, request: web.Request) -> Json:
        arguments = Arguments(request.query)
        term = arguments.required("term")
        scope = arguments.choice("scope", search.SCOPES, "ALL")
        deep = arguments.flag("includeItemIds")
        return {"matchingConversations": search.conversations(self.store, term, scope, deep)}

    def _show_conversation(self, request: web.Request) -> Json:
        return self._show(self._conversation(request))

    def _show_details(self, request: web.Request) -> Json:
        return self._details(request, request.match_info["convId"])

    def _list_participants(self, request: web.Request) -> Json | list[Json]:
        conv_id, arguments = self._conversation(request)["convId"], Arguments(request.query)
        size = arguments.number("pageSize", 1, 25, None)
        name, role = arguments.text("name"), arguments.choice("type", ROLES, "REGULAR")

        def rows() -> list[Json]:
            walk = [self.store.participant(conv_id, one) for one in self._of_type(conv_id, role)]
            return [one for one in walk if search.named(one, name or "")]

        pointer = arguments.text("searchPointer")
        page, end = self._pointed((conv_id, role, name), pointer, size, rows)
        reply = {"participantList": page} | wire(
            searchPointer=end["pointer"], hasMore=end["hasMore"]
        )
        return reply if self.switches.participants_reply == "object" else [reply]

    # Items.

    def _list_items(self, request: web.Request) -> list[Json]:
        conv_id = self._conversation(request)["convId"]
        window = self._window(Arguments(request.query))
        return window.page(self.store.items[conv_id].values(), newest_first, self.switches)

    def _show_item(self, request: web.Request) -> Json:
        return self.store.item(request.match_info["itemId"])

    def _list_flagged(self, _: web.Request) -> list[Json]:
        return self.store.flagged()

    def _list_flagged_here(self, request: web.Request) -> list[Json]:
        conv_id = self._conversation(request)["convId"]
        return [item for item in self.store.flagged() if item["convId"] == conv_id]

    def _list_pins(self, request: web.Request) -> list[Json]:
        return list(self.store.pins[self._conversation(request)["convId"]].values())

    def _download(self, request: web.Request) -> web.Response:
        file_id = Arguments(request.query).required("fileid")
        file = search.attachment(self.store, file_id)
        if file is None:
            raise denied(404, "The file does not exist.")
        kind = file.get("mimeType", "application/octet-stream")
        return web.Response(body=bytes(file["size"]), content_type=kind)

    # Users and webhooks.

    def _search_users(self, request: web.Request) -> list[Json]:
        term = Arguments(request.query).required("name")
        hidden = self.store.unresolvable
        users = [user for user_id, user in self.store.users.items() if user_id not in hidden]
        found = [user for user in users if search.named(user, term)]
        if not found:
            raise denied(404, "The search term did not match any results.")
        return found

    def _list_users(self, request: web.Request) -> list[Json]:
        arguments = Arguments(request.query)
        full, secondary = arguments.flag("returnFullUserInfo"), arguments.flag("secondaryLookup")
        names = dict.fromkeys(arguments.several("name"))
        found = [user for name in names if (user := self._user(name, secondary))]
        if not found:
            raise denied(404, "No user was found.")
        return found if full else [{k: user[k] for k in BRIEF if k in user} for user in found]

    def _show_user(self, request: web.Request) -> Json:
        return self._existing_user(request.match_info["id"])

    def _show_user_by_email(self, request: web.Request) -> Json:
        secondary = Arguments(request.query).flag("secondaryLookup")
        address = request.match_info["id"]
        user = self.store.user(address, secondary) if EMAIL.fullmatch(address) else None
        if user is None:
            raise denied(404, "User not found or not a session guest.")
        return user

    def _show_profile(self, _: web.Request) -> Json:
        return self.store.users[self.store.me]

    def _list_presences(self, request: web.Request) -> list[Json]:
        names = Arguments(request.query).several("userIds")
        return [self.store.presences[self._existing_user(name)["userId"]] for name in names]

    def _show_presence(self, request: web.Request) -> Json:
        return self.store.presences[self._existing_user(request.match_info["id"])["userId"]]

    def _list_labels(self, _: web.Request) -> list[Json]:
        return list(self.store.labels.values())

    def _show_support(self, _: web.Request) -> Json:
        return self.store.support

    def _list_webhooks(self, _: web.Request) -> list[Json]:
        return list(self.store.webhooks.values())

    def _show_webhook(self, request: web.Request) -> Json:
        hook_id = request.match_info["id"]
        if not UUID.fullmatch(hook_id):
            raise invalid("The data format of the given id does not match a UUID.")
        if hook_id not in self.store.webhooks:
            raise denied(404, "The webHook does not exist.")
        return self.store.webhooks[hook_id]

    def _list_incoming_webhooks(self, request: web.Request) -> list[Json]:
        arguments = Arguments(request.query)
        size = arguments.number("pagesize", 1, 100, 25)
        if arguments.text("searchpointer") is not None:
            # The reply is a bare array: no pointer was ever given out.
            raise invalid("searchpointer: unknown.")
        user_id = request.match_info["userId"]
        hooks = [one for one in self.store.incoming_webhooks.values() if one["userId"] == user_id]
        root = f"{request.url.origin()}{self.prefix}/webhooks/incoming"
        return [hook | {"url": f"{root}/{hook['webhookId']}"} for hook in hooks[:size]]

    # The parts of the above.

    def _answering(self, handler: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(request: web.Request) -> web.Response:
            try:
                body = handler(request)
            except Refusal as refusal:
                raise invalid(str(refusal)) from refusal
            if isinstance(body, web.Response):
                return body
            return self._nothing() if body == [] else json_response(body)

        return answer

    def _nothing(self) -> web.Response:
        if self.switches.empty_list == "array":
            return json_response([])
        return web.Response(status=204 if self.switches.empty_list == "204" else 200)

    def _window(self, arguments: Arguments) -> Window:
        direction = arguments.choice("direction", ("BEFORE", "AFTER"), "BEFORE")
        edge = arguments.instant("modTime")
        return Window(
            # A request arrives a moment after the last change.
            edge=self.store.clock.now + 1 if edge is None else edge,
            backward=direction == "BEFORE",
            results=arguments.number("results", 1, 100, 25),
        )

    def _pointed(
        self,
        search_key: tuple[str | None, ...],
        pointer: str | None,
        size: int,
        rows: Callable[[], list[Json]],
    ) -> tuple[list[Json], Json]:
        """Return a page, and what its end says: `hasMore` and the pointer, None where absent."""
        found = rows() if pointer is None else self._pointers.resume(search_key, pointer)
        if found is None:
            raise invalid("The pointer is unknown or has expired.")
        page, rest = found[:size], found[size:]
        if not rest and self.switches.last_pointer == "absent":
            return page, {"hasMore": None, "pointer": None}
        more = bool(rest) if self.switches.has_more == "bool" else str(bool(rest)).lower()
        return page, {"hasMore": more, "pointer": self._pointers.keep(search_key, rest)}

    def _of_type(self, conv_id: str, role: str) -> list[str]:
        roles = {role}
        if role == "REGULAR" and self.switches.regular_includes_moderators:
            roles.add("MODERATOR")
        return [user_id for user_id, one in self.store.rosters[conv_id].items() if one in roles]

    def _conversation(self, request: web.Request) -> Json:
        return self.store.conversation(request.match_info["convId"])

    def _details(self, request: web.Request, conv_id: str) -> Json:
        self.store.conversation(conv_id)
        details = self.store.details[conv_id]
        return details | {"link": f"{request.url.origin()}{details['link']}"}

    def _user(self, name: str, secondary: bool = False) -> Json | None:
        if not UUID.fullmatch(name) and not EMAIL.fullmatch(name):
            raise invalid("The data format matches neither a UUID nor a valid email address.")
        return self.store.user(name, secondary)

    def _existing_user(self, name: str) -> Json:
        user = self._user(name)
        if user is None:
            raise denied(404, "The user does not exist.")
        return user

    def _show(self, conversation: Json) -> Json:
        if not self.switches.truncate_participants:
            return conversation
        return conversation | {"participants": conversation["participants"][:TRUNCATED]}

    def _shown(self, conversations: Iterable[Json]) -> list[Json]:
        return [self._show(conversation) for conversation in conversations]
