"""OpenTelemetry's own SDK, to look at what it was given."""

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from conversations_hub.telemetry import OpenTelemetry
from conversations_hub.watching import Watch


class Kit:
    """An observer whose spans and figures stay in memory."""

    def __init__(self):
        self.exporter, self.reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.meters = MeterProvider([self.reader], shutdown_on_exit=False)
        self.observer = OpenTelemetry(self.tracers, self.meters)
        self.watch = Watch((self.observer,))

    @property
    def spans(self):
        """The spans that have ended, in that order."""
        return self.exporter.get_finished_spans()

    def span(self, name):
        [found] = [span for span in self.spans if span.name == name]
        return found

    @property
    def metric(self):
        [resource] = self.reader.get_metrics_data().resource_metrics
        [scope] = resource.scope_metrics
        [metric] = scope.metrics
        return metric
