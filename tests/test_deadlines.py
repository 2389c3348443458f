"""Every time that a hub is given bounds what it says, against real sockets, and leaves nothing."""

import asyncio
import socket
import time
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest

from conversations_hub import (
    AmbiguousWriteError,
    Attachment,
    ConfigurationError,
    ConversationsHub,
    Rate,
    RateLimitError,
    Ref,
    TransportError,
    Upload,
)
from conversations_hub import transport as transport_module
from interrupting import rested
from support import Scribe

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
ANSWER = b'{"id": "1", "name": "n"}'
LATE = 1.5
"""A busy machine is so much later."""


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(transport_module, "pauses", lambda: iter([0.01] * 500))


@asynccontextmanager
async def listening(talk):
    """Serve raw bytes: `talk(writer)` for each request whose head has come."""
    tasks = set()

    async def serve(reader, writer):
        tasks.add(asyncio.current_task())
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await talk(writer)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def hub_at(url, *, rate=None, **options):
    return ConversationsHub(Scribe(token="t", base_url=url, rate=rate), **options)


async def answers(writer):
    writer.write(HEAD + b"%d\r\n\r\n" % len(ANSWER) + ANSWER)


async def hangs(_):
    await asyncio.sleep(30)


async def drips_its_head(writer):
    for byte in HEAD * 10:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.03)


async def drips_its_body(writer):
    writer.write(HEAD + b"100000\r\n\r\n")
    for _ in range(1000):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.03)


