"""The rate of an account: what the server counts, and that nobody else waits."""

import asyncio
import time
from collections import Counter, defaultdict
from itertools import pairwise
from random import Random

import pytest
from aiohttp import web
from attrs import field, frozen, mutable
from hypothesis import given
from hypothesis import strategies as st

from conversations_hub import (
    Attachment,
    Circuit,
    ConfigurationError,
    Conversation,
    ConversationsHub,
    Rate,
    RateLimitError,
    Ref,
    TransportError,
)
from conversations_hub import transport as transport_module
from conversations_hub.budget import Budget
from support import Acme

WINDOW = 0.2


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ((0,), {}, "a number from 1, not 0"),
        (("50",), {}, "a number from 1, not '50'"),
        ((True,), {}, "a number from 1"),
        ((50,), {"per": 0}, "a time in seconds, not 0"),
        ((50,), {"per": float("nan")}, "a time in seconds"),
        ((50,), {"per": "minute"}, "a time in seconds, not 'minute'"),
    ],
)
def test_what_is_no_rate_says_so(arguments, options, words):
    with pytest.raises(ConfigurationError, match=words):
        Rate(*arguments, **options)


def test_a_provider_takes_a_rate_and_nothing_like_it():
    with pytest.raises(
        ConfigurationError, match=r"rate must be a Rate, such as Rate\(50, per=60\)"
    ):
        Acme(token="t", base_url="http://acme.test", rate=50)


def test_a_place_is_free_one_window_after_the_answer():
    budget = Budget(rate=Rate(2, per=1.0))
    assert budget.pause(0.0) == 0.0
    budget.take(0.0)
    budget.take(0.0)
    assert budget.pause(0.1) is None
    budget.answered(0.5)
    assert budget.pause(0.6) == pytest.approx(0.9)
    budget.answered(0.7)
    assert budget.pause(1.5) == 0.0
    budget.take(1.5)
    assert budget.pause(1.5) == pytest.approx(0.2)
    budget.answered(1.6)
    budget.take(1.8)
    budget.give_back()
    assert budget.pause(1.8) == 0.0


@given(
    st.integers(1, 5),
    st.lists(st.tuples(st.floats(0, 3), st.floats(0, 2), st.floats(0, 1)), max_size=60),
)
def test_no_window_of_the_servers_ever_holds_more(most, requests):
    """However long a request and its answer are on their way, and whenever the server counts it."""
    budget, now = Budget(rate=Rate(most, per=1.0)), 0.0
    under_way, arrivals = [], []
    for idle, way, part in requests:
        now += idle
        while (pause := budget.pause(now)) != 0.0:
            first = min(under_way, default=None)
            if pause is None or (first is not None and first < now + pause):
                now = max(now, first)
                under_way.remove(first)
                budget.answered(now)
            else:
                now += pause
        budget.take(now)
        arrivals.append(now + way * part)
        under_way.append(now + way)
    arrivals.sort()
    for earlier, later in zip(arrivals, arrivals[most:], strict=False):
        assert later - earlier >= 1.0 - 1e-9


class Counting:
    """A server that notes when it was asked, and is slow at first, as new connections are."""

    def __init__(self):
        self.times = []

    async def __call__(self, request):
        self.times.append(time.monotonic())
        if len(self.times) < 20:
            await asyncio.sleep(0.05)
        return web.json_response({"id": "1", "name": "n"})


async def asked(serve, rates, count):
    """Ask accounts of these rates side by side; return when the server was asked by each."""
    servers = [Counting() for _ in rates]
    accounts = [
        Acme(token="t", name=f"acme{number}", base_url=await serve(server), rate=rate)
        for number, (server, rate) in enumerate(zip(servers, rates, strict=True))
    ]
    async with ConversationsHub(*accounts, connections=64) as hub:
        calls = [hub.conversation(f"{a.name}:1") for a in accounts for _ in range(count)]
        results = await hub.fetch(calls, concurrency=64).collect()
    assert all(result.error is None for result in results)
    return [server.times for server in servers]


async def test_the_server_never_sees_more_than_the_rate_and_nearly_all_of_it(serve):
    [times] = await asked(serve, [Rate(40, per=WINDOW)], 280)
    assert all(b - a > WINDOW for a, b in zip(times, times[40:], strict=False))
    # Of the windows after the first, which began with slow answers.
    assert (len(times) - 80) / 40 * WINDOW / (times[-1] - times[80]) >= 0.9


