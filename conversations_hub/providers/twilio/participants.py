"""Participants: who is in a conversation, and how far they have read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from conversations_hub.errors import ConfigurationError, NotFoundError, TranslationError
from conversations_hub.models import Message, Participant, Ref
from conversations_hub.provider import operation
from conversations_hub.providers.twilio import evidence, forms, payloads, translate
from conversations_hub.providers.twilio.account import PAGES, PARTICIPANT
from conversations_hub.providers.twilio.messages import Messages
from conversations_hub.reading import Record, Records, nothing
from conversations_hub.recipes import Attempt, Call, Listing, Outcome
from conversations_hub.writing import after, find, gather, gone

R = TypeVar("R")


class Participants(Messages):
    """What is asked of those in a conversation."""

    __slots__ = ()

    @operation
    def participants(
        self, conversation: Ref, *, page_size: int | None = None
    ) -> Listing[Participant]:
        """List participants: `GET /v1/Conversations/{sid}/Participants`."""
        return Listing(
            request=self._get(
                "Conversations",
                self.id_of(conversation),
                "Participants",
                query={"PageSize": self.page_size("participants", page_size)},
            ),
            read=Records(
                payload=payloads.Participant,
                items="participants",
                translate=partial(translate.participant, conversation),
                paging=PAGES,
            ),
            # In which order they come, nobody says.
            repeats=True,
            moving=True,
        )

    @operation
    def participant(self, conversation: Ref, id: Ref | str) -> Call[Participant]:  # noqa: A002
        """Fetch a participant: `GET /v1/Conversations/{sid}/Participants/{sid}`."""
        return Call(
            request=self._get(*self._place(conversation), self._id(id)),
            read=self._participant_record(conversation),
        )

    @operation
    def add_participant(
        self,
        conversation: Ref,
        who: Ref | str | None = None,
        *,
        address: str | None = None,
        proxy_address: str | None = None,
        projected_address: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        role_sid: str | None = None,
        date_created: datetime | None = None,
        date_updated: datetime | None = None,
        webhook_enabled: bool | None = None,
    ) -> Call[Participant]:
        """Add a participant: `POST /v1/Conversations/{sid}/Participants`.

        A ref is a user's identity, and so is a text, unless it is a phone number or has a
        channel's prefix (`whatsapp:+1…`), or is an e-mail address with a `proxy_address`: that of
        ours which they write to. In a group text ours is the `projected_address`.
        """
        identity, theirs = self._named(who, proxy_address)
        if theirs is not None and address is not None:
            raise ConfigurationError("who= is an address already; leave out address=")
        form: forms.Form = {
            "Identity": identity,
            "MessagingBinding.Address": theirs or address,
            "MessagingBinding.ProxyAddress": proxy_address,
            "MessagingBinding.ProjectedAddress": projected_address,
            "Attributes": forms.json_text(metadata),
            "RoleSid": role_sid,
            "DateCreated": forms.moment(date_created),
            "DateUpdated": forms.moment(date_updated),
        }
        place = self._place(conversation)
        listed = self.participants(conversation)
        return Call(
            request=self._post(*place, form=form, webhook_enabled=webhook_enabled),
            read=self._participant_record(conversation),
            reconcile=evidence.made(listed, {**form, "Identity": identity or ""}),
        )

    @operation
    def update_participant(
        self,
        conversation: Ref,
        id: Ref | str,  # noqa: A002
        *,
        identity: str | None = None,
        proxy_address: str | None = None,
        projected_address: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        role_sid: str | None = None,
        last_read_message_index: int | None = None,
        last_read_at: datetime | None = None,
        date_created: datetime | None = None,
        date_updated: datetime | None = None,
        webhook_enabled: bool | None = None,
    ) -> Call[Participant]:
        """Change a participant: `POST /v1/Conversations/{sid}/Participants/{sid}`.

        The text "null" takes an address of ours away.
        """
        form: forms.Form = {
            "Identity": identity,
            "MessagingBinding.ProxyAddress": proxy_address,
            "MessagingBinding.ProjectedAddress": projected_address,
            "Attributes": forms.json_text(metadata),
            "RoleSid": role_sid,
            "LastReadMessageIndex": last_read_message_index,
            "LastReadTimestamp": forms.moment(last_read_at),
            "DateCreated": forms.moment(date_created),
            "DateUpdated": forms.moment(date_updated),
        }
        self._changed(form, "metadata=, role_sid=, an address or what was read")
        place = self._place(conversation)
        return Call(
            request=self._post(*place, self._id(id), form=form, webhook_enabled=webhook_enabled),
            read=self._participant_record(conversation),
            reconcile=evidence.became(
                self.participant(conversation, id),
                form,
                renamed=self.participant(conversation, identity)
                if identity and not PARTICIPANT.fullmatch(self._id(id))
                else None,
            ),
        )

    @operation
    def remove_participant(
        self, conversation: Ref, who: Ref | str, *, webhook_enabled: bool | None = None
    ) -> Call[None]:
        """Remove a participant: `DELETE /v1/Conversations/{sid}/Participants/{sid}`.

        Who is no participant's ref or SID is looked up first, by identity or address.
        """

        def remove(sid: str) -> Call[None]:
            place = self._place(conversation)
            return Call(
                request=self._delete(*place, sid, webhook_enabled=webhook_enabled),
                read=nothing,
                reconcile=gone(self.participant(conversation, sid)),
            )

        return self._found(conversation, who, "remove_participant", remove)

    @operation
    def mark_read(
        self,
        conversation: Ref,
        *,
        participant: Ref | str | None = None,
        webhook_enabled: bool | None = None,
    ) -> Call[None]:
        """Mark everything as read: `POST /v1/Conversations/{sid}/Participants/{sid}`.

        The newest message is asked for first, and where there is none nothing is marked.
        """
        place = self._place(conversation)
        if participant is None:
            raise self.unsupported("mark_read", "an account reads nothing itself; say participant=")

        def mark(sid: str, index: int) -> Call[None]:
            form = {"LastReadMessageIndex": index}
            return Call(
                request=self._post(*place, sid, form=form, webhook_enabled=webhook_enabled),
                read=nothing,
                reconcile=self._read_up_to(conversation, sid, index),
            )

        def up_to_newest(sid: str) -> Call[None]:
            newest = self.messages(conversation, order="newest", page_size=1)
            return find(
                newest, lambda _: True, lambda m: None if m is None else mark(sid, _index(m))
            )

        return self._found(conversation, participant, "mark_read", up_to_newest)

    def _read_up_to(
        self, conversation: Ref, sid: str, index: int
    ) -> Callable[[Attempt], Call[Outcome[None]]]:
        def told(found: Participant) -> Outcome[None]:
            horizon = found.raw.get("last_read_message_index") if found.raw is not None else None
            return Outcome(happened=isinstance(horizon, int) and horizon >= index)

        return lambda _: after(self.participant(conversation, sid), told)

    def _place(self, conversation: Ref) -> tuple[str, ...]:
        return ("Conversations", self.id_of(conversation), "Participants")

    def _participant_record(self, conversation: Ref) -> Record[payloads.Participant, Participant]:
        return Record(
            payload=payloads.Participant, translate=partial(translate.participant, conversation)
        )

    def _named(self, who: Ref | str | None, proxy: str | None) -> tuple[str | None, str | None]:
        """Return the identity or the address that somebody is let in by."""
        if who is None:
            return None, None
        if isinstance(who, str) and is_address(who, proxy):
            return None, who
        return self._identity(who, "add_participant"), None

    def _found(
        self, conversation: Ref, who: Ref | str, question: str, then: Callable[[str], Call[R]]
    ) -> Call[R]:
        """Go on with the SID of somebody known by SID, identity or address."""
        name = self._id(who)
        if PARTICIPANT.fullmatch(name):
            return then(name)
        if isinstance(who, Ref):
            name = self._identity(who, question)
        if isinstance(who, Ref) or not ("@" in name or translate.ADDRESS.fullmatch(name)):
            return after(self.participant(conversation, name), lambda found: then(found.ref.id))

        def there(found: Sequence[Participant]) -> Call[R]:
            sids = {one.ref.id for one in found}
            if not sids:
                raise NotFoundError(
                    f"nobody in {conversation} is known as {name}; list the participants",
                    provider=self.name,
                    operation=question,
                )
            if len(sids) > 1:
                raise ConfigurationError(
                    f"several in {conversation} are known as {name}; give the ref of one of them",
                    provider=self.name,
                    operation=question,
                )
            return then(sids.pop())

        return gather(self.participants(conversation), partial(is_known, name), there)


def _index(message: Message) -> int:
    """Return the place of a message in its conversation."""
    index = message.raw.get("index") if message.raw is not None else None
    if not isinstance(index, int):
        raise TranslationError("the newest message has no index", path="messages[0].index")
    return index


def is_address(who: str, proxy: str | None) -> bool:
    """Tell whether a text is an address; one of e-mail is where it has to have ours beside it."""
    return bool(translate.ADDRESS.fullmatch(who)) or ("@" in who and proxy is not None)


def is_known(name: str, participant: Participant) -> bool:
    """Tell whether a participant is known by an address or identity."""
    user = participant.user.id if participant.user else None
    return name in (participant.address, user)
