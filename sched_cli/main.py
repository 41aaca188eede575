"""The entry point of `sched`: commands, and what happens when one fails."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import typer

_DEBUG_FLAG = "--debug"
_TRUE_WORDS = ("1", "true", "yes", "on")


def run(arguments: list[str] | None = None) -> None:
    """Run a command line (default: the process's) and exit with its code."""
    # What gRPC's core logs by itself is for people who mend gRPC; what goes wrong
    # is said by us. Read when grpc is imported, here and in child processes.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    given, debug = _take_debug_flag(sys.argv[1:] if arguments is None else arguments)
    try:
        build_app()(args=given, prog_name="sched")
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        sys.exit(_report(error, debug=debug))


def build_app() -> typer.Typer:
    """All commands; a new noun is a module in `commands/` and one line here."""
    import typer

    from sched_cli.commands import (
        capture,
        check,
        cluster,
        dev,
        diff,
        doctor,
        engine,
        init,
        migrate,
        replay,
        time,
        verify,
        version,
        why,
        worker,
        workflow,
    )
    from sched_cli.parser import Commands

    app = typer.Typer(
        name="sched",
        cls=Commands,
        help=(
            "Durable workflows in Python.\n\n"
            "sched init my-app makes a starter; sched dev app.py runs it."
        ),
        no_args_is_help=True,
        add_completion=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog=(
            "--debug, anywhere on the line, or SCHED_DEBUG=1 shows tracebacks.\n\n"
            "Exit codes: 0 fine, 1 failed, 2 usage, 3 unreachable, 4 no such workflow."
        ),
    )
    app.command("init")(init.init)
    app.command("dev")(dev.dev)
    app.command("worker")(worker.worker)
    app.command("check")(check.check)
    app.add_typer(workflow.build_commands(), name="workflow")
    app.command("why")(why.why)
    app.command("replay")(replay.replay)
    app.command("verify")(verify.verify)
    app.command("diff")(diff.diff)
    app.command("capture")(capture.capture)
    app.command("engine")(engine.engine)
    app.add_typer(migrate.build_commands(), name="migrate")
    app.add_typer(cluster.build_commands(), name="cluster")
    app.add_typer(time.build_commands(), name="time")
    app.command("doctor")(doctor.doctor)
    app.command("version")(version.version)
    return app


def _take_debug_flag(arguments: list[str]) -> tuple[list[str], bool]:
    """`--debug` is understood behind every command, so it is taken out here."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = [argument for argument in arguments[:end] if argument != _DEBUG_FLAG]
    asked = len(options) < end or os.environ.get("SCHED_DEBUG", "").lower() in _TRUE_WORDS
    return options + arguments[end:], asked


def _report(error: Exception, *, debug: bool) -> int:
    """Say what went wrong; the traceback only when it helps. Returns the exit code."""
    from sched_cli.errors import EXIT_FAILED, explain
    from sched_cli.render.console import print_error
    from sched_cli.secrets import redact

    if debug:
        import traceback

        sys.stderr.write(redact("".join(traceback.format_exception(error))))
    explained = explain(error)
    if explained is not None:
        print_error(str(explained))
        return explained.exit_code
    if not debug:
        print_error(
            f"sched itself failed: {type(error).__name__}: {error}\n"
            f"Run the command again with --debug to see where, and please report it."
        )
    return EXIT_FAILED


if __name__ == "__main__":
    run()
