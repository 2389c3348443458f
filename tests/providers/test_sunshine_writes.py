"""What Sunshine Conversations' writes do, over real sockets, and what became of those cut off."""

from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from conversations_hub import (
    AmbiguousWriteError,
    Attachment,
    ConflictError,
    ConversationKind,
    ConversationsHub,
    InvalidRequestError,
    NotFoundError,
    Ref,
    Sunshine,
    Upload,
)
from conversations_hub.emulator import Server
from conversations_hub.writing import KEY
from operations.sunshine import everything
from support import seeded

RECEIPT = Attachment(name="a.png", media_type="image/png", url="https://x.test/a.png")
HOOK = {"target": "https://h.test/", "triggers": ["*"]}
ITEM = {"title": "K", "actions": [{"type": "postback", "text": "Buy", "payload": "k"}]}
LOOKS_LIKE_ID = "0123456789abcdef01234567"


@asynccontextmanager
async def app(**switches):
    server = Server(seeded("sunshine", seed=5, scale=0.02, **switches))
    for _ in range(3):
        server.api.add_message(a_group(server.api).id)
    await server.start()
    provider = Sunshine(base_url=server.base_url, **server.api.arguments)
    try:
        async with ConversationsHub(provider) as hub:
            yield hub, server.api, server
    finally:
        await server.stop()


def a_group(api):
    groups = (c for c, each in api.store.conversations.items() if each["type"] == "sdkGroup")
    return Ref("sunshine", next(g for g in groups if 3 <= len(api.store.participants(g)) < 10))


def a_default(api):
    return Ref("sunshine", next(c for c, e in api.store.conversations.items() if e["isDefault"]))


async def newest(hub, where, count=1):
    return await hub.messages(where).collect(limit=count)


async def test_a_message_that_reads_do_not_show_yet_is_found(monkeypatch):
    """Read-after-write is undocumented: the first look does not settle that nothing was sent."""
    monkeypatch.setattr(Sunshine, "read_lag", 2.0)
    async with app(read_lag=0.4) as (hub, api, server):
        where = a_group(api)
        server.alter = lambda request, _: request.method == "POST" and request.transport.abort()
        with pytest.raises(AmbiguousWriteError) as caught:
            await hub.send(where, "On my way")
        server.alter = None
        assert "On my way" not in [message.text for message in await newest(hub, where, 5)]
        outcome = await caught.value.reconcile
    assert outcome.happened is True
    assert outcome.value.text == "On my way"


TEXTS = st.text(min_size=1, max_size=40)
FLAT = st.dictionaries(
    st.text(min_size=1, max_size=8),
    st.text(max_size=8) | st.booleans() | st.integers(-(2**53), 2**53),
    max_size=3,
)


async def test_whatever_is_sent_reads_back_equal():
    async with app() as (hub, api, _):
        where = a_group(api)
        # One hub for all the examples, which a given test would open anew each time.
        examples = []

        @settings(max_examples=25, database=None)
        @given(TEXTS, FLAT, st.none() | TEXTS)
        def collect(text, metadata, author):
            examples.append((text, metadata, author))

        collect()
        for text, metadata, author in [*examples, (" \n\t\u200b\x00", {}, None)]:
            sent = await hub["sunshine"].send(where, text, metadata=metadata, author=author)
            assert (sent.text, sent.metadata, sent.author.name) == (text, metadata, author)
            assert await newest(hub, where) == [sent]


async def stream(*chunks):
    for chunk in chunks:
        yield chunk


@pytest.mark.parametrize("media", ["private", "public", "foreign"])
async def test_files_go_there_and_back(tmp_path, media):
    path = tmp_path / "Lease (2) ü.pdf"
    path.write_bytes(b"a lease")
    async with app(media=media) as (hub, api, _):
        where = a_group(api)
        for file, name, kind, data in [
            (path, path.name, "application/pdf", b"a lease"),
            (b"raw", "file", "application/octet-stream", b"raw"),
            (Upload(stream(b"a", b"b"), name="x.png"), "x.png", "image/png", b"ab"),
        ]:
            sent = await hub.send(where, "Look", attachments=[file])
            (shown,) = sent.attachments
            assert (sent.text, shown.name, shown.media_type) == ("Look", name, kind)
            assert await newest(hub, where) == [sent]
            assert await hub.download(shown, provider="sunshine").read() == data
            again = await hub.send(where, attachments=[shown])
            assert again.attachments == (shown,)
            assert again.text is None


