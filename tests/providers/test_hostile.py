"""What callers pass on from others: ids, texts and addresses that mean no good."""

import inspect
import json
import time
import tracemalloc
from base64 import b64decode
from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from aiohttp import web

import losses
from contract import CANARY, built
from conversations_hub import (
    Attachment,
    ConversationsHub,
    HubError,
    Ref,
    TranslationError,
    Upload,
)
from conversations_hub.network import ERROR_SIZE
from conversations_hub.providers import PROVIDERS, load
from conversations_hub.recipes import Recipe
from conversations_hub.wire import Response
from providers.test_operations import operations

everybody = pytest.mark.parametrize("name", PROVIDERS)
HOSTILE = [
    ".", "..", "../..", "a/b", "../../x?y=z#w", "%2e%2e", "%2F", "..%2f..", "a\\b", "a;b", "\0",
    "\n", "a\r\nX-Evil: 1", "\r\n\r\nGET / HTTP/1.1\r\n\r\n", "\x7f", "\u202e", "ä", "\ud800", " ",
    "", "x" * 10_240, "//evil.test/", "https://evil.test/", "@evil.test", ":80", "7", "9" * 5000,
    "٣", "1e999", "NaN", "user/..", "contact/../..", "a&b=c", "a=b", "[]", "{", "null", "*",
    "filter[x]",
]  # fmt: skip


def filled(hint, provider, text):
    """Return an argument of this type with a text in it; `LookupError` where none fits."""
    origin = get_origin(hint)
    choices = get_args(hint) if origin in {Union, UnionType} else [hint]
    values = {
        Ref: lambda: Ref(provider.name, text),
        str: lambda: text,
        Any: lambda: {text: [text]},
        Upload: lambda: Upload(b"x", name=text),
        Attachment: lambda: Attachment(id=text, name=text, url=text),
    }
    for choice in choices:
        base = get_origin(choice) or choice
        if base in values:
            return values[base]()
        if inspect.isclass(base) and issubclass(base, Mapping):
            return {text: text}
        if inspect.isclass(base) and issubclass(base, Iterable) and base is not bytes:
            return [filled(get_args(choice)[0], provider, text)]
    raise LookupError(hint)


def asked(provider, method, text):
    """Return an operation's recipes: all its texts hostile, and each alone beside good ones."""
    hints = get_type_hints(method)
    parameters = list(inspect.signature(method).parameters.values())
    for only in [None, *(one.name for one in parameters)]:
        arguments = {}
        for one in parameters:
            with suppress(LookupError, HubError):
                hostile = only is None or one.name == only
                arguments[one.name] = filled(hints[one.name], provider, text if hostile else "7")
        positional = [
            arguments.pop(one.name)
            for one in parameters
            if one.kind is one.POSITIONAL_OR_KEYWORD and one.name in arguments
        ]
        try:
            yield method(*positional, **arguments)
        except HubError:
            continue
        except TypeError as error:
            assert "missing" in str(error)


@everybody
@pytest.mark.parametrize(
    "texts",
    [HOSTILE[4:6] + HOSTILE[11:13], pytest.param(HOSTILE, marks=pytest.mark.reliability)],
    ids=["some", "all"],
)
def test_no_argument_leads_a_request_elsewhere(name, texts):
    """It stays below the base URL, in ASCII, and no header has more than one line."""
    provider = built(load(name))
    good, count = {}, 0
    for text in ["7", *texts]:
        for operation in sorted(operations(type(provider))):
            for n, recipe in enumerate(asked(provider, getattr(provider, operation), text)):
                assert isinstance(recipe, Recipe)
                request = recipe.request
                count += 1
                path = request.url.raw_path
                assert request.url.origin() in provider.origins
                assert path.startswith(provider.base_url.raw_path.rstrip("/") + "/")
                assert request.target.isascii()
                assert request.target.isprintable()
                assert " " not in request.target
                assert not {".", ".."} & set(path.split("/"))
                assert len(path) < 64_000
                if text == "7":
                    good.setdefault(operation, set()).add(path.count("/"))
                elif operation in good:
                    assert path.count("/") in good[operation], (operation, n, text)
                for key, value in request.headers.items():
                    assert value.isprintable(), (operation, key)
                    assert value.isascii(), (operation, key)
                if request.file is not None and request.part is None:
                    assert request.file.media_type.isprintable()
    assert count > 100


