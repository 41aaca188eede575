"""The engine's numbers in Prometheus' form, made when somebody asks for them.

Imports prometheus-client, so it is imported with the first scrape: an engine
that nobody watches neither waits for that nor keeps it in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.registry import Collector

from sched_sdk.api.v1 import common_pb2
from sched_server import __version__
from sched_server.core.events import EVENT_TYPES
from sched_server.core.values import Status, TaskFailureCause
from sched_server.observability.backlog import KINDS
from sched_server.observability.definitions import DEFINITIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from prometheus_client.core import Metric

    from sched_server.host import EngineHost
    from sched_server.observability.backlog import Backlog
    from sched_server.observability.distribution import Distribution
    from sched_server.observability.measures import Measures

    Labelled = Mapping[tuple[str, ...], float]

_ATTEMPTS = {
    "ActivityCompleted": "completed",
    "ActivityFailed": "failed",
    "ActivityTimedOut": "timed_out",
    "ActivityCanceled": "canceled",
}
_EVENT_NUMBERS = {kind.__name__: number for kind, number in EVENT_TYPES.items()}
_RETRY = _EVENT_NUMBERS["ActivityRetryScheduled"]


class EngineCollector(Collector):
    """Reads one engine process; runs in its event loop."""

    def __init__(self, host: EngineHost, backlog: Backlog) -> None:
        self._host = host
        self._backlog = backlog

    def describe(self) -> Iterable[Metric]:
        """Nothing else is in the registry, so there is no need to look at names."""
        return ()

    def collect(self) -> Iterator[Metric]:
        measures = self._host.measures
        yield from _work(measures)
        yield from _inside(measures)
        yield from self._workers()
        yield from self._leadership()
        yield _numbers("sched_build_info", {(__version__,): 1})

    def _workers(self) -> Iterator[Metric]:
        engine = self._host.engine
        workers: dict[tuple[str, ...], float] = {}
        slots: dict[tuple[str, ...], float] = {}
        used: dict[tuple[str, ...], float] = {}
        for session in engine.workers.sessions.values() if engine is not None else ():
            queue = session.hello.task_queue
            workers[queue,] = workers.get((queue,), 0) + 1
            for kind, offered, taken in (
                ("workflow", session.hello.workflow_task_slots, session.held),
                ("activity", session.hello.activity_slots, session.activities),
            ):
                slots[queue, kind] = slots.get((queue, kind), 0) + offered
                used[queue, kind] = used.get((queue, kind), 0) + len(taken)
        yield _numbers("sched_connected_workers", workers)
        yield _numbers("sched_connected_worker_slots", slots)
        yield _numbers("sched_connected_worker_slots_used", used)
        yield _numbers("sched_task_queue_backlog", self._backlog.by_queue())

    def _leadership(self) -> Iterator[Metric]:
        engine = self._host.engine
        leads = engine is not None and engine.holds()
        cached, connected, epoch = 0, False, 0
        if engine is not None:
            cached, epoch = len(engine.group.cache), engine.group.epoch
            connected = engine.group.dispatcher.queue_status().connected
        yield _number("sched_cached_runs", cached)
        yield _number("sched_queue_connected", int(connected))
        yield _number("sched_leader", int(leads))
        yield _number("sched_epoch", epoch if leads else 0)
        yield _number("sched_failovers_total", self._host.failovers)


def _work(measures: Measures) -> Iterator[Metric]:
    """Workflows, activities and their tasks."""
    attempts = measures.attempts
    executed: dict[tuple[str, ...], float] = {
        (status,): attempts[_EVENT_NUMBERS[name]] for name, status in _ATTEMPTS.items()
    }
    executed["failed",] += attempts[_RETRY]
    yield _number("sched_workflows_started_total", measures.workflows_started)
    yield _numbers(
        "sched_workflows_completed_total",
        {
            (status.name.lower(),): measures.workflows_closed[status]
            for status in Status
            if status > Status.RUNNING
        },
    )
    yield _numbers("sched_activities_executed_total", executed)
    yield _number("sched_activity_retries_total", attempts[_RETRY])
    yield _distributions("sched_activity_duration_seconds", {(): measures.attempt_seconds})
    yield _numbers(
        "sched_workflow_task_failures_total",
        {(cause.name.lower(),): measures.task_failures[cause] for cause in TaskFailureCause},
    )
    yield _distributions(
        "sched_task_poll_latency_seconds",
        {(KINDS[kind],): each for kind, each in measures.poll_seconds.items()},
    )
    yield _distributions("sched_dispatch_latency_seconds", {(): measures.dispatch_seconds})


def _inside(measures: Measures) -> Iterator[Metric]:
    """Commits, timers, cache, errors."""
    yield _numbers(
        "sched_transitions_total",
        {(name,): measures.transitions[number] for name, number in _EVENT_NUMBERS.items()},
    )
    yield _distributions("sched_commit_batch_size", {(): measures.batch_runs})
    yield _distributions("sched_commit_latency_seconds", {(): measures.commit_seconds})
    yield _numbers(
        "sched_commit_failures_total",
        {(reason,): count for reason, count in measures.commit_failures.items()},
    )
    yield _distributions("sched_timer_lateness_seconds", {(): measures.timer_lateness})
    yield _number("sched_cache_hits_total", measures.cache_hits)
    yield _number("sched_cache_misses_total", measures.cache_misses)
    yield _numbers(
        "sched_errors_total",
        {(_reason(number),): count for number, count in measures.errors.items()},
    )


def _reason(number: int) -> str:
    # The proto's enum may lag behind a client's; a number is better than nothing.
    if number not in common_pb2.ErrorReason.values():
        return str(number)
    name = common_pb2.ErrorReason.Name(common_pb2.ErrorReason.ValueType(number))
    return name.removeprefix("ERROR_REASON_").lower()


def _number(name: str, value: float) -> Metric:
    return _numbers(name, {(): value})


def _numbers(name: str, values: Labelled) -> Metric:
    definition = DEFINITIONS[name]
    family: CounterMetricFamily | GaugeMetricFamily
    if definition.type == "counter":
        family = CounterMetricFamily(name, definition.help, labels=definition.labels)
    else:
        family = GaugeMetricFamily(name, definition.help, labels=definition.labels)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family


def _distributions(name: str, values: Mapping[tuple[str, ...], Distribution]) -> Metric:
    definition = DEFINITIONS[name]
    family = HistogramMetricFamily(name, definition.help, labels=definition.labels)
    for labels, value in values.items():
        family.add_metric(labels, buckets=value.buckets(), sum_value=value.total)
    return family
