"""The few fixtures that tests share."""

import gc
import inspect
import json
import os
import pickle
from functools import lru_cache
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from hypothesis import HealthCheck, settings

import conversations_hub.emulator
from conversations_hub import Sunshine
from conversations_hub.emulator import Emulator

# The suite tries the same examples every time; `HYPOTHESIS_PROFILE=hunt` looks for new ones.
COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("suite", derandomize=True, max_examples=35, **COMMON)
settings.register_profile("hunt", max_examples=600, **COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))

SAMPLES = Path(__file__).parent / "samples"


def pytest_xdist_auto_num_workers():
    """Use one process more than there are cores: the suite also waits for sockets."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_finish():
    """Spare the garbage collector thousands of tests that stay: it took a third of the time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def kept_seeds():
    """Invent each account once: its copies are made ten times as fast."""
    invented = conversations_hub.emulator._api

    @lru_cache(maxsize=100)
    def kept(name, seed, scale, *switches):
        return pickle.dumps(invented(name, seed, scale, dict(switches)))

    def copied(name, seed, scale, switches):
        return pickle.loads(kept(name, seed, scale, *switches.items()))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conversations_hub.emulator, "_api", copied)
        yield


@pytest.fixture(autouse=True)
def reads_that_keep_up(monkeypatch):
    """Do not look again for what the emulator would show at once; a test that needs to says so."""
    monkeypatch.setattr(Sunshine, "read_lag", 0.0)


@pytest.fixture
def sample():
    """Return a provider's payload: sample("twilio", "message-media")."""

    def load(provider, name):
        return json.loads((SAMPLES / provider / f"{name}.json").read_text(encoding="utf-8"))

    return load


@pytest.fixture
async def emulator():
    async with Emulator(seed=7, scale=0.1) as running:
        yield running


@pytest.fixture
async def hub(emulator):
    async with emulator.hub() as opened:
        yield opened


@pytest.fixture
async def serve():
    """Serve a handler on loopback; the value is its base URL."""
    runners = []

    async def start(handler):
        app = web.Application()

        async def handle(request):
            return await handler(request)

        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        runners.append(runner)
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield start
    for runner in runners:
        await runner.cleanup()


class MockedResponse(aiohttp.ClientResponse):
    """aioresponses 0.7 does not know of an argument that aiohttp 3.14 made a must."""

    def __init__(self, *args, **kwargs):
        if "stream_writer" in inspect.signature(aiohttp.ClientResponse.__init__).parameters:
            kwargs.setdefault("stream_writer", type("Writer", (), {"output_size": 0})())
        super().__init__(*args, **kwargs)


@pytest.fixture
def mocked_response():
    return MockedResponse
