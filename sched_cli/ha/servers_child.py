"""The child that runs Postgres and Redis, and stops them when the supervisor goes.

python -m sched_cli.ha.servers_child FILE_DESCRIPTOR DATA_FOLDER
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

from sched_cli.errors import CliError
from sched_cli.ha.protocol import ServersReport
from sched_cli.ha.servers import Servers
from sched_cli.reload.child import leave_interrupts_to_the_supervisor
from sched_cli.reload.protocol import SupervisorLink


def main() -> int:
    """Run until the supervisor is gone. Returns the process's exit code."""
    leave_interrupts_to_the_supervisor()
    gone = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: gone.set())
    link = SupervisorLink(int(sys.argv[1]), when_gone=gone.set)
    servers = Servers(Path(sys.argv[2]))
    try:
        servers.start()
        link.report(ServersReport("ready", servers.postgres_dsn, servers.redis_url))
        gone.wait()
    except CliError as error:
        link.report(ServersReport("failed", message=str(error), exit_code=error.exit_code))
        return error.exit_code
    finally:
        servers.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
