"""To whom a message goes: `user/301` or `contact/77001`, as Clio wants them and tells of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from conversations_hub.errors import ConfigurationError
from conversations_hub.providers.clio import payloads, translate

CONTACT, USER = "contact", "user"
TYPES = {USER: "User", CONTACT: "Contact"}
_NAMED = re.compile(r"(?:(user|contact)/)?(\d+)", re.ASCII)


def named(who: str) -> str:
    """Return somebody whom a caller names; a number alone is a contact's, as in filters."""
    found = _NAMED.fullmatch(who)
    if found is None:
        raise ConfigurationError(
            f"{who!r} does not say which user or contact; give user/ID or contact/ID"
        )
    return f"{found[1] or CONTACT}/{int(found[2])}"


def number(who: str) -> int:
    """Return somebody's number."""
    return int(who.rpartition("/")[2])


def payload(who: str) -> dict[str, int | str]:
    """Return somebody as a message's receiver."""
    return {"id": number(who), "type": TYPES[who.partition("/")[0]]}


def told(lines: Iterable[payloads.Line]) -> set[str]:
    """Return everybody of whom a conversation's messages tell what they are."""
    people = (person for line in lines for person in (line.sender, *(line.receivers or ())))
    return {who for person in people if (who := _known(person))}


def of_members(
    members: Sequence[payloads.Person], known: Iterable[str], me: int
) -> tuple[list[str], list[int]]:
    """Return who a conversation's other members are, and the numbers of which that is not known.

    Users and contacts are numbered apart, and a membership tells the number alone: one that
    stands there twice is a user's and a contact's.
    """
    everybody = {*known, *filter(None, map(_known, members))}
    sure, unsure = [], []
    for each, count in Counter(one.id for one in members if one.id is not None).items():
        both = [f"{USER}/{each}", f"{CONTACT}/{each}"]
        choices = both if count > 1 else [who for who in both if who in everybody]
        if count > 1 or len(choices) == 1:
            sure += choices
        elif each != me:
            unsure.append(each)
    return [who for who in sure if who != f"{USER}/{me}"], unsure


def _known(person: payloads.Person | None) -> str | None:
    if person is None or person.id is None or person.type not in translate.TYPES:
        return None
    return f"{translate.TYPES[person.type][0]}/{person.id}"