@frozen(kw_only=True)
class Twice(Acme):
    """Its rate, and another one for each thing."""

    each: Rate = field(kw_only=True)

    def rates(self, request):
        own, all_ = {request.url.name: self.each}, super().rates(request)
        return own | all_ if self.each.requests % 2 else all_ | own


@mutable
class Shaky:
    """Takes its time before it counts a request and before it answers, which may be in any way."""

    random: Random
    stamps: defaultdict = field(factory=lambda: defaultdict(list))

    async def __call__(self, request):
        await self.some_time()
        for name in ("", request.path.rpartition("/")[2]):
            self.stamps[name].append(time.monotonic())
        await self.some_time()
        how = self.random.random()
        if how < 0.05:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        if how < 0.15:
            code = 503 if how < 0.1 else 429
            return web.Response(status=code, headers={"Retry-After": "0"})
        if how < 0.3 and "file" in request.path:
            return web.Response(status=302, headers={"Location": f"/file/{self.one_of_three()}"})
        return web.json_response({"id": "1", "name": "n"})

    async def some_time(self):
        await asyncio.sleep(self.random.choice([0.0, 0.0, self.random.uniform(0.0, 0.1)]))

    def one_of_three(self):
        return self.random.randint(1, 3)


SHAKY = [pytest.param(n, marks=pytest.mark.reliability if n else ()) for n in range(30)]


@pytest.mark.parametrize("seed", SHAKY)
async def test_no_window_holds_more_however_long_requests_are_on_their_way(
    seed, serve, monkeypatch
):
    """Reads and downloads at two rates at a time, by a server that fails and redirects."""
    monkeypatch.setattr(transport_module, "pauses", lambda: iter([0.01] * 500))
    random = Random(seed)
    server = Shaky(random)
    url = await serve(server)
    rate, each = Rate(random.randint(2, 9), per=WINDOW), Rate(random.randint(2, 5), per=WINDOW)
    account = Twice(token="t", base_url=url, rate=rate, each=each)
    async with ConversationsHub(account, retries=50, connections=random.choice([3, 32])) as hub:

        async def ask():
            await asyncio.sleep(random.uniform(0.0, 0.5))
            number = server.one_of_three()
            if random.random() < 0.3:
                return await hub.download(Attachment(url=f"{url}/file/{number}")).read()
            return await hub.conversation(f"acme:{number}")

        await asyncio.gather(*(ask() for _ in range(25)))
    for name, stamps in server.stamps.items():
        limit = each if name else rate
        later = sorted(stamps)[limit.requests :]
        assert all(b - a > WINDOW for a, b in zip(sorted(stamps), later, strict=False))


async def test_an_account_without_a_rate_does_not_wait_for_the_others(serve):
    slow, quick = await asked(serve, [Rate(10, per=WINDOW), None], 40)
    assert slow[-1] - slow[0] > 3 * WINDOW
    assert quick[-1] - quick[0] < 3 * WINDOW


async def test_waiting_for_a_turn_is_of_the_deadline(serve):
    """Who finds no place in time is told so, at once where that is known, and was not sent."""
    server = Counting()
    acme = Acme(token="t", base_url=await serve(server), rate=Rate(2, per=20.0))
    async with ConversationsHub(acme, deadline=0.8, timeout=5.0) as hub:
        calls = [hub.run(hub.conversation("acme:1")) for _ in range(12)]
        ends = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(end) for end in ends] == [Conversation] * 2 + [RateLimitError] * 10
        assert "no turn for" in str(ends[2])
        begun = time.monotonic()
        with pytest.raises(RateLimitError, match="rate is used up for 1") as caught:
            await hub.conversation("acme:1")
        assert 15 < caught.value.retry_after < 20
        assert time.monotonic() - begun < 0.8
    assert len(server.times) == 2


async def test_whoever_comes_in_the_moment_of_a_turn_has_a_deadline_too(serve):
    """A place is free and nobody holds the queue, but the one who was first is yet to wake."""
    acme = Acme(token="t", base_url=await serve(Counting()), rate=Rate(2, per=30))
    async with ConversationsHub(acme, deadline=1.3, timeout=0.3) as hub:
        await hub.conversation("acme:1")

        async def ask():
            return await hub.conversation("acme:1")

        [turns] = hub._transport._accounts["acme"].pace.turns({"": acme.rate}, 0.0)
        async with turns._queue:
            waiting = asyncio.ensure_future(ask())
            await asyncio.sleep(0.01)
        with pytest.raises(RateLimitError, match="no turn"):
            await ask()
        await waiting


