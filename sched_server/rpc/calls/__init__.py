"""The client's calls: one handler each, whatever way the call came.

`CALLS` maps the field name of a call in `Call` and `Reply` (which is also the
unary RPC's name in snake case) to its handler.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .change import cancel_workflow, signal_workflow, terminate_workflow
from .describe import describe_workflow
from .listing import count_workflows, list_workflows
from .query import query_workflow
from .reset import reset_workflow
from .result import get_workflow_result
from .start import start_workflow

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sched_server.engine import Engine

CALLS: dict[str, Callable[[Engine, Any], Awaitable[Any]]] = {
    "start_workflow": start_workflow,
    "signal_workflow": signal_workflow,
    "cancel_workflow": cancel_workflow,
    "terminate_workflow": terminate_workflow,
    "describe_workflow": describe_workflow,
    "get_workflow_result": get_workflow_result,
    "list_workflows": list_workflows,
    "count_workflows": count_workflows,
    "reset_workflow": reset_workflow,
    "query_workflow": query_workflow,
}

__all__ = ["CALLS"]
