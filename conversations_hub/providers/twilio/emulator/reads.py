"""Answers Twilio's read operations from the store."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from attrs import frozen

from conversations_hub.providers.twilio.emulator import errors, forms, pages
from conversations_hub.providers.twilio.emulator.pages import Rows, millis
from conversations_hub.providers.twilio.emulator.store import by_sid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from aiohttp import web

    from conversations_hub.providers.twilio.emulator.conversation import Conversation, Record
    from conversations_hub.providers.twilio.emulator.forms import Table
    from conversations_hub.providers.twilio.emulator.pages import Rank
    from conversations_hub.providers.twilio.emulator.shapes import Shapes
    from conversations_hub.providers.twilio.emulator.store import Store

    Answer = Callable[["Call"], Record]

STATES = ("active", "inactive", "closed", "initializing")
ORDERS = ("asc", "desc")
ADDRESS_TYPES = ("sms", "whatsapp", "messenger", "gbm", "email", "rcs", "apple", "chat")


@frozen(kw_only=True)
class Call:
    """One request, with what its path says."""

    request: web.Request
    service: str
    """The chat service that is meant, in the short form the account's default."""
    store: Store
    shapes: Shapes
    body: bytes = b""

    def fields(self, table: Table, required: Iterable[str] = ()) -> Record:
        """Return what the body says under the names of the store."""
        given = forms.pairs(self.request.content_type, self.body)
        return forms.fields(given, table, self.shapes.switches, required)

    def named(self, key: str) -> str:
        """Return a value of the path."""
        return self.request.match_info[key]

    def missing(self, code: int = errors.NOT_FOUND) -> errors.RefusedError:
        """Refuse the path of this request."""
        general = self.shapes.switches.not_found_codes == "general"
        return errors.not_found(self.request.path, errors.NOT_FOUND if general else code)

    def conversation(self, *, unique_names: bool | None = None) -> Conversation:
        """Return the conversation in the path, by unique name only if told (section 11)."""
        if unique_names is None:
            unique_names = self.shapes.switches.unique_name_in_subresources
        name = self.named("conversation")
        found = self.store.conversation(self.service, name, unique_names=unique_names)
        if found is None:
            raise self.missing(errors.NO_CONVERSATION)
        return found

    def one(self, records: Iterable[Record], key: str) -> Record:
        """Return the record whose SID is in the path."""
        found = by_sid(records, self.named(key))
        if found is None:
            raise self.missing()
        return found

    def user(self) -> Record:
        """Return the user in the path, by SID or identity."""
        found = self.store.user(self.service, self.named("user"))
        if found is None:
            raise self.missing()
        return found

    def choice(self, name: str, values: Sequence[str]) -> str | None:
        """Return a query argument in lower case, if it is one of these."""
        value = self.request.query.get(name)
        if value is not None and value.lower() not in values:
            raise errors.bad_parameter(name, value)
        return value and value.lower()

    def date(self, name: str) -> datetime | None:
        """Return a query argument that is a date."""
        value = self.request.query.get(name)
        return None if value is None else forms.date(name, value)

    def page(
        self,
        rows: Rows,
        shape: Callable[[Any], Record],
        filters: Mapping[str, str | None] | None = None,
    ) -> Record:
        """Return the page of a list that is asked for."""
        given = {name: value for name, value in (filters or {}).items() if value is not None}
        path, query = self.request.rel_url.raw_path, self.request.query
        asked = pages.ask(rows, self.shapes.origin, path, query, given)
        found, meta = pages.page(rows, asked, self.shapes.switches)
        return {rows.key: [shape(row) for row in found], "meta": meta}


def by_date(record: Record) -> Rank:
    """Order records by when they were created."""
    return millis(record["date_created"]), record["sid"]


def by_index(record: Record) -> Rank:
    """Order messages by their index."""
    return record["index"], record["sid"]


def by_creation(conversation: Conversation) -> Rank:
    """Order conversations by when they were created."""
    return by_date(conversation.record)


def by_activity(conversation: Conversation) -> Rank:
    """Order conversations by their latest message."""
    return millis(conversation.active_at), conversation.sid


