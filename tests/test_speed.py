"""A guard against slowness: how many functions are called, which is the same on every machine.

Counted are the calls of the package's own functions and those that they make of C's. The limits are
a tenth above what was counted with Python 3.11.
"""

import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from attrs import field, frozen

import conversations_hub
from conversations_hub import ConversationsHub, Ref, Twilio
from conversations_hub.emulator import Emulator
from conversations_hub.wire import Response

PACKAGE = str(Path(conversations_hub.__file__).parent)
# What attrs writes for our classes belongs to us.
WRITTEN = "<attrs generated"
TIMES = 10

PER_MESSAGE = {"twilio": 2.7, "sunshine": 4.7, "clio": 4.0, "circuit": 9.2}
PER_REQUEST = 85
PER_MESSAGE_OF_A_LIST = 14


@frozen
class Calls:
    """What was called how often, by names."""

    counted: Counter = field(factory=Counter)

    @property
    def total(self):
        return self.counted.total()

    def take(self, frame, event, argument):
        if event not in {"call", "c_call"}:
            return
        code = frame.f_code
        if not code.co_filename.startswith((PACKAGE, WRITTEN)):
            return
        self.counted[_name(code) if event == "call" else argument.__qualname__] += 1

    def check(self, limit, each):
        """Compare with a limit for each of so many, and say what there is most of."""
        found = self.total / each
        most = ", ".join(f"{name} {n / each:.2f}" for name, n in self.counted.most_common(20))
        assert found <= limit, f"{found:.2f} calls, {limit} are allowed; most often {most}"


def _name(code):
    if code.co_filename.startswith(WRITTEN):
        return code.co_filename.removeprefix(WRITTEN).strip(" >")
    return f"{Path(code.co_filename).stem}.{code.co_qualname}"


@contextmanager
def counting():
    calls, before = Calls(), sys.getprofile()
    sys.setprofile(calls.take)
    try:
        yield calls
    finally:
        sys.setprofile(before)


async def page_of(name):
    """Return a listing and the page of a hundred that an emulated provider answers."""
    async with Emulator(seed=1, only=[name]) as emulator, ClientSession() as session:
        api, [provider] = emulator[name], emulator.providers()
        longest = max(api.conversation_ids(), key=lambda one: len(api.message_ids(one)))
        listing = provider.messages(Ref(name, longest), page_size=100)
        headers = {**listing.request.headers, **provider.auth_headers()}
        async with session.get(listing.request.url, headers=headers) as answer:
            return listing, Response(status=answer.status, body=await answer.read())


@pytest.mark.parametrize("name", PER_MESSAGE)
async def test_a_message_takes_few_calls_to_read(name):
    listing, response = await page_of(name)
    listing.read(listing.request, response)  # makes the decoder
    with counting() as calls:
        page = listing.read(listing.request, response)
    assert len(page.items) == 100
    calls.check(PER_MESSAGE[name], each=100)


async def test_a_request_takes_few_calls(serve, sample):
    """The least of many counts, since an answer in two pieces wakes everybody who waits twice."""
    body = sample("twilio", "message-chat")

    async def answer(request):
        return web.json_response(body)

    provider = Twilio(account_sid="AC1", auth_token="t", base_url=await serve(answer))
    async with ConversationsHub(provider) as hub:
        call = hub[Twilio].message(Ref("twilio", "CH1"), "IM1")
        await hub.run(call)
        found = []
        for _ in range(TIMES):
            with counting() as calls:
                await hub.run(call)
            found.append(calls)
    min(found, key=lambda calls: calls.total).check(PER_REQUEST, each=1)


async def test_an_item_of_a_list_takes_few_calls(serve, sample):
    """All that a page costs counts here, shared out to its hundred messages."""
    listing, response = await page_of("twilio")
    before = str(listing.request.url.origin()).encode()

    async def answer(request):
        body = response.body.replace(before, str(request.url.origin()).encode())
        return web.Response(body=body, content_type="application/json")

    provider = Twilio(account_sid="AC1", auth_token="t", base_url=await serve(answer))
    conversation = Ref("twilio", listing.request.url.parts[-2])
    async with ConversationsHub(provider) as hub:
        found = []
        for _ in range(TIMES):
            with counting() as calls:
                items = [item async for item in hub.messages(conversation, limit=100)]
            assert len(items) == 100
            found.append(calls)
    min(found, key=lambda calls: calls.total).check(PER_MESSAGE_OF_A_LIST, each=100)
