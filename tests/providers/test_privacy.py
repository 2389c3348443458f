"""Credentials are shown nowhere, and people's words only to whoever asked for them."""

import asyncio
import gc
import io
import json
import logging
import pickle
import pprint
import tempfile
import traceback
import warnings
from base64 import b64decode
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from importlib import import_module
from urllib.parse import quote

import attrs
import pytest
from aiohttp import web
from rich.console import Console
from rich.pretty import pretty_repr

from contract import CANARY, built
from conversations_hub import (
    Attachment,
    ConversationsHub,
    HubError,
    ProviderError,
    Ref,
    StatusError,
    TranslationError,
    UnsupportedError,
)
from conversations_hub import transport as transport_module
from conversations_hub.emulator import Emulator, json_response
from conversations_hub.providers import PROVIDERS, load
from conversations_hub.retrying import pauses

everybody = pytest.mark.parametrize("name", PROVIDERS)
# What the transport alone does is the same for all of them.
anybody = pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name == "circuit" else pytest.mark.reliability)
        for name in PROVIDERS
    ],
)
TEXT = "canary words of a customer"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(transport_module, "pauses", lambda: pauses(0.01))


def text_of(value):
    return value.reveal() if hasattr(value, "reveal") else value


def secrets_of(provider):
    """Return a provider's credentials, and all that they are sent as."""
    found = [text_of(getattr(provider, f.name)) for f in attrs.fields(type(provider)) if not f.repr]
    for value in provider.auth_headers().values():
        _, _, proof = text_of(value).partition(" ")
        found.append(proof)
        with suppress(ValueError):
            found.append(b64decode(proof, validate=True).decode().partition(":")[2])
    return {one for one in found if isinstance(one, str) and len(one) > 5}


async def words_of(hub, name, api):
    """Return what people wrote and where they can be reached."""
    found = set()
    for id_ in api.conversation_ids()[:6]:
        async for message in hub.messages(Ref(name, id_)):
            found |= {message.text, message.html, message.subject}
        async for person in hub.participants(Ref(name, id_)):
            found |= {person.address, person.name}
    return {word.strip() for word in found if word and len(word.strip()) > 11}


class Shown:
    """All that was shown to anyone, to be searched."""

    def __init__(self):
        self.texts = []

    def record(self, record):
        self.texts.append(record.getMessage())
        self.texts.append(repr(vars(record)))
        if record.exc_info:
            self.texts += traceback.format_exception(*record.exc_info)

    def event(self, event):
        self.texts.append(repr(event))

    def error(self, error):
        """Note all the ways in which an error is told, its frames' values among them."""
        self.texts += [str(error), repr(error), repr(error.args)]
        self.texts += [repr(getattr(error, name)) for name in vars(error)]
        self.texts += traceback.format_exception(error)
        whole = traceback.TracebackException.from_exception(error, capture_locals=True)
        one = whole
        while one is not None:
            one.stack[:] = [frame for frame in one.stack if frame.filename != __file__]
            one = one.__cause__ or one.__context__
        self.texts += whole.format()
        if isinstance(error, HubError):
            self.texts += [ascii(pickle.dumps(error)), pprint.pformat(vars(error))]
        out = io.StringIO()
        with suppress(RecursionError):
            Console(file=out, width=200).print(error)
        self.texts.append(out.getvalue())

    def holds(self, *words):
        """Return what was shown of these words; each with a place where it was."""
        found = {}
        for text in self.texts:
            for word in words:
                place = text.find(word)
                if place >= 0:
                    found.setdefault(word, text[max(0, place - 80) : place + len(word) + 20])
        return found


@contextmanager
def watching(*, debug=False):
    """Watch every logger, and warnings; in `debug`, asyncio tells of every callback."""
    shown = Shown()
    handler = logging.Handler()
    handler.emit = shown.record
    root, loop = logging.getLogger(), asyncio.get_running_loop()
    before = root.level, loop.get_debug(), loop.slow_callback_duration
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    loop.set_debug(debug)
    loop.slow_callback_duration = 0.0
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield shown
            gc.collect()
        shown.texts += [str(one.message) for one in caught]
    finally:
        root.removeHandler(handler)
        root.setLevel(before[0])
        loop.set_debug(before[1])
        loop.slow_callback_duration = before[2]


