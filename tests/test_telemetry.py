import asyncio
import sys
from importlib import import_module

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from conversations_hub import ConfigurationError, RateLimitError, ServerError
from conversations_hub.telemetry import BOUNDARIES, OpenTelemetry
from conversations_hub.watching import Watch
from spans import Kit
from support import Acme

ACME = Acme(token="canary", base_url="https://acme.example/v1")
BUSY = RateLimitError("words", provider="acme")
REQUEST = ACME.get("things", "1", query={"secret": "canary"})
# Duration's attributes, in the conventions' own words.
MEASURED = {
    "http.request.method": "GET",
    "server.address": "acme.example",
    "server.port": 443,
}


@pytest.fixture
def kit():
    return Kit()


def ask(kit, *, status=200, attempt=1, operation="messages"):
    with kit.watch.request(ACME, REQUEST, operation, attempt):
        kit.watch.answered(status, {"X-Request-Id": "R1"}, (1, 1))


def attributes(span):
    return dict(span.attributes)


def test_a_call_and_its_request_are_spans(kit):
    with kit.watch.call("acme", "messages"):
        ask(kit)
        kit.watch.page("acme", "messages", items=3, broken=1, last=True)
    request, call = kit.spans
    assert (call.name, call.kind, call.parent) == (
        "conversations_hub.messages",
        SpanKind.INTERNAL,
        None,
    )
    assert attributes(call) == {
        "conversations_hub.provider": "acme",
        "conversations_hub.operation": "messages",
        "conversations_hub.requests": 1,
        "conversations_hub.items": 3,
        "conversations_hub.broken": 1,
        "conversations_hub.last": True,
    }
    assert (request.name, request.kind) == ("GET", SpanKind.CLIENT)
    assert request.parent.span_id == call.context.span_id
    assert attributes(request) == {
        **MEASURED,
        "url.full": "https://acme.example/v1/things/1",
        "http.response.status_code": 200,
        "network.protocol.version": "1.1",
        "conversations_hub.request_id": "R1",
    }
    assert request.status.status_code is call.status.status_code is StatusCode.UNSET
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_the_scope_names_the_conventions(kit):
    ask(kit)
    scope = kit.spans[0].instrumentation_scope
    assert (scope.name, scope.schema_url) == (
        "conversations_hub",
        "https://opentelemetry.io/schemas/1.23.0",
    )


@pytest.mark.parametrize("status", [400, 404, 429, 503])
def test_a_refusal_is_a_clients_error(kit, status):
    ask(kit, status=status)
    [span] = kit.spans
    assert span.attributes["error.type"] == str(status)
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description is None
    [point] = kit.metric.data.data_points
    assert point.attributes["error.type"] == str(status)


@pytest.mark.parametrize("status", [200, 204, 304])
def test_another_answer_is_none(kit, status):
    ask(kit, status=status)
    [span] = kit.spans
    assert "error.type" not in span.attributes
    assert span.status.status_code is StatusCode.UNSET


def test_an_attempt_says_how_often_it_was_sent_before(kit):
    for attempt in (1, 2, 3):
        ask(kit, attempt=attempt)
    counts = [span.attributes.get("http.request.resend_count") for span in kit.spans]
    assert counts == [None, 1, 2]


def test_what_was_raised_is_told_without_its_words(kit):
    with (
        pytest.raises(ServerError),
        kit.watch.call("acme", "send"),
        kit.watch.request(ACME, REQUEST, "send", 1),
    ):
        raise ServerError("canary")
    for span in kit.spans:
        assert span.attributes["error.type"] == "ServerError"
        assert span.status.status_code is StatusCode.ERROR
        [event] = span.events
        assert (event.name, dict(event.attributes)) == (
            "exception",
            {"exception.type": "ServerError"},
        )
        assert "canary" not in span.to_json()


