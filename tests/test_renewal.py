"""Tokens that are issued and renewed: once for all who wait, in one process and in several."""

import asyncio
import contextlib
import json
import logging
import pickle
import subprocess
import sys
import traceback
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import ClientSession, web
from attrs import evolve, field, mutable
from yarl import URL

from conversations_hub import (
    AmbiguousWriteError,
    AuthenticationError,
    Circuit,
    Clio,
    ConfigurationError,
    ConversationsHub,
    FileStore,
    MemoryStore,
    NotFoundError,
    PermissionDeniedError,
    ProviderError,
    Ref,
    Secret,
    ServerError,
    Sunshine,
    Token,
    TransportError,
    UnsupportedError,
    oauth,
    renewal,
)
from conversations_hub import transport as transport_module
from conversations_hub.emulator import Emulator
from conversations_hub.providers.sunshine import signing

CALLBACK = "https://app.test/callback"
STATE = "nobody-guesses-this"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(transport_module, "pauses", lambda: iter([0.001] * 50))


@contextlib.asynccontextmanager
async def emulated(name, **switches):
    async with Emulator(seed=3, scale=0, only=[name], switches={name: switches}) as emulator:
        yield emulator


def provider(emulator, cls, **options):
    """Return the provider of an app that the emulator knows."""
    [name] = emulator.servers
    oauth = emulator[name].oauth
    app = {"client_id": oauth.client_id, "client_secret": oauth.client_secret}
    return cls(base_url=emulator.base_url(name), **{**app, **options})


def some(emulator):
    [name] = emulator.servers
    return Ref(name, emulator[name].conversation_ids()[0])


async def signed_in(emulator, cls, **options):
    """Return a hub whose user has let the app in."""
    found = provider(emulator, cls, redirect_uri=CALLBACK, **options)
    [name] = emulator.servers
    hub = ConversationsHub(found)
    await hub.authorize(cls, code=emulator[name].oauth.consent(CALLBACK, STATE))
    return hub


def asked(emulator, path):
    return [r for r in emulator.requests if r.target.partition("?")[0].endswith(path)]


# A user lets an app in.


@pytest.mark.parametrize("cls", [Clio, Circuit])
async def test_a_user_lets_an_app_in(cls):
    """The browser's way, from the address that it is sent to, to the first answer."""
    name = cls.__name__.lower()
    async with emulated(name) as emulator:
        mine = provider(emulator, cls, redirect_uri=CALLBACK)
        async with ConversationsHub(mine) as hub:
            url = hub[cls].authorization_url(state=STATE)
            async with ClientSession() as browser:
                answer = await browser.get(URL(url, encoded=True), allow_redirects=False)
            back = answer.headers["Location"]
            assert back.startswith(CALLBACK)
            code = hub[cls].authorization_code(back, state=STATE)
            await hub.authorize(cls, code=code)
            assert await hub.conversation(some(emulator))
        token = await mine.tokens.load()
        assert token.access.reveal() not in repr(mine)
        # Another hub goes on with what is kept.
        async with ConversationsHub(mine) as hub:
            assert await hub.conversation(some(emulator))
        assert emulator[name].oauth.issued == 1


def test_addresses_of_the_regions():
    app = {"client_id": "id", "client_secret": "s3cret", "redirect_uri": CALLBACK}
    for region, host in {"us": "app.clio.com", "au": "au.app.clio.com"}.items():
        url = URL(Clio(region=region, **app).authorization_url(state="s"))
        assert (url.host, url.path) == (host, "/oauth/authorize")
        assert dict(url.query) == {
            "response_type": "code", "client_id": "id", "redirect_uri": CALLBACK, "state": "s"
        }  # fmt: skip
    declining = URL(Clio(**app).authorization_url(state="s", redirect_on_decline=True))
    assert declining.query["redirect_on_decline"] == "true"
    circuit = Circuit(domain="na.yourcircuit.com", scopes=["READ_USER", "CALLS"], **app)
    url = URL(circuit.authorization_url(state="s", login_hint="kim@x.test"))
    assert (url.host, url.path) == ("na.yourcircuit.com", "/oauth/authorize")
    assert (url.query["scope"], url.query["login_hint"]) == ("READ_USER,CALLS", "kim@x.test")
    behind = Clio(base_url="https://gate.test/clio/api/v4", **app)
    assert behind.authorization_url(state="s").startswith("https://gate.test/clio/oauth/authorize?")


@pytest.mark.parametrize(
    ("query", "error", "words"),
    [
        (f"code=canary&state={STATE}x", AuthenticationError, "state is another"),
        ("code=canary", AuthenticationError, "state is another"),
        ("code=canary&state=\udcff", AuthenticationError, "state is another"),
        (f"error=access_denied&state={STATE}", PermissionDeniedError, "declined: 'access_denied'"),
        (f"state={STATE}", AuthenticationError, "no code"),
    ],
)
def test_what_comes_back_is_looked_at(query, error, words):
    app = Clio(client_id="id", client_secret="s3cret", redirect_uri=CALLBACK)
    with pytest.raises(error, match=words) as caught:
        app.authorization_code(f"{CALLBACK}?{query}", state=STATE)
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames = [frame for frame in shown.stack if frame.filename == oauth.__file__]
    assert frames
    assert "canary" not in "".join(str(frame.locals) for frame in frames)
    assert app.authorization_code(f"{CALLBACK}?code=c&state={STATE}", state=STATE) == "c"