def by_membership(membership: tuple[Conversation, Record]) -> Rank:
    """Order somebody's conversations by when they came in."""
    return by_date(membership[1])


def conversations(call: Call) -> Record:
    """List conversations by latest message, or by creation if a date is asked for (section 4)."""
    state, start, end = call.choice("State", STATES), call.date("StartDate"), call.date("EndDate")
    dated = start is not None or end is not None
    latest = end
    if end is not None and call.shapes.switches.end_date_second == "included":
        latest = end.replace(microsecond=0) + timedelta(milliseconds=999)
    rows = [
        one
        for one in call.store.of(call.service)
        if (state is None or one.record["state"] == state)
        and (start is None or one.record["date_created"] >= start)
        and (latest is None or one.record["date_created"] <= latest)
    ]
    listed = Rows(
        key="conversations",
        rows=rows,
        rank=by_creation if dated else by_activity,
        descending=True,
        label=state or "all",
        maximum=100,
    )
    query = call.request.query
    filters = {name: query.get(name) for name in ("StartDate", "EndDate")} | {"State": state}
    return call.page(listed, call.shapes.conversation, filters)


def conversation(call: Call) -> Record:
    """Fetch a conversation by SID or unique name."""
    return call.shapes.conversation(call.conversation(unique_names=True))


def messages(call: Call) -> Record:
    """List the messages of a conversation by index."""
    order = call.choice("Order", ORDERS)
    rows = Rows(
        key="messages",
        rows=call.conversation().messages,
        rank=by_index,
        by_time=False,
        descending=order == "desc",
        label=order or "asc",
        maximum=100,
    )
    return call.page(rows, call.shapes.message, {"Order": order})


def message(call: Call) -> Record:
    """Fetch a message."""
    return call.shapes.message(call.one(call.conversation().messages, "message"))


def message_receipts(call: Call) -> list[Record]:
    """Return the receipts of the message in the path."""
    found = call.conversation()
    sid = call.one(found.messages, "message")["sid"]
    return found.receipts.get(sid, [])


def receipts(call: Call) -> Record:
    """List the delivery receipts of a message."""
    rows = Rows(key="delivery_receipts", rows=message_receipts(call), rank=by_date)
    return call.page(rows, call.shapes.receipt)


def receipt(call: Call) -> Record:
    """Fetch a delivery receipt."""
    return call.shapes.receipt(call.one(message_receipts(call), "receipt"))


def participants(call: Call) -> Record:
    """List the participants of a conversation."""
    people = call.conversation().participants
    rows = Rows(key="participants", rows=people, rank=by_date, maximum=100)
    return call.page(rows, call.shapes.participant)


def found_participant(call: Call) -> tuple[Conversation, Record]:
    """Return the participant in the path, by SID or identity, and their conversation."""
    conversation, name = call.conversation(), call.named("participant")
    for one in conversation.participants:
        if name in (one["sid"], one["identity"]):
            return conversation, one
    raise call.missing(errors.NO_PARTICIPANT)


def participant(call: Call) -> Record:
    """Fetch a participant by SID or identity."""
    return call.shapes.participant(found_participant(call)[1])


def webhooks(call: Call) -> Record:
    """List the webhooks of a conversation."""
    hooks = call.conversation().webhooks
    rows = Rows(key="webhooks", rows=hooks, rank=by_date, maximum=5, default=5)
    return call.page(rows, call.shapes.webhook)


def webhook(call: Call) -> Record:
    """Fetch a webhook of a conversation."""
    return call.shapes.webhook(call.one(call.conversation().webhooks, "webhook"))


def memberships(call: Call, **who: str | None) -> list[tuple[Conversation, Record]]:
    """Return somebody's conversations; for them the spec knows no state `initializing`."""
    found = call.store.memberships(call.service, **who)
    return [pair for pair in found if pair[0].record["state"] != "initializing"]


def participant_conversations(call: Call) -> Record:
    """List somebody's conversations by exactly one of identity and address."""
    given = {name: call.request.query.get(name) for name in ("Identity", "Address")}
    if (given["Identity"] is None) == (given["Address"] is None):
        raise errors.RefusedError(400, errors.BAD_PARAMETER, "Give one of Identity and Address")
    theirs = memberships(call, identity=given["Identity"], address=given["Address"])
    rows = Rows(key="conversations", rows=theirs, rank=by_membership)
    return call.page(rows, lambda pair: call.shapes.participant_conversation(*pair), given)