@asynccontextmanager
async def emulated(name, **options):
    """Open a hub of one emulated provider: the hub, its provider, the server and its API."""
    options = {"retries": 1} | options
    async with Emulator(seed=5, scale=0.1, only=[name]) as emulator:
        (provider,) = emulator.providers()
        async with ConversationsHub(provider, **options) as hub:
            yield hub, provider, emulator.servers[name], emulator[name]


def asked(hub, name, api):
    """Return questions of every kind, by what they are, each to be asked."""
    ref = Ref(name, api.conversation_ids()[0])
    file = Attachment(url=str(hub[name].base_url / "file"))
    return {
        "read": lambda: hub.run(hub.conversation(ref)),
        "list": lambda: hub.messages(ref).collect(limit=None),
        "list in pieces": lambda: hub.conversations(parallel=2).collect(limit=None),
        "write": lambda: hub.run(hub.send(ref, TEXT)),
        "keyed write": lambda: hub.run(hub.send(ref, TEXT, idempotency_key="key")),
        "file": lambda: hub.run(hub.send(ref, TEXT, attachments=[TEXT.encode()])),
        "delete": lambda: hub.run(hub.delete(ref)),
        "people": lambda: hub.participants(ref).collect(limit=None),
        "download": lambda: hub.download(file).read(),
    }


async def errors_of(hub, name, api, *, within=None):
    """Ask every kind of question, and yield what goes wrong."""
    for ask in asked(hub, name, api).values():
        try:
            async with asyncio.timeout(within):
                await ask()
        except UnsupportedError:
            continue
        except (HubError, TimeoutError) as error:
            yield error
    if within is not None:
        return
    ref = Ref(name, api.conversation_ids()[0])
    pager = hub.conversations(on_error="continue")
    with suppress(HubError):
        await pager.collect(limit=None)
    for error in pager.errors:
        yield error
    async for result in hub.fetch([ref, hub[name].messages(ref)], on_error="continue"):
        if result.error:
            yield result.error


