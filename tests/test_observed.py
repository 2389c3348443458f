"""What observers and the log are told of a hub that works over real HTTP."""

import asyncio
import logging
from collections import Counter

import pytest
from aiohttp import web
from opentelemetry import trace
from opentelemetry.trace import SpanKind

from conversations_hub import (
    Attachment,
    Circuit,
    ConfigurationError,
    ConversationsHub,
    NotFoundError,
    Rate,
    Ref,
    TransportError,
    UnsupportedError,
)
from conversations_hub.emulator import Emulator
from conversations_hub.observing import (
    CallBegan,
    CallEnded,
    PageRead,
    Paused,
    RequestBegan,
    RequestEnded,
    Retrying,
)
from interrupting import cancelled_at
from spans import Kit
from support import Acme

REQUEST = RequestBegan, RequestEnded
PAGE = {"things": [{"id": "1", "name": "canary-words"}], "meta": {"more": False}}


@pytest.fixture
def events():
    return []


def of(events, *kinds):
    return [event for event in events if isinstance(event, kinds)]


def hub_at(url, events, **options):
    return ConversationsHub(
        Acme(base_url=url, token="canary-token", **options), observer=events.append, retries=1
    )


async def test_everything_that_is_asked_is_told(emulator, events, caplog):
    caplog.set_level(logging.DEBUG)
    words = []
    async with emulator.hub(observer=events.append) as hub:
        refs = [c.ref async for c in hub.conversations()]
        async for result in hub.fetch_messages(refs[:20], limit=30):
            words += [m.text for m in result.value if m.text and len(m.text) > 20]
    began, ended = of(events, RequestBegan), of(events, RequestEnded)
    assert len(ended) == len(began) == len(emulator.requests)
    assert {e.status for e in ended} == {200}
    assert {e.http_version for e in ended} == {"1.1"}
    assert {e.provider for e in ended} == {"twilio", "sunshine", "clio", "circuit"}
    assert min(e.received for e in ended) > 0
    requests = Counter(e.call for e in ended)
    calls = {e.call: e for e in of(events, CallEnded)}
    assert calls.keys() == {e.call for e in of(events, CallBegan)}
    assert {n: calls[n].requests for n in requests} == requests
    assert {e.operation for e in calls.values()} == {"conversations", "messages"}
    pages = of(events, PageRead)
    assert len(pages) == len(ended)
    assert sum(page.items for page in pages) >= len(refs)
    told = caplog.text + repr(events)
    assert words
    assert not [text for text in words if text in told]
    assert "?" not in told
    for provider in emulator.providers():
        assert provider.redact(told) == told


async def test_a_retry_and_the_pause_of_its_account_are_told(serve, events):
    answers = iter([(429, {"Retry-After": "0"}), (200, {"X-Request-Id": "R2"})])

    async def answer(request):
        status, headers = next(answers)
        return web.json_response(PAGE, status=status, headers=headers)

    async with hub_at(await serve(answer), events) as hub:
        await hub.conversations("acme").collect(limit=None)
    first, second = of(events, RequestEnded)
    assert (first.status, first.attempt, first.number) == (429, 1, 1)
    assert (second.status, second.attempt, second.number) == (200, 2, 2)
    assert second.request_id == "R2"
    [retry], [pause] = of(events, Retrying), of(events, Paused)
    assert (retry.error, retry.status, retry.attempt) == ("RateLimitError", 429, 1)
    assert (pause.why, pause.provider, pause.seconds) == ("refusal", "acme", retry.seconds)
    assert {event.call for event in events} == {events[0].call}
    assert of(events, CallEnded)[0].requests == 2


async def test_waiting_for_a_rate_is_told(serve, events):
    async def answer(request):
        return web.json_response(PAGE)

    async with hub_at(await serve(answer), events, rate=Rate(1, per=0.3)) as hub:
        for _ in range(2):
            await hub.conversations("acme").collect(limit=None)
    [pause] = of(events, Paused)
    assert pause.why == "rate"
    assert pause.seconds > 0


