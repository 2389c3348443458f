"""Circuit's authorization server, faked: asked over real sockets with what an application sends."""

import json
from base64 import b64encode
from urllib.parse import quote_plus

import aiohttp
import pytest
from attrs import evolve
from yarl import URL

from conversations_hub.emulator.server import Server
from support import seeded

BACK = "https://bot.test/back"
TOKEN_ERROR = {"errorCode": "401", "errorDescription": "Invalid Token Error"}


class Client:
    def __init__(self, server, session):
        self.server, self.session, self.api = server, session, server.api
        self.oauth = self.api.oauth
        self.pair = {"client_id": self.oauth.client_id, "client_secret": self.oauth.client_secret}

    def switch(self, **changes):
        self.api.switches = evolve(self.api.switches, **changes)

    async def ask(self, method, path, **given):
        url = URL(self.server.base_url).origin().join(URL(path))
        async with self.session.request(method, url, allow_redirects=False, **given) as answer:
            return answer.status, answer.headers, await answer.text()

    async def post(self, form, headers=None):
        status, _, text = await self.ask("POST", "/oauth/token", data=form, headers=headers)
        return status, json.loads(text)

    async def bot(self, **form):
        return await self.post({**self.pair, "grant_type": "client_credentials", **form})

    async def exchange(self, code):
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK}
        return await self.post({**self.pair, **form})

    async def refresh(self, token):
        form = {"grant_type": "refresh_token", "refresh_token": token}
        return await self.post({**self.pair, **form})

    async def status(self, token):
        """Return how the API answers a token."""
        headers = {"Authorization": f"Bearer {token}"}
        status, _, text = await self.ask("GET", "/rest/v2/users/profile", headers=headers)
        if status == 401:
            assert json.loads(text) == TOKEN_ERROR
        return status

    async def authorize(self, **query):
        known = {
            "response_type": "code",
            "client_id": self.oauth.client_id,
            "redirect_uri": BACK,
            "state": "s t",
        }
        status, headers, _ = await self.ask("GET", "/oauth/authorize", params=known | query)
        assert status == 302
        place = URL(headers["Location"])
        assert place.query["state"] == "s t"
        return place.query

    def later(self, seconds):
        now = self.oauth.grants.clock() + seconds
        self.oauth.grants.clock = lambda: now


@pytest.fixture
async def client():
    server = Server(seeded("circuit", seed=3, scale=0.01))
    await server.start()
    async with aiohttp.ClientSession() as session:
        yield Client(server, session)
    await server.stop()


def basic(name, secret):
    pair = f"{quote_plus(name)}:{quote_plus(secret)}".encode()
    return {"Authorization": f"Basic {b64encode(pair).decode()}"}


def refusal(answer):
    status, body = answer
    assert set(body) == {"error", "error_description"}
    return status, body["error"]


# Bots


async def test_credentials_bring_a_token_and_nothing_more(client):
    status, answer = await client.bot()
    assert status == 200
    assert set(answer) == {"access_token", "token_type", "scope"}
    assert (answer["token_type"], answer["scope"]) == ("Bearer", ["ALL"])
    assert await client.status(answer["access_token"]) == 200


async def test_each_request_brings_another_token_and_none_ends_the_last(client):
    (_, one), (_, other) = await client.bot(), await client.bot()
    assert one["access_token"] != other["access_token"]
    assert await client.status(one["access_token"]) == 200
    assert await client.status(other["access_token"]) == 200
    assert (client.oauth.issued, client.oauth.refreshes) == (2, 0)


async def test_credentials_may_come_as_basic(client):
    form = {"grant_type": "client_credentials"}
    right = basic(client.oauth.client_id, client.oauth.client_secret)
    assert (await client.post(form, right))[0] == 200
    for wrong in (
        basic(client.oauth.client_id, "wrong"),
        {"Authorization": "Basic ?"},
        {"Authorization": right["Authorization"].replace("Basic", "Bearer")},
    ):
        assert refusal(await client.post(form, wrong)) == (401, "invalid_client")
    assert refusal(await client.post({**form, **client.pair}, right)) == (400, "invalid_request")
    assert client.oauth.issued == 1


async def test_commas_separate_scopes_and_a_list_comes_back(client):
    _, answer = await client.bot(scope="READ_CONVERSATIONS,READ_USER_PROFILE")
    assert answer["scope"] == ["READ_CONVERSATIONS", "READ_USER_PROFILE"]


