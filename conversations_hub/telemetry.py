"""Hands what happens to OpenTelemetry: spans of calls and of requests, and how long those took."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from attrs import define
from yarl import URL

from conversations_hub.errors import ConfigurationError
from conversations_hub.observing import (
    CallBegan,
    CallEnded,
    Event,
    PageRead,
    Paused,
    RequestBegan,
    RequestEnded,
    RequestEvent,
    Retrying,
)

try:
    from opentelemetry import context, trace
    from opentelemetry.metrics import Histogram, MeterProvider, get_meter
    from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, TracerProvider
except ModuleNotFoundError as _missing:
    if _missing.name != "opentelemetry":
        raise
    raise ConfigurationError(
        "OpenTelemetry needs its API: python3 -m pip install 'conversations-hub[otel]'"
    ) from None

Value: TypeAlias = str | int | float | bool

SCOPE = "conversations_hub"
# The first version of the conventions in which those for HTTP are stable.
SCHEMA = "https://opentelemetry.io/schemas/1.23.0"
DURATION = "http.client.request.duration"
# What the conventions advise for it, in seconds.
BOUNDARIES: list[float] = [
    0.005,
    0.01,
    0.025,
    0.05,
    0.075,
    0.1,
    0.25,
    0.5,
    0.75,
    1,
    2.5,
    5,
    7.5,
    10,
]
# These end what is no longer wanted, such as a page that was fetched ahead.
ABANDONED = {"CancelledError", "GeneratorExit"}


@define(eq=False)
class OpenSpan:
    """A span that has begun, its context, and what leads back to the one before."""

    span: Span
    within: context.Context
    token: Any


class OpenTelemetry:
    """An observer: a span for each call, and within it one for each request that it took.

    Without providers of spans and metrics, it uses the global ones. Requests follow the stable
    semantic conventions of HTTP clients.
    """

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        self._tracer: Tracer = trace.get_tracer(
            SCOPE, tracer_provider=tracer_provider, schema_url=SCHEMA
        )
        self._seconds: Histogram = get_meter(
            SCOPE, meter_provider=meter_provider, schema_url=SCHEMA
        ).create_histogram(
            DURATION,
            unit="s",
            description="Duration of HTTP client requests.",
            explicit_bucket_boundaries_advisory=BOUNDARIES,
        )
        self._open: dict[tuple[int, int], OpenSpan] = {}

    def __call__(self, event: Event) -> None:
        """Begin a span, add to one, or end it."""
        match event:
            case CallBegan():
                self._begin(
                    (event.call, 0),
                    f"{SCOPE}.{event.operation}",
                    SpanKind.INTERNAL,
                    _told(provider=event.provider, operation=event.operation),
                )
            case RequestBegan():
                self._begin(
                    (event.call, event.number), event.method, SpanKind.CLIENT, _asked(event)
                )
            case RequestEnded():
                self._seconds.record(event.seconds, _measured(event))
                self._end((event.call, event.number), _answered(event), _wrong(event))
            case CallEnded():
                self._end((event.call, 0), _told(requests=event.requests), event.error)
            case PageRead():
                told = _told(items=event.items, broken=event.broken, last=event.last)
                self._span(event).set_attributes(told)
            case Retrying():
                told = _told(attempt=event.attempt, seconds=event.seconds)
                self._span(event).add_event(f"{SCOPE}.retry", told)
            case Paused():
                told = _told(seconds=event.seconds, why=event.why)
                self._span(event).add_event(f"{SCOPE}.pause", told)
            case _:
                pass

    def _begin(
        self, key: tuple[int, int], name: str, kind: SpanKind, told: Mapping[str, Value]
    ) -> None:
        """Begin a span within the current one, and make it the current one of this task."""
        span = self._tracer.start_span(name, kind=kind, attributes=told)
        within = trace.set_span_in_context(span)
        self._open[key] = OpenSpan(span, within, context.attach(within))

    def _end(self, key: tuple[int, int], told: Mapping[str, Value], error: str | None) -> None:
        """End a span; an error is told by its class alone, since its message may quote people."""
        open_span = self._open.pop(key, None)
        if open_span is None:
            return
        span = open_span.span
        span.set_attributes(told)
        if error is not None:
            span.set_attribute("error.type", error)
            if error not in ABANDONED:
                span.set_status(Status(StatusCode.ERROR))
            if not error.isdecimal():
                span.add_event("exception", {"exception.type": error})
        # An abandoned coroutine is closed in another context, where its span is not current.
        if context.get_current() is open_span.within:
            context.detach(open_span.token)
        span.end()

    def _span(self, event: Event) -> Span:
        """Return the span of an event's call."""
        open_span = self._open.get((event.call, 0))
        return open_span.span if open_span else trace.INVALID_SPAN


def _told(**said: Value | None) -> dict[str, Value]:
    """Return the attributes that no convention has a name for."""
    return {f"{SCOPE}.{name}": value for name, value in said.items() if value is not None}


def _asked(event: RequestEvent) -> dict[str, Value]:
    told: dict[str, Value] = {**_common(event), "url.full": event.url}
    if event.attempt > 1:
        told["http.request.resend_count"] = event.attempt - 1
    return told


def _answered(event: RequestEnded) -> dict[str, Value]:
    return {**_answer(event), **_told(request_id=event.request_id)}


def _measured(event: RequestEnded) -> dict[str, Value]:
    wrong = _wrong(event)
    return {**_common(event), **_answer(event), **({"error.type": wrong} if wrong else {})}


def _common(event: RequestEvent) -> dict[str, Value]:
    url = URL(event.url)
    return {
        "http.request.method": event.method,
        "server.address": url.host or "",
        "server.port": url.port or 0,
    }


def _answer(event: RequestEnded) -> dict[str, Value]:
    told: dict[str, Value] = {}
    if event.status is not None:
        told["http.response.status_code"] = event.status
    if event.http_version is not None:
        told["network.protocol.version"] = event.http_version
    return told


def _wrong(event: RequestEnded) -> str | None:
    """Return `error.type` by the conventions for clients; an answer below 400 has none."""
    if event.error is None and event.status is not None and event.status >= 400:
        return str(event.status)
    return event.error
