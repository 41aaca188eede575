"""An engine under fire, and what must be true of it afterwards."""

from __future__ import annotations

import asyncio
import logging
import random
import traceback
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.json_format import MessageToJson

from sched_sdk.api.v1 import common_pb2, history_pb2
from sched_sdk.api.v1 import workflow_service_pb2 as pb
from sched_sdk.api.v1.workflow_service_pb2_grpc import WorkflowServiceStub
from sched_server import EngineServer
from sched_server.cache import fold
from sched_server.settings import MEMORY, EngineSettings
from sched_server.store.port import RunFilter
from tests.engine.harness import GrpcWorker, complete, within

from .hostile import Hostile

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["Target", "under_fire"]

SETTLED_S = 20.0
"""So long after a batch everything may take to be as it was."""

_LONGEST_MESSAGE = 600
_CLIENT_LEFT = "ExecuteBatchError raised in core by servicer method"
"""gRPC's own complaint, below our code, when a client leaves while it is answered."""

_CLEAR = frozenset(
    (
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.UNIMPLEMENTED,
    )
)
_CODES = {code.value[0]: code for code in grpc.StatusCode}


class Target:
    """`problems` gathers what was wrong; empty is good."""

    def __init__(self, server: EngineServer, channel: grpc.aio.Channel, seed: int) -> None:
        self.server = server
        self.channel = channel
        self.client: Any = WorkflowServiceStub(channel)
        self.hostile = Hostile(random.Random(seed))
        self.problems: list[str] = []
        self.outcomes: dict[str, int] = {}
        """How often each kind of answer was given."""
        self.sent = 0
        self._usual: dict[str, int] = {}
        self._served = 0

    # --- answers ------------------------------------------------------------------------

    def count(self, what: str) -> None:
        self.outcomes[what] = self.outcomes.get(what, 0) + 1

    def judge(self, where: str, code: grpc.StatusCode | int, message: str | None) -> None:
        """An error must have a code that means something, and one clear sentence."""
        if isinstance(code, int):
            code = _CODES.get(code, grpc.StatusCode.UNKNOWN)
        self.count(code.name)
        message = message or ""
        if code not in _CLEAR:
            self.problems.append(f"{where}: {code.name}: {message[:300]}")
        elif not 5 <= len(message) <= _LONGEST_MESSAGE or "Traceback" in message:
            self.problems.append(
                f"{where}: {code.name} with a message of {len(message)}: {message[:200]!r}"
            )

    # --- afterwards ---------------------------------------------------------------------

    def sizes(self) -> dict[str, int]:
        """What must be as before when nobody is connected any more."""
        server, engine = self.server, self.server.engine
        group = engine.group
        return {
            "worker sessions": len(engine.workers.sessions),
            "served keys": len(engine.workers._servers),
            "worker streams": len(server._worker_service._sessions),
            "client streams": len(server._workflow_service._streams),
            "orphaned activities": len(engine.sessions._orphans),
            "waiters for results": len(group.watchers._results),
            "followers": len(group.watchers._followers),
            "held tasks": sum(x.holder is not None for x in group.cache._by_key.values()),
            "uncommitted runs": len(group.cache.unsettled()),
            "loads": len(group.cache._loading),
            "look-ups": len(engine.lookup._wanted),
            "background work": len(group._tasks),
            "tasks of the loop": len(asyncio.all_tasks()),
        }

    async def settle(self) -> None:
        """Wait until everything is as it was before the first batch."""
        sizes = self.sizes()
        try:
            async with asyncio.timeout(SETTLED_S):
                while any(sizes[name] > self._usual[name] for name in sizes):
                    await asyncio.sleep(0.01)
                    sizes = self.sizes()
        except TimeoutError:
            left = {n: (self._usual[n], sizes[n]) for n in sizes if sizes[n] > self._usual[n]}
            self.problems.append(f"left over (usual, now): {left}")

    async def prepare(self) -> None:
        self._usual = self.sizes()
        await self.serves()
        await self.settle()

    async def serves(self) -> None:
        """A workflow from start to result, by an honest worker."""
        self._served += 1
        queue, name = f"honest-{self._served}", f"honest-{self._served}"
        start = pb.StartWorkflowRequest(
            workflow_id=name, workflow_type="Order", task_queue=queue, wait_ms=10_000
        )
        worker = GrpcWorker(self.channel, name, task_queue=queue)
        try:
            starting = asyncio.ensure_future(self.client.StartWorkflow(start))
            task = await within(worker.task())
            await worker.answer(task, complete())
            started = await within(starting)
            if started.outcome.status != common_pb2.WORKFLOW_STATUS_COMPLETED:
                self.problems.append(f"an honest workflow ended as {started.outcome}")
        except (grpc.RpcError, TimeoutError) as error:
            self.problems.append(f"an honest workflow was not served: {error!r}")
        finally:
            await worker.disconnect()

    async def check_runs(self) -> None:
        """Whatever was taken, every run can be rebuilt from its rows."""
        store = self.server.engine.store
        for row in await store.list_runs(RunFilter(), after=None, limit=100_000):
            # A frame that was sent long ago may change a run between two reads of
            # it; what is really broken is so the second time, too.
            if await self._broken(row.run_key):
                await asyncio.sleep(0.2)
                await self.settle()
                problem = await self._broken(row.run_key)
                if problem:
                    self.problems.append(f"run {row.workflow_id!r} cannot be rebuilt: {problem}")

    async def _broken(self, run_key: int) -> str:
        """Why the run cannot be rebuilt; empty if it can."""
        store = self.server.engine.store
        row = await store.read_run(run_key)
        assert row is not None
        try:
            execution = await fold(store, row)
        except Exception:
            tasks = [(task.kind, task.seq) for task in await store.read_tasks(run_key)]
            trace = traceback.format_exc(limit=-3)
            return f"{trace} from tasks {tasks} and {await self._told(run_key)}"
        return "" if execution.state.status == row.status else "row and history differ"

    async def _told(self, run_key: int) -> str:
        rows = await self.server.engine.store.read_history(
            run_key, after_event_id=0, limit=1_000, max_bytes=1 << 20
        )
        events = [history_pb2.HistoryEvent.FromString(row.data) for row in rows]
        return "; ".join(MessageToJson(event, indent=None)[:300] for event in events)


class _Alarms(logging.Handler):
    """Exceptions that somebody logged, and everything that asyncio complains of."""

    def __init__(self, target: Target) -> None:
        super().__init__(logging.WARNING)
        self._target = target

    def emit(self, record: logging.LogRecord) -> None:
        complaint = record.name == "asyncio" and record.levelno >= logging.ERROR
        complaint = complaint or "state that they did not expect" in record.getMessage()
        if record.getMessage().startswith(_CLIENT_LEFT):
            return
        if record.exc_info or complaint:
            trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
            self._target.problems.append(
                f"logged by {record.name}: {record.getMessage()[:300]}\n{trace[-1500:]}"
            )


@asynccontextmanager
async def under_fire(seed: int) -> AsyncIterator[Target]:
    """A real engine on a port of this machine, over SQLite."""
    server = EngineServer(
        EngineSettings(
            db=MEMORY, port=0, metrics_port=0, workflow_task_timeout_s=0.6, activity_grace_s=0.1
        )
    )
    await server.start()
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    async with grpc.aio.insecure_channel(server.address, options=options) as channel:
        target = Target(server, channel, seed)
        alarms = _Alarms(target)
        logging.getLogger().addHandler(alarms)
        try:
            await target.prepare()
            yield target
        finally:
            logging.getLogger().removeHandler(alarms)
            await within(server.stop(0), 20)
