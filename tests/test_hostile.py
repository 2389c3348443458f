"""Servers that mean no good, over real sockets: they get nothing, and hold nobody up."""

import asyncio
import gzip
import json
import time
import traceback
import tracemalloc
import zlib
from contextlib import asynccontextmanager, contextmanager, suppress

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from conversations_hub import (
    AmbiguousWriteError,
    Attachment,
    ConfigurationError,
    ConversationsHub,
    HubError,
    PagingError,
    Ref,
    StatusError,
    TooLargeError,
    TranslationError,
    TransportError,
    Upload,
)
from conversations_hub import transport as transport_module
from conversations_hub.retrying import seconds_to_wait
from conversations_hub.walk import EMPTY
from conversations_hub.wire import Response
from conversations_hub.writing import LOOKBACK, server_time
from support import Acme, Scribe, hub_on, page

CANARY = "canary"
ONE = b'{"id":"1","name":"n"}'


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(transport_module, "pauses", lambda: iter([0.01] * 50))


def hub_at(url, cls=Acme, **options):
    return ConversationsHub(
        cls(token="canary-token", base_url=url),
        **({"timeout": 2.0, "deadline": 4.0, "retries": 1} | options),
    )


def raw(body=ONE, *headers, status="200 OK"):
    lines = [f"HTTP/1.1 {status}".encode(), *headers, b"", body]
    return b"\r\n".join(lines)


@asynccontextmanager
async def answering(answer, *, step=0, pause=0.0):
    """Answer every request with these bytes, and hang up; drop by drop with a `step`."""
    asked = []

    async def handle(reader, writer):
        try:
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            for start in range(0, len(answer), step or len(answer) or 1):
                writer.write(answer[start : start + (step or len(answer))])
                await writer.drain()
                await asyncio.sleep(pause)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.asked = asked
    async with server:
        yield server


def told(error):
    """Return all that an error and those behind it say."""
    return f"{error!r} {''.join(traceback.format_exception(error))}"


GARBAGE = {
    "no HTTP": b"canary words of a customer\r\n\r\n",
    "no head at all": ONE,
    "a status that is none": b"HTTP/1.1 canary what\r\n\r\n",
    "a status out of range": raw(status="1000 canary"),
    "a header that is none": raw(ONE, b"canary words"),
    "a header's name that is none": raw(ONE, b"ca canary: x"),
    "a NUL in a header": raw(ONE, b"X-A: canary\0canary"),
    "a header of 1 MB": raw(ONE, b"X-A: " + b"canary" * 170_000),
    "thousands of headers": raw(ONE, *(b"X-%d: canary" % n for n in range(5000))),
    "a body longer than said": raw(ONE + b"canary words", b"Content-Length: 21"),
    "a body shorter than said": raw(b'{"id":"canary"', b"Content-Length: 99"),
    "a length of 5,000 digits": raw(ONE, b"Content-Length: " + b"9" * 5000),
    "a length below nothing": raw(ONE, b"Content-Length: -5"),
    "two lengths": raw(ONE, b"Content-Length: 21", b"Content-Length: 5"),
    "chunks that are none": raw(b"canary-words\r\n", b"Transfer-Encoding: chunked"),
    "chunks below nothing": raw(b"-5\r\ncanary\r\n", b"Transfer-Encoding: chunked"),
    "chunks without end": raw(b"F" * 20 + b"\r\ncanary\r\n", b"Transfer-Encoding: chunked"),
    "gzip that is none": raw(b"canary words", b"Content-Encoding: gzip"),
    "gzip cut short": raw(gzip.compress(ONE)[:-12], b"Content-Encoding: gzip"),
    "gzip twice": raw(gzip.compress(gzip.compress(ONE)), b"Content-Encoding: gzip, gzip"),
    "an encoding of its own": raw(b"canary words", b"Content-Encoding: canary"),
    "a type that tells": raw(b"<html>", b"Content-Type: text/html; canary=" + b"canary" * 900),
    "another protocol": raw(status="101 Switching Protocols"),
    "nothing": b"",
}


