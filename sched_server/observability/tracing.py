"""The engine's part of a trace: one span for each run, made when the run has closed.

    the caller's span
    └── start_workflow.<name>     the client, if it traces
        └── workflow.<name>       the engine that leads when the run closes
            └── activity.<name>   a worker, one for each attempt

What the span of a run needs is in the run's history, so it does not matter how
many engines the run has seen. Its ids follow from the run's id, and so activities
can name it as their parent before it is made.

Loaded only where an endpoint is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from sched_server import __version__
from sched_server.core import events as e
from sched_server.core.values import Status as RunStatus
from sched_server.observability import trace_context
from sched_server.observability.otlp import SpanSender
from sched_server.observability.trace_context import TraceContext

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

    from sched_server.core.state import ExecutionState

SERVICE = "sched-engine"
# Receivers refuse, or cut in the middle, what is much longer.
_DESCRIPTION_CHARACTERS = 1_000


class Tracing:
    """Of one engine process; its terms come and go."""

    def __init__(self, endpoint: str) -> None:
        self._sender = SpanSender(endpoint, SERVICE)
        # As OTEL_TRACES_SAMPLER says; by default what the caller samples, and all
        # that had no caller.
        self._sampler = self._sender.provider().sampler
        self._scope = InstrumentationScope("sched", __version__)

    async def close(self) -> None:
        """Send what is left, for a bounded time."""
        await self._sender.close()

    def parent_of_activities(self, state: ExecutionState) -> str:
        """The `traceparent` of the span that this run has, or will have."""
        return str(self._context(state, _caller(state)))

    def closed(self, state: ExecutionState) -> None:
        """The run has closed, and that is durable: its span."""
        caller = _caller(state)
        context = self._context(state, caller)
        if not context.sampled:
            return
        span = ReadableSpan(
            name=_name(state),
            context=_span_context(context, state, is_remote=False),
            parent=None if caller is None else _span_context(caller, state, is_remote=True),
            resource=self._sender.resource,
            attributes=_attributes(state),
            kind=SpanKind.SERVER,
            status=_status(state),
            start_time=state.started_us * 1_000,
            end_time=state.last_time_us * 1_000,
            instrumentation_scope=self._scope,
        )
        self._sender.processor.on_end(span)

    def _context(self, state: ExecutionState, caller: TraceContext | None) -> TraceContext:
        """The same whenever it is asked for, since samplers go by the trace's id and
        by the caller's flag."""
        parent = Context()
        if caller is not None:
            remote = _span_context(caller, state, is_remote=True)
            parent = set_span_in_context(NonRecordingSpan(remote), parent)
        trace_id = caller.trace_id if caller else trace_context.trace_of_run(state.run_id)
        sampling = self._sampler.should_sample(parent, trace_id, _name(state), SpanKind.SERVER)
        span_id = trace_context.span_of_run(state.run_id)
        return TraceContext(trace_id, span_id, sampling.decision is Decision.RECORD_AND_SAMPLE)


def _caller(state: ExecutionState) -> TraceContext | None:
    return trace_context.parse(state.traceparent)


def _name(state: ExecutionState) -> str:
    return f"workflow.{state.workflow_type}"


def _span_context(context: TraceContext, state: ExecutionState, *, is_remote: bool) -> SpanContext:
    return SpanContext(
        context.trace_id,
        context.span_id,
        is_remote,
        TraceFlags(TraceFlags.SAMPLED if context.sampled else TraceFlags.DEFAULT),
        TraceState.from_header([state.tracestate]) if state.tracestate else TraceState(),
    )


def _attributes(state: ExecutionState) -> dict[str, AttributeValue]:
    """Ids and names, as in the logs; no payloads."""
    attributes: dict[str, AttributeValue] = {
        "sched.workflow_id": state.workflow_id,
        "sched.run_id": state.run_id,
        "sched.workflow_name": state.workflow_type,
        "sched.task_queue": state.task_queue,
        "sched.status": state.status.name.lower(),
        "sched.history_events": state.last_event_id,
    }
    outcome = state.outcome
    if isinstance(outcome, e.WorkflowFailed):
        attributes["error.type"] = outcome.failure.type
    elif state.status in (RunStatus.TIMED_OUT, RunStatus.TERMINATED):
        attributes["error.type"] = state.status.name.lower()
    return attributes


def _status(state: ExecutionState) -> Status:
    """A cancellation is no error: somebody wanted it, and the workflow agreed."""
    outcome = state.outcome
    if isinstance(outcome, e.WorkflowFailed | e.WorkflowTimedOut):
        text = f"{outcome.failure.type}: {outcome.failure.message}"
    elif isinstance(outcome, e.WorkflowTerminated):
        text = f"terminated: {outcome.reason}" if outcome.reason else "terminated"
    else:
        return Status(StatusCode.UNSET)
    return Status(StatusCode.ERROR, text[:_DESCRIPTION_CHARACTERS])
