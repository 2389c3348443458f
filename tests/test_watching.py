import asyncio
import gc
import logging
from functools import partial
from pathlib import Path

import pytest
from attrs import evolve

from conversations_hub import RateLimitError, ServerError, Upload
from conversations_hub.observing import (
    CallBegan,
    CallEnded,
    PageRead,
    Paused,
    RequestBegan,
    RequestEnded,
    Retrying,
)
from conversations_hub.watching import ASKING, CALLING, UNWATCHED, Watch
from conversations_hub.wire import Request
from support import Acme

ACME = Acme(token="canary-token", base_url="https://acme.example/v1")
REQUEST = ACME.get("things", "1", query={"secret": "canary"})


@pytest.fixture
def events():
    return []


@pytest.fixture
def watch(events):
    return Watch((events.append,))


def test_a_call_has_a_beginning_an_end_and_a_number_of_its_own(watch, events):
    for _ in range(2):
        with watch.call("acme", "messages"):
            pass
    first, end, second, _ = events
    assert first == CallBegan(provider="acme", operation="messages", call=first.call)
    assert isinstance(end, CallEnded)
    assert (end.call, end.requests, end.error) == (first.call, 0, None)
    assert end.seconds >= 0
    assert second.call > first.call > 0


def test_a_request_is_counted_to_its_call(watch, events):
    with watch.call("acme", "messages"):
        for attempt in (1, 2):
            with watch.request(ACME, REQUEST, "messages", attempt):
                watch.answered(200, {"X-Request-Id": "R1"}, (1, 1)).received = 9
    call, began, ended, _, last, over = events
    assert began == RequestBegan(
        provider="acme",
        operation="messages",
        call=call.call,
        number=1,
        attempt=1,
        method="GET",
        url="https://acme.example/v1/things/1",
        sent=None,
    )
    assert isinstance(ended, RequestEnded)
    assert ended == evolve(
        ended, status=200, request_id="R1", received=9, http_version="1.1", error=None
    )
    assert (last.number, last.attempt) == (2, 2)
    assert over.requests == 2


def test_a_part_of_a_call_is_a_call_within_it(watch, events):
    with watch.call("acme", "messages"):
        with watch.call("acme", "people"), watch.request(ACME, REQUEST, "people", 1):
            pass
        with watch.request(ACME, REQUEST, "messages", 1):
            pass
    outer, inner, asked, *_, again, _, over = events
    assert (outer.within, inner.within) == (0, outer.call)
    assert (asked.call, again.call) == (inner.call, outer.call)
    assert over.requests == 1


def test_what_goes_wrong_is_told_by_its_class_alone(watch, events):
    with (
        pytest.raises(ServerError),
        watch.call("acme", "send"),
        watch.request(ACME, REQUEST, "send", 1),
    ):
        raise ServerError("canary")
    _, _, request, call = events
    assert request.error == call.error == "ServerError"
    assert "canary" not in repr(events)


async def test_tasks_that_a_call_starts_are_part_of_it_and_others_are_not(watch, events):
    async def ask():
        with watch.request(ACME, REQUEST, "send", 1):
            await asyncio.sleep(0)

    async def call(name):
        with watch.call(name, "send"):
            await asyncio.gather(ask(), ask())

    await asyncio.gather(call("one"), call("two"))
    calls = {e.call for e in events if isinstance(e, CallBegan)}
    asked = [e.call for e in events if isinstance(e, RequestBegan)]
    assert sorted(asked) == sorted([*calls, *calls])
    assert {e.requests for e in events if isinstance(e, CallEnded)} == {2}


async def test_a_call_that_nobody_awaits_any_more_ends(watch, events):
    async def call():
        with watch.call("acme", "send"):
            await asyncio.sleep(60)

    waiting = call()
    task = asyncio.create_task(_step(waiting))
    await task
    waiting.close()  # in another context than the one in which it began
    assert [type(e) for e in events] == [CallBegan, CallEnded]
    assert events[1].error == "GeneratorExit"


async def _step(coroutine):
    coroutine.send(None)


def test_a_request_outside_of_any_call_has_a_number_too(watch, events):
    for _ in range(2):
        with watch.request(ACME, REQUEST, "token", 1):
            pass
    assert len({(e.call, e.number) for e in events}) == 2
    assert 0 not in {e.call for e in events}