@pytest.mark.parametrize("answer", GARBAGE.values(), ids=GARBAGE)
async def test_garbage_is_an_error_that_repeats_none_of_it(answer):
    async with answering(answer) as server, hub_at(server.url) as hub:
        with pytest.raises((TransportError, TranslationError, StatusError)) as caught:
            await hub.conversation("acme:1")
    assert CANARY not in told(caught.value)
    assert len(str(caught.value)) < 600


WHOLE = {
    "HTTP 1.0": b"HTTP/1.0 200 OK\r\n\r\n" + ONE,
    "news before the answer": b"HTTP/1.1 100 Continue\r\n\r\n" * 500 + raw(),
    "a chunk with words beside it": raw(
        b"15;" + b"x" * 5000 + b"\r\n" + ONE + b"\r\n0\r\n\r\n", b"Transfer-Encoding: chunked"
    ),
    "a charset that is none": raw(ONE, b"Content-Type: application/json; charset=x"),
    "a clock before all time": raw(ONE, b"Date: Mon, 01 Jan 0001 00:00:00 +2359"),
    "a clock that is none": raw(ONE, b"Date: \xff"),
    "a name twice": raw(b'{"id":"0","id":"1","name":"n"}'),
    "numbers beyond all bounds": raw(
        b'{"id":"1","name":"n","x":1e400,"y":' + b"9" * 4000 + b',"z":NaN}'
    ),
}


@pytest.mark.parametrize("answer", WHOLE.values(), ids=WHOLE)
async def test_what_is_odd_is_read(answer):
    async with answering(answer) as server, hub_at(server.url) as hub:
        found = await hub.conversation("acme:1")
    assert (found.ref.id, found.title) == ("1", "n")


DEEP = b"[" * 100_000 + b"]" * 100_000
UNREADABLE = {
    "a deep nest": DEEP,
    "a nest cut off": b"[" * 100_000,
    "deep in a field": b'{"id":"1","name":' + DEEP + b"}",
    "deep in what nobody reads": b'{"id":"1","name":"n","x":' + DEEP + b"}",
    "5,000 digits": b'{"id":' + b"9" * 5000 + b"}",
    "no number": b'{"id":NaN}',
    "too great a number": b'{"id":1e400}',
    "no Unicode": b'{"id":7,"\xff\xfe\xfd":"canary words"}',
}


@pytest.mark.parametrize("record", UNREADABLE.values(), ids=UNREADABLE)
async def test_json_that_cannot_be_read_is_told_and_its_neighbours_are_delivered(record):
    whole = b'{"things":[{"id":"0"},' + record + b',{"id":"2"}],"meta":{"more":false}}'
    async with answering(raw(record)) as server, hub_at(server.url) as hub:
        with pytest.raises(TranslationError) as caught:
            await hub.conversation("acme:1")
    assert caught.value.path
    assert CANARY not in told(caught.value)
    async with answering(raw(whole)) as server, hub_at(server.url) as hub:
        pager = hub.conversations(on_error="continue")
        found = [one.ref.id async for one in pager]
        errors = pager.errors
    assert len(errors) == 1
    assert isinstance(errors[0], TranslationError)
    assert CANARY not in told(errors[0])
    # Where nobody sees its end nobody knows where its neighbours are.
    assert found == ([] if b"[[" in record else ["0", "2"])


@pytest.mark.parametrize("depth", range(20, 1200, 45))
async def test_a_nest_of_any_depth_is_read_or_told(depth):
    """Somewhere between them lies what one reader can bear and the next one cannot."""
    nest = b'{"a":' * depth + b"1" + b"}" * depth
    body = b'{"id":"1","name":"n","x":[' + nest + b',"\\ud800"]}'
    for clean in (body, body.replace(b'"\\ud800"', b"1")):
        async with answering(raw(clean)) as server, hub_at(server.url) as hub:
            try:
                found = await hub.conversation("acme:1")
            except TranslationError as error:
                assert error.path == "$"
            else:
                assert found.raw["x"]


SLOW = {
    "a slow head": b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 10_000,
    "a slow body": raw(b" " * 10_000 + ONE),
    "a slow no": raw(b" " * 10_000, status="500 no"),
    "slow news": b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,
}


