import asyncio
import gc
import weakref

import aiohttp
import pytest

from conversations_hub import ConfigurationError, ConversationsHub
from conversations_hub.emulator import Emulator
from conversations_hub.providers import PROVIDERS

KEYS = {
    "twilio": {"base_url", "account_sid", "auth_token"},
    "sunshine": {"base_url", "app_id", "key_id", "secret", "user_ids"},
    "clio": {"base_url", "token", "receiver_id"},
    "circuit": {"base_url", "token", "user_ids"},
}


async def test_settings_are_what_clients_of_any_kind_need():
    async with Emulator(scale=0.1) as emulator:
        assert {name: set(found) for name, found in emulator.settings().items()} == KEYS
        assert all(
            s["base_url"].startswith("http://127.0.0.1:") for s in emulator.settings().values()
        )


@pytest.mark.parametrize("name", PROVIDERS)
def test_there_is_plenty_to_read(name):
    api = Emulator(only=[name])[name]
    conversations = api.conversation_ids()
    assert len(conversations) >= 120
    assert sum(len(api.message_ids(c)) for c in conversations) >= 3000


async def bodies(seed):
    """Return what two servers of one seed say, but for their ports."""
    async with Emulator(seed=seed, scale=0.1) as emulator, emulator.hub() as hub:
        found = [dict(c.raw) async for c in hub.conversations()]
        ports = [
            server.base_url.rpartition(":")[2].partition("/")[0]
            for server in emulator.servers.values()
        ]
    text = repr(sorted(found, key=repr))
    for port in ports:
        text = text.replace(f":{port}", "")
    return text


async def test_a_seed_decides_everything():
    one, same, other = await asyncio.gather(bodies(4), bodies(4), bodies(5))
    assert one == same
    assert one != other


async def test_latency_is_added_to_every_answer():
    async with Emulator(scale=0.1, only=["clio"], latency=0.2) as emulator, emulator.hub() as hub:
        loop = asyncio.get_running_loop()
        start = loop.time()
        await anext(hub.conversations(prefetch=0))
        assert loop.time() - start >= 0.2


async def test_every_request_is_logged_as_it_arrived():
    async with Emulator(scale=0.1, only=["clio"]) as emulator:
        url = f"{emulator.base_url('clio')}/conversations.json?order=id(asc)&a=%2F"
        async with aiohttp.ClientSession() as session, session.get(url, data=b"body") as answer:
            assert answer.status == 401
        (request,) = emulator.requests
        assert request.target.startswith("/api/v4/conversations.json?order=id(asc)&a=")
        assert (request.provider, request.method, request.status) == ("clio", "GET", 401)
        assert request.body == b"body"


@pytest.mark.parametrize(
    "arguments",
    [{"only": ["slack"]}, {"switches": {"slack": {}}}, {"switches": {"clio": {"nonsense": 1}}}],
)
def test_what_cannot_be_emulated_is_refused(arguments):
    with pytest.raises(ConfigurationError):
        Emulator(**arguments)


async def test_nothing_is_left_behind():
    tasks = asyncio.all_tasks()
    async with Emulator(scale=0.1) as emulator, emulator.hub() as hub:
        await anext(hub.conversations())
        url = emulator.base_url("clio")
    await asyncio.sleep(0.01)
    assert asyncio.all_tasks() == tasks
    async with ConversationsHub(*emulator.providers(), retries=0) as hub:
        with pytest.raises(Exception, match="check base_url"):
            await anext(hub.conversations("clio"))
    assert url


async def test_an_emulation_that_is_over_is_forgotten():
    """A test suite makes one after the other, and each holds all its conversations."""
    async with Emulator(seed=3, scale=0.1) as emulator, emulator.hub() as hub:
        await hub.conversations(limit=5).collect(limit=None)
        kept = [weakref.ref(emulator[name]) for name in PROVIDERS]
    del emulator, hub
    gc.collect()
    assert [one() for one in kept] == [None] * 4
