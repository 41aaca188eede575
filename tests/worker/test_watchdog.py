"""Code that blocks the event loop is named, and interrupted where it may be."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from sched_sdk import Client, Worker, WorkflowContext, workflow
from sched_sdk._activations import ActivationGuard
from sched_sdk._worker import session
from sched_sdk._worker.watchdog import Watchdog
from tests.worker.waiting import until


def spin(seconds: float) -> None:
    end = time.monotonic() + seconds  # sched: ignore
    while time.monotonic() < end:  # sched: ignore
        pass


async def test_the_culprit_is_named_once_with_the_total(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "sched.worker")
    watchdog = Watchdog(warn_after_s=0.05)
    try:
        await asyncio.sleep(0.05)
        spin(0.5)
        await until(lambda: any("was blocked" in message for message in caplog.messages))
    finally:
        watchdog.close()
    assert len(caplog.messages) == 2
    assert "is blocked" in caplog.messages[0]
    assert "by spin (" in caplog.messages[0]
    assert "test_watchdog.py:" in caplog.messages[0]
    assert "ctx.step" in caplog.messages[0]
    assert "was blocked for 0." in caplog.messages[1]


async def test_a_busy_loop_that_gives_way_is_no_blockage(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watchdog = Watchdog(warn_after_s=0.3)
    end = time.monotonic() + 0.7
    while time.monotonic() < end:
        spin(0.01)
        await asyncio.sleep(0)
    watchdog.close()
    assert caplog.messages == []


def test_the_guard_interrupts_only_what_runs_too_long() -> None:
    guard = ActivationGuard(limit_s=0.02)
    assert guard.run("quick", lambda: None) == (None, 0)
    time.sleep(0.03)
    assert guard.check() == ""

    watcher = threading.Timer(0.05, guard.check)
    watcher.start()
    error, blocked_for = guard.run("slow", lambda: spin(5))
    watcher.join()
    assert error is None
    assert 0.02 < blocked_for < 5


def test_the_guard_gives_back_what_the_code_raised() -> None:
    problem = ValueError("no")

    def work() -> None:
        raise problem

    assert ActivationGuard(limit_s=10).run("some", work) == (problem, 0)


@pytest.fixture
def often_switching() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("often_switching")
def test_an_interruption_never_arrives_after_the_end() -> None:
    guard = ActivationGuard(limit_s=0.0005)
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            guard.check()

    watcher = threading.Thread(target=watch)
    watcher.start()
    interrupted = 0
    try:
        for number in range(400):
            _, blocked_for = guard.run(
                "some", lambda number=number: spin(0.0003 + number % 5 / 1e4)
            )
            interrupted += blocked_for > 0
            sum(range(200))  # an interruption here would fail the test
    finally:
        stop.set()
        watcher.join()
    assert 0 < interrupted < 400


@workflow
async def blocks(ctx: WorkflowContext) -> str:
    try:
        spin(30)
    except Exception:
        return "swallowed"
    return "done"


_INTERRUPTED_THEN_PROFILED = """
import sys, threading, time
from sched_sdk._activations import ActivationGuard

guard = ActivationGuard(0.01)
stop = threading.Event()

def watch():
    while not stop.wait(0.001):
        guard.check()

def block():
    while True:
        time.sleep(0.001)

threading.Thread(target=watch, daemon=True).start()
_, blocked_for = guard.run("blocks", block)
assert blocked_for
stop.set()
sys.setprofile(lambda *_: None)
sum(map(abs, range(1000)))
(lambda: None)()
sys.setprofile(None)
print("went on")
"""


def test_an_interruption_leaves_the_interpreter_as_it_was() -> None:
    """One that was withdrawn made CPython 3.11 spin for ever under a profiler."""
    done = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED_THEN_PROFILED],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout == "went on\n", done.stderr


async def test_a_workflow_that_blocks_is_interrupted(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "Watchdog", lambda: Watchdog(interrupt_after_s=0.2))
    async with Worker(client, workflows=[blocks]):
        handle = await client.start_workflow(blocks)
        async with asyncio.timeout(10):
            async for event in handle.history(follow=True):
                if event.type == "WorkflowTaskFailed":
                    break
        await handle.terminate()
    assert event.attributes["cause"] == "BLOCKED"
    assert "blocked the event loop for 0." in event.attributes["failure"]["message"]
