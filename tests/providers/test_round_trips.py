"""The law of writing: whatever is sent reads back equal, through every way to read it."""

import asyncio
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversations_hub import ConfigurationError, ConversationKind, Ref, UnsupportedError, Upload
from conversations_hub.emulator import Emulator
from conversations_hub.providers import PROVIDERS, load

# Any text but halves of characters, which are none; 300 of them fit everywhere, even escaped.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300)
VALUES = st.one_of(st.text(max_size=20), st.integers(-(2**31), 2**31), st.booleans())
METADATA = st.dictionaries(st.text(min_size=1, max_size=20), VALUES, min_size=1, max_size=4)
NAMES = st.from_regex(r"[\w\- ()é日]{1,30}\.(png|pdf|txt|jpg)", fullmatch=True)
FILES = st.builds(
    lambda content, name: Upload(content, name=name.strip()),
    st.binary(min_size=1, max_size=3000),
    NAMES,
)

BEGIN = {
    "twilio": lambda api: {"title": "Begun"},
    "sunshine": lambda api: {
        "kind": ConversationKind.GROUP,
        "participants": api.settings["user_ids"][:1],
    },
    "clio": lambda api: {
        "title": "Begun",
        "participants": [f"contact/{api.settings['receiver_id']}"],
        "text": "begun",
    },
    "circuit": lambda api: {
        "kind": ConversationKind.GROUP,
        "participants": api.settings["user_ids"][1:2],
    },
}


@contextmanager
def begun(name):
    """Begin a conversation on an emulator; `do` waits for what the hub is asked."""
    with asyncio.Runner() as runner:
        emulator = Emulator(seed=3, scale=0, only=[name])
        runner.run(emulator.__aenter__())
        hub = emulator.hub()

        async def begin():
            return await hub.create(name, **BEGIN[name](emulator[name]))

        try:
            yield hub, runner.run(begin()).ref, runner.run
        finally:
            runner.run(hub.aclose())
            runner.run(emulator.__aexit__(None, None, None))


async def read_back(hub, sent):
    """Read a message in every way that its provider has."""
    listed = await hub.messages(sent.conversation).collect(limit=None)
    yield next(m for m in listed if m.ref == sent.ref)
    for order in ("oldest", "newest"):
        async for message in hub.messages(sent.conversation, order=order):
            if message.ref == sent.ref:
                yield message
    if "message" in hub[sent.ref.provider].capabilities:
        yield await hub.message(sent.conversation, sent.ref.id)


async def law(hub, ref, **what):
    sent = await hub.send(ref, **what)
    assert sent.conversation == ref
    count = 0
    async for found in read_back(hub, sent):
        assert found == sent
        count += 1
    assert count >= 3
    return sent


@pytest.mark.parametrize("name", PROVIDERS)
def test_texts(name):
    with begun(name) as (hub, ref, run):

        @settings(max_examples=25)
        @given(TEXTS)
        def any_text(text):
            assert run(law(hub, ref, text=text)).text == text

        any_text()


HARD = [" ", "\n", " a ", "a\n\nb\n", "\t", "a\r\nb", "a\rb", "&amp;", "<b>", "a  b", "\x00",
        "\x0b", "\u2028", "\ufeff", "&#128526;", "||::$$privateData={}::||", "e\u0301", "\u202e",
        "👩‍👩‍👧", "\U0010ffff", "*", "%", "?", "+", "null", "{}", "'\""]  # fmt: skip


@pytest.mark.parametrize("name", PROVIDERS)
def test_texts_that_are_easily_lost(name):
    with begun(name) as (hub, ref, run):
        for text in HARD:
            assert run(law(hub, ref, text=text)).text == text


@pytest.mark.parametrize("name", PROVIDERS)
def test_metadata(name):
    with begun(name) as (hub, ref, run):

        async def send(metadata):
            return await law(hub, ref, text="x", metadata=metadata)

        @settings(max_examples=20)
        @given(METADATA)
        def any_metadata(metadata):
            assert run(send(metadata)).metadata == metadata

        if name in {"twilio", "sunshine"}:
            any_metadata()
        else:
            with pytest.raises(UnsupportedError, match="metadata"):
                run(send({"a": 1}))


@pytest.mark.parametrize("name", PROVIDERS)
def test_files(name):
    with begun(name) as (hub, ref, run):

        async def send(file, text):
            sent = await law(hub, ref, text=text, attachments=[file])
            (attachment,) = sent.attachments
            assert attachment.media_type == file.media_type
            found = hub.download(attachment, provider=name, limit=len(file.content))
            assert await found.read() == file.content
            return sent

        @settings(max_examples=12)
        @given(FILES, st.none() | TEXTS)
        def any_file(file, text):
            assert run(send(file, text)).text == text

        if name == "clio":
            with pytest.raises(UnsupportedError):
                run(send(Upload(b"x", name="x.txt"), "x"))
        else:
            any_file()


@pytest.mark.parametrize("name", PROVIDERS)
def test_what_cannot_be_sent(name):
    with begun(name) as (hub, ref, run):
        for what in ({}, {"text": ""}, {"text": "half \ud83d"}):
            with pytest.raises(ConfigurationError, match="text"):
                run(law(hub, ref, **what))


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_key_is_sent_once(name):
    """A caller's own second try, after a crash, say, finds the first."""

    async def twice(hub, ref):
        one = await hub.send(ref, "hello", idempotency_key="order-7")
        two = await hub.send(ref, "hello", idempotency_key="order-7")
        other = await hub.send(ref, "hello", idempotency_key="order-8")
        assert one == two
        assert other.ref != one.ref
        found = await hub.messages(ref).collect(limit=None)
        assert sum(m.text == "hello" for m in found) == 2

    with begun(name) as (hub, ref, run):
        if name in {"twilio", "sunshine"}:
            run(twice(hub, ref))
        else:
            with pytest.raises(UnsupportedError, match="idempotency_key"):
                run(twice(hub, ref))


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_reply_knows_what_it_answers(name):
    async def answer(hub, ref):
        question = await hub.send(ref, "Is it open?")
        return question, await law(hub, ref, text="Yes.", reply_to=question.ref)

    with begun(name) as (hub, ref, run):
        if name == "circuit":
            question, reply = run(answer(hub, ref))
            assert reply.reply_to == question.ref
        else:
            with pytest.raises(UnsupportedError, match="reply"):
                run(answer(hub, ref))


@pytest.mark.parametrize("name", PROVIDERS)
def test_refs_of_another_provider_are_refused(name):
    cls = load(name)
    with begun(name) as (hub, ref, _):
        provider = hub[cls]
        other = Ref("somebody-else", ref.id)
        for question in ("send", "update", "archive", "close", "delete", "mark_read"):
            if question in provider.capabilities:
                what = {"text": "hi"} if question == "send" else {}
                with pytest.raises(ConfigurationError, match="belongs to"):
                    getattr(provider, question)(other, **what)