def users(call: Call) -> Record:
    """List the users of the chat service."""
    people = [user for user in call.store.users if user["chat_service_sid"] == call.service]
    return call.page(Rows(key="users", rows=people, rank=by_date), call.shapes.listed_user)


def user(call: Call) -> Record:
    """Fetch a user by SID or identity."""
    return call.shapes.user(call.user())


def user_conversations(call: Call) -> Record:
    """List the conversations of a user."""
    found = call.user()
    theirs = memberships(call, identity=found["identity"])
    rows = Rows(key="conversations", rows=theirs, rank=by_membership)
    return call.page(rows, lambda pair: call.shapes.user_conversation(found, *pair))


def found_membership(call: Call) -> tuple[Record, Conversation, Record]:
    """Return the user in the path, the conversation and who they are in it."""
    found, wanted = call.user(), call.conversation(unique_names=True)
    for one, who in memberships(call, identity=found["identity"]):
        if one is wanted:
            return found, one, who
    raise call.missing()


def user_conversation(call: Call) -> Record:
    """Fetch a conversation of a user."""
    return call.shapes.user_conversation(*found_membership(call))


def addresses(call: Call) -> Record:
    """List the account's address configurations, if asked those of one type."""
    kind = call.choice("Type", ADDRESS_TYPES)
    found = [one for one in call.store.addresses if kind is None or one["type"] == kind]
    rows = Rows(key="address_configurations", rows=found, rank=by_date, label=kind or "all")
    return call.page(rows, call.shapes.address, {"Type": kind})


def found_address(call: Call) -> Record:
    """Return the address configuration in the path, by SID or by the address."""
    name = call.named("address")
    for one in call.store.addresses:
        if name in (one["sid"], one["address"]):
            return one
    raise call.missing()


def address(call: Call) -> Record:
    """Fetch an address configuration."""
    return call.shapes.address(found_address(call))


def services(call: Call) -> Record:
    """List the account's chat services."""
    rows = Rows(key="services", rows=call.store.services, rank=by_date, maximum=100)
    return call.page(rows, call.shapes.chat_service)


def chat_service(call: Call) -> Record:
    """Fetch a chat service."""
    return call.shapes.chat_service(call.one(call.store.services, "service"))


def service_configuration(call: Call) -> Record:
    """Fetch the configuration of a chat service."""
    return call.shapes.service_configuration(call.one(call.store.services, "service"))


def service_webhook(call: Call) -> Record:
    """Fetch the webhook of a chat service."""
    return call.shapes.service_webhook(call.one(call.store.services, "service"))


# Asked with and without /Services/{service} in front (section 1).
BOTH_FORMS: dict[str, Answer] = {
    "Conversations": conversations,
    "Conversations/{conversation}": conversation,
    "Conversations/{conversation}/Messages": messages,
    "Conversations/{conversation}/Messages/{message}": message,
    "Conversations/{conversation}/Messages/{message}/Receipts": receipts,
    "Conversations/{conversation}/Messages/{message}/Receipts/{receipt}": receipt,
    "Conversations/{conversation}/Participants": participants,
    "Conversations/{conversation}/Participants/{participant}": participant,
    "Conversations/{conversation}/Webhooks": webhooks,
    "Conversations/{conversation}/Webhooks/{webhook}": webhook,
    "ParticipantConversations": participant_conversations,
    "Users": users,
    "Users/{user}": user,
    "Users/{user}/Conversations": user_conversations,
    "Users/{user}/Conversations/{conversation}": user_conversation,
}
ONE_FORM: dict[str, Answer] = {
    "Configuration": lambda call: call.shapes.configuration(),
    "Configuration/Webhooks": lambda call: call.shapes.account_webhook(),
    "Configuration/Addresses": addresses,
    "Configuration/Addresses/{address}": address,
    "Services": services,
    "Services/{service}": chat_service,
    "Services/{service}/Configuration": service_configuration,
    "Services/{service}/Configuration/Webhooks": service_webhook,
}
