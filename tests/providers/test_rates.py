"""The budgets of the providers, as their own servers count them."""

import asyncio
import time

import pytest

from conversations_hub import Clio, ConversationsHub, Rate, Ref, Twilio
from conversations_hub.account import Account
from conversations_hub.emulator import Emulator
from conversations_hub.provider import Provider
from conversations_hub.providers.twilio.budgets import budget_of
from conversations_hub.watching import Watch
from conversations_hub.wire import Request, Response, upload


def emulated(name, **switches):
    return Emulator(seed=3, scale=0, only=[name], switches={name: switches})


async def test_what_clio_tells_is_kept_to():
    """No 429 in two windows, though nobody configured a rate."""
    async with emulated("clio", rate_limit=20, rate_window=1.0) as emulator:
        ref = Ref("clio", emulator["clio"].conversation_ids()[0])
        async with emulator.hub() as hub:
            results = await hub.fetch([ref] * 35, concurrency=32).collect()
        assert all(result.error is None for result in results)
        assert [request for request in emulator.requests if request.status == 429] == []


async def test_what_others_use_of_clios_window_is_noticed():
    async with emulated("clio", rate_limit=20, rate_window=1.5) as emulator:
        ref = Ref("clio", emulator["clio"].conversation_ids()[0])
        async with emulator.hub() as hub, emulator.hub() as other:
            for _ in range(5):
                await other.conversation(ref)
                await hub.conversation(ref)
            results = await hub.fetch([ref] * 15, concurrency=32).collect()
        assert all(result.error is None for result in results)
        assert [request for request in emulator.requests if request.status == 429] == []


@pytest.mark.parametrize(("status", "waits"), [(200, False), (401, True), (404, True), (502, True)])
async def test_what_clio_does_not_tell_with_a_refusal_it_may_tell_with_the_next_answer(
    status, waits
):
    """A refused token told nothing, and whoever waited for it was sent at once, past the limit."""
    account = Account(
        provider=Clio(token="t"), keeper=None, gate=asyncio.Semaphore(), watch=Watch()
    )
    now = asyncio.get_running_loop().time()
    learned = next(account.pace.turns({}, now)).limit
    learned.take(now)
    account.learn(Response(status=status))
    learned.answered(now)
    learned.take(now)
    assert (learned.pause(now) > 0) is waits


def write(method, *parts, **options):
    return Request(method=method, url=TWILIO.url("v1", *parts), **options)


TWILIO = Twilio(account_sid="AC1", auth_token="t")


@pytest.mark.parametrize(
    ("request_", "budget"),
    [
        (write("GET", "Conversations", "CH1"), None),
        (write("POST", "Conversations"), "writes"),
        (write("POST", "Services", "IS1", "Conversations"), "writes"),
        (write("DELETE", "Conversations", "CH1"), "writes"),
        (write("POST", "Conversations", "CH1"), "writes of CH1"),
        (write("POST", "Conversations", "CH1", "Messages"), "writes of CH1"),
        (write("DELETE", "Conversations", "CH1", "Messages", "IM1"), "writes of CH1"),
        (write("POST", "Services", "IS1", "Conversations", "CH2", "Participants"), "writes of CH2"),
        (write("POST", "Users"), "writes"),
        (write("POST", "Services", "IS1", "Media", file=upload(b"")), None),
    ],
)
def test_which_of_twilios_budgets_a_request_takes_from(request_, budget):
    assert budget_of(request_) == budget
    assert list(TWILIO.rates(request_)) == ([budget] if budget else [])


def test_a_rate_of_the_account_comes_on_top():
    both = Twilio(account_sid="AC1", auth_token="t", rate=Rate(5), write_rate=None)
    assert both.rates(write("POST", "Conversations")) == {"": Rate(5)}
    assert Provider.rates(both, write("GET", "Conversations")) == {"": Rate(5)}


async def test_twilios_writes_have_a_budget_for_each_conversation_and_reads_have_none():
    """Never more than thirty in any second, and nearly all of it; what else there is goes on."""
    async with emulated("twilio", write_rate=30) as emulator:
        api = emulator["twilio"]
        busy, quiet = (Ref("twilio", one) for one in api.conversation_ids()[:2])
        [provider] = emulator.providers()
        async with ConversationsHub(provider, connections=64) as hub:
            begun = time.monotonic()
            writing = asyncio.ensure_future(
                hub.fetch([hub.send(busy, f"{n}") for n in range(61)], concurrency=48).collect()
            )
            await asyncio.sleep(0.05)
            await hub.fetch([quiet] * 100, concurrency=8).collect()
            assert await hub.send(quiet, "not kept waiting")
            assert not writing.done()
            results = await writing
            took = time.monotonic() - begun
        assert all(result.error is None for result in results)
        assert [request for request in emulator.requests if request.status == 429] == []
        server = emulator.servers["twilio"]

        def is_counted(request):
            return request.method == "POST" and busy.id in request.target

        assert server.busiest(1.0, is_counted) <= 30
        assert 2.0 <= took <= 2.0 / 0.8


async def test_what_no_header_tells_is_learned_from_a_429():
    """Sunshine publishes no rate: the account is asked on, gently, and all of it is done."""
    async with emulated("sunshine", rate_limit=20, rate_window=0.5) as emulator:
        ref = Ref("sunshine", emulator["sunshine"].conversation_ids()[0])
        async with emulator.hub(retries=20) as hub:
            results = await hub.fetch([ref] * 45, concurrency=32).collect()
        assert all(result.error is None for result in results)
        refused = [request for request in emulator.requests if request.status == 429]
        assert 0 < len(refused) <= 45
