"""Tells from what is read back whether a write happened."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

import msgspec
from attrs import evolve

from conversations_hub.errors import NotFoundError, StatusError
from conversations_hub.models import Ref
from conversations_hub.providers.twilio import translate
from conversations_hub.providers.twilio.forms import Form
from conversations_hub.raw import Raw
from conversations_hub.recipes import Attempt, Call, Listing, Outcome
from conversations_hub.wire import Response
from conversations_hub.writing import KEY, after, find, gather


class Kept(Protocol):
    """Whatever was read and kept its payload."""

    @property
    def ref(self) -> Ref | None:
        """What it is known by."""

    @property
    def raw(self) -> Raw | None:
        """The payload."""


K = TypeVar("K", bound=Kept)
T = TypeVar("T")
Reconcile = Callable[[Attempt], Call[Outcome[T]]]

# Timers come back as dates, the others not at all.
UNTOLD = {"Timers.Inactive", "Timers.Closed", "Configuration.ReplayAfter"}
ELSEWHERE = {
    "Bindings.Email.Address": "bindings.email.projected_address",
}
SAID_AS = {"Configuration.Triggers": ("triggers", "filters")}
MOMENTS = {"DateCreated", "DateUpdated", "LastReadTimestamp"}
# Dates come back in whole seconds.
SECOND = timedelta(seconds=1)


def made(listing: Listing[K], form: Form, *, newest_first: bool = False) -> Reconcile[K]:
    """Return how to find what a form was to create in the list that it is then in.

    What was given a date of its own, or comes without any, cannot be told from an older twin, if
    it has no key: found, it is None.
    """
    backdated = form.get("DateCreated") is not None
    unique = KEY in translate.attributes(form.get("Attributes"))

    def outcome(found: K | None) -> Outcome[K]:
        unsure = found is not None and not unique and (backdated or _created(found) is None)
        return Outcome(happened=None if unsure else found is not None, value=found)

    def reconcile(attempt: Attempt) -> Call[Outcome[K]]:
        def same(item: K) -> bool:
            new = backdated or not _older(item, attempt.since)
            return new and not _is_known(item, attempt) and shows(form, item.raw) is not False

        def enough(items: Sequence[K], _: Response) -> bool:
            return bool(items) and all(_older(item, attempt.since) for item in items)

        def oldest(found: Sequence[K]) -> Outcome[K]:
            # The first of several equal ones belongs to the first of several writes.
            return outcome(next(filter(same, reversed(found)), None))

        if not newest_first:
            return find(listing, same, outcome)
        return gather(listing, same, oldest, enough=None if backdated else enough)

    return reconcile


def named(read: Call[K], form: Form) -> Reconcile[K]:
    """Return how to find what a form was to create under a name that only one can have."""
    backdated = form.get("DateCreated") is not None

    def reconcile(attempt: Attempt) -> Call[Outcome[K]]:
        def told(found: K) -> Outcome[K]:
            if _is_known(found, attempt) or shows(form, found.raw) is False:
                return Outcome(happened=False)
            if backdated or _created(found) is None:
                return Outcome(happened=None, value=found)
            old = _older(found, attempt.since)
            return Outcome(happened=not old, value=None if old else found)

        looked: Call[Outcome[K]] = after(read, told)
        return evolve(looked, recover=_missing)

    return reconcile


def became(read: Call[K], form: Form, renamed: Call[K] | None = None) -> Reconcile[K]:
    """Return how to find out whether a thing is now as a form says.

    Where it is no longer found under its name, it is read as what it may be called now.
    """

    def look(read: Call[K]) -> Call[Outcome[K]]:
        return after(read, lambda found: Outcome(happened=shows(form, found.raw), value=found))

    def elsewhere(error: StatusError) -> Call[Outcome[K]]:
        if renamed is None or not isinstance(error, NotFoundError):
            raise error
        return look(renamed)

    return lambda _: evolve(look(read), recover=elsewhere)


def shows(form: Form, payload: Mapping[str, Any] | None) -> bool | None:
    """Tell whether a thing is as a form says; None where not all of that can be seen."""
    told = [_is(name, value, payload or {}) for name, value in form.items() if value is not None]
    if False in told:
        return False
    return None if None in told else True


def _missing(error: StatusError) -> Outcome[Any]:
    if isinstance(error, NotFoundError):
        return Outcome(happened=False)
    raise error


def _is_known(item: Kept, attempt: Attempt) -> bool:
    return item.ref is not None and item.ref in attempt.known


def _older(item: Kept, since: datetime) -> bool:
    created = _created(item)
    return created is not None and created < since


def _created(item: Kept) -> datetime | None:
    return _moment(item.raw.get("date_created")) if item.raw is not None else None


def _is(name: str, wanted: Any, payload: Mapping[str, Any]) -> bool | None:
    first, *others = ELSEWHERE.get(name, _snake(name)).split(".")
    if name == "MediaSid":
        return _files(payload) == ([wanted] if wanted else [])
    if name in UNTOLD or first not in payload:
        return None
    found = payload[first]
    if first == "configuration" and isinstance(found, Mapping):
        # A webhook says no more than its target needs, and keywords under either name.
        told = [found[key] for key in SAID_AS.get(name, others) if key in found]
        return _same(name, wanted, told[0]) if told else None
    for key in others:
        found = found.get(key) if isinstance(found, Mapping) else None
    return _same(name, wanted, found)


def _same(name: str, wanted: Any, found: Any) -> bool:
    if name in MOMENTS:
        one, other = _moment(wanted), _moment(found)
        return one is not None and other is not None and abs(one - other) < SECOND
    if name == "Attributes":
        return bool(translate.attributes(found) == msgspec.json.decode(wanted))
    if name.endswith("Method"):
        return str(found).casefold() == str(wanted).casefold()
    if wanted in ("", "null") and found in (None, ""):
        return True  # which is how a value is taken away
    if isinstance(wanted, str | int):
        return bool(found == wanted)
    several = found or ("",)
    return isinstance(several, list | tuple) and sorted(map(str, several)) == sorted(wanted)


def _files(payload: Mapping[str, Any]) -> list[str | None]:
    return [file.get("sid") for file in payload.get("media") or ()]


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None


def _snake(name: str) -> str:
    """Write `MessagingBinding.ProxyAddress` as answers do: `messaging_binding.proxy_address`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