@pytest.mark.parametrize("answer", SLOW.values(), ids=SLOW)
async def test_an_answer_in_drops_ends_with_its_time(answer):
    async with (
        answering(answer, step=1, pause=0.01) as server,
        hub_at(server.url, timeout=0.15, deadline=0.4) as hub,
    ):
        begun = time.monotonic()
        with pytest.raises(TransportError):
            await hub.conversation("acme:1")
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize("code", [300, 301, 302, 303, 304, 305, 307, 308])
async def test_nothing_follows_a_redirect(serve, code):
    """Neither a question nor a write, nor the credentials, nor a cookie."""
    elsewhere, here = [], []

    async def there(request):
        elsewhere.append(request)
        return web.Response(body=ONE, content_type="application/json")

    target = (await serve(there)).replace("127.0.0.1", "localhost")

    async def answer(request):
        here.append(request)
        headers = {"Location": target.replace("://", "://user:canary@"), "Refresh": f"0; {target}"}
        return web.Response(status=code, headers=headers)

    async with hub_at(await serve(answer), Scribe) as hub:
        for call in (
            hub.conversation("acme:1"),
            hub.send("acme:1", "words"),
            hub.update("acme:1", title="words"),
            hub.delete("acme:1"),
        ):
            # 302 and 303 may be the way to say that a write was carried out.
            with pytest.raises((StatusError, AmbiguousWriteError)) as caught:
                await call
            assert caught.value.status == code
            assert CANARY not in told(caught.value)
    assert elsewhere == []
    assert len(here) == 4


async def test_a_page_that_sends_a_browser_on_is_no_answer(serve):
    elsewhere = []

    async def there(request):
        elsewhere.append(request)
        return web.Response()

    target = await serve(there)

    async def answer(request):
        text = f'<meta http-equiv="refresh" content="0; url={target}"><script src="{target}">'
        return web.Response(text=text, headers={"Refresh": f"0; {target}"})

    async with hub_at(await serve(answer)) as hub:
        with pytest.raises(TranslationError):
            await hub.conversation("acme:1")
    assert elsewhere == []


async def test_no_cookie_is_ever_sent_back(serve):
    """One account's cookie would make another's requests its own."""
    asked = []

    async def answer(request):
        asked.append(request.headers)
        response = web.Response(body=ONE, content_type="application/json")
        for domain in ("", "; Domain=127.0.0.1", "; Domain=localhost", "; Domain=evil.test"):
            response.headers.add("Set-Cookie", f"a=b{domain}; Path=/")
        return response

    url = await serve(answer)
    accounts = [
        Acme(name="one", token="t1", base_url=url),
        Acme(name="two", token="t2", base_url=url),
        Acme(name="three", token="t3", base_url=url.replace("127.0.0.1", "localhost")),
    ]
    async with ConversationsHub(*accounts) as hub:
        for _ in range(2):
            for name in ("one", "two", "three"):
                await hub.conversation(f"{name}:1")
    assert len(asked) == 6
    assert not any("Cookie" in headers for headers in asked)
    assert [headers["Authorization"][-2:] for headers in asked] == ["t1", "t2", "t3"] * 2


BAD_HEADERS = ["a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\rb", "a\0b", "ä", "\ud800", "a\x7f", 7]


@pytest.mark.parametrize("text", BAD_HEADERS)
def test_a_user_agent_that_no_header_can_hold_is_refused(text):
    with pytest.raises(ConfigurationError, match="user_agent"):
        ConversationsHub(user_agent=text)


@pytest.mark.parametrize("text", BAD_HEADERS)
def test_a_media_type_that_no_header_can_hold_is_refused(text):
    with pytest.raises(ConfigurationError):
        Upload(b"x", name="a", media_type=text)


@pytest.mark.parametrize(
    "name", ['a"; filename="b', "a\\", "a\r\nX-Evil: 1", "ä", "a;b", "../../x"]
)
async def test_a_file_name_adds_nothing_to_a_form(serve, name):
    asked = []

    async def answer(request):
        asked.append(await request.read())
        return web.json_response({"id": "1"})

    async with hub_at(await serve(answer), Scribe) as hub:
        try:
            await hub.send("acme:1", attachments=[Upload(b"file", name=name)])
        except ConfigurationError:
            assert not name.isprintable()
            assert asked == []
        else:
            head = asked[0].partition(b"\r\n\r\n")[0]
            assert head.count(b"\r\n") == 3 - (b"Content-Length" not in head)
            assert b"X-Evil" not in head
            quoted = name.replace("\\", "\\\\").replace('"', '\\"').encode()
            assert b'filename="' + quoted + b'"' in head


