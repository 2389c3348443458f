"""A message before it is sent: what Clio is told, and how it is known again afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from attrs import frozen

from conversations_hub.errors import ConfigurationError, UnsupportedError
from conversations_hub.models import Attachment, Author, Message
from conversations_hub.providers.clio import addressees, texts
from conversations_hub.wire import Upload


@frozen(kw_only=True)
class Draft:
    """A message to be sent; a reply may leave its subject and its receivers to be found out."""

    body: str
    subject: str | None = None
    receivers: tuple[str, ...] = ()
    document: int | None = None
    version: int | None = None
    matter: int | None = None

    def data(self, conversation: int | None = None) -> Mapping[str, Any]:
        """Return the body of the request, without what it does not say."""
        attachment = {"document_id": self.document, "document_version_id": self.version}
        said = {
            "body": self.body,
            "subject": self.subject or "",
            "receivers": [addressees.payload(who) for who in self.receivers],
            "conversation": None if conversation is None else {"id": conversation},
            "matter": None if self.matter is None else {"id": self.matter},
            "attachment": _without_none(attachment) or None,
        }
        return _without_none(said)

    def may_be(self, message: Message, me: int) -> bool:
        """Say whether a message may be this one: as far as is told, and but for blanks."""
        return (
            self._is_from(message.author, me) is not False
            and texts.squeezed(message.text) == texts.squeezed(self.body)
            and [file.id for file in message.attachments] == self._files()
        )

    def is_sure(self, message: Message, me: int) -> bool:
        """Say whether a message is this one without a doubt."""
        return (
            self.may_be(message, me)
            and self._is_from(message.author, me) is True
            and (message.text or "") == self.body
            and self._goes_to(message.recipients)
        )

    def _is_from(self, author: Author | None, me: int) -> bool | None:
        """Say whether the token's user is the author; None where that cannot be told.

        A number alone may also be that of a contact who is written to.
        """
        if author is None or author.ref is None:
            return None
        sort, same = author.ref.id.partition("/")[0], addressees.number(author.ref.id) == me
        if sort in addressees.TYPES:
            return same and sort == addressees.USER
        return None if same and f"{addressees.CONTACT}/{me}" in self.receivers else same

    def _goes_to(self, people: Iterable[Author]) -> bool:
        """Compare receivers one by one; of whom only the number is told, the number will do."""
        left = list(self.receivers)
        others = []
        for who in (one.ref.id if one.ref else "" for one in people):
            if who in left:
                left.remove(who)
            else:
                others.append(who)
        return all(who.startswith("member/") for who in others) and (
            sorted(map(addressees.number, others)) == sorted(map(addressees.number, left))
        )

    def _files(self) -> list[str | None]:
        return [] if self.document is None else [str(self.document)]


def document_of(
    files: Sequence[Upload | Attachment], refuse: Callable[[str], UnsupportedError]
) -> int | None:
    """Return the document to attach; Clio takes one, which it has already."""
    documents = [file for file in files if isinstance(file, Attachment)]
    if len(documents) < len(files):
        raise refuse(
            "put the document into Clio, and attach it by its id: Attachment(id=document_id)"
        )
    if len(documents) > 1:
        raise refuse("a message takes one document; send one message for each")
    if not documents:
        return None
    number = documents[0].id or ""
    if not (number.isascii() and number.isdecimal()):
        raise ConfigurationError("this attachment has no document's id, which is a number")
    return int(number)


def _without_none(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if value is not None}