async def test_bulk_keeps_no_more_waiting_than_have_time(serve):
    """Twelve that queue at once would wait for six windows, and the deadline is three."""
    acme = Acme(token="t", base_url=await serve(Counting()), rate=Rate(2, per=WINDOW))
    async with ConversationsHub(acme, deadline=3 * WINDOW) as hub:
        results = await hub.fetch(["acme:1"] * 12).collect()
        listed = await hub.fetch([hub["acme"].conversation(Ref("acme", "1"))] * 8).collect()
    assert [result.error for result in results + listed] == [None] * 20


async def test_what_failed_before_the_rate_was_used_up_is_not_forgotten(serve):
    async def silent(request):
        await asyncio.sleep(5)

    acme = Acme(token="t", base_url=await serve(silent), rate=Rate(1, per=20.0))
    async with ConversationsHub(acme, timeout=0.1, deadline=3.0) as hub:
        begun = time.monotonic()
        with pytest.raises(TransportError, match=r"no turn for .* within 3 s") as caught:
            await hub.conversation("acme:1")
        assert "no whole answer" in str(caught.value.__cause__)
        assert time.monotonic() - begun < 2


async def test_a_broken_connection_is_no_way_around_the_rate(serve):
    """aiohttp would ask again by itself when a kept connection breaks."""
    times, connections = [], Counter()

    async def handler(request):
        times.append(time.monotonic())
        connections[request.transport] += 1
        if connections[request.transport] > 1:
            request.transport.abort()
        return web.json_response({"id": "1", "name": "n"})

    acme = Acme(token="t", base_url=await serve(handler), rate=Rate(1, per=WINDOW))
    async with ConversationsHub(acme) as hub:
        for _ in range(4):
            assert await hub.conversation("acme:1")
    assert len(times) > 4
    assert all(b - a > WINDOW for a, b in pairwise(times))


async def test_who_asks_is_proved_when_it_is_sent_and_not_before_its_turn(serve):
    """What a key has signed is good for a time, and a turn may take an hour."""
    ages = []

    @frozen(kw_only=True)
    class Signing(Acme):
        def auth_headers(self):
            return {"Authorization": str(time.monotonic())}

    async def handler(request):
        ages.append(time.monotonic() - float(request.headers["Authorization"]))
        return web.json_response({"id": "1", "name": "n"})

    url = await serve(handler)
    async with ConversationsHub(Signing(token="t", base_url=url, rate=Rate(1, per=0.5))) as hub:
        await hub.conversation("acme:1")
        await hub.conversation("acme:1")
        await hub.download(Attachment(url=f"{url}/file")).read()
    assert len(ages) == 3
    assert max(ages) < 0.4


async def test_a_token_that_ends_while_its_turn_is_waited_for_is_not_sent(serve):
    ends, refused = {}, []

    async def handler(request):
        if request.path.endswith("/token"):
            token = f"token-{len(ends)}"
            ends[token] = time.monotonic() + 0.5
            return web.json_response({"access_token": token, "expires_in": 0.4})
        if time.monotonic() > ends[request.headers["Authorization"].removeprefix("Bearer ")]:
            refused.append(request)
            return web.Response(status=401)
        return web.json_response({"convId": "1", "type": "DIRECT"})

    app = {"client_id": "id", "client_secret": "s3cret", "base_url": await serve(handler)}
    circuit = Circuit(rate=Rate(1, per=0.7), **app)
    async with ConversationsHub(circuit) as hub:
        url = f"{circuit.base_url}/file"
        await asyncio.gather(
            *(hub.run(hub.conversation("circuit:1")) for _ in range(2)),
            *(hub.download(Attachment(url=url)).read() for _ in range(1)),
        )
    assert refused == []


async def test_every_redirect_of_a_download_is_a_request(serve):
    times = []

    async def handler(request):
        times.append(time.monotonic())
        if len(times) < 4:
            return web.Response(status=302, headers={"Location": f"/there/{len(times)}"})
        return web.Response(body=b"file")

    url = await serve(handler)
    acme = Acme(token="t", base_url=url, rate=Rate(1, per=WINDOW))
    async with ConversationsHub(acme) as hub:
        assert await hub.download(Attachment(url=f"{url}/file")).read() == b"file"
    assert len(times) == 4
    assert all(b - a > WINDOW for a, b in pairwise(times))


