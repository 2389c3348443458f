"""Whatever becomes of any answer, only typed errors come of it, and they say where.

`HYPOTHESIS_PROFILE=hunt` looks for new cases.
"""

import asyncio
from collections import defaultdict
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from unittest.mock import patch

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from contract import built
from conversations_hub import AuthenticationError, ConversationsHub, HubError, Ref, TranslationError
from conversations_hub.emulator import Emulator
from conversations_hub.fetch import Fetcher
from conversations_hub.providers import PROVIDERS, load
from conversations_hub.recipes import Call
from conversations_hub.wire import Response
from mutations import CANARY, answers
from providers.test_operations import forms

ASKED = ContextVar("the recipe that is asked")
MOMENT = datetime(2026, 2, 3, tzinfo=UTC)


@cache
def corpus(name):
    """Return, by operation, how its answers are read, and the answers themselves."""
    return asyncio.run(_corpus(name))


async def _corpus(name):
    found = defaultdict(list)

    step, batch, send = Fetcher._step, Fetcher.batch, Fetcher._send

    async def _step(self, provider, call, operation):
        ASKED.set(call)
        return await step(self, provider, call, operation)

    async def _batch(self, listing, request):
        ASKED.set(listing)
        return await batch(self, listing, request)

    async def _send(self, provider, request, operation):
        request, response = await send(self, provider, request, operation)
        if len(found[operation]) < 6:
            kept = evolve(response, headers=dict(response.headers))
            found[operation].append((ASKED.get(), request, kept))
        return request, response

    recording = patch.multiple(Fetcher, _step=_step, batch=_batch, _send=_send)
    async with Emulator(seed=5, scale=0.1, only=[name]) as emulator:
        server = emulator.servers[name]
        for form in forms(name, server.api):
            (provider,) = emulator.providers()
            async with ConversationsHub(evolve(provider, **form)) as hub:
                with recording:
                    await import_module(f"operations.{name}").everything(hub, name, server.api)
    return dict(found)


def read(recipe, request, response):
    """Read an answer as the hub would; what a record-by-record reader set aside comes, too."""
    if isinstance(recipe, Call):
        recipe.read(response)
        return []
    page = recipe.read(request, response)
    return [error for _, error in page.broken]


def check(error):
    assert isinstance(error, HubError), error
    assert CANARY not in str(error)
    assert len(str(error)) < 1000
    if isinstance(error, TranslationError):
        assert error.path, error


@pytest.mark.parametrize("name", PROVIDERS)
def test_any_answer_to_any_operation(name):
    found = corpus(name)
    assert len(found) > 15

    @given(data=st.data())
    def read_all(data):
        operation = data.draw(st.sampled_from(sorted(found)))
        recipe, request, response = data.draw(st.sampled_from(found[operation]))
        body = data.draw(answers(response.body))
        try:
            errors = read(recipe, request, evolve(response, body=body))
        except HubError as error:
            errors = [error]
        for error in errors:
            check(error)

    read_all()


HARD = [
    b"", b" ", b"\xff", b'{"\x80":1}', b'["\x80"]', b"[\x80]", b'"\\ud800"', b"[", b"[" * 100_000,
    b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 100_000, b"[[]]", b"[{}]", b"[null]", b"{}",
    b"null", b"7", b"9" * 5000, b"1e400", b"NaN", b'[1e400, {"a": NaN}]', b"\xef\xbb\xbf{}", b"\0",
    b"\xfe\xff\0{",
]  # fmt: skip


@pytest.mark.parametrize("name", PROVIDERS)
def test_no_answer_is_too_hard(name):
    for cases in corpus(name).values():
        for recipe, request, response in cases:
            for body in HARD:
                try:
                    errors = read(recipe, request, evolve(response, body=body))
                except HubError as error:
                    errors = [error]
                for error in errors:
                    check(error)


ERRORS = b"""{"code": 20404, "message": "no", "more_info": "x", "status": 404, "error":
{"type": "x", "message": "y"}, "errors": [{"code": "x", "title": "y", "description": "z",
"source": {"pointer": "p"}, "meta": {}}], "errorCode": 1, "errorDescription": "d",
"validationErrors": ["a", "b"], "error_description": "d", "access_token": "a",
"expires_in": 7, "refresh_token": "b", "scope": "a b"}"""
HEADERS = ["Retry-After", "Date", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset",
           "X-Request-Id", "Twilio-Request-Id", "Location", "Content-Type"]  # fmt: skip
VALUES = ["", "0", "-1", "7", "9" * 400, "nan", "inf", "1e9", "x", "\xff",
          "Fri, 31 Dec 9999 23:59:59 -2359", "0001-01-01T00:00:00Z", "\u0663", "1,2",
          " 7 "]  # fmt: skip


@pytest.mark.parametrize("name", PROVIDERS)
@given(data=st.data())
def test_any_refusal(name, data):
    provider = built(load(name))
    request = data.draw(
        st.sampled_from(
            [
                provider.conversations().request,
                provider.conversation(Ref(name, "1")).request,
                provider.send(Ref(name, "1"), "words").request,
            ]
        )
    )
    headers = data.draw(st.dictionaries(st.sampled_from(HEADERS), st.sampled_from(VALUES)))
    response = Response(
        status=data.draw(st.sampled_from([300, 400, 401, 403, 404, 409, 410, 412, 422, 429, 500])),
        body=data.draw(answers(ERRORS) | st.binary(max_size=30)),
        headers=headers,
    )
    error = provider.error_for("x", request, response)
    assert len(str(error)) < 1000
    assert str(error).isprintable()
    assert error.retry_after is None or error.retry_after >= 0.0
    provider.instead(request, error)
    provider.allowance(response, MOMENT)
    provider.allowance(evolve(response, status=200), MOMENT)
    if hasattr(provider, "issued"):
        try:
            provider.issued(response, MOMENT)
        except AuthenticationError as untold:
            check(untold)
