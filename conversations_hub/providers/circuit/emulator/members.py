"""Decides what the caller may do to conversations, and to who takes part in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

from conversations_hub.providers.circuit.emulator.records import Json, NotPermitted, Refusal
from conversations_hub.providers.circuit.emulator.store import COMMUNITIES, Store

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conversations_hub.providers.circuit.emulator.switches import CircuitSwitches


@frozen
class Members:
    """Conversations as the caller starts, changes, joins and leaves them."""

    store: Store
    switches: CircuitSwitches

    def people(self, names: Iterable[str]) -> list[str]:
        """Return the ids of users given by id or e-mail address, each once."""
        users = [self.store.user(name) for name in names]
        if None in users:
            raise Refusal("One or more user do not exist.")
        return list(dict.fromkeys(user["userId"] for user in users if user))

    # Starting one.

    def peer(self, name: str) -> str:
        """Return whom a direct conversation is held with."""
        user = self.store.user(name)
        if user is None:
            raise Refusal("The user does not exist.")
        if user["userId"] == self.store.me:
            raise Refusal("The user is the same who initiates the request.")
        user_id: str = user["userId"]
        return user_id

    def start_direct(self, peer: str) -> Json:
        """Start a conversation with somebody there is none with."""
        return self._start("DIRECT", [peer])

    def start_group(self, names: Iterable[str], topic: str | None) -> Json:
        """Start a group; one other participant is enough."""
        others = [one for one in self.people(names) if one != self.store.me]
        if not others:
            raise Refusal("At least one participant needs to be added.")
        return self._start("GROUP", others, topic=topic or None)

    def start_community(self, names: Iterable[str], topic: str, description: str | None) -> Json:
        """Start a community, of the caller alone if need be."""
        facts = {"topic": topic, "description": description or None}
        return self._start("COMMUNITY", self.people(names), **facts)

    # Changing one.

    def describe(
        self, kind: str, conv_id: str, topic: str | None, description: str | None = None
    ) -> Json:
        """Change what is sent; an empty text removes."""
        conversation = self._of_kind(kind, conv_id)
        if description is not None and description != conversation.get("description", ""):
            self._redescribe(conversation, description)
        if topic is not None and topic != conversation.get("topic", ""):
            self.store.rename(conv_id, self.store.me, topic, self._now(conv_id))
        return conversation

    def add(self, kind: str, conv_id: str, names: Iterable[str]) -> Json:
        """Let users join; those who already did stay what they are."""
        conversation = self._of_kind(kind, conv_id)
        new = [one for one in self.people(names) if one not in conversation["participants"]]
        self._ask_moderators(conversation)
        if new:
            self.store.add_participants(conv_id, self.store.me, new, self._now(conv_id))
        return conversation

    def remove(self, kind: str, conv_id: str, names: Iterable[str]) -> Json:
        """Let users leave; everybody may leave themselves."""
        conversation = self._of_kind(kind, conv_id)
        gone = [one for one in self.people(names) if one in conversation["participants"]]
        if gone != [self.store.me]:
            self._ask_moderators(conversation)
        if gone:
            self.store.remove_participants(conv_id, self.store.me, gone, self._now(conv_id))
        return conversation

    def join(self, conv_id: str) -> Json:
        """Let the caller into a community."""
        conversation = self.store.conversations.get(conv_id)
        if conversation is None:
            raise Refusal("The conversation does not exist.")
        self._check_kind("community", conversation)
        if self.store.takes_part(conv_id):
            raise Refusal("The user is already a participant of the conversation.")
        me = self.store.me
        return self.store.add_participants(conv_id, me, [me], self._now(conv_id))

    # Moderation.

    def set_moderators(self, conv_id: str, names: Iterable[str], moderate: bool) -> None:
        """Grant participants the rights of moderators, or drop them."""
        conversation = self.store.conversation(conv_id)
        if conversation["type"] == "DIRECT":
            raise Refusal("A direct conversation has no moderators.")
        user_ids = self.people(names)
        self._ask_moderators(conversation)
        if not set(user_ids) <= set(self._candidates(conversation, moderate)):
            raise Refusal("Failure in moderators list.")
        me, now = self.store.me, self._now(conv_id)
        self.store.set_moderators(conv_id, me, user_ids, moderate, now)

    def moderate(self, conv_id: str) -> None:
        """Set the moderated mode; who sets it becomes a moderator."""
        conversation, me = self._moderable(conv_id), self.store.me
        if conversation["isModerated"]:
            return
        conversation["isModerated"] = True
        self.store.rosters[conv_id][me] = "MODERATOR"
        system = {"type": "CONVERSATION_MODERATED"}
        self.store.change_conversation(conv_id, me, system, self._now(conv_id))

    def unmoderate(self, conv_id: str) -> None:
        """End the moderated mode, and with it the rights of all moderators."""
        conversation = self._moderable(conv_id)
        if not conversation["isModerated"]:
            return
        conversation["isModerated"] = False
        gone = self._candidates(conversation, moderate=False)
        now = self._now(conv_id)
        self.store.set_moderators(conv_id, self.store.me, gone, moderate=False, at=now)

    # The parts of the above.

    def _now(self, conv_id: str) -> int:
        return self.store.clock.stamp(self.store.conversations[conv_id]["modificationTime"])

    def _start(self, kind: str, others: Iterable[str], **facts: Any) -> Json:
        me = self.store.me
        roster = {one: self.store.role(one) for one in (me, *others)}
        return self.store.create_conversation(kind, me, roster, self.store.clock.stamp(), **facts)

    def _of_kind(self, kind: str, conv_id: str) -> Json:
        conversation = self.store.conversation(conv_id)
        self._check_kind(kind, conversation)
        return conversation

    def _check_kind(self, kind: str, conversation: Json) -> None:
        groups = ("GROUP", "LARGE") if self.switches.large_is_group else ("GROUP",)
        if conversation["type"] not in (groups if kind == "group" else COMMUNITIES):
            raise Refusal(f"The conversation is not of type {kind.upper()}.")

    def _redescribe(self, conversation: Json, description: str) -> None:
        # No type of SYSTEM item tells of a description.
        conversation["modificationTime"] = self._now(conversation["convId"])
        conversation.pop("description", None)
        if description:
            conversation["description"] = description

    def _ask_moderators(self, conversation: Json) -> None:
        if conversation["isModerated"] and not self._moderates(conversation):
            raise Refusal("The conversation is moderated and the user is no moderator.")

    def _moderates(self, conversation: Json) -> bool:
        return self.store.rosters[conversation["convId"]][self.store.me] == "MODERATOR"

    def _moderable(self, conv_id: str) -> Json:
        """Return a conversation whose mode the caller may change; no 400 is declared for others."""
        conversation = self.store.conversations.get(conv_id, {"type": "DIRECT"})
        if conversation["type"] == "DIRECT" or not self.store.takes_part(conv_id):
            raise NotPermitted("Forbidden to edit this conversation")
        if conversation["isModerated"] and not self._moderates(conversation):
            raise NotPermitted("Permission denied")
        return conversation

    def _candidates(self, conversation: Json, moderate: bool) -> list[str]:
        roster = self.store.rosters[conversation["convId"]]
        gone = ("FORMER",) if moderate else set(roster.values()) - {"MODERATOR"}
        return [user_id for user_id, role in roster.items() if role not in gone]
