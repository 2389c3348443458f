"""The official Twilio SDK, pointed at the emulator, sees exactly what the emulator holds."""

import asyncio
import warnings

import pytest

from conversations_hub.emulator import Emulator

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from twilio.http.async_http_client import AsyncTwilioHttpClient
    from twilio.rest import Client


def client_of(emulator, http_client=None):
    settings = emulator.settings()["twilio"]
    client = Client(settings["account_sid"], settings["auth_token"], http_client=http_client)
    client.conversations.base_url = settings["base_url"]
    return client


@pytest.fixture
async def twilio():
    async with Emulator(seed=11, scale=0.2, only=["twilio"]) as emulator:
        yield emulator


async def test_the_sync_client_lists_what_the_hub_lists(twilio):
    api, client = twilio["twilio"], client_of(twilio)

    def read():
        since = "1970-01-01T00:00:00Z"
        conversations = client.conversations.v1.conversations
        found = [c.sid for c in conversations.list(start_date=since, page_size=3)]
        longest = max(found, key=lambda sid: len(api.message_ids(sid)))
        messages = [m.sid for m in conversations(longest).messages.list(page_size=50)]
        people = [p.sid for p in conversations(longest).participants.list(page_size=2)]
        return found, longest, messages, people

    found, longest, messages, people = await asyncio.to_thread(read)
    assert found == api.conversation_ids()
    assert messages == api.message_ids(longest)
    assert people == api.participant_ids(longest)
    async with twilio.hub() as hub:
        assert found == [c.ref.id async for c in hub.conversations(page_size=3)]
        assert messages == [m.ref.id async for m in hub.messages(f"twilio:{longest}", page_size=50)]
        assert people == [p.ref.id async for p in hub.participants(f"twilio:{longest}")]


# The SDK's async client still hands its credentials to aiohttp the old way.
@pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The 'auth' parameter is deprecated:DeprecationWarning")
async def test_the_async_client_lists_page_by_page(twilio):
    api = twilio["twilio"]
    async with AsyncTwilioHttpClient() as http_client:
        client = client_of(twilio, http_client)
        stream = await client.conversations.v1.conversations.stream_async(
            start_date="1970-01-01T00:00:00Z", page_size=7
        )
        found = [c.sid async for c in stream]
        messages = await client.conversations.v1.conversations(found[0]).messages.list_async(
            order="desc"
        )
    assert found == api.conversation_ids()
    assert [m.sid for m in messages] == api.message_ids(found[0])[::-1]
    assert sum(r.target.startswith("/v1/Conversations?") for r in twilio.requests) == -(
        -len(found) // 7
    )
