"""Where a reset or a fork begins; just before the divergence, if that is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sched_cli import loops

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sched_cli.replaying import Report


@dataclass(frozen=True, slots=True)
class StartingPoint:
    """The history to go on from."""

    workflow_id: str
    """Or the beginning of it, unless the run is known."""
    to: int | Literal["first", "last"]
    run_id: str | None = None
    """None: the newest."""


def find_divergence(engine: str, given: str, app: Sequence[str]) -> tuple[StartingPoint, str]:
    """Replay the newest run on local code: the last event before the segment in
    which they part, and a sentence about it. Raises CliError when they agree, or
    when the history cannot be replayed."""
    from sched_cli.errors import CliError
    from sched_cli.replaying import (
        Histories,
        Source,
        definitions_of,
        load_chosen_app,
        replay_source,
    )

    definitions = definitions_of(load_chosen_app(app))

    async def replay() -> Report:
        async with Histories(engine) as histories:
            source = Source(workflow_id=given)
            return await replay_source(source, definitions, histories, alone=True)

    replayed = loops.run_once(replay()).replay
    assert replayed is not None, "what cannot be replayed raises"
    divergence = replayed.divergence
    if divergence is None:
        raise CliError(
            f"{replayed.workflow_id} agrees with the local code in all of its {replayed.events} "
            "events, so there is no divergence to go back to. Nothing was changed."
        )
    before = divergence.reset_event_id
    start = StartingPoint(replayed.workflow_id, before or "first", replayed.run_id)
    return start, (
        f"{replayed.workflow_id} {replayed.outcome} at event {divergence.event_id} of "
        f"{replayed.events} ({divergence.recorded.what})."
    )
