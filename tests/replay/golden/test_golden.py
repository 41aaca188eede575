"""Histories that released versions recorded still replay, and edits of their code are
still found out, for the same reason at the same line."""

from __future__ import annotations

import hashlib
import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sched_sdk._capture import read_capture
from sched_sdk._debug import Outcome, replay_capture
from sched_sdk._definitions import WorkflowDefinition, workflow_definition_of
from tests.replay.golden.reports import lasting_report

HERE = Path(__file__).parent
VERSIONS = sorted(path for path in HERE.glob("v*") if path.is_dir())


def module(version: Path, name: str) -> ModuleType:
    return importlib.import_module(f"{__package__}.{version.name}.{name}")


def recorded(folder: str) -> list[Any]:
    return [
        pytest.param(path, id=f"{version.name}-{path.stem}")
        for version in VERSIONS
        for path in sorted((version / folder).glob("*.json"))
    ]


def workflow_of(version: Path, workflow_type: str) -> WorkflowDefinition:
    definitions = map(workflow_definition_of, module(version, "workflows").WORKFLOWS)
    return next(one for one in definitions if one.name == workflow_type)


@pytest.mark.parametrize("path", recorded("histories"))
def test_a_released_history_replays(path: Path) -> None:
    captured = read_capture(path)
    replay = replay_capture(workflow_of(path.parents[1], captured.workflow_type), captured)
    assert replay.outcome is Outcome.AGREES, replay.divergence
    # A history of code before a change has the same arguments, too.
    assert replay.differences == ()
    assert replay.segments == sum(e.HasField("workflow_task_completed") for e in captured.events)


@pytest.mark.parametrize("path", recorded("reports"))
def test_an_edit_of_released_code_is_found_out(path: Path) -> None:
    version = path.parents[1]
    history, function = module(version, "edited").EDITS[path.stem]
    captured = read_capture(version / "histories" / f"{history}.json")
    replay = replay_capture(workflow_definition_of(function), captured)
    assert lasting_report(replay) == json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
def test_nothing_was_edited(version: Path) -> None:
    lines = (version / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    noted = {name: digest for digest, name in (line.split("  ") for line in lines)}
    found = {
        path.relative_to(version).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in ("histories", "reports")
        for path in (version / folder).glob("*.json")
    }
    assert found == noted, "golden histories and reports are never edited"


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
def test_every_scenario_and_every_edit_is_recorded(version: Path) -> None:
    scenarios, edited = module(version, "scenarios"), module(version, "edited")
    assert {path.stem for path in (version / "histories").glob("*.json")} == {
        *scenarios.OLD,
        *scenarios.NEW,
    }
    assert {path.stem for path in (version / "reports").glob("*.json")} == set(edited.EDITS)


def test_the_first_release_has_every_kind_of_event() -> None:
    (version, *_) = VERSIONS
    kinds = {
        str(event.WhichOneof("attributes"))
        for path in (version / "histories").glob("*.json")
        for event in read_capture(path).events
    }
    from sched_sdk.api.v1 import history_pb2

    every = history_pb2.HistoryEvent.DESCRIPTOR.oneofs_by_name["attributes"].fields
    # Kinds that came later are in the folders of later versions.
    assert {field.name for field in every if field.number <= 32} == kinds
