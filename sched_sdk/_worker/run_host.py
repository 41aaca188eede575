"""What the driver of a run needs of the worker around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio
    import random
    from collections.abc import Callable

    from sched_sdk._activations import ActivationGuard
    from sched_sdk._replay.steps import StepCall, StepOutcome
    from sched_sdk._worker.run_driver import RunDriver
    from sched_sdk._worker.second_runs import DeterminismChecks
    from sched_sdk._worker.tally import Tally
    from sched_sdk.api.v1.history_pb2 import WorkflowTaskFailureCause

__all__ = ["RunHost"]


class RunHost(Protocol):
    """What a driver needs of the runner that has it."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...
    @property
    def guard(self) -> ActivationGuard: ...
    @property
    def draining(self) -> bool: ...
    @property
    def tally(self) -> Tally: ...
    @property
    def random(self) -> random.Random: ...
    @property
    def guarded(self) -> bool:
        """Workflow code is refused what it must not call."""

    @property
    def checks(self) -> DeterminismChecks | None:
        """None: nothing is run a second time."""

    def send(self, entry: bytes) -> None: ...

    def start_step(
        self, call: StepCall, done: Callable[[StepOutcome], None]
    ) -> asyncio.Task[None]: ...

    def answered(self, driver: RunDriver) -> None:
        """The task is over; the instance is good for the next one."""

    def discard(self, driver: RunDriver) -> None:
        """The instance is of no use any more; `driver.evict` was called."""

    def hand_back(self, driver: RunDriver) -> None:
        """The worker is draining and has stopped at a good place."""

    def spoiled(self, driver: RunDriver) -> None:
        """A query changed the instance, with or without a task in hand;
        `driver.evict` was called."""

    def task_failed(
        self, driver: RunDriver, cause: WorkflowTaskFailureCause.ValueType, error: BaseException
    ) -> None:
        """The task cannot be answered; `driver.evict` was called."""