@pytest.mark.parametrize(
    ("cls", "given", "words"),
    [
        (Clio, {}, r"needs a token \(CLIO_ACCESS_TOKEN or CLIO_TOKEN\), or a client_id"),
        (Clio, {"client_id": "id"}, "client_secret"),
        (Clio, {"token": "t", "client_secret": "s"}, "client_id"),
        (Clio, {"token": "t", "refresh_token": "r"}, "an app's"),
        (Clio, {"token": 7}, "a string or a TokenSource, not an int"),
        (Clio, {"token": "t\n"}, "token has blanks"),
        (Clio, {"token": "t", "tokens": {}}, "tokens must be a TokenStore"),
        (
            Circuit,
            {"client_id": "id", "client_secret": "s", "scopes": [7]},
            "scopes must be a list",
        ),
        (Sunshine, {"app_id": "a", "token": "t", "signed": True}, "signed=True takes a key_id"),
        (Sunshine, {"app_id": "a", "token": "t", "signed": "yes"}, "signed must be True or False"),
    ],
)
def test_credentials_that_cannot_work_are_told_at_once(cls, given, words):
    with pytest.raises(ConfigurationError, match=words):
        cls(**given)


def test_a_callback_is_a_text():
    app = Clio(client_id="id", client_secret="s3cret", redirect_uri=CALLBACK)
    with pytest.raises(ConfigurationError, match="callback must be a string"):
        app.authorization_code(URL(f"{CALLBACK}?code=c&state={STATE}"), state=STATE)


def test_two_apps_have_two_stores(tmp_path):
    """Or else the token of one would be sent to the other."""
    app = {"client_id": "id", "client_secret": "s3cret"}
    stores = [FileStore(tmp_path / "token.json") for _ in range(3)]
    clio, circuit = Clio(tokens=stores[0], **app), Circuit(tokens=stores[1], **app)
    with pytest.raises(ConfigurationError, match="'clio' and 'circuit' keep their tokens in one"):
        ConversationsHub(clio, circuit)
    # Two views of one account share its token.
    ConversationsHub(clio, Clio(name="wide", message_fields=["type"], tokens=stores[2], **app))


async def test_who_has_no_token_is_told_where_one_comes_from():
    app = Clio(client_id="id", client_secret="s3cret", base_url="http://127.0.0.1:9/api/v4")
    async with ConversationsHub(app) as hub:
        with pytest.raises(AuthenticationError, match=r"authorization_url\(\.\.\.\)"):
            await hub.conversation("clio:1")
        with pytest.raises(ConfigurationError, match="redirect_uri"):
            await hub.authorize(Clio, code="c")
    async with ConversationsHub(Clio(token="t"), Sunshine(app_id="a", token="t")) as hub:
        for name in ("clio", "sunshine"):
            with pytest.raises(UnsupportedError):
                await hub.authorize(name, code="c")


async def test_a_code_is_sent_once(serve):
    """It is good for one try, which may have been carried out."""
    codes = []

    async def cut(request):
        codes.append((await request.post())["code"])
        request.transport.abort()

    app = Clio(
        client_id="id", client_secret="s3cret", redirect_uri=CALLBACK,
        base_url=f"{await serve(cut)}/api/v4",
    )  # fmt: skip
    async with ConversationsHub(app) as hub:
        with pytest.raises(TransportError):
            await hub.authorize(Clio, code="c")
    assert codes == ["c"]


@pytest.mark.parametrize("cls", [Clio, Circuit])
async def test_a_code_that_is_refused_says_so(cls):
    name = cls.__name__.lower()
    async with emulated(name) as emulator:
        mine = provider(emulator, cls, redirect_uri=CALLBACK)
        async with ConversationsHub(mine) as hub:
            said = r"HTTP 400 \(invalid_grant\); no token was issued.*authorize anew"
            with pytest.raises(AuthenticationError, match=said) as caught:
                await hub.authorize(cls, code="invented")
            assert caught.value.code == "invalid_grant"
            assert await mine.tokens.load() is None


async def test_deauthorize_ends_the_token():
    async with emulated("clio") as emulator:
        hub = await signed_in(emulator, Clio)
        async with hub:
            await hub.deauthorize(Clio)
            assert await hub[Clio].tokens.load() is None
            with pytest.raises(AuthenticationError):
                await hub.conversation(some(emulator))
    async with emulated("circuit") as emulator:
        hub = await signed_in(emulator, Circuit)
        async with hub:
            with pytest.raises(UnsupportedError, match="lifetime"):
                await hub.deauthorize(Circuit)


# Tokens end.


@pytest.mark.parametrize("cls", [Clio, Circuit])
async def test_fifty_tasks_meet_a_401_and_one_refresh_does(cls):
    name = cls.__name__.lower()
    options = {} if cls is Clio else {"refresh_tokens": "rotating"}
    async with emulated(name, **options) as emulator:
        hub = await signed_in(emulator, cls)
        async with hub:
            ref, oauth = some(emulator), emulator[name].oauth
            assert await hub.conversation(ref)
            oauth.expire_all()
            found = await asyncio.gather(*(hub.run(hub.conversation(ref)) for _ in range(50)))
        assert len(found) == 50
        assert (oauth.issued, oauth.refreshes) == (2, 1)


async def test_a_bot_gets_tokens_of_its_own():
    async with emulated("circuit") as emulator:
        bot = provider(emulator, Circuit)
        async with ConversationsHub(bot) as hub:
            ref, oauth = some(emulator), emulator["circuit"].oauth
            calls = [hub.run(hub.conversation(ref)) for _ in range(20)]
            await asyncio.gather(*calls)
            assert oauth.issued == 1
            oauth.expire_all()
            await asyncio.gather(*(hub.run(hub.conversation(ref)) for _ in range(20)))
            assert oauth.issued == 2


