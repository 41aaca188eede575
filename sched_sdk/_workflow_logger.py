"""The logger of workflow code, which says everything once."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from sched_sdk._replay.facts import Facts

__all__ = ["WorkflowLogger"]

_log = logging.getLogger("sched.workflow")


class WorkflowLogger(logging.LoggerAdapter[logging.Logger]):
    """Silent in replay; its records say of which run they are."""

    def __init__(self, facts: Facts) -> None:
        super().__init__(
            _log,
            {
                "workflow_id": facts.workflow_id,
                "run_id": facts.run_id,
                "workflow_name": facts.workflow_type,
            },
        )
        self._facts = facts

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - logging's name
        return not self._facts.replaying and super().isEnabledFor(level)

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        kwargs["extra"] = {**(self.extra or {}), **(kwargs.get("extra") or {})}
        return f"[{self._facts.workflow_id}] {msg}", kwargs
