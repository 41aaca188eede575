"""The child process: import the app, serve it, report to the supervisor.

python -m sched_cli.reload.child FILE_DESCRIPTOR OPTIONS
"""

from __future__ import annotations

import io
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

from sched_cli.errors import explain
from sched_cli.reload.protocol import ChildReport, SupervisorLink, WorkerOptions

if TYPE_CHECKING:
    from sched_cli.apps import App

# How long a child whose supervisor is gone may take to hand its work back.
_LAST_GRACE_S = 1.5


def main() -> int:
    """Serve until told to stop. Returns the process's exit code."""
    leave_interrupts_to_the_supervisor()
    # While the app is being imported there is nothing to hand back.
    link = SupervisorLink(int(sys.argv[1]), when_gone=lambda: os._exit(1))
    options = WorkerOptions.decode(sys.argv[2])
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # What the app prints appears at once, and survives a kill.
            stream.reconfigure(line_buffering=True)
    try:
        from sched_cli import logs
        from sched_cli.apps import load_app

        app = load_app(options.targets)
        logs.set_up(default_level="info")
        _serve(app, options, link)
    except Exception as error:
        explained = explain(error)
        if explained is None:
            raise
        link.report(ChildReport("failed", message=str(explained)))
        return explained.exit_code
    return 0


def _serve(app: App, options: WorkerOptions, link: SupervisorLink) -> None:
    import asyncio

    from sched_cli import loops
    from sched_cli.reload.orders import Orders
    from sched_cli.worker import serve_app

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        # One may reach the whole group, and come from the supervisor too; who has to
        # stop sooner is hung up on.
        with loops.stop_on_signals(signal.SIGTERM, repeats_hurry=False) as stop:

            def stop_or_exit() -> None:
                loop.call_soon_threadsafe(lambda: stop.request(gently=False))
                time.sleep(_LAST_GRACE_S)
                os._exit(1)

            link.when_gone = stop_or_exit
            orders = Orders(link, options.engine)
            if options.waits and not await orders.told_to_serve(stop):
                return
            # The process with the code from before may still have the port.
            await serve_app(
                app, options, stop, link.report, metrics_port_comes=True, beside=orders.obey
            )

    loops.run(serve())


def leave_interrupts_to_the_supervisor() -> None:
    """A Ctrl-C reaches every process of the terminal; the supervisor acts on it.

    A handler that does nothing, not SIG_IGN, which programs that activities
    start would inherit. The supervisor starts us with SIGINT blocked, so that
    none can come before this.
    """
    signal.signal(signal.SIGINT, lambda _number, _frame: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


if __name__ == "__main__":
    sys.exit(main())