async def test_a_refresh_token_that_was_issued_elsewhere_will_do():
    async with emulated("clio") as emulator:
        first = await signed_in(emulator, Clio)
        async with first:
            refresh = (await first[Clio].tokens.load()).refresh.reveal()
        mine = provider(emulator, Clio, refresh_token=refresh)
        async with ConversationsHub(mine) as hub:
            assert await hub.conversation(some(emulator))
        assert (await mine.tokens.load()).refresh == Secret(refresh)


async def test_a_token_is_renewed_before_its_end():
    """So that no request is refused in the ordinary course of things."""
    async with emulated("clio", token_seconds=1.0) as emulator:
        hub = await signed_in(emulator, Clio)
        async with hub:
            ref, end = some(emulator), asyncio.get_running_loop().time() + 2.2
            while asyncio.get_running_loop().time() < end:
                await hub.conversation(ref)
                await asyncio.sleep(0.02)
        assert emulator["clio"].oauth.refreshes in {2, 3}
        assert not any(r.status == 401 for r in emulator.requests)


async def test_a_401_that_is_no_matter_of_the_token_is_no_loop():
    """One refresh, one retry, and then the refusal is the caller's."""
    async with emulated("clio") as emulator:
        hub = await signed_in(emulator, Clio)
        async with hub:
            ref, server = some(emulator), emulator.servers["clio"]

            def refuse(request):
                return web.Response(status=401) if "/api/" in request.path else None

            server.intercept = refuse
            server.requests.clear()
            with pytest.raises(AuthenticationError):
                await hub.conversation(ref)
            assert len(asked(emulator, "/oauth/token")) == 1
            assert len(server.requests) == 3


async def test_circuits_moderation_401_is_a_refusal():
    async with emulated("circuit") as emulator:
        hub = await signed_in(emulator, Circuit)
        async with hub:
            server = emulator.servers["circuit"]
            server.intercept = lambda r: (
                web.Response(status=401) if "/moderate/" in r.path else None
            )
            with pytest.raises(PermissionDeniedError):
                await hub[Circuit].moderate_conversation(some(emulator))
        assert len(asked(emulator, "/oauth/token")) == 1  # the first


async def test_a_refused_refresh_is_told_and_asked_once_a_call():
    async with emulated("clio") as emulator:
        hub = await signed_in(emulator, Clio)
        async with hub:
            token = await hub[Clio].tokens.load()
            emulator["clio"].oauth.withdraw(token.access.reveal())
            emulator.servers["clio"].requests.clear()
            with pytest.raises(AuthenticationError, match="authorize anew") as caught:
                await hub.conversation(some(emulator))
            assert len(asked(emulator, "/oauth/token")) == 1
        shown = f"{caught.value!r} {caught.value} {pickle.dumps(caught.value)}"
        for one in (token.access, token.refresh, hub[Clio].client_secret):
            assert one.reveal() not in shown


async def test_a_write_is_sent_again_after_a_401_and_done_once():
    async with emulated("clio") as emulator:
        hub = await signed_in(emulator, Clio)
        async with hub:
            ref, api = some(emulator), emulator["clio"]
            before = len(api.message_ids(ref.id))
            api.oauth.expire_all()
            await hub.send(ref, "On my way")
            assert len(api.message_ids(ref.id)) == before + 1


async def test_a_download_meets_a_401():
    async with emulated("circuit", refresh_tokens="lasting") as emulator:
        hub = await signed_in(emulator, Circuit)
        async with hub:
            ref = some(emulator)
            sent = await hub.send(ref, "The plan", attachments=[b"plan"])
            emulator["circuit"].oauth.expire_all()
            assert await hub.download(sent.attachments[0], provider=ref).read() == b"plan"
            assert emulator["circuit"].oauth.refreshes == 1


async def test_the_token_endpoint_is_asked_again_when_it_is_busy():
    async with emulated("clio") as emulator:
        hub = await signed_in(emulator, Clio)
        async with hub:
            emulator["clio"].oauth.expire_all()
            struck = []

            def busy(request):
                if request.path.endswith("/token") and len(struck) < 3:
                    struck.append(request)
                    status = 429 if len(struck) == 1 else 503
                    return web.Response(status=status)
                return None

            emulator.servers["clio"].intercept = busy
            assert await hub.conversation(some(emulator))
            assert len(struck) == 3


@pytest.mark.parametrize(
    "body",
    [{}, {"access_token": 7}, {"access_token": "a\r\nX-Evil: 1"}, {"access_token": ""}, []],
)
async def test_what_is_no_token_is_never_sent(serve, body):
    paths = []

    async def odd(request):
        paths.append(request.path)
        return web.json_response(body)

    bot = Circuit(client_id="id", client_secret="s3cret", base_url=f"{await serve(odd)}/rest/v2")
    async with ConversationsHub(bot) as hub:
        with pytest.raises(AuthenticationError, match="no token that can be sent"):
            await hub.conversation("circuit:1")
    assert paths == ["/oauth/token"]


async def test_whoever_waits_for_a_token_may_go_and_it_is_kept(serve):
    """A refresh token that rotates would be lost with the answer."""
    begun, released = asyncio.Event(), asyncio.Event()

    async def slow(request):
        if request.path.endswith("/token"):
            begun.set()
            await released.wait()
            return web.json_response({"access_token": "new", "refresh_token": "rotated"})
        return web.json_response({"convId": "1", "type": "DIRECT"})

    store = MemoryStore(Token(access="", refresh="old"))
    user = Circuit(
        client_id="id", client_secret="s3cret", redirect_uri=CALLBACK, tokens=store,
        base_url=f"{await serve(slow)}/rest/v2",
    )  # fmt: skip
    hub = ConversationsHub(user)
    asking = [asyncio.ensure_future(hub.run(hub.conversation("circuit:1"))) for _ in range(3)]
    await begun.wait()
    for task in asking:
        task.cancel()
    ends = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(end) for end in ends] == [asyncio.CancelledError] * 3
    closing = asyncio.ensure_future(hub.aclose())
    await asyncio.sleep(0.01)
    released.set()
    await closing
    assert (await store.load()).refresh == Secret("rotated")


