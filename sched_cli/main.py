"""The entry point of `sched`: commands, and what happens when one fails."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from typing import TYPE_CHECKING

from sched_cli import global_options, profiles
from sched_cli.errors import EXIT_INTERRUPTED, EXIT_NOBODY_READS

if TYPE_CHECKING:
    import typer

    from sched_cli.global_options import GlobalOptions

# In the order of the help. Each is a module of `commands/`, with a function of its name,
# or `build_commands` where it is a noun.
_COMMANDS = (
    "init",
    "dev",
    "worker",
    "check",
    "workflow",
    "why",
    "tui",
    "replay",
    "verify",
    "diff",
    "capture",
    "engine",
    "migrate",
    "cluster",
    "time",
    "config",
    "doctor",
    "version",
)
# They ask no engine that a profile speaks of, and may not stop at a broken file.
_WITHOUT_PROFILE = ("config", "dev", "engine", "init", "version")


def run(arguments: list[str] | None = None) -> None:
    """Run a command line (default: the process's) and exit with its code."""
    # What gRPC's core logs by itself is for people who mend gRPC; what goes wrong
    # is said by us. Read when grpc is imported, here and in child processes.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    debug = False
    try:
        given, options = global_options.take(sys.argv[1:] if arguments is None else arguments)
        debug = options.debug
        _apply(options, given)
        if given == ["--version"]:
            given = ["version"]  # as everybody tries first
        named = given[0] if given and given[0] in _COMMANDS and not _completes() else None
        code = build_app(only=named)(args=given, prog_name="sched") or 0
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except BrokenPipeError:
        code = _nobody_reads()
    except Exception as error:
        code = _report(error, debug=debug)
    sys.exit(code)


def _nobody_reads() -> int:
    """What is still to be written goes nowhere, at the end of the process too. Returns
    the exit code, the one that shells tell of a program which a closed pipe has ended."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # it may have no descriptor
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
    return EXIT_NOBODY_READS


def _apply(options: GlobalOptions, given: list[str]) -> None:
    """By variables, which child processes have too."""
    if options.quiet:
        os.environ["SCHED_QUIET"] = "1"
    if options.no_color:
        os.environ["NO_COLOR"] = "1"
    profiles.typed = options.profile
    asks_for_help = not given or not {"-h", "--help"}.isdisjoint(given)
    if not asks_for_help and not _completes() and given[0] not in _WITHOUT_PROFILE:
        profiles.apply(options.profile)


def _completes() -> bool:
    """A shell asks what may come next; the line it has is in a variable."""
    return "_SCHED_COMPLETE" in os.environ


def build_app(only: str | None = None) -> typer.Typer:
    """All commands, or none but one: describing them all to the parser takes 60 ms of
    processor time, which is wasted on whoever has named the one that is meant."""
    import typer

    from sched_cli import options
    from sched_cli.parser import Commands, add

    app = typer.Typer(
        name="sched",
        cls=Commands,
        no_args_is_help=True,
        add_completion=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog=(
            "The first four options may stand anywhere on the line, behind every command.\n\n"
            "Exit codes: 0 fine, 1 failed, 2 usage, 3 unreachable, 4 no such workflow.\n\n"
            "Tab completes commands, ids, types and queues after: sched --install-completion"
        ),
    )
    app.callback()(options.everywhere)
    for name in (only,) if only else _COMMANDS:
        module = importlib.import_module(f"sched_cli.commands.{name}")
        if hasattr(module, "build_commands"):
            app.add_typer(module.build_commands(), name=name)
        else:
            add(app, name, getattr(module, name))
    return app


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
