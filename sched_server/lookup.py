"""Finding runs by the ids that people use.

Look-ups that miss the cache are gathered while another is under way and then
read in one query, like commits are.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

from sched_server.core.values import Status
from sched_server.errors import Rejection

if TYPE_CHECKING:
    from sched_server.execution import Execution
    from sched_server.shard_group import ShardGroup
    from sched_server.store.port import RunRow


def id_from_request(request_id: str) -> str:
    """The workflow id of a request that names none. It follows from the request id, so
    that a request that is sent again, because its reply was lost, finds the workflow
    that it made."""
    return f"wf-{hashlib.sha256(request_id.encode()).hexdigest()[:20]}"


def not_found(workflow_id: str, run_id: str = "") -> Rejection:
    run = f" with run id {run_id!r}" if run_id else ""
    return Rejection("WORKFLOW_NOT_FOUND", f"no workflow {workflow_id!r}{run}")


class Lookup:
    def __init__(self, group: ShardGroup) -> None:
        self._group = group
        self._wanted: dict[str, asyncio.Future[RunRow | None]] = {}
        self._reading = False

    async def newest(self, workflow_id: str) -> RunRow | None:
        """The newest stored run of this workflow id."""
        future = self._wanted.get(workflow_id)
        if future is None:
            future = asyncio.get_running_loop().create_future()
            self._wanted[workflow_id] = future
            if not self._reading:
                self._reading = True
                self._group.spawn(self._read())
        return await asyncio.shield(future)

    async def _read(self) -> None:
        try:
            while self._wanted:
                wanted, self._wanted = self._wanted, {}
                try:
                    found = await self._group.store.find_runs(list(wanted))
                except Exception as error:
                    for future in wanted.values():
                        future.set_exception(error)
                        future.exception()  # its askers may be gone
                    continue
                for workflow_id, future in wanted.items():
                    rows = found.get(workflow_id)
                    future.set_result(rows[0] if rows else None)
        finally:
            self._reading = False

    async def row(self, workflow_id: str, run_id: str) -> RunRow:
        """The run's row; without a run id the newest run's. Raises Rejection."""
        if run_id:
            row = await self._group.store.find_run_by_id(run_id)
            if row is not None and row.workflow_id != workflow_id:
                row = None
        else:
            row = await self.newest(workflow_id)
        if row is None:
            raise not_found(workflow_id, run_id)
        return row

    async def execution(self, workflow_id: str, run_id: str = "") -> Execution:
        """The run, open or closed. Raises Rejection."""
        cached = self._cached(workflow_id, run_id)
        if cached is not None:
            return cached
        row = await self.row(workflow_id, run_id)
        cached = self._cached(workflow_id, run_id)  # it may have come meanwhile
        if cached is not None:
            return cached
        execution = await self._group.load(row.run_key)
        if execution is None:
            raise not_found(workflow_id, run_id)
        return execution

    def _cached(self, workflow_id: str, run_id: str) -> Execution | None:
        if not run_id:
            return self._group.cache.get_open(workflow_id)
        execution = self._group.cache.get_by_run_id(run_id)
        if execution is not None and execution.state.workflow_id != workflow_id:
            raise not_found(workflow_id, run_id)
        return execution

    async def by_run_id(self, run_id: str) -> Execution | None:
        execution = self._group.cache.get_by_run_id(run_id)
        if execution is not None:
            return execution
        row = await self._group.store.find_run_by_id(run_id)
        return None if row is None else await self._group.load(row.run_key)


def is_open(row: RunRow) -> bool:
    return row.status == Status.RUNNING
