"""Timeouts, resets, redirects and retries over real sockets; single exchanges mocked."""

import asyncio
import logging
import ssl
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import aiohttp
import pytest
from aiohttp import web
from aioresponses import aioresponses

from conversations_hub import (
    Attachment,
    AuthenticationError,
    ConfigurationError,
    ConversationsHub,
    InvalidRequestError,
    NotFoundError,
    Rate,
    RateLimitError,
    Ref,
    ServerError,
    StatusError,
    TransportError,
)
from conversations_hub import transport as transport_module
from conversations_hub.transport import Transport
from support import Acme, Scribe

ONE = {"id": "1", "name": "n"}


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(transport_module, "pauses", lambda: iter([0.01] * 50))


def hub_at(url, **options):
    return ConversationsHub(Acme(token="canary-token", base_url=url), **options)


class Script:
    """Answers requests one after another, the last answer for ever."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []

    async def __call__(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await answer(request)


async def ok(_):
    return web.json_response(ONE)


def status(code, headers=None, text="no"):
    async def answer(_):
        return web.Response(status=code, headers=headers, text=text)

    return answer


async def reset(request):
    request.transport.abort()
    return web.Response()


async def cut(request):
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b'{"id":')
    request.transport.close()
    return response


async def hang(_):
    await asyncio.sleep(5)
    return web.Response()


@pytest.mark.parametrize("fault", [reset, cut, status(429), status(500), status(502), status(503)])
async def test_reads_are_asked_again_after_what_may_pass(serve, fault):
    script = Script(fault, fault, ok)
    async with hub_at(await serve(script)) as hub:
        assert (await hub.conversation("acme:1")).title == "n"
    assert len(script.requests) == 3


@pytest.mark.parametrize("code", [400, 401, 403, 404, 409, 410, 412, 422, 423])
async def test_a_no_is_not_asked_again(serve, code):
    script = Script(status(code))
    async with hub_at(await serve(script)) as hub:
        with pytest.raises(StatusError) as caught:
            await hub.conversation("acme:1")
    assert len(script.requests) == 1
    assert (caught.value.status, caught.value.provider) == (code, "acme")
    assert caught.value.operation == "conversation"


async def test_attempts_are_counted(serve):
    script = Script(status(503))
    async with hub_at(await serve(script), retries=2) as hub:
        with pytest.raises(ServerError):
            await hub.conversation("acme:1")
    assert len(script.requests) == 3


async def test_retry_after_is_a_least(serve):
    script = Script(status(429, {"Retry-After": "1"}), ok)
    async with hub_at(await serve(script)) as hub:
        start = time.monotonic()
        await hub.conversation("acme:1")
    assert time.monotonic() - start >= 1.0


async def test_one_429_makes_everybody_wait_who_asks_that_account(serve):
    """Nobody else is sent into the same refusal, and then they come one, two, four at a time."""
    refused, times, at_once = asyncio.Event(), {"acme": [], "other": []}, [0]

    async def busy(request):
        times["acme"].append(time.monotonic())
        if len(times["acme"]) > 1:
            at_once.append(at_once[0] + 1)
            at_once[0] += 1
            await asyncio.sleep(0.02)
            at_once[0] -= 1
            return await ok(request)
        refused.set()
        return web.Response(status=429, headers={"Retry-After": "1"})

    async def idle(request):
        times["other"].append(time.monotonic())
        return await ok(request)

    accounts = [
        Acme(token="t", base_url=await serve(busy)),
        Acme(token="t", name="other", base_url=await serve(idle)),
    ]
    async with ConversationsHub(*accounts) as hub:

        async def ask(name, after):
            await after.wait()
            return await hub.conversation(f"{name}:1")

        now = asyncio.Event()
        now.set()
        tasks = [asyncio.create_task(ask("acme", now))]
        await refused.wait()
        await asyncio.sleep(0.05)
        tasks += [asyncio.create_task(ask(name, now)) for name in ["acme", "other"] * 8]
        await asyncio.gather(*tasks)
        assert await hub.conversation("acme:1")
    first, *others = times["acme"]
    assert len(others) == 10
    assert min(others) - first >= 1.0
    assert at_once[1] == 1
    assert max(at_once[2:4]) == 2
    assert max(at_once[4:8]) == 4
    assert max(times["other"]) < min(others)


async def test_a_429_holds_back_those_who_queue_already(serve):
    """For a connection, or for their turn."""
    times = []

    async def busy(_):
        times.append(time.monotonic())
        await asyncio.sleep(0.02)
        return web.Response(status=429, headers={"Retry-After": "2"})

    for options in ({"connections": 5}, {"rate": Rate(5, per=0.1)}):
        times.clear()
        rate = options.pop("rate", None)
        acme = Acme(token="t", base_url=await serve(busy), rate=rate)
        async with ConversationsHub(acme, deadline=0.8, timeout=5.0, **options) as hub:
            calls = [hub.run(hub.conversation("acme:1")) for _ in range(60)]
            ends = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(end) for end in ends} == {RateLimitError}
        assert len(times) == 5


@pytest.mark.parametrize("options", [{"retries": 0}, {"deadline": 1.0, "timeout": 5.0}])
async def test_a_429_that_is_given_up_on_is_remembered(serve, options):
    """Who finds that the account rests longer than there is time is told so, unsent."""
    script = Script(status(429, {"Retry-After": "300"}))
    async with hub_at(await serve(script), **options) as hub:
        for _ in range(20):
            with pytest.raises(RateLimitError) as caught:
                await hub.conversation("acme:1")
            assert caught.value.retry_after > 290
    assert len(script.requests) == 1


async def test_a_retry_after_date_is_by_the_servers_own_clock(serve):
    now = datetime.now(UTC) - timedelta(hours=1)
    headers = {
        "Date": format_datetime(now, usegmt=True),
        "Retry-After": format_datetime(now + timedelta(seconds=2), usegmt=True),
    }
    script = Script(status(429, headers), ok)
    async with hub_at(await serve(script)) as hub:
        begun = time.monotonic()
        await hub.conversation("acme:1")
        assert time.monotonic() - begun >= 1.0


async def test_a_wait_beyond_the_deadline_is_told_at_once(serve):
    script = Script(status(429, {"Retry-After": "3600"}))
    async with hub_at(await serve(script), deadline=5) as hub:
        start = time.monotonic()
        with pytest.raises(RateLimitError) as caught:
            await hub.conversation("acme:1")
    assert caught.value.retry_after == 3600.0
    assert time.monotonic() - start < 2


async def test_one_attempt_and_all_of_them_are_bounded(serve):
    script = Script(hang)
    url = await serve(script)
    async with hub_at(url, timeout=0.1, retries=1) as hub:
        with pytest.raises(TransportError, match=r"no whole answer within 0\.1 s"):
            await hub.conversation("acme:1")
    assert len(script.requests) == 2
    async with hub_at(url, timeout=0.1, deadline=0.35, retries=50) as hub:
        # When there is no time for another one, the last attempt is what is told.
        with pytest.raises(TransportError, match=r"within 0\.(35|1) s"):
            await hub.conversation("acme:1")
    assert 4 <= len(script.requests) <= 6


async def test_an_account_that_hangs_does_not_hold_up_the_others(serve):
    slow = Acme(token="t", name="slow", base_url=await serve(hang))
    quick = Acme(token="t", name="quick", base_url=await serve(ok))
    async with ConversationsHub(slow, quick, connections=4, timeout=3.0, retries=0) as hub:
        hanging = [asyncio.ensure_future(hub.run(hub.conversation("slow:1"))) for _ in range(40)]
        await asyncio.sleep(0.05)
        async with asyncio.timeout(1):
            await asyncio.gather(*(hub.run(hub.conversation("quick:1")) for _ in range(20)))
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)


async def test_waiting_for_a_connection_takes_no_time_from_an_attempt(serve):
    async def slow(_):
        await asyncio.sleep(0.02)
        return web.json_response(ONE)

    async with hub_at(await serve(Script(slow)), connections=4, timeout=1.0) as hub:
        got = await asyncio.gather(*(hub.run(hub.conversation("acme:1")) for _ in range(300)))
    assert len(got) == 300


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(serve, code):
    elsewhere = Script(ok)
    there = await serve(elsewhere)
    here = await serve(Script(status(code, {"Location": f"{there}/things/1"})))
    async with hub_at(here) as hub:
        with pytest.raises(StatusError, match="redirects are not followed"):
            await hub.conversation("acme:1")
    assert elsewhere.requests == []


async def test_what_goes_over_the_wire(serve):
    script = Script(ok)
    async with hub_at(await serve(script)) as hub:
        await hub.conversation("acme:a/b?c")
    (request,) = script.requests
    assert request.raw_path == "/things/a%2Fb%3Fc"
    assert request.headers["Authorization"] == "Bearer canary-token"
    assert request.headers["Accept"] == "application/json"
    assert "gzip" in request.headers["Accept-Encoding"]
    assert request.headers["User-Agent"].startswith("conversations-hub/")


async def test_gzip_is_unpacked(serve):
    async def packed(_):
        response = web.json_response(ONE | {"padding": "x" * 5000})
        response.enable_compression(web.ContentCoding.gzip)
        return response

    async with hub_at(await serve(Script(packed))) as hub:
        assert (await hub.conversation("acme:1")).title == "n"


async def test_cookies_are_neither_kept_nor_sent(serve):
    async def cookie(_):
        return web.json_response(ONE, headers={"Set-Cookie": "id=1"})

    script = Script(cookie)
    async with hub_at(await serve(script)) as hub:
        await hub.conversation("acme:1")
        await hub.conversation("acme:1")
    assert "Cookie" not in script.requests[1].headers


async def test_a_hub_is_made_without_a_loop_and_closed_once(serve):
    hub = await asyncio.to_thread(hub_at, await serve(Script(ok)))
    await hub.conversation("acme:1")
    await hub.aclose()
    await hub.aclose()
    with pytest.raises(ConfigurationError, match="closed"):
        await hub.conversation("acme:1")


async def test_a_session_of_the_callers_stays_open(serve):
    async with aiohttp.ClientSession() as session:
        async with hub_at(await serve(Script(ok)), session=session) as hub:
            await hub.conversation("acme:1")
        assert not session.closed


async def test_how_it_goes_over_the_wire_can_be_set(serve, monkeypatch):
    context = ssl.create_default_context()
    passed = {}
    request = aiohttp.ClientSession.request

    def noted(self, method, url, **options):
        passed.update(options)
        return request(self, method, url, **options)

    monkeypatch.setattr(aiohttp.ClientSession, "request", noted)
    script = Script(ok)
    async with hub_at(await serve(script), ssl=context, user_agent="shop/1.0") as hub:
        await hub.conversation("acme:1")
    assert passed["ssl"] is context
    assert script.requests[0].headers["User-Agent"] == "shop/1.0"


async def test_a_proxy_is_used(serve):
    script = Script(ok)
    proxy = await serve(script)
    async with hub_at("http://provider.test/api", proxy=proxy) as hub:
        await hub.conversation("acme:1")
    assert script.requests[0].raw_path == "http://provider.test/api/things/1"


async def test_nobody_there():
    async with hub_at("http://127.0.0.1:1", retries=1) as hub:
        with pytest.raises(TransportError, match="check base_url"):
            await hub.conversation("acme:1")


async def test_secrets_are_in_no_error_and_no_log(serve, caplog):
    caplog.set_level(logging.DEBUG)

    async def echo(request):
        return web.Response(status=401, text=f"who is {request.headers['Authorization']}?")

    async def garbage(request):
        request.transport.write(b"HTTP/9.9 nonsense\r\n\r\n")
        request.transport.close()
        return web.Response()

    for fault in (echo, garbage, reset):
        async with hub_at(await serve(Script(fault)), retries=1) as hub:
            with pytest.raises((AuthenticationError, TransportError)) as caught:
                await hub.conversation("acme:1")
        error = caught.value
        while error is not None:
            assert "canary-token" not in f"{error} {error!r} {vars(error)}"
            error = error.__cause__
    assert "canary-token" not in caplog.text
    assert "canary-token" not in repr(hub["acme"])


async def test_one_exchange(mocked_response):
    with aioresponses() as mock:
        mock.get("http://acme.test/api/things/1", payload=ONE, response_class=mocked_response)
        transport = Transport()
        provider = Acme(token="t")
        response = await transport.send(provider, provider.get("things", "1"), "conversation")
        await transport.aclose()
    assert (response.status, response.body) == (200, b'{"id": "1", "name": "n"}')
    assert response.header("content-type") == "application/json"


async def test_a_refusal_is_the_callers_to_put_right(mocked_response):
    with aioresponses() as mock:
        mock.get(
            "http://acme.test/api/things/1",
            status=400,
            body="canary-token",
            response_class=mocked_response,
        )
        transport = Transport()
        provider = Acme(token="canary-token")
        with pytest.raises(InvalidRequestError) as caught:
            await transport.send(provider, provider.get("things", "1"), "conversation")
        await transport.aclose()
    assert str(caught.value) == ("acme.conversation: HTTP 400 [GET http://acme.test/api/things/1]")


async def test_a_recipe_of_another_place_gets_no_credentials(serve):
    """It may be of another region, or of somebody else."""
    here, elsewhere = Script(ok), Script(ok)
    other = Acme(token="t", base_url=await serve(elsewhere))
    async with hub_at(await serve(here)) as hub:
        with pytest.raises(ConfigurationError, match="this recipe leads to"):
            await hub.run(other.conversation(Ref("acme", "1")))
    assert elsewhere.requests == here.requests == []


async def test_calls_are_gathered_each_for_itself(serve):
    script = Script(ok)
    async with hub_at(await serve(script)) as hub:
        one, same = hub.conversation("acme:1"), hub.conversation("acme:1")
        first, second = await asyncio.gather(one, same)
    assert first == second
    assert len(script.requests) == 2


def test_a_hub_is_of_one_event_loop():
    hub = hub_at("http://127.0.0.1:1", retries=0)

    async def ask():
        try:
            await hub.conversation("acme:1")
        finally:
            await hub._transport.network._own.close()

    with pytest.raises(TransportError):
        asyncio.run(ask())
    with pytest.raises(ConfigurationError, match="another event loop"):
        asyncio.run(ask())


async def test_what_was_asked_for_is_not_in_an_error():
    """A query may hold somebody's phone number."""
    transport, provider = Transport(retries=0), Acme(token="t", base_url="http://127.0.0.1:1")
    request = provider.get("people", query={"Address": "+15551234567"})
    with pytest.raises(TransportError) as caught:
        await transport.send(provider, request, "conversations")
    await transport.aclose()
    assert "/people" in str(caught.value)
    assert "5551234567" not in str(caught.value)


