"""Record golden histories: what this version's engine and SDK write for each feature.

The code, and how each history comes about, stand in a folder of the version below
tests/replay/golden; see its README. Histories and reports that are there already
are never written again.

usage: record_golden.py [FOLDER]     by default that of this version, such as v0_1_0
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import sched_sdk  # noqa: E402 - found through the line above
from sched_cli.histories import read_history  # noqa: E402
from sched_sdk import Client, Worker, WorkflowHandle  # noqa: E402
from sched_sdk._capture import dump_capture, read_capture  # noqa: E402
from sched_sdk._debug import replay_capture  # noqa: E402
from sched_sdk._definitions import workflow_definition_of  # noqa: E402
from sched_server import EngineServer, EngineSettings  # noqa: E402
from tests.replay.golden.reports import lasting_report  # noqa: E402

GOLDEN = ROOT / "tests" / "replay" / "golden"
SUMS = "SHA256SUMS"
# Where and by whom it was recorded is nobody's business.
IDENTITY = "golden"


def main() -> None:
    """Record what is missing, and say what was recorded."""
    default = "v" + sched_sdk.__version__.replace(".", "_")
    name = sys.argv[1] if len(sys.argv) > 1 else default
    folder = GOLDEN / name
    if not folder.is_dir():
        raise SystemExit(
            f"There is no {folder}. tests/replay/golden/README.md says how to make it."
        )
    modules = {
        part: importlib.import_module(f"tests.replay.golden.{name}.{part}")
        for part in ("workflows", "before", "scenarios", "edited")
    }
    written = asyncio.run(record(folder, modules))
    written += write_reports(folder, modules["edited"])
    if not written:
        raise SystemExit(f"Everything in {folder} is recorded already; nothing is written again.")
    add_sums(folder, written)
    for path in written:
        print(path.relative_to(ROOT))


async def record(folder: Path, modules: dict[str, ModuleType]) -> list[Path]:
    """Play the scenarios whose history is not there; returns the files."""
    scenarios = modules["scenarios"]
    old = missing(folder / "histories", scenarios.OLD)
    new = missing(folder / "histories", scenarios.NEW)
    if not old and not new:
        return []
    server = EngineServer(EngineSettings(db=":memory:", port=0))
    await server.start()
    try:
        async with await Client.connect(server.address, identity=IDENTITY) as client:

            def worker(workflows: Iterable[Callable[..., Any]]) -> Worker:
                return Worker(
                    client,
                    workflows=workflows,
                    activities=scenarios.ACTIVITIES,
                    identity=IDENTITY,
                    build_id=f"golden-{folder.name}",
                )

            handles: dict[str, WorkflowHandle[Any]] = {}
            async with worker(modules["before"].WORKFLOWS):
                for name in old:
                    handles[name] = await scenarios.OLD[name](client, name)
            async with worker(modules["workflows"].WORKFLOWS):
                for name in handles.keys() & scenarios.AFTER:
                    handles[name] = await scenarios.AFTER[name](handles[name])
                for name in new:
                    handles[name] = await scenarios.NEW[name](client, name)
                return [await write(folder, client, name, handles[name]) for name in [*old, *new]]
    finally:
        await server.stop(0)


def missing(folder: Path, names: Iterable[str]) -> list[str]:
    """Those without a file."""
    return [name for name in names if not (folder / f"{name}.json").exists()]


async def write(folder: Path, client: Client, name: str, handle: WorkflowHandle[Any]) -> Path:
    """Write a history into a new file."""
    captured = await read_history(client, handle.id, handle.run_id or "")
    path = folder / "histories" / f"{name}.json"
    with path.open("x", encoding="utf-8") as file:
        # Tracebacks name files; where they lay is of no interest.
        file.write(dump_capture(captured).replace(f"{ROOT}/", ""))
    return path


def write_reports(folder: Path, edited: ModuleType) -> list[Path]:
    """Write the reports on edited code that are not there; returns the files."""
    written = []
    for name in missing(folder / "reports", edited.EDITS):
        history, function = edited.EDITS[name]
        captured = read_capture(folder / "histories" / f"{history}.json")
        replay = replay_capture(workflow_definition_of(function), captured)
        path = folder / "reports" / f"{name}.json"
        with path.open("x", encoding="utf-8") as file:
            file.write(json.dumps(lasting_report(replay), indent=1, ensure_ascii=False) + "\n")
        written.append(path)
    return written


def add_sums(folder: Path, written: Iterable[Path]) -> None:
    """So that an edit by mistake is noticed."""
    with (folder / SUMS).open("a", encoding="utf-8") as file:
        for path in written:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            file.write(f"{digest}  {path.relative_to(folder)}\n")


if __name__ == "__main__":
    main()
