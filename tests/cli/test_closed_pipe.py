"""Whoever reads the output has had enough of it: no trace, and not a failure."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.cli.support import SCHED, clean_environment


@pytest.mark.parametrize("line", ["version", "version -o json", "version -o jsonl", "doctor -h"])
def test_a_command_that_nobody_reads(line: str) -> None:
    # Plain writes, tables of rich, and what the parser prints.
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*SCHED, *line.split()],
        env=clean_environment(),
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        timeout=30,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")