async def test_what_breaks_is_told_by_its_class(serve, events):
    async def answer(request):
        request.transport.abort()

    async with hub_at(await serve(answer), events) as hub:
        with pytest.raises(TransportError):
            await hub.conversations("acme").collect(limit=None)
    assert [e.error for e in of(events, RequestEnded)] == ["ServerDisconnectedError"] * 2
    assert [e.status for e in of(events, RequestEnded)] == [None] * 2
    assert [e.error for e in of(events, Retrying)] == ["TransportError"]
    assert of(events, CallEnded)[0].error == "TransportError"


async def test_a_refusal_is_no_error_of_a_request_but_of_its_call(serve, events):
    async def answer(request):
        return web.json_response({"message": "canary-words"}, status=404)

    async with hub_at(await serve(answer), events) as hub:
        with pytest.raises(NotFoundError):
            await hub.conversation(Ref("acme", "1"))
    [request], [call] = of(events, RequestEnded), of(events, CallEnded)
    assert (request.status, request.error) == (404, None)
    assert (call.operation, call.error) == ("conversation", "NotFoundError")
    assert "canary" not in repr(events)


async def test_a_file_elsewhere_is_told_of_by_its_host_alone(serve, events):
    async def answer(request):
        if request.path == "/canary/file":
            raise web.HTTPFound("/canary/other?canary")
        return web.Response(body=b"file")

    url = await serve(answer)
    attachment = Attachment(id="1", url=f"{url}/canary/file?canary=1")
    async with hub_at("https://acme.example", events) as hub:
        assert await hub.download(attachment).read() == b"file"
    assert [(e.url, e.status, e.provider) for e in of(events, RequestEnded)] == [
        (url, 302, None),
        (url, 200, None),
    ]
    [call] = of(events, CallEnded)
    assert (call.operation, call.requests) == ("download", 2)
    assert "canary" not in repr(events)


async def test_a_page_with_a_broken_record_is_worth_a_warning(serve, events, caplog):
    async def answer(request):
        return web.json_response(PAGE | {"things": [*PAGE["things"], {"id": 3}]})

    async with hub_at(await serve(answer), events) as hub:
        pager = hub.conversations("acme", on_error="continue")
        assert len(await pager.collect(limit=None)) == 1
    [page] = of(events, PageRead)
    assert (page.items, page.broken, page.last) == (1, 1, True)
    [record] = caplog.records
    assert (record.levelno, record.hub_broken) == (logging.WARNING, 1)


async def test_what_an_observer_raises_breaks_no_call(emulator, caplog):
    def fails(event):
        raise LookupError

    async with emulator.hub(observer=[fails, fails]) as hub:
        assert len(await hub.conversations(limit=5).collect(limit=None)) == 5
    assert [r.getMessage() for r in caplog.records] == ["an observer fails; this is told once"]


def test_a_hub_refuses_what_is_no_observer():
    with pytest.raises(ConfigurationError, match="an observer must be a plain function"):
        ConversationsHub(observer="print")


async def test_spans_of_pages_and_requests_hang_together(emulator):
    """Also those of pages that were fetched ahead, and of many calls at a time."""
    kit = Kit()
    async with emulator.hub(observer=kit.observer, resolve_names=True) as hub:
        with kit.tracers.get_tracer("mine").start_as_current_span("mine") as mine:
            refs = [c.ref async for c in hub.conversations(limit=20, page_size=2)]
            await hub.fetch_messages(refs, limit=20).collect()
            await asyncio.gather(*(hub.run(hub.conversation(ref)) for ref in refs))
    spans = {span.context.span_id: span for span in kit.spans}
    requests = [span for span in spans.values() if span.kind is SpanKind.CLIENT]
    assert len(requests) == len(emulator.requests)
    for span in requests:
        call = spans[span.parent.span_id]
        assert call.kind is SpanKind.INTERNAL
        assert call.start_time <= span.start_time <= span.end_time <= call.end_time
    mines = mine.get_span_context().span_id
    for span in spans.values():
        if span.kind is SpanKind.INTERNAL and span.name != "mine":
            within = spans[span.parent.span_id]
            assert within.context.span_id == mines or span.name == "conversations_hub.people"
    assert {span.name for span in spans.values()} == {
        "GET",
        "mine",
        "conversations_hub.conversations",
        "conversations_hub.messages",
        "conversations_hub.conversation",
        "conversations_hub.people",
    }


