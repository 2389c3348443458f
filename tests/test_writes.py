"""Writes are sent once, and whoever does not know what became of one can find out."""

import asyncio
import gc
import json
import pickle
from email import message_from_string

import pytest
from aiohttp import web
from attrs import evolve

from conversations_hub import (
    AmbiguousWriteError,
    ConfigurationError,
    ConversationsHub,
    InvalidRequestError,
    Message,
    NotFoundError,
    Outcome,
    RateLimitError,
    Ref,
    ServerError,
    TransportError,
    UnsupportedError,
    Upload,
)
from conversations_hub import transport as transport_module
from conversations_hub.recipes import Question
from conversations_hub.writing import after, compared
from interrupting import outcome
from support import Scribe

WHERE = Ref("acme", "1")
ASKED = Question(provider="acme", name="several")


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(transport_module, "pauses", lambda: iter([0.01] * 50))


class Desk:
    """Keeps things, their notes and files, and may fail before or after it did what it was told."""

    def __init__(self):
        self.names = {"1": "first"}
        self.notes = []
        self.files = []
        self.requests = []
        self.before = []
        self.after = []
        self.watched = None

    async def __call__(self, request):
        body = await request.read()
        self.requests.append((request.method, request.path, body))
        if self.watched is not None:
            await self.watched(request)
        if request.method != "GET" and self.before:
            fault = self.before.pop(0)
            if fault is not None:
                return await fault(request)
        answer = self.done(request, body)
        if request.method != "GET" and self.after:
            return await self.after.pop(0)(request)
        return answer

    def done(self, request, body):
        _, *path = request.path.split("/")
        if path == ["files"]:
            self.files.append(body)
            return web.json_response({"id": f"f{len(self.files)}"})
        if path[-1] == "notes":
            if request.method == "POST":
                note = {"id": f"n{len(self.notes)}", **json.loads(body)}
                self.notes.insert(0, note)
                return web.json_response(note)
            return web.json_response({"notes": self.notes, "meta": {"more": False}})
        if path[1] not in self.names:
            return web.json_response({}, status=404)
        if request.method == "DELETE":
            del self.names[path[1]]
            return web.Response(status=204)
        if request.method == "PUT":
            self.names[path[1]] = body.decode().partition("=")[2]
        return web.json_response({"id": path[1], "name": self.names[path[1]]})

    @property
    def writes(self):
        return [r for r in self.requests if r[0] != "GET"]


async def reset(request):
    request.transport.abort()
    return web.Response()


async def hang(_):
    await asyncio.sleep(3)
    return web.Response()


async def garbage(_):
    return web.Response(text='{"id":', content_type="application/json")


async def cut(request):
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b'{"id":')
    request.transport.close()
    return response


def status(code, headers=None):
    async def answer(_):
        return web.json_response({}, status=code, headers=headers)

    return answer


@pytest.fixture
async def desk(serve):
    desk = Desk()
    desk.url = await serve(desk)
    return desk


@pytest.fixture
async def hub(desk):
    provider = Scribe(token="canary-token", base_url=desk.url)
    async with ConversationsHub(provider, timeout=0.5) as opened:
        yield opened


UNSURE = [reset, hang, garbage, cut, *map(status, [302, 303, 408, 500, 502, 503, 504])]
WRITES = {
    "send": (lambda hub: hub.send(WHERE, "hi"), lambda desk: len(desk.notes)),
    "update": (lambda hub: hub.update(WHERE, title="x"), lambda desk: desk.names["1"] == "x"),
    "delete": (lambda hub: hub.delete(WHERE), lambda desk: "1" not in desk.names),
}


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("fault", UNSURE)
async def test_what_was_done_and_not_answered_is_found(desk, hub, name, fault):
    """The line breaks when all is done: nothing is sent twice, and reading back tells."""
    write, done = WRITES[name]
    desk.after = [fault]
    with pytest.raises(AmbiguousWriteError, match="reconcile") as caught:
        await write(hub)
    assert len(desk.writes) == 1
    outcome = await caught.value.reconcile
    assert outcome == Outcome(happened=True, value=outcome.value)
    assert outcome
    assert done(desk) == 1
    assert len(desk.writes) == 1


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("fault", UNSURE)
async def test_what_was_not_done_is_found_missing(desk, hub, name, fault):
    write, done = WRITES[name]
    desk.before = [fault]
    with pytest.raises(AmbiguousWriteError) as caught:
        await write(hub)
    outcome = await hub.run(caught.value.reconcile)
    assert (outcome.happened, bool(outcome)) == (False, False)
    assert not done(desk)
    await write(hub)
    assert done(desk) == 1