async def test_the_deadline_bounds_the_wait_for_a_token(serve):
    async def silent(request):
        await asyncio.sleep(3)

    bot = Circuit(client_id="id", client_secret="s3cret", base_url=f"{await serve(silent)}/rest/v2")
    async with ConversationsHub(bot, deadline=0.2, timeout=5.0) as hub, asyncio.timeout(2):
        with pytest.raises(TransportError, match=r"within 0\.2 s"):
            await hub.conversation("circuit:1")


async def served(serve, token, api=None):
    """Serve a bot of Circuit: what its token endpoint answers, and what its API does."""
    paths = []

    async def answer(request):
        paths.append(request.path)
        if request.path.endswith("/token"):
            return await token(request)
        if api is not None:
            return await api(request)
        return web.json_response({"convId": "1", "type": "DIRECT", "itemId": "2"})

    url = f"{await serve(answer)}/rest/v2"
    return Circuit(client_id="id", client_secret="s3cret/+&", base_url=url), paths


def given(text="t", **more):
    async def token(_):
        return web.json_response({"access_token": text, **more})

    return token


def failing(status, **headers):
    async def fail(_):
        return web.Response(status=status, headers=headers)

    return fail


@pytest.mark.parametrize("status", [503, 429])
async def test_a_write_without_a_token_was_not_sent(serve, status):
    bot, paths = await served(serve, failing(status))
    async with ConversationsHub(bot, retries=2) as hub:
        with pytest.raises(TransportError, match="there is no token") as caught:
            await hub.send("circuit:1", "hi")
        assert not isinstance(caught.value, AmbiguousWriteError)
        assert caught.value.sent is False
        # As often as anything is tried, and not as often as that each time.
        assert paths == ["/oauth/token"] * 3
        # The account itself was not refused.
        assert hub._transport._accounts["circuit"].pace.recovery is None


async def test_a_token_endpoint_says_when_to_come_back(serve):
    bot, _ = await served(serve, failing(429, **{"Retry-After": "600"}))
    async with ConversationsHub(bot) as hub:
        with pytest.raises(TransportError, match="there is no token") as caught:
            await hub.conversation("circuit:1")
    assert caught.value.retry_after >= 600


@pytest.mark.parametrize("answer", [{"body": b"<html>"}, {"body": b" " * 4096}])
async def test_a_write_whose_token_cannot_be_read_was_not_sent(serve, answer):
    async def odd(_):
        return web.Response(**answer)

    bot, paths = await served(serve, odd)
    async with ConversationsHub(bot, answer_limit=1024) as hub:
        with pytest.raises((AuthenticationError, TransportError)):
            await hub.send("circuit:1", "hi")
    assert paths == ["/oauth/token"]


async def test_a_write_whose_token_was_refused_was_not_done(serve):
    tokens = []

    async def once(request):
        tokens.append(request)
        return await (given() if len(tokens) == 1 else failing(503))(request)

    bot, _ = await served(serve, once, failing(401))
    async with ConversationsHub(bot, retries=1) as hub:
        with pytest.raises(TransportError, match="there is no token"):
            await hub.send("circuit:1", "hi")


async def test_what_another_process_kept_may_have_ended_as_well(serve):
    """It is no renewal, after which a refusal would be the caller's."""
    works = {"Bearer old"}

    async def token(request):
        works.add("Bearer new")
        return await given("new")(request)

    async def api(request):
        known = request.headers["Authorization"] in works
        return web.json_response({"convId": "1", "type": "DIRECT"}, status=200 if known else 401)

    bot, paths = await served(serve, token, api)
    bot = evolve(bot, tokens=MemoryStore(Token(access="old")))
    async with ConversationsHub(bot) as hub:
        await hub.conversation("circuit:1")
        works.clear()
        await bot.tokens.swap(Token(access="old"), Token(access="ended"))
        await hub.conversation("circuit:1")
    assert paths.count("/oauth/token") == 1


async def test_a_call_tries_another_token_once(serve):
    """Whatever else goes wrong between the refusals."""
    statuses = iter([401, 503, 401, 503, 401])

    async def api(_):
        return web.Response(status=next(statuses))

    async def another(request):
        return await given(f"t{len(paths)}")(request)

    bot, paths = await served(serve, another, api)
    async with ConversationsHub(bot) as hub:
        with pytest.raises(AuthenticationError):
            await hub.conversation("circuit:1")
    assert paths.count("/oauth/token") == 2
    assert len(paths) == 5


@pytest.mark.parametrize("more", [{}, {"expires_in": 0}])
async def test_where_there_is_no_better_token_one_asks_for_all(serve, more):
    bot, paths = await served(serve, given(**more), failing(401))
    async with ConversationsHub(bot) as hub:
        ends = await asyncio.gather(
            *(hub.run(hub.conversation("circuit:1")) for _ in range(30)), return_exceptions=True
        )
    assert {type(end) for end in ends} == {AuthenticationError}
    assert paths.count("/oauth/token") == 2


@pytest.mark.parametrize("life", [0, -1, "0"])
async def test_a_token_without_a_life_works_until_it_is_refused(serve, life):
    """Some servers say so of one that does not end; it is not asked for anew each time."""
    bot, paths = await served(serve, given(expires_in=life))
    async with ConversationsHub(bot) as hub:
        for _ in range(3):
            await hub.conversation("circuit:1")
    assert paths.count("/oauth/token") == 1


