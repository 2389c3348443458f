"""Writes to Twilio over real sockets: what is told is what is there, whatever happens."""

import json
from collections import Counter
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from attrs import evolve

from conversations_hub import (
    AmbiguousWriteError,
    AuthenticationError,
    ConfigurationError,
    ConflictError,
    ConversationsHub,
    ConversationState,
    InvalidRequestError,
    MessageKind,
    MessageState,
    NotFoundError,
    Ref,
    Role,
    TransportError,
    Upload,
)
from conversations_hub import transport as transport_module
from conversations_hub.emulator import Emulator
from operations.twilio import everything

OURS, THEIRS, MAIL = "+15017122661", "+15558675399", "ana@mail.example.org"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(transport_module, "pauses", lambda: iter([0.01] * 50))


class Place:
    """An emulated account with one conversation in it, and a hub."""

    def __init__(self, emulator, hub):
        self.hub, self.twilio = hub, hub["twilio"]
        self.api, self.server = emulator["twilio"], emulator.servers["twilio"]

    async def furnish(self):
        self.where = (await self.twilio.create(title="Boiler visit", participants=["dana"])).ref
        self.said = (await self.twilio.send(self.where, "Good morning")).ref.id
        self.user = await self.twilio.create_user("eve")
        self.hook = await self.twilio.create_webhook(self.where, url="https://a.test/h")
        self.number = await self.twilio.create_address_configuration("sms", "+15005550100")
        self.server.requests.clear()

    @property
    def store(self):
        return self.api.store

    @property
    def talk(self):
        return self.store.conversations[self.where.id]

    def writes(self):
        return [r for r in self.server.requests if r.method != "GET"]

    def contents(self):
        """Return everything that is stored, but for files that nobody sees."""
        talks = {
            sid: (one.record, one.messages, one.participants, one.webhooks, sorted(one.muted))
            for sid, one in self.store.conversations.items()
        }
        around = [self.store.users, self.store.addresses, self.store.configuration]
        return json.dumps([talks, *around, self.store.account_webhook], default=str)


@asynccontextmanager
async def furnished(*, in_service=False, **switches):
    odd = {"twilio": switches}
    async with Emulator(seed=3, scale=0.01, only=["twilio"], switches=odd) as emulator:
        service = emulator["twilio"].store.default_service if in_service else None
        (provider,) = emulator.providers(service_sid=service)
        async with ConversationsHub(provider) as hub:
            place = Place(emulator, hub)
            await place.furnish()
            yield place


@pytest.fixture
async def place():
    async with furnished() as place:
        yield place


@pytest.fixture(params=["default", "service"])
async def either(request):
    """Do it in both forms of the API."""
    async with furnished(in_service=request.param == "service") as place:
        yield place


