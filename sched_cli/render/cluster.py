"""A cluster on a terminal: engines, what is wrong, task queues, workers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sched_cli.render.tables import Column, Cut, FittedTable
from sched_cli.render.times import ago, duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType
    from rich.text import Text

    from sched_sdk._client import ClusterStatus, QueueStatus, StoreStatus, WorkerStatus

_ROLE_STYLES = {"LEADER": "green", "STANDBY": "cyan", "RECOVERING": "yellow"}
_LABEL_WIDTH = 12


def cluster_parts(status: ClusterStatus) -> Iterator[RenderableType]:
    """Everything that is known, in lines and tables."""
    yield from cluster_lines(status)
    if status.task_queues:
        yield ""
        yield task_queue_table(status)
    if status.workers:
        yield ""
        yield worker_table(status)


def cluster_lines(status: ClusterStatus, now: datetime | None = None) -> Iterator[Text]:
    """The engines, the store, the queue, and what is wrong with them. `now` is when
    that is shown, by cluster time; when it was asked for by default."""
    from rich.text import Text

    clock = status.clock
    passed = timedelta(0) if now is None else now - _cluster_time(status)
    # Each age by the clock that its beginning was read from: the machine's of the engine
    # here, the database's below, which is cluster time but for how far that was moved.
    here = (clock.machine_time or datetime.now(UTC)) + passed
    there = _cluster_time(status) - clock.advanced + passed
    up = f", up {duration(here - status.started_time)}" if status.started_time else ""
    yield _line(
        "Engine",
        Text.assemble(status.address, "  ", _role(status), f"  sched {status.version}{up}"),
    )
    yield _line("Leader", _leader(status))
    for position, standby in enumerate(status.standbys):
        since = f", waits for {duration(there - standby.since_time)}" if standby.since_time else ""
        yield _line("" if position else "Standbys", Text(f"{standby.address}{since}"))
    if not status.standbys:
        yield _line("Standbys", Text("none") if status.store_status.connected else _unknown())
    yield _line("Store", Text(status.store))
    for problem, style in _store_problems(status.store_status):
        yield _line("", Text(problem, style=style))
    yield from _queue_lines(status)
    known = status.store_status.connected
    yield _line("Workflows", Text(f"{status.open_workflows} open") if known else _unknown())
    if status.queue is not None and not status.workers:
        yield _line("Workers", Text("none: sched worker app.py", style="yellow"))


def _line(label: str, text: Text) -> Text:
    from rich.text import Text

    return Text.assemble((f"{label:<{_LABEL_WIDTH}}", "dim"), text)


def _role(status: ClusterStatus) -> Text:
    from rich.text import Text

    return Text(status.role.value, style=_ROLE_STYLES.get(status.role.value, ""))


def _leader(status: ClusterStatus) -> Text:
    from rich.text import Text

    if not status.leader_address:
        known = status.store_status.connected
        return Text("nobody leads", style="bold red") if known else _unknown()
    return Text(f"{status.leader_address}, epoch {status.epoch}")


def _unknown() -> Text:
    from rich.text import Text

    return Text("unknown while the store does not answer", style="yellow")


def _store_problems(store: StoreStatus) -> Iterator[tuple[str, str]]:
    if not store.connected:
        yield f"not connected: {store.last_error}", "bold red"
        yield "unless another engine reaches it, workflows stand still until it answers", "yellow"
    elif store.last_error:
        yield f"the last write failed: {store.last_error}", "bold red"
    for warning in store.warnings:
        yield warning, "yellow"


def _queue_lines(status: ClusterStatus) -> Iterator[Text]:
    from rich.text import Text

    if status.queue is None:
        if status.leader_address:
            unknown = "the leader does not answer from here; it alone knows queue and workers"
            yield _line("Queue", Text(unknown, style="yellow"))
        return
    yield _line("Queue", Text(status.queue.description))
    for problem, style in _queue_problems(status.queue):
        yield _line("", Text(problem, style=style))


def _queue_problems(queue: QueueStatus) -> Iterator[tuple[str, str]]:
    if not queue.connected:
        why = f": {queue.last_error}" if queue.last_error else ""
        yield f"not connected{why}; tasks wait in the leader's memory meanwhile", "bold red"
    elif queue.last_error:
        yield queue.last_error, "red"
    for warning in queue.warnings:
        yield warning, "yellow"


def task_queue_table(status: ClusterStatus) -> FittedTable:
    """What the workers of each task queue have in hand, and what waits for one."""
    table = FittedTable(
        Column(title="TASK QUEUE", cut=Cut.MIDDLE, least=16),
        Column(title="WORKERS", right=True),
        Column(title="WORKFLOW TASKS", right=True),
        Column(title="WAITING", right=True),
        Column(title="ACTIVITIES", right=True),
        Column(title="WAITING", right=True),
    )
    for queue in status.task_queues:
        workers = [worker for worker in status.workers if worker.task_queue == queue.name]
        workflow_tasks = sum(worker.workflow_tasks_running for worker in workers)
        workflow_task_slots = sum(worker.workflow_task_slots for worker in workers)
        activities = sum(worker.activities_running for worker in workers)
        activity_slots = sum(worker.activity_slots for worker in workers)
        table.add(
            queue.name,
            str(queue.workers),
            _slots(workflow_tasks, workflow_task_slots),
            _waiting(queue.pending_workflow_tasks, queue.workers),
            _slots(activities, activity_slots),
            _waiting(queue.pending_activity_tasks, queue.workers),
        )
    return table


def worker_table(status: ClusterStatus) -> FittedTable:
    """Every connected worker, one a line, by task queue."""
    table = FittedTable(
        Column(title="WORKER", cut=Cut.MIDDLE, least=10),
        Column(title="TASK QUEUE", cut=Cut.MIDDLE, least=10),
        Column(title="BUILD", cut=Cut.END, least=8),
        Column(title="WORKFLOW TASKS", right=True, weight=2),
        Column(title="ACTIVITIES", right=True, weight=1),
        Column(title="CONNECTED"),
        Column(title="LAST HEARD", weight=3),
    )
    now = _cluster_time(status)
    for worker in sorted(status.workers, key=lambda each: (each.task_queue, each.identity)):
        table.add(
            worker.identity,
            worker.task_queue,
            worker.build_id,
            _slots(worker.workflow_tasks_running, worker.workflow_task_slots),
            _slots(worker.activities_running, worker.activity_slots),
            _connected(worker, now),
            ago(worker.last_heard_time, now) if worker.last_heard_time else "",
        )
    return table


def _cluster_time(status: ClusterStatus) -> datetime:
    """What the times of workers go by; the clock of this machine if nobody says."""
    return status.clock.cluster_time or datetime.now(UTC)


def _slots(used: int, total: int) -> str:
    return f"{used} of {total}"


def _waiting(count: int, workers: int) -> tuple[str, str]:
    return str(count), "yellow" if count and not workers else ""


def _connected(worker: WorkerStatus, now: datetime) -> tuple[str, str]:
    since = ago(worker.connected_time, now) if worker.connected_time else ""
    return (f"{since}, draining", "yellow") if worker.draining else (since, "")
