"""Clio's authorization server, faked: asked over real sockets with what an application sends."""

import json

import aiohttp
import pytest
from attrs import evolve
from yarl import URL

from conversations_hub.emulator.server import Server
from support import seeded

BACK = "https://client.test/back?kept=1"
STATE = "a b&c=d/é%20"
UNAUTHORIZED = {"error": {"type": "UnauthorizedError", "message": "User is not authorized"}}


class Client:
    def __init__(self, server, session):
        self.server, self.session, self.api = server, session, server.api
        self.oauth = self.api.oauth

    def switch(self, **changes):
        self.api.switches = evolve(self.api.switches, **changes)

    async def ask(self, method, path, *, token=None, **given):
        if token is not None:
            given["headers"] = {"Authorization": f"Bearer {token}"}
        url = URL(self.server.base_url).origin().join(URL(path))
        asking = self.session.request(method, url, allow_redirects=False, **given)
        async with asking as answer:
            return answer.status, answer.headers, await answer.text()

    async def post(self, **form):
        """Return what the token endpoint answers to a form; None leaves a member out."""
        known = {"client_id": self.oauth.client_id, "client_secret": self.oauth.client_secret}
        sent = {name: value for name, value in {**known, **form}.items() if value is not None}
        status, headers, text = await self.ask("POST", "/oauth/token", data=sent)
        assert headers["Content-Type"] == "application/json; charset=utf-8"
        assert headers["Cache-Control"] == "no-store"
        return status, json.loads(text)

    async def exchange(self, code, redirect_uri=BACK, **form):
        return await self.post(
            grant_type="authorization_code", code=code, redirect_uri=redirect_uri, **form
        )

    async def refresh(self, token):
        return await self.post(grant_type="refresh_token", refresh_token=token)

    async def signed_in(self):
        status, answer = await self.exchange(self.oauth.consent(BACK))
        assert status == 200
        return answer

    async def status(self, token):
        """Return how the API answers a token."""
        path = "/api/v4/users/who_am_i.json"
        status, _, text = await self.ask("GET", path, token=token)
        if status == 401:
            assert json.loads(text) == UNAUTHORIZED
        return status

    async def authorize(self, **query):
        known = {
            "response_type": "code",
            "client_id": self.oauth.client_id,
            "redirect_uri": BACK,
            "state": STATE,
        }
        sent = {name: value for name, value in {**known, **query}.items() if value is not None}
        return await self.ask("GET", "/oauth/authorize", params=sent)


@pytest.fixture
async def client():
    server = Server(seeded("clio", seed=3, scale=0.01))
    await server.start()
    async with aiohttp.ClientSession() as session:
        yield Client(server, session)
    await server.stop()


def refusal(answer):
    status, body = answer
    assert set(body) == {"error", "error_description"}
    return status, body["error"]


# In the browser


async def test_agreeing_sends_the_browser_back_with_a_code(client):
    status, headers, _ = await client.authorize()
    place = URL(headers["Location"])
    assert status == 302
    assert place.with_query(None) == URL("https://client.test/back")
    assert set(place.query) == {"kept", "code", "state"}
    assert place.query["state"] == STATE
    status, answer = await client.exchange(place.query["code"])
    assert status == 200
    assert await client.status(answer["access_token"]) == 200


async def test_without_a_state_there_is_none_back(client):
    _, headers, _ = await client.authorize(state=None)
    assert set(URL(headers["Location"]).query) == {"kept", "code"}


async def test_a_refusal_is_told_on_request(client):
    client.oauth.declines = True
    status, headers, _ = await client.authorize(redirect_on_decline="true")
    query = URL(headers["Location"]).query
    assert (status, query["error"], query["state"]) == (302, "access_denied", STATE)
    assert "code" not in query


async def test_a_refusal_stays_with_clio_otherwise(client):
    client.oauth.declines = True
    status, headers, _ = await client.authorize()
    assert status == 200
    assert headers["Content-Type"].startswith("text/html")