WRITES = {
    "send": lambda p: p.twilio.send(p.where, "hi", metadata={"a": 1}),
    "send a file": lambda p: p.twilio.send(p.where, "hi", attachments=[b"abc"]),
    "send with a key": lambda p: p.twilio.send(p.where, "hi", idempotency_key="k"),
    "edit": lambda p: p.twilio.edit(p.where, p.said, text="ho"),
    "delete_message": lambda p: p.twilio.delete_message(p.where, p.said),
    "create": lambda p: p.twilio.create(title="another", metadata={"a": 1}),
    "create with a key": lambda p: p.twilio.create(title="another", idempotency_key="k"),
    "update": lambda p: p.twilio.update(p.where, title="another", metadata={"a": 1}),
    "close": lambda p: p.twilio.close(p.where),
    "delete": lambda p: p.twilio.delete(p.where),
    "add_participant": lambda p: p.twilio.add_participant(p.where, "eve"),
    "add_participant by number": lambda p: p.twilio.add_participant(
        p.where, THEIRS, proxy_address=OURS
    ),
    "update_participant": lambda p: p.twilio.update_participant(
        p.where, "dana", metadata={"a": 1}, last_read_message_index=0
    ),
    "remove_participant": lambda p: p.twilio.remove_participant(p.where, "dana"),
    "mark_read": lambda p: p.twilio.mark_read(p.where, participant="dana"),
    "create_user": lambda p: p.twilio.create_user("fay", metadata={"a": 1}),
    "update_user": lambda p: p.twilio.update_user("eve", friendly_name="Eve"),
    "delete_user": lambda p: p.twilio.delete_user(p.user.ref),
    "update_user_conversation": lambda p: p.twilio.update_user_conversation(
        "dana", p.where, notification_level="muted"
    ),
    "delete_user_conversation": lambda p: p.twilio.delete_user_conversation("dana", p.where),
    "create_webhook": lambda p: p.twilio.create_webhook(
        p.where, url="https://a.test/h", filters=["onMessageAdded"]
    ),
    "update_webhook": lambda p: p.twilio.update_webhook(p.where, p.hook.sid, method="get"),
    "delete_webhook": lambda p: p.twilio.delete_webhook(p.where, p.hook.sid),
    "update_configuration": lambda p: p.twilio.update_configuration(default_closed_timer="PT20M"),
    "update_configuration_webhook": lambda p: p.twilio.update_configuration_webhook(
        target="flex", filters=["onMessageAdded"]
    ),
    "create_address_configuration": lambda p: p.twilio.create_address_configuration(
        "sms", "+15005550101", auto_creation_enabled=True
    ),
    "update_address_configuration": lambda p: p.twilio.update_address_configuration(
        p.number.sid, friendly_name="Ours"
    ),
    "delete_address_configuration": lambda p: p.twilio.delete_address_configuration(p.number.sid),
}


def is_seen(request):
    """Tell what changes something that anybody sees."""
    return request.method != "GET" and not request.path.endswith("/Media")


def reset(request, response=None):
    if is_seen(request):
        request.transport.abort()
        return web.Response()
    return response


def failed(request, response=None):
    return web.json_response({}, status=503) if is_seen(request) else response


def garbage(request, response=None):
    return web.Response(text='{"sid":') if is_seen(request) and request.method == "POST" else None


# A fault is told from another by the engine, so that all of them need not meet all writes.
CASES = [*((name, reset) for name in WRITES), ("send", failed), ("delete", failed)]


@pytest.mark.parametrize(("name", "fault"), CASES)
async def test_what_was_done_and_not_answered_is_found(place, name, fault):
    before = place.contents()
    place.server.alter = fault
    with pytest.raises(AmbiguousWriteError, match="reconcile") as caught:
        await WRITES[name](place)
    place.server.alter = None
    done, count = place.contents(), len(place.writes())
    assert done != before
    outcome = await caught.value.reconcile
    assert outcome.happened is True
    assert (place.contents(), len(place.writes())) == (done, count)


@pytest.mark.parametrize(("name", "fault"), CASES)
async def test_what_was_not_done_is_not_found(place, name, fault):
    before = place.contents()
    place.server.intercept = fault
    with pytest.raises(AmbiguousWriteError) as caught:
        await WRITES[name](place)
    place.server.intercept = None
    outcome = await caught.value.reconcile
    assert outcome.happened is False
    assert place.contents() == before
    await WRITES[name](place)
    assert place.contents() != before


@pytest.mark.parametrize("name", ["send", "create", "add_participant", "update", "create_user"])
async def test_an_answer_that_cannot_be_read(place, name):
    place.server.alter = garbage
    with pytest.raises(AmbiguousWriteError) as caught:
        await WRITES[name](place)
    place.server.alter = None
    outcome = await caught.value.reconcile
    assert outcome.happened is True
    if isinstance(outcome.value.ref, Ref) and name in {"create", "update"}:
        assert outcome.value == await place.twilio.conversation(outcome.value.ref)


async def test_what_was_found_is_what_is_listed(either):
    place = either
    place.server.alter = reset
    with pytest.raises(AmbiguousWriteError) as caught:
        await place.hub.send(place.where, "hi", attachments=[b"abc"])
    place.server.alter = None
    outcome = await caught.value.reconcile
    *_, last = await place.hub.messages(place.where).collect(limit=None)
    assert outcome.value == last