@pytest.mark.parametrize(
    ("provider", "url", "told"),
    [
        pytest.param(ACME, "https://u:p@h/a?token=canary#b", "https://h/a", id="an account's"),
        pytest.param(ACME, "https://h/a/ann%40work", "https://h/a/***", id="somebody's address"),
        pytest.param(ACME, "https://h/a/canary-token/b", "https://h/a/***/b", id="a credential"),
        pytest.param(None, "https://u:p@h/canary?token=canary", "https://h", id="elsewhere"),
    ],
)
def test_addresses_are_told_without_what_may_be_secret(watch, events, provider, url, told):
    with watch.request(provider, Request.of(url), "download", 1):
        pass
    assert [e.url for e in events] == [told, told]


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ({"body": b"four"}, 4),
        ({"file": Upload(b"sixsix")}, 6),
        ({"file": Upload(Path("plan.pdf"))}, None),
        ({}, None),
    ],
)
def test_bytes_are_counted_where_they_are_known(watch, events, changes, size):
    with watch.request(ACME, evolve(REQUEST, **changes), "send", 1):
        pass
    assert events[0].sent == size


@pytest.mark.parametrize("told", ["a\nb", "ü", "x" * 201, "", None, "Bearer-canary-token", "a b"])
def test_what_cannot_be_an_id_is_none(watch, events, told):
    with watch.request(ACME, REQUEST, "send", 1):
        watch.answered(200, {"X-Request-Id": told} if told is not None else {}, None)
    assert events[1].request_id is None


def test_retries_pauses_and_pages_are_told(watch, events):
    with watch.call("acme", "messages"):
        failed = RateLimitError("words", provider="acme")
        failed.status = 429
        watch.retrying(failed, "messages", 1, 0.5)
        watch.refused(failed, "messages", 0.5)
        watch.waited(0.25)
        watch.page("acme", "messages", items=3, broken=1, last=False)
    where = {"provider": "acme", "operation": "messages", "call": events[0].call}
    assert events[1:-1] == [
        Retrying(**where, attempt=1, seconds=0.5, error="RateLimitError", status=429),
        Paused(**where, seconds=0.5, why="refusal"),
        Paused(**where, seconds=0.25, why="rate"),
        PageRead(**where, items=3, broken=1, last=False),
    ]


def test_an_observer_that_fails_harms_nobody_and_is_heard_of_once(events, caplog):
    def fails(event):
        raise LookupError

    watch = Watch((fails, events.append))
    for _ in range(3):
        with watch.call("acme", "messages"):
            pass
    assert len(events) == 6
    [record] = caplog.records
    assert (record.levelno, record.name) == (logging.WARNING, "conversations_hub.watching")
    assert record.exc_info[0] is LookupError


def test_who_is_told_first_of_a_beginning_is_told_last_of_its_end():
    told = []
    watch = Watch(tuple(lambda event, n=n: told.append((n, type(event))) for n in "ab"))
    with watch.call("acme", "send"), watch.request(ACME, REQUEST, "send", 1):
        pass
    assert "".join(n for n, _ in told) == "ababbaba"


def test_where_nobody_listens_nothing_is_done(caplog):
    quiet = Watch()
    assert quiet.call("acme", "send") is UNWATCHED
    assert quiet.request(ACME, REQUEST, "send", 1) is UNWATCHED
    quiet.page("acme", "send", items=1, broken=0, last=True)
    quiet.waited(1.0)
    assert quiet.answered(200, {}, None) is None
    assert caplog.records == []


def test_the_log_alone_is_somebody(caplog):
    caplog.set_level(logging.DEBUG, "conversations_hub.events")
    with Watch().call("acme", "send"), Watch().request(ACME, REQUEST, "send", 1):
        pass
    assert [r.hub_event for r in caplog.records] == ["RequestEnded", "CallEnded"]
    assert "canary" not in caplog.text


def test_what_is_rare_is_logged_whoever_listens(caplog):
    caplog.set_level(logging.INFO, "conversations_hub.events")
    Watch().retrying(ServerError("down", provider="acme"), "send", 1, 0.5)
    Watch().refused(RateLimitError("busy", provider="acme"), "send", 1.0)
    Watch().page("acme", "send", items=1, broken=2, last=True)
    assert [(r.hub_event, r.hub_call) for r in caplog.records] == [
        ("Retrying", 0),
        ("Paused", 0),
        ("PageRead", 0),
    ]


async def test_what_an_observer_leaves_to_be_awaited_is_closed_and_told_once(events, caplog):
    async def waits(event):
        raise AssertionError

    watch = Watch((partial(waits), events.append))
    for _ in range(3):
        with watch.call("acme", "messages"):
            pass
    gc.collect()
    assert len(events) == 6
    [record] = caplog.records
    assert "nobody awaits what it returns" in record.exc_text


@pytest.mark.parametrize("kind", [CallBegan, CallEnded, RequestBegan, RequestEnded])
def test_an_observer_that_ends_the_program_leaves_nothing_behind(kind):
    def ends(event):
        if isinstance(event, kind):
            raise KeyboardInterrupt

    watch = Watch((ends,))
    with (
        pytest.raises(KeyboardInterrupt),
        watch.call("acme", "messages"),
        watch.request(ACME, REQUEST, "messages", 1),
    ):
        pass
    assert (CALLING.get(), ASKING.get()) == (None, None)