@asynccontextmanager
async def deaf(_):
    """Listen and accept nobody, until no more connections can wait for that."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        for one in waiting:
            one.close()


SLOW = {
    "deaf": (deaf, None),
    "hangs": (listening, hangs),
    "drips its head": (listening, drips_its_head),
    "drips its body": (listening, drips_its_body),
}
TIMES = {
    "attempt": ({"timeout": 0.2, "retries": 1, "deadline": 30.0}, 0.2 * 2),
    "total": ({"timeout": 0.2, "retries": 400, "deadline": 0.5}, 0.5),
    "total of one": ({"timeout": 20.0, "retries": 0, "deadline": 0.3}, 0.3),
}


ALWAYS = {("hangs", "attempt"), ("drips its body", "total"), ("deaf", "total of one")}
CASES = [
    pytest.param(server, times, marks=() if (server, times) in ALWAYS else pytest.mark.reliability)
    for server in SLOW
    for times in TIMES
]


@pytest.mark.parametrize(("server", "times"), CASES)
async def test_each_time_bounds_a_read(server, times):
    place, talk = SLOW[server]
    options, bound = TIMES[times]
    async with place(talk) as url, hub_at(url, **options) as hub:
        begun = time.monotonic()
        with pytest.raises(TransportError):
            await hub.conversation("acme:1")
        # Connecting has half of the time.
        least = bound / 2 if server == "deaf" else bound
        assert least * 0.9 <= time.monotonic() - begun < bound + LATE
        assert await rested_of(hub) == {}


async def rested_of(hub):
    """Return what a hub still holds, whatever the servers do."""
    left = await rested(hub, frozenset(t for t in asyncio.all_tasks() if "serve" in repr(t)))
    return {name: what for name, what in left.items() if what}


@pytest.mark.parametrize("server", ["drips its body"])
async def test_a_write_that_runs_out_of_time_is_told_as_such(server):
    place, talk = SLOW[server]
    async with place(talk) as url, hub_at(url, timeout=20.0, deadline=0.8) as hub:
        with pytest.raises(AmbiguousWriteError):
            await hub.send(Ref("acme", "1"), "hello")
        assert await rested_of(hub) == {}


async def test_a_write_that_nobody_accepts_was_not_made():
    async with deaf(None) as url, hub_at(url, timeout=0.2, retries=2) as hub:
        with pytest.raises(TransportError) as caught:
            await hub.send(Ref("acme", "1"), "hello")
        assert not isinstance(caught.value, AmbiguousWriteError)
        assert await rested_of(hub) == {}


async def test_a_download_is_told_what_it_waited_for_when_its_time_was_up():
    async with (
        listening(hangs) as url,
        hub_at("http://acme.test", connections=1, timeout=20.0, deadline=0.3) as hub,
    ):
        file = Attachment(url=f"{url}/file")
        with pytest.raises(TransportError, match=r"no answer from .*/file within 0.3 s") as caught:
            await hub.download(file).read()
        assert (caught.value.sent, caught.value.timed_out) == (True, True)
        async with hub._transport._elsewhere:
            with pytest.raises(TransportError, match=r"no connection for .*/file within") as caught:
                await hub.download(file).read()
        assert (caught.value.sent, caught.value.timed_out) == (False, False)


async def test_a_write_to_a_name_that_nobody_resolves_in_time_was_not_made(monkeypatch):
    async def resolve(*_, **__):
        await asyncio.sleep(30)

    monkeypatch.setattr(aiohttp.ThreadedResolver, "resolve", resolve)
    async with hub_at("http://acme.test", timeout=0.2, retries=0) as hub:
        with pytest.raises(TransportError) as caught:
            await hub.send(Ref("acme", "1"), "hello")
        assert (caught.value.sent, caught.value.timed_out) == (False, False)


async def test_queueing_for_a_connection_is_of_the_deadline():
    async with (
        listening(hangs) as url,
        hub_at(url, connections=1, timeout=20.0, deadline=0.4) as hub,
    ):
        begun = time.monotonic()
        results = await asyncio.gather(
            *(hub.run(hub.conversation("acme:1")) for _ in range(20)), return_exceptions=True
        )
        assert {type(result) for result in results} == {TransportError}
        assert time.monotonic() - begun < 0.4 + LATE
        assert await rested_of(hub) == {}


async def test_queueing_for_a_rate_is_of_it_too():
    rate = Rate(2, per=0.35)
    async with listening(answers) as url, hub_at(url, rate=rate, deadline=0.9, timeout=0.6) as hub:
        begun = time.monotonic()
        results = await asyncio.gather(
            *(hub.run(hub.conversation("acme:1")) for _ in range(40)), return_exceptions=True
        )
        assert time.monotonic() - begun < 0.9 + LATE
        told = [result for result in results if isinstance(result, RateLimitError)]
        assert 2 <= len(results) - len(told) <= 8
        assert await rested_of(hub) == {}


async def test_a_rate_does_not_make_an_answer_wait_for_ever():
    async with (
        listening(hangs) as url,
        hub_at(url, rate=Rate(1, per=0.05), timeout=0.1, deadline=0.3, retries=400) as hub,
    ):
        begun = time.monotonic()
        with pytest.raises(TransportError):
            await hub.conversation("acme:1")
        assert time.monotonic() - begun < 1.0 + LATE
        assert await rested_of(hub) == {}


@pytest.mark.reliability
async def test_a_thousand_over_ten_connections_do_not_run_out_of_time():
    async with listening(answers) as url, hub_at(url, connections=10, timeout=1.0) as hub:
        got = await asyncio.gather(*(hub.run(hub.conversation("acme:1")) for _ in range(1000)))
        assert len(got) == 1000
        assert await rested_of(hub) == {}


async def test_a_file_may_take_its_time_while_bytes_come():
    async def slowly(writer):
        writer.write(HEAD + b"20000\r\n\r\n")
        for _ in range(20):
            writer.write(b"x" * 1000)
            await writer.drain()
            await asyncio.sleep(0.06)

    async with listening(slowly) as url, hub_at(url, timeout=1.0, deadline=1.1) as hub:
        assert await hub.download(Attachment(url="/file")).read() == b"x" * 20_000
        assert await rested_of(hub) == {}


async def test_a_file_of_which_next_to_nothing_comes_is_told():
    async with listening(drips_its_body) as url, hub_at(url, timeout=1.0, deadline=0.6) as hub:
        begun = time.monotonic()
        with pytest.raises(TransportError, match="less than 1024 bytes a second"):
            await hub.download(Attachment(url="/file")).read()
        assert time.monotonic() - begun < 0.6 + LATE
        assert await rested_of(hub) == {}


async def test_who_is_slow_to_read_a_file_is_not_taken_for_a_slow_server():
    async def promptly(writer):
        writer.write(HEAD + b"3\r\n\r\n")
        for byte in b"abc":
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.005)

    async with listening(promptly) as url, hub_at(url, timeout=2.0, deadline=1.0) as hub:
        found = b""
        async for chunk in hub.download(Attachment(url="/file")):
            await asyncio.sleep(0.6)
            found += chunk
        assert found == b"abc"


async def test_a_file_that_stops_coming_is_told():
    async def stops(writer):
        writer.write(HEAD + b"20\r\n\r\nxxx")
        await writer.drain()
        await asyncio.sleep(30)

    async with listening(stops) as url, hub_at(url, timeout=0.2, deadline=5.0) as hub:
        begun = time.monotonic()
        with pytest.raises(TransportError):
            await hub.download(Attachment(url="/file")).read()
        assert time.monotonic() - begun < 0.2 + LATE
        assert await rested_of(hub) == {}


async def test_a_stream_to_send_that_stops_is_ended_by_the_deadline():
    closed = []

    async def chunks():
        try:
            yield b"x"
            await asyncio.sleep(30)
        finally:
            closed.append(True)

    file = Upload(chunks(), name="a.txt", media_type="text/plain")
    async with listening(hangs) as url, hub_at(url, timeout=0.2, deadline=0.4) as hub:
        begun = time.monotonic()
        with pytest.raises((TransportError, AmbiguousWriteError)):
            await hub.send(Ref("acme", "1"), "hello", attachments=[file])
        assert time.monotonic() - begun < 0.4 + LATE
        assert await rested_of(hub) == {}


@pytest.mark.reliability
@pytest.mark.parametrize("server", SLOW)
async def test_a_callers_own_time_bounds_it_all_the_same(server):
    place, talk = SLOW[server]
    async with place(talk) as url, hub_at(url) as hub:
        for work in (
            hub.conversation("acme:1"),
            hub.messages("acme:1").collect(limit=None),
            hub.fetch(["acme:1"] * 3).collect(),
            hub.download(Attachment(url="/file")).read(),
            hub.send("acme:1", "hello"),
        ):
            begun = time.monotonic()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await work
            assert time.monotonic() - begun < 0.1 + LATE
        await hub.aclose()
        assert await rested_of(hub) == {}


@pytest.mark.reliability
@pytest.mark.parametrize("ahead", [-0.002, -0.001, 0.0, 0.001, 0.002])
async def test_a_cancellation_that_meets_the_deadline_is_a_cancellation(ahead):
    """Whoever cancels was first, or is told of the deadline; none waits any longer."""
    async with listening(hangs) as url, hub_at(url, deadline=0.1, timeout=20.0) as hub:
        for _ in range(5):
            task = asyncio.create_task(hub.run(hub.conversation("acme:1")))
            await asyncio.sleep(0)
            asyncio.get_running_loop().call_later(0.1 + ahead, task.cancel)
            with pytest.raises((asyncio.CancelledError, TransportError)):
                await task
            assert await rested_of(hub) == {}


async def test_cancelled_and_out_of_time_in_the_same_turn_is_cancelled(monkeypatch):
    """As both are known before the task goes on."""
    clocks = []
    timeout_at = asyncio.timeout_at

    def kept(when):
        clocks.append(timeout_at(when))
        return clocks[-1]

    monkeypatch.setattr(transport_module.asyncio, "timeout_at", kept)
    for first in ("deadline", "cancel"):
        clocks.clear()
        async with listening(hangs) as url, hub_at(url, deadline=20.0, timeout=30.0) as hub:
            task = asyncio.create_task(hub.run(hub.conversation("acme:1")))
            await asyncio.sleep(0.05)
            if first == "cancel":
                task.cancel()
            clocks[0]._on_timeout()
            if first == "deadline":
                task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await rested_of(hub) == {}


# Closing while there is work.


async def kept_waiting(hub, url):
    """Begin work of each kind; return the tasks."""
    works = [
        hub.run(hub.conversation("acme:1")),
        hub.messages("acme:1").collect(limit=None),
        hub.fetch(["acme:1"] * 50, concurrency=2).collect(),
        hub.download(Attachment(url="/file")).read(),
    ]
    tasks = [asyncio.create_task(work) for work in works]
    await asyncio.sleep(0.05)
    return tasks


@pytest.mark.parametrize(("times", "connections"), [(1, 2), (2, 32)])
async def test_closing_ends_whatever_is_at_work(times, connections):
    async with listening(hangs) as url:
        hub = hub_at(url, connections=connections)
        tasks = await kept_waiting(hub, url)
        begun = time.monotonic()
        await asyncio.gather(*(hub.aclose() for _ in range(times)))
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(result) for result in results} == {ConfigurationError}, results
        assert time.monotonic() - begun < LATE
        assert await rested_of(hub) == {}


async def test_closing_tells_what_was_being_written(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * 5_000_000)
    async with listening(hangs) as url:
        hub = hub_at(url, connections=2)
        first, file, second = (
            asyncio.create_task(hub.run(hub.send("acme:1", text, attachments=files)))
            for text, files in (("one", []), ("file", [path]), ("two", []))
        )
        await asyncio.sleep(0.05)
        await hub.aclose()
        with pytest.raises(AmbiguousWriteError):
            await first
        # Nobody sees a file before its message is written.
        with pytest.raises(TransportError):
            await file
        with pytest.raises(ConfigurationError, match="closed"):
            await second


@pytest.mark.parametrize("status", [429, 503])
async def test_closing_wakes_whoever_waits_to_ask_again(status):
    async def busy(writer):
        writer.write(b"HTTP/1.1 %d No\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n" % status)

    async with listening(busy) as url:
        hub = hub_at(url)
        tasks = [asyncio.create_task(hub.run(hub.conversation("acme:1"))) for _ in range(3)]
        await asyncio.sleep(0.1)
        begun = time.monotonic()
        await hub.aclose()
        async with asyncio.timeout(5):
            results = await asyncio.gather(*tasks, return_exceptions=True)
        assert time.monotonic() - begun < LATE
        assert {type(result) for result in results} == {ConfigurationError}


async def stuck(hub):
    """Wait until a connection sends and gets no further; return all there are."""
    before = []
    while True:
        await asyncio.sleep(0.05)
        lines = list(hub._transport.network._own.connector.lines)
        left = [line.get_write_buffer_size() for line in lines]
        if any(left) and left == before:
            return lines
        before = left


@pytest.mark.parametrize("end", ["cancel", "deadline", "close"])
async def test_what_nobody_takes_is_not_sent_for_ever(end, tmp_path):
    """A socket that is closed sends first what is left, and a server may never read that."""
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * 5_000_000)
    deadline = 1.0 if end == "deadline" else 20.0
    async with listening(hangs) as url, hub_at(url, deadline=deadline) as hub:
        sending = asyncio.create_task(hub.run(hub.send("acme:1", "file", attachments=[path])))
        async with asyncio.timeout(5):
            lines = await stuck(hub)
            assert len(lines) == 1
            if end == "close":
                await hub.aclose()
            elif end == "cancel":
                sending.cancel()
            with pytest.raises((TransportError, asyncio.CancelledError)):
                await sending
        assert [line.get_write_buffer_size() for line in lines] == [0]
        assert await rested_of(hub) == {}