async def test_a_caption_may_come_apart():
    async with app(captions="split") as (hub, api, _):
        where = a_group(api)
        sent = await hub.send(where, "Look", attachments=[b"x"])
        file, caption = await newest(hub, where, 2)
        assert (file, caption.text) == (sent, "Look")


async def test_markup_and_cards():
    async with app() as (hub, api, _):
        where = a_group(api)
        marked = await hub.send(where, "plain", html="<b>bold</b>")
        assert (marked.text, marked.html) == ("plain", "<b>bold</b>")
        only = await hub.send(where, html="<p>bold</p>")
        assert (only.text, only.html) == ("bold", "<p>bold</p>")
        card = await hub["sunshine"].send(where, content={"type": "carousel", "items": [ITEM]})
        assert await newest(hub, where, 3) == [card, only, marked]


async def test_conversations_come_and_go():
    async with app() as (hub, api, _):
        direct = await hub.create("sunshine", participants=["crm/778"], title="T", text="hi")
        assert direct.kind is ConversationKind.DIRECT
        assert direct == await hub.conversation(direct.ref)
        assert direct in await hub.conversations(participant="crm/778").collect(limit=None)
        assert [m.text async for m in hub.messages(direct.ref)] == ["hi"]
        changed = await hub.update(direct.ref, description="D", metadata={"a": 1})
        assert (changed.title, changed.description, changed.metadata) == ("T", "D", {"a": 1})
        await hub.delete(direct.ref)
        with pytest.raises(NotFoundError):
            await hub.conversation(direct.ref)
        with pytest.raises(InvalidRequestError, match="default"):
            await hub.delete(a_default(api))


async def test_people_come_and_go():
    async with app() as (hub, _, __):
        group = await hub.create("sunshine", kind=ConversationKind.GROUP)
        joined = [
            await hub.add_participant(group.ref, who)
            for who in ("crm/778", "0123456789abcdef01234567", "kündé 12%")
        ]
        listed = await hub.participants(group.ref).collect(limit=None)
        assert listed == joined
        with pytest.raises(InvalidRequestError, match="already"):
            await hub.add_participant(group.ref, joined[0].user)
        await hub.send(group.ref, "hi")
        await hub.mark_read(group.ref, participant=joined[0].ref)
        await hub.mark_read(group.ref, participant="0123456789abcdef01234567")
        await hub.mark_read(group.ref)
        listed = await hub.participants(group.ref).collect(limit=None)
        assert [p.raw["unreadCount"] for p in listed] == [0, 0, 1]
        assert (await hub.conversation(group.ref)).raw["businessLastRead"]
        await hub.remove_participant(group.ref, joined[0].ref)
        await hub.remove_participant(group.ref, joined[1].user)
        await hub.remove_participant(group.ref, "kündé 12%")
        assert await hub.participants(group.ref).collect(limit=None) == []
        with pytest.raises(NotFoundError):
            await hub.remove_participant(group.ref, joined[0].ref)


async def test_a_key_finds_the_first_one():
    async with app() as (hub, api, _):
        where = a_group(api)
        first = await hub.send(where, "hi", attachments=[b"x"], idempotency_key="k")
        await hub.send(where, "between")
        assert await hub.send(where, "hi", attachments=[b"x"], idempotency_key="k") == first
        assert await hub.send(where, "hi", idempotency_key="l") != first
        assert first.metadata == {KEY: "k"}
        begun = [
            await hub.create("sunshine", participants=["crm/778"], text="hi", idempotency_key="k")
            for _ in range(2)
        ]
        assert begun[0] == begun[1]
        assert len(api.messages_of(begun[0].ref.id)) == 1


