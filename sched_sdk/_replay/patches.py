"""Which path a patched piece of code takes, the same one in every replay.

`ctx.patched(id)` is true where the code runs for the first time, and false
where it runs over a history that was made before the patch. The answer must be
known when the code asks, but in replay the marker that records it stands behind
the activation that asked. So every WorkflowTaskCompleted names the markers of
its segment, and replay looks there; the marker itself is then compared like any
command.

The first answer to an id holds for the whole run: a loop that began on the old
path stays on it. (Temporal's `patched` behaves alike.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_sdk._definitions import check_name
from sched_sdk._replay.commands import RecordMarker
from sched_sdk.api.v1 import history_pb2

if TYPE_CHECKING:
    from collections.abc import Collection

    from sched_sdk._replay.call_sites import CallSite
    from sched_sdk._replay.facts import Facts
    from sched_sdk._replay.journal import Journal

__all__ = ["Patches"]

PATCH = history_pb2.MarkerRecorded.KIND_PATCH
DEPRECATED = history_pb2.MarkerRecorded.KIND_DEPRECATED_PATCH


class Patches:
    __slots__ = ("_answers", "_facts", "_journal", "recorded")

    def __init__(self, facts: Facts, journal: Journal) -> None:
        self._facts = facts
        self._journal = journal
        self._answers: dict[str, bool] = {}
        self.recorded: Collection[str] = ()
        """Ids of the markers in the segment that is being replayed."""

    def patched(self, patch: str, site: CallSite) -> bool:
        """Whether the run takes the new path."""
        answer = self._answers.get(patch)
        if answer is None:
            answer = self._ask(patch, PATCH, site)
        return answer

    def deprecate(self, patch: str, site: CallSite) -> None:
        """Record for new runs that the question may disappear from the code."""
        if patch not in self._answers:
            self._ask(patch, DEPRECATED, site)

    def _ask(
        self, patch: str, kind: history_pb2.MarkerRecorded.Kind.ValueType, site: CallSite
    ) -> bool:
        self._journal.check()
        check_name(patch, "patch")
        answer = not self._facts.replaying or patch in self.recorded
        if answer:
            self._journal.add(RecordMarker(kind, patch, site))
        self._answers[patch] = answer
        return answer