async def test_whoever_waits_together_is_told_each_their_own(serve):
    bot, _ = await served(serve, failing(400))
    async with ConversationsHub(bot) as hub:
        asked = [hub.conversation("circuit:1"), hub[Circuit].profile()]
        ends = await asyncio.gather(*(hub.run(one) for one in asked), return_exceptions=True)
    assert ends[0] is not ends[1]


async def test_a_wrong_place_is_told_as_such(serve):
    bot, _ = await served(serve, failing(404))
    async with ConversationsHub(bot) as hub:
        with pytest.raises(AuthenticationError, match="check base_url"):
            await hub.conversation("circuit:1")


async def test_an_echo_of_the_form_is_not_passed_on(serve):
    async def echo(request):
        return web.Response(status=400, body=await request.read())

    bot, _ = await served(serve, echo)
    async with ConversationsHub(bot) as hub:
        with pytest.raises(AuthenticationError) as caught:
            await hub.conversation("circuit:1")
    assert b"s3cret" not in caught.value.response.body


async def test_a_refusal_is_told_on_one_line(serve):
    async def long(_):
        return web.json_response({"error": "a\nWARNING b " * 1000}, status=400)

    bot, _ = await served(serve, long)
    async with ConversationsHub(bot) as hub:
        with pytest.raises(AuthenticationError) as caught:
            await hub.conversation("circuit:1")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


async def test_an_error_does_not_carry_what_was_sent(serve):
    async def cut(request):
        request.transport.abort()

    bot, _ = await served(serve, given("canary-token"), cut)
    async with ConversationsHub(bot, retries=0) as hub:
        with pytest.raises(TransportError) as caught:
            await hub.conversation("circuit:1")
    error = caught.value
    while error is not None:
        assert not hasattr(error, "request_info")
        error = error.__context__ or error.__cause__


async def test_authorizing_waits_no_longer_than_the_deadline(tmp_path):
    store = FileStore(tmp_path / "token.json")
    app = Clio(
        client_id="id", client_secret="s3cret", redirect_uri=CALLBACK, tokens=store,
        base_url="http://127.0.0.1:9/api/v4",
    )  # fmt: skip
    async with store.lock(), ConversationsHub(app, deadline=0.2) as hub, asyncio.timeout(3):
        with pytest.raises(TransportError, match=r"within 0\.2 s"):
            await hub.authorize(Clio, code="c")
        with pytest.raises(TransportError, match=r"within 0\.2 s"):
            await hub.deauthorize(Clio)


async def test_deauthorize_ends_what_an_ended_token_is_renewed_with():
    async with emulated("clio") as emulator:
        hub = await signed_in(emulator, Clio)
        async with hub:
            emulator["clio"].oauth.expire_all()
            await hub.deauthorize(Clio)
            assert await hub[Clio].tokens.load() is None
            with pytest.raises(AuthenticationError):
                await hub.conversation(some(emulator))


async def test_who_cannot_deauthorize_asks_for_no_token(serve):
    bot, paths = await served(serve, given())
    async with ConversationsHub(bot) as hub:
        with pytest.raises(UnsupportedError):
            await hub.deauthorize(Circuit)
    assert paths == []


async def test_a_provider_serves_one_event_loop_after_another(serve):
    bot = Circuit(client_id="id", client_secret="s", base_url="http://127.0.0.1:9/rest/v2")

    async def ask():
        async with ConversationsHub(bot, retries=0) as one, ConversationsHub(bot, retries=0) as two:
            calls = [hub.run(hub.conversation("circuit:1")) for hub in (one, two)]
            return await asyncio.gather(*calls, return_exceptions=True)

    for _ in range(2):
        ends = await asyncio.to_thread(asyncio.run, ask())
        assert {type(end) for end in ends} == {TransportError}


class Full(MemoryStore):
    async def swap(self, old, new):
        raise OSError("the disk is full")


async def test_why_a_token_was_not_kept_is_told_without_it(serve, caplog):
    class Talking(MemoryStore):
        async def swap(self, old, new):
            raise ConfigurationError(f"no room for {new.access.reveal()} in /there")

    bot, _ = await served(serve, given("canary-token"))
    async with ConversationsHub(evolve(bot, tokens=Talking())) as hub:
        await hub.conversation("circuit:1")
    assert "no room for *** in /there" in caplog.text
    assert "canary-token" not in caplog.text


async def test_a_token_that_could_not_be_kept_is_used(serve, caplog):
    bot, paths = await served(serve, given())
    bot = evolve(bot, tokens=Full())
    async with ConversationsHub(bot) as hub:
        for _ in range(3):
            await hub.conversation("circuit:1")
    assert paths.count("/oauth/token") == 1
    assert "was not kept: OSError" in caplog.text


async def test_a_store_that_failed_is_tried_again(serve, monkeypatch):
    """What only one process knows is lost with it, and the old refresh token may be used up."""

    class Flaky(MemoryStore):
        fails = 2

        async def swap(self, old, new):
            if self.fails:
                self.fails -= 1
                raise OSError("the disk is full")
            return await MemoryStore.swap(self, old, new)

    monkeypatch.setattr(renewal, "AGAIN", timedelta())
    bot, paths = await served(serve, given())
    async with ConversationsHub(evolve(bot, tokens=Flaky())) as hub:
        for _ in range(4):
            await hub.conversation("circuit:1")
            await asyncio.sleep(0.01)
        assert (await hub[Circuit].tokens.load()).access == Secret("t")
    assert paths.count("/oauth/token") == 1


async def test_a_code_is_not_lost_with_a_store_that_fails(serve):
    """It is good for one token, which is used as long as the hub is open."""

    bot, paths = await served(serve, given())
    user = evolve(bot, tokens=Full(), redirect_uri=CALLBACK)
    async with ConversationsHub(user) as hub:
        with pytest.raises(ConfigurationError, match="store did not take it"):
            await hub.authorize(Circuit, code="c")
        assert await hub.conversation("circuit:1")
    assert paths.count("/oauth/token") == 1