@given(st.text() | st.from_regex(r".*:.*", fullmatch=True) | st.integers() | st.none())
def test_any_text_is_a_reference_or_says_why_not(text):
    try:
        ref = Ref.parse(text)
    except ValueError as error:
        assert len(str(error)) < 200
    else:
        assert str(ref) == text
        assert Ref.parse(str(ref)) == ref


HOSTILE_IDS = [
    ".", "..", "a/b", "../../x", "%2e%2e", "%2F", "..%2f", "a?b=c", "a#b", "a\\b", "a;b", "\0",
    "\n", "a\r\nX-Evil: 1", "\x7f", "\u202e", "ä", "\ud800", " ", "a b", "x" * 10_240,
    "//evil.test/", "http://evil.test/", "@evil.test", ":80",
]  # fmt: skip


@pytest.mark.parametrize("id_", HOSTILE_IDS, ids=lambda text: ascii(text)[:20])
async def test_an_id_stays_in_its_place_on_the_wire(id_):
    async with answering(raw()) as server, hub_at(f"{server.url}/api/v1") as hub:
        try:
            await hub.conversation(Ref("acme", id_))
        except ConfigurationError:
            assert server.asked == []
            return
        except HubError:
            pass
    (head,) = server.asked
    line, *headers = head.split(b"\r\n")
    method, target, version = line.split(b" ")
    assert (method, version) == (b"GET", b"HTTP/1.1")
    assert target.startswith(b"/api/v1/things/")
    assert target.count(b"/") == 4
    assert not {b"?", b"#", b"\\", b".."} & {target[n : n + 1] for n in range(len(target))}
    assert not target.endswith((b"/.", b"/.."))
    assert not any(header.startswith(b"X-Evil") for header in headers)


DATES = [
    "Mon, 01 Jan 0001 00:00:00 +2359", "Fri, 31 Dec 9999 23:59:59 -2359", "x", "", "1", "٣",
    "Mon, 01 Jan 2024 00:00:00 +99999999999999999999", "Mon, 99 Jan 2024 99:00:00 GMT",
    "9" * 5000, "-1", "1e9", "nan", "inf", "Mon, 01 Jan 99999 00:00:00 GMT", ", , , ,", "()" * 999,
]  # fmt: skip


@pytest.mark.parametrize("date", DATES, ids=lambda text: ascii(text)[:24])
def test_no_date_stops_a_clock(date):
    wait = seconds_to_wait(date)
    assert wait is None or wait >= 0.0
    assert server_time(Response(status=200, headers={"Date": date})) - LOOKBACK


@given(st.text(max_size=60))
def test_nothing_in_place_of_a_date_stops_a_clock(text):
    seconds_to_wait(text)
    assert server_time(Response(status=200, headers={"Date": text})) - LOOKBACK


def test_a_page_that_speaks_at_length_is_not_repeated():
    read = Acme(token="t").conversations()
    for more in (json.dumps(CANARY * 1000), json.dumps({"a": [CANARY] * 1000})):
        body = page(["1"], cursor="c").replace(b'"more": true', f'"more": {more}'.encode())
        with pytest.raises(PagingError) as caught:
            read.read(read.request, Response(status=200, body=body))
        assert CANARY not in str(caught.value)


LIMIT = 1024**2
BLANK = b" " * 64 * LIMIT


def squeezed(encoding):
    """Return 64 MiB of blanks and a conversation, which is 64 KiB on the wire."""
    form = {"gzip": 31, "deflate": 15}[encoding]
    squeeze = zlib.compressobj(9, zlib.DEFLATED, form)
    return squeeze.compress(BLANK) + squeeze.compress(ONE) + squeeze.flush()


