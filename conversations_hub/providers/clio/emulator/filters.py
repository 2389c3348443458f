"""Reads the query of a list: what is wrong with it, and which records it lets through."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Literal

from attrs import frozen

from conversations_hub.providers.clio.emulator.refusals import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import tzinfo

    from conversations_hub.providers.clio.emulator.fields import Record

    Predicate = Callable[[Record], bool]

MESSAGE_ORDERS = ("id(asc)", "id(desc)")
WEBHOOK_ORDERS = MESSAGE_ORDERS
CONVERSATION_ORDERS = (
    *MESSAGE_ORDERS,
    "last_message_id(asc)",
    "last_message_id(desc)",
    "matter_id(asc)",
    "matter_id(desc)",
)

_NUMBER = re.compile(r"-?\d{1,18}\Z", re.ASCII)


@frozen
class Arguments:
    """The query of one request, read with checks."""

    pairs: Sequence[tuple[str, str]]
    zone: tzinfo
    """Where days begin, and times without an offset are meant."""

    def text(self, name: str) -> str | None:
        """Return a parameter as it is."""
        return next((value for key, value in self.pairs if key == name), None)

    def integer(self, name: str) -> int | None:
        """Return a number."""
        text = self.text(name)
        return None if text is None else _integer(name, text)

    def integers(self, name: str) -> frozenset[int] | None:
        """Return the numbers of a parameter that may be repeated."""
        values = frozenset(_integer(name, value) for key, value in self.pairs if key == name)
        return values or None

    def boolean(self, name: str) -> bool | None:
        """Return true or false."""
        text = self.text(name)
        if text not in {None, "true", "false"}:
            raise InvalidArgumentError(f"{name} must be true or false")
        return None if text is None else text == "true"

    def moment(self, name: str) -> datetime | None:
        """Return a time."""
        text = self.text(name)
        if text is None:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise InvalidArgumentError(f"{name} must be an ISO-8601 timestamp") from None
        return moment if moment.tzinfo else moment.replace(tzinfo=self.zone)

    def day(self, name: str) -> date | None:
        """Return a date."""
        text = self.text(name)
        try:
            return None if text is None else date.fromisoformat(text)
        except ValueError:
            raise InvalidArgumentError(f"{name} must be an ISO-8601 date") from None

    def limit(self) -> int:
        """Return how many records a page holds."""
        limit = self.integer("limit")
        if limit is not None and not 1 <= limit <= 200:
            raise InvalidArgumentError("limit must be between 1 and 200")
        return 200 if limit is None else limit

    def order(self, allowed: tuple[str, ...]) -> str | None:
        """Return the order asked for."""
        order = self.text("order")
        if order is not None and order not in allowed:
            raise InvalidArgumentError(f"order must be one of {', '.join(allowed)}")
        return order


def _integer(name: str, text: str) -> int:
    if not _NUMBER.match(text):
        raise InvalidArgumentError(f"{name} must be an integer")
    return int(text)


def is_contact(person: Record) -> bool:
    """Tell a contact from a user: their ids are two sequences."""
    return bool(person["type"] != "User")


def by_ids(arguments: Arguments) -> Iterator[Predicate]:
    """Keep the records with one of the ids, if any are given."""
    ids = arguments.integers("ids[]")
    if ids is not None:
        yield lambda record: record["id"] in ids


def by_time(arguments: Arguments, mode: Literal["strict", "inclusive"]) -> Iterator[Predicate]:
    """Keep the records created or updated since the given times."""
    for name, key in (("created_since", "created_at"), ("updated_since", "updated_at")):
        moment = arguments.moment(name)
        if moment is not None:
            yield _since(key, moment, mode)


def _since(key: str, moment: datetime, mode: Literal["strict", "inclusive"]) -> Predicate:
    since = moment.astimezone(UTC)
    if mode == "strict":
        return lambda record: record[key] > since
    return lambda record: record[key] >= since


def by_flags(arguments: Arguments) -> Iterator[Predicate]:
    """Keep the conversations in the given states."""
    for name, state in _STATES.items():
        wanted = arguments.boolean(name)
        if wanted is not None:
            yield _in_state(state, wanted)


def _in_state(state: Predicate, wanted: bool) -> Predicate:
    return lambda record: state(record) is wanted


_STATES: dict[str, Predicate] = {
    "archived": lambda record: bool(record["archived"]),
    "read_status": lambda record: bool(record["read"]),
    "time_entries": lambda record: record["time_entries_count"] > 0,
}


def by_access(arguments: Arguments) -> Iterator[Predicate]:
    """Keep what the user's groups can access, or what the user is a member of (`for_user`)."""
    by_group = arguments.boolean("for_user")
    if by_group is not None:
        name = "group_access" if by_group else "current_user_is_member"
        yield lambda record: bool(record[name])


def by_links(arguments: Arguments) -> Iterator[Predicate]:
    """Keep the conversations with a contact, or of a matter."""
    contact = arguments.integer("contact_id")
    if contact is not None:
        yield lambda record: any(_is(contact, each["member"]) for each in record["memberships"])
    if arguments.text("matter_id") == "null":
        yield lambda record: record["matter"] is None
    else:
        matter = arguments.integer("matter_id")
        if matter is not None:
            yield lambda record: _id(record["matter"]) == matter


def by_day(arguments: Arguments) -> Iterator[Predicate]:
    """Keep the conversations created on a day in the user's zone."""
    day = arguments.day("date")
    if day is not None:
        yield lambda record: record["created_at"].astimezone(arguments.zone).date() == day


def by_body(arguments: Arguments) -> Iterator[Predicate]:
    """Keep the messages whose body has the words; an asterisk stands for anything."""
    query = arguments.text("query")
    if query:
        pattern = re.compile(".*".join(map(re.escape, query.split("*"))), re.IGNORECASE | re.DOTALL)
        yield lambda record: bool(pattern.search(record["body"] or ""))


def conversation_filters(
    arguments: Arguments, since: Literal["strict", "inclusive"]
) -> list[Predicate]:
    """Read every filter of a list of conversations."""
    return [
        *by_ids(arguments),
        *by_time(arguments, since),
        *by_flags(arguments),
        *by_access(arguments),
        *by_links(arguments),
        *by_day(arguments),
    ]


def kept(records: list[Record], predicates: list[Predicate]) -> list[Record]:
    """Return the records that every filter lets through."""
    if not predicates:
        return records
    return [record for record in records if all(passes(record) for passes in predicates)]


def ordered(records: list[Record], order: str | None) -> list[Record]:
    """Sort records, which come by id; what is not linked sorts before what is."""
    if order in {None, "id(asc)"}:
        return records
    name, _, direction = str(order).removesuffix(")").partition("(")
    return sorted(records, key=_KEYS[name], reverse=direction == "desc")


def _is(contact: int, member: Record) -> bool:
    return bool(member["id"] == contact) and is_contact(member)


def _id(record: Record | None) -> Any:
    return record["id"] if record else 0


_KEYS: dict[str, Callable[[Record], tuple[int, int]]] = {
    "id": lambda record: (record["id"], 0),
    "last_message_id": lambda record: (_id(record["last_message"]), record["id"]),
    "matter_id": lambda record: (_id(record["matter"]), record["id"]),
}
