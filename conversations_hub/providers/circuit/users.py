"""Circuit's users: their names, presence, and the profile of the one who asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar

from conversations_hub import values
from conversations_hub.errors import StatusError
from conversations_hub.models import Ref
from conversations_hub.provider import operation
from conversations_hub.providers.circuit.account import Account
from conversations_hub.providers.circuit.reader import EMPTY
from conversations_hub.providers.circuit.values import WORDS, Presence, SupportInfo, User
from conversations_hub.recipes import Attempt, Call, Listing, Outcome
from conversations_hub.wire import instant
from conversations_hub.writing import after, compared

R = TypeVar("R")

USER = values.value(User, WORDS)
USERS = values.values(User, WORDS, None, blank=EMPTY)
PRESENCE = values.value(Presence, WORDS)
PRESENCES = values.values(Presence, WORDS, None, blank=EMPTY)
SUPPORT = values.value(SupportInfo, WORDS)


class Users(Account):
    """The people of a tenant."""

    __slots__ = ()

    @operation
    def users(self, name: str) -> Listing[User]:
        """Search users by a part of a name: `GET /users`.

        Raises `NotFoundError` where there is nobody.
        """
        return Listing(request=self.get("users", query={"name": name}), read=USERS)

    @operation
    def user(self, user: Ref | str) -> Call[User]:
        """Fetch a user, by id or e-mail address: `GET /users/{id}`."""
        return Call(request=self.get("users", self.id_from(user)), read=USER)

    @operation
    def user_by_email(
        self, email_address: str, *, secondary_lookup: bool | None = None
    ) -> Call[User]:
        """Fetch a user, by e-mail address: `GET /users/{emailAddress}/getUserByEmail`.

        `secondary_lookup` takes the secondary address into account.
        """
        query = {"secondaryLookup": secondary_lookup}
        return Call(
            request=self.get("users", email_address, "getUserByEmail", query=query), read=USER
        )

    @operation
    def users_by_id(
        self,
        users: Iterable[Ref | str],
        *,
        return_full_user_info: bool | None = None,
        secondary_lookup: bool | None = None,
    ) -> Listing[User]:
        """Fetch several users, by ids or e-mail addresses: `GET /users/list`.

        Who is unknown is left out; where nobody is known, that is a `NotFoundError`. Not in full,
        phone numbers, for example, are missing.
        """
        query = {
            "name": self.ids_from(users),
            "returnFullUserInfo": return_full_user_info,
            "secondaryLookup": secondary_lookup,
        }
        return Listing(request=self.get("users", "list", query=query), read=USERS)

    @operation
    def profile(self) -> Call[User]:
        """Fetch the user this account acts for: `GET /users/profile`."""
        return Call(request=self.get("users", "profile"), read=USER)

    @operation
    def update_profile(
        self,
        *,
        first_name: str | None = None,
        last_name: str | None = None,
        job_title: str | None = None,
        locale: str | None = None,
    ) -> Call[User]:
        """Change the user's profile: `PUT /users/profile`.

        `locale` is EN_US, DE_DE, EN_GB, ES_ES, FR_FR, IT_IT, RU_RU, ZH_HANS_CN, PT_BR, NL_NL or
        CA_ES; it comes back as `en-US`.
        """
        form = {
            "firstname": first_name,
            "lastname": last_name,
            "jobTitle": job_title,
            "locale": locale,
        }

        def same(user: User) -> bool:
            now = (user.first_name, user.last_name, user.job_title, _locale(user.locale))
            return _agree(zip((*form.values(),), now, strict=True))

        return Call(
            request=self.ask("PUT", "users", "profile", form=form),
            read=USER,
            reconcile=compared(self.profile(), same),
        )

    @operation
    def presence(self, user: Ref | str) -> Call[Presence]:
        """Fetch a user's presence: `GET /users/{id}/presence`."""
        return Call(request=self.get("users", self.id_from(user), "presence"), read=PRESENCE)

    @operation
    def presences(self, users: Iterable[Ref | str]) -> Listing[Presence]:
        """Fetch the presence of several users: `GET /users/presence`."""
        query = {"userIds": self.ids_from(users)}
        return Listing(request=self.get("users", "presence", query=query), read=PRESENCES)

    @operation
    def update_presence(
        self,
        state: str,
        *,
        status_message: str | None = None,
        dnd_until: datetime | None = None,
        clear_dnd: bool | None = None,
    ) -> Call[Presence]:
        """Set the user's presence: `PUT /users/presence`.

        `state` is AVAILABLE, OFFLINE, AWAY, BUSY or DND, which takes `dnd_until`.
        """
        form = {
            "state": state,
            "statusMessage": status_message,
            "dndUntil": None if dnd_until is None else instant(dnd_until),
            "clearDND": clear_dnd,
        }

        def ends_so(end: datetime | None) -> bool:
            if clear_dnd or dnd_until is None or state != "DND":
                return not clear_dnd or end is None
            return end is not None and instant(end) == instant(dnd_until)

        def judged(now: Presence) -> Outcome[Presence]:
            same = _agree([(state, now.state), (status_message, now.status_message)])
            return Outcome(happened=same and ends_so(now.dnd_until), value=now)

        def reconcile(_: Attempt) -> Call[Outcome[Presence]]:
            return self.as_me(lambda me: after(self.presence(me), judged))

        return Call(
            request=self.ask("PUT", "users", "presence", form=form),
            read=PRESENCE,
            reconcile=reconcile,
        )

    @operation
    def support_info(self) -> Call[SupportInfo]:
        """Fetch whom to ask for help: `GET /users/supportinfo`."""
        return Call(request=self.get("users", "supportinfo"), read=SUPPORT)

    # What the parts share.

    def found_user(self, name: str, then: Callable[[str, str | None], Call[R]]) -> Call[R]:
        """Go on with the id and the name of a user who is given by id or e-mail address."""

        def unknown(error: StatusError) -> Call[R]:
            # An id is known to be one without being looked up, which needs a right of its own.
            if error.transient or "@" in name:
                raise error
            return then(name, None)

        return Call(
            request=self.get("users", name),
            read=lambda response: _go_on(USER(response), then),
            recover=unknown,
        )

    def found_users(
        self,
        names: Iterable[str],
        then: Callable[[frozenset[str]], Call[R]],
        ids: frozenset[str] = frozenset(),
    ) -> Call[R]:
        """Go on with the ids of users, of whom those given by e-mail address are looked up."""
        ids |= {name for name in names if "@" not in name}
        emails = [name for name in names if "@" in name]
        if not emails:
            return then(ids)
        first, *others = emails
        return self.found_user(first, lambda id_, _: self.found_users(others, then, ids | {id_}))


def _go_on(user: User, then: Callable[[str, str | None], Call[R]]) -> Call[R]:
    return then(user.user_id, user.display_name)


def _locale(read: str | None) -> str | None:
    """Return a locale as it is written."""
    return read and read.replace("-", "_").upper()


def _agree(pairs: Iterable[tuple[Any, Any]]) -> bool:
    """Tell whether what was wished for is so; an empty text takes something away."""
    return all(wish is None or (wish or None) == (now or None) for wish, now in pairs)