async def test_another_response_type_is_told(client):
    _, headers, _ = await client.authorize(response_type="token")
    assert URL(headers["Location"]).query["error"] == "unsupported_response_type"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        pytest.param({"client_id": "someone"}, 401, id="unknown client"),
        pytest.param({"client_id": None}, 401, id="no client"),
        pytest.param({"redirect_uri": None}, 400, id="nowhere"),
        pytest.param({"redirect_uri": "/back"}, 400, id="relative"),
        pytest.param({"redirect_uri": "http://[x"}, 400, id="no address"),
        pytest.param({"redirect_uri": "https://thief.test/"}, 400, id="not registered"),
    ],
)
async def test_nobody_is_sent_to_a_stranger(client, query, status):
    client.oauth.redirect_uris = (BACK,)
    found, headers, _ = await client.authorize(**query)
    assert found == status
    assert "Location" not in headers
    assert (await client.authorize())[0] == 302


async def test_a_test_agrees_without_a_browser(client):
    code = client.oauth.consent(BACK, STATE)
    place = client.oauth.landing(code)
    assert (place.query["code"], place.query["state"]) == (code, STATE)


# Codes and tokens


async def test_a_code_brings_both_tokens(client):
    answer = await client.signed_in()
    assert set(answer) == {"token_type", "access_token", "expires_in", "refresh_token"}
    assert (answer["token_type"], answer["expires_in"]) == ("bearer", 2_592_000)
    assert (client.oauth.issued, client.oauth.refreshes) == (1, 0)


async def test_a_code_works_once_and_for_ten_minutes(client):
    code, late = client.oauth.consent(BACK), client.oauth.consent(BACK)
    assert (await client.exchange(code))[0] == 200
    assert refusal(await client.exchange(code)) == (400, "invalid_grant")
    now = client.oauth.grants.clock() + 600
    client.oauth.grants.clock = lambda: now
    assert refusal(await client.exchange(late)) == (400, "invalid_grant")


async def test_a_refresh_brings_a_token_and_keeps_the_refresh_token(client):
    first = await client.signed_in()
    for turn in (1, 2):
        status, answer = await client.refresh(first["refresh_token"])
        assert status == 200
        assert set(answer) == {"token_type", "access_token", "expires_in"}
        assert answer["access_token"] != first["access_token"]
        assert await client.status(answer["access_token"]) == 200
        assert (client.oauth.issued, client.oauth.refreshes) == (1 + turn, turn)


async def test_rotation_ends_the_family_of_a_token_used_twice(client):
    client.switch(rotate_refresh_tokens=True)
    first = await client.signed_in()
    _, second = await client.refresh(first["refresh_token"])
    assert second["refresh_token"] != first["refresh_token"]
    assert await client.status(second["access_token"]) == 200
    assert refusal(await client.refresh(first["refresh_token"])) == (400, "invalid_grant")
    assert refusal(await client.refresh(second["refresh_token"])) == (400, "invalid_grant")
    assert await client.status(second["access_token"]) == 401
    assert client.oauth.refreshes == 1


async def test_tokens_expire_when_they_said(client):
    client.switch(token_seconds=30)
    answer = await client.signed_in()
    assert answer["expires_in"] == 30
    assert await client.status(answer["access_token"]) == 200
    now = client.oauth.grants.clock() + 30
    client.oauth.grants.clock = lambda: now
    assert await client.status(answer["access_token"]) == 401
    _, answer = await client.refresh(answer["refresh_token"])
    assert await client.status(answer["access_token"]) == 200


async def test_tests_end_tokens(client):
    one, other = await client.signed_in(), await client.signed_in()
    client.oauth.revoke(one["access_token"])
    assert await client.status(one["access_token"]) == 401
    assert await client.status(other["access_token"]) == 200
    client.oauth.expire_all()
    assert await client.status(other["access_token"]) == 401
    assert (await client.refresh(one["refresh_token"]))[0] == 200
    client.oauth.withdraw(other["refresh_token"])
    assert refusal(await client.refresh(other["refresh_token"])) == (400, "invalid_grant")


async def test_the_token_of_the_settings_goes_on(client):
    client.oauth.expire_all()
    assert await client.status(client.api.settings["token"]) == 200
    assert set(client.api.arguments) == {"token"}


async def test_a_token_works_at_its_own_region_only(client):
    other = Server(seeded("clio", seed=3, scale=0.01))
    await other.start()
    try:
        far = Client(other, client.session)
        here, there = await client.signed_in(), await far.signed_in()
        assert await client.status(there["access_token"]) == 401
        assert await far.status(here["access_token"]) == 401
        assert refusal(await far.refresh(here["refresh_token"])) == (400, "invalid_grant")
    finally:
        await other.stop()