@pytest.mark.parametrize("name", ["send", "create", "create_webhook"])
async def test_a_twin_of_this_hub_is_not_taken_for_it(place, name):
    await WRITES[name](place)
    place.server.intercept = reset
    with pytest.raises(AmbiguousWriteError) as caught:
        await WRITES[name](place)
    place.server.intercept = None
    assert (await caught.value.reconcile).happened is False


async def test_an_older_twin_of_somebody_else_is_not_taken_for_it(place):
    talk = place.talk
    long_ago = talk.messages[0]["date_created"].replace(year=2025)
    place.store.add_message(talk, body="hi", attributes='{"a":1}', at=long_ago)
    place.server.intercept = reset
    with pytest.raises(AmbiguousWriteError) as caught:
        await WRITES["send"](place)
    place.server.intercept = None
    assert (await caught.value.reconcile).happened is False


async def test_an_upload_that_fails_leaves_nothing_to_find(place):
    def cut(request):
        if request.path.endswith("/Media"):
            request.transport.abort()
            return web.Response()
        return None

    place.server.intercept = cut
    with pytest.raises(TransportError):
        await place.twilio.send(place.where, "hi", attachments=[b"abc"])
    assert len(place.talk.messages) == 1


# Keys.


@pytest.mark.parametrize("fault", ["intercept", "alter"])
async def test_a_key_makes_one_message_of_two(place, fault):
    def send():
        return place.hub.send(place.where, "hi", metadata={"a": 1}, idempotency_key="k")

    setattr(place.server, fault, reset)
    with pytest.raises(AmbiguousWriteError):
        await send()
    setattr(place.server, fault, None)
    first, second = await send(), await send()
    assert first == second == await place.twilio.message(place.where, first.ref.id)
    assert first.metadata == {"a": 1, "idempotency_key": "k"}
    assert [m["body"] for m in place.talk.messages] == ["Good morning", "hi"]
    other = await place.hub.send(place.where, "hi", idempotency_key="l")
    assert other.ref != first.ref


@pytest.mark.parametrize("step", range(4))
@pytest.mark.parametrize("fault", ["intercept", "alter"])
async def test_a_key_makes_one_conversation_of_two(place, fault, step):
    """Whichever of its requests is cut, the next attempt completes what the first began."""
    seen = Counter()

    def cut(request, response=None):
        seen[request.method] += 1
        if request.method == "POST" and seen["POST"] == step + 1:
            request.transport.abort()
            return web.Response()
        return response

    def create():
        return place.twilio.create(
            title="another",
            participants=["dana", THEIRS],
            text="Welcome",
            idempotency_key="case/1",
            proxy_address=OURS,
        )

    setattr(place.server, fault, cut)
    with pytest.raises(AmbiguousWriteError) as caught:
        await create()
    setattr(place.server, fault, None)
    outcome = await caught.value.reconcile
    complete = step == 3 and fault == "alter"
    nothing = step == 0 and fault == "intercept"
    assert outcome.happened is (True if complete else False if nothing else None)
    first, second = await create(), await create()
    assert first == second == await place.twilio.conversation(first.ref)
    talks = place.store.conversations.values()
    (talk,) = [one for one in talks if one.record["unique_name"] == "case/1"]
    assert len(talk.participants) == 2
    assert [m["body"] for m in talk.messages] == ["Welcome"]


async def test_a_part_that_is_refused_says_that_a_part_was_done(place):
    with pytest.raises(AmbiguousWriteError, match="a part of it was done") as caught:
        await place.twilio.create(title="another", participants=["dana", "dana"])
    assert isinstance(caught.value.cause, ConflictError)
    outcome = await caught.value.reconcile
    assert outcome.happened is None
    assert len(place.store.conversations[outcome.value.ref.id].participants) == 1