async def test_what_somebody_else_put_into_a_store_since_is_newer(serve):
    """A token that the store once refused does not stand in the way of another sign-in."""
    works = {"Bearer one"}

    async def token(request):
        is_code = (await request.post())["grant_type"] == "authorization_code"
        found = {"access_token": "one", "refresh_token": "r"} if is_code else {}
        return web.json_response(found or {"error": "invalid_grant"}, status=200 if found else 400)

    async def api(request):
        known = request.headers["Authorization"] in works
        found = {"convId": "1", "type": "DIRECT"} if known else {}
        return web.json_response(found, status=200 if known else 401)

    store = Full()
    bot, _ = await served(serve, token, api)
    async with ConversationsHub(evolve(bot, tokens=store, redirect_uri=CALLBACK)) as hub:
        with pytest.raises(ConfigurationError, match="store did not take it"):
            await hub.authorize(Circuit, code="c")
        assert await hub.conversation("circuit:1")
        assert await MemoryStore.swap(store, None, Token(access="two"))
        works.clear()
        works.add("Bearer two")
        assert await hub.conversation("circuit:1")


async def test_a_store_that_cannot_be_read_costs_no_code(serve):
    class Down(MemoryStore):
        async def load(self):
            raise ConfigurationError("it is damaged")

    bot, paths = await served(serve, given())
    async with ConversationsHub(evolve(bot, tokens=Down(), redirect_uri=CALLBACK)) as hub:
        with pytest.raises(ConfigurationError, match="damaged"):
            await hub.authorize(Circuit, code="c")
    assert paths == []


@pytest.mark.parametrize("keeps", [True, False])
async def test_a_store_that_says_no_is_not_asked_for_ever(serve, keeps):
    """It may have forgotten to say yes."""

    class Silent(MemoryStore):
        async def swap(self, old, new):
            if keeps:
                await MemoryStore.swap(self, old, new)

    bot, paths = await served(serve, given(refresh_token="r"))
    async with ConversationsHub(evolve(bot, tokens=Silent(), redirect_uri=CALLBACK)) as hub:
        told = pytest.raises(ConfigurationError, match="did not take it")
        with contextlib.nullcontext() if keeps else told:
            await hub.authorize(Circuit, code="c")
        assert await hub.conversation("circuit:1")
    async with ConversationsHub(evolve(bot, tokens=Silent())) as hub:
        assert await hub.conversation("circuit:1")
    assert paths.count("/oauth/token") == 2


async def test_a_token_is_not_lost_with_the_time_that_a_store_takes(serve):
    """It is kept when the store is there again."""

    class Slow(MemoryStore):
        waits = 1

        async def swap(self, old, new):
            if self.waits:
                self.waits -= 1
                await asyncio.sleep(30)
            return await MemoryStore.swap(self, old, new)

    asked_with = []

    async def token(request):
        asked_with.append((await request.post())["refresh_token"])
        return web.json_response({"access_token": "t", "refresh_token": "rotated"})

    store = Slow(Token(access="", refresh="old"))
    bot, _ = await served(serve, token)
    async with ConversationsHub(evolve(bot, tokens=store), deadline=0.3) as hub:
        with pytest.raises(TransportError):
            await hub.conversation("circuit:1")
        if (task := hub._transport._accounts["circuit"].keeper._renewing) is not None:
            await asyncio.wait([task])
        assert await hub.conversation("circuit:1")
    assert asked_with == ["old"]
    assert (await store.load()).refresh == Secret("rotated")


async def test_deauthorize_forgets_what_ended_when_the_answer_was_lost():
    async with emulated("clio") as emulator:
        hub = await signed_in(emulator, Clio)
        async with hub:
            token, cuts = await hub[Clio].tokens.load(), []

            def cut(request):
                if not request.path.endswith("/deauthorize") or cuts:
                    return None
                cuts.append(request)
                emulator["clio"].oauth.withdraw(token.access.reveal())
                return web.Response(status=502)

            emulator.servers["clio"].intercept = cut
            await hub.deauthorize(Clio)
            assert cuts
            assert await hub[Clio].tokens.load() is None


async def test_deauthorize_forgets_nothing_that_may_go_on():
    async with emulated("clio") as emulator:
        hub = await signed_in(emulator, Clio)
        async with hub:
            emulator.servers["clio"].intercept = lambda _: web.Response(status=401)
            with pytest.raises(AuthenticationError):
                await hub.deauthorize(Clio)
            assert await hub[Clio].tokens.load() is not None


@pytest.mark.parametrize("question", ["authorize", "deauthorize"])
async def test_a_store_that_fails_is_told_as_such(question):
    class Broken(MemoryStore):
        def lock(self):
            raise OSError("down")

    app = Clio(
        client_id="id", client_secret="s3cret", redirect_uri=CALLBACK, tokens=Broken(),
        base_url="http://127.0.0.1:9/api/v4",
    )  # fmt: skip
    async with ConversationsHub(app) as hub:
        asked = {"authorize": {"code": "c"}, "deauthorize": {}}[question]
        with pytest.raises(TransportError, match="source of tokens failed: OSError"):
            await getattr(hub, question)(Clio, **asked)


async def test_a_code_without_an_answer_may_have_been_used(serve):
    async def silent(request):
        await asyncio.sleep(3)

    bot, _ = await served(serve, silent)
    async with ConversationsHub(evolve(bot, redirect_uri=CALLBACK), deadline=0.2) as hub:
        with pytest.raises(TransportError) as caught:
            await hub.authorize(Circuit, code="c")
    assert caught.value.sent


