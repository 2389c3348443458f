"""Users: who chats, and the conversations they are in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from conversations_hub.errors import ConfigurationError
from conversations_hub.models import Ref
from conversations_hub.provider import operation
from conversations_hub.providers.twilio import evidence, forms, values
from conversations_hub.providers.twilio.account import Account
from conversations_hub.providers.twilio.values import (
    ParticipantConversation,
    User,
    UserConversation,
)
from conversations_hub.reading import nothing
from conversations_hub.recipes import Call, Listing
from conversations_hub.writing import gone


class Users(Account):
    """What is asked of users; each is known by SID or identity."""

    __slots__ = ()

    @operation
    def users(self, *, page_size: int | None = None) -> Listing[User]:
        """List users: `GET /v1/Users`."""
        size = self.page_size("users", page_size)
        return self._things(User, "users", self._get("Users", query={"PageSize": size}))

    @operation
    def user(self, id: Ref | str) -> Call[User]:  # noqa: A002
        """Fetch a user: `GET /v1/Users/{sid}`."""
        return Call(request=self._get("Users", self._id(id)), read=values.one(self.name, User))

    @operation
    def create_user(
        self,
        identity: str,
        *,
        friendly_name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        role_sid: str | None = None,
        webhook_enabled: bool | None = None,
    ) -> Call[User]:
        """Add a user: `POST /v1/Users`."""
        form: forms.Form = {"Identity": identity} | _user_form(friendly_name, metadata, role_sid)
        return Call(
            request=self._post("Users", form=form, webhook_enabled=webhook_enabled),
            read=values.one(self.name, User),
            reconcile=evidence.named(self.user(identity), form),
        )

    @operation
    def update_user(
        self,
        id: Ref | str,  # noqa: A002
        *,
        friendly_name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        role_sid: str | None = None,
        webhook_enabled: bool | None = None,
    ) -> Call[User]:
        """Change a user: `POST /v1/Users/{sid}`.

        New metadata take the place of all there were.
        """
        form = _user_form(friendly_name, metadata, role_sid)
        self._changed(form, "friendly_name=, metadata= or role_sid=")
        return Call(
            request=self._post("Users", self._id(id), form=form, webhook_enabled=webhook_enabled),
            read=values.one(self.name, User),
            reconcile=evidence.became(self.user(id), form),
        )

    @operation
    def delete_user(
        self,
        id: Ref | str,  # noqa: A002
        *,
        webhook_enabled: bool | None = None,
    ) -> Call[None]:
        """Delete a user, who leaves all conversations: `DELETE /v1/Users/{sid}`."""
        return Call(
            request=self._delete("Users", self._id(id), webhook_enabled=webhook_enabled),
            read=nothing,
            reconcile=gone(self.user(id)),
        )

    @operation
    def user_conversations(
        self, user: Ref | str, *, page_size: int | None = None
    ) -> Listing[UserConversation]:
        """List a user's conversations: `GET /v1/Users/{sid}/Conversations`."""
        size = self.page_size("user_conversations", page_size)
        request = self._get("Users", self._id(user), "Conversations", query={"PageSize": size})
        return self._things(UserConversation, "conversations", request)

    @operation
    def user_conversation(self, user: Ref | str, conversation: Ref | str) -> Call[UserConversation]:
        """Fetch a conversation as one user sees it: `GET /v1/Users/{sid}/Conversations/{sid}`."""
        return Call(
            request=self._get(*self._membership(user, conversation)),
            read=values.one(self.name, UserConversation),
        )

    @operation
    def update_user_conversation(
        self,
        user: Ref | str,
        conversation: Ref | str,
        *,
        notification_level: str | None = None,
        last_read_message_index: int | None = None,
        last_read_at: datetime | None = None,
    ) -> Call[UserConversation]:
        """Change a user's read mark or notifications: `POST /v1/Users/{sid}/Conversations/{sid}`.

        `notification_level` is default or muted.
        """
        form: forms.Form = {
            "NotificationLevel": notification_level,
            "LastReadMessageIndex": last_read_message_index,
            "LastReadTimestamp": forms.moment(last_read_at),
        }
        self._changed(form, "notification_level= or what was read")
        return Call(
            request=self._post(*self._membership(user, conversation), form=form),
            read=values.one(self.name, UserConversation),
            reconcile=evidence.became(self.user_conversation(user, conversation), form),
        )

    @operation
    def delete_user_conversation(self, user: Ref | str, conversation: Ref | str) -> Call[None]:
        """Remove a user from a conversation: `DELETE /v1/Users/{sid}/Conversations/{sid}`."""
        return Call(
            request=self._delete(*self._membership(user, conversation)),
            read=nothing,
            reconcile=gone(self.user_conversation(user, conversation)),
        )

    @operation
    def participant_conversations(
        self,
        *,
        identity: str | None = None,
        address: str | None = None,
        page_size: int | None = None,
    ) -> Listing[ParticipantConversation]:
        """List the conversations that somebody takes part in: `GET /v1/ParticipantConversations`.

        Give either the identity or the address; `conversations(participant=...)` lists the same
        as conversations.
        """
        if (identity is None) == (address is None):
            raise ConfigurationError("give one of identity= and address=", provider=self.name)
        size = self.page_size("participant_conversations", page_size)
        query = {"Identity": identity, "Address": address, "PageSize": size}
        request = self._get("ParticipantConversations", query=query)
        return self._things(ParticipantConversation, "conversations", request)

    def _membership(self, user: Ref | str, conversation: Ref | str) -> tuple[str, ...]:
        return ("Users", self._id(user), "Conversations", self._id(conversation))


def _user_form(
    friendly_name: str | None, metadata: Mapping[str, Any] | None, role_sid: str | None
) -> dict[str, Any]:
    return {
        "FriendlyName": friendly_name,
        "Attributes": forms.json_text(metadata),
        "RoleSid": role_sid,
    }