async def test_who_is_there_twice_is_not_taken_for_one_of_the_two(place):
    """At another address of ours, somebody takes part once more."""
    twilio = place.twilio
    one = await twilio.add_participant(place.where, THEIRS, proxy_address=OURS)
    other = await twilio.add_participant(place.where, THEIRS, proxy_address="+15017122663")
    for ask in (
        lambda who: twilio.mark_read(place.where, participant=who),
        lambda who: twilio.remove_participant(place.where, who),
    ):
        with pytest.raises(ConfigurationError, match="give the ref of one of them"):
            await ask(THEIRS)
    await twilio.remove_participant(place.where, one.ref)
    await twilio.remove_participant(place.where, THEIRS)
    there = {who["sid"] for who in place.talk.participants}
    assert there.isdisjoint({one.ref.id, other.ref.id})


async def test_what_a_code_means_counts_whatever_the_status():
    """Who is gone is gone, and who is in a group already is in."""
    odd = {"not_found_codes": "specific", "inferred_status": "plain"}
    async with furnished(**odd) as place:
        place.server.alter = lambda request, answer: (
            web.Response(status=500) if request.method == "DELETE" else answer
        )
        with pytest.raises(AmbiguousWriteError) as caught:
            await place.twilio.delete(place.where)
        assert (await caught.value.reconcile).happened is True
        first, second = [
            await place.twilio.create(participants=[THEIRS], idempotency_key="k") for _ in range(2)
        ]
        assert first.ref == second.ref


# What is written is what is read.

TEXTS = [
    *(" a ", "\n", "a\r\nb", "\x00\x01\x1f\x7f", "a+b&c=d%20;#?/", "null", "<b>&amp;</b>"),
    *("👩🏽‍⚖️ é é ﷺ", "\u2028\ufeff", "𝔘𐍈", '"{}\\', "x" * 5000),
]


def about(text):
    """Return metadata, for which there is less room."""
    return {text[:9]: [text[:9], None, {"n": 1.5}]}


async def test_any_text_comes_back_as_it_was_sent(either):
    place = either
    sent = [await place.hub.send(place.where, text, metadata=about(text)) for text in TEXTS]
    _, *listed = await place.hub.messages(place.where).collect(limit=None)
    assert listed == sent
    for text, message in zip(TEXTS, sent, strict=True):
        assert (message.text, message.metadata) == (text, about(text))
        assert message.kind is MessageKind.TEXT
        assert await place.twilio.message(place.where, message.ref.id) == message


async def test_an_edit(place):
    edited = await place.hub.edit(place.where, place.said, text="Good evening")
    assert edited == await place.twilio.message(place.where, place.said)
    assert edited.text == "Good evening"
    assert edited.state in {MessageState.EDITED, MessageState.SENT}  # within the same second
    await place.hub.delete_message(place.where, place.said)
    with pytest.raises(NotFoundError):
        await place.twilio.message(place.where, place.said)


async def chunks():
    for chunk in (b"ab", b"", b"c" * 70_000):
        yield chunk


async def test_files_go_there_and_back(either, tmp_path):
    place = either
    path = tmp_path / "Ünder way.txt"
    path.write_bytes(b"from a path")
    files = {
        b"": b"",
        b"\x00\xff": b"\x00\xff",
        path: b"from a path",
        Upload(chunks(), name="stream", media_type="image/png"): b"ab" + b"c" * 70_000,
    }
    for thing, content in files.items():
        message = await place.hub.send(place.where, attachments=[thing])
        assert (message.kind, message.text) == (MessageKind.MEDIA, None)
        (file,) = message.attachments
        assert file.size == len(content)
        assert await place.hub.download(file).read() == content
        assert (await place.hub.messages(place.where, order="newest").collect(limit=1)) == [message]
        again = await place.hub.send(place.where, "again", attachments=[file])
        assert again.attachments == message.attachments
    names = [m["media"][0]["filename"] for m in place.talk.messages[1:]]
    assert names == [n for n in ["file", "file", "Ünder way.txt", "stream"] for _ in range(2)]
    assert len(place.store.uploads) == len(files)


