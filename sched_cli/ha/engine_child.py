"""The child that is one engine: it leads or stands by, and reports which.

python -m sched_cli.ha.engine_child FILE_DESCRIPTOR OPTIONS
"""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from sched_cli import logs, loops
from sched_cli.ha.protocol import EngineOptions, EngineReport
from sched_cli.reload.child import leave_interrupts_to_the_supervisor
from sched_cli.reload.protocol import SupervisorLink

if TYPE_CHECKING:
    from sched_server import Standing


def main() -> int:
    """Serve until the supervisor is gone. Returns the process's exit code."""
    leave_interrupts_to_the_supervisor()
    # There is nothing to save: what was acknowledged is committed.
    link = SupervisorLink(int(sys.argv[1]), when_gone=lambda: os._exit(0))
    logs.set_up(default_level="error")
    return loops.run(_serve(EngineOptions.decode(sys.argv[2]), link))


async def _serve(options: EngineOptions, link: SupervisorLink) -> int:
    from sched_server import EngineServer, EngineSettings, EngineStartError

    settings = EngineSettings(
        postgres_dsn=options.postgres_dsn,
        redis_url=options.redis_url,
        host=options.host,
        port=options.port,
        otlp_endpoint=options.otlp_endpoint,
        migrate=True,
        movable_clock=True,
        **asdict(options.serving),
    )
    server = EngineServer(settings)
    try:
        await server.start()
    except EngineStartError as error:
        link.report(EngineReport("failed", message=str(error)))
        return 1
    server.on_standing(_Reporter(link).hear)
    await server.wait()
    return 1


class _Reporter:
    """Tells the supervisor whether this engine leads; not whom it follows."""

    def __init__(self, link: SupervisorLink) -> None:
        self._link = link
        self._reported: EngineReport | None = None

    def hear(self, standing: Standing) -> None:
        from sched_server import Role

        leads = standing.role is Role.LEADER
        report = EngineReport("leader", epoch=standing.epoch) if leads else EngineReport("standby")
        if report != self._reported:
            self._reported = report
            self._link.report(report)


if __name__ == "__main__":
    sys.exit(main())