class Site:
    """Notes what it is asked."""

    def __init__(self):
        self.asked = []

    async def __call__(self, request):
        self.asked.append(request)
        if request.path.endswith("/on"):
            return web.Response(status=302, headers={"Location": request.query["to"]})
        return web.Response(body=b"{}", content_type="application/json")


def addresses(home, evil):
    """Return addresses of files that want the credentials to come along."""
    ours, theirs = home.removeprefix("http://"), evil.removeprefix("http://")
    return [
        f"{evil}/x",
        f"//{theirs}/x",
        f"http:{evil.removeprefix('http:')}/x",
        f"http://{ours}@{theirs}/x",
        f"http://user:word@{theirs}/x",
        f"http://{theirs}\\@{ours}/x",
        f"http://{theirs}#@{ours}/x",
        f"http://{theirs}?@{ours}/x",
        f"http://{ours}.evil.test/x",
        f"http://{ours}/\\{theirs}",
        f"\\\\{theirs}\\x",
        f"/\\{theirs}/x",
        f"{home}/on?to={evil}/x",
        f"{home}/on?to=//{theirs}/x",
        f"{home}/on?to=%5C%5C{theirs}/x",
        f"{evil}/on?to={home}/x",
        "file:///etc/passwd",
        "data:text/plain,x",
        "javascript:x",
        "ftp://evil.test/x",
        "http://",
        "http:///x",
        "http://[::1",
        "http://evil.test:99999/x",
        f"{home}/a\r\nX-Evil: 1",
        f"{home}/a b",
        f"{home}/\0",
        f"{home}/ä",
        f"{home}/\ud800",
        f"{home}/../../x",
        "x" * 20_000,
    ]


@everybody
async def test_no_address_of_a_file_gets_credentials_elsewhere(name, serve):
    home, evil = Site(), Site()
    here = await serve(home)
    there = (await serve(evil)).replace("127.0.0.1", "localhost")
    provider = built(load(name))
    provider = type(provider).from_settings(
        {
            f: getattr(provider, f)
            for f in type(provider).env
            if f not in {"base_url", "domain", "region", "edge"} and getattr(provider, f)
        }
        | {"base_url": f"{here}/api"}
    )
    async with ConversationsHub(provider, timeout=1.0, deadline=2.0, retries=0) as hub:
        for address in addresses(here, there):
            for owner in (None, provider):
                for id_ in (None, "../../x"):
                    file = Attachment(id=id_, url=address)
                    with suppress(HubError):
                        await hub.download(file, provider=owner).read()
    assert evil.asked
    for one in [*home.asked, *evil.asked]:
        assert "X-Evil" not in one.headers
        assert "Cookie" not in one.headers
    for one in evil.asked:
        # An address may bring its own; ours are not among them.
        told = one.headers.get("Authorization", " ").partition(" ")[2]
        assert CANARY not in told + b64decode(f"{told}===").decode("latin-1")
    assert any("Authorization" in one.headers for one in home.asked)


@everybody
def test_a_refusal_that_speaks_at_length_is_read_at_once(name):
    provider = built(load(name))
    request, words = provider.conversation(Ref(name, "1")).request, "a" * ERROR_SIZE
    body = {"message": words, "error": {"message": words}, "errorDescription": words}
    response = Response(status=400, body=json.dumps(body).encode())
    start = time.perf_counter()
    provider.instead(request, provider.error_for("x", request, response))
    assert time.perf_counter() - start < 2


def lengthened(value, text):
    """Make every text in a value this one."""
    if isinstance(value, dict):
        return {key: lengthened(inner, text) for key, inner in value.items()}
    if isinstance(value, list):
        return [lengthened(inner, text) for inner in value]
    return text if isinstance(value, str) else value


@everybody
def test_nobody_is_remembered_at_length(name):
    """Each record names somebody else, in so many words."""
    read, before = losses.reader(name, "message"), 0
    payloads = list(losses.samples(name, "message").values())[:5]
    people = {"author", "sender", "receivers", "creatorId", "participant_sid"}
    for n in range(40):
        if n == 10:
            tracemalloc.start()
            before = tracemalloc.get_traced_memory()[0]
        for payload in payloads:
            text = f"{n}" + "x" * 20_000
            changes = {key: lengthened(payload[key], text) for key in people & payload.keys()}
            with suppress(TranslationError):
                read(payload | changes)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 600_000
