"""`sched version`."""

from __future__ import annotations

import sys

from sched_cli.options import OutputFormat, OutputOption


def version(output: OutputOption = OutputFormat.TABLE) -> None:
    """Show the versions of sched and of Python."""
    import platform
    from importlib.metadata import version as installed_version

    from sched_cli.render import plain

    told = {"sched": installed_version("sched-engine"), "python": platform.python_version()}
    if output is OutputFormat.JSON:
        plain.print_json(told)
    elif output is OutputFormat.JSONL:
        plain.print_json_line(told)
    else:
        sys.stdout.write(f"sched {told['sched']} (Python {told['python']})\n")