@anybody
async def test_nothing_is_logged_of_what_is_read_and_written(name, tmp_path, monkeypatch):
    """Nor does anything come to lie in a file."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with watching(debug=True) as shown:
        async with emulated(name, observer=shown.event) as (hub, provider, _, api):
            words = await words_of(hub, name, api)
            await import_module(f"operations.{name}").everything(hub, name, api)
            secrets = secrets_of(provider)
    assert len(words) > 20
    assert secrets
    assert shown.texts, "nothing was logged at all"
    assert shown.holds(*secrets) == {}
    assert shown.holds(*words) == {}
    assert list(tmp_path.iterdir()) == []


def echo(request, secrets, status):
    """Return what a provider says when it repeats the credentials wherever there is a place."""
    told = " ".join([*secrets, *request.headers.getall("Authorization", [])])
    body = {
        "code": told, "message": told, "more_info": told, "status": status,
        "error": {"type": told, "message": told},
        "errors": [{"code": told, "title": told, "description": told, "detail": told}],
        "errorDescription": told, "errorCode": told, "validationErrors": [told],
        "error_description": told,
    }  # fmt: skip
    headers = dict.fromkeys(
        ("X-Request-Id", "Twilio-Request-Id", "X-Smooch-Request-Id", "X-Echo", "WWW-Authenticate"),
        told,
    )
    if status in {302, 307}:
        headers["Location"] = f"http://localhost/?token={told}"
    return json_response(body, status, headers)


@everybody
@pytest.mark.parametrize(
    "statuses",
    [
        (302, 401),
        pytest.param((200, 400, 403, 404, 409, 412, 422, 429, 500), marks=pytest.mark.reliability),
    ],
)
async def test_an_echo_of_the_credentials_is_not_passed_on(name, statuses):
    with watching() as shown:
        async with emulated(name, retries=0, observer=shown.event) as (hub, provider, server, api):
            secrets = secrets_of(provider)
            for status in statuses:
                server.intercept = partial(echo, secrets=secrets, status=status)
                count = 0
                async for error in errors_of(hub, name, api):
                    count += 1
                    shown.error(error)
                assert count > 5
    assert shown.holds(*secrets) == {}


def echoes(secret, host):
    """Return good answers whose odd places repeat a credential: types, and links to the rest."""
    yield lambda: web.Response(body=b"<html>", headers={"Content-Type": f"text/{secret}"})
    for link in (
        f"http://{secret}/x?PageToken=1&page_token=1",
        f"http://{secret}:{secret}@{host}/x?PageToken=1&page_token=1",
        f"http://{host}/{secret}?PageToken=1&page_token=1",
        f"http://[{secret}]/",
        f"http://h:{secret}/",
        f"{secret}://x/",
    ):
        meta = {"next_page_url": link, "paging": {"next": link}}
        yield partial(json_response, {"data": [], "conversations": [], "meta": meta})


@everybody
async def test_an_echo_in_a_good_answer_is_not_passed_on(name):
    with watching() as shown:
        async with emulated(name, retries=0, observer=shown.event) as (hub, provider, server, _):
            secrets, count = secrets_of(provider), 0
            for secret in secrets:
                for answer in echoes(secret, provider.base_url.authority):
                    server.intercept = lambda _, answer=answer: answer()
                    with pytest.raises(ProviderError) as caught:
                        await hub.conversations().collect(limit=None)
                    count += 1
                    shown.error(caught.value)
    assert count >= 7
    assert shown.holds(*secrets) == {}


async def reset(request):
    request.transport.abort()
    return web.Response()


async def hang(_):
    await asyncio.sleep(30)


async def cut(request):
    response = web.StreamResponse(headers={"Content-Length": "1000", "X-Echo": TEXT})
    await response.prepare(request)
    await response.write(TEXT.encode())
    request.transport.close()
    return response


async def html(_):
    return web.Response(text=f"<html>{TEXT}</html>", content_type="text/html")


CALM = {"timeout": 0.05, "deadline": 0.3, "retries": 0}
FAULTS = {
    "reset": (reset, {}, None),
    "cut": (cut, {}, None),
    "no JSON": (html, {}, None),
    "no answer to an attempt": (hang, CALM, None),
    "no answer at all": (hang, CALM | {"timeout": 9.0, "deadline": 0.03}, None),
    "nobody waits any more": (hang, CALM | {"timeout": 9.0, "deadline": 9.0}, 0.03),
}


@anybody
@pytest.mark.parametrize(("fault", "options", "within"), FAULTS.values(), ids=FAULTS)
async def test_a_fault_tells_nothing(name, fault, options, within):
    """Whose tracebacks hold local variables finds no credentials there, and nobody's words."""
    with watching() as shown:
        async with emulated(name, **options) as (hub, provider, server, api):
            secrets, count = secrets_of(provider), 0
            server.intercept = fault
            async for error in errors_of(hub, name, api, within=within):
                count += 1
                shown.error(error)
    assert count > 5
    assert shown.holds(*secrets) == {}
    assert shown.holds(TEXT, quote(TEXT)) == {}


