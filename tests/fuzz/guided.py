"""Replay and captures under a fuzzer that is guided by coverage (atheris).

    pip install atheris
    python -m tests.fuzz.guided [--seconds 60]

libFuzzer changes bytes and keeps what reaches new code. The bytes are a page of
history as it travels; what replay makes of it must be a stated end. Optional: the
tests do without.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import sys
import tempfile
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.guided")
    parser.add_argument("--seconds", type=int, default=60, help="stop after so long (%(default)s)")
    arguments = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed; pip install atheris", file=sys.stderr)
        return 2
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["sched_sdk"]):
        from sched_sdk import CaptureError
        from sched_sdk._capture import CapturedHistory, dump_capture, parse_capture
        from sched_sdk.api.v1.history_pb2 import HistoryEvent
        from sched_sdk.api.v1.worker_service_pb2 import TaskHistoryPage
        from tests.fuzz.histories import a_history, replayed

    def one(data: bytes) -> None:
        try:
            page = TaskHistoryPage.FromString(data)
            events = [HistoryEvent.FromString(event) for event in page.events]
        except DecodeError:
            with contextlib.suppress(CaptureError):
                parse_capture(data.decode("utf-8", "replace"), "input")
            return
        replayed(events)

    with tempfile.TemporaryDirectory() as folder:
        for seed in range(8):
            history = a_history(seed)
            page = TaskHistoryPage(events=[event.SerializeToString() for event in history])
            Path(folder, f"page-{seed}").write_bytes(page.SerializeToString())
            text = dump_capture(CapturedHistory(events=tuple(history)))
            Path(folder, f"capture-{seed}").write_text(text, encoding="utf-8")
        options = [f"-max_total_time={arguments.seconds}", "-timeout=10", "-rss_limit_mb=1024"]
        atheris.Setup([sys.argv[0], *options, "-max_len=65536", folder], one)
        atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