async def test_limits_are_the_providers():
    async with app(message_limit=3) as (hub, api, _):
        user = next(iter(api.store.users))
        group = await hub.create("sunshine", kind=ConversationKind.GROUP)
        for n in range(3):
            await hub.send(group.ref, str(n))
        with pytest.raises(InvalidRequestError) as caught:
            await hub.send(group.ref, "one too many")
        assert (caught.value.status, caught.value.code) == (423, "locked")
        with pytest.raises(InvalidRequestError, match="4096"):
            await hub.send(group.ref, "x" * 4097)
        with pytest.raises(ConflictError):
            await hub["sunshine"].create_user(external_id=api.store.users[user]["externalId"])


# What became of a write that nobody answered.


def of(api, kind):
    return next(i for i in api.store.integrations.values() if i["type"] == kind)["id"]


def texts(api, where):
    return [m.get("content", {}).get("text") for m in api.messages_of(where.id)]


def begun(api):
    return sum(c.get("displayName") == "T" for c in api.store.conversations.values())


def member(api, where, n=0):
    return api.store.participants(where.id)[n]


def sending(s, api, **how):
    where = a_group(api)
    return lambda: s.send(where, "twin", **how), lambda: texts(api, where).count("twin")


def beginning(s, api, **how):
    return lambda: s.create(title="T", participants=["crm/778"], **how), lambda: begun(api)


def hooking(s, api):
    custom = of(api, "custom")

    def count():
        return sum(w["target"] == HOOK["target"] for w in api.store.webhooks[custom])

    return lambda: s.create_webhook(custom, **HOOK), count


def keying(s, api):
    custom = of(api, "custom")
    return lambda: s.create_integration_key(custom, "N"), lambda: len(api.store.keys[custom])


def channelling(s, api):
    def count():
        return sum(i.get("displayName") == "Twin" for i in api.store.integrations.values())

    return lambda: s.create_integration("web", display_name="Twin"), count


def linking(s, api):
    user = api.store.user_by_external_id("crm/778")["id"]
    criteria = {"type": "whatsapp", "integrationId": of(api, "whatsapp"), "phoneNumber": "1555"}
    where = Ref("sunshine", api.store.conversations_of(user)[0]["id"])

    def count():
        return sum(c.get("status") == "pending" and "displayName" not in c for c in clients())

    def clients():
        return api.store.clients_of(user)

    before = count()
    return (
        lambda: s.create_client("crm/778", conversation=where, match_criteria=criteria),
        lambda: count() - before,
    )


ADDING = {
    "a text": sending,
    "a text with metadata": lambda s, api: sending(s, api, metadata={"a": 1.5, "b": True}),
    "an author": lambda s, api: sending(s, api, author="Dana"),
    "a user's text": lambda s, api: sending(
        s, api, author=Ref("sunshine", member(api, a_group(api))["userId"])
    ),
    "markup": lambda s, api: sending(s, api, html="<b>twin</b>"),
    "a file": lambda s, api: sending(s, api, attachments=[b"x"]),
    "a file of elsewhere": lambda s, api: sending(s, api, attachments=[RECEIPT]),
    "a conversation": beginning,
    "a group": lambda s, api: beginning(s, api, kind=ConversationKind.GROUP, metadata={"a": 1}),
    "a webhook": hooking,
    "a key": keying,
    "an integration": channelling,
    "a client": linking,
}


def is_write(request):
    return request.method != "GET" and not request.path.endswith("/attachments")


def cut(server, when, match=is_write):
    """Cut the line at writes, before they are done or afterwards."""

    def abort(request, response=None):
        if not match(request):
            return response
        request.transport.abort()
        return response or web.Response()

    server.intercept = abort if when == "before" else None
    server.alter = abort if when == "after" else None