def spoilt(value):
    """Make of every text a list with that text in it."""
    if isinstance(value, dict):
        return {key: spoilt(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [spoilt(inner) for inner in value]
    return [value] if isinstance(value, str) else value


@everybody
async def test_what_cannot_be_read_is_not_shown(name):
    def alter(_, response):
        if response.content_type == "application/json" and response.status < 300:
            return json_response(spoilt(json.loads(response.body)))
        return None

    with watching() as shown:
        async with emulated(name) as (hub, provider, server, api):
            secrets, words, errors = secrets_of(provider), await words_of(hub, name, api), []
            server.alter = alter
            async for error in errors_of(hub, name, api):
                errors.append(error)
                shown.error(error)
    assert any(isinstance(error, TranslationError) for error in errors)
    assert shown.holds(*secrets) == {}
    assert shown.holds(*words, TEXT) == {}


@everybody
async def test_a_checkpoint_knows_ids_and_no_words(name):
    async with emulated(name) as (hub, provider, _, api):
        words = await words_of(hub, name, api)
        ref = Ref(name, max(api.conversation_ids(), key=lambda one: len(api.message_ids(one))))
        pagers = [
            hub.conversations(page_size=2),
            hub.messages(ref, page_size=2),
            hub.participants(ref),
        ]
        saved = []
        for pager in pagers:
            await anext(pager)
            saved.append(json.dumps(pager.checkpoint(), ensure_ascii=False))
            await pager.aclose()
        found = Shown()
        found.texts = saved
        assert found.holds(*secrets_of(provider)) == {}
        assert found.holds(*words) == {}


@everybody
def test_a_provider_shows_no_credential(name):
    provider = built(load(name))
    hub = ConversationsHub(provider)
    for thing in (provider, hub[name], hub, hub.providers, hub._transport, hub._fetcher):
        shown = [repr(thing), str(thing), f"{thing}", pretty_repr(thing), pprint.pformat(thing)]
        if attrs.has(type(thing)):
            shown += [repr(attrs.asdict(thing, recurse=False)), repr(attrs.astuple(thing))]
        shown += [repr(getattr(thing, "__dict__", ""))]
        with suppress(TypeError, AttributeError, pickle.PicklingError):
            shown.append(ascii(pickle.dumps(thing)))
        assert not [text for text in shown if CANARY in text], type(thing)


async def test_a_pickled_refusal_leaves_the_caller_s_words_at_home():
    async with emulated("twilio") as (hub, _, server, api):
        server.intercept = lambda request: (
            json_response({"message": "no", "code": 1}, 500) if request.method == "POST" else None
        )
        with pytest.raises(ProviderError) as caught:
            await hub.send(Ref("twilio", api.conversation_ids()[0]), TEXT)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(copy.cause, StatusError)
    assert (copy.cause.status, copy.cause.request.method) == (500, "POST")
    assert copy.cause.request.body is None
    assert caught.value.cause.request.body


APP = {"client_id": "an-app", "client_secret": "canary-client-secret"}
FIRST = {"token": "canary-first-token", "refresh_token": "canary-first-refresh"}
ISSUED = {"access_token": "canary-access", "refresh_token": "canary-refresh", "expires_in": 3600}


def said(**changes):
    return json_response({**ISSUED, **changes})


def echoed(status):
    def answer(form):
        told = " ".join(form.values())
        body = {"error": told, "error_description": told, "errorCode": told}
        return json_response(body, status, {"X-Echo": told})

    return answer


ENDPOINTS = {
    "no token in it": lambda _: said(access_token=["canary-access"]),
    "a token that cannot be sent": lambda _: said(access_token="canary-access\r\nX: 1"),
    "no JSON": lambda _: web.Response(text="canary-access <html>"),
    "an echo of 400": echoed(400),
    "an echo of 401": echoed(401),
    "an echo of 429": echoed(429),
    "an echo of 500": echoed(500),
    "a reset": None,
    "no answer": "hang",
    "a good token": lambda _: said(),
}


@pytest.mark.parametrize("endpoint", ENDPOINTS.values(), ids=ENDPOINTS)
@pytest.mark.parametrize("name", ["clio", pytest.param("circuit", marks=pytest.mark.reliability)])
async def test_issued_tokens_and_what_they_are_issued_for_are_not_shown(serve, name, endpoint):
    """Whatever the token endpoint does, and when the API repeats the token afterwards."""

    async def answer(request):
        if "/oauth/" not in request.path:
            return echo(request, set(request.headers["Authorization"].split()), 401)
        form = await request.post()
        if endpoint is None:
            return await reset(request)
        return await hang(request) if endpoint == "hang" else endpoint(form)

    cls, url = load(name), await serve(answer)
    made, api = [{**APP}, {**APP, **FIRST}], {"clio": "/api/v4", "circuit": "/rest/v2"}[name]
    count = 0
    with watching() as shown:
        for given in made:
            provider = cls(base_url=url + api, redirect_uri="https://example.org/", **given)
            options = {"timeout": 0.05, "deadline": 0.2, "retries": 0}
            async with ConversationsHub(provider, **options) as hub:
                for ask in (
                    lambda hub=hub: hub.authorize(name, code="canary-code-of-a-user"),
                    lambda hub=hub: hub.run(hub.conversation(f"{name}:1")),
                    lambda hub=hub: hub.download(Attachment(url=f"{url}{api}/file")).read(),
                ):
                    try:
                        await ask()
                    except HubError as error:
                        count += 1
                        shown.error(error)
                shown.texts += [pretty_repr(hub._transport._accounts), pretty_repr(hub.providers)]
    assert count > 3
    assert shown.holds("canary") == {}
