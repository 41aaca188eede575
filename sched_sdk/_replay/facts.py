"""What a run knows about itself; filled from WorkflowStarted, then by segments."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sched_sdk.api.v1 import history_pb2

__all__ = ["Facts"]


class Facts:
    __slots__ = (
        "_random",
        "execution_timeout_us",
        "previous_run_id",
        "replaying",
        "run_id",
        "seed",
        "seen",
        "started_time_us",
        "task_queue",
        "workflow_id",
        "workflow_type",
    )

    def __init__(self) -> None:
        self.workflow_id = ""
        self.run_id = ""
        self.workflow_type = ""
        self.task_queue = ""
        self.previous_run_id = ""
        self.execution_timeout_us = 0
        self.started_time_us = 0
        self.seed = 0
        # The id of the last event of the task that is being worked on.
        self.seen = 0
        self.replaying = True
        self._random: random.Random | None = None

    def started(self, attributes: history_pb2.WorkflowStarted, time_us: int) -> None:
        self.workflow_id = attributes.workflow_id
        self.run_id = attributes.run_id
        self.workflow_type = attributes.workflow_type
        self.task_queue = attributes.task_queue
        self.previous_run_id = attributes.previous_run_id
        self.execution_timeout_us = attributes.execution_timeout_us
        self.started_time_us = time_us
        self.seed = attributes.seed

    def random_state(self) -> object:
        """To be given to `restore_random`."""
        return None if self._random is None else self._random.getstate()

    def restore_random(self, state: object) -> bool:
        """Forget the numbers drawn since `random_state`; whether there were any."""
        if state is None:
            drawn, self._random = self._random is not None, None
            return drawn
        assert self._random is not None
        drawn = self._random.getstate() != state
        self._random.setstate(state)  # type: ignore[arg-type]  # it came from getstate
        return drawn

    @property
    def random(self) -> random.Random:
        """Made at first use: it costs more than a whole small activation."""
        if self._random is None:
            self._random = random.Random(self.seed)  # noqa: S311 - must repeat
        return self._random
