"""Ctrl-C where Python prints a KeyboardInterrupt instead of raising it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.support import clean_environment

_LOST = """
import asyncio, signal, sys, weakref
from sched_cli import interrupts, loops

class Module: ...

async def serve():
    print("serves")
    await asyncio.sleep({seconds})

interrupts.remember()
module = Module()
callback = weakref.ref(module, lambda _: signal.raise_signal(signal.SIGINT))
if {lost}:
    del module  # where the import system has callbacks of this kind
try:
    loops.{run}(serve())
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize("run", ["run", "run_once"])
@pytest.mark.parametrize("lost", [True, False])
def test_an_interrupt_that_was_lost_is_remembered(run: str, *, lost: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LOST.format(run=run, lost=lost, seconds=60 if lost else 0)],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    said = "" if lost else "serves\n"
    assert (done.returncode, done.stdout, done.stderr) == (130 if lost else 0, said, "")