async def test_tokens_are_asked_for_within_the_call_that_needs_them(emulator, events, caplog):
    caplog.set_level(logging.DEBUG)
    oauth = emulator["circuit"].oauth
    bot = Circuit(
        base_url=emulator.base_url("circuit"),
        client_id=oauth.client_id,
        client_secret=oauth.client_secret,
    )
    where = Ref("circuit", emulator["circuit"].conversation_ids()[0])
    async with ConversationsHub(bot, observer=events.append) as hub:
        await hub.conversation(where)
        first = (await hub[Circuit].tokens.load()).access.reveal()
        oauth.expire_all()
        await hub.conversation(where)
        second = (await hub[Circuit].tokens.load()).access.reveal()
        with pytest.raises(UnsupportedError):
            await hub.deauthorize(Circuit)
    ended = of(events, RequestEnded)
    assert [(e.operation, e.number, e.attempt, e.status) for e in ended] == [
        ("token", 1, 1, 200),
        ("conversation", 2, 1, 200),
        ("conversation", 1, 1, 401),
        ("token", 2, 1, 200),
        ("conversation", 3, 2, 200),
    ]
    assert [(e.operation, e.requests, e.error) for e in of(events, CallEnded)] == [
        ("conversation", 2, None),
        ("conversation", 3, None),
        ("deauthorize", 0, "UnsupportedError"),
    ]
    assert len({e.call for e in ended}) == 2
    for secret in (oauth.client_secret, first, second):
        assert secret not in repr(events)
        assert secret not in caplog.text


async def test_an_address_that_is_a_secret_is_not_told(emulator, events, caplog):
    caplog.set_level(logging.DEBUG)
    async with emulator.hub(observer=events.append) as hub:
        where = Ref("circuit", emulator["circuit"].conversation_ids()[0])
        way_in = await hub[Circuit].create_incoming_webhook(where, name="canary")
        await hub[Circuit].post_to_webhook(way_in.webhook_id, "canary")
    assert {e.operation for e in of(events, RequestEnded)} == {
        "create_incoming_webhook",
        "post_to_webhook",
    }
    for told in (repr(events), caplog.text):
        assert way_in.webhook_id not in told
        assert "canary" not in told


@pytest.mark.parametrize("how", ["turn", "wait"])
async def test_whatever_is_cancelled_has_an_end(how, caplog):
    async def work(hub):
        refs = [c.ref async for c in hub.conversations(limit=4, page_size=2)]
        await hub.fetch_messages(refs, limit=5).collect()

    async with Emulator(seed=7, scale=0.05, only=["circuit"]) as emulator:
        at, steps = 0, 0
        while steps >= at:
            at += 3
            kit, events = Kit(), []
            async with emulator.hub(observer=[events.append, kit.observer]) as hub:
                _, steps = await cancelled_at(work(hub), at, how)
            assert {e.call for e in of(events, CallBegan)} == {
                e.call for e in of(events, CallEnded)
            }
            began, ended = ([(e.call, e.number) for e in of(events, kind)] for kind in REQUEST)
            assert sorted(began) == sorted(ended)
            assert len(kit.spans) == len(of(events, CallEnded, RequestEnded))
            assert trace.get_current_span() is trace.INVALID_SPAN
    assert at > 6
    assert caplog.records == []
