"""One engine as a process: python -m benchmarks.engine DSN REDIS_URL PORT."""

from __future__ import annotations

import logging
import os
import sys

import uvloop

from sched_server import EngineServer, EngineSettings


async def serve(dsn: str, redis_url: str, port: int) -> None:
    """Until it is killed."""
    settings = EngineSettings(postgres_dsn=dsn, redis_url=redis_url, port=port, migrate=True)
    server = EngineServer(settings)
    await server.start()
    await server.wait()


def main() -> None:
    if "BENCH_VERBOSE" in os.environ:
        logging.basicConfig(
            level=logging.INFO, format="%(asctime)s.%(msecs)03d %(process)d %(name)s %(message)s"
        )
    dsn, redis_url, port = sys.argv[1:]
    uvloop.run(serve(dsn, redis_url, int(port)))


if __name__ == "__main__":
    main()