def test_what_nobody_wants_any_longer_is_no_error(kit):
    with pytest.raises(asyncio.CancelledError), kit.watch.call("acme", "messages"):
        raise asyncio.CancelledError
    [span] = kit.spans
    assert span.attributes["error.type"] == "CancelledError"
    assert span.status.status_code is StatusCode.UNSET


def test_retries_and_pauses_are_noted_at_their_call(kit):
    with kit.watch.call("acme", "messages"):
        kit.watch.retrying(BUSY, "messages", 1, 0.5)
        kit.watch.refused(BUSY, "messages", 0.5)
    events = [(event.name, dict(event.attributes)) for event in kit.spans[0].events]
    assert events == [
        (
            "conversations_hub.retry",
            {"conversations_hub.attempt": 1, "conversations_hub.seconds": 0.5},
        ),
        (
            "conversations_hub.pause",
            {"conversations_hub.seconds": 0.5, "conversations_hub.why": "refusal"},
        ),
    ]


def test_what_belongs_to_no_call_is_left_out(kit):
    kit.watch.refused(BUSY, "messages", 0.5)
    kit.watch.page("acme", "messages", items=1, broken=0, last=True)
    assert kit.spans == ()


def test_durations_are_measured_as_the_conventions_advise(kit):
    for _ in range(3):
        ask(kit)
    metric = kit.metric
    assert (metric.name, metric.unit) == ("http.client.request.duration", "s")
    [point] = metric.data.data_points
    assert list(point.explicit_bounds) == BOUNDARIES
    assert point.count == 3
    assert dict(point.attributes) == {
        **MEASURED,
        "http.response.status_code": 200,
        "network.protocol.version": "1.1",
    }


def test_a_call_is_part_of_what_the_caller_does(kit):
    tracer = kit.tracers.get_tracer("mine")
    with tracer.start_as_current_span("mine") as mine:
        with kit.watch.call("acme", "messages"):
            with kit.watch.call("acme", "people"):
                ask(kit, operation="people")
            ask(kit)
        assert trace.get_current_span() is mine
    people, messages = (kit.span(f"conversations_hub.{n}") for n in ("people", "messages"))
    assert messages.parent.span_id == mine.get_span_context().span_id
    assert people.parent.span_id == messages.context.span_id
    first, second = [span for span in kit.spans if span.name == "GET"]
    assert first.parent.span_id == people.context.span_id
    assert second.parent.span_id == messages.context.span_id


async def test_calls_at_the_same_time_keep_their_requests_apart(kit):
    async def call(n):
        with kit.watch.call("acme", f"operation{n}"):
            for _ in range(3):
                await asyncio.sleep(0)
                with kit.watch.request(ACME, REQUEST, f"operation{n}", 1):
                    await asyncio.sleep(0)

    await asyncio.gather(*(call(n) for n in range(5)))
    calls = [span for span in kit.spans if span.kind is SpanKind.INTERNAL]
    parents = [span.parent.span_id for span in kit.spans if span.kind is SpanKind.CLIENT]
    assert sorted(parents) == sorted(call.context.span_id for call in calls for _ in range(3))


@pytest.mark.parametrize("has_sdk", [True, False])
async def test_a_call_that_is_closed_elsewhere_ends_quietly(kit, caplog, has_sdk):
    watch = kit.watch if has_sdk else Watch((OpenTelemetry(),))

    async def call():
        with watch.call("acme", "messages"):
            await asyncio.sleep(60)

    async def begin(coroutine):
        coroutine.send(None)

    waiting = call()
    await asyncio.create_task(begin(waiting))
    waiting.close()
    assert [span.name for span in kit.spans] == ["conversations_hub.messages"] * has_sdk
    assert caplog.records == []


def test_without_the_sdk_nothing_happens():
    watch = Watch((OpenTelemetry(),))
    with watch.call("acme", "messages"), watch.request(ACME, REQUEST, "messages", 1):
        assert not trace.get_current_span().is_recording()


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "conversations_hub.telemetry")
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'conversations-hub\[otel\]'"):
        import_module("conversations_hub.telemetry")