async def test_whoever_is_cancelled_while_a_hub_closes_is_cancelled(monkeypatch):
    class Hanging:
        async def token(self, refused):
            await asyncio.sleep(30)

    monkeypatch.setattr(renewal, "CLOSING", 0.01)
    hub = ConversationsHub(Clio(token=Hanging(), base_url="http://127.0.0.1:9"))
    asking = asyncio.ensure_future(hub.run(hub.conversation("clio:1")))
    await asyncio.sleep(0.01)
    renewing = hub._transport._accounts["clio"].keeper._renewing
    renewing.add_done_callback(lambda _: asking.cancel())
    await hub.aclose()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_a_closed_hub_asks_for_no_token():
    """A request that was under way may be refused when the hub is closing already."""
    source = Vault(["t"])
    keeper = renewal.Keeper(provider=Clio(token=source), source=source, patience=1.0)
    old = await keeper.token()
    await keeper.aclose()
    with pytest.raises(ConfigurationError, match="closed"):
        await keeper.token(old)
    assert len(source.refused) == 1


async def test_closing_waits_a_little_for_a_token_and_tells_who_waits(monkeypatch):
    class Hanging:
        async def token(self, refused):
            await asyncio.sleep(30)

    monkeypatch.setattr(renewal, "CLOSING", 0.1)
    hub = ConversationsHub(Clio(token=Hanging(), base_url="http://127.0.0.1:9"))
    asking = asyncio.ensure_future(hub.run(hub.conversation("clio:1")))
    await asyncio.sleep(0.05)
    async with asyncio.timeout(2):
        await hub.aclose()
        with pytest.raises(ConfigurationError, match="closed"):
            await asking


# A source of one's own.


@mutable
class Vault:
    """Hands out tokens, and notes which were said to be refused."""

    tokens: list = field(factory=list)
    refused: list = field(factory=list)

    async def token(self, refused):
        self.refused.append(refused)
        await asyncio.sleep(0.01)
        return self.tokens.pop(0) if len(self.tokens) > 1 else self.tokens[0]


async def test_a_source_of_ones_own_is_asked_once_for_all():
    async with emulated("clio") as emulator:
        good = emulator["clio"].token
        vault = Vault(["stale", good])
        mine = Clio(token=vault, base_url=emulator.base_url("clio"))
        async with ConversationsHub(mine) as hub:
            ref = some(emulator)
            await asyncio.gather(*(hub.run(hub.conversation(ref)) for _ in range(20)))
        assert vault.refused == [None, Secret("stale")]


async def test_a_source_without_a_better_token_ends_it():
    async with emulated("clio") as emulator:
        vault = Vault(["stale"])
        mine = Clio(token=vault, base_url=emulator.base_url("clio"))
        async with ConversationsHub(mine) as hub:
            with pytest.raises(AuthenticationError, match="HTTP 401"):
                await hub.conversation(some(emulator))
        assert len(asked(emulator, ".json")) == 1