@pytest.mark.parametrize("name", WRITES)
async def test_a_kept_connection_that_breaks_is_no_reason_to_write_twice(desk, hub, name):
    """aiohttp by itself sends a PUT or DELETE again when the server hung up on it."""
    await hub.conversation(WHERE)
    desk.after = [reset]
    with pytest.raises(AmbiguousWriteError):
        await WRITES[name][0](hub)
    assert len(desk.writes) == 1


@pytest.mark.parametrize("name", WRITES)
async def test_what_was_refused_for_its_rate_is_sent_again(desk, hub, name):
    desk.before = [status(429), status(429, {"Retry-After": "0"})]
    await WRITES[name][0](hub)
    assert len(desk.writes) == 3


async def test_a_rate_limit_that_lasts_is_no_riddle(desk, hub):
    desk.before = [status(429)] * 9
    with pytest.raises(RateLimitError):
        await hub.send(WHERE, "hi")
    assert not desk.notes


@pytest.mark.parametrize("name", WRITES)
async def test_a_connection_that_was_not_made_is_tried_again_and_no_riddle(unused_tcp_port, name):
    provider = Scribe(token="canary-token", base_url=f"http://127.0.0.1:{unused_tcp_port}")
    async with ConversationsHub(provider, retries=2) as hub:
        with pytest.raises(TransportError) as caught:
            await WRITES[name][0](hub)
    assert not caught.value.sent


async def test_a_deadline_in_the_queue_is_no_riddle_and_on_the_line_it_is(desk):
    provider = Scribe(token="canary-token", base_url=desk.url)
    async with ConversationsHub(provider, deadline=0.3, connections=1) as hub:
        desk.before = [hang]
        with pytest.raises(AmbiguousWriteError):
            await hub.send(WHERE, "a")
        async with hub._transport._accounts["acme"].gate:
            with pytest.raises(TransportError) as caught:
                await hub.send(WHERE, "b")
    assert not caught.value.sent
    assert len(desk.writes) == 1


@pytest.mark.parametrize("code", [301, 400, 403, 404, 409, 412, 422, 423])
async def test_a_no_is_a_no(desk, hub, code):
    desk.before = [status(code)]
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is not the point
        await hub.send(WHERE, "hi")
    assert not isinstance(caught.value, AmbiguousWriteError)
    assert caught.value.status == code
    assert len(desk.writes) == 1


async def test_an_older_twin_of_this_hub_is_not_taken_for_the_message(desk, hub):
    """The same words were sent a moment ago, and the provider's times are too coarse to tell."""
    await hub.send(WHERE, "ok")
    desk.before = [reset]
    with pytest.raises(AmbiguousWriteError) as caught:
        await hub.send(WHERE, "ok")
    assert not await caught.value.reconcile
    desk.after = [reset]
    with pytest.raises(AmbiguousWriteError) as caught:
        await hub.send(WHERE, "ok")
    assert (await caught.value.reconcile).value.ref.id == "n1"
    # Nor is one that was found by reading back.
    desk.before = [reset]
    with pytest.raises(AmbiguousWriteError) as caught:
        await hub.send(WHERE, "ok")
    assert not await caught.value.reconcile


async def test_a_write_that_is_carried_out_late_is_waited_for(desk, hub):
    """Who had no answer in time looks again for as long, before it says no."""

    async def late(request):
        await asyncio.sleep(0.8)
        return desk.done(request, await request.read())

    desk.before = [late]
    with pytest.raises(AmbiguousWriteError) as caught:
        await hub.send(WHERE, "hi")
    assert not desk.notes
    assert (await caught.value.reconcile).value.ref.id == "n0"


async def test_twins_at_the_same_time_are_told_apart(desk, hub):
    """Of many equal messages, some are answered: the others find each their own, or none."""
    desk.after = [reset, reset, status(200), reset]
    desk.before = [None, None, None, None, None, reset, reset]

    async def told():
        try:
            return (await hub.send(WHERE, "ok")).ref
        except AmbiguousWriteError as error:
            first, again = [await error.reconcile for _ in range(2)]
            assert first == again
            return first.value and first.value.ref

    found = [ref for ref in await asyncio.gather(*(told() for _ in range(9))) if ref]
    assert len(desk.notes) == 7
    assert sorted(ref.id for ref in found) == sorted(note["id"] for note in desk.notes)