@pytest.mark.parametrize(
    "scope", ["READ_CONVERSATIONS READ_USER_PROFILE", "READ_EVERYTHING", "ALL,", "all"]
)
async def test_other_scopes_are_refused(client, scope):
    assert refusal(await client.bot(scope=scope)) == (400, "invalid_scope")


# Lifetimes


async def test_a_token_lasts_unless_a_switch_says_otherwise(client):
    _, answer = await client.bot()
    client.later(10**9)
    assert await client.status(answer["access_token"]) == 200


@pytest.mark.parametrize("told", ["absent", "present"])
async def test_a_token_ends_whether_or_not_that_was_told(client, told):
    client.switch(token_seconds=30, expires_in=told)
    _, answer = await client.bot()
    assert answer.get("expires_in") == (30 if told == "present" else None)
    assert await client.status(answer["access_token"]) == 200
    client.later(30)
    assert await client.status(answer["access_token"]) == 401


async def test_tests_end_tokens(client):
    (_, one), (_, other) = await client.bot(), await client.bot()
    client.oauth.revoke(one["access_token"])
    assert await client.status(one["access_token"]) == 401
    assert await client.status(other["access_token"]) == 200
    client.oauth.expire_all()
    assert await client.status(other["access_token"]) == 401
    assert await client.status(client.api.settings["token"]) == 200
    assert set(client.api.arguments) == {"token"}


# Codes


async def test_agreeing_sends_the_browser_back_with_a_code(client):
    answer = await client.authorize(scope="READ_CONVERSATIONS,WRITE_CONVERSATIONS")
    status, token = await client.exchange(answer["code"])
    assert status == 200
    assert set(token) == {"access_token", "token_type", "scope"}
    assert token["scope"] == ["READ_CONVERSATIONS", "WRITE_CONVERSATIONS"]
    assert await client.status(token["access_token"]) == 200


async def test_a_code_works_once_and_for_a_minute(client):
    code, late = client.oauth.consent(BACK), client.oauth.consent(BACK)
    assert (await client.exchange(code))[0] == 200
    assert refusal(await client.exchange(code)) == (400, "invalid_grant")
    client.later(60)
    assert refusal(await client.exchange(late)) == (400, "invalid_grant")


async def test_what_the_browser_is_told(client):
    assert (await client.authorize(scope="A B"))["error"] == "invalid_scope"
    assert (await client.authorize(response_type="id_token"))["error"] == (
        "unsupported_response_type"
    )
    client.oauth.declines = True
    answer = await client.authorize()
    assert answer["error"] == "access_denied"
    assert "code" not in answer


async def test_scheme_host_and_port_are_registered(client):
    client.oauth.redirect_uris = ("https://bot.test:8443/registered",)
    await client.authorize(redirect_uri="https://bot.test:8443/elsewhere?x=1")
    query = {"client_id": client.oauth.client_id, "redirect_uri": BACK}
    status, headers, _ = await client.ask("GET", "/oauth/authorize", params=query)
    assert status == 400
    assert "Location" not in headers


# Refresh tokens


async def test_a_lasting_refresh_token_stays(client):
    client.switch(refresh_tokens="lasting")
    _, first = await client.exchange(client.oauth.consent(BACK, scopes=("CALLS",)))
    for _ in range(2):
        status, answer = await client.refresh(first["refresh_token"])
        assert status == 200
        assert "refresh_token" not in answer
        assert answer["scope"] == ["CALLS"]
        assert await client.status(answer["access_token"]) == 200
    assert (client.oauth.issued, client.oauth.refreshes) == (3, 2)


async def test_a_rotating_refresh_token_used_twice_ends_its_family(client):
    client.switch(refresh_tokens="rotating")
    _, first = await client.exchange(client.oauth.consent(BACK))
    _, second = await client.refresh(first["refresh_token"])
    assert refusal(await client.refresh(first["refresh_token"])) == (400, "invalid_grant")
    assert refusal(await client.refresh(second["refresh_token"])) == (400, "invalid_grant")
    assert await client.status(second["access_token"]) == 401


async def test_bots_get_no_refresh_token(client):
    client.switch(refresh_tokens="rotating")
    _, answer = await client.bot()
    assert "refresh_token" not in answer


@pytest.mark.parametrize("path", ["/rest/v2/oauth/token", "/rest/oauth/token"])
async def test_oauth_is_at_the_root_alone(client, path):
    assert (await client.ask("POST", path))[0] == 404
