"""What processes bring to `sched verify`: `python -m benchmarks.verify [HISTORIES]`.

A folder of captured histories of 5,000 events each is verified by one process,
and then by one for each core. Seconds of the whole command, start and the
loading of the app in each process included, and events per second.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import replay
from sched_cli.replay_pool import default_jobs
from sched_sdk._capture import CapturedHistory, dump_capture
from sched_sdk.api.v1.history_pb2 import HistoryEvent

HISTORIES = 200
EVENTS = 5_000


def write_histories(folder: Path, count: int) -> int:
    """Returns how many events they have, all together."""
    replay.EVENTS = EVENTS
    events = [HistoryEvent.FromString(one) for one in replay.record_activities()]
    for number in range(count):
        started = events[0].workflow_started
        started.workflow_id, started.workflow_type = f"wf-{number}", "activities"
        captured = dump_capture(CapturedHistory(events=tuple(events)))
        (folder / f"{number}.json").write_text(captured, encoding="utf-8")
    return count * len(events)


def verify(folder: Path, jobs: int) -> float:
    """Seconds."""
    command = [sys.executable, "-m", "sched_cli", "verify", str(folder), "--jobs", str(jobs)]
    started = time.perf_counter()
    subprocess.run([*command, "--app", "benchmarks.replay"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else HISTORIES
    with tempfile.TemporaryDirectory() as name:
        events = write_histories(Path(name), count)
        alone = verify(Path(name), 1)
        print(f"{'1 process':14} {alone:6.1f} s  {events / alone:>9,.0f} events/s")
        jobs = default_jobs()
        together = verify(Path(name), jobs)
        print(f"{f'{jobs} processes':14} {together:6.1f} s  {events / together:>9,.0f} events/s")
        print(f"{alone / together:.2f} times as fast")


if __name__ == "__main__":
    main()