async def test_a_twin_whose_answer_is_on_its_way_is_not_the_message(desk, hub):
    """It is there and nobody was told yet: whoever looks now waits until somebody is."""

    async def slow(request):
        answer = desk.done(request, await request.read())
        await asyncio.sleep(0.2)
        return answer

    desk.before = [slow, reset]

    async def told(pause):
        await asyncio.sleep(pause)
        try:
            return (await hub.send(WHERE, "ok")).ref.id
        except AmbiguousWriteError as error:
            return (await error.reconcile).happened

    assert await asyncio.gather(told(0), told(0.05)) == ["n0", False]


async def test_an_upload_that_failed_has_sent_nothing(desk, hub):
    desk.after = [status(503)]
    with pytest.raises(ServerError):
        await hub.send(WHERE, "hi", attachments=[b"abc"])
    assert (len(desk.files), desk.notes) == (1, [])
    sent = await hub.send(WHERE, "hi", attachments=[Upload(b"abc", name="a.txt")])
    assert sent.ref.id == "n0"
    assert b'name="source"; filename="a.txt"' in desk.files[1]
    assert b"Content-Type: text/plain" in desk.files[1]


async def test_a_failure_after_a_write_says_that_it_was_done(desk, hub):
    """A name and then a note, in one call: the second is refused, and the first is told of."""
    provider = hub[Scribe]

    def then(_):
        return provider.send(WHERE, "hi")

    first = provider.update(WHERE, title="x")
    both = provider.update(WHERE, title="x")
    both = type(both)(
        request=first.request,
        read=then,
        reconcile=first.reconcile,
        question=first.question,
        runner=hub,
    )
    desk.before = [None, status(400)]
    with pytest.raises(AmbiguousWriteError, match="a part of it was done") as caught:
        await both
    assert isinstance(caught.value.__cause__, InvalidRequestError)
    assert caught.value.status == 400
    outcome = await caught.value.reconcile
    assert (outcome.happened, outcome.value.title) == (None, "x")


async def test_what_was_written_on_the_way_is_not_the_message(desk, hub):
    """A call of several writes tells of its last; the others are this hub's own, too."""
    provider = hub[Scribe]

    def renamed(_):
        return provider.update(WHERE, title="x")

    await hub.run(evolve(after(provider.send(WHERE, "hi"), renamed), question=ASKED))
    desk.before = [reset]
    with pytest.raises(AmbiguousWriteError) as caught:
        await hub.send(WHERE, "hi")
    assert not await caught.value.reconcile


async def test_what_a_cancelled_call_wrote_is_not_another_ones(desk, hub):
    provider = hub[Scribe]
    both = after(provider.send(WHERE, "hi"), lambda _: provider.update(WHERE, title="x"))
    desk.before = [None, hang, reset]
    first = asyncio.create_task(hub.run(evolve(both, question=ASKED)))
    await asyncio.sleep(0.2)
    first.cancel()
    with pytest.raises(AmbiguousWriteError) as caught:
        await hub.send(WHERE, "hi")
    assert not await caught.value.reconcile


async def test_what_was_changed_meanwhile_was_not_written_otherwise(desk, hub):
    """Somebody finds a note whose sender was never told, and changes it, or adds to it."""
    provider = hub[Scribe]
    desk.after = [reset]
    with pytest.raises(AmbiguousWriteError) as caught:
        await hub.send(WHERE, "hi")
    changed = evolve(
        provider.update(Ref("acme", "n0"), title="hi"),
        read=lambda _: Message(ref=Ref("acme", "n0"), conversation=WHERE),
    )
    desk.names["n0"] = "hi"
    await hub.run(changed)
    assert (await caught.value.reconcile).value.ref.id == "n0"


async def test_what_was_found_changed_was_not_written_otherwise(desk, hub):
    """Nobody was told of the change, either."""
    provider = hub[Scribe]
    desk.after = [reset, reset]
    with pytest.raises(AmbiguousWriteError) as sent:
        await hub.send(WHERE, "hi")
    note = Message(ref=Ref("acme", "n0"), conversation=WHERE)
    read = evolve(provider.conversation(note.ref), read=lambda _: note)
    desk.names["n0"] = "hi"
    with pytest.raises(AmbiguousWriteError) as changed:
        await hub.run(
            evolve(provider.update(note.ref, title="hi"), reconcile=compared(read, lambda _: True))
        )
    assert (await changed.value.reconcile).value is note
    assert (await sent.value.reconcile).value.ref == note.ref


