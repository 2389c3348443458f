"""Keeps Clio's records whole, and changes them with the effects that Clio's own operations have."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from attrs import Factory, define, field

from conversations_hub.emulator.corpus import EPOCH, Corpus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from conversations_hub.providers.clio.emulator.fields import Record

_FIRST_IDS = {
    "user": 301,
    "contact": 77001,
    "matter": 51234,
    "conversation": 8801,
    "message": 99001,
    "membership": 4001,
    "document": 660001,
    "webhook": 151,
    "avatar": 901,
}


# A document's versions are numbered apart; each document here has one.
_VERSIONS_FROM = 100_000


def _real_now() -> datetime:
    return datetime.now(UTC)


@define(kw_only=True)
class Store:
    """Everything in one account, as its first user sees it.

    Records refer to each other as objects, so a conversation holds its messages and each
    message its conversation; `fields` cuts the answer out. Besides what the API shows, a
    conversation has `group_access`, a matter may be `redacted`, a message `sender_lost` and a
    document has a `version_id`.
    """

    seed: int
    now: datetime = EPOCH
    clock: Callable[[], datetime] = _real_now
    """What is written through the API is stamped with."""
    users: dict[int, Record] = field(factory=dict, init=False)
    contacts: dict[int, Record] = field(factory=dict, init=False)
    matters: dict[int, Record] = field(factory=dict, init=False)
    conversations: dict[int, Record] = field(factory=dict, init=False)
    messages: dict[int, Record] = field(factory=dict, init=False)
    documents: dict[int, Record] = field(factory=dict, init=False)
    webhooks: dict[int, Record] = field(factory=dict, init=False)
    hidden: set[int] = field(factory=set, init=False)
    """The conversations that the user may not see."""
    corpus: Corpus = field(
        default=Factory(lambda self: Corpus(self.seed, "clio/store"), takes_self=True), init=False
    )
    _last_ids: dict[str, int] = field(factory=dict, init=False)
    _revision: int = field(default=0, init=False)

    @property
    def me(self) -> Record:
        """The user whose token asks."""
        return self.users[_FIRST_IDS["user"]]

    # What lists need.

    def visible_conversations(self) -> list[Record]:
        """Return the conversations that the user may see, by id."""
        every = self.conversations.values()
        if not self.hidden:
            return list(every)
        return [record for record in every if record["id"] not in self.hidden]

    def visible_messages(self, conversation: int) -> list[Record]:
        """Return the messages of a conversation, by id; none of one that cannot be seen."""
        if conversation in self.hidden or conversation not in self.conversations:
            return []
        messages: list[Record] = self.conversations[conversation]["messages"]
        return messages

    def visible_document(self, number: int, *, by_version: bool = False) -> Record | None:
        """Return a document that the user may open, by its own number or that of its version."""
        document = self.documents.get(number - _VERSIONS_FROM if by_version else number)
        if document is None or document["deleted_at"] is not None:
            return None
        secret = (self.conversations[each]["documents"] for each in self.hidden)
        return None if any(document in each for each in secret) else document

    # What is there before anybody writes.

    def add_user(self, first: str, last: str, **details: Any) -> Record:
        """Add a user of the firm, or a co-counsel with `clio_connect`."""
        record = self._person("user", first, last) | _USER | details
        record["email"] = record["secondary_identifier"] = f"user{record['id']}@firm.example"
        self.users[record["id"]] = record
        return record

    def add_contact(self, first: str, last: str | None = None, **details: Any) -> Record:
        """Add a person or, without a last name, a company."""
        record = self._person("contact", first, last, _number(details.pop("id", None)))
        record |= _CONTACT | details
        record["type"] = "Person" if last else "Company"
        record["secondary_identifier"] = f"contact{record['id']}@example.com"
        self.contacts[record["id"]] = record
        return record

    def add_matter(self, client: Record, description: str, **details: Any) -> Record:
        """Add a matter of a client."""
        record = self._new("matter")
        number = len(self.matters) + 1
        record |= {
            "number": number,
            "display_number": f"{number:05d}-{client['name'].split()[-1]}",
            "description": description,
            "status": "Open",
            "client_id": client["id"],
            "billable": True,
            "billing_method": "hourly",
            "open_date": record["created_at"].date().isoformat(),
            "shared": False,
            "has_tasks": False,
        } | details
        self.matters[record["id"]] = record
        return record

    def new_document(self, filename: str, content_type: str | None, size: int | None) -> Record:
        """Put a document into Clio, which a message can carry."""
        record = self._new("document")
        self.documents[record["id"]] = record
        record |= {
            "type": "Document",
            "locked": False,
            "name": filename.rpartition(".")[0] or filename,
            "filename": filename,
            "content_type": content_type,
            "size": size,
            "received_at": self.now,
            "deleted_at": None,
            "version_id": record["id"] + _VERSIONS_FROM,
        }
        return record

    def add_webhook(self, url: str, model: str, **details: Any) -> Record:
        """Add a webhook of the user's."""
        record = self._new("webhook") | {
            "url": url,
            "fields": "id,etag",
            "shared_secret": self.corpus.hex(64),
            "model": model,
            "status": "pending",
            "events": ["created", "updated"],
            "user": self.me,
        }
        self.webhooks[record["id"]] = record | details
        return self.webhooks[record["id"]]

    # What users do.

    def tick(self) -> datetime:
        """Move on to the real time, unless the store is ahead of it, and return the time."""
        self._pass(self.clock())
        return self.now

    def change_webhook(self, webhook: Record, changes: Record) -> None:
        """Change a webhook."""
        self.tick()
        webhook.update(changes)
        self._touch(webhook)

    def add_conversation(
        self,
        subject: str | None,
        members: Iterable[Record],
        *,
        matter: Record | None = None,
        at: datetime | None = None,
    ) -> Record:
        """Begin a conversation; one without the user among its members is only to be read."""
        self._pass(at)
        record = self._new("conversation") | {
            "subject": subject,
            "message_count": 0,
            "time_entries_count": 0,
            "first_message": None,
            "last_message": None,
            "messages": [],
            "matter": matter,
            "memberships": [],
            "documents": [],
            "group_access": False,
        }
        record["memberships"] = [self._membership(member) for member in members]
        self._mirror(record)
        self.conversations[record["id"]] = record
        return record

    def add_member(self, conversation: int, member: Record, *, at: datetime | None = None) -> None:
        """Let somebody else into a conversation."""
        self._pass(at)
        record = self.conversations[conversation]
        record["memberships"].append(self._membership(member))
        self._mirror(record)
        self._touch(record)

    def add_message(
        self,
        conversation: int,
        sender: Record,
        body: str | None,
        *,
        receivers: list[Record] | None = None,
        document: Record | None = None,
        at: datetime | None = None,
        bump: bool = True,
    ) -> Record:
        """Post a message, by default to everybody else; to the others the conversation is unread.

        `bump` says whether the conversation's `updated_at` moves, which is not known (§10).
        """
        self._pass(at)
        thread = self.conversations[conversation]
        record = self._new("message") | {
            "body": body,
            "sender": sender,
            "receivers": _others(thread, sender) if receivers is None else receivers,
            "document": document,
            "conversation": thread,
        }
        self.messages[record["id"]] = record
        self._append(thread, record)
        for membership in thread["memberships"]:
            self._flag(membership, read=membership["member"] is sender)
        self._mirror(thread)
        self._touch(thread, bump=bump)
        return record

    def mark(
        self,
        conversation: int,
        member: Record,
        *,
        read: bool | None = None,
        archived: bool | None = None,
        at: datetime | None = None,
        bump: bool = False,
    ) -> None:
        """Set what one member sees as read or archived.

        `bump` says whether the conversation's `updated_at` moves too, which is doubtful (§10).
        """
        self._pass(at)
        record = self.conversations[conversation]
        for membership in record["memberships"]:
            if membership["member"] is member:
                self._flag(membership, read=read, archived=archived)
        self._mirror(record)
        self._touch(record, bump=bump)

    def link_matter(self, conversation: int, matter: Record, *, at: datetime | None = None) -> None:
        """Put a conversation under a matter."""
        self._pass(at)
        record = self.conversations[conversation]
        record["matter"] = matter
        self._touch(record)

    def log_time(self, conversation: int, entries: int) -> None:
        """Count more time entries."""
        self._pass(None)
        record = self.conversations[conversation]
        record["time_entries_count"] += entries
        self._touch(record)

    # How records begin and change.

    def _pass(self, at: datetime | None) -> None:
        # Kept to the second, as it is shown: more could not be asked for with a filter.
        moment = at or self.now + self.corpus.pause()
        self.now = max(self.now, moment.replace(microsecond=0))

    def _new(self, kind: str, number: int | None = None) -> Record:
        number = number or self._next_id(kind)
        return {
            "id": number,
            "etag": self._etag(f"{kind}/{number}"),
            "created_at": self.now,
            "updated_at": self.now,
        }

    def _next_id(self, kind: str) -> int:
        self._last_ids[kind] = self._last_ids.get(kind, _FIRST_IDS[kind] - 1) + 1
        return self._last_ids[kind]

    def _etag(self, what: object) -> str:
        self._revision += 1
        text = f"{self.seed}/{what}/{self._revision}"
        return f'"{hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()}"'

    def _touch(self, record: Record, *, bump: bool = True) -> None:
        record["etag"] = self._etag(record["id"])
        if bump:
            record["updated_at"] = self.now

    def _person(self, kind: str, first: str, last: str | None, number: int | None = None) -> Record:
        record = self._new(kind, number)
        name = f"{first} {last}" if last else first
        initials = "".join(word[0] for word in (first, last) if word)
        avatar = self._new("avatar") | {"url": f"https://assets.example/avatars/{record['id']}.png"}
        return record | {
            "first_name": first,
            "last_name": last,
            "name": name,
            "identifier": name,
            "initials": initials,
            "avatar": avatar,
        }

    def _membership(self, member: Record) -> Record:
        return self._new("membership") | {"read": False, "archived": False, "member": member}

    def _append(self, thread: Record, message: Record) -> None:
        thread["messages"].append(message)
        thread["message_count"] += 1
        thread["first_message"] = thread["first_message"] or message
        thread["last_message"] = message
        document = message["document"]
        if document is not None and document not in thread["documents"]:
            thread["documents"].append(document)

    def _flag(
        self, membership: Record, *, read: bool | None = None, archived: bool | None = None
    ) -> None:
        wanted = {"read": read, "archived": archived}
        changes = {
            name: value
            for name, value in wanted.items()
            if value is not None and value is not membership[name]
        }
        if changes:
            membership.update(changes)
            self._touch(membership)

    def _mirror(self, conversation: Record) -> None:
        # A conversation shows the state that it has for the user.
        own = [each for each in conversation["memberships"] if each["member"] is self.me]
        conversation["current_user_is_member"] = bool(own)
        conversation["read_only"] = not own
        conversation["read"] = bool(own) and own[0]["read"]
        conversation["archived"] = bool(own) and own[0]["archived"]


def _others(thread: Record, sender: Record) -> list[Record]:
    members = (membership["member"] for membership in thread["memberships"])
    return [member for member in members if member is not sender]


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


_USER: Record = {
    "type": "User",
    "account_owner": False,
    "clio_connect": False,
    "court_rules_default_attendee": False,
    "default_calendar_id": 1,
    "enabled": True,
    "job_title_name": None,
    "phone_number": None,
    "rate": 250.0,
    "roles": ["Attorney"],
    "subscription_type": "Attorney",
    "time_zone": "America/New_York",
    "contact": None,
    "default_activity_description": None,
    "account": None,
    "groups": [],
    "job_title": None,
    "notification_methods": [],
}
_CONTACT: Record = {"enabled": None, "job_title_name": None}
