"""The committed API stubs are those that `proto/` yields."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMITTED = ROOT / "sched_sdk" / "api" / "v1"


def test_the_committed_stubs_are_up_to_date(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "generate_stubs.py"), str(tmp_path)], check=True
    )

    fresh = {path.name: path.read_text() for path in tmp_path.iterdir()}
    committed = {path.name: path.read_text() for path in COMMITTED.glob("*_pb2*.py*")}

    assert set(fresh) == set(committed)
    different = sorted(name for name, text in fresh.items() if text != committed[name])
    assert not different, f"run `make proto` and commit: {', '.join(different)}"