async def test_files_that_are_somewhere_else():
    """Storage takes no credentials, and refuses whoever shows some."""
    emulator = Emulator(
        seed=3, scale=0.01, only=["twilio"], switches={"twilio": {"media_content": "redirect"}}
    )
    async with emulator, emulator.hub() as hub:
        file = await hub["twilio"].upload_media(Upload(b"abc", name="a.txt"))
        assert await hub.download(file.attachment).read() == b"abc"
        found = await hub["twilio"].media_file(file.sid)
        assert found.links.content_direct_temporary.startswith("http://localhost")
        assert found.attachment == file.attachment


async def test_a_conversation_from_beginning_to_end(either):
    place, twilio, store = either, either.twilio, either.store
    made = await twilio.create(
        title="é", participants=["dana", THEIRS], metadata={"a": [1]}, proxy_address=OURS
    )
    assert made == await twilio.conversation(made.ref)
    assert (made.title, made.metadata, made.state) == ("é", {"a": [1]}, ConversationState.OPEN)
    who = {p.address: p for p in await place.hub.participants(made.ref).collect(limit=None)}
    assert {a: p.role for a, p in who.items()} == {"dana": Role.STAFF, THEIRS: Role.CUSTOMER}
    with pytest.raises(ConflictError):
        await twilio.add_participant(made.ref, "dana")
    eve = await place.hub.add_participant(made.ref, Ref("twilio", "eve"))
    assert eve == await twilio.participant(made.ref, "eve")
    await place.hub.remove_participant(made.ref, eve.ref)
    await place.hub.remove_participant(made.ref, THEIRS)
    await place.hub.mark_read(made.ref, participant=who["dana"].ref)  # nothing there yet
    await place.hub.send(made.ref, "one")
    await place.hub.mark_read(made.ref, participant="dana")
    (left,) = store.conversations[made.ref.id].participants
    assert (left["identity"], left["last_read_message_index"]) == ("dana", 0)
    changed = await place.hub.update(made.ref, title="è", metadata={})
    assert changed == await twilio.conversation(made.ref)
    assert (changed.title, changed.metadata) == ("è", {})
    idle = await twilio.update(made.ref, state=ConversationState.INACTIVE)
    assert idle.state is ConversationState.INACTIVE
    closed = await place.hub.close(made.ref)
    assert closed.state is ConversationState.CLOSED
    with pytest.raises(InvalidRequestError, match="50377"):
        await place.hub.send(made.ref, "too late")
    await place.hub.delete(made.ref)
    with pytest.raises(NotFoundError):
        await place.hub.delete(made.ref)


async def test_conflicts_are_refusals_without_a_key(place):
    twilio = place.twilio
    await twilio.create(unique_name="case/1")
    with pytest.raises(ConflictError, match="50353"):
        await twilio.create(unique_name="case/1")
    with pytest.raises(ConflictError):
        await twilio.create_user("eve")
    await twilio.add_participant(place.where, THEIRS, proxy_address=OURS)
    other = await twilio.create(title="other")
    with pytest.raises(ConflictError, match=place.where.id):
        await twilio.add_participant(other.ref, THEIRS, proxy_address=OURS)


async def test_refusals_of_a_write_are_as_plain_as_those_of_a_read(place):
    wrong = evolve(place.twilio, auth_token="wrong0token").bound(place.hub)
    async with ConversationsHub(wrong) as hub:
        with pytest.raises(AuthenticationError):
            await hub.send(place.where, "hi")
    assert len(place.talk.messages) == 1


# Everything there is.


@pytest.mark.parametrize("in_service", [False, True])
async def test_every_operation_is_accepted_by_an_api_that_knows_no_other_words(in_service):
    switches = {"twilio": {"unknown_parameters": "reject"}}
    emulator = Emulator(seed=3, scale=0.02, only=["twilio"], switches=switches)
    service = emulator["twilio"].store.default_service if in_service else None
    async with emulator, ConversationsHub(*emulator.providers(service_sid=service)) as hub:
        await everything(hub, "twilio", emulator["twilio"])
    assert {r.status for r in emulator.servers["twilio"].requests} == {200, 201, 204}
