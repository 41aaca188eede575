"""What users pass, as API requests."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from sched_sdk import _payloads
from sched_sdk._client.conversions import time_to_proto
from sched_sdk._client.models import WorkflowStatus
from sched_sdk._client.transport import check_payload
from sched_sdk._definitions import check_name, workflow_definition_of
from sched_sdk._policy import as_microseconds
from sched_sdk._signature import Signature
from sched_sdk.api.v1 import common_pb2, workflow_service_pb2
from sched_sdk.errors import DefinitionError, InvalidArgumentError

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Sequence
    from datetime import datetime, timedelta

__all__ = [
    "IdConflict",
    "RequestIds",
    "StartOptions",
    "encode_arguments",
    "query_target",
    "start_request",
    "workflow_filter",
]

IdConflict = Literal["fail", "use_existing", "terminate_existing"]

_ID_CONFLICTS: dict[str, workflow_service_pb2.IdConflictPolicy.ValueType] = {
    "fail": workflow_service_pb2.ID_CONFLICT_POLICY_FAIL,
    "use_existing": workflow_service_pb2.ID_CONFLICT_POLICY_USE_EXISTING,
    "terminate_existing": workflow_service_pb2.ID_CONFLICT_POLICY_TERMINATE_EXISTING,
}


class StartOptions(TypedDict, total=False):
    """The options of `start_workflow` and `execute_workflow`."""

    id: str | None
    task_queue: str
    execution_timeout: timedelta | float | None
    id_conflict: IdConflict
    request_id: str | None
    start_delay: timedelta | float | None


class RequestIds:
    """Ids that nobody else makes: a random part per client, then a number."""

    def __init__(self, chance: random.Random) -> None:
        self._prefix = f"{chance.getrandbits(80):020x}"
        self._numbers = itertools.count(1)

    def next(self) -> str:
        return f"{self._prefix}-{next(self._numbers)}"


def encode_arguments(arguments: Sequence[Any], owner: str) -> list[common_pb2.Payload]:
    """Encode and check the size of each; `owner` says whose arguments they are."""
    payloads = _payloads.encode_all(arguments)
    _check_sizes(payloads, owner)
    return payloads


def query_target(
    query: Any, arguments: Sequence[Any], result_type: Any
) -> tuple[str, list[common_pb2.Payload], Any]:
    """The name of a query, its encoded arguments, and the type of its answer."""
    answer_type = Any if result_type is None else result_type
    if isinstance(query, str):
        return query, encode_arguments(arguments, f"query {query}"), answer_type
    name = getattr(query, "__name__", "")
    if not callable(query) or not name:
        raise InvalidArgumentError(f"a query is a name or a function, got {query!r}")
    signature = Signature(query, name)
    payloads = signature.encode_arguments(arguments)
    _check_sizes(payloads, f"query {name}")
    return name, payloads, signature.result_type if result_type is None else answer_type


def _check_sizes(payloads: Sequence[common_pb2.Payload], owner: str) -> None:
    for number, payload in enumerate(payloads, start=1):
        check_payload(payload, f"argument {number} of {owner}")


def start_request(
    workflow: Any,
    arguments: Sequence[Any],
    result_type: Any,
    options: StartOptions,
) -> tuple[workflow_service_pb2.StartWorkflowRequest, Any]:
    """The request, and the type of the result that it will have."""
    if isinstance(workflow, str):
        name = workflow
        payloads = encode_arguments(arguments, f"workflow {name}")
    else:
        definition = workflow_definition_of(workflow)
        name = definition.name
        payloads = definition.encode_arguments(arguments)
        _check_sizes(payloads, f"workflow {name}")
        if result_type is None:
            result_type = definition.result_type
    unknown = options.keys() - StartOptions.__annotations__.keys()
    if unknown:
        raise TypeError(
            f"starting a workflow has no option {min(unknown)!r}; "
            f"there are {', '.join(StartOptions.__annotations__)}"
        )
    id_conflict = options.get("id_conflict", "fail")
    if id_conflict not in _ID_CONFLICTS:
        raise InvalidArgumentError(
            f"id_conflict is {id_conflict!r}; it may be 'fail', 'use_existing' "
            "or 'terminate_existing'"
        )
    workflow_id = options.get("id")
    request = workflow_service_pb2.StartWorkflowRequest(
        workflow_id="" if workflow_id is None else _checked(workflow_id, "workflow id"),
        workflow_type=_checked(name, "workflow"),
        task_queue=_checked(options.get("task_queue", "default"), "task queue"),
        input=payloads,
        execution_timeout_us=as_microseconds(options.get("execution_timeout"), "execution_timeout"),
        start_delay_us=as_microseconds(options.get("start_delay"), "start_delay"),
        id_conflict=_ID_CONFLICTS[id_conflict],
        request_id=options.get("request_id") or "",
    )
    return request, Any if result_type is None else result_type


def _checked(name: str, what: str) -> str:
    try:
        return check_name(name, what)
    except DefinitionError as error:
        raise InvalidArgumentError(str(error)) from None


def workflow_filter(
    *,
    status: WorkflowStatus | str | Iterable[WorkflowStatus | str] | None,
    workflow_type: str | None,
    task_queue: str | None,
    id_prefix: str | None,
    build_id: str | None,
    started_after: datetime | None,
    started_before: datetime | None,
) -> workflow_service_pb2.WorkflowFilter:
    """The filter of lists and counts. Raises InvalidArgumentError for a status
    that does not exist."""
    if status is None:
        statuses: list[WorkflowStatus | str] = []
    else:
        statuses = [status] if isinstance(status, str) else list(status)
    return workflow_service_pb2.WorkflowFilter(
        statuses=[_status_to_proto(entry) for entry in statuses],
        workflow_type=workflow_type or "",
        task_queue=task_queue or "",
        workflow_id_prefix=id_prefix or "",
        build_id=build_id or "",
        started_after_time_us=time_to_proto(started_after),
        started_before_time_us=time_to_proto(started_before),
    )


def _status_to_proto(status: WorkflowStatus | str) -> common_pb2.WorkflowStatus.ValueType:
    try:
        return common_pb2.WorkflowStatus.Value(f"WORKFLOW_STATUS_{WorkflowStatus(status.upper())}")
    except ValueError:
        raise InvalidArgumentError(
            f"there is no workflow status {status!r}; there are {', '.join(WorkflowStatus)}"
        ) from None