@pytest.mark.parametrize(
    "date", ["Mon, 99999999999999 Jan 2024 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"]
)
async def test_no_date_makes_an_answer_unreadable(desk, hub, date):
    async def dated(request):
        await request.read()
        return web.json_response({"id": "n0", "name": "hi"}, headers={"Date": date})

    desk.after = [dated, reset]
    assert (await hub.send(WHERE, "hi")).ref.id == "n0"
    with pytest.raises(AmbiguousWriteError) as caught:
        await hub.send(WHERE, "again")
    assert (await caught.value.reconcile).happened is not None


@pytest.mark.parametrize("error", [ConfigurationError, NotFoundError])
async def test_an_answer_that_leads_nowhere_is_no_refusal(desk, hub, error):
    """The provider said yes, and what was made has an id that nobody can ask for."""

    def read(_):
        raise error("'..' cannot be an id")

    with pytest.raises(AmbiguousWriteError, match="cannot be an id") as caught:
        await hub.run(evolve(hub[Scribe].send(WHERE, "hi"), read=read))
    assert (await caught.value.reconcile).value.text == "hi"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(lambda path: b"abc" * 40_000, id="bytes"),
        pytest.param(lambda path: path, id="path"),
        pytest.param(lambda path: stream([b"abc" * 100] * 400), id="stream"),
        pytest.param(lambda path: Upload(stream([b"abc" * 40_000]), size=120_000), id="sized"),
    ],
)
async def test_files_come_whole(desk, hub, tmp_path, content):
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc" * 40_000)
    await hub.send(WHERE, "hi", attachments=[content(path)])
    assert b"abc" * 40_000 in desk.files[0]


async def stream(chunks):
    for chunk in chunks:
        yield chunk


@pytest.mark.parametrize("name", ["a b.txt", "né.txt", "100%.txt", 'say "hi".txt'])
async def test_a_files_name_arrives_as_it_is(desk, hub, name):
    await hub.send(WHERE, "hi", attachments=[Upload(b"abc", name=name)])
    head = desk.files[0].partition(b"\r\n\r\n")[0].decode()
    assert message_from_string(head.partition("\r\n")[2]).get_filename() == name


async def test_a_stream_is_read_once(desk, hub):
    """What is gone cannot be sent again, though it may: it is an error and not half a file."""
    desk.before = [status(429)]
    with pytest.raises(RateLimitError):
        await hub.send(WHERE, "hi", attachments=[stream([b"abc"])])
    assert len(desk.writes) == 1


async def test_a_file_that_is_not_there(hub, tmp_path):
    with pytest.raises(ConfigurationError, match=r"gone\.txt cannot be read: No such file"):
        await hub.send(WHERE, "hi", attachments=[tmp_path / "gone.txt"])


@pytest.mark.parametrize("thing", ["a.txt", 7, None])
async def test_what_is_no_file_is_refused(hub, thing):
    with pytest.raises(ConfigurationError, match="is not a file; give a Path"):
        hub.send(WHERE, "hi", attachments=[thing])


async def test_the_error_pickles_without_its_hub(desk, hub):
    desk.after = [status(503)]
    with pytest.raises(AmbiguousWriteError) as caught:
        await hub.send(WHERE, "hi")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.status, copy.operation) == (str(caught.value), 503, "send")
    assert copy.reconcile is None
    assert caught.value.reconcile is not None


async def test_what_cannot_be_said_is_refused_with_the_nearest_thing(desk, hub):
    with pytest.raises(UnsupportedError, match=r"acme\.close: .* cannot do this; delete it"):
        hub.close(WHERE)
    with pytest.raises(UnsupportedError, match=r"acme\.archive"):
        hub.archive(WHERE)
    assert desk.requests == []
    assert {"send", "update", "delete"} < hub[Scribe].capabilities
    assert "close" not in hub[Scribe].capabilities


async def test_nothing_found_where_it_should_be_is_an_error(desk, hub):
    with pytest.raises(NotFoundError):
        await hub.delete("acme:2")


async def test_a_stream_that_was_read_is_not_sent_empty(desk, hub):
    """Who tries the same call again would send a file of nothing."""
    desk.before = [status(429)]
    call = hub.send(WHERE, "hi", attachments=[stream([b"abc"])])
    with pytest.raises(RateLimitError):
        await call
    with pytest.raises(ConfigurationError, match="was read already"):
        await call
    assert len(desk.writes) == 1


