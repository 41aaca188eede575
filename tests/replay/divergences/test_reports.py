"""What replay says of each edit: the right event, the right lines, the right locals."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sched_sdk._capture import CapturedHistory
from sched_sdk._debug import Outcome, replay_capture
from sched_sdk._definitions import WorkflowDefinition
from sched_sdk._replay.divergence import describe_event
from tests.replay.divergences.conftest import SOURCE
from tests.replay.divergences.variants import AGREEING, PARTING, Agrees, Parts, Side

Variant = Callable[..., tuple[WorkflowDefinition, list[str]]]

RECORDED_LINES = SOURCE.splitlines(keepends=True)


def event_id_of(history: CapturedHistory, what: str) -> int:
    """The id of the event that this describes; for "nothing more" there is none."""
    return next((e.event_id for e in history.events if describe_event(e) == what), 0)


def check_line(lines: list[str], call_site: str, side: Side) -> None:
    """The call site names the line with that text."""
    text = side[1]
    if not text:
        return
    file, _, number = call_site.rpartition(":")
    assert file == "app.py"
    # A call over several lines is named by its first, or by the one of the call.
    assert lines[int(number) - 1] == text


@pytest.mark.parametrize("edit", PARTING, ids=lambda edit: edit.name.replace(" ", "-"))
def test_an_edit_that_parts(edit: Parts, recorded: CapturedHistory, variant: Variant) -> None:
    definition, lines = variant(*edit.edits)
    replay = replay_capture(definition, recorded)
    divergence = replay.divergence
    assert divergence is not None
    assert replay.outcome is edit.outcome
    assert not divergence.unstable

    assert divergence.recorded.what == edit.recorded[0]
    check_line(RECORDED_LINES, divergence.recorded.call_site, edit.recorded)
    if edit.recorded[0] != "nothing more":
        assert divergence.event_id == event_id_of(recorded, edit.recorded[0])

    assert divergence.current.what.startswith(edit.current[0])
    assert bool(divergence.current.what) == bool(edit.current[0])
    check_line(lines, divergence.current.call_site, edit.current)

    variables = {f"{v.name}={v.value}" for frame in divergence.frames for v in frame.variables}
    assert not edit.local or edit.local in variables
    assert all(command.event_id < divergence.event_id for command in divergence.agreed)
    assert divergence.reset_event_id < divergence.event_id
    assert str(divergence.event_id) in divergence.message


@pytest.mark.parametrize("edit", AGREEING, ids=lambda edit: edit.name.replace(" ", "-"))
def test_an_edit_that_agrees(edit: Agrees, recorded: CapturedHistory, variant: Variant) -> None:
    definition, _ = variant(*edit.edits)
    replay = replay_capture(definition, recorded)
    assert replay.divergence is None, replay.divergence
    assert replay.outcome is Outcome.AGREES
    assert replay.closed
    assert replay.events == len(recorded.events)
    found = tuple((d.what, d.path, d.recorded, d.current) for d in replay.differences)
    assert found == edit.differences
    assert replay.difference_count == len(edit.differences)
