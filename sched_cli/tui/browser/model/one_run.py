"""One run: its events as they come, and what was last seen of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sched_cli.render.why import reasons
from sched_cli.tui.browser.model.folding import Folding
from sched_cli.tui.browser.model.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sched_cli.looking import Sight
    from sched_cli.render.reasons import Reason
    from sched_sdk._client.models import Event, WorkflowDescription

__all__ = ["OneRun"]

_LOOK_AGAIN_S = 5.0


@dataclass(slots=True)
class OneRun:
    """What the panes of a run paint from."""

    folding: Folding = field(default_factory=Folding)
    timeline: Timeline = field(default_factory=Timeline)
    sight: Sight | None = None
    _looked: tuple[datetime, int] | None = None
    """When its code was asked last, and how many events there were."""

    @property
    def last_event_id(self) -> int:
        """Behind which events are still to be read."""
        return self.folding.events[-1].event_id if self.folding.events else 0

    @property
    def description(self) -> WorkflowDescription | None:
        """What the engine said of it last."""
        return None if self.sight is None else self.sight.description

    def take_events(self, events: Sequence[Event]) -> None:
        """More events, in order."""
        self.folding.extend(events)
        self.timeline.extend(events)
        self._overlay()

    def take_sight(self, sight: Sight, now: datetime) -> None:
        """It was looked at, and its code was asked."""
        self.sight = sight
        self._looked = (now, sight.description.info.history_length)
        self._overlay()

    def take_description(self, description: WorkflowDescription) -> None:
        """The engine was asked. What its code said stays."""
        from dataclasses import replace

        assert self.sight is not None
        self.sight = replace(self.sight, description=description)
        self._overlay()

    def is_to_be_asked(self, now: datetime) -> bool:
        """Whether its code may say something else by now."""
        if self._looked is None or self.description is None:
            return True
        then, length = self._looked
        if self.description.info.history_length != length:
            return True
        return not self.description.status.closed and (now - then).total_seconds() > _LOOK_AGAIN_S

    def reasons(self, now: datetime) -> list[Reason]:
        """Why it is where it is."""
        if self.description is None:
            return []
        return reasons(self.description, now, self.sight)

    def _overlay(self) -> None:
        if self.description is not None:
            self.timeline.take_pending(self.description.activities)