async def test_each_token_has_a_window_of_its_own(client):
    client.switch(rate_limit=1)
    one, other = await client.signed_in(), await client.signed_in()
    assert [await client.status(one["access_token"]) for _ in range(2)] == [200, 429]
    assert await client.status(other["access_token"]) == 200


# What the token endpoint refuses


@pytest.mark.parametrize(
    ("form", "answer"),
    [
        ({"client_secret": "wrong"}, (401, "invalid_client")),
        ({"client_secret": None}, (401, "invalid_client")),
        ({"client_id": "someone"}, (401, "invalid_client")),
        ({"redirect_uri": "https://client.test/other"}, (400, "invalid_grant")),
        ({"redirect_uri": None}, (400, "invalid_request")),
        ({"code": "unknown"}, (400, "invalid_grant")),
        ({"code": ""}, (400, "invalid_request")),
        ({"grant_type": "password"}, (400, "unsupported_grant_type")),
        ({"grant_type": "client_credentials"}, (400, "unsupported_grant_type")),
        ({"grant_type": None}, (400, "invalid_request")),
        ({"grant_type": "refresh_token"}, (400, "invalid_request")),
        ({"grant_type": "refresh_token", "refresh_token": "unknown"}, (400, "invalid_grant")),
    ],
)
async def test_what_is_wrong_is_said(client, form, answer):
    sent = {
        "grant_type": "authorization_code",
        "code": client.oauth.consent(BACK),
        "redirect_uri": BACK,
        **form,
    }
    assert refusal(await client.post(**sent)) == answer
    assert client.oauth.issued == 0


async def test_a_stranger_does_not_spend_a_code(client):
    code = client.oauth.consent(BACK)
    assert refusal(await client.exchange(code, client_secret="wrong"))[0] == 401
    assert (await client.exchange(code))[0] == 200


async def test_only_a_form_is_read(client):
    sent = {
        "client_id": client.oauth.client_id,
        "client_secret": client.oauth.client_secret,
        "grant_type": "authorization_code",
        "code": client.oauth.consent(BACK),
        "redirect_uri": BACK,
    }
    twice = [*sent.items(), ("code", "again")]
    for given in ({"json": sent}, {"params": sent}, {"data": twice}, {"data": b"code=%ff"}):
        status, _, text = await client.ask("POST", "/oauth/token", **given)
        assert (status, json.loads(text)["error"]) == (400, "invalid_request")
    assert (await client.post(**sent))[0] == 200


async def test_oauth_is_not_below_the_prefix(client):
    assert (await client.ask("POST", "/api/v4/oauth/token"))[0] == 404


# Deauthorization


async def test_deauthorizing_ends_what_came_of_a_consent(client):
    one, other = await client.signed_in(), await client.signed_in()
    token = one["access_token"]
    sent = {"token": token}
    status, _, text = await client.ask("POST", "/oauth/deauthorize", token=token, data=sent)
    assert (status, text) == (200, "")
    assert await client.status(token) == 401
    assert refusal(await client.refresh(one["refresh_token"])) == (400, "invalid_grant")
    assert await client.status(other["access_token"]) == 200
    status, _, _ = await client.ask("POST", "/oauth/deauthorize", token=token, data=sent)
    assert status == 401


async def test_the_token_of_the_settings_can_be_deauthorized(client):
    token = client.api.token
    sent = {"token": token}
    assert (await client.ask("POST", "/oauth/deauthorize", token=token, data=sent))[0] == 200
    assert await client.status(token) == 401


async def test_deauthorizing_needs_the_token_twice(client):
    one, other = await client.signed_in(), await client.signed_in()
    token = one["access_token"]
    for given in ({}, {"data": {"token": other["access_token"]}}):
        status, _, text = await client.ask("POST", "/oauth/deauthorize", token=token, **given)
        assert (status, json.loads(text)["error"]) == (400, "invalid_request")
    status, _, _ = await client.ask("POST", "/oauth/deauthorize", data={"token": token})
    assert status == 401
    assert await client.status(token) == 200