async def fate(server, call, when, match=is_write):
    """Carry out a call whose line is cut; return the outcome that reading back tells."""
    cut(server, when, match)
    with pytest.raises(AmbiguousWriteError) as caught:
        await call
    cut(server, None)
    return await caught.value.reconcile


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("case", ADDING.values(), ids=ADDING)
async def test_the_fate_of_what_was_added(case, when):
    """An older twin is not taken for it, nor does a later one hide it."""
    async with app(second_webhook="added") as (hub, api, server):
        add, count = case(hub["sunshine"], api)
        first = await add()
        assert count() == 1
        outcome = await fate(server, add(), when)
        assert outcome.happened is (when == "after")
        assert count() == 1 + (when == "after")
        if when == "after":
            assert type(outcome.value) is type(first)
            assert outcome.value != first
            assert (await fate(server, add(), "before")).happened is not None


@pytest.mark.parametrize("when", ["before", "after"])
async def test_the_fate_of_a_message_is_the_message(when):
    async with app() as (hub, api, server):
        where = a_group(api)
        call = hub.send(where, "once", metadata={"n": 1}, idempotency_key="k")
        outcome = await fate(server, call, when)
        assert [outcome.value] == (await newest(hub, where) if when == "after" else [None])
        again = await hub.send(where, "once", metadata={"n": 1}, idempotency_key="k")
        assert outcome.value in (again, None)
        assert texts(api, where).count("once") == 1


def _exists(api, where):
    return where.id in api.store.conversations


def _group_case(act, done):
    def case(s, api):
        where = a_group(api)
        return (lambda: act(s, where, api)), (lambda: done(api, where))

    return case


def _control(api, where):
    return api.store.conversations[where.id]


def _board(api, n):
    return api.store.switchboard[n]["id"]


def _active(api, where):
    return _control(api, where).get("activeSwitchboardIntegration", {}).get("id")


def _pending(api, where):
    return _control(api, where).get("pendingSwitchboardIntegration", {}).get("id")


def _user(api):
    return api.store.user_by_external_id("crm/778")


def _all_deleted(api, where):
    return all(m.get("deleted") for m in api.messages_of(where.id))


def _whole(api, where, n=-1):
    return [m for m in api.messages_of(where.id) if not m.get("deleted")][n]


def _deleting_message(s, api):
    where = a_group(api)
    victim = _whole(api, where)["id"]
    return (
        lambda: s.delete_message(where, victim),
        lambda: (
            next(m for m in api.messages_of(where.id) if m["id"] == victim).get("deleted") is True
        ),
    )


def _deleting_webhook(s, api):
    custom = of(api, "custom")
    victim = api.store.webhooks[custom][0]["id"]
    return (lambda: s.delete_webhook(custom, victim)), (lambda: not api.store.webhooks[custom])


def _deleting_key(s, api):
    custom = of(api, "custom")
    key = api.store.add_key(custom, "N")["id"]
    return (lambda: s.delete_integration_key(custom, key)), (lambda: not api.store.keys[custom])


def _removing_client(s, api):
    user = next(iter(api.store.users))
    victim = next(c for c in api.store.clients_of(user) if c["type"] != "sdk")["id"]
    return (
        lambda: s.remove_client(user, victim),
        lambda: victim not in {c["id"] for c in api.store.clients_of(user)},
    )


def _web(api):
    return api.store.integrations[of(api, "web")]


