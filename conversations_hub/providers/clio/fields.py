"""Which fields Clio is asked for, and which are given up where it does not know them.

The published description leaves people without fields. So they are asked for as far as is known
from elsewhere, and where Clio refuses one of them, for less: down a ladder.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from attrs import mutable

from conversations_hub.errors import ConfigurationError

LADDER = ("{id,type,name,identifier,secondary_identifier}", "{id,type,name}", "")
PEOPLE = f"sender{LADDER[0]},receivers{LADDER[0]}"
MESSAGE = (
    f"id,etag,date,body,created_at,updated_at,{PEOPLE},"
    "document{id,etag,name,filename,content_type,size},conversation{id,etag,subject}"
)
MEMBERSHIPS = "memberships{id,etag,read,archived,created_at,updated_at,member}"
CONVERSATION = (
    "id,etag,subject,archived,read,read_only,current_user_is_member,message_count,"
    "time_entries_count,created_at,updated_at,"
    "matter{id,etag,display_number,description,status,client_id},first_message{id,created_at},"
    f"last_message{{id,etag,date,body,created_at,updated_at}},{MEMBERSHIPS},"
    "documents{id,etag,name,filename,content_type,size}"
)
USER = (
    "id,etag,name,first_name,last_name,initials,email,phone_number,time_zone,enabled,"
    "account_owner,clio_connect,court_rules_default_attendee,default_calendar_id,"
    "subscription_type,roles,rate,created_at,updated_at"
)
WEBHOOK = "id,etag,url,fields,shared_secret,model,status,events,expires_at,created_at,updated_at"

_FIELD = r"\w+(?:\{\w+(?:,\w+)*\})?"
_FIELDS = re.compile(rf"{_FIELD}(?:,{_FIELD})*", re.ASCII)
_NAMED = re.compile(r"(\w+)(?:\{([^{}]*)\})?")
_OF_PEOPLE = re.compile(r"\b(?:sender|receivers)\b(?P<braces>\{[^{}]*\})?")
# From the beginning of a word, since from each of its letters a long one would take minutes.
_REFUSED = re.compile(r"\b(\w+)\W* is not a valid field")


@mutable
class Ladder:
    """How much of people one client has found Clio to know: a rung of `LADDER`."""

    rung: int = 0


def checked(value: str | Iterable[str]) -> tuple[str, ...]:
    """Check what to ask for besides ours, such as `messages` or `matter{number}`."""
    texts = (value,) if isinstance(value, str) else tuple(value)
    for text in texts:
        if not _FIELDS.fullmatch(text):
            raise ConfigurationError(
                f"{text!r} is not a field; write name or name{{inner,…}}, braces one level deep"
            )
    return texts


def joined(ours: str, extra: Iterable[str]) -> str:
    """Return ours and the extra ones; what they ask of the same thing is put together."""
    asked: dict[str, dict[str, None]] = {}
    for name, inner in _NAMED.findall(",".join([ours, *extra])):
        asked.setdefault(name, {}).update(dict.fromkeys(filter(None, inner.split(","))))
    return ",".join(
        name + (f"{{{','.join(inner)}}}" if inner else "") for name, inner in asked.items()
    )


def names(texts: Iterable[str]) -> frozenset[str]:
    """Return every name in these fields."""
    return frozenset(re.findall(r"\w+", ",".join(texts)))


def refused(message: str) -> str | None:
    """Return the name that Clio says is no field; a stray brace may come with it."""
    found = _REFUSED.search(message)
    return found[1] if found else None


def rung_of(asked: str) -> int | None:
    """Return how far down the ladder these fields are; None where they are not of people."""
    found = _OF_PEOPLE.search(asked)
    if found is None:
        return None
    braces = found["braces"] or ""
    return LADDER.index(braces) if braces in LADDER else 0


def at_rung(rung: int, asked: str) -> str:
    """Return these fields with as much of people as the rung has; the first leaves all."""
    if rung == 0:
        return asked
    return _OF_PEOPLE.sub(lambda found: found[0].partition("{")[0] + LADDER[rung], asked)
