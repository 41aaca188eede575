"""An engine that does nothing but lead:

    python -m tests.leadership.candidate DSN SCHEMA NAME LEASE_SECONDS

It says what happens on stdout, a line each. On SIGCONT it writes at once, as an
engine would that was frozen in the middle of its work.
"""

from __future__ import annotations

import asyncio
import signal
import sys

from sched_server.leadership.postgres import PostgresLeadership
from sched_server.store.port import FencedError
from sched_server.store.postgres import PostgresStore
from tests.store.rows import Leader, new_run


def say(text: str) -> None:
    print(text, flush=True)


async def main(dsn: str, schema: str, name: str, lease_s: str) -> None:
    store = PostgresStore(dsn, schema=schema)
    await store.open()
    leadership = PostgresLeadership(dsn, address=name, schema=schema, lease_s=float(lease_s))
    say("stands")
    await leadership.campaign()
    lease = await store.acquire(0, name)
    lost = asyncio.Event()

    def on_lost(reason: str) -> None:
        say(f"lost {reason}")
        lost.set()

    leadership.on_lost(on_lost)
    await leadership.confirm(lease.epoch)
    leader = Leader(store, lease)
    await leader.write(new_run(lease.next_run_key))
    writing: set[asyncio.Task[None]] = set()

    async def write() -> None:
        say("holds" if leadership.holds() else "does not hold")
        try:
            await leader.write(new_run(lease.next_run_key + 1))
            say("wrote")
        except FencedError:
            say("fenced")

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGCONT, lambda: writing.add(loop.create_task(write())))
    say(f"leads {lease.epoch}")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
