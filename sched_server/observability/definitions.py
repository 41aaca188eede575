"""Every metric of an engine: name, type, labels, and what it means.

`docs/observability.md` says the same in a table; a test compares the two.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Definition(Struct, frozen=True):
    name: str
    type: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()


_ALL = (
    # Workflows and activities.
    Definition("sched_workflows_started_total", "counter", "Workflow runs that were started."),
    Definition(
        "sched_workflows_completed_total",
        "counter",
        "Workflow runs that ended, by status.",
        ("status",),
    ),
    Definition(
        "sched_activities_executed_total",
        "counter",
        "Attempts of activities that ended, by outcome; one that is tried again has failed.",
        ("status",),
    ),
    Definition(
        "sched_activity_retries_total",
        "counter",
        "Attempts of activities that failed and are tried again.",
    ),
    Definition(
        "sched_activity_duration_seconds",
        "histogram",
        "From the start of an activity attempt on a worker to its end.",
    ),
    Definition(
        "sched_workflow_task_failures_total",
        "counter",
        "Workflow tasks that failed in a worker, by cause.",
        ("cause",),
    ),
    # Tasks and workers.
    Definition(
        "sched_task_poll_latency_seconds",
        "histogram",
        "How long tasks were ready before a worker was given them.",
        ("kind",),
    ),
    Definition(
        "sched_dispatch_latency_seconds",
        "histogram",
        "How long what was to be sent to a worker waited for its stream.",
    ),
    Definition(
        "sched_task_queue_backlog",
        "gauge",
        "Tasks that wait for a worker.",
        ("task_queue", "kind"),
    ),
    Definition(
        "sched_connected_workers", "gauge", "Workers connected to this engine.", ("task_queue",)
    ),
    Definition(
        "sched_connected_worker_slots",
        "gauge",
        "Tasks that the connected workers can have at a time.",
        ("task_queue", "kind"),
    ),
    Definition(
        "sched_connected_worker_slots_used",
        "gauge",
        "Tasks that the connected workers have.",
        ("task_queue", "kind"),
    ),
    Definition("sched_queue_connected", "gauge", "1 while the task queue's server is reached."),
    # The engine's inside.
    Definition(
        "sched_transitions_total", "counter", "Events written to histories, by type.", ("kind",)
    ),
    Definition("sched_commit_batch_size", "histogram", "Workflow runs changed by one commit."),
    Definition("sched_commit_latency_seconds", "histogram", "How long commits took."),
    Definition(
        "sched_commit_failures_total",
        "counter",
        "Commits of which nothing, or not everything, was written, by reason.",
        ("reason",),
    ),
    Definition(
        "sched_timer_lateness_seconds",
        "histogram",
        "How long after their time timers of every kind fired.",
    ),
    Definition("sched_cache_hits_total", "counter", "Look-ups of runs that were in memory."),
    Definition("sched_cache_misses_total", "counter", "Runs that were rebuilt from their history."),
    Definition("sched_cached_runs", "gauge", "Runs in memory."),
    Definition(
        "sched_errors_total",
        "counter",
        "Calls answered with a refusal or an error, by reason.",
        ("reason",),
    ),
    # Leadership.
    Definition("sched_leader", "gauge", "1 while this engine leads."),
    Definition("sched_epoch", "gauge", "The epoch in which this engine leads; 0 if it does not."),
    Definition(
        "sched_failovers_total",
        "counter",
        "How often this engine took over from another one.",
    ),
    Definition("sched_build_info", "gauge", "Always 1; the version is a label.", ("version",)),
)

DEFINITIONS = {definition.name: definition for definition in _ALL}
