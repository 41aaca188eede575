"""The child that is one engine: it leads or stands by, and reports which.

python -m sched_cli.ha.engine_child FILE_DESCRIPTOR OPTIONS
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

from sched_cli import logs, loops
from sched_cli.ha.protocol import EngineOptions, EngineReport
from sched_cli.reload.child import leave_interrupts_to_the_supervisor
from sched_cli.reload.protocol import SupervisorLink

if TYPE_CHECKING:
    from sched_server import EngineServer

# What is reported late is late only on the screen.
_LOOK_EVERY_S = 0.02


def main() -> int:
    """Serve until the supervisor is gone. Returns the process's exit code."""
    leave_interrupts_to_the_supervisor()
    # There is nothing to save: what was acknowledged is committed.
    link = SupervisorLink(int(sys.argv[1]), when_gone=lambda: os._exit(0))
    logs.set_up(default_level="error")
    return loops.run(_serve(EngineOptions.decode(sys.argv[2]), link))


async def _serve(options: EngineOptions, link: SupervisorLink) -> int:
    from sched_server import EngineServer, EngineSettings, EngineStartError

    server = EngineServer(
        EngineSettings(
            postgres_dsn=options.postgres_dsn,
            redis_url=options.redis_url,
            host=options.host,
            port=options.port,
            otlp_endpoint=options.otlp_endpoint,
            migrate=True,
        )
    )
    try:
        await server.start()
    except EngineStartError as error:
        link.report(EngineReport("failed", message=str(error)))
        return 1
    reporting = asyncio.create_task(_report_changes(server, link))
    await server.wait()
    reporting.cancel()
    return 1


async def _report_changes(server: EngineServer, link: SupervisorLink) -> None:
    reported: EngineReport | None = None
    while True:
        report = _role(server)
        if report != reported:
            link.report(report)
            reported = report
        await asyncio.sleep(_LOOK_EVERY_S)


def _role(server: EngineServer) -> EngineReport:
    from sched_server.errors import Unavailable

    try:
        return EngineReport("leader", epoch=server.engine.group.epoch)
    except Unavailable:
        return EngineReport("standby")


if __name__ == "__main__":
    sys.exit(main())