async def test_what_a_source_gives_is_looked_at():
    for gave, error, words in [
        ("a\r\nb", ConfigurationError, "cannot be sent"),
        (None, ConfigurationError, "gave a NoneType"),
    ]:
        async with ConversationsHub(
            Clio(token=Vault([gave]), base_url="http://127.0.0.1:9")
        ) as hub:
            with pytest.raises(error, match=words):
                await hub.conversation("clio:1")
    with pytest.raises(ConfigurationError, match="aware datetime"):
        Token(access="t", expires_at=datetime(2030, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize("failure", [OSError("canary"), TimeoutError(), asyncio.CancelledError()])
async def test_a_source_that_fails_is_told_as_such(failure):
    class Broken:
        async def token(self, refused):
            raise failure

    async with ConversationsHub(Clio(token=Broken(), base_url="http://127.0.0.1:9")) as hub:
        with pytest.raises(
            TransportError, match=f"source of tokens failed: {type(failure).__name__}"
        ):
            await hub.conversation("clio:1")


class VaultError(ProviderError):
    def __init__(self, vault, why):
        super().__init__(f"{vault}: {why}")


@pytest.mark.parametrize("failure", [NotFoundError("no such secret"), VaultError("v", "sealed")])
async def test_what_a_source_raises_is_not_about_what_was_asked_for(failure):
    """Or else a write would be taken for done, since what it deletes is not found."""

    class Broken:
        async def token(self, refused):
            raise failure

    async with ConversationsHub(Clio(token=Broken(), base_url="http://127.0.0.1:9")) as hub:
        with pytest.raises(TransportError, match=f"no token: {failure}"):
            await hub.conversation("clio:1")


async def test_a_source_may_be_an_empty_mapping_too():
    class Cache(dict):
        async def token(self, refused):
            return "t"

    source = Cache()
    assert Clio(token=source).source is source


@pytest.mark.parametrize("end", [ServerError("x"), AuthenticationError("x"), OSError(), None])
async def test_nobody_waits_for_an_early_renewal(caplog, end):
    """As long as the old token is good, nobody notices whether it hangs or fails."""

    class Failing:
        calls = 0

        async def token(self, refused):
            self.calls += 1
            if self.calls == 1:
                return Token(access=good, expires_at=datetime.now(UTC) + timedelta(seconds=30))
            if end is None:
                await asyncio.sleep(30)
            raise end

    async with emulated("clio") as emulator:
        good, source = emulator["clio"].token, Failing()
        mine = Clio(token=source, base_url=emulator.base_url("clio"))
        async with ConversationsHub(mine, deadline=0.5, timeout=5.0) as hub:
            ref = some(emulator)
            assert await hub.conversation(ref)
            hub._transport._accounts["clio"].keeper._renew_at = datetime.now(UTC)
            with caplog.at_level(logging.WARNING):
                for _ in range(4):
                    assert await hub.conversation(ref)
                await asyncio.sleep(0.01 if end else 0.6)
            # It is not tried again at once.
            assert source.calls == 2
            assert caplog.text.count("could not be renewed early") == 1


# Several processes.

WORKER = """
import asyncio, sys
from conversations_hub import Circuit, ConversationsHub, FileStore

async def main(base, client_id, secret, path, ref):
    user = Circuit(client_id=client_id, client_secret=secret, redirect_uri="https://app.test/callback",
                   tokens=FileStore(path), base_url=base)
    async with ConversationsHub(user) as hub:
        print("ready", flush=True)
        sys.stdin.readline()
        await asyncio.gather(*(hub.run(hub.conversation(ref)) for _ in range(5)))
        print("done", flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_nobody_waits_for_a_process_that_renews_what_still_works(serve, tmp_path):
    store = FileStore(tmp_path / "token.json")
    await store.swap(None, Token(access="t"))
    bot, paths = await served(serve, given())
    async with store.lock(), ConversationsHub(evolve(bot, tokens=store), deadline=1) as hub:
        assert await hub.conversation("circuit:1")
    assert "/oauth/token" not in paths


async def test_one_refresh_for_all_processes(tmp_path):
    """A refresh token that rotates, used twice, would end all of them."""
    async with emulated("circuit", refresh_tokens="rotating") as emulator:
        path = tmp_path / "token.json"
        hub = await signed_in(emulator, Circuit, tokens=FileStore(path))
        async with hub:
            assert await hub.conversation(some(emulator))
        api = emulator["circuit"]
        arguments = [
            emulator.base_url("circuit"), api.oauth.client_id, api.oauth.client_secret,
            str(path), str(some(emulator)),
        ]  # fmt: skip
        workers = [
            await asyncio.create_subprocess_exec(
                sys.executable, "-c", WORKER, *arguments,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )
            for _ in range(3)
        ]  # fmt: skip
        for worker in workers:
            assert await worker.stdout.readline() == b"ready\n"
        api.oauth.expire_all()
        for worker in workers:
            worker.stdin.write(b"\n")
        ends = await asyncio.gather(*(worker.communicate() for worker in workers))
        assert [out for out, _ in ends] == [b"done\n"] * 3
        assert (api.oauth.refreshes, api.oauth.issued) == (1, 2)
        assert path.stat().st_mode & 0o077 == 0
        assert json.loads(path.read_text(encoding="utf-8"))["access"]


# Sunshine signs tokens itself.


async def test_a_key_signs_tokens_and_its_secret_stays():
    async with emulated("sunshine") as emulator:
        [given] = emulator.providers()
        mine = Sunshine(
            app_id=given.app_id, key_id=given.key_id, secret=given.secret, signed=True,
            base_url=given.base_url, users=given.users,
        )  # fmt: skip
        async with ConversationsHub(mine) as hub:
            assert await hub.conversations().collect(limit=5) is not None
            assert await hub.conversation(some(emulator))
        sent = {request.headers["Authorization"] for request in emulator.requests}
        assert len(sent) == 1
        [header] = sent
        assert header.startswith("Bearer ")
        assert header.count(".") == 2
        assert mine.redact(f"no to {header}") == "no to ***"


def test_tokens_are_signed_anew_in_the_middle_of_their_life(monkeypatch):
    now = [1_800_000_000.0]
    monkeypatch.setattr(signing.time, "time", lambda: now[0])
    signer, secret = signing.Signer(), "s" * 40
    first = signer.token("app_1", secret)
    now[0] += signing.LIFE / 2 - 1
    assert signer.token("app_1", secret) == first
    now[0] += 2
    assert signer.token("app_1", secret) != first
    assert [signing.scope_of(key) for key in ("app_1", "act_1", "svc_1", "int_1", "1")] == [
        "app", "account", "account", "integration", "app",
    ]  # fmt: skip


async def test_a_token_is_fetched_while_all_connections_are_taken():
    async with emulated("clio") as emulator:
        hub = await signed_in(emulator, Clio)
        clio = evolve(hub[Clio], tokens=MemoryStore())
        await hub.aclose()

        async def hang(request):
            if "/oauth/" not in request.path:
                await asyncio.sleep(30)

        async with ConversationsHub(clio, connections=1, timeout=3.0, retries=0) as hub:
            await hub.authorize(Clio, code=emulator["clio"].oauth.consent(CALLBACK, STATE))
            emulator.servers["clio"].intercept = hang
            hanging = asyncio.ensure_future(hub.run(hub.conversation(some(emulator))))
            await asyncio.sleep(0.05)
            async with asyncio.timeout(1):
                await hub.authorize(Clio, code=emulator["clio"].oauth.consent(CALLBACK, STATE))
            hanging.cancel()
            await asyncio.wait([hanging])


@pytest.mark.parametrize("cls", [Clio, Circuit])
def test_tokens_may_be_the_path_of_a_file(tmp_path, cls):
    path = tmp_path / "token.json"
    app = {"client_id": "id", "client_secret": "s3cret"}
    assert cls(tokens=path, **app).tokens == cls(tokens=str(path), **app).tokens == FileStore(path)
    name = cls.__name__.upper()
    found = cls.from_env({
        f"{name}_CLIENT_ID": "id", f"{name}_CLIENT_SECRET": "s", f"{name}_TOKENS_FILE": str(path)
    })  # fmt: skip
    assert found.tokens == FileStore(path)
    with pytest.raises(ConfigurationError, match="tokens must be a TokenStore"):
        cls(tokens=7, **app)
