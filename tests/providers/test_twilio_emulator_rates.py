"""Twilio's emulator counts the writes of a service and of a conversation, and nothing else."""

import aiohttp
import pytest

from conversations_hub.emulator.server import Server
from support import seeded

RATE = 3


class Client:
    def __init__(self, server, session):
        self.server, self.session, self.api = server, session, server.api
        self.now = 100.0
        self.api.gate.clock = lambda: self.now

    async def ask(self, method, path, **form):
        url = f"{self.server.base_url}/v1/{path}"
        async with self.session.request(method, url, data=form) as answer:
            body = await answer.json() if answer.status != 204 else {}
            return answer.status, body, answer.headers

    async def write(self, path, **form):
        return (await self.ask("POST", path, **form))[0]


@pytest.fixture
async def serve():
    servers, sessions = [], []

    async def start(**switches):
        api = seeded("twilio", seed=5, scale=0.05, **switches)
        servers.append(Server(api))
        await servers[-1].start()
        auth = aiohttp.encode_basic_auth(api.store.account_sid, api.store.auth_token)
        sessions.append(aiohttp.ClientSession(headers={"Authorization": auth}))
        return Client(servers[-1], sessions[-1])

    yield start
    for session, server in zip(sessions, servers, strict=True):
        await session.close()
        await server.stop()


@pytest.fixture
async def client(serve):
    return await serve(write_rate=RATE)


async def new(client, **form):
    """Return the SID of a conversation that was begun behind the rate's back."""
    return client.api.store.add_conversation(**form).sid


async def test_without_the_switch_nothing_is_counted(serve):
    client = await serve()
    assert [await client.write("Conversations") for _ in range(35)] == [201] * 35


async def test_one_too_many_is_refused_and_did_nothing(client):
    before = client.api.conversation_ids()
    answers = [await client.ask("POST", "Conversations") for _ in range(RATE + 2)]
    assert [status for status, _, _ in answers] == [201] * RATE + [429] * 2
    _, body, headers = answers[-1]
    assert (body["code"], body["status"]) == (20429, 429)
    assert "Retry-After" not in headers
    assert headers["Twilio-Request-Id"].startswith("RQ")
    assert len(client.api.conversation_ids()) == len(before) + RATE


async def test_any_second_is_a_window(client):
    """Not the seconds of a clock, and what was refused does not count."""
    statuses = []
    for now in (0.0, 0.75, 0.875, 0.9375, 1.0, 1.125, 1.75, 1.875, 1.9375):
        client.now = now
        statuses.append(await client.write("Conversations"))
    assert statuses == [201, 201, 201, 429, 201, 429, 201, 201, 429]


async def test_it_may_say_when_to_come_back(serve):
    client = await serve(write_rate=0, retry_after="seconds")
    status, _, headers = await client.ask("POST", "Conversations")
    assert (status, headers["Retry-After"]) == (429, "1")


async def test_a_service_counts_in_either_form(client):
    service = client.api.store.default_service
    conversation = await new(client)
    asked = [
        ("POST", "Conversations", {}),
        ("DELETE", f"Services/{service}/Conversations/{conversation}", {}),
        ("POST", f"Services/{service}/Users", {"Identity": "newcomer"}),
        ("POST", "Users/newcomer", {"FriendlyName": "Ada"}),
        ("DELETE", "Users/newcomer", {}),
        ("POST", "ConversationWithParticipants", {}),
    ]
    statuses = [(await client.ask(method, path, **form))[0] for method, path, form in asked]
    assert statuses == [201, 204, 201, 429, 429, 429]


async def test_services_are_counted_apart(client):
    _, body, _ = await client.ask("POST", "Services", FriendlyName="Other")
    for _ in range(RATE):
        assert await client.write("Conversations") == 201
    assert await client.write("Conversations") == 429
    assert await client.write(f"Services/{body['sid']}/Conversations") == 201


async def test_a_conversation_counts_what_is_written_to_it(client):
    service = client.api.store.default_service
    one = await new(client, unique_name="the-one")
    path = f"Conversations/{one}"
    _, message, _ = await client.ask("POST", f"{path}/Messages", Body="1")
    _, person, _ = await client.ask("POST", f"{path}/Participants", Identity="ada")
    assert await client.write("Conversations/the-one", FriendlyName="x") == 200
    there = f"Services/{service}/{path}"
    refused = [
        ("POST", path),
        ("POST", f"{path}/Messages"),
        ("POST", f"{there}/Messages/{message['sid']}"),
        ("DELETE", f"{path}/Messages/{message['sid']}"),
        ("POST", f"{there}/Participants"),
        ("POST", f"{path}/Participants/{person['sid']}"),
        ("DELETE", f"{path}/Participants/{person['sid']}"),
    ]
    for method, each in refused:
        assert (await client.ask(method, each))[0] == 429, each
    client.now += 1
    assert await client.write(f"{path}/Messages", Body="2") == 201


async def test_conversations_and_their_service_are_counted_apart(client):
    one, other = await new(client), await new(client)
    for _ in range(RATE):
        assert await client.write(f"Conversations/{one}/Messages", Body="x") == 201
    assert await client.write(f"Conversations/{one}/Messages", Body="x") == 429
    assert await client.write(f"Conversations/{other}/Messages", Body="x") == 201
    assert await client.write("Conversations") == 201
    assert (await client.ask("DELETE", f"Conversations/{one}"))[0] == 204


async def test_neither_reads_nor_other_writes_are_counted(client):
    sid = await new(client)
    hook = {"Target": "webhook", "Configuration.Url": "https://a.test/"}
    for _ in range(RATE + 2):
        assert (await client.ask("GET", f"Conversations/{sid}/Messages"))[0] == 200
        assert await client.write(f"Conversations/{sid}/Webhooks", **hook) == 201
        assert await client.write("Configuration", DefaultClosedTimer="PT60000S") == 200


async def test_a_stranger_is_not_counted(client):
    url = f"{client.server.base_url}/v1/Conversations"
    for _ in range(RATE + 1):
        async with client.session.post(url, headers={"Authorization": "Basic eDp5"}) as answer:
            assert answer.status == 401
    assert await client.write("Conversations") == 201