SETTING = {
    "update": _group_case(
        lambda s, where, _: s.update(where, title="New", metadata={"new": 1}),
        lambda api, where: _control(api, where).get("displayName") == "New",
    ),
    "delete": _group_case(
        lambda s, where, _: s.delete(where), lambda api, where: not _exists(api, where)
    ),
    "delete_message": _deleting_message,
    "delete_messages": _group_case(lambda s, where, _: s.delete_messages(where), _all_deleted),
    "add_participant": _group_case(
        lambda s, where, api: s.add_participant(where, Ref("sunshine", _stranger(api))),
        lambda api, where: _stranger(api) in _ids(api, where),
    ),
    "mark_read": _group_case(
        lambda s, where, _: s.mark_read(where),
        lambda api, where: _control(api, where).get("businessLastRead", "") > "2026-10",
    ),
    "mark_read by a user": _group_case(
        lambda s, where, api: s.mark_read(where, participant=Ref("sunshine", _unread(api, where))),
        lambda api, where: api.store.participants(where.id)[0]["unreadCount"] == 0,
    ),
    "pass_control": _group_case(
        lambda s, where, api: s.pass_control(where, _board(api, 1)),
        lambda api, where: _active(api, where) == _board(api, 1),
    ),
    "offer_control": _group_case(
        lambda s, where, api: s.offer_control(where, _board(api, 1)),
        lambda api, where: _pending(api, where) == _board(api, 1),
    ),
    "update_user": lambda s, api: (
        lambda: s.update_user("crm/778", profile={"surname": "New"}, metadata={"new": 1}),
        lambda: _user(api)["profile"].get("surname") == "New",
    ),
    "create_user": lambda s, api: (
        lambda: s.create_user(external_id="new/1", profile={"givenName": "N"}),
        lambda: api.store.user_by_external_id("new/1") is not None,
    ),
    "delete_personal_information": lambda s, api: (
        lambda: _with_metadata(api) and s.delete_personal_information("crm/778"),
        lambda: not _user(api)["metadata"],
    ),
    "remove_client": _removing_client,
    "update_integration": lambda s, api: (
        lambda: s.update_integration(_web(api)["id"], display_name="New"),
        lambda: _web(api)["displayName"] == "New",
    ),
    "update_integration by a setting": lambda s, api: (
        lambda: s.update_integration(_web(api)["id"], settings={"brandColor": "000"}),
        lambda: _web(api)["brandColor"] == "000",
    ),
    "delete_integration": lambda s, api: (
        lambda: s.delete_integration(of(api, "telegram")),
        lambda: not [i for i in api.store.integrations.values() if i["type"] == "telegram"],
    ),
    "update_webhook": lambda s, api: (
        lambda: s.update_webhook(
            of(api, "custom"), api.store.webhooks[of(api, "custom")][0]["id"], target="https://n.x/"
        ),
        lambda: api.store.webhooks[of(api, "custom")][0]["target"] == "https://n.x/",
    ),
    "delete_webhook": _deleting_webhook,
    "delete_integration_key": _deleting_key,
    "update_app": lambda s, api: (
        lambda: s.update_app(display_name="New", settings={"echoPostback": True}),
        lambda: api.store.app["displayName"] == "New",
    ),
    "delete_app": lambda s, api: (s.delete_app, lambda: api.store.closed),
}


def _ids(api, where):
    return {p["userId"] for p in api.store.participants(where.id)}


def _stranger(api):
    """Return somebody who can join; who is there already is let out before."""
    return list(api.store.users)[-1]


def _unread(api, where):
    api.store.participants(where.id)[0]["unreadCount"] = 3
    return member(api, where)["id"]


def _with_metadata(api):
    _user(api)["metadata"] = {"a": 1}
    return True


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("case", SETTING.values(), ids=SETTING)
async def test_the_fate_of_what_was_changed(case, when):
    async with app() as (hub, api, server):
        act, done = case(hub["sunshine"], api)
        for state in ("activeSwitchboardIntegration", "pendingSwitchboardIntegration"):
            api.store.conversations[a_group(api).id].pop(state, None)
        api.store.leave(a_group(api).id, _stranger(api))
        call = act()
        assert not done()
        outcome = await fate(server, call, when)
        assert (outcome.happened, bool(done())) == (when == "after", when == "after")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "switches",
    [
        {"captions": "split", "media": "foreign"},
        {"message_order": "desc", "list_order": "desc", "last_page_meta": "absent"},
        {"message_page": 1, "deleted": "removed", "unknown_keys": True},
    ],
    ids=["apart", "descending", "small pages"],
)
async def test_a_fate_is_told_whatever_the_documentation_leaves_open(switches, when):
    async with app(**switches) as (hub, api, server):
        where = a_group(api)
        sent = await hub.send(where, "twin", attachments=[b"x"])
        call = hub.send(where, "twin", attachments=[b"x"])
        assert (await fate(server, call, when)).happened is (when == "after")
        assert texts(api, where).count("twin") == 1 + (when == "after")
        told = await fate(server, hub.delete_message(where, sent.ref.id), when)
        assert told.happened is (when == "after")
        begin = hub.create("sunshine", title="T", participants=["crm/778"])
        assert (await fate(server, begin, when)).happened is (when == "after")


