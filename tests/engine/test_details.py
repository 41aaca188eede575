"""What workflows say they are doing, through the engine's calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sched_sdk.api.v1 import workflow_service_pb2 as client_pb

from .harness import Engines, LocalEngine, running, sleep, unavailable


async def listed(engine: LocalEngine, **fields: Any) -> dict[str, str]:
    request = client_pb.ListWorkflowsRequest(**fields)
    found = await engine.call("list_workflows", request)
    return {info.workflow_id: info.details for info in found.workflows}


async def say(engine: LocalEngine, text: str, workflow_id: str = "wf") -> None:
    worker = engine.worker()
    await engine.start(workflow_id)
    ack = await worker.answer(await worker.task(), sleep(1, 60), details=text)
    assert ack.outcome == ack.OUTCOME_ACCEPTED
    worker.disconnect()


async def test_a_list_has_one_line_and_only_when_asked() -> None:
    async with running() as engine:
        await say(engine, "\n  packing \n43 of 50", "lines")
        await say(engine, "x" * 300, "long")
        await say(engine, "x" * 200, "fits")
        await engine.start("silent")

        assert await listed(engine, with_details=True) == {
            "lines": "packing",
            "long": "x" * 199 + "…",
            "fits": "x" * 200,
            "silent": "",
        }
        assert set((await listed(engine)).values()) == {""}
        assert (await engine.describe("lines")).info.details == "\n  packing \n43 of 50"
        assert (await engine.describe("long")).info.details == "x" * 300


async def test_they_outlive_the_engine_and_the_run(tmp_path: Path) -> None:
    engines = Engines(tmp_path / "sched.db")
    async with engines.running() as engine:
        await say(engine, "packing")
        await engine.kill()
    async with engines.running() as engine:
        assert await listed(engine, with_details=True) == {"wf": "packing"}
        assert (await engine.describe()).info.details == "packing"
        await engine.terminate()
        assert (await engine.describe()).info.details == "packing"


async def test_those_of_a_commit_that_failed_are_forgotten() -> None:
    async with running() as engine:
        worker = engine.worker()
        await engine.start()
        task = await worker.task()
        engine.store.faults.append(unavailable)
        ack = await worker.answer(task, details="packing")
        assert ack.outcome == ack.OUTCOME_RETRY
        worker.disconnect()
        assert (await engine.describe()).info.details == ""
        other = engine.worker()
        ack = await other.answer(await other.task(), details="packing")
        assert ack.outcome == ack.OUTCOME_ACCEPTED
        assert (await engine.describe()).info.details == "packing"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x" * 4_097, "the details of the workflow have 4,097 characters, the limit is 4,096; say"),
        ("a\0b", "the details of the workflow contain U+0000"),
    ],
)
async def test_what_is_too_long_or_no_text_is_refused(text: str, problem: str) -> None:
    async with running() as engine:
        worker = engine.worker()
        await engine.start()
        ack = await worker.answer(await worker.task(), details=text)
        assert ack.outcome == ack.OUTCOME_INVALID
        assert ack.message.startswith(problem)
        assert (await engine.describe()).info.details == ""
