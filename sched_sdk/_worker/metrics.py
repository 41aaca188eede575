"""A worker's numbers for a prometheus_client registry.

Loaded only where somebody gives a worker a registry, and so has the library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from prometheus_client import Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from sched_sdk.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any

    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

    from sched_sdk._worker.tally import Load, Tally

__all__ = ["DEFINITIONS", "WorkerMetrics"]

_DURATION = "sched_worker_activity_duration_seconds"
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600)
_STATUSES = ("completed", "failed", "canceled", "detached")
_OUTCOMES = ("completed", "failed", "returned", "rejected")


class Definition(NamedTuple):
    """Of one metric; `docs/observability.md` says the same in a table."""

    name: str
    type: str
    help: str
    labels: tuple[str, ...] = ()


_ALL = (
    Definition("sched_worker_slots", "gauge", "Tasks that it can have at a time.", ("kind",)),
    Definition("sched_worker_slots_used", "gauge", "Tasks that it has.", ("kind",)),
    Definition(
        "sched_worker_activities_executed_total",
        "counter",
        "Attempts of activities that ended in it, by status.",
        ("status",),
    ),
    Definition(_DURATION, "histogram", "How long attempts of activities ran in it."),
    Definition(
        "sched_worker_workflow_tasks_total",
        "counter",
        "Workflow tasks that ended in it, by outcome.",
        ("outcome",),
    ),
    Definition(
        "sched_worker_replays_total", "counter", "Workflow runs that it rebuilt from their history."
    ),
    Definition("sched_worker_cached_runs", "gauge", "Workflow runs that it has in memory."),
    Definition(
        "sched_worker_cache_evictions_total",
        "counter",
        "Workflow runs that left its memory to make room.",
    ),
    Definition("sched_worker_connected", "gauge", "1 while it has a stream to an engine."),
    Definition(
        "sched_worker_reconnects_total", "counter", "Streams that it opened after its first one."
    ),
    Definition(
        "sched_worker_loop_blocked_seconds_total",
        "counter",
        "How long code kept its event loop from taking its turn.",
    ),
)

DEFINITIONS = {definition.name: definition for definition in _ALL}


class WorkerMetrics(Collector):
    """In the registry from its making to `close`.

    Raises DefinitionError if the registry has those of another worker already.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        tally: Tally,
        load: Callable[[], Load],
        *,
        workflow_task_slots: int,
        activity_slots: int,
    ) -> None:
        self._registry = registry
        self._tally = tally
        self._load = load
        self._slots = {("workflow",): workflow_task_slots, ("activity",): activity_slots}
        definition = DEFINITIONS[_DURATION]
        # In no registry: it is part of what this collector tells.
        self._durations = Histogram(
            definition.name, definition.help, buckets=_BUCKETS, registry=None
        )
        try:
            registry.register(self)
        except ValueError as error:
            raise DefinitionError(
                "this registry has the metrics of another worker already; give each worker of a "
                "process a registry of its own"
            ) from error
        tally.observe_duration = self._durations.observe

    def close(self) -> None:
        """Leave the registry."""
        self._tally.observe_duration = None
        self._registry.unregister(self)

    def describe(self) -> Iterable[Metric]:
        """The names, for the registry to see that nobody else has them."""
        return self.collect()

    def collect(self) -> Iterator[Metric]:
        tally, load = self._tally, self._load()
        used = {("workflow",): load.workflow_tasks, ("activity",): load.activities}
        yield _numbers("sched_worker_slots", self._slots)
        yield _numbers("sched_worker_slots_used", used)
        yield _numbers(
            "sched_worker_activities_executed_total",
            {(status,): tally.activities[status] for status in _STATUSES},
        )
        for metric in self._durations.collect():
            # When it was made is no news of the worker's.
            metric.samples = [x for x in metric.samples if not x.name.endswith("_created")]
            yield metric
        yield _numbers(
            "sched_worker_workflow_tasks_total",
            {(outcome,): tally.workflow_tasks[outcome] for outcome in _OUTCOMES},
        )
        for name, value in (
            ("sched_worker_replays_total", tally.replays),
            ("sched_worker_cached_runs", load.cached_runs),
            ("sched_worker_cache_evictions_total", tally.evictions),
            ("sched_worker_connected", load.connected),
            ("sched_worker_reconnects_total", tally.reconnects),
            ("sched_worker_loop_blocked_seconds_total", load.blocked_s),
        ):
            yield _numbers(name, {(): value})


def _numbers(name: str, values: Mapping[Any, float]) -> Metric:
    """`values` by the labels' values."""
    definition = DEFINITIONS[name]
    family: CounterMetricFamily | GaugeMetricFamily
    if definition.type == "counter":
        family = CounterMetricFamily(name, definition.help, labels=definition.labels)
    else:
        family = GaugeMetricFamily(name, definition.help, labels=definition.labels)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family
