"""What reading back says of every write of every provider, when its answer is lost."""

from collections import defaultdict
from importlib import import_module
from unittest.mock import patch

import pytest
from attrs import evolve

from conversations_hub import AmbiguousWriteError, ConversationsHub, TransportError
from conversations_hub.emulator import Emulator
from conversations_hub.fetch import Fetcher
from conversations_hub.providers import PROVIDERS
from conversations_hub.recipes import Call
from providers.test_operations import forms

RUN, STEP = Fetcher.run, Fetcher._step


class Lost:
    """Loses the answer of every write, before the provider sees it or after it was carried out.

    Each is looked for as the error says; then the call goes on as if the answer had come.
    """

    def __init__(self, *, done):
        self.done = done
        self.told = defaultdict(set)
        self.wrong = []
        self.lost = []
        self.spared = []

    def patched(self):
        async def step(fetcher, *args):
            return await self.step(fetcher, *args)

        async def run(fetcher, call):
            return await self.run(fetcher, call)

        return patch.multiple(Fetcher, run=run, _step=step)

    async def step(self, fetcher, provider, call, operation):
        if not call.request.is_write or call.prepares or call in self.spared:
            return await STEP(fetcher, provider, call, operation)
        answer = await STEP(fetcher, provider, call, operation) if self.done else (None, True)
        if not answer[1]:
            return answer  # a refusal that is an answer, too
        self.lost.append((call, answer[0]))
        raise TransportError("lost", provider=provider.name, operation=operation)

    async def run(self, fetcher, call):
        while True:
            try:
                return await RUN(fetcher, call)
            except AmbiguousWriteError as error:
                if not self.lost:
                    raise
                call, found = await self.looked(error, *self.lost.pop())
                if call is None:
                    return found

    async def looked(self, error, call, found):
        """Find out, and return what to go on with: a call, or the value."""
        await self.look(error, call, found)
        if self.done and not isinstance(found, Call):
            return None, found
        on = evolve(found if self.done else call, question=call.question, runner=call.runner)
        if not self.done:
            self.spared.append(on)
        return on, None

    async def look(self, error, call, found):
        outcome = None if error.reconcile is None else await error.reconcile
        happened = None if outcome is None else outcome.happened
        self.told[error.operation].add(happened)
        if error.operation in READ_OTHERWISE:
            return
        if happened is (not self.done) and error.operation not in ALREADY:
            self.wrong.append((error.operation, happened))
        elif (
            self.done
            and happened
            and not isinstance(found, Call)
            and outcome.value not in (None, found)
        ):
            self.wrong.append((error.operation, outcome.value, found))


# What everything sets to what it is already: then it is as it was to be, whoever made it so.
ALREADY = {"mark_read", "update_configuration", "update_configuration_webhook"}

# The answer to the write leaves out what reading gives.
READ_OTHERWISE = {"update_app"}

# What cannot be read back, or not in every case; each provider's page says why.
UNTOLD = {
    "twilio": {"create", "update", "add_participant", "update_user_conversation"},
    "sunshine": {
        "create",
        "delete_attachment",
        "delete_messages",
        "delete_user",
        "update_integration",
        "update",
        "post_conversion_events",
        "start_typing",
        "stop_typing",
        "pass_control",
        "accept_control",
        "sync_user",
    },
    "clio": set(),
    "circuit": {
        "create",
        "send",
        "archive",
        "unarchive",
        "post_to_webhook",
        "delete_incoming_webhook",
    },
}


@pytest.mark.parametrize("done", [True, False], ids=["done", "not done"])
@pytest.mark.parametrize("name", PROVIDERS)
async def test_every_write_is_found_or_missed(name, done):
    lost = Lost(done=done)
    async with Emulator(seed=5, scale=0.1, only=[name]) as emulator:
        server = emulator.servers[name]
        for form in forms(name, server.api):
            (provider,) = emulator.providers()
            async with ConversationsHub(evolve(provider, **form)) as hub:
                with lost.patched():
                    await import_module(f"operations.{name}").everything(hub, name, server.api)
    assert lost.wrong == []
    assert {operation for operation, told in lost.told.items() if None in told} <= UNTOLD[name]
