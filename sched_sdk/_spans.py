"""The SDK's spans, made through OpenTelemetry's API.

They go where the process's tracer provider sends them; without a provider there
are none, and the caller's context is passed on all the same. Loaded by
`_tracing` only.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.context import Context, attach
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

import sched_sdk

if TYPE_CHECKING:
    import contextvars
    from collections.abc import Iterator

    from opentelemetry.trace import Span, Tracer

    from sched_sdk.api.v1.common_pb2 import Failure
    from sched_sdk.api.v1.worker_service_pb2 import ActivityTask
    from sched_sdk.api.v1.workflow_service_pb2 import StartWorkflowRequest

__all__ = ["ActivitySpan", "start_workflow_span"]

_DESCRIPTION_CHARACTERS = 1_000
_w3c = TraceContextTextMapPropagator()


def _tracer() -> Tracer:
    # Each time anew: a provider that comes late is found, and the look-up is cheap.
    return trace.get_tracer("sched", sched_sdk.__version__)


@contextmanager
def start_workflow_span(request: StartWorkflowRequest) -> Iterator[Span]:
    """A span around the call that starts a workflow; the request takes its context."""
    attributes = {
        "sched.workflow_name": request.workflow_type,
        "sched.task_queue": request.task_queue,
    }
    if request.workflow_id:
        attributes["sched.workflow_id"] = request.workflow_id
    span = _tracer().start_span(
        f"start_workflow.{request.workflow_type}", kind=SpanKind.CLIENT, attributes=attributes
    )
    # Not the current span of its task: a call that is closed or collected as garbage
    # ends in another context, and there the one before could not be put back.
    carrier: dict[str, str] = {}
    _w3c.inject(carrier, trace.set_span_in_context(span))
    request.traceparent = carrier.get("traceparent", "")
    request.tracestate = carrier.get("tracestate", "")
    try:
        yield span
    except Exception as error:
        span.record_exception(error)
        span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
        raise
    finally:
        span.end()


class ActivitySpan:
    """Of one attempt of an activity, below the span of its run."""

    def __init__(self, task: ActivityTask) -> None:
        """It begins now."""
        carrier = {"traceparent": task.traceparent, "tracestate": task.tracestate}
        # In an empty context: the worker's own one has nothing to do with the run.
        self._span = _tracer().start_span(
            f"activity.{task.name}",
            context=_w3c.extract(carrier, Context()),
            kind=SpanKind.CONSUMER,
            attributes={
                "sched.workflow_id": task.workflow_id,
                "sched.run_id": task.run_id,
                "sched.workflow_name": task.workflow_type,
                "sched.activity_name": task.name,
                "sched.activity_seq": task.seq,
                "sched.attempt": task.attempt,
                "sched.task_queue": task.task_queue,
            },
        )

    def enter(self, context: contextvars.Context) -> None:
        """What runs in this context is below the span. The context is not used for
        anything else, so nothing has to be put back."""
        context.run(attach, trace.set_span_in_context(self._span, Context()))

    def end(self, status: str, failure: Failure | None, error: BaseException | None) -> None:
        """The attempt has ended like this; `failure` is what the engine is told of
        an attempt that failed, `error` what left the function."""
        span = self._span
        span.set_attribute("sched.status", status)
        if failure is not None:
            span.set_attribute("error.type", failure.type)
            if error is not None:
                span.record_exception(error)
            description = f"{failure.type}: {failure.message}"[:_DESCRIPTION_CHARACTERS]
            span.set_status(Status(StatusCode.ERROR, description))
        span.end()
