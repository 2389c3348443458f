"""Answers what changes conversations, messages, labels and the caller's own profile."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web
from attrs import frozen

from conversations_hub.emulator.server import json_response
from conversations_hub.providers.circuit.emulator.arguments import Arguments, query_of
from conversations_hub.providers.circuit.emulator.handlers import Handlers
from conversations_hub.providers.circuit.emulator.kinds import CONTENT_LIMIT
from conversations_hub.providers.circuit.emulator.members import Members
from conversations_hub.providers.circuit.emulator.posts import Draft, Posts
from conversations_hub.providers.circuit.emulator.profile import LOCALES, NAMES, Profile
from conversations_hub.providers.circuit.emulator.records import Json, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from conversations_hub.providers.circuit.emulator.handlers import Writer

SUBJECT = 255
FORM_DATA = 32768
ATTACHMENT = 16000
REPLY_ATTACHMENT = 4096
SEVERAL = 6500
NAME = 128
STATES = ("AVAILABLE", "OFFLINE", "AWAY", "BUSY", "DND")
CONVERSATION = "/conversations/{convId}"
MESSAGE = "/conversations/{convId}/messages/{itemId}"
PIN = "/conversations/{convId}/pins/{itemId}"


@frozen
class Writes(Handlers):
    """The handlers of everything that is written, but webhooks and files."""

    @property
    def members(self) -> Members:
        """Return the rules of conversations."""
        return Members(self.store, self.switches)

    @property
    def posts(self) -> Posts:
        """Return the rules of messages."""
        return Posts(self.store, self.switches)

    def routes(self) -> Iterable[web.RouteDef]:
        """Yield the paths, literals before templates."""
        tables = self._starting(), self._by_kind(), self._messages(), self._marks(), self._own()
        for table in tables:
            for verb, path, handler in table:
                yield from self.at_both(verb, path, self.writing(handler))

    def _starting(self) -> Iterable[tuple[Callable[..., web.RouteDef], str, Writer]]:
        yield web.post, "/conversations/direct", self._start_direct
        yield web.post, "/conversations/group", self._start_group
        yield web.post, "/conversations/community", self._start_community
        yield web.post, "/conversations/moderate/{convId}", self._moderate
        yield web.post, "/conversations/unmoderate/{convId}", self._unmoderate

    def _by_kind(self) -> Iterable[tuple[Callable[..., web.RouteDef], str, Writer]]:
        yield web.post, "/conversations/community/{convId}/join", self._join
        for kind in ("group", "community"):
            path = f"/conversations/{kind}/{{convId}}"
            yield web.put, path, partial(self._describe, kind)
            yield web.post, f"{path}/participants", partial(self._add, kind)
            yield web.delete, f"{path}/participants", partial(self._remove, kind)

    def _messages(self) -> Iterable[tuple[Callable[..., web.RouteDef], str, Writer]]:
        yield web.post, f"{CONVERSATION}/messages", self._write
        yield web.post, MESSAGE, self._reply
        yield web.put, MESSAGE, self._edit
        yield web.delete, MESSAGE, self._delete
        for verb, on in ((web.post, True), (web.delete, False)):
            yield verb, f"{MESSAGE}/like", partial(self._like, on)
            yield verb, f"{MESSAGE}/flag", partial(self._flag, on)
            yield verb, PIN, partial(self._pin, on)

    def _marks(self) -> Iterable[tuple[Callable[..., web.RouteDef], str, Writer]]:
        for verb, on in ((web.post, True), (web.delete, False)):
            yield verb, f"{CONVERSATION}/favorite", partial(self._favor, on)
            yield verb, f"{CONVERSATION}/archive", partial(self._archive, on)
            yield verb, f"{CONVERSATION}/moderators", partial(self._set_moderators, on)
        yield web.post, f"{CONVERSATION}/label", self._assign_label
        yield web.delete, f"{CONVERSATION}/label/{{labelId}}", self._unassign_label

    def _own(self) -> Iterable[tuple[Callable[..., web.RouteDef], str, Writer]]:
        yield web.post, "/users/labels", self._add_label
        yield web.delete, "/users/labels/{labelId}", self._remove_label
        yield web.put, "/users/profile", self._update_profile
        yield web.put, "/users/presence", self._update_presence

    # Conversations.

    def _start_direct(self, _: web.Request, fields: Arguments) -> Json | web.Response:
        peer = self.members.peer(fields.required("participant"))
        found = self.store.direct(peer)
        if found is not None:
            return json_response(self.shown(found), 409)
        return self.shown(self.members.start_direct(peer))

    def _start_group(self, _: web.Request, fields: Arguments) -> Json:
        names, topic = fields.several("participants"), fields.text("topic")
        return self.shown(self.members.start_group(names, topic))

    def _start_community(self, _: web.Request, fields: Arguments) -> Json:
        names, topic = fields.listed("participants") or [], fields.required("topic")
        return self.shown(self.members.start_community(names, topic, fields.text("description")))

    def _describe(self, kind: str, request: web.Request, fields: Arguments) -> Json:
        description = fields.text("description") if kind == "community" else None
        conv_id, topic = request.match_info["convId"], fields.text("topic")
        return self.shown(self.members.describe(kind, conv_id, topic, description))

    def _add(self, kind: str, request: web.Request, fields: Arguments) -> Json:
        names = fields.several("participants", SEVERAL)
        return self.shown(self.members.add(kind, request.match_info["convId"], names))

    def _remove(self, kind: str, request: web.Request, _: Arguments) -> Json:
        names = query_of(request).several("participants", SEVERAL)
        return self.shown(self.members.remove(kind, request.match_info["convId"], names))

    def _join(self, request: web.Request, _: Arguments) -> Json:
        return self.shown(self.members.join(request.match_info["convId"]))

    def _moderate(self, request: web.Request, _: Arguments) -> None:
        self.members.moderate(request.match_info["convId"])

    def _unmoderate(self, request: web.Request, _: Arguments) -> None:
        self.members.unmoderate(request.match_info["convId"])

    def _set_moderators(self, moderate: bool, request: web.Request, fields: Arguments) -> None:
        names = fields.several("moderators", SEVERAL)
        self.members.set_moderators(request.match_info["convId"], names, moderate)

    # Messages.

    def _write(self, request: web.Request, fields: Arguments) -> Json:
        item = self.posts.write(request.match_info["convId"], _draft(fields, ATTACHMENT))
        return self.item_shown(request, item)

    def _reply(self, request: web.Request, fields: Arguments) -> Json:
        conv_id, item_id = _place(request)
        item = self.posts.write(conv_id, _draft(fields, REPLY_ATTACHMENT), item_id)
        return self.item_shown(request, item)

    def _edit(self, request: web.Request, fields: Arguments) -> Json:
        item = self.posts.edit(*_place(request), _draft(fields, ATTACHMENT))
        return self.item_shown(request, item)

    def _delete(self, request: web.Request, _: Arguments) -> Json:
        return self.posts.delete(*_place(request))

    def _like(self, like: bool, request: web.Request, _: Arguments) -> None:
        self.posts.like(*_place(request), like)

    def _flag(self, flag: bool, request: web.Request, fields: Arguments) -> None:
        for name in ("itemCreationTime", "parentId"):
            fields.text(name)
        self.posts.flag(*_place(request), flag)

    def _pin(self, pin: bool, request: web.Request, _: Arguments) -> Json:
        return self.shown(self.posts.pin(*_place(request), pin))

    # What the caller keeps for themselves.

    def _favor(self, favorite: bool, request: web.Request, _: Arguments) -> None:
        self.store.set_favorite(self.conversation(request)["convId"], favorite)

    def _archive(self, archived: bool, request: web.Request, _: Arguments) -> None:
        self.store.set_archived(self.conversation(request)["convId"], archived)

    def _assign_label(self, request: web.Request, fields: Arguments) -> Json:
        conv_id = self.conversation(request)["convId"]
        return self.store.assign_label(conv_id, fields.required("label"))

    def _unassign_label(self, request: web.Request, _: Arguments) -> Json:
        conv_id = self.conversation(request)["convId"]
        return self.store.unassign_label(conv_id, request.match_info["labelId"])

    def _add_label(self, _: web.Request, fields: Arguments) -> Json:
        value = fields.required("label")
        values = [label["value"] for label in self.store.labels.values()]
        if value in values and self.switches.duplicate_label == "400":
            raise Refusal("The label exists already.")
        return self.store.add_label(value)

    def _remove_label(self, request: web.Request, _: Arguments) -> Json:
        return self.store.remove_label(request.match_info["labelId"])

    def _update_profile(self, _: web.Request, fields: Arguments) -> Json:
        changes = {name: fields.text(name, NAME) for name in NAMES}
        locale = fields.choice("locale", (*LOCALES, ""), "")
        return Profile(self.store).update(changes, locale)

    def _update_presence(self, _: web.Request, fields: Arguments) -> Json:
        state = fields.choice("state", STATES, "")
        until, clear = fields.instant("dndUntil"), fields.flag("clearDND")
        return Profile(self.store).set_presence(state, until, clear, fields.text("statusMessage"))


def _place(request: web.Request) -> tuple[str, str]:
    return request.match_info["convId"], request.match_info["itemId"]


def _draft(fields: Arguments, attachment: int) -> Draft:
    return Draft(
        content=fields.text("content", CONTENT_LIMIT),
        subject=fields.text("subject", SUBJECT),
        form=fields.text("formMetaData", FORM_DATA),
        attachments=fields.listed("attachments", attachment),
    )
