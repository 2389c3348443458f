"""Keeps Circuit's records as they look on the wire, and changes them as its users do."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from attrs import field, mutable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from conversations_hub.emulator.corpus import Corpus

Json = dict[str, Any]

ROLES = ("REGULAR", "MODERATOR", "GUEST", "FORMER", "BOT")
COMMUNITIES = ("COMMUNITY", "OPEN")
LABEL_LIMIT = 250
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


class Refusal(Exception):  # noqa: N818 - what the API answers, not a fault
    """What Circuit does not do; the API answers it with 400."""


def wire(**members: Any) -> Json:
    """Leave out what is null, as the API does."""
    return {name: value for name, value in members.items() if value is not None}


@mutable
class Clock:
    """The server's time in epoch milliseconds; a pause of zero repeats a millisecond."""

    now: int
    pauses: Iterator[int]

    def tick(self) -> int:
        """Let a pause pass and return the time."""
        self.now += next(self.pauses)
        return self.now


@mutable
class Store:
    """Everything one tenant knows, and what the caller keeps for themselves."""

    me: str
    tenant: str
    clock: Clock
    corpus: Corpus
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
    favorites: dict[str, None] = field(factory=dict, init=False)
    archived: set[str] = field(factory=set, init=False)
    flags: dict[str, None] = field(factory=dict, init=False)
    labels: dict[str, Json] = field(factory=dict, init=False)
    labelled: dict[str, dict[str, None]] = field(factory=dict, init=False)
    webhooks: dict[str, Json] = field(factory=dict, init=False)
    incoming_webhooks: dict[str, Json] = field(factory=dict, init=False)
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
        return [self.items[self._home[item_id]][item_id] for item_id in self.flags]

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
        system = wire(
            type="CONVERSATION_RENAMED", oldTopic=conversation.get("topic"), newTopic=topic
        )
        conversation["topic"] = topic
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
        self, conv_id: str, by: str, user_ids: Iterable[str], moderate: bool = True
    ) -> Json:
        """Grant or drop the rights of moderators."""
        changed = list(user_ids)
        for user_id in changed:
            role = "MODERATOR" if moderate else self.role(user_id)
            self.rosters[conv_id][user_id] = role
        verb = "GRANTED" if moderate else "DROPPED"
        system = {"type": f"MODERATOR_RIGHTS_{verb}", "affectedParticipants": changed}
        return self.change_conversation(conv_id, by, system)

    def set_favorite(self, conv_id: str, favorite: bool = True) -> None:
        """Mark a conversation for the caller, or no longer."""
        if favorite:
            self.favorites[conv_id] = None
        elif conv_id in self.favorites:
            del self.favorites[conv_id]
        else:
            raise Refusal("The conversation is not marked.")

    def set_archived(self, conv_id: str, archived: bool = True) -> None:
        """Mute a conversation for the caller, or no longer; nothing can read it back."""
        if archived:
            self.archived.add(conv_id)
        elif conv_id in self.archived:
            self.archived.remove(conv_id)
        else:
            raise Refusal("The conversation is not archived.")

    def add_label(self, value: str) -> Json:
        """Return the caller's label of that name, made if need be."""
        for label in self.labels.values():
            if label["value"] == value:
                return label
        if len(self.labels) >= LABEL_LIMIT:
            raise Refusal(f"No more than {LABEL_LIMIT} labels.")
        label = {"labelId": self.corpus.uuid(), "value": value}
        self.labels[label["labelId"]] = label
        self.labelled[label["labelId"]] = {}
        return label

    def assign_label(self, conv_id: str, value: str) -> Json:
        """Put a label on a conversation."""
        label = self.add_label(value)
        self.labelled[label["labelId"]][conv_id] = None
        return label

    def unassign_label(self, conv_id: str, label_id: str) -> Json:
        """Take a label off a conversation."""
        if conv_id not in self.labelled.get(label_id, {}):
            raise Refusal("The label is not assigned.")
        del self.labelled[label_id][conv_id]
        return self.labels[label_id]

    def pin(self, conv_id: str, item_id: str, at: int | None = None) -> None:
        """Pin a topic; replies cannot be pinned."""
        item = self.items[conv_id][item_id]
        if item["type"] != "TEXT" or "parentId" in item["text"]:
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
        files = [self._attach(item, attachment) for attachment in attachments]
        if files:
            item["attachments"] = files
        return item

    def edit_text(self, item_id: str, changes: Json, at: int | None = None) -> Json:
        """Change a message; its conversation's time stays."""
        item = self._text_item(item_id)
        item["text"] |= changes | {"state": "EDITED"}
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

    def set_flag(self, item_id: str, flag: bool = True) -> None:
        """Bookmark an item for the caller, or no longer."""
        if flag:
            self.flags[item_id] = None
        elif item_id in self.flags:
            del self.flags[item_id]
        else:
            raise Refusal("The item is not flagged.")

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
            topicPlaceholder=self._placeholder(conv_id, kind, facts),
            creatorId=creator,
            creatorTenantId=self.tenant,
            creationTime=time,
            modificationTime=time,
            **({"isModerated": False, "isGuestAccessDisabled": False} | facts),
        )
        self.conversations[conv_id] = conversation
        self._open_conference(conversation)
        return conversation

    def _placeholder(self, conv_id: str, kind: str, facts: Json) -> str | None:
        if kind == "DIRECT" or facts.get("topic"):
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

    def _attach(self, item: Json, attachment: Json) -> Json:
        file_id = self.corpus.uuid()
        return attachment | {
            "fileId": file_id,
            "itemId": item["itemId"],
            "creatorId": item["creatorId"],
            "creationTime": item["creationTime"],
            "modificationTime": item["creationTime"],
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
