"""A process that commits as fast as it can, to be killed by a test.

    python -m tests.store.crash_writer

For every path that it reads it forks a writer, prints "pid N", then the writer
prints "acknowledged N" after each commit, and once it is dead "ended". The
fork spares the test the start of an interpreter in every round; it happens
before there are threads.
"""

from __future__ import annotations

import asyncio
import os
import sys

from sched_server.store.port import ACTIVITY_TASK
from sched_server.store.sqlite import SqliteStore, checkpoint
from tests.store.rows import change, lead, new_run, task, with_tasks

RUNS = (1, 2, 3)


def event_data(run_key: int, event_id: int) -> bytes:
    """Different for each event; some longer than a page."""
    return f"{run_key}/{event_id} ".encode() * (1 + event_id % 5 * 200)


def say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


async def write_until_killed(path: str) -> None:
    store = SqliteStore(path)
    await store.open()
    leader = await lead(store)
    run = await store.read_run(RUNS[0])
    if run is None:
        await leader.write(*(new_run(run_key) for run_key in RUNS))
    last = 1 if run is None else run.last_event_id
    while True:
        await leader.commit_groups(
            *(
                [
                    with_tasks(
                        change(
                            run_key,
                            last,
                            [event_data(run_key, last + 1)],
                            tasks_deleted={(ACTIVITY_TASK, last)},
                        ),
                        task(run_key, last + 1, record=b"%d" % (last + 1)),
                    )
                ]
                for run_key in RUNS
            )
        )
        last += 1
        say(f"acknowledged {last}")


def main() -> None:
    # Small steps, so that kills hit checkpoints too.
    checkpoint.CHECKPOINT_PAGES = 30
    checkpoint.LONG_LOG_PAGES = 60
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            say(f"pid {os.getpid()}")
            asyncio.run(write_until_killed(line.strip()))
        os.waitpid(pid, 0)
        say("ended")


if __name__ == "__main__":
    main()