async def test_a_closed_hub_lets_nobody_wait_for_a_turn(serve):
    acme = Acme(token="t", base_url=await serve(Counting()), rate=Rate(1, per=30))

    async with ConversationsHub(acme) as hub:

        async def ask():
            return await hub.conversation("acme:1")

        waiting = [asyncio.ensure_future(ask()) for _ in range(4)]
        await waiting[0]
    async with asyncio.timeout(10):
        ends = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(end) for end in ends[1:]] == [ConfigurationError] * 3


async def test_whoever_gives_up_leaves_no_place_behind(serve):
    server = Counting()
    acme = Acme(token="t", base_url=await serve(server), rate=Rate(1, per=WINDOW))
    async with ConversationsHub(acme) as hub:

        async def ask():
            return await hub.conversation("acme:1")

        waiting = [asyncio.ensure_future(ask()) for _ in range(5)]
        await asyncio.sleep(0.02)
        for task in waiting[:4]:
            task.cancel()
        async with asyncio.timeout(3 * WINDOW):
            await waiting[4]
        assert sum(task.cancelled() for task in waiting) == 4


async def test_whoever_sent_nothing_has_used_no_place(serve):
    """Three have their turn and queue for a connection when the first is refused."""
    asked = Counter()

    async def handler(request):
        asked["all"] += 1
        if asked["all"] == 1:
            await asyncio.sleep(0.1)
            return web.Response(status=429, headers={"Retry-After": "0"})
        return web.json_response({"id": "1", "name": "n"})

    acme = Acme(token="t", base_url=await serve(handler), rate=Rate(5, per=60))
    async with ConversationsHub(acme, connections=1, deadline=20) as hub:
        calls = [hub.run(hub.conversation("acme:1")) for _ in range(4)]
        await asyncio.gather(*calls)
    assert asked["all"] == 5


async def test_a_rate_that_is_used_up_uses_up_no_other(serve):
    rates = {"rate": Rate(3, per=60), "each": Rate(2, per=60)}
    twice = Twice(token="t", base_url=await serve(Counting()), **rates)
    async with ConversationsHub(twice, deadline=5) as hub:
        for _ in range(2):
            await hub.conversation("acme:1")
        for _ in range(4):
            with pytest.raises(RateLimitError):
                await hub.conversation("acme:1")
        assert await hub.conversation("acme:2")


async def test_a_429_from_elsewhere_slows_no_account(serve):
    """The host of a file is not the provider."""
    refused = asyncio.Event()

    async def elsewhere(request):
        if not refused.is_set():
            refused.set()
            return web.Response(status=429, headers={"Retry-After": "1"})
        return web.Response(body=b"file")

    other = await serve(elsewhere)
    acme = Acme(token="t", base_url=await serve(Counting()))

    async with ConversationsHub(acme) as hub:

        async def load():
            return await hub.download(Attachment(url=f"{other}/file"), provider=acme).read()

        loading = asyncio.ensure_future(load())
        await refused.wait()
        await asyncio.sleep(0.05)
        await hub.conversation("acme:1")
        assert not loading.done()
        assert await loading == b"file"


async def test_a_download_waits_for_an_account_that_answered_429(serve):
    times, refused = [], asyncio.Event()

    async def handler(request):
        times.append(time.monotonic())
        if len(times) == 1:
            refused.set()
            return web.Response(status=429, headers={"Retry-After": "1"})
        return web.json_response({"id": "1", "name": "n"})

    url = await serve(handler)
    async with ConversationsHub(Acme(token="t", base_url=url)) as hub:

        async def ask():
            return await hub.conversation("acme:1")

        asking = asyncio.ensure_future(ask())
        await refused.wait()
        await asyncio.sleep(0.05)
        await hub.download(Attachment(url=f"{url}/file")).read()
        await asking
    assert all(time - times[0] >= 1.0 for time in times[1:])


async def test_a_download_that_queues_while_its_account_is_refused_queues_anew(serve):
    asked = asyncio.Event()

    async def handler(request):
        if not asked.is_set():
            asked.set()
            await asyncio.sleep(0.1)
            return web.Response(status=429, headers={"Retry-After": "0"})
        return web.json_response({"id": "1", "name": "n"})

    url = await serve(handler)
    async with ConversationsHub(Acme(token="t", base_url=url), connections=1) as hub:

        async def ask():
            return await hub.conversation("acme:1")

        asking = asyncio.ensure_future(ask())
        await asked.wait()
        assert await hub.download(Attachment(url=f"{url}/file")).read()
        await asking
