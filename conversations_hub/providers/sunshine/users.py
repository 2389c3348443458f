"""Users, and the clients over which they are reached."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from attrs import evolve

from conversations_hub.errors import NotFoundError, StatusError
from conversations_hub.models import Ref
from conversations_hub.provider import operation
from conversations_hub.providers.sunshine import values
from conversations_hub.providers.sunshine.account import Account, given
from conversations_hub.providers.sunshine.contents import covers, told
from conversations_hub.providers.sunshine.gains import gaining, is_known
from conversations_hub.providers.sunshine.paging import VALUES
from conversations_hub.providers.sunshine.values import Client, User
from conversations_hub.reading import nothing
from conversations_hub.recipes import Attempt, Call, Listing, Outcome
from conversations_hub.wire import instant
from conversations_hub.writing import after, compared, find, found_again


class Users(Account):
    """Operations on users and their clients.

    A `user` is a ref, an id or an external id. Users of a brand are found by external id with
    their `brand_id`.
    """

    __slots__ = ()

    @operation
    def users_by_email(self, email: str, *, brand_id: str | None = None) -> Listing[User]:
        """Find users by an e-mail among their identities: `GET /users`.

        The e-mail in a profile does not count.
        """
        return Listing(
            request=self._get(
                "users", query={"filter[identities.email]": email, "brandId": brand_id}
            ),
            read=values.many(self.name, User, "users"),
        )

    @operation
    def user(self, user: Ref | str, *, brand_id: str | None = None) -> Call[User]:
        """Fetch a user: `GET /users/{userIdOrExternalId}`."""
        return Call(
            request=self._get("users", self._key(user), query={"brandId": brand_id}),
            read=values.one(self.name, User, "user"),
        )

    @operation
    def create_user(
        self,
        *,
        external_id: str | None = None,
        brand_id: str | None = None,
        signed_up_at: datetime | None = None,
        to_be_retained: bool | None = None,
        profile: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Call[User]:
        """Create a user: `POST /users`.

        Raises `ConflictError` where there is one of this external id. `profile` is in the API's
        own words, such as `givenName`. After a cut call, a user without external id cannot be
        looked up.
        """
        body = given(
            externalId=external_id,
            brandId=brand_id,
            signedUpAt=_moment(signed_up_at),
            toBeRetained=to_be_retained,
            profile=profile,
            metadata=metadata,
        )
        request = self._change("POST", "users", json=body)
        created = Call(request=request, read=values.one(self.name, User, "user"))
        if external_id is None:
            return created
        sent = msgspec.json.decode(request.body or b"{}")

        def reconcile(attempt: Attempt) -> Call[Outcome[User]]:
            found = after(
                self.user(external_id, brand_id=brand_id),
                lambda u: found_again(u if _has(u, sent) and _is_new(u, sent, attempt) else None),
            )
            return evolve(found, recover=_nobody)

        return evolve(created, reconcile=reconcile)

    @operation
    def update_user(
        self,
        user: Ref | str,
        *,
        brand_id: str | None = None,
        signed_up_at: datetime | None = None,
        to_be_retained: bool | None = None,
        profile: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Call[User]:
        """Change a user: `PATCH /users/{userIdOrExternalId}`.

        None in the `profile` takes a word away.
        """
        body = given(
            signedUpAt=_moment(signed_up_at),
            toBeRetained=to_be_retained,
            profile=profile,
            metadata=metadata,
        )
        query = {"brandId": brand_id}
        request = self._patch("users", self._key(user), query=query, json=body)
        sent = msgspec.json.decode(request.body or b"{}")
        return Call(
            request=request,
            read=values.one(self.name, User, "user"),
            reconcile=compared(self.user(user, brand_id=brand_id), lambda u: _has(u, sent)),
        )

    @operation
    def delete_user(self, user: Ref | str, *, brand_id: str | None = None) -> Call[None]:
        """Delete a user with clients and history: `DELETE /users/{userIdOrExternalId}`.

        It takes effect a while later, when the webhook `user:remove` comes: until then nobody can
        tell what became of a cut call.
        """
        there = after(self.user(user, brand_id=brand_id), lambda _: Outcome[None](happened=None))
        return Call(
            request=self._change("DELETE", "users", self._key(user), query={"brandId": brand_id}),
            read=nothing,
            reconcile=lambda _: evolve(there, recover=_left),
        )

    @operation
    def delete_personal_information(
        self, user: Ref | str, *, brand_id: str | None = None
    ) -> Call[User]:
        """Erase a user's personal data: `DELETE /users/{userIdOrExternalId}/personalinformation`.

        The history stays.
        """
        path, query = ("users", self._key(user), "personalinformation"), {"brandId": brand_id}
        return Call(
            request=self._change("DELETE", *path, query=query),
            read=values.one(self.name, User, "user"),
            reconcile=compared(self.user(user, brand_id=brand_id), _is_nobody),
        )

    @operation
    def sync_user(self, zendesk_id: str, *, surviving_zendesk_id: str | None = None) -> Call[User]:
        """Update a user from Zendesk Support: `POST /users/{zendeskId}/sync`.

        Users of Support who became one become one here, too.
        """
        body = given(survivingZendeskId=surviving_zendesk_id)
        return Call(
            request=self._change("POST", "users", zendesk_id, "sync", json=body),
            read=values.one(self.name, User, "user"),
        )

    @operation
    def clients(
        self, user: Ref | str, *, brand_id: str | None = None, page_size: int | None = None
    ) -> Listing[Client]:
        """List a user's clients: `GET /users/{userIdOrExternalId}/clients`."""
        size = self.page_size("clients", page_size)
        return Listing(
            request=self._get(
                "users", self._key(user), "clients", query={"brandId": brand_id, VALUES.size: size}
            ),
            read=values.many(self.name, Client, "clients", VALUES),
            repeats=True,
            moving=True,
        )

    @operation
    def create_client(
        self,
        user: Ref | str,
        *,
        conversation: Ref,
        match_criteria: Mapping[str, Any],
        confirmation: Mapping[str, Any] | None = None,
        brand_id: str | None = None,
    ) -> Call[Client]:
        """Link a channel to a user: `POST /users/{userIdOrExternalId}/clients`.

        `match_criteria` has a `type`, an `integrationId` and an address; `confirmation` a `type`,
        which is `immediate` (unless given), `userActivity` or `prompt`, and may have a `message`.
        The client is pending at first. The clients are read before.
        """
        body = {
            "matchCriteria": match_criteria,
            "confirmation": confirmation or {"type": "immediate"},
            "target": {"conversationId": self.id_of(conversation)},
        }
        path, query = ("users", self._key(user), "clients"), {"brandId": brand_id}
        wanted = (match_criteria.get("type"), match_criteria.get("integrationId"))
        return gaining(
            self.clients(user, brand_id=brand_id),
            lambda c: (c.type, c.integration_id) == wanted,
            Call(
                request=self._change("POST", *path, query=query, json=body),
                read=values.one(self.name, Client, "client"),
            ),
        )

    @operation
    def remove_client(
        self,
        user: Ref | str,
        id: str,  # noqa: A002
        *,
        brand_id: str | None = None,
    ) -> Call[None]:
        """Unlink a client: `DELETE /users/{userIdOrExternalId}/clients/{clientId}`."""

        def reconcile(_: Attempt) -> Call[Outcome[None]]:
            return find(
                self.clients(user, brand_id=brand_id),
                lambda c: c.id == id,
                lambda c: Outcome(happened=c is None),
            )

        path, query = ("users", self._key(user), "clients", id), {"brandId": brand_id}
        return Call(
            request=self._change("DELETE", *path, query=query), read=nothing, reconcile=reconcile
        )


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else instant(moment)


def _has(user: User, wanted: Mapping[str, Any]) -> bool:
    """Tell whether a user is as a body wants it to be."""
    return covers(wanted, told(user))


def _is_new(user: User, sent: Mapping[str, Any], attempt: Attempt) -> bool:
    """Tell whether a user is none that was there before; who signs up now does so on creation."""
    told = user.signed_up_at
    new = "signedUpAt" in sent or told is None or told >= attempt.since
    return new and not is_known(user, attempt)


def _left(error: StatusError) -> Outcome[None]:
    if isinstance(error, NotFoundError):
        return Outcome(happened=True)
    raise error


def _nobody(error: StatusError) -> Outcome[User]:
    if isinstance(error, NotFoundError):
        return Outcome(happened=False)
    raise error


def _is_nobody(user: User) -> bool:
    profile = user.profile
    told = (profile.given_name, profile.surname, profile.email, profile.avatar_url)
    return not any(told) and not user.metadata