async def test_what_begins_a_stream_anew_is_sent_again(desk, hub):
    class Afresh:
        def __aiter__(self):
            return stream([b"abc"])

    call = hub.send(WHERE, "hi", attachments=[Afresh()])
    await call
    await call
    assert [b"abc" in file for file in desk.files] == [True, True]


@pytest.mark.parametrize("name", ["a\r\nX-Evil: 1", "a\nb", "a\0b"])
async def test_a_name_that_would_be_a_header_is_refused(desk, hub, name):
    with pytest.raises(ConfigurationError, match="cannot be sent as a name"):
        await hub.send(WHERE, "hi", attachments=[Upload(b"abc", name=name)])
    assert desk.requests == []


async def test_a_twin_that_is_answered_while_somebody_looks_is_not_theirs(desk, hub):
    """It is found by the first of two questions, and its own sender is told before the second."""
    provider = hub[Scribe]

    def thorough(call):
        """Read back in two steps."""
        look = call.reconcile
        there = provider.conversation(WHERE)
        return evolve(
            call,
            reconcile=lambda attempt: after(
                look(attempt), lambda found: after(there, lambda _: found)
            ),
        )

    looked = asyncio.Event()

    async def slow(request):
        answer = desk.done(request, await request.read())
        await looked.wait()
        return answer

    async def watched(request):
        if request.method == "GET" and not request.path.endswith("notes"):
            looked.set()
            await asyncio.sleep(0.1)

    desk.before, desk.watched = [slow, reset], watched
    first = asyncio.create_task(hub.run(thorough(provider.send(WHERE, "ok"))))
    await asyncio.sleep(0.05)
    with pytest.raises(AmbiguousWriteError) as caught:
        await hub.run(thorough(provider.send(WHERE, "ok")))
    outcome = await caught.value.reconcile
    assert (await first).ref.id == "n0"
    assert not outcome


async def test_a_write_that_is_cancelled_leaves_nothing_open(desk, tmp_path):
    """At whichever step: no file, no place in the queue, nobody who is waited for."""
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc" * 40_000)
    provider = Scribe(token="canary-token", base_url=desk.url)
    async with ConversationsHub(provider, connections=1) as hub:
        for step in range(40):
            sending = asyncio.create_task(hub.run(hub.send(WHERE, "hi", attachments=[path])))
            for _ in range(step):
                await asyncio.sleep(0)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        await asyncio.sleep(0.1)
        gc.collect()
        async with asyncio.timeout(5):
            assert (await hub.send(WHERE, "last", attachments=[path])).text == "last"
        assert not any(hub._fetcher._memory._calls.values())


async def test_a_cancelled_write_says_whether_it_may_have_been_done(desk, hub):
    provider = hub[Scribe]
    both = after(provider.send(WHERE, "hi"), lambda _: provider.update(WHERE, title="x"))
    for call, faults, told in (
        (provider.send(WHERE, "hi"), [hang], ["it may have been done"]),
        (both, [None, hang], ["it may have been done"]),
        (after(provider.send(WHERE, "hi"), lambda _: provider.conversation(WHERE)), [], ["a part"]),
        (provider.send(WHERE, "hi", attachments=[b"x"]), [hang], []),
        (provider.conversation(WHERE), [], []),
    ):
        desk.before, desk.requests = faults, []
        desk.watched = hung if not faults else None
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.1):
                await hub.run(evolve(call, question=ASKED))
        assert desk.requests
        notes = getattr(caught.value.__cause__, "__notes__", [])
        assert [note.startswith(words) for note, words in zip(notes, told, strict=True)] == [
            True for _ in told
        ]


async def hung(request):
    if request.method == "GET":
        await asyncio.sleep(3)


async def test_one_that_waits_for_a_connection_wrote_nothing(desk):
    provider = Scribe(token="t", base_url=desk.url)
    async with ConversationsHub(provider, connections=1, timeout=0.5) as hub:
        desk.before = [hang]
        first = asyncio.create_task(hub.run(hub.send(WHERE, "one")))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(hub.run(hub.send(WHERE, "two")))
        await asyncio.sleep(0.05)
        first.cancel()
        second.cancel()
        one, two = await outcome(first), await outcome(second)
    assert "it may have been done" in one.__notes__[0]
    assert isinstance(two, asyncio.CancelledError)
    assert not hasattr(two, "__notes__")
