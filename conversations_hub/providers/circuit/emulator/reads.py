"""Answers Circuit's read operations from a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from attrs import field, frozen

from conversations_hub.providers.circuit.emulator import search
from conversations_hub.providers.circuit.emulator.arguments import (
    Arguments,
    denied,
    invalid,
    query_of,
)
from conversations_hub.providers.circuit.emulator.handlers import Handlers
from conversations_hub.providers.circuit.emulator.members import Members
from conversations_hub.providers.circuit.emulator.paging import Pointers, Window
from conversations_hub.providers.circuit.emulator.records import Json, wire
from conversations_hub.providers.circuit.emulator.registry import Registry
from conversations_hub.providers.circuit.emulator.store import EMAIL, ROLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from conversations_hub.providers.circuit.emulator.handlers import Handler


BRIEF = (
    "userId", "displayName", "firstName", "lastName", "emailAddress", "userType", "userState",
    "avatar",
)  # fmt: skip


def newest_first(record: Json) -> tuple[int, str]:
    """Return the key that orders conversations and items, to be sorted in reverse."""
    return record["modificationTime"], record.get("itemId") or record["convId"]


@frozen
class Reads(Handlers):
    """The handlers of everything that is only looked at."""

    _pointers: Pointers = field(kw_only=True, alias="pointers")

    def routes(self) -> Iterable[web.RouteDef]:
        """Yield the paths, literals before templates."""
        table: dict[str, Handler] = {
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
        for path, handler in table.items():
            yield from self.at_both(web.get, path, self.reading(handler))

    # Conversations.

    def _list_conversations(self, request: web.Request) -> list[Json]:
        def stamp(conversation: Json) -> tuple[int, str]:
            conv_id = conversation["convId"]
            if self.switches.conversation_sort == "last_item":
                return self.store.activity(conv_id), conv_id
            return newest_first(conversation)

        window = self._window(query_of(request))
        return self.all_shown(window.page(self.store.mine(), stamp, self.switches))

    def _list_by_ids(self, request: web.Request) -> list[Json]:
        mine = {one["convId"]: one for one in self.store.mine()}
        wanted = dict.fromkeys(query_of(request).several("convIds"))
        return self.all_shown(mine[conv_id] for conv_id in wanted if conv_id in mine)

    def _list_communities(self, request: web.Request) -> list[Json]:
        arguments = query_of(request)
        order = arguments.choice("order", ("ASCENDING", "DESCENDING"), "ASCENDING")
        sort = arguments.choice("sort", tuple(search.COMMUNITY_SORTS), "ALPHABETICALLY")
        start = arguments.number("startIndex", 0, 255, 0)
        results = arguments.number("results", 1, 100, 25)
        found = self.store.communities(arguments.flag("includeOwn"))
        key = search.COMMUNITY_SORTS[sort]
        found.sort(key=lambda one: key(self.store, one), reverse=order == "DESCENDING")
        return self.all_shown(found[start : start + results])

    def _list_details(self, request: web.Request) -> list[Json]:
        wanted = query_of(request).several("convIds")
        return [self._details_of(request, conv_id) for conv_id in wanted]

    def _show_direct(self, request: web.Request) -> Json | web.Response:
        peer = Members(self.store, self.switches).peer(query_of(request).required("participant"))
        found = self.store.direct(peer)
        if found is not None:
            return self.shown(found)
        if self.switches.missing_direct == "404":
            raise denied(404, "The conversation does not exist.")
        return web.Response(status=204 if self.switches.missing_direct == "204" else 200)

    def _list_favorites(self, _: web.Request) -> list[str]:
        return [one for one in self.store.favorites if self.store.takes_part(one)]

    def _list_by_label(self, request: web.Request) -> Json:
        arguments, label_id = query_of(request), request.match_info["labelId"]
        size = arguments.number("pageSize", 1, 100, 25)
        if label_id not in self.store.labels:
            raise invalid("The label does not exist.")

        def rows() -> list[Json]:
            labelled = self.store.labelled[label_id]
            mine = [one for one in self.store.mine() if one["convId"] in labelled]
            return sorted(mine, key=newest_first, reverse=True)

        pointer = arguments.text("nextPagePointer")
        page, end = self._pointed(("label", label_id), pointer, size, rows)
        return self._held(conversationList=self.all_shown(page)) | wire(
            hasMore=end["hasMore"], nextPagePointer=end["pointer"]
        )

    def _resolve_invitation(self, request: web.Request) -> Json:
        token = query_of(request).required("token")
        conv_id = self.store.invitations.get(token)
        if conv_id is None or not self.store.takes_part(conv_id):
            raise denied(404, "The token does not exist.")
        return self.shown(self.store.conversations[conv_id])

    def _search(self, request: web.Request) -> Json:
        arguments = query_of(request)
        term = arguments.required("term")
        scope = arguments.choice("scope", search.SCOPES, "ALL")
        deep = arguments.flag("includeItemIds")
        found = search.conversations(self.store, term, scope, deep)
        return self._held(matchingConversations=found)

    def _show_conversation(self, request: web.Request) -> Json:
        return self.shown(self.conversation(request))

    def _show_details(self, request: web.Request) -> Json:
        return self._details_of(request, request.match_info["convId"])

    def _list_participants(self, request: web.Request) -> Json | list[Json]:
        conv_id, arguments = self.conversation(request)["convId"], query_of(request)
        size = arguments.number("pageSize", 1, 25, None)
        name, role = arguments.text("name"), arguments.choice("type", ROLES, "REGULAR")

        def rows() -> list[Json]:
            walk = [self.store.participant(conv_id, one) for one in self.of_type(conv_id, role)]
            return [one for one in walk if search.named(one, name or "")]

        pointer = arguments.text("searchPointer")
        page, end = self._pointed((conv_id, role, name), pointer, size, rows)
        reply = self._held(participantList=page) | wire(
            searchPointer=end["pointer"], hasMore=end["hasMore"]
        )
        return reply if self.switches.participants_reply == "object" else [reply]

    # Items.

    def _list_items(self, request: web.Request) -> list[Json]:
        conv_id = self.conversation(request)["convId"]
        window = self._window(query_of(request))
        page = window.page(self.store.items[conv_id].values(), newest_first, self.switches)
        return self.items_shown(request, page)

    def _show_item(self, request: web.Request) -> Json:
        return self.item_shown(request, self.store.item(request.match_info["itemId"]))

    def _list_flagged(self, request: web.Request) -> list[Json]:
        return self.items_shown(request, self.store.flagged())

    def _list_flagged_here(self, request: web.Request) -> list[Json]:
        conv_id = self.conversation(request)["convId"]
        here = [item for item in self.store.flagged() if item["convId"] == conv_id]
        return self.items_shown(request, here)

    def _list_pins(self, request: web.Request) -> list[Json]:
        return list(self.store.pins[self.conversation(request)["convId"]].values())

    # Users and webhooks.

    def _search_users(self, request: web.Request) -> list[Json]:
        term = query_of(request).required("name")
        hidden = self.store.unresolvable
        users = [user for user_id, user in self.store.users.items() if user_id not in hidden]
        found = [user for user in users if search.named(user, term)]
        if not found:
            raise denied(404, "The search term did not match any results.")
        return found

    def _list_users(self, request: web.Request) -> list[Json]:
        arguments = query_of(request)
        full, secondary = arguments.flag("returnFullUserInfo"), arguments.flag("secondaryLookup")
        names = dict.fromkeys(arguments.several("name"))
        found = [user for name in names if (user := self.store.user(name, secondary))]
        if not found:
            raise denied(404, "No user was found.")
        return found if full else [{k: user[k] for k in BRIEF if k in user} for user in found]

    def _show_user(self, request: web.Request) -> Json:
        return self.existing_user(request.match_info["id"])

    def _show_user_by_email(self, request: web.Request) -> Json:
        secondary = query_of(request).flag("secondaryLookup")
        address = request.match_info["id"]
        user = self.store.user(address, secondary) if EMAIL.fullmatch(address) else None
        if user is None:
            raise denied(404, "User not found or not a session guest.")
        return user

    def _show_profile(self, _: web.Request) -> Json:
        return self.store.users[self.store.me]

    def _list_presences(self, request: web.Request) -> list[Json]:
        names = query_of(request).several("userIds")
        return [self.store.presences[self.existing_user(name)["userId"]] for name in names]

    def _show_presence(self, request: web.Request) -> Json:
        return self.store.presences[self.existing_user(request.match_info["id"])["userId"]]

    def _list_labels(self, _: web.Request) -> list[Json]:
        return list(self.store.labels.values())

    def _show_support(self, _: web.Request) -> Json:
        return self.store.support

    def _list_webhooks(self, _: web.Request) -> list[Json]:
        return list(self.store.webhooks.values())

    def _show_webhook(self, request: web.Request) -> Json:
        return Registry(self.store, self.switches).hook(request.match_info["id"])

    def _list_incoming_webhooks(self, request: web.Request) -> list[Json]:
        arguments = query_of(request)
        size = arguments.number("pagesize", 1, 100, 25)
        if arguments.text("searchpointer") is not None:
            # The reply is a bare array: no pointer was ever given out.
            raise invalid("searchpointer: unknown.")
        user_id = request.match_info["userId"]
        hooks = [one for one in self.store.incoming_webhooks.values() if one["userId"] == user_id]
        return [self.incoming_shown(request, hook) for hook in hooks[:size]]

    # The parts of the above.

    def _window(self, arguments: Arguments) -> Window:
        direction = arguments.choice("direction", ("BEFORE", "AFTER"), "BEFORE")
        edge = arguments.instant("modTime")
        return Window(
            # A request arrives a moment after the last change.
            edge=self.store.clock.now + 1 if edge is None else edge,
            backward=direction == "BEFORE",
            results=arguments.number("results", 1, 100, 25),
        )

    def _held(self, **lists: list[Json]) -> Json:
        """Return an object with these lists, or without those that are empty."""
        absent = self.switches.empty_list == "absent"
        return {name: rows for name, rows in lists.items() if rows or not absent}

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

    def of_type(self, conv_id: str, role: str) -> list[str]:
        """Return whom a walk through one type of participants finds."""
        roles = {role}
        if role == "REGULAR" and self.switches.regular_includes_moderators:
            roles.add("MODERATOR")
        return [user_id for user_id, one in self.store.rosters[conv_id].items() if one in roles]

    def _details_of(self, request: web.Request, conv_id: str) -> Json:
        self.store.conversation(conv_id)
        details = self.store.details[conv_id]
        return details | {"link": f"{request.url.origin()}{details['link']}"}
