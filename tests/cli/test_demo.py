from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.cli.support import clean_environment, lines, wait_until

if TYPE_CHECKING:
    from pathlib import Path

_DEMO = [sys.executable, "-m", "sched_cli.demo"]


def test_the_demo_survives_its_kills(tmp_path: Path) -> None:
    done = subprocess.run(
        _DEMO,
        env=clean_environment(TMPDIR=str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("✗ kill -9") == 2
    assert done.stdout.count("sent once") == 3
    assert lines(done.stdout)[-1].startswith("  ✓ done in")
    assert list(tmp_path.iterdir()) == [], "it cleans up"


def test_an_interrupted_demo_leaves_nothing(tmp_path: Path) -> None:
    demo = subprocess.Popen(
        _DEMO,
        env=clean_environment(TMPDIR=str(tmp_path), PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "sched worker app.py" in line:
                break
        parts = _parts(tmp_path)
        demo.send_signal(signal.SIGINT)
        _, errors = demo.communicate(timeout=60)
    assert len(parts) >= 2, "the engine, the worker, and perhaps a client already"
    assert (demo.returncode, errors) == (130, "")
    wait_until(lambda: not _parts(tmp_path), "the parts are gone")
    assert list(tmp_path.iterdir()) == []


def _parts(folder: Path) -> set[str]:
    """The processes that run in the demo's folder."""
    return {entry for entry in os.listdir("/proc") if entry.isdigit() and _is_part(entry, folder)}


def _is_part(pid: str, folder: Path) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/cwd").startswith(str(folder))
    except OSError:
        return False
