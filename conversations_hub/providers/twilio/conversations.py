"""Conversations: found, changed, closed and deleted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from attrs import evolve

from conversations_hub.models import Conversation, ConversationState, Ref
from conversations_hub.provider import all_of, between, operation
from conversations_hub.providers.twilio import evidence, forms, payloads, translate
from conversations_hub.providers.twilio.account import CONVERSATION, PAGES
from conversations_hub.providers.twilio.days import Days
from conversations_hub.providers.twilio.participants import Participants
from conversations_hub.reading import Record, Records, nothing
from conversations_hub.recipes import Call, Listing
from conversations_hub.wire import shifted
from conversations_hub.writing import gone

STATES = {state: word for word, state in translate.STATES.items()}
# Without a date filter the list is in order of activity, and rows move between pages while
# it is read. With one it is in order of creation.
FROM_THE_START = "1970-01-01T00:00:00Z"


class Conversations(Participants):
    """What is asked of conversations."""

    __slots__ = ()

    @operation
    def conversations(
        self,
        *,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        updated_after: datetime | None = None,
        state: ConversationState | None = None,
        participant: Ref | str | None = None,
        page_size: int | None = None,
    ) -> Listing[Conversation]:
        """List conversations, the newest first: `GET /v1/Conversations`.

        Those of a participant come from `GET /v1/ParticipantConversations`: a ref or a plain
        name is an identity; a phone number or a prefixed address (`whatsapp:+1…`) an address;
        an e-mail address may be either.
        """
        keep = all_of(
            between(lambda c: c.created_at, created_after, created_before),
            between(lambda c: c.updated_at, updated_after, None),
        )
        if state is not None and state not in STATES:
            raise self.unsupported(
                "conversations", f"its conversations are {', '.join(STATES)}, never {state}"
            )
        if participant is not None:
            return self._of_participant(participant, state, keep, page_size)
        first = self._get(
            "Conversations",
            query={
                "StartDate": _day(created_after, "T00:00:00Z") or FROM_THE_START,
                "EndDate": _day(created_before, "T23:59:59Z", timedelta(seconds=1)),
                "State": STATES[state] if state else None,
                "PageSize": self.page_size("conversations", page_size),
            },
        )
        return Listing(
            request=first,
            read=Records(
                payload=payloads.Conversation,
                items="conversations",
                translate=partial(translate.conversation, self.name),
                paging=PAGES,
            ),
            keep=keep,
            split=Days.of(first, created_after, created_before),
        )

    @operation
    def conversation(self, ref: Ref) -> Call[Conversation]:
        """Fetch a conversation, by SID or unique name: `GET /v1/Conversations/{sid}`."""
        return Call(
            request=self._get("Conversations", self.id_of(ref)), read=self._conversation_record()
        )

    @operation
    def update(
        self,
        ref: Ref,
        *,
        title: str | None = None,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        unique_name: str | None = None,
        state: ConversationState | str | None = None,
        messaging_service_sid: str | None = None,
        timers_inactive: timedelta | str | None = None,
        timers_closed: timedelta | str | None = None,
        bindings_email_address: str | None = None,
        bindings_email_name: str | None = None,
        date_created: datetime | None = None,
        date_updated: datetime | None = None,
        webhook_enabled: bool | None = None,
    ) -> Call[Conversation]:
        """Change a conversation: `POST /v1/Conversations/{sid}`.

        New metadata take the place of all there were. `state` is OPEN, INACTIVE or CLOSED, or
        Twilio's word; a timer is a span from a minute (inactive) or ten (closed).
        """
        self.id_of(ref)
        self._refuse_description("update", description)
        form = self._conversation_form(
            title=title,
            metadata=metadata,
            unique_name=unique_name,
            state=state,
            messaging_service_sid=messaging_service_sid,
            timers=(timers_inactive, timers_closed),
            email=(bindings_email_address, bindings_email_name),
            dates=(date_created, date_updated),
        )
        self._changed(form, "title=, metadata=, state= or the like")
        return self._changing(ref, form, webhook_enabled)

    @operation
    def close(self, ref: Ref, *, webhook_enabled: bool | None = None) -> Call[Conversation]:
        """Close a conversation for good: `POST /v1/Conversations/{sid}`."""
        return self._changing(ref, {"State": "closed"}, webhook_enabled)

    @operation
    def delete(self, ref: Ref, *, webhook_enabled: bool | None = None) -> Call[None]:
        """Delete a conversation with all that is in it: `DELETE /v1/Conversations/{sid}`."""
        return Call(
            request=self._delete("Conversations", self.id_of(ref), webhook_enabled=webhook_enabled),
            read=nothing,
            reconcile=gone(self.conversation(ref)),
        )

    def _changing(self, ref: Ref, form: forms.Form, hooks: bool | None) -> Call[Conversation]:
        name = None if CONVERSATION.fullmatch(ref.id) else form.get("UniqueName")
        return Call(
            request=self._post("Conversations", self.id_of(ref), form=form, webhook_enabled=hooks),
            read=self._conversation_record(),
            reconcile=evidence.became(
                self.conversation(ref),
                form,
                renamed=self.conversation(Ref(self.name, name)) if name else None,
            ),
        )

    def _conversation_record(
        self,
    ) -> Record[payloads.Conversation | payloads.ParticipantConversation, Conversation]:
        return Record(
            payload=payloads.Conversation, translate=partial(translate.conversation, self.name)
        )

    def _state_word(self, state: ConversationState | str | None) -> str | None:
        """Return Twilio's word for a state of ours; its own words stay."""
        if isinstance(state, ConversationState):
            if state not in STATES:
                raise self.unsupported("update", f"a conversation is {', '.join(STATES)}")
            return STATES[state]
        return state

    def _refuse_description(self, question: str, description: str | None) -> None:
        if description is not None:
            raise self.unsupported(
                question, "a conversation has no description; put it into metadata="
            )

    def _conversation_form(
        self,
        *,
        title: str | None,
        metadata: Mapping[str, Any] | None,
        unique_name: str | None,
        state: ConversationState | str | None,
        messaging_service_sid: str | None,
        timers: tuple[timedelta | str | None, timedelta | str | None],
        email: tuple[str | None, str | None],
        dates: tuple[datetime | None, datetime | None],
    ) -> dict[str, Any]:
        inactive, closed = map(forms.duration, timers)
        created, updated = map(forms.moment, dates)
        return {
            "FriendlyName": title,
            "Attributes": forms.json_text(metadata),
            "UniqueName": unique_name,
            "State": self._state_word(state),
            "MessagingServiceSid": messaging_service_sid,
            "Timers.Inactive": inactive,
            "Timers.Closed": closed,
            "Bindings.Email.Address": email[0],
            "Bindings.Email.Name": email[1],
            "DateCreated": created,
            "DateUpdated": updated,
        }

    def _of_participant(
        self,
        participant: Ref | str,
        state: ConversationState | None,
        keep: Callable[[Conversation], bool] | None,
        page_size: int | None,
    ) -> Listing[Conversation]:
        size = self.page_size("conversations of a participant", page_size)
        who = self._identity(participant, "conversations")
        first, *others = (
            Listing(
                request=self._get("ParticipantConversations", query={name: who, "PageSize": size}),
                read=Records(
                    payload=payloads.ParticipantConversation,
                    items="conversations",
                    translate=partial(translate.conversation, self.name),
                    paging=PAGES,
                ),
                keep=all_of(keep, (lambda c: c.state is state) if state else None),
                # The order is not documented: a row may come again on a later page.
                repeats=True,
                moving=True,
            )
            for name in _names_of(participant)
        )
        return evolve(first, beside=tuple(others))


def _names_of(participant: Ref | str) -> tuple[str, ...]:
    """Return what somebody's name may be to Twilio."""
    if isinstance(participant, str) and translate.ADDRESS.fullmatch(participant):
        return ("Address",)
    if isinstance(participant, str) and "@" in participant:
        return ("Identity", "Address")
    return ("Identity",)


def _day(moment: datetime | None, time: str, later: timedelta = timedelta()) -> str | None:
    """Return the UTC day of a moment: the filters want whole days."""
    return f"{shifted(moment, later).date()}{time}" if moment else None
