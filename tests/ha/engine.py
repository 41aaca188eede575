"""One engine as a process: `engine.py DSN PORT`. SIGTERM stops it in good order."""

from __future__ import annotations

import logging
import signal
import sys
from asyncio import get_running_loop

import uvloop

from sched_server import EngineServer, EngineSettings

GRACE_S = 8.0


async def serve(dsn: str, port: int) -> None:
    server = EngineServer(EngineSettings(postgres_dsn=dsn, port=port, migrate=True))
    loop = get_running_loop()
    loop.add_signal_handler(
        signal.SIGTERM, lambda: stopping.append(loop.create_task(server.stop(GRACE_S)))
    )
    stopping: list[object] = []  # the loop itself holds its tasks only weakly
    await server.start()
    await server.wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    uvloop.run(serve(sys.argv[1], int(sys.argv[2])))
