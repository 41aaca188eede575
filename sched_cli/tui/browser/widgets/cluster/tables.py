"""Task queues, and the workers that serve them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from sched_cli.render.times import ago
from sched_cli.tui.browser.widgets.common.line_list import LineList
from sched_cli.tui.browser.widgets.common.painting import cells, fit, now_of, palette_for

if TYPE_CHECKING:
    from sched_sdk._client.models import TaskQueueStatus, WorkerStatus

_NUMBER, _CONNECTED, _HEARD, _BUILD = 11, 14, 14, 12
_WIDE = 99
"""From how many columns on it is shown when a worker was last heard."""


class QueueTable(LineList):
    """What waits on each task queue; one that nobody serves stands out."""

    DEFAULT_CSS = "QueueTable { height: auto; max-height: 8; }"
    empty = "No task queues: nothing waits, and no worker is connected."
    margin_left = 0

    def __init__(self) -> None:
        super().__init__(id="queues")
        self._queues: list[TaskQueueStatus] = []

    def show(self, queues: tuple[TaskQueueStatus, ...]) -> None:
        """These are all."""
        self._queues = sorted(queues, key=lambda queue: queue.name)
        self.styles.height = max(len(self._queues), 1)
        self.lines_changed()

    def line_count(self) -> int:
        return len(self._queues)

    def titles(self, width: int) -> Text:
        line = fit("TASK QUEUE", width - 3 * _NUMBER - 2)
        return Text(
            line
            + "".join(fit(t, _NUMBER, right=True) for t in ("WORKERS", "WF TASKS", "ACTIVITIES"))
        )

    def line(self, index: int, width: int) -> Text:
        palette, queue = palette_for(self), self._queues[index]
        waiting = queue.pending_workflow_tasks + queue.pending_activity_tasks
        bad = waiting > 0 and not queue.workers
        name = queue.name + (": nobody serves it" if bad else "")
        style = palette.bad if bad else palette.warn if waiting else palette.dim
        return cells(
            (fit(name, width - 3 * _NUMBER - 2), palette.bad if bad else palette.text),
            (fit(str(queue.workers), _NUMBER, right=True), palette.text),
            (fit(str(queue.pending_workflow_tasks), _NUMBER, right=True), style),
            (fit(str(queue.pending_activity_tasks), _NUMBER, right=True), style),
        )


class WorkerTable(LineList):
    """Every connected worker, by task queue."""

    empty = "No worker is connected. Start one: sched worker app.py"
    margin_left = 0

    def __init__(self) -> None:
        super().__init__(id="workers")
        self._workers: list[WorkerStatus] = []

    def show(self, workers: tuple[WorkerStatus, ...]) -> None:
        """These are all."""
        self._workers = sorted(workers, key=lambda each: (each.task_queue, each.identity))
        self.lines_changed()

    def line_count(self) -> int:
        return len(self._workers)

    @staticmethod
    def _widths(width: int) -> tuple[int, int]:
        room = width - 2 * _NUMBER - _CONNECTED - _BUILD - 2 - (_HEARD if width >= _WIDE else 0)
        queue = max(room // 3, 8)
        return queue, max(room - queue, 8)

    def titles(self, width: int) -> Text:
        queue, worker = self._widths(width)
        line = fit("QUEUE", queue) + fit("WORKER", worker) + fit("BUILD", _BUILD)
        line += fit("WF TASKS", _NUMBER, right=True) + fit("ACTIVITIES", _NUMBER, right=True)
        line += fit("CONNECTED", _CONNECTED, right=True)
        return Text(line + (fit("LAST HEARD", _HEARD, right=True) if width >= _WIDE else ""))

    def line(self, index: int, width: int) -> Text:
        palette, now, worker = palette_for(self), now_of(self), self._workers[index]
        queue_width, worker_width = self._widths(width)
        tasks = f"{worker.workflow_tasks_running} of {worker.workflow_task_slots}"
        activities = f"{worker.activities_running} of {worker.activity_slots}"
        full = worker.activities_running >= worker.activity_slots > 0
        since = ago(worker.connected_time, now) if worker.connected_time else ""
        line = cells(
            (fit(worker.task_queue, queue_width - 1) + " ", palette.text),
            (fit(worker.identity, worker_width - 1) + " ", palette.run),
            (fit(worker.build_id, _BUILD), palette.dim),
            (fit(tasks, _NUMBER, right=True), palette.text),
            (fit(activities, _NUMBER, right=True), palette.warn if full else palette.text),
            (
                fit("drains" if worker.draining else since, _CONNECTED, right=True),
                palette.warn if worker.draining else palette.dim,
            ),
        )
        if width >= _WIDE:
            heard = ago(worker.last_heard_time, now) if worker.last_heard_time else ""
            line.append(fit(heard, _HEARD, right=True), palette.dim)
        return line
