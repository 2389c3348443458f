"""What the faked app holds, as the API writes it, and the operations that change it."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from attrs import field, mutable

from conversations_hub.emulator.corpus import EPOCH, Corpus
from conversations_hub.providers.sunshine.emulator.files import File, new_path, path_of, shown
from conversations_hub.providers.sunshine.emulator.refusals import missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Record = dict[str, Any]


def stamp(moment: datetime) -> str:
    """Write a time as the API does: UTC, three decimals and a Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@mutable
class Store:
    """One app. Fields of records that nobody set are absent, as in the API's answers.

    Operations take the time when they happen; without one they happen after everything
    before. Ids begin with the time and end with a count, so their order is that of creation.
    """

    app: Record
    corpus: Corpus = field(eq=False, repr=False)
    users: dict[str, Record] = field(factory=dict, init=False)
    conversations: dict[str, Record] = field(factory=dict, init=False)
    integrations: dict[str, Record] = field(factory=dict, init=False)
    webhooks: dict[str, list[Record]] = field(factory=dict, init=False)
    keys: dict[str, list[Record]] = field(factory=dict, init=False)
    """Keys of custom integrations, by the integration."""
    switchboard: list[Record] = field(factory=list, init=False)
    """The switchboard integrations, in the order in which `next` goes through them."""
    managed: set[str] = field(factory=set, init=False)
    """The integrations that were configured elsewhere and cannot be deleted here."""
    seeded: set[str] = field(factory=set, init=False)
    """The webhooks that were there before the first request."""
    files: dict[str, File] = field(factory=dict, init=False)
    """Attachments by their decoded path."""
    closed: bool = field(default=False, init=False)
    """Whether the app itself was deleted."""
    latest: datetime = field(default=EPOCH, init=False)
    _clients: dict[str, list[Record]] = field(factory=dict, init=False)
    _participants: dict[str, list[Record]] = field(factory=dict, init=False)
    _messages: dict[str, list[Record]] = field(factory=dict, init=False)
    _memberships: dict[str, set[str]] = field(factory=dict, init=False)
    _host: str = field(init=False)
    _count: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self._host = self.corpus.hex(10)

    def now(self) -> datetime:
        """Return the real time, but none before what the store has seen."""
        clock = datetime.now(UTC)
        return max(self.latest, clock.replace(microsecond=clock.microsecond // 1000 * 1000))

    def find_conversation(self, conversation_id: str) -> Record:
        """Return a conversation, or refuse."""
        return _found(self.conversations.get(conversation_id), "conversation")

    def find_user(self, key: str, brand: str | None = None) -> Record:
        """Return a user by id, else by external id, or refuse."""
        return _found(self.user(key, brand), "user")

    def find_integration(self, integration_id: str) -> Record:
        """Return an integration, or refuse."""
        return _found(self.integrations.get(integration_id), "integration")

    def user(self, key: str, brand: str | None = None) -> Record | None:
        """Find a user by id, else by external id."""
        return self.users.get(key) or self.user_by_external_id(key, brand)

    def user_by_external_id(self, external_id: str, brand: str | None = None) -> Record | None:
        """Find a user by external id, which is unique in a brand."""
        return next(
            (
                user
                for user in self.users.values()
                if user.get("externalId") == external_id and user.get("brandId") == brand
            ),
            None,
        )

    def users_by_email(self, email: str, brand: str | None = None) -> list[Record]:
        """Find users by an e-mail among their identities; the one in the profile does not count."""
        return [
            user
            for user in self.users.values()
            if user.get("brandId") == brand
            and any(
                identity["type"] == "email" and identity["value"] == email
                for identity in user.get("identities", ())
            )
        ]

    def conversations_of(self, user_id: str) -> list[Record]:
        """List the conversations of a user by id."""
        ids = sorted(self._memberships.get(user_id, ()))
        return [self.conversations[conversation_id] for conversation_id in ids]

    def clients_of(self, user_id: str) -> Sequence[Record]:
        """List the clients of a user by id."""
        return self._clients.get(user_id, [])

    def participants(self, conversation_id: str) -> Sequence[Record]:
        """List the participants of a conversation by id."""
        return self._participants[conversation_id]

    def messages(self, conversation_id: str) -> Sequence[Record]:
        """List the messages of a conversation by id, placeholders of deleted ones included."""
        return self._messages[conversation_id]

    def create_user(self, *, at: datetime | None = None, **fields: Any) -> Record:
        """Create a user."""
        user = {"id": self._new_id(self._moment(at)), **fields}
        self.users[user["id"]] = user
        return user

    def add_client(
        self, user_id: str, kind: str, *, at: datetime | None = None, **fields: Any
    ) -> Record:
        """Connect a user's account on a channel, or a device."""
        client = {"id": self._new_id(self._moment(at)), "type": kind, **fields}
        self._clients.setdefault(user_id, []).append(client)
        return client

    def remove_client(self, user_id: str, client: Record) -> None:
        """Forget a client, in the user's conversations, too."""
        self._clients[user_id].remove(client)
        for conversation_id in self._memberships.get(user_id, ()):
            for member in self._participants[conversation_id]:
                member["clientAssociations"] = [
                    each
                    for each in member["clientAssociations"]
                    if each["clientId"] != client["id"]
                ]

    def delete_user(self, user_id: str) -> None:
        """Delete a user, the clients and the history: what was theirs alone goes, too."""
        for conversation_id in list(self._memberships.pop(user_id, ())):
            if self.conversations[conversation_id]["type"] == "personal":
                self.delete_conversation(conversation_id)
            else:
                self.leave(conversation_id, user_id)
        self._clients.pop(user_id, None)
        del self.users[user_id]

    def add_integration(self, kind: str, *, at: datetime | None = None, **fields: Any) -> Record:
        """Connect the app to a channel."""
        integration_id = self._new_id(self._moment(at))
        integration = {"id": integration_id, "type": kind, "status": "active", **fields}
        self.integrations[integration_id] = integration
        self.webhooks[integration_id] = []
        self.keys[integration_id] = []
        return integration

    def delete_integration(self, integration_id: str) -> None:
        """Disconnect a channel; its webhooks and keys go with it."""
        for kept in (self.integrations, self.webhooks, self.keys):
            kept.pop(integration_id)

    def add_key(self, integration_id: str, name: str, *, at: datetime | None = None) -> Record:
        """Make a key for a custom integration."""
        key = {
            "id": f"int_{self._new_id(self._moment(at))}",
            "displayName": name,
            "secret": urlsafe_b64encode(self.corpus.random.randbytes(64)).decode().rstrip("="),
        }
        self.keys[integration_id].append(key)
        return key

    def add_file(self, name: str, *, at: datetime | None = None, **fields: Any) -> str:
        """Keep an attachment and return its path."""
        path = new_path(f"01{self._new_id(self._moment(at)).upper()}", name)
        self.files[path] = File(name=path.rpartition("/")[2], **fields)
        return path

    def add_webhook(
        self,
        integration_id: str,
        target: str,
        triggers: Iterable[str],
        *,
        at: datetime | None = None,
        **fields: Any,
    ) -> Record:
        """Have events sent somewhere; a custom integration shows its webhooks itself, too."""
        webhook = {
            "id": self._new_id(self._moment(at)),
            "version": "v2",
            "target": target,
            "triggers": list(triggers),
            "secret": self.corpus.hex(32),
            "includeFullUser": False,
            "includeFullSource": False,
            **fields,
        }
        self.webhooks[integration_id].append(webhook)
        integration = self.integrations[integration_id]
        if integration["type"] == "custom":
            integration["webhooks"] = self.webhooks[integration_id]
        return webhook

    def create_conversation(
        self, kind: str, user_ids: Iterable[str], *, at: datetime | None = None, **fields: Any
    ) -> Record:
        """Create a conversation; a user's first personal one is the default."""
        moment = self._moment(at)
        members = list(user_ids)
        conversation = {
            "id": self._new_id(moment),
            "type": kind,
            "isDefault": kind == "personal" and not any(map(self._has_personal, members)),
            "lastUpdatedAt": stamp(moment),
            "createdAt": stamp(moment),
            **fields,
        }
        self.conversations[conversation["id"]] = conversation
        self._participants[conversation["id"]] = []
        self._messages[conversation["id"]] = []
        for user_id in members:
            self.join(conversation["id"], user_id, at=moment)
        return conversation

    def update_conversation(self, conversation_id: str, **changes: Any) -> Record:
        """Change a conversation; that is not a message, so `lastUpdatedAt` stays."""
        self.conversations[conversation_id].update(changes)
        return self.conversations[conversation_id]

    def delete_conversation(self, conversation_id: str) -> None:
        """Delete a conversation with its messages and participants."""
        for participant in self._participants.pop(conversation_id):
            self._memberships.get(participant["userId"], set()).discard(conversation_id)
        self._drop_files(self._messages[conversation_id])
        self._drop_uploads(conversation_id)
        del self._messages[conversation_id]
        del self.conversations[conversation_id]

    def join(self, conversation_id: str, user_id: str, *, at: datetime | None = None) -> Record:
        """Let a user into a conversation, with the client seen last in front."""
        user = self.users[user_id]
        participant = {
            "id": self._new_id(self._moment(at)),
            "userId": user_id,
            "unreadCount": 0,
            "clientAssociations": [
                {"type": client["type"], "clientId": client["id"]}
                for client in reversed(self.clients_of(user_id)[-2:])
            ],
        }
        if "externalId" in user:
            participant["userExternalId"] = user["externalId"]
        self._participants[conversation_id].append(participant)
        self._memberships.setdefault(user_id, set()).add(conversation_id)
        return participant

    def leave(self, conversation_id: str, user_id: str) -> bool:
        """Let a user out of a conversation; False if it was not a member."""
        members = self._participants[conversation_id]
        stay = [member for member in members if member["userId"] != user_id]
        self._participants[conversation_id] = stay
        self._memberships.get(user_id, set()).discard(conversation_id)
        return len(stay) < len(members)

    def post_message(
        self,
        conversation_id: str,
        parts: Record,
        *,
        at: datetime | None = None,
        silent: bool = False,
    ) -> Record:
        """Add a message; unless it is silent, everybody but its author has one more to read."""
        moment = self._moment(at)
        message = {"id": self._new_id(moment), "received": stamp(moment), **parts}
        self._messages[conversation_id].append(message)
        self.conversations[conversation_id]["lastUpdatedAt"] = message["received"]
        author = message["author"].get("userId")
        for participant in self._participants[conversation_id]:
            if participant["userId"] != author and not silent:
                participant["unreadCount"] += 1
        return message

    def delete_message(self, conversation_id: str, message_id: str) -> None:
        """Delete a message; a placeholder without content stays in its place."""
        messages = self._messages[conversation_id]
        index = [message["id"] for message in messages].index(message_id)
        self._drop_files(messages[index : index + 1])
        messages[index] = _placeholder(messages[index])

    def delete_messages(self, conversation_id: str) -> None:
        """Delete all messages of a conversation."""
        messages = self._messages[conversation_id]
        self._drop_files(messages)
        self._messages[conversation_id] = [_placeholder(message) for message in messages]

    def read_by_user(self, conversation_id: str, user_id: str) -> None:
        """Note that a user has read everything."""
        messages = self._messages[conversation_id]
        for participant in self._participants[conversation_id]:
            if participant["userId"] == user_id and messages:
                participant["unreadCount"] = 0
                participant["lastRead"] = messages[-1]["received"]

    def read_by_business(self, conversation_id: str, *, at: datetime | None = None) -> None:
        """Note that somebody of the business has read everything."""
        self.conversations[conversation_id]["businessLastRead"] = stamp(self._moment(at))

    def _drop_files(self, messages: Iterable[Record]) -> None:
        for message in messages:
            for content in shown({"content": message.get("content", {})}):
                path = path_of(content["mediaUrl"])
                if path in self.files and self.files[path].goes_with_message:
                    del self.files[path]

    def _drop_uploads(self, conversation_id: str) -> None:
        for path, file in list(self.files.items()):
            if file.conversation == conversation_id and file.goes_with_message:
                del self.files[path]

    def _has_personal(self, user_id: str) -> bool:
        ids = self._memberships.get(user_id, ())
        return any(self.conversations[each]["type"] == "personal" for each in ids)

    def _moment(self, at: datetime | None) -> datetime:
        moment = self.latest + self.corpus.pause(timedelta(minutes=2)) if at is None else at
        self.latest = max(self.latest, moment)
        return moment

    def _new_id(self, moment: datetime) -> str:
        self._count += 1
        return f"{int(moment.timestamp()):08x}{self._host}{self._count:06x}"


def _placeholder(message: Record) -> Record:
    kept = ("id", "received", "author", "source")
    return {key: message[key] for key in kept} | {"deleted": True}


def _found(record: Record | None, what: str) -> Record:
    if record is None:
        raise missing(what)
    return record


def newest_first(messages: Iterable[Record]) -> list[Record]:
    """Sort messages as the hub promises them."""
    return sorted(messages, key=itemgetter("received", "id"), reverse=True)