async def test_what_was_asked_for_is_not_in_an_error_of_time(serve):
    transport = Transport(retries=0, deadline=0.05)
    provider = Acme(token="t", base_url=await serve(Script(hang)))
    with pytest.raises(TransportError) as caught:
        await transport.send(provider, provider.get("x", query={"q": "5551234567"}), "messages")
    await transport.aclose()
    assert "5551234567" not in str(caught.value)


@pytest.mark.parametrize("ask", [lambda hub: hub.conversation("acme:1"), lambda hub: hub.download(
    Attachment(url="/file")
).read()])  # fmt: skip
async def test_who_waits_when_the_hub_closes_is_told_so(serve, ask):
    """Whoever queued for a connection finds the session gone."""
    hub = hub_at(await serve(Script(hang)), connections=1)
    first, waiting = (asyncio.create_task(one(ask(hub))) for _ in range(2))
    await asyncio.sleep(0.05)
    await hub.aclose()
    for task in (first, waiting):
        with pytest.raises(ConfigurationError, match="closed"):
            await task


async def one(awaitable):
    return await awaitable


async def test_a_session_that_raises_for_a_status_changes_nothing(serve):
    script = Script(status(404))
    async with (
        aiohttp.ClientSession(raise_for_status=True) as session,
        hub_at(await serve(script), session=session) as hub,
    ):
        for ask in (hub.conversation("acme:1"), hub.download(Attachment(url="/file")).read()):
            with pytest.raises(NotFoundError):
                await ask
    assert len(script.requests) == 2


