"""Every operation of every provider works on the emulator, and none is forgotten."""

import inspect
import re
from contextlib import asynccontextmanager, nullcontext
from importlib import import_module
from unittest.mock import patch

import pytest
from attrs import evolve

from conversations_hub import ConversationsHub
from conversations_hub.emulator import Emulator
from conversations_hub.providers import PROVIDERS, load
from conversations_hub.transport import Transport
from switches import WRITING, turns

# What a provider must be asked as, to have been asked everything: with these settings, too.
FORMS = {"twilio": [{}, {"service_sid": "the default service"}]}


def operations(cls):
    return {n for n, m in inspect.getmembers(cls) if getattr(m, "is_operation", False)}


def forms(name, api):
    for form in FORMS.get(name, [{}]):
        yield form | ({"service_sid": api.store.default_service} if form else {})


def spying(called):
    send = Transport.send

    async def spy(self, provider, request, operation):
        called.add(operation)
        return await send(self, provider, request, operation)

    return spy


@asynccontextmanager
async def everything_asked(name, **switches):
    """Ask a provider everything on an emulator: what was called, and what was requested."""
    called = set()
    async with Emulator(seed=5, scale=0.1, only=[name], switches={name: switches}) as emulator:
        server = emulator.servers[name]
        for form in forms(name, server.api):
            (provider,) = emulator.providers()
            async with ConversationsHub(evolve(provider, **form)) as hub:
                with patch.object(Transport, "send", spying(called)):
                    await import_module(f"operations.{name}").everything(hub, name, server.api)
        yield called, server.requests


@pytest.mark.parametrize("name", PROVIDERS)
async def test_every_operation_is_called(name):
    async with everything_asked(name) as (called, requests):
        assert operations(load(name)) - called == set()
    assert not [r for r in requests if r.status >= 500]


def turned():
    """Yield every position of the switches about writing, but the defaults."""
    for name, switches in WRITING.items():
        for switch, values in switches.items():
            for turn in turns(values)[1:]:
                yield pytest.param(name, switch, turn, id=f"{name}: {switch}={turn.value}")


@pytest.mark.parametrize(("name", "switch", "turn"), list(turned()))
async def test_what_is_not_known_for_sure_breaks_nothing(name, switch, turn):
    """Everything works either way, or ends in the error that says why it cannot."""
    with pytest.raises(turn.error) if turn.error else nullcontext():
        async with everything_asked(name, **{switch: turn.value}):
            pass


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_operation_says_what_it_speaks(name):
    """The tables of operations are made from the docstrings."""
    cls = load(name)
    for operation in operations(cls):
        assert spoken(cls, operation), f"{operation} names no method and path"


def spoken(cls, operation):
    """Return the methods and paths that an operation's docstring names."""
    text = inspect.getdoc(getattr(cls, operation)) or ""
    return re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) [^`]+)`", " ".join(text.split()))
