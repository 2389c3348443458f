"""Keeps Circuit's records as they look on the wire, and changes them as its users do."""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING, Any

from attrs import field, mutable

from conversations_hub.providers.circuit.emulator.marks import Marks
from conversations_hub.providers.circuit.emulator.records import Clock, Json, Refusal, wire

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ROLES = ("REGULAR", "MODERATOR", "GUEST", "FORMER", "BOT")
COMMUNITIES = ("COMMUNITY", "OPEN")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
BRIDGES: tuple[Json, ...] = (
    {
        "name": "Frankfurt", "bridgeNumber": "+4969710000", "country": "DE", "locale": "DE_DE",
        "type": "LOCAL", "isMostUsed": True,
    },
    {
        "name": "London", "bridgeNumber": "+442071000000", "country": "GB", "locale": "EN_GB",
        "type": "TOLL", "isMostUsed": False,
    },
    {
        "name": "Washington", "bridgeNumber": "+18005550100", "country": "US", "locale": "EN_US",
        "type": "TOLL_FREE", "isMostUsed": False,
    },
)  # fmt: skip


@mutable
class Store(Marks):
    """Everything one tenant knows, and what the caller keeps for themselves."""

    me: str
    tenant: str
    clock: Clock
    users: dict[str, Json] = field(factory=dict, init=False)
    unresolvable: set[str] = field(factory=set, init=False)
    """Users of another tenant: they write, but no lookup finds them."""
    presences: dict[str, Json] = field(factory=dict, init=False)
    conversations: dict[str, Json] = field(factory=dict, init=False)
    rosters: dict[str, dict[str, str]] = field(factory=dict, init=False)
    items: dict[str, dict[str, Json]] = field(factory=dict, init=False)
    details: dict[str, Json] = field(factory=dict, init=False)
    invitations: dict[str, str] = field(factory=dict, init=False)
    pins: dict[str, dict[str, Json]] = field(factory=dict, init=False)
    webhooks: dict[str, Json] = field(factory=dict, init=False)
    incoming_webhooks: dict[str, Json] = field(factory=dict, init=False)
    uploads: dict[str, Json] = field(factory=dict, init=False)
    """What an item will say of an uploaded file, by attachment id."""
    contents: dict[str, bytes] = field(factory=dict, init=False)
    """The bytes of uploaded files, by file id."""
    support: Json = field(factory=dict, init=False)
    _home: dict[str, str] = field(factory=dict, init=False)

    # What lists and lookups need.

    def mine(self) -> list[Json]:
        """Return the conversations the caller takes part in."""
        return [one for one in self.conversations.values() if self.takes_part(one["convId"])]

    def takes_part(self, conv_id: str) -> bool:
        """Whether the caller is an active participant."""
        return self.rosters[conv_id].get(self.me, "FORMER") != "FORMER"

    def conversation(self, conv_id: str) -> Json:
        """Return a conversation the caller may read."""
        if conv_id not in self.conversations:
            raise Refusal("The conversation does not exist.")
        if not self.takes_part(conv_id):
            raise Refusal("The user is no participant of the conversation.")
        return self.conversations[conv_id]

    def item(self, item_id: str) -> Json:
        """Return an item of a conversation the caller may read."""
        if item_id not in self._home:
            raise Refusal("The item does not exist.")
        conv_id = self.conversation(self._home[item_id])["convId"]
        return self.items[conv_id][item_id]

    def item_of(self, conv_id: str, item_id: str) -> Json:
        """Return an item of one conversation the caller may read."""
        conv_id = self.conversation(conv_id)["convId"]
        if item_id not in self.items[conv_id]:
            raise Refusal("The item does not exist.")
        return self.items[conv_id][item_id]

    def parent_id(self, item: Json) -> str | None:
        """Return the root of an item's thread; other shapes name it on the item."""
        places = (item.get("text", {}).get("parentId"), item.get("parentId"))
        return next(filter(None, places), item.get("parentItemId"))

    def activity(self, conv_id: str) -> int:
        """Return when the conversation or any of its items last changed."""
        records = chain([self.conversations[conv_id]], self.items[conv_id].values())
        times: Iterator[int] = (record["modificationTime"] for record in records)
        return max(times)

    def newest(self) -> int:
        """Return the latest time of any conversation or item."""
        return max(map(self.activity, self.conversations))

    def communities(self, include_own: bool) -> list[Json]:
        """Return the communities of the tenant, with or without the caller's own."""
        return [
            one
            for one in self.conversations.values()
            if one["type"] in COMMUNITIES and (include_own or not self.takes_part(one["convId"]))
        ]

    def direct(self, peer: str) -> Json | None:
        """Return the caller's direct conversation with someone."""
        pair = {self.me, peer}
        for one in self.conversations.values():
            if one["type"] == "DIRECT" and set(self.rosters[one["convId"]]) == pair:
                return one
        return None

    def user(self, name: str, secondary: bool = False) -> Json | None:
        """Return the user with an id or an e-mail address."""
        if not UUID.fullmatch(name) and not EMAIL.fullmatch(name):
            raise Refusal("The data format matches neither a UUID nor a valid email address.")
        for user_id, user in self.users.items():
            names = {user_id, user.get("emailAddress")}
            if secondary:
                names.add(user.get("secondaryEmailAddress"))
            if name in names and user_id not in self.unresolvable:
                return user
        return None

    def participant(self, conv_id: str, user_id: str) -> Json:
        """Return a user as a participant of a conversation."""
        user = self.users[user_id]
        return wire(
            userId=user_id,
            type=self.rosters[conv_id][user_id],
            displayName=user.get("displayName"),
            firstName=user.get("firstName"),
            lastName=user.get("lastName"),
            isDeleted=user.get("userState") == "DELETED",
            smallImageUri=user.get("avatar"),
            largeImageUri=user.get("avatarLarge"),
        )

    def flagged(self) -> list[Json]:
        """Return the items the caller bookmarked, oldest bookmark first."""
        places = [(self._home[item_id], item_id) for item_id in self.flags]
        return [self.items[home][item_id] for home, item_id in places if self.takes_part(home)]

    # Conversations.

    def role(self, user_id: str) -> str:
        """Return what somebody is where they are added."""
        kind = self.users[user_id]["userType"]
        return kind if kind in ("GUEST", "BOT") else "REGULAR"

    def create_conversation(
        self,
        kind: str,
        creator: str,
        roster: Mapping[str, str],
        at: int | None = None,
        **facts: Any,
    ) -> Json:
        """Start a conversation; its first item says so."""
        time = self._time(at)
        conversation = self._insert_conversation(kind, creator, roster, time, facts)
        system = wire(type="CONVERSATION_CREATED", newTopic=conversation.get("topic"))
        self.add_system(conversation["convId"], creator, system, time)
        return conversation

    def insert_conversation(
        self,
        kind: str,
        creator: str,
        roster: Mapping[str, str],
        at: int | None = None,
        **facts: Any,
    ) -> Json:
        """Start a conversation without any item, as retention leaves it behind."""
        return self._insert_conversation(kind, creator, roster, self._time(at), facts)

    def change_conversation(
        self, conv_id: str, by: str | None, system: Json, at: int | None = None
    ) -> Json:
        """Move a conversation's time and record why in a SYSTEM item."""
        time = self._time(at)
        conversation = self.conversations[conv_id]
        conversation["modificationTime"] = time
        conversation["participants"] = self._active(conv_id)
        self.add_system(conv_id, by, system, time)
        return conversation

    def rename(self, conv_id: str, by: str, topic: str, at: int | None = None) -> Json:
        """Give a conversation another topic."""
        conversation = self.conversations[conv_id]
        if conversation["type"] == "DIRECT":
            raise Refusal("A direct conversation has no topic.")
        old = conversation.get("topic")
        system = wire(type="CONVERSATION_RENAMED", oldTopic=old, newTopic=topic or None)
        conversation["topic"] = topic
        if not topic:
            del conversation["topic"]
            conversation["topicPlaceholder"] = self._placeholder(conv_id, conversation)
        return self.change_conversation(conv_id, by, system, at)

    def add_participants(
        self, conv_id: str, by: str, user_ids: Iterable[str], at: int | None = None
    ) -> Json:
        """Let users join."""
        if self.conversations[conv_id]["type"] == "DIRECT":
            raise Refusal("Nobody can be added to a direct conversation.")
        added = {user_id: self.role(user_id) for user_id in user_ids}
        self.rosters[conv_id].update(added)
        system = {"type": "PARTICIPANT_ADDED", "affectedParticipants": list(added)}
        return self.change_conversation(conv_id, by, system, at)

    def remove_participants(
        self, conv_id: str, by: str, user_ids: Iterable[str], at: int | None = None
    ) -> Json:
        """Let users leave; they stay known as FORMER."""
        gone = list(user_ids)
        if set(self._active(conv_id)) <= set(gone):
            raise Refusal("The last participant cannot be removed.")
        self.rosters[conv_id].update(dict.fromkeys(gone, "FORMER"))
        system = {"type": "PARTICIPANT_REMOVED", "affectedParticipants": gone}
        return self.change_conversation(conv_id, by, system, at)

    def set_moderators(
        self,
        conv_id: str,
        by: str,
        user_ids: Iterable[str],
        moderate: bool = True,
        at: int | None = None,
    ) -> Json:
        """Grant or drop the rights of moderators."""
        changed = list(user_ids)
        for user_id in changed:
            role = "MODERATOR" if moderate else self.role(user_id)
            self.rosters[conv_id][user_id] = role
        verb = "GRANTED" if moderate else "DROPPED"
        system = {"type": f"MODERATOR_RIGHTS_{verb}", "affectedParticipants": changed}
        return self.change_conversation(conv_id, by, system, at)

    def pin(self, conv_id: str, item_id: str, at: int | None = None) -> None:
        """Pin a topic; replies cannot be pinned."""
        item = self.items[conv_id][item_id]
        if item["type"] != "TEXT" or self.parent_id(item):
            raise Refusal("Only topics can be pinned.")
        self.pins[conv_id][item_id] = {
            "conversationId": conv_id,
            "conversationItemId": item_id,
            "pinnedTime": self._time(at),
        }

    def unpin(self, conv_id: str, item_id: str) -> None:
        """Unpin a topic."""
        if self.pins[conv_id].pop(item_id, None) is None:
            raise Refusal("The item is not pinned.")

    # Items.

    def add_text(
        self,
        conv_id: str,
        creator: str,
        text: Json,
        at: int | None = None,
        attachments: Iterable[Json] = (),
    ) -> Json:
        """Write a message; `text` is what its author decides."""
        item = self._add_item(conv_id, creator, self._time(at))
        item["type"] = "TEXT"
        item["text"] = {"state": "CREATED", "isWebhookMessage": False} | text
        item["includeInUnreadCount"] = True
        self.attach(item, attachments)
        return item

    def attach(self, item: Json, attachments: Iterable[Json]) -> None:
        """Give an item these attachments instead of the ones it has."""
        files = [self._attached(item, attachment) for attachment in attachments]
        item.pop("attachments", None)
        if files:
            item["attachments"] = files

    def edit_text(self, item_id: str, changes: Json, at: int | None = None) -> Json:
        """Change a message, where null removes; its conversation's time stays."""
        item = self._text_item(item_id)
        item["text"] = wire(**item["text"] | changes | {"state": "EDITED"})
        item["modificationTime"] = self._time(at)
        return item

    def delete_text(self, item_id: str, at: int | None = None) -> Json:
        """Empty a message; the item stays as a tombstone."""
        item = self._text_item(item_id)
        item["text"] = wire(state="DELETED", parentId=item["text"].get("parentId"))
        item.pop("attachments", None)
        item["modificationTime"] = self._time(at)
        return item

    def set_like(self, item_id: str, user_id: str, like: bool = True) -> None:
        """Like a message, or no longer."""
        text = self._text_item(item_id)["text"]
        others = [one for one in text.pop("likedUserIds", []) if one != user_id]
        likes = [*others, user_id] if like else others
        if likes:
            text["likedUserIds"] = likes

    def upload(self, name: str, kind: str, data: bytes) -> Json:
        """Keep a file for the messages it will be attached to."""
        ids = {"fileId": self.corpus.uuid(), "attachmentId": self.corpus.uuid()}
        file = {"fileId": ids["fileId"], "fileName": name, "mimeType": kind, "size": len(data)}
        self.uploads[ids["attachmentId"]] = file
        self.contents[ids["fileId"]] = data
        return ids

    def add_system(
        self, conv_id: str, creator: str | None, system: Json, at: int | None = None
    ) -> Json:
        """Record what happened to the conversation."""
        item = self._add_item(conv_id, creator, self._time(at))
        return self._complete(item, "SYSTEM", system, counts=False)

    def add_rtc(self, conv_id: str, creator: str, rtc: Json, at: int | None = None) -> Json:
        """Record what happened in a call."""
        item = self._add_item(conv_id, creator, self._time(at))
        return self._complete(item, "RTC", rtc, counts=rtc["type"] == "MISSED")

    # The parts of the above.

    def _time(self, at: int | None) -> int:
        return self.clock.tick() if at is None else at

    def _active(self, conv_id: str) -> list[str]:
        return [user_id for user_id, role in self.rosters[conv_id].items() if role != "FORMER"]

    def _insert_conversation(
        self, kind: str, creator: str, roster: Mapping[str, str], time: int, facts: Json
    ) -> Json:
        conv_id = self.corpus.uuid()
        self.rosters[conv_id] = dict(roster)
        self.items[conv_id] = {}
        self.pins[conv_id] = {}
        conversation = wire(
            type=kind,
            convId=conv_id,
            participants=self._active(conv_id),
            topicPlaceholder=self._placeholder(conv_id, {"type": kind} | facts),
            creatorId=creator,
            creatorTenantId=self.tenant,
            creationTime=time,
            modificationTime=time,
            **({"isModerated": False, "isGuestAccessDisabled": False} | facts),
        )
        self.conversations[conv_id] = conversation
        self._open_conference(conversation)
        return conversation

    def _placeholder(self, conv_id: str, facts: Json) -> str | None:
        if facts["type"] == "DIRECT" or facts.get("topic"):
            return None
        names = [self.users[one].get("firstName", "") for one in self._active(conv_id)[:4]]
        return ", ".join(filter(None, names))

    def _open_conference(self, conversation: Json) -> None:
        token = self.corpus.hex(40)
        self.invitations[token] = conversation["convId"]
        self.details[conversation["convId"]] = {
            "convId": conversation["convId"],
            "link": f"/guest?token={token}",
            "pin": self.corpus.phone()[-7:],
            "conversationCreatorId": conversation["creatorId"],
            "isModerationAllowed": conversation["type"] != "DIRECT",
            "isRecordingAllowed": True,
            "bridgeNumbers": list(BRIDGES),
        }

    def _add_item(self, conv_id: str, creator: str | None, time: int) -> Json:
        item = wire(
            type="",
            itemId=self.corpus.uuid(),
            convId=conv_id,
            creatorId=creator,
            creationTime=time,
            modificationTime=time,
        )
        self.items[conv_id][item["itemId"]] = item
        self._home[item["itemId"]] = conv_id
        return item

    def _complete(self, item: Json, kind: str, content: Json, *, counts: bool) -> Json:
        item["type"] = kind
        item[kind.lower()] = content
        item["includeInUnreadCount"] = counts
        return item

    def _attached(self, item: Json, attachment: Json) -> Json:
        file_id = attachment.get("fileId") or self.corpus.uuid()
        return attachment | {
            "fileId": file_id,
            "itemId": item["itemId"],
            "creatorId": item["creatorId"],
            "creationTime": attachment.get("creationTime", item["modificationTime"]),
            "modificationTime": attachment.get("modificationTime", item["modificationTime"]),
            # Recorded replies are relative to the host, not to the base path.
            "url": f"/fileapi?fileid={file_id}&itemid={item['itemId']}",
            "deleteUrl": f"/fileapi?fileid={file_id}",
        }

    def _text_item(self, item_id: str) -> Json:
        item = self.items[self._home[item_id]][item_id]
        if item["type"] != "TEXT":
            raise Refusal("The item is not a text item.")
        if item["text"]["state"] == "DELETED":
            raise Refusal("The item is deleted.")
        return item
