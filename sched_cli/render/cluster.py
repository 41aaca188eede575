"""A cluster on a terminal: engines, what is wrong, task queues, workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_cli.render.times import ago, duration
from sched_cli.render.workflows import plain_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from sched_sdk._client import ClusterStatus, QueueStatus, StoreStatus, WorkerStatus

_ROLE_STYLES = {"LEADER": "green", "STANDBY": "cyan", "RECOVERING": "yellow"}
_LABEL_WIDTH = 12


def print_cluster(console: Console, status: ClusterStatus, now: datetime) -> None:
    """Everything that is known, in lines and tables."""
    for line in cluster_lines(status, now):
        console.print(line, soft_wrap=True)
    if status.task_queues:
        console.print()
        console.print(task_queue_table(status))
    if status.workers:
        console.print()
        console.print(worker_table(status, now))


def cluster_lines(status: ClusterStatus, now: datetime) -> Iterator[Text]:
    """The engines, the store, the queue, and what is wrong with them."""
    from rich.text import Text

    up = f", up {duration(now - status.started_time)}" if status.started_time else ""
    yield _line(
        "Engine",
        Text.assemble(status.address, "  ", _role(status), f"  sched {status.version}{up}"),
    )
    yield _line("Leader", _leader(status))
    for position, standby in enumerate(status.standbys):
        since = f", waits for {duration(now - standby.since_time)}" if standby.since_time else ""
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


def task_queue_table(status: ClusterStatus) -> Table:
    """What waits on each task queue, and what its workers have in hand."""
    table = plain_table(
        "TASK QUEUE",
        "WORKERS",
        "WORKFLOW TASKS",
        "ACTIVITIES",
        "WAITING WORKFLOW TASKS",
        "WAITING ACTIVITIES",
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for queue in status.task_queues:
        workers = [worker for worker in status.workers if worker.task_queue == queue.name]
        table.add_row(
            queue.name,
            str(queue.workers),
            _slots(
                sum(worker.workflow_tasks_running for worker in workers),
                sum(worker.workflow_task_slots for worker in workers),
            ),
            _slots(
                sum(worker.activities_running for worker in workers),
                sum(worker.activity_slots for worker in workers),
            ),
            str(queue.pending_workflow_tasks),
            str(queue.pending_activity_tasks),
        )
    return table


def worker_table(status: ClusterStatus, now: datetime) -> Table:
    """Every connected worker, one a line, by task queue."""
    table = plain_table(
        "WORKER", "TASK QUEUE", "BUILD", "WORKFLOW TASKS", "ACTIVITIES", "CONNECTED"
    )
    for column in table.columns[3:5]:
        column.justify = "right"
    for worker in sorted(status.workers, key=lambda each: (each.task_queue, each.identity)):
        table.add_row(
            worker.identity,
            worker.task_queue,
            worker.build_id,
            _slots(worker.workflow_tasks_running, worker.workflow_task_slots),
            _slots(worker.activities_running, worker.activity_slots),
            _connected(worker, now),
        )
    return table


def _slots(used: int, total: int) -> str:
    return f"{used} of {total}"


def _connected(worker: WorkerStatus, now: datetime) -> str:
    since = ago(worker.connected_time, now) if worker.connected_time else ""
    return f"{since}, draining" if worker.draining else since