@pytest.mark.parametrize("when", ["before", "after"])
async def test_the_fate_of_leaving(when):
    async with app() as (hub, api, server):
        where = a_group(api)
        one, two = (Ref("sunshine", member(api, where, n)["userId"]) for n in (0, 1))
        api.store.users[two.id]["externalId"] = LOOKS_LIKE_ID
        for who in (one, two.id):
            outcome = await fate(server, hub.remove_participant(where, who), when)
            assert outcome.happened is (when == "after")
        left = {p["userId"] for p in api.store.participants(where.id)}
        assert ({one.id, two.id} & left == set()) == (when == "after")


@pytest.mark.parametrize("when", ["before", "after"])
async def test_the_fate_of_leaving_under_another_name(when):
    """What is cut is tried as a user's id, which it is not: nobody has left."""
    async with app() as (hub, api, server):
        group = await hub.create("sunshine", kind=ConversationKind.GROUP)
        people = [await hub.add_participant(group.ref, who) for who in (LOOKS_LIKE_ID, "crm/778")]
        for who in (LOOKS_LIKE_ID, people[1].ref):
            cut(server, "before")
            with pytest.raises(AmbiguousWriteError) as caught:
                await hub.remove_participant(group.ref, who)
            cut(server, None)
            assert (await caught.value.reconcile).happened is False
            again = await fate(
                server, hub.remove_participant(group.ref, who), when, _is_second(server)
            )
            assert again.happened is (when == "after")
        assert len(api.store.participants(group.ref.id)) == (0 if when == "after" else 2)


def _is_second(server):
    """Return what matches a write once another one was refused."""
    seen = len(server.requests)

    def match(request):
        return is_write(request) and any(r.status == 404 for r in server.requests[seen:])

    return match


@pytest.mark.parametrize("when", ["before", "after"])
async def test_the_fate_of_control(when):
    """Release leaves nothing; who accepted or came next, nobody can tell."""
    async with app() as (hub, api, server):
        s, where = hub["sunshine"], a_group(api)
        await s.release_control(where)
        told = await fate(server, s.pass_control(where, "next"), when)
        assert told.happened is None
        await s.pass_control(where, _board(api, 0))
        await s.offer_control(where, _board(api, 1))
        told = await fate(server, s.accept_control(where), when)
        assert told.happened is (False if when == "before" else None)
        told = await fate(server, s.release_control(where), when)
        assert told.happened is (when == "after")
        await s.pass_control(where, _board(api, 1))
        told = await fate(server, s.offer_control(where, _board(api, 1)), when)
        assert told.happened is None


async def test_the_fate_of_a_first_message():
    """A part of it is neither yes nor no; the conversation is told."""

    def is_message(request):
        return request.path.endswith("/messages") and request.method == "POST"

    def is_begun(request):
        return request.path.endswith("/conversations") and request.method == "POST"

    async with app() as (hub, api, server):

        def begin(text="hi"):
            return hub.create("sunshine", title="T", participants=["crm/778"], text=text)

        told = await fate(server, begin(), "after", is_message)
        assert told.happened is True
        assert told.value == await hub.conversation(told.value.ref)
        await hub.delete(told.value.ref)
        for when, match in [("before", is_message), ("after", is_begun)]:
            told = await fate(server, begin(), when, match)
            assert told.happened is None
            assert api.messages_of(told.value.ref.id) == []
            await hub.delete(told.value.ref)
        told = await fate(server, begin(), "before", is_begun)
        assert (told.happened, told.value) == (False, None)
        with pytest.raises(AmbiguousWriteError, match="part of it") as caught:
            await begin("x" * 5000)
        told = await caught.value.reconcile
        assert (told.happened, told.value.title) == (None, "T")


