"""What a token's user may change about conversations, and what follows from it (§7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from conversations_hub.providers.clio.emulator.refusals import (
    ForbiddenError,
    InvalidArgumentError,
    NotFoundError,
    RefusedError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from conversations_hub.providers.clio.emulator.bodies import Data
    from conversations_hub.providers.clio.emulator.fields import Record
    from conversations_hub.providers.clio.emulator.store import Store
    from conversations_hub.providers.clio.emulator.switches import ClioSwitches


@frozen
class Writes:
    """The writing operations: everything is checked before anything changes."""

    store: Store
    switches: ClioSwitches

    def update_conversation(self, conversation: Record, data: Data) -> None:
        """Set the user's own flags, or put the conversation under a matter."""
        flags = {name: data.flag(name) for name in ("read", "archived") if name in data}
        matter = self._matter(data)
        self._check_member(conversation)
        at = self.store.tick()
        wanted = {
            name: value
            for name, value in flags.items()
            if value is not conversation[name] and self._heeds(name)
        }
        if wanted:
            self.store.mark(
                conversation["id"],
                self.store.me,
                read=wanted.get("read"),
                archived=wanted.get("archived"),
                at=at,
                bump=self.switches.marks_bump_updated_at,
            )
        if self._heeds("matter"):
            self._link(conversation, matter, at)

    def create_message(self, data: Data) -> Record:
        """Reply in a conversation or, where none is named, begin one."""
        data.require("body", "subject", "receivers")
        body, subject = data.text("body"), data.text("subject")
        thread = self._thread(data)
        receivers = self._receivers(data)
        document, matter = self._attachment(data), self._matter(data)
        if thread is None:
            members = _once([self.store.me, *receivers])
            at = self.store.tick()
            thread = self.store.add_conversation(subject, members, matter=matter, at=at)
        else:
            at = self._extend(thread, receivers)
            self._link(thread, matter, at)
        return self.store.add_message(
            thread["id"],
            self.store.me,
            body,
            receivers=receivers,
            document=document,
            at=at,
            bump=self.switches.message_bumps_updated_at,
        )

    def _heeds(self, name: str) -> bool:
        return self.switches.patch_ignores != name

    def _check_member(self, conversation: Record) -> None:
        if not conversation["current_user_is_member"]:
            raise ForbiddenError  # who sees it through its matter may only read (§2)

    def _link(self, conversation: Record, matter: Record | None, at: datetime) -> None:
        if matter is not None and matter is not conversation["matter"]:
            self.store.link_matter(conversation["id"], matter, at=at)

    def _extend(self, thread: Record, receivers: list[Record]) -> datetime:
        members = {id(each["member"]) for each in thread["memberships"]}
        outsiders = [each for each in receivers if id(each) not in members]
        if outsiders and self.switches.reply_receivers == "refused":
            raise InvalidArgumentError("receivers must be members of the conversation")
        at = self.store.tick()
        for each in outsiders:
            self.store.add_member(thread["id"], each, at=at)
        return at

    # What a body refers to.

    def _thread(self, data: Data) -> Record | None:
        number = _referred(data, "conversation")
        if number is None:
            return None
        if number in self.store.hidden:
            raise self._hidden()
        thread = self.store.conversations.get(number)
        if thread is None:
            raise self._missing("conversation")
        self._check_member(thread)
        return thread

    def _receivers(self, data: Data) -> list[Record]:
        receivers = [self._receiver(each) for each in data.parts("receivers")]
        if not receivers:
            raise InvalidArgumentError("receivers must not be empty")
        return _once(receivers)

    def _receiver(self, data: Data) -> Record:
        data.require("id", "type")
        number, kind = data.number("id"), data.choice("type", ("Contact", "User"))
        people = self.store.users if kind == "User" else self.store.contacts
        if number not in people:
            raise self._missing("receiver")
        return people[number]

    def _matter(self, data: Data) -> Record | None:
        number = _referred(data, "matter")
        if number is not None and number not in self.store.matters:
            raise self._missing("matter")
        return None if number is None else self.store.matters[number]

    def _attachment(self, data: Data) -> Record | None:
        part = data.part("attachment")
        if part is None:
            return None
        names = [name for name in ("document_id", "document_version_id") if name in part]
        if not names:
            raise InvalidArgumentError("attachment.document_id is required")
        found = [self._document(name, part.number(name)) for name in names]
        if found[0] is not found[-1]:
            raise InvalidArgumentError("attachment.document_version_id is of another document")
        return found[0]

    def _document(self, name: str, number: int) -> Record:
        by_version = name == "document_version_id"
        document = self.store.visible_document(number, by_version=by_version)
        if document is None:
            raise self._missing("document")
        return document

    def _missing(self, what: str) -> RefusedError:
        if self.switches.missing_reference == "unprocessable":
            return InvalidArgumentError(f"{what} does not exist")
        return NotFoundError(f"{what} not found")

    def _hidden(self) -> RefusedError:
        forbidden = self.switches.hidden == "forbidden"
        return ForbiddenError() if forbidden else self._missing("conversation")


def _referred(data: Data, name: str) -> int | None:
    part = data.part(name)
    if part is None:
        return None
    part.require("id")
    return part.number("id")


def _once(people: Iterable[Record]) -> list[Record]:
    return list({id(person): person for person in people}.values())
