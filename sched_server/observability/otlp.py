"""Sending spans: OpenTelemetry's batches and exporters, kept quiet and bounded.

A thread of the library sends what has gathered, so neither an event loop nor an
activity waits for the receiver. While that is away, spans are dropped; one
warning says so, and one line that it is back.

Loaded only where an endpoint is given.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (
    OTLPSpanExporter as GrpcSpanExporter,
)
from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
    OTLPSpanExporter as HttpSpanExporter,
)
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from sched_server.observability.otlp_endpoint import parse_endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

logger = logging.getLogger("sched.tracing")

# A process that is killed loses what it has not sent: send sooner than the library does.
_EXPORT_EVERY_MS = 1_000
# What a stop waits for a receiver that answers, and for one that did not lately.
_FLUSH_S = 2.0
_FLUSH_AWAY_S = 0.3
# The library tells of every try that fails; here that is heard, and told once.
_EXPORTERS = logging.getLogger("opentelemetry.exporter")
_BATCHES = logging.getLogger("opentelemetry.sdk._shared_internal")
for _library in (_EXPORTERS, _BATCHES):
    _library.propagate = False
    _library.addHandler(logging.NullHandler())


class SpanSender:
    """Everything between a finished span and the receiver; one per process.

    Give the processor spans, or use it as part of a TracerProvider with `resource`.
    """

    def __init__(self, endpoint: str, service: str) -> None:
        """`service` is the service's name, unless OTEL_SERVICE_NAME says another."""
        self._exporter = _QuietExporter(endpoint)
        delay = None if "OTEL_BSP_SCHEDULE_DELAY" in os.environ else _EXPORT_EVERY_MS
        self.processor = BatchSpanProcessor(self._exporter, schedule_delay_millis=delay)
        self.resource = Resource.create().merge(
            Resource({"service.name": service}).merge(OTELResourceDetector().detect())
        )

    def provider(self) -> TracerProvider:
        """A provider whose spans go this way."""
        provider = TracerProvider(resource=self.resource, shutdown_on_exit=False)
        provider.add_span_processor(self.processor)
        return provider

    async def close(self) -> None:
        """Send what is left, for a bounded time."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def finish() -> None:
            self.processor.shutdown()  # type: ignore[no-untyped-call]  # not annotated there
            with contextlib.suppress(RuntimeError):  # the loop is closed, nobody waits
                loop.call_soon_threadsafe(done.set)

        # A thread that nobody joins: the library's own end may take half a minute.
        threading.Thread(target=finish, name="sched-last-spans", daemon=True).start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FLUSH_AWAY_S if self._exporter.away else _FLUSH_S):
                await done.wait()
        self._exporter.shutdown()


def trace_this_process(endpoint: str, service: str) -> SpanSender | None:
    """Send the spans that this process makes through OpenTelemetry's own API.

    None if the process has set OpenTelemetry up by itself: then its spans go
    where that says.
    """
    if isinstance(trace.get_tracer_provider(), TracerProvider):
        logger.warning(
            "the app sets up OpenTelemetry by itself, so its spans do not go to %s", endpoint
        )
        return None
    sender = SpanSender(endpoint, service)
    trace.set_tracer_provider(sender.provider())
    return sender


class _QuietExporter(SpanExporter):
    """Exports, and says once when that begins to fail."""

    def __init__(self, endpoint: str) -> None:
        where = parse_endpoint(endpoint)
        self.away = False
        """The last batch could not be sent."""
        self._url = where.url
        self._closed = False
        self._error = ""
        self._overflowed = False
        self._errors = _Listener(self._hear_error, logging.ERROR)
        self._overflow = _Listener(self._hear_overflow, logging.WARNING)
        _EXPORTERS.addHandler(self._errors)
        _BATCHES.addHandler(self._overflow)
        make = HttpSpanExporter if where.http else GrpcSpanExporter
        self._exporter: SpanExporter = make(endpoint=where.url)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result = self._exporter.export(spans)
        except Exception as error:
            self._error = str(error)
            result = SpanExportResult.FAILURE
        failed = result is not SpanExportResult.SUCCESS
        if failed and not self.away and not self._closed:
            reason = f" ({self._error})" if self._error else ""
            logger.warning(
                "spans cannot be sent to %s and are dropped until they can%s", self._url, reason
            )
        elif self.away and not failed:
            logger.info("spans are sent to %s again", self._url)
        self.away = failed
        return result

    def shutdown(self) -> None:
        """Break off what is being tried."""
        if not self._closed:
            self._closed = True
            self._exporter.shutdown()
            _EXPORTERS.removeHandler(self._errors)
            _BATCHES.removeHandler(self._overflow)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)

    def _hear_error(self, message: str) -> None:
        self._error = message

    def _hear_overflow(self, _message: str) -> None:
        if not (self.away or self._closed or self._overflowed):
            self._overflowed = True
            logger.warning("spans come faster than %s takes them; some are dropped", self._url)


class _Listener(logging.Handler):
    """Hands on what a library logs."""

    def __init__(self, heard: Callable[[str], None], level: int) -> None:
        super().__init__(level)
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        self._heard(record.getMessage())