@pytest.mark.parametrize("when", ["before", "after"])
async def test_messages_that_came_later_say_nothing(when):
    async with app() as (hub, api, server):
        where = a_group(api)
        cut(server, when)
        with pytest.raises(AmbiguousWriteError) as caught:
            await hub["sunshine"].delete_messages(where)
        cut(server, None)
        await hub.send(where, "later")
        told = (await caught.value.reconcile).happened
        assert told is (False if when == "before" else None)
        group = await hub.create("sunshine", kind=ConversationKind.GROUP)
        await hub.send(group.ref, "just now")
        told = await fate(server, hub["sunshine"].delete_messages(group.ref), when)
        assert told.happened is (None if when == "before" else True)


@pytest.mark.parametrize("case", ADDING.values(), ids=ADDING)
async def test_a_later_twin_of_this_hub_is_not_taken_for_it(case):
    async with app(second_webhook="added") as (hub, api, server):
        add, _ = case(hub["sunshine"], api)
        cut(server, "before")
        with pytest.raises(AmbiguousWriteError) as caught:
            await add()
        cut(server, None)
        await add()
        assert (await caught.value.reconcile).happened is False


async def test_a_later_user_of_this_hub_is_not_taken_for_it():
    async with app() as (hub, _, server):
        cut(server, "before")
        with pytest.raises(AmbiguousWriteError) as caught:
            await hub["sunshine"].create_user(external_id="new/1")
        cut(server, None)
        user = await hub["sunshine"].create_user(external_id="new/1")
        assert (await caught.value.reconcile).happened is False
        assert user.ref == Ref("sunshine", user.id)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_user_who_is_still_there_may_be_on_the_way_out(when):
    async with app() as (hub, api, server):
        told = await fate(server, hub["sunshine"].delete_user("crm/778"), when)
        assert told.happened is (None if when == "before" else True)
        assert (_user(api) is None) is (when == "after")


async def test_a_user_who_was_there_is_not_the_one_created():
    async with app() as (hub, api, server):
        existing = api.store.user_by_external_id("crm/778")
        call = hub["sunshine"].create_user(external_id="crm/778")
        assert existing["signedUpAt"] < "2026-11"
        assert (await fate(server, call, "before")).happened is False


async def test_an_upload_that_was_cut_has_done_nothing():
    async with app() as (hub, api, server):
        where = a_group(api)
        cut(server, "after", lambda request: request.path.endswith("/attachments"))
        with pytest.raises(Exception, match="attachments") as caught:
            await hub.send(where, "Look", attachments=[b"x"])
        assert not isinstance(caught.value, AmbiguousWriteError)
        cut(server, None)
        assert "Look" not in texts(api, where)


# All of it.


async def test_every_operation_is_called():
    called = set()

    class Noting(ConversationsHub):
        def __getitem__(self, key):
            return Spy(super().__getitem__(key))

    class Spy:
        def __init__(self, provider):
            self.provider = provider

        def __getattr__(self, name):
            called.add(name)
            return getattr(self.provider, name)

    server = Server(seeded("sunshine", seed=5, scale=0.02))
    await server.start()
    try:
        provider = Sunshine(base_url=server.base_url, **server.api.arguments)
        async with Noting(provider) as hub:
            await everything(hub, "sunshine", server.api)
    finally:
        await server.stop()
    mine = {n for n in dir(Sunshine) if getattr(getattr(Sunshine, n), "is_operation", False)}
    assert mine - called == set()
    refused = [r for r in server.requests if r.status >= 400]
    # A participant's ref is tried as a user's first.
    assert [(r.target.rpartition("/")[2], r.status) for r in refused] == [("leave", 404)]
    assert evolve(provider).capabilities >= {"send", "create", "mark_read"}
