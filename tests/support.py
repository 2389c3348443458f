"""A tiny provider and a fake transport, for tests of what all providers share."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import ClassVar

from attrs import evolve, field, frozen
from msgspec import Struct
from yarl import URL

from conversations_hub import Conversation, ConversationsHub, Message, Ref
from conversations_hub.emulator import Emulator
from conversations_hub.paging import CursorPaging
from conversations_hub.provider import Provider, base_url_field, name_field, operation, secret_field
from conversations_hub.reading import Record, Records, nothing
from conversations_hub.recipes import Call, Listing
from conversations_hub.wire import Response, upload
from conversations_hub.writing import compared, gone, keyed, sent_message


class Thing(Struct, frozen=True):
    id: str
    name: str | None = None


def conversation(provider, payload, raw):
    return Conversation(ref=Ref(provider, payload.id), title=payload.name, raw=raw)


def message(where, payload, raw):
    return Message(
        ref=Ref(where.provider, payload.id), conversation=where, text=payload.name, raw=raw
    )


CURSOR = CursorPaging(param="cursor", cursor=("meta", "cursor"), more=("meta", "more"))


@frozen(kw_only=True)
class Acme(Provider):
    """A provider with two lists and no quirks."""

    env: ClassVar = {"token": ("ACME_TOKEN",), "base_url": ("ACME_URL",)}
    limits: ClassVar = {"conversations": 100, "messages": 100}

    name: str = name_field("acme")
    token: str = secret_field()
    base_url: URL = base_url_field("http://acme.test/api")

    def auth_headers(self):
        return {"Authorization": f"Bearer {self.token.reveal()}"}

    @operation
    def conversations(self, *, page_size=None, **filters):
        if any(value is not None for value in filters.values()):
            raise self.unsupported("conversations", "ask for all of them")
        return Listing(
            request=self.get("things", query={"size": self.page_size("conversations", page_size)}),
            read=Records(
                payload=Thing,
                items="things",
                translate=partial(conversation, self.name),
                paging=CURSOR,
            ),
        )

    @operation
    def messages(self, conversation, *, since=None, until=None, order=None, page_size=None):
        return Listing(
            request=self.get("things", self.id_of(conversation), "notes"),
            read=Records(
                payload=Thing,
                items="notes",
                translate=partial(message, conversation),
                paging=CURSOR,
            ),
            repeats=True,
            sort_key=(lambda m: m.text) if order else None,
        )

    @operation
    def conversation(self, ref):
        return Call(
            request=self.get("things", self.id_of(ref)),
            read=Record(payload=Thing, translate=partial(conversation, self.name)),
        )


@frozen(kw_only=True)
class Scribe(Acme):
    """The same, and what can be written: notes, names and files."""

    nearest: ClassVar = {"close": "delete it"}

    @operation
    def send(self, conversation, text=None, *, attachments=(), idempotency_key=None, **rest):
        def post(file=None):
            return Call(
                request=self.ask(
                    "POST", "things", conversation.id, "notes", json={"name": text, "file": file}
                ),
                read=Record(payload=Thing, translate=partial(message, conversation)),
                reconcile=sent_message(newest, lambda m: m.text == text),
            )

        newest = self.messages(conversation)
        if idempotency_key:
            return keyed(newest, idempotency_key, post)
        for thing in attachments:
            file = upload(thing)
            request = evolve(self.ask("POST", "files"), file=file, part="source")
            return Call(
                request=request, read=lambda r: post(json.loads(r.body)["id"]), prepares=True
            )
        return post()

    @operation
    def update(self, ref, *, title=None, **rest):
        return Call(
            request=self.ask("PUT", "things", ref.id, form={"name": title}),
            read=Record(payload=Thing, translate=partial(conversation, self.name)),
            reconcile=compared(self.conversation(ref), lambda c: c.title == title),
        )

    @operation
    def delete(self, ref):
        return Call(
            request=self.ask("DELETE", "things", ref.id),
            read=nothing,
            reconcile=gone(self.conversation(ref)),
        )


def page(ids, cursor=None, *, key="things", more=None, **extra):
    """Return the bytes of a page; there is more where there is a cursor."""
    meta = {"more": bool(cursor) if more is None else more}
    if cursor:
        meta["cursor"] = cursor
    records = [one if isinstance(one, dict) else {"id": one, "name": f"n{one}"} for one in ids]
    return json.dumps({key: records, "meta": meta, **extra}).encode()


@frozen
class FakeTransport:
    """Answers by cursor, from a dictionary; an exception among the answers is raised once."""

    # Its own lists: an answer that was taken is still there for the next test.
    answers: dict = field(
        converter=lambda given: {
            cursor: list(one) if isinstance(one, list) else one for cursor, one in given.items()
        }
    )
    asked: list = field(factory=list)
    timeout: float = 1.0

    def now(self, provider):
        return lambda: datetime.now(UTC) - timedelta(seconds=2)

    async def send(self, provider, request, operation):
        cursor = request.query.get("cursor")
        self.asked.append(cursor)
        answer = self.answers[cursor]
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Response(status=200, body=answer, headers={"Content-Type": "application/json"})


def hub_on(answers, **options):
    """Return a hub with Acme on a fake transport."""
    hub = ConversationsHub(Acme(token="canary-token"), **options)
    hub._fetcher.transport = FakeTransport(answers)
    return hub


def seeded(name, *, seed=1, scale=1.0, **switches):
    """Return the emulation of one provider, a copy where the same was asked for before."""
    return Emulator(seed=seed, scale=scale, only=[name], switches={name: switches})[name]


def ids(items):
    return [item.ref.id for item in items]