async def test_a_session_that_is_closed_is_told():
    session = aiohttp.ClientSession()
    await session.close()
    async with hub_at("http://127.0.0.1:1", session=session) as hub:
        with pytest.raises(ConfigurationError, match="session that this hub was given is closed"):
            await hub.conversation("acme:1")


async def nonsense(request):
    request.transport.write(b"HTTP/9.9 nonsense\r\n\r\n")
    request.transport.close()
    return web.Response()


async def test_what_was_asked_for_is_not_in_what_aiohttp_says(serve):
    transport = Transport(retries=0)
    provider = Acme(token="t", base_url=await serve(Script(nonsense)))
    with pytest.raises(TransportError, match="Bad status line") as caught:
        await transport.send(provider, provider.get("x", query={"q": "5551234567"}), "messages")
    await transport.aclose()
    assert "5551234567" not in f"{caught.value} {caught.value.__cause__!r}"
    assert "\n" not in str(caught.value)


async def test_a_time_out_in_connecting_tells_no_query():
    transport, provider = Transport(retries=0), Acme(token="t")
    request = provider.get("x", query={"q": "5551234567"})
    late = aiohttp.ConnectionTimeoutError(f"Connection timeout to host {request.url}")
    with aioresponses() as mock:
        mock.get(str(request.url), exception=late)
        with pytest.raises(TransportError, match="Connection timeout to host") as caught:
            await transport.send(provider, request, "messages")
    await transport.aclose()
    assert (caught.value.sent, caught.value.timed_out) == (False, False)
    assert "5551234567" not in f"{caught.value} {caught.value.__cause__!r}"


async def broken_stream():
    yield b"abc"
    raise ValueError("half of it")


async def test_a_proxys_password_is_in_no_error(serve):
    proxy = (await serve(Script(ok))).replace("://", "://user:canary-word@")
    provider = Scribe(token="t", base_url="http://provider.test/api")
    async with ConversationsHub(provider, proxy=proxy) as hub:
        with pytest.raises(TransportError) as caught:
            await hub.send("acme:1", "x", attachments=[broken_stream()])
    assert "half of it" in str(caught.value)
    assert "canary-word" not in f"{caught.value} {caught.value.__cause__!r}"


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": 0},
        {"timeout": None},
        {"deadline": -1},
        {"retries": -1},
        {"retries": 1.5},
        {"connections": 0},
    ],
)
def test_options_that_cannot_work_are_refused(options):
    (name,) = options
    with pytest.raises(ConfigurationError, match=f"{name} must be a "):
        hub_at("http://127.0.0.1:1", **options)