def endless(size=1024**3):
    """Answer with more than anybody wants."""

    async def answer(request):
        response = web.StreamResponse(status=int(request.headers.get("X-Status", 200)))
        await response.prepare(request)
        with suppress(OSError):
            for _ in range(size // 65_536):
                await response.write(b" " * 65_536)
        return response

    return answer


@contextmanager
def at_most(bytes_):
    """Say how much memory may be taken, beyond what there is."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < bytes_


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("status", ["200 OK", "404 no", "500 no"])
async def test_a_bomb_does_not_go_off(encoding, status):
    bomb = raw(squeezed(encoding), b"Content-Encoding: " + encoding.encode(), status=status)
    async with (
        answering(bomb) as server,
        hub_at(server.url, Scribe, answer_limit=LIMIT, retries=0) as hub,
    ):
        with at_most(8 * LIMIT):
            for ask in (
                lambda: hub.run(hub.conversation("acme:1")),
                lambda: hub.conversations().collect(limit=3),
                lambda: hub.run(hub.update("acme:1", title="words")),
                lambda: hub.download(Attachment(url=f"{server.url}/x"), limit=LIMIT).read(),
            ):
                with pytest.raises((TooLargeError, StatusError, AmbiguousWriteError)):
                    await ask()


async def test_an_answer_without_end_has_one(serve):
    async with hub_at(await serve(endless()), answer_limit=LIMIT) as hub:
        begun = time.monotonic()
        with at_most(8 * LIMIT):
            with pytest.raises(TooLargeError, match="answer_limit"):
                await hub.conversation("acme:1")
            pager = hub.conversations(on_error="continue")
            assert await pager.collect(limit=3) == []
            assert isinstance(pager.errors[0], TooLargeError)
            found = hub.fetch(["acme:1", "acme:2"], on_error="continue")
            assert [type(r.error) async for r in found] == [TooLargeError] * 2
    assert time.monotonic() - begun < 4


async def test_an_answer_at_its_limit_is_read():
    """The limit is of what it is when it is unpacked."""
    body = ONE + b" " * (LIMIT - len(ONE))
    for answer in (raw(body), raw(gzip.compress(body), b"Content-Encoding: gzip")):
        async with answering(answer) as server:
            async with hub_at(server.url, answer_limit=LIMIT) as hub:
                assert (await hub.conversation("acme:1")).title == "n"
            async with hub_at(server.url, answer_limit=LIMIT - 1) as hub:
                with pytest.raises(TooLargeError):
                    await hub.conversation("acme:1")


async def test_too_large_an_answer_to_a_write_may_have_been_a_yes(serve):
    async with hub_at(await serve(endless()), Scribe, answer_limit=LIMIT) as hub:
        with pytest.raises(AmbiguousWriteError) as caught:
            await hub.update("acme:1", title="words")
    assert isinstance(caught.value.cause, TooLargeError)


@pytest.mark.parametrize("limit", [0, -1, 1.5, "1", None])
def test_a_limit_is_a_number(limit):
    with pytest.raises(ConfigurationError, match="answer_limit"):
        ConversationsHub(answer_limit=limit)


class Endless:
    """Has a page after every page, as many as anybody should ask for."""

    timeout = 1.0

    def __init__(self, ids, most):
        self.ids, self.most, self.count = ids, most, 0

    async def send(self, provider, request, operation):
        self.count += 1
        assert self.count <= self.most, "it asks on and on"
        return Response(status=200, body=page(self.ids, cursor=f"c{self.count}"))


@pytest.mark.parametrize("count", [500, pytest.param(20_000, marks=pytest.mark.reliability)])
async def test_a_list_without_end_takes_no_memory(count):
    """It goes on for as long as the server says so; whoever reads it may stop."""
    async with hub_on({}) as hub:
        hub._fetcher.transport = Endless(["1"], count + 110)
        pager = hub.conversations()
        pages = pager.pages()
        for _ in range(100):
            await anext(pages)
        with at_most(2 * LIMIT):
            for _ in range(count):
                await anext(pages)
        assert len(json.dumps(pager.checkpoint())) < 2000
        await pager.aclose()


async def test_nobody_waits_for_ever_for_what_is_on_an_empty_page():
    async with hub_on({}) as hub:
        server = hub._fetcher.transport = Endless([], EMPTY + 5)
        pager = hub.conversations()
        with at_most(3 * LIMIT), pytest.raises(PagingError, match=f"{EMPTY:,} pages in a row"):
            await anext(pager)
        assert server.count in {EMPTY, EMPTY + 1}
        server.ids = ["1"]  # and nothing is lost
        assert (await anext(pager)).ref.id == "1"
        assert server.count < EMPTY + 5
        await pager.aclose()
