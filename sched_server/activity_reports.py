"""How attempts of activities end, as inputs: reported, or given back unfinished."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_server import edge
from sched_server.codec import failure_from_proto, payload_from_proto
from sched_server.core.inputs import ReleaseActivity, ReportActivity
from sched_server.core.values import Failure, Status
from sched_server.insist import insist

if TYPE_CHECKING:
    from sched_sdk.api.v1 import worker_service_pb2 as pb
    from sched_server.settings import ApiLimits
    from sched_server.shard_group import ShardGroup

__all__ = ["read_report", "release_activity"]


async def release_activity(
    group: ShardGroup, claim: tuple[int, int], dispatch: int, *, returned: bool
) -> None:
    """Nobody runs this attempt any more. Returns when that is durable: nobody else
    remembers the duty."""
    run_key, seq = claim
    request = ReleaseActivity(seq=seq, dispatch=dispatch, returned=returned)

    async def release() -> None:
        execution = await group.load(run_key)
        if execution is not None and execution.state.status is Status.RUNNING:
            group.apply(execution, request)
            await group.settled(execution)

    await insist(group, "an activity could not be given back", release)


def read_report(
    limits: ApiLimits,
    report: pb.ActivityReport | pb.CompleteActivityRequest,
    seq: int,
    dispatch: int,
) -> ReportActivity:
    """A report as an input; a result over the limit becomes a failure."""
    outcome = report.WhichOneof("outcome")
    if outcome == "failure":
        failure = failure_from_proto(report.failure)
        return ReportActivity(seq=seq, dispatch=dispatch, failure=failure)
    if outcome == "canceled":
        failure = failure_from_proto(report.canceled)
        return ReportActivity(seq=seq, dispatch=dispatch, canceled=failure)
    if outcome == "detached":
        return ReportActivity(seq=seq, dispatch=dispatch, detached=True)
    size = len(report.result.data)
    if size > limits.payload_bytes:
        message = edge.over_size(limits, "the activity's result", size)
        failure = Failure(type="LimitExceeded", message=message, non_retryable=True)
        return ReportActivity(seq=seq, dispatch=dispatch, failure=failure)
    return ReportActivity(seq=seq, dispatch=dispatch, result=payload_from_proto(report.result))
